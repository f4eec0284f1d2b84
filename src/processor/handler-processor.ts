// Plain functions as the user's code: a handler of batches, and one of single records. Returning means done and checkpoints,
// throwing means again.
import { OptionError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import type { StreamNames } from '../model/stream-id.ts'
import type { PartialFailure } from './failure-rules.ts'
import { type ProcessRecordsInput, type ProcessRecordsOutcome, RecordProcessor } from './record-processor.ts'

/** What a handler is told beside the records. */
export type HandlerContext = Omit<ProcessRecordsInput, 'records'>

/**
 * Processes a batch. When it returns, or its promise resolves, the batch is done and is checkpointed; when it throws, the
 * batch is delivered again, but for records that were settled with `context.settle(record)`. When it returns `{ failed }`,
 * only those are delivered again.
 */
export type Handler<Value = unknown> = (
  records: readonly ConsumedRecord<Value>[],
  context: HandlerContext
) => ProcessRecordsOutcome | Promise<ProcessRecordsOutcome>

/** What a handler of single records is told beside the record. */
export interface EachContext extends StreamNames {
  /** The shard that the record is from. */
  readonly shardId: string
  /** How far the record was behind the tip of the shard, in milliseconds, when it was read. */
  readonly millisBehindLatest: number
  /** How often in a row this record has failed before; 0 the first time. */
  readonly failures: number
  /**
   * Aborts when the lease is lost, when the worker cannot prove for now that it has it, when the worker stops waiting for
   * this call, or when the call has taken `onProcessorError.timeoutMs`; good for this call only.
   */
  readonly signal: AbortSignal
}

/** Processes one record. When it returns, or its promise resolves, the record is done; when it throws, it is delivered again. */
export type EachHandler<Value = unknown> = (record: ConsumedRecord<Value>, context: EachContext) => void | Promise<void>

/** Handlers that may be called for many keys of a shard at the same time. */
export type LaneHandler =
  | { readonly kind: 'each'; readonly each: EachHandler }
  | { readonly kind: 'batch'; readonly handler: Handler }

/**
 * Serves one shard with a handler. Does not checkpoint: what it has returned from is done, and is checkpointed by whoever calls
 * it. That a checkpoint fails, or takes its time, is no failure of the handler.
 */
export class HandlerProcessor extends RecordProcessor {
  /** See {@link keepsNothing}. */
  readonly keepsNothing = true
  readonly #handler: Handler

  constructor(handler: Handler) {
    super()
    this.#handler = handler
  }

  override async processRecords({ records, ...context }: ProcessRecordsInput): Promise<PartialFailure | undefined> {
    return failureOf(await this.#handler(records, context))
  }
}

/**
 * Whether what a processor has returned from is done, so that it may be checkpointed without asking: it is a function, and has
 * nothing to lose.
 */
export function keepsNothing(processor: RecordProcessor): boolean {
  return (processor as Partial<HandlerProcessor>).keepsNothing === true
}

/**
 * The failed records that a handler names, if it names any. What is no list is passed on, for the caller to refuse.
 *
 * @throws OptionError if it returns what another kind of code would: that it has failed, or that it has not begun
 */
function failureOf(result: unknown): PartialFailure | undefined {
  if (typeof result === 'function' || typeof Object(result).processRecords === 'function') {
    const problem =
      'returned what processes records, expected it to process them; one that makes processors is option processor'
    throw new OptionError('handler', problem)
  }
  const { failed, reason, batchItemFailures } = Object(result)
  if (Array.isArray(batchItemFailures)) {
    throw new OptionError(
      'handler',
      'returned batchItemFailures, expected { failed: records } for those that have failed'
    )
  }
  if (failed === undefined) return undefined
  if (typeof Object(failed)[Symbol.iterator] !== 'function') return { failed }
  // Read once: it may be a generator.
  const all = [...(failed as PartialFailure['failed'])]
  return all.length > 0 ? { failed: all, ...(reason !== undefined && { reason }) } : undefined
}
