// What a leader knows of its fleet during one term, and what it makes of it: looks at members and leases, folds what it sees,
// asks the planners, and writes certificates and mailboxes. What is decided is decided there.

import type { ControlStore, Death, FleetMode, LeaseLoads, Mailbox, Member } from '../leases/control-store.ts'
import type { KclCoordination } from '../leases/kcl-coordination.ts'
import type { LeaseStore } from '../leases/lease-store.ts'
import { isSession } from '../leases/session-id.ts'
import { NOTHING_SEEN, observe, type Sightings, unchangedMs } from '../leases/sightings.ts'
import { asProcessed, type Lease } from '../model/lease.ts'
import type { Clock } from '../runtime/clock.ts'
import type { BalanceStrategy, FleetSettings } from './fleet-settings.ts'
import { FOREIGN_LOOK_SHARE, ForeignWatch } from './foreign-watch.ts'
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
import { planKclLed } from './plan-kcl-led.ts'
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
  /** How a Java fleet of KCL 3.x on the same table is coordinated. Absent: it is not looked at. */
  readonly kcl?: KclCoordination | undefined
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

/** The fleet as one leader sees it, for one term. {@link inherit} it before the first {@link turn}. */
export class FleetView {
  readonly #options: FleetViewOptions
  readonly #foreign: ForeignWatch
  #members: readonly Member[] = []
  /** As they are in the table, and with who processes each as its owner. */
  #rows: readonly Lease[] = []
  #leases: readonly Lease[] = []
  #loads: LeaseLoads | undefined
  #census: FleetCensus | undefined
  #watch: MemberWatch = NOTHING_WATCHED
  readonly #orders: LeaderOrders
  /** As they are in the table, and the newest version of each that may be. */
  #mailboxes = new Map<string, Mailbox>()
  readonly #attempted = new Map<string, number>()
  #assignments: Assignments = new Map()
  #unassigned: Sightings = NOTHING_SEEN
  readonly #startedAtMs: number
  #leasesReadAtMs = Number.NEGATIVE_INFINITY
  #mustReadLeases = true
  #signature = ''
  #planAtMs = 0
  #ordersLed = 0

  constructor(options: FleetViewOptions) {
    this.#options = options
    this.#startedAtMs = options.clock.monotonicMs()
    this.#orders = new LeaderOrders({ ...options, maxStepMs: 2 * options.settings.heartbeatMs })
    this.#foreign = new ForeignWatch({ ...options, ordered: () => this.#orders.inForce.mode })
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
    if (mailboxes.some(({ mode, session }) => mode === 'mixed' && living.has(session))) this.#foreign.inheritMixed()
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
    const hasChangedHands = await this.#foreign.look(this.#members)
    await this.#orders.tidy(this.#leases, this.#living())
    if (!isDue && !hasRead && !hasChangedHands) {
      this.#ordersLed = ver
      return
    }
    // Due until it has succeeded.
    this.#planAtMs = clock.monotonicMs()
    if (strategy === 'weight') this.#loads = await control.loads()
    const nowMs = clock.monotonicMs()
    const facts = this.#facts(nowMs)
    const { mode, doesKclAssign, isInterim } = this.#foreign
    const plan = doesKclAssign ? planKclLed(facts) : planAssignments(facts, { ...settings, strategy, mode, isInterim })
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
    const everyMs = this.#foreign.mode === 'mixed' ? settings.durationMs * FOREIGN_LOOK_SHARE : settings.fullScanMs
    const isDue = this.#mustReadLeases || clock.monotonicMs() - this.#leasesReadAtMs >= everyMs
    if (isDue) await this.#readLeases()
    return isDue
  }

  async #readLeases(): Promise<void> {
    const { store, clock, listener } = this.#options
    this.#mustReadLeases = false
    try {
      this.#rows = (await store.list({ consistent: true })).leases
    } catch (error) {
      this.#mustReadLeases = true
      throw error
    }
    this.#leases = this.#rows.map(asProcessed)
    this.#leasesReadAtMs = clock.monotonicMs()
    const foreigners = this.#foreign.note(this.#leases)
    if (foreigners !== undefined) listener.foreignersFound(foreigners)
  }

  #living(): Member[] {
    return this.#members.filter(({ dead }) => dead === undefined)
  }

  #facts(nowMs: number): FleetFacts & { readonly mode: FleetMode } {
    const { settings } = this.#options
    const { quietMs, deployMs } = this.#watch
    return {
      nowMs,
      mode: this.#foreign.mode,
      members: this.#living(),
      suspects: suspects(this.#watch, settings),
      gone: claimableSessions(this.#watch, settings),
      foreign: this.#foreign.workers(),
      leases: this.#leases,
      assignments: this.#assignments,
      quietMs,
      deployMs,
      waitedMs: nowMs - this.#startedAtMs,
      ...(this.#loads && { loads: this.#loads }),
      // Leases that nobody of ours is to have others would take, where there are others.
      ...(this.#foreign.mode === 'solo' && { orders: this.#orders.inForce })
    }
  }

  /** Writes the mailboxes that have changed. Returns in how many milliseconds to plan again although nothing has happened. */
  async #post(nowMs: number): Promise<number> {
    const { settings } = this.#options
    const named = this.#foreign.doesKclAssign ? this.#rows : undefined
    const plan = planMailboxes({ ...this.#facts(nowMs), inForce: this.#mailboxes, named }, settings)
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
    const mailbox = { ...content, ver, term }
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
