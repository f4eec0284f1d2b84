// What a leader knows of Java workers on its table during one term: which own leases and whether they live, in which mode the
// fleet is because of them, and whether a leader of theirs assigns the leases. What follows is decided in leases/kcl-rules.ts.
import type { FleetMode, Member } from '../leases/control-store.ts'
import type { KclCoordination } from '../leases/kcl-coordination.ts'
import {
  doesKclAssign,
  judgeKcl,
  KCL_2X,
  type KclLockWatch,
  type KclStanding,
  watchKclLock
} from '../leases/kcl-rules.ts'
import type { ModeOrder } from '../leases/order-rules.ts'
import { isSession } from '../leases/session-id.ts'
import { isRenewed, NOTHING_SEEN, observe, type Sightings, unchangedMs } from '../leases/sightings.ts'
import { isFinished, type Lease } from '../model/lease.ts'
import type { Clock } from '../runtime/clock.ts'
import type { FleetSettings } from './fleet-settings.ts'
import { planMode } from './plan-mode.ts'

/** What Java workers are watched with. */
export interface ForeignWatchOptions {
  /** How a Java fleet of 3.x is coordinated. Absent: only leases tell of Java workers, as those of 2.x do. */
  readonly kcl?: KclCoordination | undefined
  readonly clock: Clock
  readonly settings: FleetSettings
  /** The mode that the fleet is in unless there are Java workers. */
  readonly mode: FleetMode
  /** The mode that an operator has ordered. */
  readonly ordered: () => ModeOrder | undefined
}

/** Mixed mode: how often the leases are read, against their duration. */
export const FOREIGN_LOOK_SHARE = 1 / 4

/** The Java workers of one lease table, as one leader sees them. */
export class ForeignWatch {
  readonly #options: ForeignWatchOptions
  #mode: FleetMode
  #leases: readonly Lease[] = []
  /** How long the leases have not moved. */
  #sightings: Sightings = NOTHING_SEEN
  #workers: readonly string[] = []
  #seenAtMs: number
  /** The order to be on its own that was followed last. */
  #obeyed: string | undefined
  #standing: KclStanding = KCL_2X
  #lock: KclLockWatch | undefined
  #lookedAtMs = Number.NEGATIVE_INFINITY
  /** Dead sessions of ours that Java workers were told of. */
  #withdrawn: ReadonlySet<string> = new Set()

  constructor(options: ForeignWatchOptions) {
    this.#options = options
    this.#mode = options.mode
    this.#seenAtMs = options.clock.monotonicMs()
  }

  get mode(): FleetMode {
    return this.#mode
  }

  /** Whether a leader of KCL 3.x assigns the leases. */
  get doesKclAssign(): boolean {
    return this.#mode === 'mixed' && doesKclAssign(this.#standing, this.#lock)
  }

  /**
   * Whether leases are only placed that nobody has: Java workers that have leases are of 3.x, and one of them is to lead
   * sooner or later. What would be moved now it might move back.
   */
  get isInterim(): boolean {
    return this.#mode === 'mixed' && this.#standing.algorithm === 'leader' && this.#workers.length > 0
  }

  /** A leader before this one has had the fleet in mixed mode. */
  inheritMixed(): void {
    this.#mode = 'mixed'
  }

  /** Takes note of the leases as they are now, each with who processes it as its owner. Returns new foreign workers, if any. */
  note(leases: readonly Lease[]): readonly string[] | undefined {
    const { clock, settings } = this.#options
    const nowMs = clock.monotonicMs()
    this.#leases = leases
    this.#sightings = observe(this.#sightings, leases, nowMs, 2 * settings.durationMs * FOREIGN_LOOK_SHARE)
    // The rows of finished shards keep their owner in tables of Java workers, whether it lives or not.
    const unfinished = leases.filter(lease => !isFinished(lease))
    const owners = unfinished.flatMap(({ owner }) => (owner === undefined || isSession(owner) ? [] : owner))
    const workers = [...new Set(owners)].sort()
    const isNews = workers.some(worker => !this.#workers.includes(worker))
    this.#workers = workers
    this.#judgeMode()
    return isNews ? workers : undefined
  }

  /** Mixed mode: looks how the Java fleet is coordinated, if that is due. Says whether leases are assigned by others now than before. */
  async look(members: readonly Member[]): Promise<boolean> {
    const { kcl, clock, settings } = this.#options
    if (kcl === undefined || this.#mode !== 'mixed') return false
    const isDoubted = this.doesKclAssign && this.#lock?.owner !== undefined && this.#isSilent(this.#lock.owner)
    const everyMs = settings.durationMs * (isDoubted ? FOREIGN_LOOK_SHARE : 1)
    if (clock.monotonicMs() - this.#lookedAtMs < everyMs) return false
    const before = this.doesKclAssign
    const nowS = clock.epochMs() / 1_000
    try {
      const sighting = await kcl.read(nowS)
      const nowMs = clock.monotonicMs()
      this.#lookedAtMs = nowMs
      this.#standing = judgeKcl(sighting)
      const hasForeigners = this.#workers.length > 0
      const isSilent = (worker: string): boolean => this.#isSilent(worker)
      const look = { nowMs, nowS, maxStepMs: 2 * settings.durationMs, hasForeigners, isSilent }
      this.#lock = this.#standing.algorithm === 'leader' ? watchKclLock(this.#lock, sighting, look) : undefined
      await this.#withdrawTheDead(kcl, members)
    } catch {
      // What is known stands. The presence of this worker reads the same items and tells of the failure.
    }
    this.#judgeMode()
    return before !== this.doesKclAssign
  }

  /** Foreign workers that own leases, and whether none of those has moved for a lease duration. */
  workers(): ReadonlyMap<string, { readonly silent: boolean }> {
    const { durationMs } = this.#options.settings
    const isMoving = (worker: string): boolean =>
      this.#leases.some(lease => lease.owner === worker && unchangedMs(this.#sightings, lease.leaseKey) <= durationMs)
    return new Map(this.#workers.map(worker => [worker, { silent: !isMoving(worker) }]))
  }

  /** Whether a worker has stopped renewing. Who was never seen to renew may just have been given its first lease. */
  #isSilent(worker: string): boolean {
    const { durationMs } = this.#options.settings
    const own = this.#workers.includes(worker) ? this.#leases.filter(({ owner }) => owner === worker) : []
    const isStill = ({ leaseKey }: Lease): boolean => unchangedMs(this.#sightings, leaseKey) > durationMs
    return own.every(isStill) && own.some(({ leaseKey }) => isRenewed(this.#sightings, leaseKey))
  }

  #judgeMode(): void {
    const { clock, mode: byOptions } = this.#options
    const nowMs = clock.monotonicMs()
    const hasForeigners = this.#workers.length > 0 || this.doesKclAssign
    if (hasForeigners) this.#seenAtMs = nowMs
    const ordered = this.#options.ordered()
    const about = { mode: this.#mode, byOptions, ordered, obeyed: this.#obeyed }
    this.#mode = planMode({ ...about, hasForeigners, foreignGoneMs: nowMs - this.#seenAtMs })
    if (this.#mode === 'solo' && ordered?.mode === 'solo') this.#obeyed = ordered.id
  }

  /** A dead session would be given leases until its metrics are a minute old. */
  async #withdrawTheDead(kcl: KclCoordination, members: readonly Member[]): Promise<void> {
    const { place } = this.#standing
    if (place === undefined) return
    const dead = members.flatMap(({ session, dead }) => (dead === undefined ? [] : session))
    const news = dead.filter(session => !this.#withdrawn.has(session))
    await Promise.all(news.map(session => kcl.withdraw(session, place)))
    this.#withdrawn = new Set(dead)
  }
}
