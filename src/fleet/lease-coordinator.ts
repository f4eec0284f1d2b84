// Carries out what the leader wrote into the mailbox of this worker: claims, waits, gives back. Decides nothing itself.

import type { FleetMode, Mailbox, SessionState } from '../leases/control-store.ts'
import { HeldLeases } from '../leases/held-leases.ts'
import type { KclCoordination } from '../leases/kcl-coordination.ts'
import type { Tenure, TenureEnd } from '../leases/tenure.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'
import { jittered } from '../runtime/random.ts'
import { AdoptedLeases } from './adopted-leases.ts'
import { AssignedLeases } from './assigned-leases.ts'
import { AvoidedLeases } from './avoided-leases.ts'
import { ClaimLooks } from './claim-looks.ts'
import type { LeaseCoordinatorOptions } from './coordinator-options.ts'
import type { HeartbeatReport } from './heartbeat.ts'
import { MemberSession } from './member-session.ts'
import { type CarryOutPlan, planCarryOut } from './plan-carry-out.ts'

export type { LeaseCoordinatorOptions, LeaseListener, MemberOptions } from './coordinator-options.ts'

/** The leases of one worker. {@link start} and {@link close} it once. */
export class LeaseCoordinator {
  readonly #options: LeaseCoordinatorOptions
  readonly #session: MemberSession
  readonly #leases: HeldLeases
  readonly #avoided: AvoidedLeases
  readonly #adopted: AdoptedLeases
  readonly #looks: ClaimLooks
  readonly #assigned: AssignedLeases | undefined
  #state: SessionState = 'ACTIVE'
  #mailbox: Mailbox | undefined
  #asgVer = 0
  #applied = 0
  #seen = 0
  #evt = 0
  #isPending = false
  #beganAtMs = Number.NEGATIVE_INFINITY
  #carrying: Loop | undefined
  #loops: Loop[] = []
  #isClosed = false

  constructor(options: LeaseCoordinatorOptions) {
    this.#options = options
    const { clock, random, settings, listener, member, isBusy, kcl } = options
    this.#adopted = new AdoptedLeases({
      claim: leaseKey => this.#leases.adopt(leaseKey),
      tell: () => {
        this.lookAtLeases()
        return this.#evt
      }
    })
    this.#looks = new ClaimLooks({ clock, overForMs: settings.durationMs })
    this.#avoided = new AvoidedLeases({ clock, isBusy, patienceMs: settings.durationMs })
    this.#session = new MemberSession({
      workerId: member.workerId,
      makeHeartbeat: options.makeHeartbeat,
      settings,
      clock,
      random,
      listener,
      beginning: () => this.#begin(),
      died: how => {
        this.#leases.abandonAll(`the session of this worker is dead: ${how}`)
        this.#mailbox = undefined
      },
      heard: (session, asgVer) => this.heard(session, asgVer)
    })
    this.#leases = new HeldLeases({
      store: options.store,
      proof: this.#session.proof,
      // What lands once everything has ended is not held by anybody here.
      session: () => (this.#isClosed ? undefined : this.#session.id),
      mode: () => this.#mailbox?.mode ?? 'solo',
      durationMs: settings.durationMs,
      maxLeases: member.maxLeases,
      clock,
      random,
      serviceTimeMs: options.serviceTimeMs,
      isBusy,
      taken: (tenure, why) => listener.taken(tenure, why),
      handedOver: tenure => this.#revoke(tenure),
      ended: (tenure, how, because) => this.#ended(tenure, how, because),
      failed: (what, error) => listener.failed(what, error)
    })
    this.#assigned = kcl && this.#assignedBy(kcl)
  }

  /** The session that this worker has now. Absent: before the first, and between two. */
  get session(): string | undefined {
    return this.#session.id
  }

  /** The mode of the fleet, as far as is known. `undefined`: there is no mailbox yet. */
  get mode(): FleetMode | undefined {
    return this.#mailbox?.mode
  }

  /** Who assigns leases, if it is not our leader. */
  get assigner(): Mailbox['assigner'] {
    return this.#mailbox?.assigner
  }

  /** Whether the session is proved to live. */
  get isProved(): boolean {
    return this.#session.isProved
  }

  /** How long ago the newest acknowledged heartbeat was sent, in milliseconds. */
  provedAgoMs(): number {
    return this.#session.provedAgoMs()
  }

  /** See {@link MemberSession.provesAlive}. */
  provesAlive(): Promise<boolean> {
    return this.#session.provesAlive()
  }

  /** Joins the fleet, and carries out in the background what the leader wants. */
  async start(): Promise<void> {
    await this.#session.start()
    if (this.#isClosed) return
    const { settings, random } = this.#options
    this.#carrying = this.#loop(
      'carry out the mailbox',
      () =>
        this.#carryOut().catch(error => {
          this.#isPending = true
          throw error
        }),
      () => jittered(this.#isPending ? settings.hurryMs : settings.durationMs, random)
    )
    let inMs = 0
    const check = this.#loop(
      'check the session',
      async () => {
        const remainingMs = this.#leases.fence()
        const renewInMs = this.#leases.renew()
        inMs = Math.min(remainingMs > 0 ? remainingMs : settings.heartbeatMs, renewInMs, settings.heartbeatMs)
      },
      () => Math.max(inMs, 10)
    )
    this.#loops = [this.#carrying, check]
    const { durationMs } = settings
    const discover = (): Promise<void> => this.#assigned?.look() ?? Promise.resolve()
    const what = 'look for leases assigned by KCL'
    if (this.#assigned) this.#loops.push(this.#loop(what, discover, () => durationMs / 2))
  }

  /** The leases that this worker holds. */
  held(): Tenure[] {
    return this.#leases.all()
  }

  /** What this worker says of itself, as of now. */
  report(): HeartbeatReport {
    const { member, leading, settings } = this.#options
    const { workerId, generation, capacity, maxLeases, troubles } = member
    return {
      ...{ workerId, generation, capacity, troubles, durationMs: settings.durationMs },
      ...{ state: this.#state, applied: this.#applied, seen: this.#seen, evt: this.#evt },
      ...leading(),
      ...(Number.isFinite(maxLeases) && { maxLeases }),
      avoid: this.#avoided.lasting()
    }
  }

  /** Has the next heartbeats say what has changed. */
  publish(): void {
    const isInHurry = this.#isPending || this.#state !== 'ACTIVE' || this.#options.isLeaderSuspect()
    this.#session.publish(this.report(), isInHurry)
  }

  /** Takes note that there is a mailbox of that version. */
  heard(session: string, asgVer: number): void {
    if (session !== this.#session.id || asgVer <= this.#asgVer) return
    this.#asgVer = asgVer
    this.nudge()
  }

  /** Looks at the mailbox now rather than at the next turn. */
  nudge(): void {
    this.#carrying?.nudge()
  }

  /**
   * Claims the leases that continue a shard this worker has just finished, as far as they are free and can be read: one
   * that waits for another parent is assigned once that has finished, too.
   */
  async adopt(leaseKeys: readonly string[]): Promise<void> {
    await this.#adopted.adopt(leaseKeys)
  }

  /** Leaves a lease alone for a while, because reading its shard failed here, and tells the leader so. */
  avoid(leaseKey: string, forMs: number): void {
    this.#avoided.avoid(leaseKey, forMs)
    this.lookAtLeases()
  }

  /** Has the leader look at the leases: this worker has changed something about them. */
  lookAtLeases(): void {
    this.#evt += 1
    this.publish()
  }

  /** Claims nothing any more, and tells the leader that this worker stops. Resolves when no claim is under way. */
  async stopClaiming(state: Exclude<SessionState, 'ACTIVE'>): Promise<void> {
    if (this.#state === 'ACTIVE') {
      this.#state = state
      this.lookAtLeases()
    }
    this.#session.retire()
    this.nudge()
    await Promise.allSettled([this.#leases.stopClaiming(), this.#adopted.whenOver()])
  }

  /** Leaves the fleet and ends the loops. Whatever is still held ends as lost. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#leases.abandonAll('the worker has stopped')
    await Promise.all([this.#session.leave(), ...this.#loops.map(loop => loop.stop())])
  }

  /** Ends everything without waiting, and without leaving the fleet, which will find out. */
  abandon(): void {
    this.#isClosed = true
    this.#leases.abandonAll('the worker has stopped')
    for (const loop of this.#loops) void loop.stop()
    this.#session.abandon()
  }

  #loop(what: string, run: () => Promise<void>, delayMs: () => number): Loop {
    const { clock, listener } = this.#options
    return startLoop({ clock, run, delayMs, onError: error => listener.failed(what, error) })
  }

  #assignedBy(kcl: KclCoordination): AssignedLeases {
    return new AssignedLeases({
      kcl,
      session: () => (this.assigner === 'kcl' && this.#mayClaim() ? this.#session.id : undefined),
      isHeld: leaseKey => this.#leases.get(leaseKey) !== undefined,
      keepFinished: leaseKey => this.#leases.keepFinished(leaseKey),
      found: () => this.nudge()
    })
  }

  #revoke(tenure: Tenure): void {
    if (tenure.revoke()) this.#options.listener.revoked(tenure)
  }

  /** A session begins: nothing of the one before counts. */
  #begin(): HeartbeatReport {
    this.#beganAtMs = this.#options.clock.monotonicMs()
    this.#isPending = true
    this.#mailbox = undefined
    this.#asgVer = 0
    this.#applied = this.#seen = 0
    this.#evt = 0
    this.#adopted.clear()
    this.#looks.clear()
    this.nudge()
    return this.report()
  }

  #ended(tenure: Tenure, how: TenureEnd, because: string): void {
    this.#adopted.forget(tenure.leaseKey)
    // What the leader has revoked somebody waits for. What is given back unasked it would not notice.
    if (how !== 'released' || (!tenure.isRevoked && this.#state === 'ACTIVE')) this.#evt += 1
    if (how === 'lost') this.#looks.noteLost(tenure.leaseKey)
    this.#options.listener.ended(tenure, how, because)
    this.nudge()
  }

  async #carryOut(): Promise<void> {
    let plan = await this.#look()
    while (plan !== undefined && (await this.#claimAll(plan))) plan = await this.#look()
    const { isDone } = this.#plan()
    const hasDoubts = this.#mailbox !== undefined && (await this.#leases.disown(new Set(this.#listed)))
    this.#isPending = !isDone || hasDoubts || this.#isNew()
    if (isDone && this.#mailbox !== undefined) this.#applied = this.#mailbox.ver
    this.publish()
    this.#options.listener.carriedOut()
  }

  /** Reads the mailbox if there is a newer one, and gives back what is not in it. Absent: nothing is to be claimed. */
  async #look(): Promise<CarryOutPlan | undefined> {
    const session = this.#session.id
    if (session === undefined || this.#isClosed) return undefined
    if (this.#asgVer > this.#ver && !(await this.#readMailbox(session))) return undefined
    this.#seen = this.#ver
    const plan = this.#plan()
    for (const leaseKey of plan.revoke) {
      const tenure = this.#leases.get(leaseKey)
      if (tenure !== undefined) this.#revoke(tenure)
    }
    return this.#mayClaim() ? plan : undefined
  }

  /** Says whether the session still is the one whose mailbox was read. */
  async #readMailbox(session: string): Promise<boolean> {
    const told = this.#asgVer
    const mailbox = await this.#options.control.mailbox(session)
    if (session !== this.#session.id || this.#isClosed) return false
    if (mailbox !== undefined && mailbox.ver > this.#ver) {
      this.#mailbox = mailbox
      this.#looks.clear()
      // From now on, and not from the next check, a lease is only as good as what is written to it, if the mode is mixed.
      this.#leases.fence()
    }
    // What was told of is not there: the next heartbeat tells of it again.
    if (this.#ver < told && this.#asgVer === told) this.#asgVer = this.#ver
    return true
  }

  #plan(): CarryOutPlan {
    const isHeld = (leaseKey: string): boolean => this.#leases.get(leaseKey) !== undefined
    this.#avoided.update(
      this.#listed.filter(leaseKey => !isHeld(leaseKey)),
      isHeld
    )
    return planCarryOut({
      mailbox: this.#mailbox,
      assigned: this.#assignedNow,
      held: this.held().map(({ leaseKey, isRevoked }) => {
        const adoptedAtEvt = this.#adopted.evtOf(leaseKey)
        return { leaseKey, isRevoked, ...(adoptedAtEvt !== undefined && { adoptedAtEvt }) }
      }),
      owned: this.#looks.owned,
      avoid: new Set([...this.#avoided.all(), ...this.#looks.over()])
    })
  }

  /** Claims what is free, and looks at what is waited for, some at a time. Says whether there is a newer mailbox. */
  async #claimAll({ claim, wait }: CarryOutPlan): Promise<boolean> {
    const mailbox = this.#mailbox
    if (mailbox === undefined) return false
    const leaseKeys = [...claim, ...wait]
    const { claimsAtOnce } = this.#options.settings
    for (let next = 0; next < leaseKeys.length; next += claimsAtOnce) {
      if (!this.#mayClaim() || this.#asgVer > mailbox.ver) break
      const some = leaseKeys.slice(next, next + claimsAtOnce)
      const outcomes = await Promise.allSettled(some.map(leaseKey => this.#claim(leaseKey, mailbox)))
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    }
    return this.#asgVer > mailbox.ver
  }

  async #claim(leaseKey: string, mailbox: Mailbox): Promise<void> {
    const outcome = await this.#leases.claim(leaseKey, mailbox)
    if (this.#mailbox !== mailbox) return
    // The leader does not know of that owner, perhaps a dead session whose claim has landed late.
    const isNews = outcome === 'owned' && !mailbox.wait.includes(leaseKey) && !this.#looks.owned.has(leaseKey)
    if (isNews) this.lookAtLeases()
    this.#looks.note(leaseKey, outcome)
  }

  /** Of the mailbox, and, while a leader of KCL assigns, those that it is known to have assigned to this session. */
  get #listed(): readonly string[] {
    return [...(this.#mailbox?.leases ?? []), ...this.#assignedNow]
  }

  get #assignedNow(): readonly string[] {
    return this.assigner === 'kcl' ? (this.#assigned?.of(this.#session.id) ?? []) : []
  }

  /** Version of the mailbox that is being carried out. 0: there is none. */
  get #ver(): number {
    return this.#mailbox?.ver ?? 0
  }

  /** Whether the leader is likely to write the first mailbox of this session soon. */
  #isNew(): boolean {
    const { clock, settings } = this.#options
    return this.#mailbox === undefined && clock.monotonicMs() < this.#beganAtMs + settings.settleMaxMs
  }

  #mayClaim(): boolean {
    return !this.#isClosed && this.#state === 'ACTIVE' && this.#session.proof.isProved()
  }
}
