// The leases that this worker holds: the only place that claims. A claim is made of the row as it was just read, under the
// session alive, and once for a lease at a time.
import { isRetryable } from '../model/errors.ts'
import { actualOwner, claimed, givenBack, isFinished, type Lease, pinned, renewed, siblingKey } from '../model/lease.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { judgeClaim, readableLeases } from './claim-rules.ts'
import type { FleetMode, Mailbox } from './control-store.ts'
import type { LeaseStore, WriteOutcome } from './lease-store.ts'
import { judgeRefusal } from './plan-renewals.ts'
import type { SessionProof } from './session-proof.ts'
import { Tenure, type TenureEnd } from './tenure.ts'

/** Why a lease is claimed. */
export type ClaimReason =
  | 'unowned' /** nobody had it */
  | 'ours' /** the row names us already: the answer to an earlier claim was lost */
  | 'dead' /** its owner's session is dead */
  | 'stolen' /** mixed mode: the leader had it taken from a worker of another kind, for balance */
  | 'assigned' /** mixed mode: a leader of Java KCL 3.x gave it to this session */
  | 'child' /** it continues a shard that this worker has just finished */

/** What became of a lease that was to be claimed. `busy`: something of ours was in the way. */
export type ClaimOutcome = 'claimed' | 'owned' | 'over' | 'busy'

/** What leases are claimed and held with, and who is told. */
export interface HeldLeasesOptions {
  readonly store: LeaseStore
  readonly proof: SessionProof
  /** The session alive. */
  readonly session: () => string | undefined
  readonly mode: () => FleetMode
  /** How long a lease lives that nothing is written to, as Java workers judge it. Milliseconds; for mixed mode. */
  readonly durationMs: number
  /** How many leases are held at most. Infinity: no limit. */
  readonly maxLeases: number
  readonly clock: Clock
  readonly random: Random
  /** Whole epoch milliseconds by the clock of Kinesis, by which "from now on" is meant. */
  readonly serviceTimeMs: () => number
  /** Whether an earlier run of the shard is still being wound up in this process. */
  readonly isBusy: (leaseKey: string) => boolean
  readonly taken: (tenure: Tenure, why: ClaimReason) => void
  /** A leader of Java KCL 3.x wants the lease handed over: it is to be drained and released. */
  readonly handedOver?: (tenure: Tenure) => void
  readonly ended: (tenure: Tenure, how: TenureEnd, because: string) => void
  readonly failed: (what: string, error: unknown) => void
}

/** Mixed mode: how much of the lease duration a lease that was not written to counts as held, and when it is renewed. */
const VALID_SHARE = 0.9
const RENEW_SHARE = 0.5

/** The tenures of one worker. */
export class HeldLeases {
  readonly #options: HeldLeasesOptions
  readonly #tenures = new Map<string, Tenure>()
  /** A turn of the coordinator and an adoption must not both have one tenure of the same lease. */
  readonly #claiming = new Map<string, Promise<ClaimOutcome>>()
  readonly #beingRenewed = new Set<Tenure>()
  /** How many claims are being written: each may become a tenure. */
  #writing = 0
  /** Leases whose rows may name this session although it does not hold them, with since when. Monotonic milliseconds. */
  readonly #doubtful = new Map<string, number>()
  #mixedSinceMs: number | undefined
  #isClosed = false

  constructor(options: HeldLeasesOptions) {
    this.#options = options
  }

  /** Every tenure that has not ended. */
  all(): Tenure[] {
    return [...this.#tenures.values()]
  }

  get(leaseKey: string): Tenure | undefined {
    return this.#tenures.get(leaseKey)
  }

  /** Claims a lease that the mailbox lists, if it is free. */
  claim(leaseKey: string, mailbox: Mailbox): Promise<ClaimOutcome> {
    return this.#once(leaseKey, async () => {
      const lease = await this.#options.store.get(leaseKey)
      const session = this.#options.session()
      if (session === undefined || session !== mailbox.session) return 'busy'
      const verdict = judgeClaim(lease, session, mailbox)
      if (verdict.kind !== 'claim' || lease === undefined) return verdict.kind === 'owned' ? 'owned' : 'over'
      return this.#claimNow(lease, verdict.why)
    })
  }

  /** Claims a lease that continues a finished shard, if it is free and every shard that it continues is finished. */
  adopt(leaseKey: string): Promise<ClaimOutcome> {
    return this.#once(leaseKey, async () => {
      const lease = await this.#options.store.get(leaseKey)
      if (lease === undefined) return 'over'
      if (lease.owner !== undefined || !(await this.#isReadable(lease))) return 'owned'
      return this.#claimNow(lease, 'child')
    })
  }

  /**
   * Renews the lease of a finished shard whose row names this session. A leader of Java KCL 3.x gives such leases to workers,
   * too, until they are removed, and would give it to another one again and again.
   */
  async keepFinished(leaseKey: string): Promise<void> {
    const lease = await this.#options.store.get(leaseKey)
    const session = this.#options.session()
    if (lease === undefined || session === undefined || this.#isClosed || !this.#options.proof.isProved()) return
    if (isFinished(lease) && lease.owner === session && actualOwner(lease) === session) {
      await this.#options.store.replace(lease, renewed(lease))
    }
  }

  /** Claims nothing any more. Resolves when the claims under way are over. */
  async stopClaiming(): Promise<void> {
    this.#isClosed = true
    await Promise.allSettled(this.#claiming.values())
  }

  /** Ends every tenure without a write. */
  abandonAll(because: string): void {
    for (const tenure of this.all()) tenure.abandon(because)
    this.#doubtful.clear()
  }

  /**
   * Gives back what the table says is ours and is not held: a claim landed without an answer, or a hold ended without a
   * write, and meanwhile somebody else is to have the lease, who would wait for ever. `listed`: leases that may be claimed
   * here again, which settles it, too. Says whether some are left to look at again.
   */
  async disown(listed: ReadonlySet<string>): Promise<boolean> {
    const session = this.#options.session()
    const isFree = (leaseKey: string): boolean => !this.#claiming.has(leaseKey) && !this.#tenures.has(leaseKey)
    const unlisted = [...this.#doubtful].filter(([leaseKey]) => !listed.has(leaseKey) && isFree(leaseKey))
    if (session !== undefined) await Promise.all(unlisted.map(doubt => this.#disownOne(doubt, session)))
    return unlisted.some(([leaseKey]) => this.#doubtful.has(leaseKey))
  }

  async #disownOne([leaseKey, sinceMs]: [string, number], session: string): Promise<void> {
    const { store, clock, durationMs } = this.#options
    const lease = await store.get(leaseKey)
    const isFree = !this.#tenures.has(leaseKey) && !this.#claiming.has(leaseKey)
    const isOurs = lease !== undefined && actualOwner(lease) === session && !isFinished(lease) && isFree
    if (isOurs) await store.replace(lease, givenBack(lease))
    // A claim may be on its way still: one look does not settle it.
    else if (clock.monotonicMs() - sinceMs >= durationMs) this.#doubtful.delete(leaseKey)
  }

  /**
   * Mixed mode: a checkpoint is as good as a renewal, so that only what has not been written to lately is renewed. Nothing is
   * waited for: one write without an answer must not keep the other leases from being renewed. Returns when the next one is
   * due, in milliseconds: one that is late leaves no time for another attempt. Infinity: none is.
   */
  renew(): number {
    const { durationMs, failed } = this.#options
    let dueInMs = Number.POSITIVE_INFINITY
    if (this.#mixedSince() === undefined) return dueInMs
    for (const tenure of this.all()) {
      const inMs = durationMs * RENEW_SHARE - tenure.sinceProofMs()
      if (inMs > 0) dueInMs = Math.min(dueInMs, inMs)
      if (inMs > 0 || this.#beingRenewed.has(tenure)) continue
      this.#beingRenewed.add(tenure)
      tenure
        .renew()
        .catch(error => {
          if (!tenure.hasEnded) failed('renew a lease', error)
        })
        .finally(() => this.#beingRenewed.delete(tenure))
    }
    return dueInMs
  }

  /** How long all that is held is proved, in milliseconds; 0 or less: something is not. Ends what has run out. */
  fence(): number {
    const { proof } = this.#options
    proof.isProved()
    if (this.#mixedSince() === undefined) return proof.remainingMs()
    for (const tenure of this.all()) tenure.isValid()
    return Math.min(proof.remainingMs(), ...this.all().map(tenure => tenure.remainingMs()))
  }

  #once(leaseKey: string, claim: () => Promise<ClaimOutcome>): Promise<ClaimOutcome> {
    if (this.#claiming.has(leaseKey) || this.#tenures.has(leaseKey) || this.#options.isBusy(leaseKey)) {
      return Promise.resolve('busy')
    }
    const claiming = claim()
      .catch((error): ClaimOutcome => {
        // Whether it landed shows at the next look: the row then names this session.
        if (!isRetryable(error)) throw error
        this.#options.failed('claim a lease', error)
        return 'busy'
      })
      .finally(() => this.#claiming.delete(leaseKey))
    this.#claiming.set(leaseKey, claiming)
    return claiming
  }

  async #claimNow(lease: Lease, why: ClaimReason): Promise<ClaimOutcome> {
    const { clock, proof, serviceTimeMs, maxLeases } = this.#options
    const session = this.#options.session()
    if (session === undefined || this.#isClosed || !proof.isProved()) return 'busy'
    if (this.#tenures.size + this.#writing >= maxLeases) return 'busy'
    const sentAtMs = clock.monotonicMs()
    const owned = claimed(pinned(lease, serviceTimeMs()), session)
    this.#doubtful.set(lease.leaseKey, sentAtMs)
    const outcome = await this.#write(lease, owned)
    if (outcome.kind === 'refused') {
      // An earlier claim of ours landed, or somebody was faster. How old ours is the row does not say (the copy that this
      // claim began with may be stale), so that the hold has to be proved by another write.
      const verdict = judgeRefusal(lease, session, outcome.current)
      const { current } = outcome
      if (verdict.kind === 'ours' && current?.checkpointOwner === undefined) return this.#claimNow(verdict.lease, why)
      if (current === undefined || actualOwner(current) !== session) this.#doubtful.delete(lease.leaseKey)
      return 'owned'
    }
    // The session may have died while the claim was under way: then nobody holds the lease here.
    if (session !== this.#options.session()) return 'busy'
    this.#hold(owned, session, sentAtMs, why)
    return 'claimed'
  }

  async #write(before: Lease, after: Lease): Promise<WriteOutcome> {
    this.#writing++
    try {
      return await this.#options.store.replace(before, after)
    } finally {
      this.#writing--
    }
  }

  #hold(lease: Lease, session: string, sentAtMs: number, why: ClaimReason): void {
    const { store, clock, random, proof, taken, handedOver, ended } = this.#options
    const tenure: Tenure = new Tenure(lease, sentAtMs, {
      store,
      session,
      clock,
      random,
      proof,
      leaseValidMs: () => this.#leaseValidMs(tenure),
      ...(handedOver && { handedOver }),
      ended: (over, how, because) => {
        if (this.#tenures.get(over.leaseKey) === over) this.#tenures.delete(over.leaseKey)
        if (how === 'lost' && session === this.#options.session())
          this.#doubtful.set(over.leaseKey, clock.monotonicMs())
        ended(over, how, because)
      }
    })
    this.#tenures.set(lease.leaseKey, tenure)
    this.#doubtful.delete(lease.leaseKey)
    taken(tenure, why)
  }

  /** How long after its last write a lease counts as held. What was not renewed in solo mode counts from the change to mixed. */
  #leaseValidMs(tenure: Tenure): number {
    const { clock, durationMs } = this.#options
    const mixedSinceMs = this.#mixedSince()
    if (mixedSinceMs === undefined) return Number.POSITIVE_INFINITY
    const writtenAtMs = clock.monotonicMs() - tenure.sinceProofMs()
    return durationMs * VALID_SHARE + Math.max(0, mixedSinceMs - writtenAtMs)
  }

  /** Since when this worker knows that the fleet is in mixed mode. Absent: it is not. */
  #mixedSince(): number | undefined {
    const { clock, mode } = this.#options
    this.#mixedSinceMs = mode() === 'mixed' ? (this.#mixedSinceMs ?? clock.monotonicMs()) : undefined
    return this.#mixedSinceMs
  }

  /** Whether a shard can be read now, by the rows of its parents as they are. */
  async #isReadable(lease: Lease): Promise<boolean> {
    const { store } = this.#options
    const parents = await Promise.all(lease.parentShardIds.map(parent => store.get(siblingKey(lease, parent))))
    return readableLeases([lease, ...parents.flatMap(parent => parent ?? [])]).includes(lease)
  }
}
