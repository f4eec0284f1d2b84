// What a leader knows of its fleet during one term, and what it makes of it: looks at members and leases, folds what it sees,
// asks the planners, and writes certificates and mailboxes. What is decided is decided there.

import type { ControlStore, Death, FleetMode, LeaseLoads, Mailbox, Member } from '../leases/control-store.ts'
import type { LeaseStore } from '../leases/lease-store.ts'
import { isSession } from '../leases/session-id.ts'
import { NOTHING_SEEN, observe, type Sightings, unchangedMs } from '../leases/sightings.ts'
import { isFinished, type Lease } from '../model/lease.ts'
import type { Clock } from '../runtime/clock.ts'
import type { BalanceStrategy, FleetSettings } from './fleet-settings.ts'
import type { HeartbeatReport } from './heartbeat.ts'
import { LeaderOrders } from './leader-orders.ts'
import {
  claimableSessions,
  judgeMembers,
  type MemberWatch,
  NOTHING_WATCHED,
  nextVerdictInMs,
  suspects,
  watchMembers
} from './member-watch.ts'
import {
  type AssignmentPlan,
  type Assignments,
  type FleetFacts,
  inheritAssignments,
  planAssignments
} from './plan-assignments.ts'
import { type MailboxContent, planMailboxes } from './plan-mailboxes.ts'

/** What the leader decided, with the numbers it follows from. */
export interface PlanReport {
  readonly why: string
  /** Workers that leases were shared among. */
  readonly members: number
  /** Leases that can be read now. */
  readonly leases: number
  /** Leases that are to go to another worker than before. */
  readonly moves: number
  /** Leases that nobody may take. */
  readonly unassigned: number
}

/** How many there are of each, as the newest plan has it. */
export type FleetCensus = Pick<PlanReport, 'members' | 'leases' | 'unassigned'>

/** What is told of what a leader sees and does. Nothing here may throw. */
export interface FleetViewListener {
  /** A mailbox was written: its session need not wait for its next heartbeat if it is that of this worker. */
  posted(session: string, ver: number): void
  /** Told of plans that change something. */
  planned(report: PlanReport): void
  /** Leases that nobody may take, for long enough to be told. Told with each plan. */
  unassigned(leaseKeys: readonly string[]): void
  certified(session: string, how: Death): void
  foreignersFound(workers: readonly string[]): void
}

/** What a view is made of. */
export interface FleetViewOptions {
  readonly store: LeaseStore
  readonly control: ControlStore
  readonly clock: Clock
  readonly settings: FleetSettings
  readonly strategy: BalanceStrategy
  /** The mode that the fleet is in unless foreign workers own leases. */
  readonly mode: FleetMode
  readonly session: string
  readonly term: number
  readonly listener: FleetViewListener
}

/** How many calls to the control table are under way at once. */
const WRITES_AT_ONCE = 20
/** Leases that nobody may take are told after so many lease durations. */
const UNASSIGNED_DURATIONS = 3
/** How long a dead session that owns nothing is kept, for those who still look at it. */
const FORGET_MS = 600_000
/** For so long no foreign worker must have owned anything before a fleet goes back to the mode of its options. */
const FOREIGN_GONE_MS = 600_000
/** Mixed mode: how often the leases are read, against their duration. */
const FOREIGN_LOOK_SHARE = 1 / 4

/** The fleet as one leader sees it, for one term. {@link inherit} it before the first {@link turn}. */
export class FleetView {
  readonly #options: FleetViewOptions
  #mode: FleetMode
  #members: readonly Member[] = []
  #leases: readonly Lease[] = []
  #loads: LeaseLoads | undefined
  #census: FleetCensus | undefined
  #watch: MemberWatch = NOTHING_WATCHED
  readonly #orders: LeaderOrders
  /** Mixed mode: how long the leases of foreign workers have not moved. */
  #sightings: Sightings = NOTHING_SEEN
  /** As they are in the table, and the newest version of each that may be. */
  #mailboxes = new Map<string, Mailbox>()
  readonly #attempted = new Map<string, number>()
  #assignments: Assignments = new Map()
  #unassigned: Sightings = NOTHING_SEEN
  #foreigners: readonly string[] = []
  #foreignSeenAtMs = Number.NEGATIVE_INFINITY
  readonly #startedAtMs: number
  #leasesReadAtMs = Number.NEGATIVE_INFINITY
  #mustReadLeases = true
  #signature = ''
  #planAtMs = 0
  #ordersLed = 0

  constructor(options: FleetViewOptions) {
    this.#options = options
    this.#mode = options.mode
    this.#startedAtMs = options.clock.monotonicMs()
    this.#orders = new LeaderOrders({ ...options, maxStepMs: 2 * options.settings.heartbeatMs })
  }

  /** How many there are of each; `undefined` before the first plan. */
  get census(): FleetCensus | undefined {
    return this.#census
  }

  /** Whether there are other members that leases may go to. */
  get hasOthers(): boolean {
    const { session } = this.#options
    return this.#members.some(
      member => member.session !== session && member.dead === undefined && member.state === 'ACTIVE'
    )
  }

  /** The newest version of the orders that every mailbox is written by. 0: none yet. */
  get ordersLed(): number {
    return this.#ordersLed
  }

  /** When the next turn is due, in milliseconds. */
  nextTurnInMs(): number {
    const { clock, settings } = this.#options
    const dueInMs = this.#planAtMs - clock.monotonicMs()
    const verdictInMs = nextVerdictInMs(this.#watch, settings)
    return Math.max(Math.min(dueInMs, verdictInMs, settings.heartbeatMs), settings.hurryMs / 4)
  }

  /** Has the next turn read the leases: something about them has changed. */
  lookAtLeases(): void {
    this.#mustReadLeases = true
  }

  /** Begins with what the leaders before have written, and with the owners that there are. */
  async inherit(): Promise<void> {
    const mailboxes = await this.#options.control.mailboxes()
    await this.#readLeases()
    const members = await this.#options.control.members()
    this.#mailboxes = new Map(mailboxes.map(mailbox => [mailbox.session, mailbox]))
    const living = new Set(members.flatMap(({ session, dead }) => (dead === undefined ? session : [])))
    if (mailboxes.some(({ mode, session }) => mode === 'mixed' && living.has(session))) this.#mode = 'mixed'
    this.#foreignSeenAtMs = this.#startedAtMs
    this.#assignments = inheritAssignments(mailboxes, this.#leases, members)
  }

  /** One turn. `own`: what this worker says of itself now, which its item may not say yet. */
  async turn(own: HeartbeatReport): Promise<void> {
    const [, haveOrdersChanged] = await Promise.all([this.#lookAtMembers(own), this.#orders.look()])
    await this.#certify()
    const { clock, settings, strategy, control } = this.#options
    const { ver } = this.#orders
    if (haveOrdersChanged) this.#mustReadLeases = true
    if (await this.#rereadMailboxes()) this.#planAtMs = clock.monotonicMs()
    const isDue = this.#noteChanges() || clock.monotonicMs() >= this.#planAtMs
    const hasRead = await this.#readLeasesIfDue()
    await this.#orders.tidy(this.#leases, this.#living())
    if (!isDue && !hasRead) {
      this.#ordersLed = ver
      return
    }
    // Due until it has succeeded.
    this.#planAtMs = clock.monotonicMs()
    if (strategy === 'weight') this.#loads = await control.loads()
    const nowMs = clock.monotonicMs()
    const plan = planAssignments(this.#facts(nowMs), { ...settings, strategy, mode: this.#mode })
    this.#assignments = plan.assignments
    // Also if writing it fails: the next plan will have nothing to move.
    this.#tell(plan, nowMs)
    const postInMs = await this.#post(nowMs)
    // Refused writes are made again at once: until then a mailbox may say what it said before.
    if (postInMs > 0) this.#ordersLed = ver
    const hopeInMs = plan.unassigned.length > 0 ? settings.durationMs : settings.fullScanMs
    this.#planAtMs = nowMs + Math.min(postInMs, plan.againInMs ?? Number.POSITIVE_INFINITY, hopeInMs)
    await this.#forgetTheDead()
  }

  async #lookAtMembers(own: HeartbeatReport): Promise<void> {
    const { control, clock, settings, session } = this.#options
    const members = await control.members()
    this.#members = members.map(member => (member.session === session ? { ...member, ...own } : member))
    const owners = new Set(this.#leases.flatMap(({ owner }) => (owner !== undefined && isSession(owner) ? owner : [])))
    this.#watch = watchMembers(this.#watch, this.#members, clock.monotonicMs(), 2 * settings.heartbeatMs, owners)
  }

  async #certify(): Promise<void> {
    const { control, settings, listener } = this.#options
    for (const { session, hb, how } of judgeMembers(this.#watch, settings)) {
      if (!(await control.certify(session, hb, how))) continue
      this.#members = this.#members.map(member => (member.session === session ? { ...member, dead: how } : member))
      this.#watch = watchMembers(this.#watch, this.#members, this.#watch.atMs, 0, this.#watch.absent.keys())
      listener.certified(session, how)
    }
  }

  /**
   * Reads those again that were written by somebody else, such as a leader before this one that had stood still, or by this
   * one without an answer. Says whether there are any.
   */
  async #rereadMailboxes(): Promise<boolean> {
    const isNewer = ({ session, asgVer, dead }: Member): boolean =>
      dead === undefined && asgVer > (this.#mailboxes.get(session)?.ver ?? 0)
    const newer = this.#members.filter(isNewer)
    for (let next = 0; next < newer.length; next += WRITES_AT_ONCE) {
      await Promise.all(newer.slice(next, next + WRITES_AT_ONCE).map(({ session }) => this.#rereadMailbox(session)))
    }
    return newer.length > 0
  }

  async #rereadMailbox(session: string): Promise<void> {
    const mailbox = await this.#options.control.mailbox(session)
    if (mailbox !== undefined) this.#mailboxes.set(session, mailbox)
  }

  /** Whether something has changed that the leases have to be read for. */
  #noteChanges(): boolean {
    const parts = this.#members.map(({ session, state, evt, applied, generation, dead, avoid, capacity, maxLeases }) =>
      JSON.stringify([session, state, evt, applied, generation, dead, avoid, capacity, maxLeases])
    )
    const signature = parts.sort().join('\n')
    if (signature === this.#signature) return false
    this.#signature = signature
    this.#mustReadLeases = true
    return true
  }

  async #readLeasesIfDue(): Promise<boolean> {
    const { clock, settings } = this.#options
    const everyMs = this.#mode === 'mixed' ? settings.durationMs * FOREIGN_LOOK_SHARE : settings.fullScanMs
    const isDue = this.#mustReadLeases || clock.monotonicMs() - this.#leasesReadAtMs >= everyMs
    if (isDue) await this.#readLeases()
    return isDue
  }

  async #readLeases(): Promise<void> {
    const { store, clock, settings } = this.#options
    this.#mustReadLeases = false
    try {
      this.#leases = (await store.list({ consistent: true })).leases
    } catch (error) {
      this.#mustReadLeases = true
      throw error
    }
    const nowMs = clock.monotonicMs()
    this.#leasesReadAtMs = nowMs
    this.#sightings = observe(this.#sightings, this.#leases, nowMs, 2 * settings.durationMs * FOREIGN_LOOK_SHARE)
    this.#noteForeigners()
  }

  #noteForeigners(): void {
    // The rows of finished shards keep their owner in tables of Java workers, whether it lives or not.
    const unfinished = this.#leases.filter(lease => !isFinished(lease))
    const owners = unfinished.flatMap(({ owner }) => (owner === undefined || isSession(owner) ? [] : owner))
    const foreigners = [...new Set(owners)].sort()
    const isNews = foreigners.some(worker => !this.#foreigners.includes(worker))
    this.#foreigners = foreigners
    this.#judgeMode()
    if (isNews) this.#options.listener.foreignersFound(foreigners)
  }

  /** Leases that Java workers left behind are claimed, and when none has been seen for a while the fleet is on its own again. */
  #judgeMode(): void {
    const { clock, mode } = this.#options
    const nowMs = clock.monotonicMs()
    if (this.#foreigners.length > 0) {
      this.#mode = 'mixed'
      this.#foreignSeenAtMs = nowMs
    } else if (nowMs - this.#foreignSeenAtMs >= FOREIGN_GONE_MS) this.#mode = mode
  }

  #living(): Member[] {
    return this.#members.filter(({ dead }) => dead === undefined)
  }

  /** Foreign workers, and whether none of their leases has moved for a lease duration. */
  #foreign(): ReadonlyMap<string, { readonly silent: boolean }> {
    const { durationMs } = this.#options.settings
    const isMoving = (worker: string): boolean =>
      this.#leases.some(lease => lease.owner === worker && unchangedMs(this.#sightings, lease.leaseKey) <= durationMs)
    return new Map(this.#foreigners.map(worker => [worker, { silent: !isMoving(worker) }]))
  }

  #facts(nowMs: number): FleetFacts & { readonly mode: FleetMode } {
    const { settings } = this.#options
    const { quietMs, deployMs } = this.#watch
    return {
      nowMs,
      mode: this.#mode,
      members: this.#living(),
      suspects: suspects(this.#watch, settings),
      gone: claimableSessions(this.#watch, settings),
      foreign: this.#foreign(),
      leases: this.#leases,
      assignments: this.#assignments,
      quietMs,
      deployMs,
      waitedMs: nowMs - this.#startedAtMs,
      ...(this.#loads && { loads: this.#loads }),
      // Leases that nobody of ours is to have others would take, where there are others.
      ...(this.#mode === 'solo' && { orders: this.#orders.inForce })
    }
  }

  /** Writes the mailboxes that have changed. Returns in how many milliseconds to plan again although nothing has happened. */
  async #post(nowMs: number): Promise<number> {
    const { settings } = this.#options
    const plan = planMailboxes({ ...this.#facts(nowMs), inForce: this.#mailboxes }, settings)
    let isRefused = false
    for (let next = 0; next < plan.changed.length; next += WRITES_AT_ONCE) {
      const some = plan.changed.slice(next, next + WRITES_AT_ONCE)
      const outcomes = await Promise.allSettled(some.map(content => this.#postOne(content)))
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') throw outcome.reason
        isRefused ||= !outcome.value
      }
    }
    return isRefused ? 0 : (plan.againInMs ?? Number.POSITIVE_INFINITY)
  }

  /** Every attempt has a version of its own: one without an answer may have landed. Says whether it was written. */
  async #postOne(content: MailboxContent): Promise<boolean> {
    const { control, term, listener } = this.#options
    const { session } = content
    const asgVer = this.#members.find(member => member.session === session)?.asgVer ?? 0
    const ver = Math.max(asgVer, this.#mailboxes.get(session)?.ver ?? 0, this.#attempted.get(session) ?? 0) + 1
    this.#attempted.set(session, ver)
    const mailbox = { ...content, ver, term, mode: this.#mode }
    if (!(await control.post(mailbox))) {
      // By now a leader before this one has used the version, or a later one has written, as the next turn finds out.
      await this.#rereadMailbox(session)
      return false
    }
    this.#mailboxes.set(session, mailbox)
    listener.posted(session, ver)
    return true
  }

  #tell(plan: AssignmentPlan, nowMs: number): void {
    const { listener, settings } = this.#options
    const { why, members, moves, unassigned } = plan
    const census = { members, leases: plan.assignments.size + unassigned.length, unassigned: unassigned.length }
    this.#census = census
    if (moves.length > 0) listener.planned({ why, ...census, moves: moves.length })
    const nobodys = new Set(unassigned)
    const maxStepMs = settings.fullScanMs
    this.#unassigned = observe(
      this.#unassigned,
      this.#leases.filter(({ leaseKey }) => nobodys.has(leaseKey)),
      nowMs,
      maxStepMs
    )
    const isOld = (leaseKey: string): boolean =>
      unchangedMs(this.#unassigned, leaseKey) > UNASSIGNED_DURATIONS * settings.durationMs
    listener.unassigned(unassigned.filter(isOld))
  }

  /** Deletes the items of sessions that have been dead for a while and own nothing. */
  async #forgetTheDead(): Promise<void> {
    const { control } = this.#options
    const owners = new Set(this.#leases.map(({ owner }) => owner))
    const old = [...this.#watch.sessions].filter(
      ([session, { dead, deadMs }]) => dead !== undefined && deadMs >= FORGET_MS && !owners.has(session)
    )
    const forgetting = old.slice(0, WRITES_AT_ONCE).map(async ([session]) => {
      if (!(await control.forget(session))) return
      this.#mailboxes.delete(session)
      this.#attempted.delete(session)
    })
    await Promise.all(forgetting)
  }
}
