// One worker's hold on one lease, from the claim until it is released, finished or lost. Serialises the writes of the
// lease, and knows until when the hold is proved. Once ended it is ended for good: a later claim is another tenure.
import { isRetryable, LeaseLostError } from '../model/errors.ts'
import {
  checkpointed,
  finished,
  isFinished,
  type Lease,
  type PendingCheckpoint,
  prepared,
  released,
  renewed,
  wanted
} from '../model/lease.ts'
import { comparePositions, type ExtendedSequenceNumber } from '../model/sequence-number.ts'
import { backoffMs } from '../runtime/backoff.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { LeaseStore } from './lease-store.ts'
import { judgeRefusal } from './plan-renewals.ts'

/** How a tenure ended: the lease was given back, its shard finished, somebody else has it, or its row was deleted. */
export type TenureEnd = 'released' | 'finished' | 'lost' | 'gone'

/** What a tenure writes with, how long its proof lasts, and who is told of its end. */
export interface TenureContext {
  readonly store: LeaseStore
  readonly session: string
  readonly clock: Clock
  readonly random: Random
  /** How long after the last proof the hold counts as lost. Shorter than the time after which others may claim it. */
  readonly validMs: number
  /** Called once, when the tenure has ended. */
  readonly ended: (tenure: Tenure, how: TenureEnd, because: string) => void
}

const RETRY = { firstMs: 50, maxMs: 1_000 }

/** One hold on one lease. Each write that lands proves it anew; once it has ended, every write rejects. */
export class Tenure {
  readonly leaseKey: string
  readonly shardId: string
  readonly #context: TenureContext
  readonly #over = new AbortController()
  #lease: Lease
  #provedAtMs: number
  #end: { how: TenureEnd; because: string } | undefined
  #notedRequestBy: string | undefined
  #queue: Promise<unknown> = Promise.resolve()

  /** @param provedAtMs monotonic time at which the claim was sent */
  constructor(lease: Lease, provedAtMs: number, context: TenureContext) {
    this.leaseKey = lease.leaseKey
    this.shardId = lease.shardId
    this.#lease = lease
    this.#provedAtMs = provedAtMs
    this.#context = context
  }

  /** The lease as this worker last wrote or saw it. */
  get lease(): Lease {
    return this.#lease
  }

  /** Aborts when the tenure ends, however it ends. */
  get signal(): AbortSignal {
    return this.#over.signal
  }

  get hasEnded(): boolean {
    return this.#end !== undefined
  }

  /** How long the hold is still proved, in milliseconds; 0 or less: it is not. */
  remainingMs(): number {
    return this.#provedAtMs + this.#context.validMs - this.#context.clock.monotonicMs()
  }

  /**
   * Whether this worker may act as the owner now. Ends the tenure if the proof has run out, so that a worker that was
   * asleep finds out before it delivers or writes anything.
   */
  isValid(): boolean {
    if (this.#end === undefined && this.remainingMs() <= 0) {
      this.#finishAs('lost', `not renewed for ${this.#context.validMs} ms`)
    }
    return this.#end === undefined
  }

  /** Shows a sign of life. @throws LeaseLostError */
  async renew(): Promise<void> {
    await this.#write(lease => renewed(lease))
  }

  /** How long ago the hold was last proved, in milliseconds. */
  sinceProofMs(): number {
    return this.#context.clock.monotonicMs() - this.#provedAtMs
  }

  /** Stores a checkpoint; one at or behind the stored one writes nothing. @throws LeaseLostError */
  async checkpoint(position: ExtendedSequenceNumber): Promise<void> {
    await this.#write(lease =>
      comparePositions(position, lease.checkpoint) > 0 ? checkpointed(lease, position) : undefined
    )
  }

  /** Stores a prepared checkpoint beside the one in force. @throws LeaseLostError */
  async prepareCheckpoint(pending: PendingCheckpoint): Promise<void> {
    await this.#write(lease => prepared(lease, pending))
  }

  /** Gives the lease back, so that a successor can start at once. @throws LeaseLostError */
  async release(): Promise<void> {
    await this.#write(lease => (lease.owner === undefined ? undefined : released(lease)), 'released')
  }

  /** Marks the shard as finished and gives the lease back in the same write. @throws LeaseLostError */
  async finish(childShardIds: readonly string[]): Promise<void> {
    await this.#write(lease => (isFinished(lease) ? undefined : finished(lease, childShardIds)), 'finished')
  }

  /** Takes note that `session` has asked for the lease. Says whether that is news, which the row alone does not tell. */
  noteRequest(session: string): boolean {
    if (this.#lease.wantedBy !== session) this.#lease = wanted(this.#lease, session)
    const isNews = this.#notedRequestBy !== session
    this.#notedRequestBy = session
    return isNews
  }

  /** Ends the tenure without a write: nothing this worker still does may count. */
  abandon(because: string): void {
    this.#finishAs('lost', because)
  }

  #write(change: (lease: Lease) => Lease | undefined, end?: TenureEnd): Promise<void> {
    const turn = this.#queue.then(() => this.#writeNow(change, end))
    this.#queue = turn.catch(() => {})
    return turn
  }

  async #writeNow(change: (lease: Lease) => Lease | undefined, end: TenureEnd | undefined): Promise<void> {
    const { clock, random, session, store } = this.#context
    for (let attempt = 1; ; attempt++) {
      if (!this.isValid()) throw this.#lostError()
      const before = this.#lease
      const after = change(before)
      if (after === undefined) break
      const sentAtMs = clock.monotonicMs()
      try {
        const outcome = await store.replace(before, after)
        if (outcome.kind === 'written') {
          // A request may have been noted while the write was under way. It is still in the row.
          const { wantedBy } = this.#lease
          this.#lease = wantedBy === undefined ? after : wanted(after, wantedBy)
          this.#provedAtMs = sentAtMs
          break
        }
        const verdict = judgeRefusal(before, session, outcome.current)
        if (verdict.kind === 'ours') {
          this.#lease = verdict.lease
          continue
        }
        // A release or an end whose answer was lost has landed if the row says exactly what we wrote.
        if (end !== undefined && hasLanded(after, outcome.current)) break
        this.#finishAs(
          verdict.kind,
          verdict.kind === 'gone' ? 'its row was deleted, or cannot be read' : verdict.because
        )
        throw this.#lostError()
      } catch (error) {
        if (!isRetryable(error)) throw error
        await clock.sleep(backoffMs(attempt, RETRY, random.next()), this.signal)
      }
    }
    if (end !== undefined) this.#finishAs(end, end)
  }

  #finishAs(how: TenureEnd, because: string): void {
    if (this.#end !== undefined) return
    this.#end = { how, because }
    this.#context.ended(this, how, because)
    this.#over.abort(new LeaseLostError(this.leaseKey, because))
  }

  #lostError(): LeaseLostError {
    return new LeaseLostError(this.leaseKey, this.#end?.because ?? 'it was given back')
  }
}

/** Not by owner and counter alone: anybody who takes a lease from its owner counts it up, too. */
function hasLanded(written: Lease, current: Lease | undefined): boolean {
  if (current === undefined || current.owner !== written.owner || current.counter !== written.counter) return false
  return comparePositions(current.checkpoint, written.checkpoint) === 0
}
