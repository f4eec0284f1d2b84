// What a processor is handed to say how far it has come. Asks the rules, then has the lease written.
import { CheckpointRefusedError } from '../model/errors.ts'
import type { PendingCheckpoint } from '../model/lease.ts'
import { comparePositions, type ExtendedSequenceNumber, positionOf, SHARD_END } from '../model/sequence-number.ts'
import { judgeCheckpoint } from './checkpoint-rules.ts'

/** A prepared checkpoint, stored beside the one in force until it is made or another checkpoint replaces it. */
export interface PreparedCheckpoint {
  /** The position that {@link checkpoint} will store. */
  readonly position: ExtendedSequenceNumber
  /** Makes the prepared checkpoint the checkpoint. Rejects as {@link Checkpointer.checkpoint} does. */
  checkpoint(): Promise<void>
}

/** Says how far a processor has come. Good for the call it was handed to, and late calls do no harm. */
export interface Checkpointer {
  /**
   * Stores that everything up to and including `at` is done; without `at`, everything this call of the processor was given
   * (in `shardEnded` and `shutdownRequested`: everything that was processed without an error).
   *
   * @param at a record of this shard, or a sequence number with its sub-sequence number
   * @throws CheckpointRefusedError if `at` is behind the stored checkpoint or ahead of what was delivered; without `at`, also
   *   if the session lapsed during the call, which is then made again: what it left undone must not count as done
   * @throws LeaseLostError if this worker does not hold the lease any more
   * @throws ServiceError if the lease table refuses or cannot be reached; nothing is stored, or it is and a later call finds out
   */
  checkpoint(at?: ExtendedSequenceNumber): Promise<void>

  /**
   * Stores a checkpoint as pending, with up to about 300 kB of the application's own state: the first half of a two-phase
   * commit. Whoever takes the shard over is given both in `initialize`. Rejects as {@link checkpoint} does.
   */
  prepareCheckpoint(at?: ExtendedSequenceNumber, state?: Uint8Array): Promise<PreparedCheckpoint>
}

/**
 * How what the rules allow gets into the lease table. Rejects with LeaseLostError once the lease is not held any more.
 */
export interface CheckpointWrites {
  checkpoint(position: ExtendedSequenceNumber): Promise<void>
  prepareCheckpoint(pending: PendingCheckpoint): Promise<void>
}

/** The progress of one tenure of one shard: what is stored, and what has been delivered. */
export class ShardProgress {
  readonly #writes: CheckpointWrites
  #stored: ExtendedSequenceNumber
  #delivered: ExtendedSequenceNumber
  #settled: ExtendedSequenceNumber
  #queue: Promise<unknown> = Promise.resolve()

  constructor(stored: ExtendedSequenceNumber, writes: CheckpointWrites) {
    this.#stored = stored
    this.#delivered = stored
    this.#settled = stored
    this.#writes = writes
  }

  /** The checkpoint in the lease table. */
  get stored(): ExtendedSequenceNumber {
    return this.#stored
  }

  /** Everything up to here was processed without an error. */
  get settled(): ExtendedSequenceNumber {
    return this.#settled
  }

  /** Notes that the processor is about to be given everything up to `position`. */
  deliver(position: ExtendedSequenceNumber): void {
    this.#delivered = laterOf(this.#delivered, position)
  }

  /** Notes that everything up to `position` was processed, or needs no processing. */
  settle(position: ExtendedSequenceNumber): void {
    this.deliver(position)
    this.#settled = laterOf(this.#settled, position)
  }

  /** Notes that the shard is stored as finished: checkpoints asked for later are granted without a write. */
  finish(): void {
    this.#stored = SHARD_END
  }

  /** Forgets what was delivered and not stored, once the writes under way are done: it is delivered again. */
  async startOver(): Promise<void> {
    await this.#queue
    this.#delivered = this.#stored
    this.#settled = this.#stored
  }

  /** A checkpointer whose bare `checkpoint()` means everything up to `upTo`, unless the call has become void. */
  checkpointer(upTo: ExtendedSequenceNumber, isVoid = (): boolean => false): Checkpointer {
    const unlessVoid = <T>(at: ExtendedSequenceNumber | undefined, write: () => Promise<T>): Promise<T> =>
      this.#inTurn(() => {
        if (at !== undefined || !isVoid()) return write()
        throw new CheckpointRefusedError(
          'void',
          'The call was interrupted and is made again: name the record that is done'
        )
      })
    return {
      checkpoint: at => unlessVoid(at, () => this.#checkpoint(upTo, at)),
      prepareCheckpoint: async (at, state) => {
        const { position, checkpoint } = await unlessVoid(at, () => this.#prepare(upTo, at, state))
        return { position, checkpoint: () => unlessVoid(at, checkpoint) }
      }
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work)
    this.#queue = turn.catch(() => {})
    return turn
  }

  #judge(upTo: ExtendedSequenceNumber, at: ExtendedSequenceNumber | undefined): ExtendedSequenceNumber | undefined {
    const wish = at === undefined ? undefined : positionOf(at)
    const verdict = judgeCheckpoint({ stored: this.#stored, delivered: this.#delivered }, upTo, wish)
    if (verdict.kind === 'refuse') throw new CheckpointRefusedError(verdict.because, verdict.message)
    return verdict.kind === 'write' ? verdict.position : undefined
  }

  async #checkpoint(upTo: ExtendedSequenceNumber, at: ExtendedSequenceNumber | undefined): Promise<void> {
    const position = this.#judge(upTo, at)
    if (position === undefined) return
    await this.#writes.checkpoint(position)
    this.#stored = position
  }

  async #prepare(
    upTo: ExtendedSequenceNumber,
    at: ExtendedSequenceNumber | undefined,
    state: Uint8Array | undefined
  ): Promise<PreparedCheckpoint> {
    const position = this.#judge(upTo, at)
    if (position === undefined) return { position: this.#stored, checkpoint: async () => {} }
    await this.#writes.prepareCheckpoint({ position, ...(state !== undefined && { state }) })
    return { position, checkpoint: () => this.#checkpoint(upTo, position) }
  }
}

function laterOf(a: ExtendedSequenceNumber, b: ExtendedSequenceNumber): ExtendedSequenceNumber {
  return comparePositions(a, b) >= 0 ? a : b
}
