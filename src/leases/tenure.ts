// One worker's hold on one lease, from the claim until it is released, finished or lost. Serialises the writes of the
// lease, and knows until when the hold is proved. Once ended it is ended for good: a later claim is another tenure.
import { isRetryable, LeaseLostError } from '../model/errors.ts'
import {
  checkpointed,
  finished,
  givenBack,
  isFinished,
  type Lease,
  type PendingCheckpoint,
  prepared,
  renewed
} from '../model/lease.ts'
import { comparePositions, type ExtendedSequenceNumber } from '../model/sequence-number.ts'
import { forMany } from '../runtime/abort.ts'
import { backoffMs } from '../runtime/backoff.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { LeaseStore } from './lease-store.ts'
import { judgeRefusal } from './plan-renewals.ts'
import type { SessionProof } from './session-proof.ts'
import { ThroughputMeter } from './throughput-meter.ts'

/** How a tenure ended: the lease was given back, its shard finished, somebody else has it, or its row was deleted. */
export type TenureEnd = 'released' | 'finished' | 'lost' | 'gone'

/** What a tenure writes with, how long its proof lasts, and who is told of its end. */
export interface TenureContext {
  readonly store: LeaseStore
  readonly session: string
  /** Of the session, which is that of all its tenures. */
  readonly proof: SessionProof
  readonly clock: Clock
  readonly random: Random
  /**
   * Mixed mode: how long after its last write a lease counts as lost, because others judge it by its counter. Less than the
   * time after which they claim it. Infinity in solo mode, where a lease is as good as its session.
   */
  readonly leaseValidMs: () => number
  /** Mixed mode: a leader of KCL 3.x wants it handed over to the owner that the row names: it is to be drained and released. */
  readonly handedOver?: (tenure: Tenure) => void
  /** Called once, when the tenure has ended. */
  readonly ended: (tenure: Tenure, how: TenureEnd, because: string) => void
}

const RETRY = { firstMs: 50, maxMs: 1_000 }

/** One hold on one lease. Each write that lands proves it anew; once it has ended, every write rejects. */
export class Tenure {
  readonly leaseKey: string
  readonly shardId: string
  /**
   * The counter of the row that the claim wrote. Every claim counts up what it found, and so does every write in between, so
   * that a later claim of the same row has a higher one, whoever makes it.
   */
  readonly fencingToken: number
  readonly #context: TenureContext
  readonly #over = new AbortController()
  readonly #throughput: ThroughputMeter
  #lease: Lease
  #provedAtMs: number
  #end: { how: TenureEnd; because: string } | undefined
  #isRevoked = false
  readonly #unwatch: () => void
  #lapse = new AbortController()
  #queue: Promise<unknown> = Promise.resolve()

  /** @param provedAtMs monotonic time at which the claim was sent */
  constructor(lease: Lease, provedAtMs: number, context: TenureContext) {
    this.leaseKey = lease.leaseKey
    this.shardId = lease.shardId
    this.fencingToken = lease.counter
    this.#lease = lease
    this.#provedAtMs = provedAtMs
    this.#context = context
    this.#throughput = new ThroughputMeter(context.clock)
    this.#unwatch = context.proof.watch(() => this.#lapse.abort())
    if (!context.proof.isProved()) this.#lapse.abort()
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

  /** How long this worker may still act as the owner, in milliseconds; 0 or less: not now. */
  remainingMs(): number {
    return Math.min(this.#context.proof.remainingMs(), this.#leaseRemainingMs())
  }

  /**
   * Whether this worker may act as the owner now. False while the session is suspended. Ends the tenure if the lease itself
   * has run out (mixed mode), so that a worker that was asleep finds out before it delivers anything.
   */
  isValid(): boolean {
    this.#endIfExpired()
    return this.#end === undefined && this.#context.proof.isProved()
  }

  /** Aborts when the proof of the session that is in force now runs out. Aborted already while there is none. */
  get lapse(): AbortSignal {
    if (this.#lapse.signal.aborted && this.isValid()) this.#lapse = new AbortController()
    return forMany(this.#lapse.signal)
  }

  /** Resolves when this worker may act as the owner, or the tenure has ended, or `signal` aborts. */
  async whenValid(signal: AbortSignal): Promise<void> {
    this.#endIfExpired()
    if (this.#end === undefined) await this.#context.proof.whenProved(signal)
    this.#endIfExpired()
  }

  /** Whether the leader wants somebody else to have the lease: it is to be drained and released. */
  get isRevoked(): boolean {
    return this.#isRevoked
  }

  /** Takes note that the lease is to be given up. Says whether that is news. */
  revoke(): boolean {
    const isNews = !this.#isRevoked
    this.#isRevoked = true
    return isNews
  }

  /** Notes that so many bytes of the shard were read. */
  noteRead(bytes: number): void {
    this.#throughput.note(bytes)
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
    await this.#write(lease => (lease.owner === undefined ? undefined : givenBack(lease)), 'released')
  }

  /** Marks the shard as finished and gives the lease back in the same write. @throws LeaseLostError */
  async finish(childShardIds: readonly string[]): Promise<void> {
    await this.#write(lease => (isFinished(lease) ? undefined : finished(lease, childShardIds)), 'finished')
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
      // Suspended or not: the counter is what refuses the write of a session that has lost the lease.
      this.#endIfExpired()
      if (this.#end !== undefined) throw this.#lostError()
      const before = this.#lease
      const changed = change(before)
      if (changed === undefined) break
      const after = this.#measured(changed)
      const sentAtMs = clock.monotonicMs()
      try {
        const outcome = await store.replace(before, after)
        if (outcome.kind === 'written') {
          if (after !== changed) this.#throughput.stored()
          this.#lease = after
          this.#provedAtMs = sentAtMs
          break
        }
        const verdict = judgeRefusal(before, session, outcome.current)
        if (verdict.kind === 'ours') {
          this.#lease = verdict.lease
          if (verdict.lease.checkpointOwner !== undefined) this.#context.handedOver?.(this)
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

  /** Mixed mode: the lease with what is read of its shard, if it is time to say so. Goes along with what is written anyhow. */
  #measured(lease: Lease): Lease {
    if (!Number.isFinite(this.#context.leaseValidMs())) return lease
    const throughputKBps = this.#throughput.measure(lease.throughputKBps)
    return throughputKBps === undefined ? lease : { ...lease, throughputKBps }
  }

  #leaseRemainingMs(): number {
    return this.#provedAtMs + this.#context.leaseValidMs() - this.#context.clock.monotonicMs()
  }

  #endIfExpired(): void {
    if (this.#end === undefined && this.#leaseRemainingMs() <= 0) {
      this.#finishAs('lost', `not written to for ${this.#context.leaseValidMs()} ms`)
    }
  }

  #finishAs(how: TenureEnd, because: string): void {
    if (this.#end !== undefined) return
    this.#end = { how, because }
    this.#unwatch()
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
  if (current.checkpointOwner !== written.checkpointOwner) return false
  return comparePositions(current.checkpoint, written.checkpoint) === 0
}
