// What a processor is handed to say how far it has come. Asks the rules, then has the position saved with the data of the
// application, if that is where it is kept, and then has the lease written.
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
   *   if the session lapsed during the call, which is then made again: what it left undone must not count as done; and in any
   *   case if `saveCheckpoint` has failed since the call began: nobody knows whether it saved something
   * A processor with `saveCheckpoint` has the position saved by that first. If that throws, the lease table is not written, and
   * this call rejects with the same error. It is best to let it end the call: what is not saved comes again.
   *
   * @throws LeaseLostError if this worker does not hold the lease any more
   * @throws ServiceError if the lease table refuses or cannot be reached; nothing is stored, or it is and a later call finds out
   */
  checkpoint(at?: ExtendedSequenceNumber): Promise<void>

  /**
   * Stores a checkpoint as pending, with up to about 300 kB of the application's own state: the first half of a two-phase
   * commit. Whoever takes the shard over is given both in `initialize`. Only the lease table is written: `saveCheckpoint` is
   * called once the prepared checkpoint is made. Rejects as {@link checkpoint} does.
   */
  prepareCheckpoint(at?: ExtendedSequenceNumber, state?: Uint8Array): Promise<PreparedCheckpoint>
}

/**
 * How what the rules allow gets into the lease table. Rejects with LeaseLostError once the lease is not held any more.
 */
export interface CheckpointWrites {
  /** Saves a position with the data of the application. Called only if {@link OwnCheckpoint} says that it saves positions. */
  save(position: ExtendedSequenceNumber, previous: ExtendedSequenceNumber | undefined): Promise<void>
  checkpoint(position: ExtendedSequenceNumber): Promise<void>
  prepareCheckpoint(pending: PendingCheckpoint): Promise<void>
}

/** What an application that keeps positions with its own data has of a shard. */
export interface OwnCheckpoint {
  /** The position; `undefined` if it has none yet. */
  readonly position: ExtendedSequenceNumber | undefined
  /** Whether it saves positions when the framework tells it to. If not, it does so while it processes records. */
  readonly saves: boolean
}

/** The progress of one tenure of one shard: what is stored, and what has been delivered. */
export class ShardProgress {
  readonly #writes: CheckpointWrites
  /** The checkpoint in the lease table. */
  #leased: ExtendedSequenceNumber
  /** What the application has. Absent: it keeps no positions. */
  #own: OwnCheckpoint | undefined
  #stored: ExtendedSequenceNumber
  #delivered: ExtendedSequenceNumber
  #settled: ExtendedSequenceNumber
  #queue: Promise<unknown> = Promise.resolve()
  /** How often a save has failed: what was made before refuses everything. */
  #failedSaves = 0
  /** Whether the last save has failed, and it is not known whether it saved something. */
  #isInDoubt = false

  /** @param leased the checkpoint in the lease table */
  constructor(leased: ExtendedSequenceNumber, writes: CheckpointWrites) {
    this.#leased = leased
    this.#stored = leased
    this.#delivered = leased
    this.#settled = leased
    this.#writes = writes
  }

  /** The checkpoint: in the lease table, or with the data of the application, where those are ahead. */
  get stored(): ExtendedSequenceNumber {
    return this.#stored
  }

  /** Everything up to here was processed without an error. */
  get settled(): ExtendedSequenceNumber {
    return this.#settled
  }

  /**
   * A processor begins, and says what the application has saved. One that saves positions when it is told to knows best, even
   * if it is behind the lease: its data may have been restored. Of one that saves as it likes, the later of the two counts.
   */
  begin(own: OwnCheckpoint | undefined): void {
    this.#own = own
    this.#isInDoubt = false
    const { position, saves = false } = own ?? {}
    this.#stored = position === undefined || !(saves || isAfter(position, this.#leased)) ? this.#leased : position
    this.#delivered = this.#stored
    this.#settled = this.#stored
  }

  /**
   * Finds out what the application has saved before the processor is called again: after a save that failed, or if `isRepeated`,
   * after a call that did. Asks nothing of an application that keeps no positions. Says whether the processor may be called:
   * not if more is saved than it knows of, or less. Then another one has to begin there.
   */
  confirm(isRepeated: boolean, load: () => Promise<OwnCheckpoint | undefined>): Promise<boolean> {
    return this.#inTurn(async () => {
      const known = this.#own
      if (known === undefined || !(isRepeated || this.#isInDoubt)) return true
      const own = await load()
      const position = own?.position
      // What it saves as it likes, it may have saved in the call that failed.
      const isItsOwn = !known.saves && position !== undefined && !isAfter(position, this.#delivered)
      if (!isItsOwn && !isSame(position, known.position)) return false
      this.#own = own
      this.#isInDoubt = false
      if (position !== undefined && isAfter(position, this.#stored)) {
        this.#stored = position
        this.#settled = laterOf(this.#settled, position)
      }
      return true
    })
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
    this.#leased = SHARD_END
  }

  /** Forgets what was delivered and not stored, once the writes under way are done: it is delivered again. */
  async startOver(): Promise<void> {
    await this.#queue
    this.#delivered = this.#stored
    this.#settled = this.#stored
  }

  /** A checkpointer whose bare `checkpoint()` means everything up to `upTo`, unless the call has become void. */
  checkpointer(upTo: ExtendedSequenceNumber, isVoid = (): boolean => false): Checkpointer {
    const failedSaves = this.#failedSaves
    const unlessVoid = <T>(at: ExtendedSequenceNumber | undefined, write: () => Promise<T>): Promise<T> =>
      this.#inTurn(() => {
        if (failedSaves !== this.#failedSaves || this.#isInDoubt) throw voidAfterSave()
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
    if (position !== undefined && this.#own?.saves) await this.#save(position, this.#own.position)
    // What was saved and not written to the lease, because of a crash or an error in between, is written with the next.
    const next = position ?? this.#stored
    if (isAfter(next, this.#leased)) {
      await this.#writes.checkpoint(next)
      this.#leased = next
    }
    this.#stored = next
  }

  async #save(position: ExtendedSequenceNumber, previous: ExtendedSequenceNumber | undefined): Promise<void> {
    try {
      await this.#writes.save(position, previous)
    } catch (error) {
      this.#failedSaves += 1
      this.#isInDoubt = true
      throw error
    }
    this.#own = { position, saves: true }
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

function voidAfterSave(): CheckpointRefusedError {
  const message = 'saveCheckpoint has failed since this call began: let the call fail, what is not saved comes again'
  return new CheckpointRefusedError('void', message)
}

function isAfter(a: ExtendedSequenceNumber, b: ExtendedSequenceNumber): boolean {
  return comparePositions(a, b) > 0
}

function isSame(a: ExtendedSequenceNumber | undefined, b: ExtendedSequenceNumber | undefined): boolean {
  return a === undefined || b === undefined ? a === b : comparePositions(a, b) === 0
}

function laterOf(a: ExtendedSequenceNumber, b: ExtendedSequenceNumber): ExtendedSequenceNumber {
  return comparePositions(a, b) >= 0 ? a : b
}
