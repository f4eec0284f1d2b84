// This worker's part in leading the fleet: looks who leads, leads if nobody does, and then, each turn, gathers what is to be
// known, asks the planners, and writes certificates and mailboxes. Never writes a lease. Two leaders at once do no harm.

import type { ControlStore, FleetMode, LeaderLock } from '../leases/control-store.ts'
import type { KclCoordination } from '../leases/kcl-coordination.ts'
import type { LeaseStore } from '../leases/lease-store.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'
import { jittered, type Random } from '../runtime/random.ts'
import type { BalanceStrategy, FleetSettings } from './fleet-settings.ts'
import { type FleetCensus, FleetView, type FleetViewListener } from './fleet-view.ts'
import type { HeartbeatReport } from './heartbeat.ts'
import { judgeLeader, type LeaderVerdict, type LeaderWatch, NO_LEADER_WATCHED, watchLeader } from './leader-rules.ts'

/** What the leader tells the worker. Nothing here may throw. */
export interface LeadershipListener extends FleetViewListener {
  elected(term: number): void
  deposed(because: string): void
  failed(what: string, error: unknown): void
}

/** What leading takes. */
export interface LeadershipOptions {
  readonly store: LeaseStore
  readonly control: ControlStore
  readonly kcl?: KclCoordination | undefined
  readonly settings: FleetSettings
  readonly strategy: BalanceStrategy
  readonly mode: FleetMode
  readonly clock: Clock
  readonly random: Random
  /** The session alive of this worker. */
  readonly session: () => string | undefined
  /** What this worker says of itself, as of now. */
  readonly report: () => HeartbeatReport
  /** How long ago its newest acknowledged heartbeat was sent. Milliseconds. */
  readonly provedAgoMs: () => number
  /** A term begins: what there is to do before its first turn. Must not reject. */
  readonly prepare: () => Promise<void>
  /** A turn was led, or what is known of the leader has changed. */
  readonly changed: () => void
  readonly listener: LeadershipListener
}

/** A term as the leader. */
interface Term {
  readonly number: number
  readonly view: FleetView
}

type Campaign = Extract<LeaderVerdict, { kind: 'campaign' }>

/** A leader that is silent for so many heartbeats is late. */
const MISSED_HEARTBEATS = 1.5

/** Leading, or following, of one worker. {@link start} and {@link stop} it once. */
export class Leadership {
  readonly #options: LeadershipOptions
  #looking: Loop | undefined
  #term: Term | undefined
  #watch: LeaderWatch = NO_LEADER_WATCHED
  #turns = 0
  #lookInMs: number
  #hasLeader = false
  /** Whether some leader is known to have led for a turn. */
  #isLed = false
  #isStopped = false

  constructor(options: LeadershipOptions) {
    this.#options = options
    this.#lookInMs = options.settings.hurryMs
  }

  /** How many turns this worker has led. Stands still in a leader that does nothing. */
  get turns(): number {
    return this.#turns
  }

  /** As the leader, see {@link FleetView.ordersLed}; `undefined`: it does not lead. */
  get ordersLed(): number | undefined {
    return this.#term?.view.ordersLed
  }

  get isLeading(): boolean {
    return this.#term !== undefined
  }

  /** What this worker, as the leader, knows of the fleet; `undefined`: it does not lead. */
  get census(): FleetCensus | undefined {
    return this.#term && (this.#term.view.census ?? { members: 0, leases: 0, unassigned: 0 })
  }

  /** Whether there is anybody else to take leases, as far as is known. */
  get hasOthers(): boolean {
    return this.#term === undefined ? this.#hasLeader : this.#term.view.hasOthers
  }

  /** Whether the leader has missed a heartbeat: if it is dead, its leases are soon to be claimed here. */
  get isLeaderSuspect(): boolean {
    return this.#term === undefined && this.#watch.silentMs > MISSED_HEARTBEATS * this.#options.settings.heartbeatMs
  }

  /** Looks who leads, and goes on doing so in the background. A look that fails is told and made again. */
  async start(): Promise<void> {
    const { clock, random, listener } = this.#options
    await this.#turn().catch(error => listener.failed('look who leads the fleet', error))
    if (this.#isStopped) return
    this.#looking = startLoop({
      clock,
      run: () => this.#turn(),
      delayMs: () => (this.#term === undefined ? jittered(this.#lookInMs, random) : this.#term.view.nextTurnInMs()),
      onError: error => listener.failed('lead the fleet', error),
      runAtOnce: false
    })
  }

  /** Resolves when some leader is known to have led for a turn, after a few lease durations anyway, or when `signal` aborts. */
  async whenLed(signal: AbortSignal): Promise<void> {
    const { clock, settings } = this.#options
    const untilMs = clock.monotonicMs() + settings.settleMaxMs
    while (!this.#isLed && !signal.aborted && clock.monotonicMs() < untilMs) {
      await clock.sleep(settings.hurryMs, signal)
      this.nudge()
    }
  }

  /** Takes a turn now. */
  nudge(): void {
    this.#looking?.nudge()
  }

  /** Has the leader read the leases with its next turn, and take that now. */
  lookAtLeases(): void {
    this.#term?.view.lookAtLeases()
    this.nudge()
  }

  /** The session that leads is dead. */
  resign(): void {
    this.#end('its session is dead')
  }

  /** Leads no more. Resolves when the turn under way is over. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#looking?.stop()
    this.#term = undefined
  }

  async #turn(): Promise<void> {
    const session = this.#options.session()
    if (session === undefined) return
    const lock = await this.#options.control.leader({ consistent: this.#term !== undefined })
    if (this.#term !== undefined && (lock?.who !== session || lock.term !== this.#term.number)) {
      this.#end(`${lock?.who ?? 'nobody'} leads, in term ${lock?.term ?? 0}`)
    }
    if (this.#term === undefined) await this.#look(session, lock)
    if (this.#term !== undefined) await this.#lead(this.#term)
  }

  /** Judges who should lead, and begins a term if that is this worker. */
  async #look(session: string, lock: LeaderLock | undefined): Promise<void> {
    const { control, clock, settings, report, provedAgoMs, changed } = this.#options
    const { who } = lock ?? {}
    const leader = who === undefined || who === session ? undefined : await control.member(who)
    this.#watch = watchLeader(this.#watch, who, leader, clock.monotonicMs(), 2 * settings.heartbeatMs)
    changed()
    const facts = { session, state: report().state, provedAgoMs: provedAgoMs(), lock, leader, watch: this.#watch }
    const verdict = judgeLeader(facts, settings)
    this.#lookInMs = verdict.kind === 'follow' ? verdict.lookInMs : 2 * settings.heartbeatMs
    if ((leader?.led ?? 0) > 0) this.#isLed = true
    this.#hasLeader = who !== undefined && who !== session && leader !== undefined && leader.dead === undefined
    if (verdict.kind === 'lead') await this.#takeUp(session)
    if (verdict.kind === 'campaign') await this.#campaign(session, verdict)
  }

  async #campaign(session: string, { before, after, certify }: Campaign): Promise<void> {
    const { control, listener } = this.#options
    if (certify !== undefined) {
      if (!(await control.certify(certify.session, certify.hb, certify.how))) return
      listener.certified(certify.session, certify.how)
    }
    if (await control.replaceLeader(before, after)) await this.#begin(session, after.term)
  }

  /** The lock names this worker, as far as is known: an old read may name one that has been replaced since. */
  async #takeUp(session: string): Promise<void> {
    const lock = await this.#options.control.leader({ consistent: true })
    if (lock?.who === session) await this.#begin(session, lock.term)
  }

  async #begin(session: string, term: number): Promise<void> {
    const { listener } = this.#options
    const view = new FleetView({ ...this.#options, session, term })
    await this.#options.prepare()
    await view.inherit()
    // The session may have died meanwhile, or the worker stopped.
    if (session !== this.#options.session() || this.#isStopped) return
    this.#term = { number: term, view }
    listener.elected(term)
  }

  async #lead(term: Term): Promise<void> {
    await term.view.turn(this.#options.report())
    if (this.#term !== term) return
    this.#turns += 1
    this.#isLed = true
    this.#options.changed()
  }

  #end(because: string): void {
    if (this.#term === undefined) return
    this.#term = undefined
    this.#watch = NO_LEADER_WATCHED
    this.#options.listener.deposed(because)
  }
}
