// Carries out what the leader wrote into the mailbox of this worker: claims, waits, gives back. Decides nothing itself.

import type { ControlStore, Mailbox, SessionState, Troubles } from '../leases/control-store.ts'
import { type ClaimOutcome, type ClaimReason, HeldLeases } from '../leases/held-leases.ts'
import type { LeaseStore } from '../leases/lease-store.ts'
import type { Tenure, TenureEnd } from '../leases/tenure.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'
import { jittered, type Random } from '../runtime/random.ts'
import { AvoidedLeases } from './avoided-leases.ts'
import type { FleetSettings } from './fleet-settings.ts'
import type { Heartbeat, HeartbeatListener, HeartbeatReport } from './heartbeat.ts'
import { MemberSession, type SessionListener } from './member-session.ts'
import { type CarryOutPlan, planCarryOut } from './plan-carry-out.ts'

/** What a worker says of itself to the leader, for as long as it lives. */
export interface MemberOptions {
  readonly workerId: string
  /** Generation of the deployment. Higher is newer. */
  readonly generation: number
  /** How much of the leases this worker should have, in relation to others. */
  readonly capacity: number
  /** How many leases this worker holds at most. Infinity: no limit. */
  readonly maxLeases: number
  /** What is wrong with the shards that are read here. Absent: nothing. */
  readonly troubles?: Troubles | undefined
}

/** What the leases of one worker are coordinated with: the tables, its settings, and who is told. */
export interface LeaseCoordinatorOptions {
  readonly store: LeaseStore
  readonly control: ControlStore
  readonly makeHeartbeat: (listener: HeartbeatListener) => Heartbeat
  readonly member: MemberOptions
  readonly settings: FleetSettings
  readonly clock: Clock
  readonly random: Random
  /** Whole epoch milliseconds by the clock of Kinesis, by which "from now on" is meant. */
  readonly serviceTimeMs: () => number
  /** Whether an earlier run of the shard is still being wound up in this process. */
  readonly isBusy: (leaseKey: string) => boolean
  /** How many turns this worker has led, and by which orders, for the reports of the heartbeat. */
  readonly leading: () => Pick<HeartbeatReport, 'led' | 'orders'>
  /** Whether the leader may be dead, so that leases may soon be claimed here: heartbeats, which tell of it, are then in a hurry. */
  readonly isLeaderSuspect: () => boolean
  readonly listener: LeaseListener
}

/** What the coordinator tells the worker. Nothing here may throw. */
export interface LeaseListener extends SessionListener {
  taken(tenure: Tenure, why: ClaimReason): void
  /** The leader wants somebody else to have a lease that is held here: drain and release it. */
  revoked(tenure: Tenure): void
  ended(tenure: Tenure, how: TenureEnd, because: string): void
  /** The mailbox was looked at. */
  carriedOut(): void
}

/** The leases of one worker. {@link start} and {@link close} it once. */
export class LeaseCoordinator {
  readonly #options: LeaseCoordinatorOptions
  readonly #session: MemberSession
  readonly #leases: HeldLeases
  readonly #avoided: AvoidedLeases
  /** Leases taken without a mailbox, and the `evt` that told of it; Infinity until it is told. */
  readonly #adopted = new Map<string, number>()
  readonly #adopting = new Set<Promise<unknown>>()
  /** Of the leases in the mailbox, those that somebody else had when they were last looked at. */
  readonly #owned = new Set<string>()
  /** Those that are over, and when to look again: a row that is missing may come back without a word from the leader. */
  readonly #overUntilMs = new Map<string, number>()
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
    const { clock, random, settings, listener, member, isBusy } = options
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
      ended: (tenure, how, because) => this.#ended(tenure, how, because),
      failed: (what, error) => listener.failed(what, error)
    })
  }

  /** The session that this worker has now. Absent: before the first, and between two. */
  get session(): string | undefined {
    return this.#session.id
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
    const adopting = Promise.allSettled(leaseKeys.map(leaseKey => this.#adoptOne(leaseKey)))
    this.#adopting.add(adopting)
    const outcomes = await adopting
    this.#adopting.delete(adopting)
    this.lookAtLeases()
    for (const leaseKey of leaseKeys) if (this.#adopted.has(leaseKey)) this.#adopted.set(leaseKey, this.#evt)
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
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
    await Promise.allSettled([this.#leases.stopClaiming(), ...this.#adopting])
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

  /** What is told of before the claim has landed the leader would take for somebody else's to claim. */
  async #adoptOne(leaseKey: string): Promise<void> {
    if (this.#adopted.has(leaseKey)) return
    let outcome: ClaimOutcome | undefined
    this.#adopted.set(leaseKey, Number.POSITIVE_INFINITY)
    try {
      outcome = await this.#leases.adopt(leaseKey)
    } finally {
      if (outcome !== 'claimed') this.#adopted.delete(leaseKey)
    }
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
    this.#owned.clear()
    this.#overUntilMs.clear()
    this.nudge()
    return this.report()
  }

  #ended(tenure: Tenure, how: TenureEnd, because: string): void {
    this.#adopted.delete(tenure.leaseKey)
    // What the leader has revoked somebody waits for. What is given back unasked it would not notice.
    if (how !== 'released' || (!tenure.isRevoked && this.#state === 'ACTIVE')) this.#evt += 1
    if (how === 'lost') this.#owned.add(tenure.leaseKey)
    this.#options.listener.ended(tenure, how, because)
    this.nudge()
  }

  async #carryOut(): Promise<void> {
    let plan = await this.#look()
    while (plan !== undefined && (await this.#claimAll(plan))) plan = await this.#look()
    const { isDone } = this.#plan()
    const hasDoubts = this.#mailbox !== undefined && (await this.#leases.disown(new Set(this.#mailbox.leases)))
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
      if (tenure?.revoke() === true) this.#options.listener.revoked(tenure)
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
      this.#owned.clear()
      this.#overUntilMs.clear()
      // From now on, and not from the next check, a lease is only as good as what is written to it, if the mode is mixed.
      this.#leases.fence()
    }
    // What was told of is not there: the next heartbeat tells of it again.
    if (this.#ver < told && this.#asgVer === told) this.#asgVer = this.#ver
    return true
  }

  #plan(): CarryOutPlan {
    const listed = this.#mailbox?.leases ?? []
    const isHeld = (leaseKey: string): boolean => this.#leases.get(leaseKey) !== undefined
    this.#avoided.update(
      listed.filter(leaseKey => !isHeld(leaseKey)),
      isHeld
    )
    return planCarryOut({
      mailbox: this.#mailbox,
      held: this.held().map(({ leaseKey, isRevoked }) => {
        const adoptedAtEvt = this.#adopted.get(leaseKey)
        return { leaseKey, isRevoked, ...(adoptedAtEvt !== undefined && { adoptedAtEvt }) }
      }),
      owned: this.#owned,
      avoid: new Set([...this.#avoided.all(), ...this.#over()])
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
    if (outcome === 'owned' && !mailbox.wait.includes(leaseKey) && !this.#owned.has(leaseKey)) this.lookAtLeases()
    this.#owned[outcome === 'owned' ? 'add' : 'delete'](leaseKey)
    const { clock, settings } = this.#options
    if (outcome === 'over') this.#overUntilMs.set(leaseKey, clock.monotonicMs() + settings.durationMs)
  }

  #over(): string[] {
    const nowMs = this.#options.clock.monotonicMs()
    return [...this.#overUntilMs].filter(([, untilMs]) => untilMs > nowMs).map(([leaseKey]) => leaseKey)
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
