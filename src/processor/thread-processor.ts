// A record processor whose methods run in another thread. To what calls it, it is a processor like any other.

import type { TraceCarrier } from '../metrics/tracing.ts'
import { type HandlerTimeoutError, ProcessorGoneError, type RecordUndecodableError } from '../model/errors.ts'
import type { ConsumedRecord, KinesisRecord } from '../model/record.ts'
import { deferred } from '../runtime/deferred.ts'
import { type Blame, HostedProcessor } from './hosted-processor.ts'
import type { CallParts, ThreadPlace } from './pool-thread.ts'
import type {
  InitializeInput,
  LeaseLostInput,
  ProcessRecordsInput,
  ProcessRecordsOutcome,
  RecordProcessor,
  ShardEndedInput,
  ShardPlace,
  ShutdownRequestedInput
} from './record-processor.ts'
import { ownBuffers, packBatch, placesIn, type SentBatch, unpackBatch } from './thread-batch.ts'
import { receivedRefusal, type SentRefusal } from './thread-decoding.ts'
import { sharedFlags } from './thread-memory.ts'
import type { SentCall, Traits } from './thread-messages.ts'
import { receivedFailures } from './thread-settling.ts'

/** What a processor needs of its pool. */
export interface ThreadPlaces {
  /** A place in a thread, as soon as there is one. Rejects with WorkerStoppedError, or with the reason of `signal`. */
  admit(shard: ShardPlace, signal: AbortSignal): Promise<ThreadPlace>
  /** A batch of the shard was processed: it is not what ends threads. */
  proved(shard: ShardPlace): void
  /** What the span is known by that is active now. Absent: nobody traces. */
  carrier?(): TraceCarrier | undefined
  /** Lets the event loop run once. */
  pause(): Promise<void>
  /** Resolves when a module takes too long to be loaded, or when `signal` aborts. */
  whenLate(signal: AbortSignal): Promise<void>
}

/** A call with records that is under way, and where it is said which of them are settled. */
interface CallUnderWay extends Pick<ProcessRecordsInput, 'records' | 'settle'> {
  /** Shared with the thread, a byte for each record. */
  readonly settled: Uint8Array
}

/** A call with records, without them. */
type CallWithRecords =
  | Omit<Extract<SentCall, { readonly method: 'processRecords' }>, 'batch' | 'picked'>
  | { readonly method: 'decode' }

type Own = ReadonlySet<ArrayBufferLike>

/**
 * Has the calls for one shard made in a thread of a pool, from `initialize` on always the same one. Once that thread is gone,
 * every call but `initialize` and `leaseLost` rejects with ProcessorGoneError: the batch it had is gone with it.
 */
export class ThreadProcessor extends HostedProcessor {
  /** There if the processor in the thread has it, as soon as that is made. */
  override loadCheckpoint?: NonNullable<RecordProcessor['loadCheckpoint']>
  /** There if the processor in the thread has it, as soon as that is made. */
  override saveCheckpoint?: NonNullable<RecordProcessor['saveCheckpoint']>
  readonly #places: ThreadPlaces
  #place: ThreadPlace | undefined
  /** Absent: the processor is not made yet. */
  #traits: Traits | undefined
  /** What is delivered together, if it is known, and the memory that belongs to it alone. */
  #whole: readonly ConsumedRecord[] | undefined
  #own: Own = new Set()
  /** The batch that the thread has, so that it need not be sent to be processed again. */
  #batch: readonly ConsumedRecord[] | undefined
  /** What of it is decoded there. */
  #decoded = new Set<ConsumedRecord>()
  #underWay: CallUnderWay | undefined
  #begun: Promise<void> | undefined
  #settled = sharedFlags(64)

  constructor(places: ThreadPlaces) {
    super()
    this.#places = places
  }

  override get keepsNothing(): boolean {
    return this.#traits?.keepsNothing ?? false
  }

  /** Whether its module says how records are decoded. */
  get decodes(): boolean {
    return this.#traits?.decodes ?? false
  }

  override get gone(): { readonly error: ProcessorGoneError; readonly blame: Blame } | undefined {
    const { error, blame = 'nobody' } = this.#place ?? {}
    return error instanceof ProcessorGoneError ? { error, blame } : undefined
  }

  /** Resolves once the thread has come to the processor that is to be made, or to the records that are to be processed. */
  override get begun(): Promise<void> | undefined {
    return this.#begun
  }

  /**
   * Says what is delivered next, and what it was made from. Memory that is filled by it alone is then transferred, and not
   * copied: nothing of it may be read here any more.
   */
  override takeFrom(read: readonly KinesisRecord[], batch: readonly ConsumedRecord[]): void {
    this.#own = ownBuffers(read)
    this.#whole = batch
  }

  override letGo(): void {
    if (this.#batch !== undefined) this.#place?.letGo()
    this.#batch = undefined
    this.#decoded.clear()
    this.#whole = undefined
    this.#own = new Set()
  }

  /** Whether the thread has the record decoded. */
  isDecoded(record: ConsumedRecord): boolean {
    return this.#decoded.has(record)
  }

  /**
   * Has records decoded in the thread, and says of each that cannot be why, in `refused`. Rejects with what the decoder has failed
   * with, or with ProcessorGoneError.
   */
  async decode(
    shardId: string,
    records: readonly ConsumedRecord[],
    refused: Map<ConsumedRecord, RecordUndecodableError>,
    signal: AbortSignal | undefined
  ): Promise<void> {
    const place = this.#placeOf(shardId)
    const begun = deferred()
    this.#begun = begun.promise
    try {
      const parts = { ...(signal && { signal }), begun: begun.resolve }
      const sent = (await this.#call(place, { method: 'decode' }, parts, records)) as readonly SentRefusal[]
      for (const each of sent) refused.set(records[each.index] as ConsumedRecord, receivedRefusal(each))
      for (const record of records) if (!refused.has(record)) this.#decoded.add(record)
    } finally {
      begun.resolve()
    }
  }

  override async recover(records: readonly ConsumedRecord[]): Promise<readonly ConsumedRecord[]> {
    const picked = this.#batch && this.#own.size > 0 ? placesIn(this.#batch, records) : undefined
    if (picked === undefined || this.#place === undefined) return records
    return unpackBatch((await this.#place.call({ method: 'recover', picked })) as SentBatch)
  }

  /** Leaves the thread. Nothing may be called any more. */
  override close(): void {
    this.#place?.leave()
  }

  override isHeldUp(): boolean {
    return this.#place?.isHeldUp() ?? false
  }

  /** Ends the thread with everything in it. */
  override endPlace(error: HandlerTimeoutError): unknown {
    const failedWith = this.#place?.end(error) ?? error
    this.#tellSettled()
    return failedWith
  }

  /**
   * Gets a place in a thread and has the processor made there, if there is none. That can take a while; rejects with the reason
   * of `signal` if that aborts first.
   */
  override async enter(shard: ShardPlace, signal: AbortSignal): Promise<void> {
    const isThere = this.#place?.isGone === false
    if (isThere && this.#traits !== undefined) return
    const begun = deferred()
    this.#begun = begun.promise
    const made = new AbortController()
    try {
      if (!isThere) {
        this.#batch = undefined
        this.#decoded.clear()
        this.#traits = undefined
        // Nobody knows for how long a thread still writes that is being ended.
        this.#settled = sharedFlags(64)
        this.#place = await this.#places.admit(shard, signal)
      }
      void this.#places.whenLate(made.signal).then(begun.resolve)
      this.#traits = await this.#make(this.#placeOf(shard.shardId), begun.resolve)
    } finally {
      made.abort('made')
      begun.resolve()
    }
  }

  override async initialize({ signal, pendingCheckpoint, ...rest }: InitializeInput): Promise<void> {
    await this.enter(rest, signal)
    const state = pendingCheckpoint?.state && new Uint8Array(pendingCheckpoint.state)
    const pending = pendingCheckpoint && { position: pendingCheckpoint.position, ...(state && { state }) }
    const input = { ...rest, pendingCheckpoint: pending }
    await this.#placeOf(rest.shardId).call({ method: 'initialize', input }, { signal })
  }

  override async processRecords(given: ProcessRecordsInput): Promise<ProcessRecordsOutcome> {
    const { records, checkpointer, signal, settle, ...input } = given
    const place = this.#placeOf(input.shardId)
    const trace = this.#places.carrier?.()
    const begun = deferred()
    const settled = this.#unsettled(records.length)
    const underWay = { records, settle, settled }
    this.#underWay = underWay
    this.#begun = begun.promise
    try {
      const parts = { signal, checkpointer, begun: begun.resolve }
      const made = { method: 'processRecords', input, settled, ...(trace && { trace }) } as const
      const sent = await this.#call(place, made, parts, records)
      this.#places.proved(input)
      return receivedFailures(sent)
    } finally {
      begun.resolve()
      if (this.#underWay === underWay) this.#tellSettled()
    }
  }

  override async leaseLost(input: LeaseLostInput): Promise<void> {
    // One that is gone has nothing left to lose.
    if (this.#place?.isGone === false) await this.#place.call({ method: 'leaseLost', input })
  }

  override async shardEnded({ checkpointer, signal, ...told }: ShardEndedInput): Promise<void> {
    const input = placeIn(told)
    await this.#placeOf(input.shardId).call({ method: 'shardEnded', input }, { signal, checkpointer })
  }

  override async shutdownRequested({ checkpointer, signal, ...told }: ShutdownRequestedInput): Promise<void> {
    const input = placeIn(told)
    await this.#placeOf(input.shardId).call({ method: 'shutdownRequested', input }, { signal, checkpointer })
  }

  #placeOf(shardId: string): ThreadPlace {
    if (this.#place !== undefined) return this.#place
    throw new ProcessorGoneError(shardId, 'it has not begun')
  }

  async #make(place: ThreadPlace, begun: () => void): Promise<Traits> {
    const traits = (await place.call({ method: 'make' }, { begun })) as Traits
    delete this.loadCheckpoint
    delete this.saveCheckpoint
    if (traits.loads) {
      this.loadCheckpoint = ({ signal, ...input }) =>
        place.call({ method: 'loadCheckpoint', input }, { signal }) as ReturnType<
          NonNullable<typeof this.loadCheckpoint>
        >
    }
    if (traits.saves) {
      this.saveCheckpoint = async ({ signal, ...input }) => {
        await place.call({ method: 'saveCheckpoint', input }, { signal })
      }
    }
    return traits
  }

  /** Sends the records with the call, and all that is delivered with them; unless the thread has them. */
  async #call(
    place: ThreadPlace,
    made: CallWithRecords,
    parts: CallParts,
    records: readonly ConsumedRecord[]
  ): Promise<unknown> {
    const there = this.#batch && placesIn(this.#batch, records)
    if (there !== undefined) return place.call({ ...made, picked: there }, parts)
    const places = this.#whole && placesIn(this.#whole, records)
    const batch = this.#whole !== undefined && places !== undefined ? this.#whole : records
    const pause = (): Promise<void> => this.#places.pause()
    const packed = await packBatch(batch, { own: this.#own, pause })
    const transfer = packed.transfer
    const sent = { ...made, batch: packed.batch, ...(places !== undefined && { picked: places }) }
    const outcome = place.call(sent, { ...parts, transfer })
    this.#batch = batch
    this.#decoded.clear()
    return outcome
  }

  /** Memory to say in which of so many records are settled: none of them. */
  #unsettled(count: number): Uint8Array {
    if (this.#settled.length < count) this.#settled = sharedFlags(2 * count)
    return this.#settled.subarray(0, count).fill(0)
  }

  /** Passes on which records are settled. */
  #tellSettled(): void {
    if (this.#underWay === undefined) return
    const { records, settle, settled } = this.#underWay
    this.#underWay = undefined
    for (let index = settled.indexOf(1); index !== -1; index = settled.indexOf(1, index + 1)) {
      settle(records[index] as ConsumedRecord)
    }
  }
}

/** Which shard a call is about, and nothing else that a caller may have put there. */
function placeIn({ shardId, streamName, streamArn }: ShardPlace): ShardPlace {
  return { shardId, streamName, streamArn }
}
