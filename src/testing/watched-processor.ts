// The code of a user as a simulated worker runs it: what it is given and what it says to be done is watched, and it behaves as
// its conduct has it.
import type { Checkpointer, PreparedCheckpoint } from '../checkpoint/checkpointer.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { type ExtendedSequenceNumber, isPosition } from '../model/sequence-number.ts'
import type { StreamNames } from '../model/stream-id.ts'
import { type FailedRecord, namedRecord, type PartialFailure } from '../processor/failure-rules.ts'
import { type EachHandler, type Handler, keepsNothing } from '../processor/handler-processor.ts'
import {
  asProcessor,
  type InitializeInput,
  type LeaseLostInput,
  type ProcessRecordsInput,
  type ProcessRecordsOutcome,
  RecordProcessor,
  type ShardEndedInput,
  type ShutdownRequestedInput
} from '../processor/record-processor.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { type Conduct, conducted, conductedHandler } from './conduct.ts'
import type { Gate } from './gate.ts'

/** How a call came out: it failed, or it returned, and named these as failed. */
export type CallEnd =
  | { readonly kind: 'failed' }
  | { readonly kind: 'returned'; readonly failed: readonly ExtendedSequenceNumber[] }

/** Is told of every call with records. `Call` is what it makes of one. */
export interface ProcessorWatch<Call> {
  /** A call begins. */
  begin(shardId: string, records: readonly ConsumedRecord[], signal: AbortSignal): Call
  /** The code of the user has settled one record of the call. */
  settle(call: Call, position: ExtendedSequenceNumber): void
  /** The code of the user says that what it was given up to a position is done. With a call: and the worker has stored that in it. */
  vouchUpTo(shardId: string, position: ExtendedSequenceNumber, call?: Call): void
  /** The code of the user is out of the call. */
  end(call: Call, how: CallEnd): void
}

/** What watched code is made with. */
export interface WatchOptions<Call> {
  readonly watch: ProcessorWatch<Call>
  readonly conduct: Conduct
  /** Of the worker: its processors stand still when it does. */
  readonly gate: Gate
  readonly clock: Clock
  readonly random: Random
}

/** A handler of batches that is watched. */
export function watchedHandler<Call>(handler: Handler, options: WatchOptions<Call>): Handler {
  const { conduct } = options
  return (records, context) =>
    watched(options, { ...context, records }, (settle, call) => {
      const checkpointer = watchedCheckpointer(context.shardId, context.checkpointer, options, { call })
      return conductedHandler(conduct, options, records, settle, some =>
        handler(some, { ...context, checkpointer, settle })
      )
    })
}

/** A handler of single records that is watched. */
export function watchedEach<Call>(each: EachHandler, options: WatchOptions<Call>): EachHandler {
  return async (record, context) => {
    const input = { ...context, records: [record], settle: () => {} }
    await watched(options, input, () =>
      conducted(options.conduct, options, [record], async () => {
        await each(record, context)
        return undefined
      })
    )
  }
}

/** Makes watched processors of those that `make` makes. What they checkpoint, or have returned from, is done. */
export function watchedProcessors<Call>(
  make: (stream: StreamNames) => RecordProcessor,
  options: WatchOptions<Call>
): (stream: StreamNames) => RecordProcessor {
  return stream => new WatchedProcessor(asProcessor(make(stream)), options)
}

class WatchedProcessor<Call> extends RecordProcessor {
  readonly #inner: RecordProcessor
  readonly #options: WatchOptions<Call>

  constructor(inner: RecordProcessor, options: WatchOptions<Call>) {
    super()
    this.#inner = inner
    this.#options = options
    if (inner.loadCheckpoint !== undefined) {
      this.loadCheckpoint = input => this.#gated(async () => inner.loadCheckpoint?.(input))
    }
    if (inner.saveCheckpoint !== undefined) {
      this.saveCheckpoint = input => this.#gated(async () => inner.saveCheckpoint?.(input))
    }
  }

  /** As that of the processor that is watched. */
  get keepsNothing(): boolean {
    return keepsNothing(this.#inner)
  }

  override async initialize(input: InitializeInput): Promise<void> {
    await this.#gated(() => this.#inner.initialize(input))
  }

  override processRecords(input: ProcessRecordsInput): Promise<ProcessRecordsOutcome> {
    const { conduct } = this.#options
    const { shardId, records } = input
    return watched(this.#options, input, (settle, call) => {
      const saying = { call, last: records.at(-1) }
      const checkpointer = watchedCheckpointer(shardId, input.checkpointer, this.#options, saying)
      return conducted(conduct, this.#options, records, () =>
        this.#inner.processRecords({ ...input, checkpointer, settle })
      )
    })
  }

  override async leaseLost(input: LeaseLostInput): Promise<void> {
    await this.#gated(() => this.#inner.leaseLost(input))
  }

  override async shardEnded(input: ShardEndedInput): Promise<void> {
    const checkpointer = watchedCheckpointer(input.shardId, input.checkpointer, this.#options)
    await this.#gated(() => this.#inner.shardEnded({ ...input, checkpointer }))
  }

  override async shutdownRequested(input: ShutdownRequestedInput): Promise<void> {
    const checkpointer = watchedCheckpointer(input.shardId, input.checkpointer, this.#options)
    await this.#gated(() => this.#inner.shutdownRequested({ ...input, checkpointer }))
  }

  #gated<T>(call: () => T | Promise<T>): Promise<T> {
    return gated(this.#options.gate, call)
  }
}

/** Watches a call with records. `code` is the code of the user, which is given how to settle one of them. */
async function watched<Call>(
  { watch, gate }: WatchOptions<Call>,
  { shardId, records, signal, settle }: Pick<ProcessRecordsInput, 'shardId' | 'records' | 'signal' | 'settle'>,
  code: (settle: ProcessRecordsInput['settle'], call: Call) => ProcessRecordsOutcome | Promise<ProcessRecordsOutcome>
): Promise<ProcessRecordsOutcome> {
  const call = watch.begin(shardId, records, signal)
  let end: CallEnd = { kind: 'failed' }
  try {
    const outcome = await gated(gate, () =>
      code(record => {
        settle(record)
        watch.settle(call, record)
      }, call)
    )
    const failed = failedIn(outcome)
    end = { kind: 'returned', failed: failed.map(each => Object(namedRecord(each).record)) }
    return failed.length > 0 ? { ...outcome, failed } : outcome
  } finally {
    watch.end(call, end)
  }
}

/** Read once: it may be a generator. What is no list is left for the worker to refuse. */
function failedIn(outcome: ProcessRecordsOutcome): readonly (ExtendedSequenceNumber | FailedRecord)[] {
  const failed: unknown = typeof outcome === 'object' && outcome !== null ? outcome.failed : undefined
  return typeof Object(failed)[Symbol.iterator] === 'function' ? [...(failed as PartialFailure['failed'])] : []
}

/** Whatever comes of a call, the worker learns of it only while it runs. */
async function gated<T>(gate: Gate, call: () => T | Promise<T>): Promise<T> {
  try {
    return await call()
  } finally {
    if (!gate.isOpen) await gate.pass()
  }
}

/** A checkpoint says that what it covers is done. Without a record it covers `last`, if there is such a thing. */
function watchedCheckpointer<Call>(
  shardId: string,
  checkpointer: Checkpointer,
  { watch }: WatchOptions<Call>,
  { call, last }: { readonly call?: Call; readonly last?: ConsumedRecord | undefined } = {}
): Checkpointer {
  /** Says what a checkpoint covers, makes it, and then says so again, of the call. */
  const saying = async (at: ExtendedSequenceNumber | undefined, checkpoint: () => Promise<void>): Promise<void> => {
    const position = at ?? last
    const isKnown = position !== undefined && isPosition(position)
    if (isKnown) watch.vouchUpTo(shardId, position)
    await checkpoint()
    if (isKnown) watch.vouchUpTo(shardId, position, call)
  }
  return {
    checkpoint: at => saying(at, () => checkpointer.checkpoint(at)),
    prepareCheckpoint: async (at, state): Promise<PreparedCheckpoint> => {
      const prepared = await checkpointer.prepareCheckpoint(at, state)
      const { position } = prepared
      return { position, checkpoint: () => saying(position, () => prepared.checkpoint()) }
    }
  }
}
