// A record processor whose methods run in another thread. To what calls it, it is a processor like any other.

import { ProcessorGoneError } from '../model/errors.ts'
import type { ConsumedRecord, KinesisRecord } from '../model/record.ts'
import type { ThreadPlace } from './pool-thread.ts'
import {
  type InitializeInput,
  type LeaseLostInput,
  type ProcessRecordsInput,
  RecordProcessor,
  type ShardEndedInput,
  type ShutdownRequestedInput
} from './record-processor.ts'
import { ownBuffers, packBatch, type SentBatch } from './thread-batch.ts'

/** What a processor needs of its pool. */
export interface ThreadPlaces {
  /** A place in a thread, as soon as there is one. Rejects with WorkerStoppedError, or with the reason of `signal`. */
  admit(shardId: string, signal: AbortSignal): Promise<ThreadPlace>
  /** A batch of the shard was processed: it is not what ends threads. */
  proved(shardId: string): void
  /** Lets the event loop run once. */
  pause(): Promise<void>
}

/**
 * Has the calls for one shard made in a thread of a pool, from `initialize` on always the same one. Once that thread is gone,
 * every call but `initialize` and `leaseLost` rejects with ProcessorGoneError: the batch it had is gone with it.
 */
export class ThreadProcessor extends RecordProcessor {
  readonly #places: ThreadPlaces
  #place: ThreadPlace | undefined
  /** The batch that the thread has, so that it need not be sent to be processed again. */
  #batch: readonly ConsumedRecord[] | undefined
  #own: ReadonlySet<ArrayBufferLike> = new Set()

  constructor(places: ThreadPlaces) {
    super()
    this.#places = places
  }

  /**
   * Says what the next batch was made from. Memory that is filled by it alone is then transferred, and not copied: nothing of
   * it may be read here any more.
   */
  takeFrom(read: readonly KinesisRecord[]): void {
    this.#own = ownBuffers(read)
  }

  /** Lets go of the batch that was processed last: it does not come again. */
  letGo(): void {
    if (this.#batch !== undefined) this.#place?.letGo()
    this.#batch = undefined
    this.#own = new Set()
  }

  /** Leaves the thread. Nothing may be called any more. */
  close(): void {
    this.#place?.leave()
  }

  /** Gets a place in a thread, if it has none. That can take a while; rejects with the reason of `signal` if that aborts first. */
  async enter(shardId: string, signal: AbortSignal): Promise<void> {
    if (this.#place?.isGone === false) return
    this.#batch = undefined
    this.#place = await this.#places.admit(shardId, signal)
  }

  override async initialize({ signal, pendingCheckpoint, ...rest }: InitializeInput): Promise<void> {
    await this.enter(rest.shardId, signal)
    const place = this.#placeOf(rest.shardId)
    const state = pendingCheckpoint?.state && new Uint8Array(pendingCheckpoint.state)
    const pending = pendingCheckpoint && { position: pendingCheckpoint.position, ...(state && { state }) }
    await place.call({ method: 'initialize', input: { ...rest, pendingCheckpoint: pending } }, { signal })
  }

  override async processRecords({ records, checkpointer, signal, ...input }: ProcessRecordsInput): Promise<void> {
    const place = this.#placeOf(input.shardId)
    const call = (batch: SentBatch | number, transfer: readonly ArrayBuffer[]): Promise<void> =>
      place.call({ method: 'processRecords', input, batch }, { signal, checkpointer, transfer })
    const from = this.#whereIn(records)
    if (from !== undefined) await call(from, [])
    else {
      const pause = (): Promise<void> => this.#places.pause()
      const { batch, transfer } = await packBatch(records, { own: this.#own, pause })
      const processed = call(batch, transfer)
      this.#batch = records
      await processed
    }
    this.#places.proved(input.shardId)
  }

  override async leaseLost(input: LeaseLostInput): Promise<void> {
    // One that is gone has nothing left to lose.
    if (this.#place?.isGone === false) await this.#place.call({ method: 'leaseLost', input })
  }

  override async shardEnded({ shardId, checkpointer, signal }: ShardEndedInput): Promise<void> {
    await this.#placeOf(shardId).call({ method: 'shardEnded', input: { shardId } }, { signal, checkpointer })
  }

  override async shutdownRequested({ shardId, checkpointer, signal }: ShutdownRequestedInput): Promise<void> {
    await this.#placeOf(shardId).call({ method: 'shutdownRequested', input: { shardId } }, { signal, checkpointer })
  }

  #placeOf(shardId: string): ThreadPlace {
    if (this.#place !== undefined) return this.#place
    throw new ProcessorGoneError(shardId, 'it has not begun')
  }

  /** From which record on the batch that the thread has is what is to be processed now, if it is. */
  #whereIn(records: readonly ConsumedRecord[]): number | undefined {
    const batch = this.#batch
    if (batch === undefined) return undefined
    const from = batch.length - records.length
    return from >= 0 && records.every((record, index) => record === batch[from + index]) ? from : undefined
  }
}
