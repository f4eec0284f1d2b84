// The loops that find, claim, keep and give back leases. Owns what this worker holds; decides nothing itself.
import { isRetryable } from '../model/errors.ts'
import { claimed, type Lease, pinned } from '../model/lease.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'
import { jittered, type Random } from '../runtime/random.ts'
import type { LeaseStore } from './lease-store.ts'
import { type AssignmentPlan, type ClaimReason, planAssignments, readableLeases } from './plan-assignments.ts'
import { judgeRefusal } from './plan-renewals.ts'
import { NOTHING_SEEN, observe, type Sightings, unchangedMs } from './sightings.ts'
import { Tenure, type TenureEnd } from './tenure.ts'

/** What the leases of one worker are coordinated with: the table, its name there, its limits, and who is told. */
export interface LeaseCoordinatorOptions {
  readonly store: LeaseStore
  /** Unique to this run of this worker: stands in the rows as the owner. */
  readonly session: string
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** How long a lease lives without a renewal. Milliseconds. */
  readonly durationMs: number
  readonly maxLeases: number
  /** Whole epoch milliseconds by the clock of Kinesis, by which "from now on" is meant. */
  readonly serviceTimeMs: () => number
  /** Whether an earlier run of the shard is still being wound up in this process. */
  readonly isBusy: (leaseKey: string) => boolean
  readonly listener: LeaseListener
}

/** What the coordinator tells the worker. Nothing here may throw. */
export interface LeaseListener {
  taken(tenure: Tenure, why: ClaimReason): void
  /** Somebody asked for a lease that is held here: drain and release it. */
  requested(tenure: Tenure, by: string): void
  ended(tenure: Tenure, how: TenureEnd, because: string): void
  /** The table was read and a plan was made of it. */
  planned(plan: AssignmentPlan): void
  /** Keys of the leases that have been free for so long that nobody seems to come for them. Told after each plan. */
  neglected(leaseKeys: readonly string[]): void
  failed(what: string, error: unknown): void
}

/** How much of the lease duration a hold counts as proved; the rest is the margin for clocks that run at different speeds. */
const VALID_SHARE = 0.8
const RENEW_SHARE = 1 / 4
const SCAN_SHARE = 1 / 5
const CLAIMS_AT_ONCE = 20
/** What nobody has claimed for so many lease durations is told. Others may need two of them before they take more than their share. */
const NEGLECTED_DURATIONS = 3

/**
 * The leases of one worker: finds, claims and keeps them, and asks others for some. {@link start} and {@link close} it
 * once.
 */
export class LeaseCoordinator {
  readonly #options: LeaseCoordinatorOptions
  readonly #held = new Map<string, Tenure>()
  /** Leases whose claim is under way: a scan and an adoption must not both have one tenure of the same lease. */
  readonly #claiming = new Set<string>()
  readonly #adopting = new Set<Promise<unknown>>()
  readonly #avoidUntilMs = new Map<string, number>()
  readonly #beingRenewed = new Set<Tenure>()
  #sightings: Sightings = NOTHING_SEEN
  /** The leases that nobody claims, and for how long. */
  #unclaimed: Sightings = NOTHING_SEEN
  #assigning: Loop | undefined
  #renewing: Loop | undefined
  #fencing: Loop | undefined
  #firstTurn: Promise<void> = Promise.resolve()
  #awaited = 0
  #closed = false

  constructor(options: LeaseCoordinatorOptions) {
    this.#options = options
  }

  /** Reads the table and claims what is free; then goes on doing so in the background. */
  async start(): Promise<void> {
    const { clock, durationMs, random, listener } = this.#options
    const loop = (what: string, run: () => Promise<void>, delayMs: () => number): Loop =>
      startLoop({ clock, run, delayMs, onError: error => listener.failed(what, error) })
    if (this.#closed) return
    // Before the first claim: what the first turn claims is to be kept while the rest of that turn takes its time.
    this.#renewing = loop(
      'renew leases',
      () => this.#renew(),
      () => durationMs * RENEW_SHARE
    )
    this.#fencing = loop(
      'check leases',
      () => this.#fence(),
      () => this.#fenceDelayMs()
    )
    this.#firstTurn = this.#assign()
    await this.#firstTurn.catch(error => {
      if (!isRetryable(error)) throw error
      listener.failed('assign leases', error)
    })
    if (this.#closed) return
    this.#assigning = loop(
      'assign leases',
      () => this.#assign(),
      () => jittered(this.#scanDelayMs(), random)
    )
  }

  held(): Tenure[] {
    return [...this.#held.values()]
  }

  /** Looks for leases now rather than at the next turn. */
  nudge(): void {
    this.#assigning?.nudge()
  }

  /**
   * Claims the leases that continue a shard this worker has just finished, as far as they are free and can be read: one
   * that waits for another parent would take the place that this parent needs.
   */
  async adopt(leaseKeys: readonly string[]): Promise<void> {
    const adopting = allOf(
      leaseKeys.map(async leaseKey => {
        const lease = await this.#options.store.get(leaseKey)
        if (lease === undefined || lease.owner !== undefined || !(await this.#isReadable(lease))) return
        await this.#claim(lease, 'child')
      })
    )
    this.#adopting.add(adopting)
    try {
      await adopting
    } finally {
      this.#adopting.delete(adopting)
    }
  }

  /** Leaves a lease alone for a while, because reading its shard failed here. */
  avoid(leaseKey: string, forMs: number): void {
    this.#avoidUntilMs.set(leaseKey, this.#options.clock.monotonicMs() + forMs)
  }

  /** Claims nothing any more; goes on renewing what is held. */
  async stopClaiming(): Promise<void> {
    this.#closed = true
    await this.#firstTurn.catch(() => {})
    await this.#assigning?.stop()
    this.#assigning = undefined
    await Promise.allSettled(this.#adopting)
  }

  /** Ends the loops. Whatever is still held ends as lost. */
  async close(): Promise<void> {
    const claimsOver = this.stopClaiming()
    await Promise.all([this.#renewing?.stop(), this.#fencing?.stop()])
    await claimsOver
    for (const tenure of this.held()) tenure.abandon('the worker has stopped')
  }

  /** Whether a shard can be read now, by the rows of its parents as they are. */
  async #isReadable(lease: Lease): Promise<boolean> {
    const parents = await Promise.all(lease.parentShardIds.map(parent => this.#options.store.get(parent)))
    return readableLeases([lease, ...parents.flatMap(parent => parent ?? [])]).includes(lease)
  }

  async #assign(): Promise<void> {
    for (let more = true; more && !this.#closed; ) {
      const plan = await this.#planOnce()
      if (this.#closed) return
      const claims = await allOf(plan.claim.map(({ lease, why }) => this.#claim(lease, why)))
      await Promise.all(plan.request.map(lease => this.#options.store.request(lease, this.#options.session)))
      this.#awaited = plan.request.length + plan.awaited
      more = plan.more && claims.includes(true)
    }
  }

  async #planOnce(): Promise<AssignmentPlan> {
    const { store, clock, durationMs, maxLeases, session, random, listener } = this.#options
    const listing = await store.list()
    const nowMs = clock.monotonicMs()
    const maxStepMs = 2 * durationMs * SCAN_SHARE
    this.#sightings = observe(this.#sightings, listing.leases, nowMs, maxStepMs)
    for (const lease of listing.leases) this.#noteRequest(lease)
    const facts = {
      leases: listing.leases,
      unchangedMs: (leaseKey: string) => unchangedMs(this.#sightings, leaseKey),
      session,
      held: new Set(this.#held.keys()),
      avoid: this.#avoided(listing.leases, nowMs)
    }
    const plan = planAssignments(facts, { durationMs, maxLeases, maxMoves: CLAIMS_AT_ONCE }, random)
    listener.planned(plan)
    this.#unclaimed = observe(this.#unclaimed, plan.unclaimed, nowMs, maxStepMs)
    const isNeglected = (leaseKey: string): boolean =>
      unchangedMs(this.#unclaimed, leaseKey) > NEGLECTED_DURATIONS * durationMs
    listener.neglected(plan.unclaimed.map(({ leaseKey }) => leaseKey).filter(isNeglected))
    return plan
  }

  #noteRequest(row: Lease): void {
    const { session, listener } = this.#options
    const tenure = this.#held.get(row.leaseKey)
    if (tenure === undefined || row.owner !== session || row.wantedBy === undefined) return
    if (tenure.noteRequest(row.wantedBy)) listener.requested(tenure, row.wantedBy)
  }

  #avoided(leases: readonly Lease[], nowMs: number): Set<string> {
    for (const [leaseKey, untilMs] of this.#avoidUntilMs) if (untilMs <= nowMs) this.#avoidUntilMs.delete(leaseKey)
    const { isBusy } = this.#options
    return new Set(leases.map(lease => lease.leaseKey).filter(key => this.#avoidUntilMs.has(key) || isBusy(key)))
  }

  async #claim(lease: Lease, why: ClaimReason): Promise<boolean> {
    const { leaseKey } = lease
    const { isBusy, maxLeases } = this.#options
    if (this.#closed || this.#held.has(leaseKey) || this.#claiming.has(leaseKey) || isBusy(leaseKey)) return false
    if (why !== 'needed' && this.#held.size + this.#claiming.size >= maxLeases) return false
    this.#claiming.add(leaseKey)
    try {
      return await this.#claimNow(lease, why)
    } finally {
      this.#claiming.delete(leaseKey)
    }
  }

  async #claimNow(lease: Lease, why: ClaimReason): Promise<boolean> {
    const { store, session, clock, random, durationMs, listener, serviceTimeMs } = this.#options
    const sentAtMs = clock.monotonicMs()
    const owned = claimed(pinned(lease, serviceTimeMs()), session)
    try {
      const outcome = await store.replace(lease, owned)
      if (outcome.kind === 'refused') {
        // An earlier claim of ours landed, or somebody was faster. How old ours is the row does not say (the copy that
        // this claim began with may be stale), so that the hold has to be proved by another write.
        const verdict = judgeRefusal(lease, session, outcome.current)
        return verdict.kind === 'ours' && (await this.#claimNow(verdict.lease, why))
      }
    } catch (error) {
      // Whether it landed shows at the next reading of the table: the row then names this session.
      if (!isRetryable(error)) throw error
      listener.failed('claim a lease', error)
      return false
    }
    const tenure = new Tenure(owned, sentAtMs, {
      store,
      session,
      clock,
      random,
      validMs: durationMs * VALID_SHARE,
      ended: (ended, how, because) => this.#forget(ended, how, because)
    })
    this.#held.set(lease.leaseKey, tenure)
    listener.taken(tenure, why)
    return true
  }

  #forget(tenure: Tenure, how: TenureEnd, because: string): void {
    if (this.#held.get(tenure.leaseKey) === tenure) this.#held.delete(tenure.leaseKey)
    this.#options.listener.ended(tenure, how, because)
  }

  /**
   * A checkpoint is as good as a renewal: only what has not been written to lately is renewed. Nothing is waited for, so
   * that one write without an answer cannot keep the other leases from being renewed.
   */
  async #renew(): Promise<void> {
    const { durationMs, listener } = this.#options
    for (const tenure of this.held()) {
      if (tenure.sinceProofMs() < durationMs * RENEW_SHARE * 0.9 || this.#beingRenewed.has(tenure)) continue
      this.#beingRenewed.add(tenure)
      tenure
        .renew()
        .catch(error => {
          if (!tenure.hasEnded) listener.failed('renew a lease', error)
        })
        .finally(() => this.#beingRenewed.delete(tenure))
    }
  }

  async #fence(): Promise<void> {
    for (const tenure of this.held()) tenure.isValid()
  }

  #fenceDelayMs(): number {
    const soonest = Math.min(...this.held().map(tenure => tenure.remainingMs()), this.#options.durationMs * RENEW_SHARE)
    return Math.max(soonest, 10)
  }

  /** While something is asked for, look more often: it may be released at any moment. */
  #scanDelayMs(): number {
    const { durationMs } = this.#options
    return this.#awaited > 0 ? Math.min(durationMs * SCAN_SHARE, 1_000) : durationMs * SCAN_SHARE
  }
}

/** Like Promise.all, but rejects only when all are over: no claim may outlive the turn it was made in. */
async function allOf<T>(works: readonly Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(works)
  return outcomes.map(outcome => {
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  })
}
