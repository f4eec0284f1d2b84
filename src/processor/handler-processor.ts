// Plain functions as the user's code: a handler of batches, and one of single records. Returning means done and checkpoints,
// throwing means again.
import type { ConsumedRecord } from '../model/record.ts'
import type { ExtendedSequenceNumber } from '../model/sequence-number.ts'
import type { PartialFailure } from './failure-rules.ts'
import { type ProcessRecordsInput, type ProcessRecordsOutcome, RecordProcessor } from './record-processor.ts'

/** What a handler is told beside the records. */
export type HandlerContext = Omit<ProcessRecordsInput, 'records'>

/**
 * Processes a batch. When it returns, or its promise resolves, the batch is done and is checkpointed; when it throws, the
 * batch is delivered again, but for records that were settled with `context.settle(record)`. When it returns `{ failed }`,
 * only those are delivered again.
 */
export type Handler = (
  records: readonly ConsumedRecord[],
  context: HandlerContext
) => ProcessRecordsOutcome | Promise<ProcessRecordsOutcome>

/** What a handler of single records is told beside the record. */
export interface EachContext {
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
export type EachHandler = (record: ConsumedRecord, context: EachContext) => void | Promise<void>

/** Handlers that may be called for many keys of a shard at the same time. */
export type LaneHandler =
  | { readonly kind: 'each'; readonly each: EachHandler }
  | { readonly kind: 'batch'; readonly handler: Handler }

/**
 * Serves one shard with a handler, and checkpoints each batch that it has returned from, unless it names records that have
 * failed: how far that gets the shard is for the caller to know. Where only the checkpoint failed, the handler is not called
 * again for it.
 */
export class HandlerProcessor extends RecordProcessor {
  readonly #handler: Handler
  /** Whether the batch at hand is handled, and only its checkpoint is missing. */
  #isHandled = false

  constructor(handler: Handler) {
    super()
    this.#handler = handler
  }

  override async processRecords({ records, ...context }: ProcessRecordsInput): Promise<PartialFailure | undefined> {
    if (context.failures === 0) this.#isHandled = false
    if (!this.#isHandled) {
      const failed = failedOf(await this.#handler(records, context))
      if (failed !== undefined) return { failed }
      // Once its signal has aborted the handler may have returned early, and is called again for what it has left undone.
      this.#isHandled = !context.signal.aborted
    }
    await context.checkpointer.checkpoint()
    return undefined
  }
}

/** The failed records that a handler names, if it names any. What is no list is passed on, for the caller to refuse. */
function failedOf(result: unknown): Iterable<ExtendedSequenceNumber> | undefined {
  const failed: unknown = typeof result === 'object' && result !== null ? Reflect.get(result, 'failed') : undefined
  if (failed === undefined) return undefined
  if (typeof Object(failed)[Symbol.iterator] !== 'function') return failed as Iterable<ExtendedSequenceNumber>
  // Read once: it may be a generator.
  const all = [...(failed as Iterable<ExtendedSequenceNumber>)]
  return all.length > 0 ? all : undefined
}
