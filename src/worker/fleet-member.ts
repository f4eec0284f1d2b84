// What makes a worker a member of its fleet: its leases, its turn as the leader, and, while it leads, the comparison of the
// shards of the streams with the lease table.

import type { FleetSettings } from '../fleet/fleet-settings.ts'
import type { FleetCensus } from '../fleet/fleet-view.ts'
import { KclPresence } from '../fleet/kcl-presence.ts'
import { Leadership, type LeadershipListener } from '../fleet/leadership.ts'
import { LeaseCoordinator, type LeaseListener } from '../fleet/lease-coordinator.ts'
import type { Troubles } from '../leases/control-store.ts'
import type { KclCoordination } from '../leases/kcl-coordination.ts'
import type { LeaseStore } from '../leases/lease-store.ts'
import { covers } from '../leases/order-rules.ts'
import type { Tenure } from '../leases/tenure.ts'
import { StalledError } from '../model/errors.ts'
import type { Lease } from '../model/lease.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'
import { jittered, type Random } from '../runtime/random.ts'
import { listedBy } from '../shards/shared-listing.ts'
import { LoadMeter } from './load-meter.ts'
import type { ResolvedOptions } from './options.ts'
import type { OpenPorts } from './ports.ts'
import { type DoubtedPort, ReadingDoubt } from './reading-doubt.ts'
import type { TableSync } from './stream-set.ts'

/** What the worker is told. Nothing here may throw. */
export type FleetListener = LeaseListener & Omit<LeadershipListener, 'posted'>

/** What a member is made of, and who is told. */
export interface FleetMemberOptions {
  readonly options: ResolvedOptions
  readonly ports: Pick<OpenPorts, 'store' | 'control' | 'kcl' | 'makeHeartbeat'>
  readonly settings: FleetSettings
  readonly syncer: TableSync
  /** Whether the fleet is to hold a lease. Default: every one. */
  readonly isWanted?: (lease: Lease) => boolean
  readonly clock: Clock
  readonly random: Random
  /** Whether an earlier run of the shard is still being wound up in this process. */
  readonly isBusy: (leaseKey: string) => boolean
  /** What is wrong with the shards that are read here. `undefined`: nothing. */
  readonly troubles?: () => Troubles | undefined
  readonly listener: FleetListener
}

/** How many lease durations a worker leaves a shard to others after reading it failed. */
const AVOID_DURATIONS = 3
/** How often what the leases carry is written down, if leases are balanced by it. */
const LOADS_EVERY_MS = 60_000
const HANDOVER_LOOK_MS = 100

/** One worker in its fleet. {@link start} and {@link close} it once. */
export class FleetMember {
  readonly #options: FleetMemberOptions
  readonly #coordinator: LeaseCoordinator
  readonly #leadership: Leadership
  readonly #loads: LoadMeter
  readonly #doubt: ReadingDoubt
  readonly #presence: KclPresence | undefined
  #loops: Loop[] = []
  #syncing: Loop | undefined
  /** Whether something was noticed that makes this worker compare shards and leases although it does not lead. */
  #hasFinding = false
  /** Whether the last comparison succeeded. */
  #isSynced = true
  #isClosing = false
  /** Aborts when the worker stops. Absent: it has not started. */
  #stopping: AbortSignal | undefined

  constructor(member: FleetMemberOptions) {
    this.#options = member
    const { options, ports, settings, syncer, clock, random, isBusy, troubles, listener } = member
    const { workerId, leases } = options
    const { generation, capacity, maxLeases, balance: strategy, mode } = leases
    this.#loads = new LoadMeter(clock)
    const doubt = new ReadingDoubt({ clock, changed: () => this.#coordinator.lookAtLeases() })
    this.#doubt = doubt
    const held = (): number => this.held().length
    const mayHold = (): number => (doubt.isThere ? Math.min(maxLeases, held()) : maxLeases)
    this.#coordinator = new LeaseCoordinator({
      ...ports,
      settings,
      member: {
        ...{ workerId, generation, capacity },
        get maxLeases() {
          return mayHold()
        },
        get troubles() {
          return troubles?.()
        }
      },
      clock,
      random,
      serviceTimeMs: () => syncer.serviceTimeMs(),
      isBusy,
      leading: () => ({ led: this.#leadership.turns, orders: this.#leadership.ordersLed }),
      isLeaderSuspect: () => this.#leadership.isLeaderSuspect,
      listener: {
        ...listener,
        sessionDied: (session, how) => {
          this.#leadership.resign()
          listener.sessionDied(session, how)
        },
        sessionBegan: session => {
          listener.sessionBegan(session)
          this.#leadership.nudge()
          this.#presence?.notice(this.#coordinator.assigner)
        },
        carriedOut: () => {
          this.#presence?.notice(this.#coordinator.assigner)
          listener.carriedOut()
        }
      }
    })
    const { isWanted } = member
    this.#leadership = new Leadership({
      ...ports,
      ...(isWanted && { store: onlyWanted(ports.store, isWanted) }),
      settings,
      strategy,
      mode,
      clock,
      random,
      session: () => this.#coordinator.session,
      report: () => this.#coordinator.report(),
      provedAgoMs: () => this.#coordinator.provedAgoMs(),
      prepare: () => this.#prepareToLead(),
      changed: () => this.#coordinator.publish(),
      listener: {
        ...listener,
        posted: (session, ver) => this.#coordinator.heard(session, ver),
        elected: term => {
          listener.elected(term)
          this.#syncing?.nudge()
        }
      }
    })
    this.#presence = ports.kcl && this.#presenceIn(ports.kcl, () => held() >= mayHold())
  }

  #presenceIn(kcl: KclCoordination, isFull: () => boolean): KclPresence {
    const { clock, listener, options } = this.#options
    return new KclPresence({
      kcl,
      clock,
      mode: () => this.#coordinator.mode ?? options.leases.mode,
      session: () => (this.#coordinator.isProved ? this.#coordinator.session : undefined),
      isFull,
      failed: (what, error) => listener.failed(what, error)
    })
  }

  /** The session that this worker has now. */
  get session(): string | undefined {
    return this.#coordinator.session
  }

  /** What it returns says whether the session that there is now is still there, and proved to live. */
  guard(): () => boolean {
    const { session } = this.#coordinator
    return () => session === this.#coordinator.session && this.#coordinator.isProved
  }

  get isLeading(): boolean {
    return this.#leadership.isLeading
  }

  /** What this worker, as the leader, knows of the fleet; `undefined`: it does not lead. */
  get census(): FleetCensus | undefined {
    return this.#leadership.census
  }

  /** The leases that this worker holds. */
  held(): Tenure[] {
    return this.#coordinator.held()
  }

  /**
   * Joins the fleet, looks who leads it, and leads it if nobody does. In an application that begins, resolves only once the
   * leader has created leases: "from now on" begins before this resolves.
   */
  async start(signal: AbortSignal): Promise<void> {
    const { options, clock, random, listener, ports, syncer } = this.#options
    this.#stopping = signal
    await this.#coordinator.start()
    if (this.#isClosing) return
    this.#presence?.start()
    await this.#leadership.start()
    if (syncer.isFresh) await this.#leadership.whenLed(signal)
    if (this.#isClosing) return
    this.#syncing = startLoop({
      clock,
      run: signal => this.#sync(signal),
      delayMs: () => jittered(this.#syncInMs(), random),
      onError: error => listener.failed('compare shards with leases', error)
    })
    this.#loops = [this.#syncing]
    if (options.leases.balance !== 'weight') return
    const measuring = startLoop({
      clock,
      run: () => this.#reportLoads(ports),
      delayMs: () => jittered(LOADS_EVERY_MS, random),
      onError: error => listener.failed('report what the leases carry', error),
      runAtOnce: false
    })
    this.#loops.push(measuring)
  }

  /** Something about the leases has changed that the leader should see now: whoever does not lead does nothing. */
  lookAtLeases(): void {
    if (this.#leadership.isLeading) this.#leadership.lookAtLeases()
  }

  /** Compares shards and leases now, if this worker leads. */
  compareSoon(): void {
    this.#syncing?.nudge()
  }

  /** Compares shards and leases now, whoever leads: this worker knows something that the table does not tell. */
  syncSoon(): void {
    this.#hasFinding = true
    this.#syncing?.nudge()
  }

  /**
   * Has a row that somebody deleted made again, of what is known here; but only if it was ours until then. A worker that has
   * slept may find that its shard was finished by another one, and the row removed in due course.
   */
  async rebuild({ lease }: Tenure): Promise<void> {
    if (!(await this.#coordinator.provesAlive())) return
    this.#options.syncer.remember(lease)
    this.syncSoon()
  }

  /** Claims the leases of shards that continue one that was just finished, but for those that an operator keeps from everybody. */
  async adopt(leaseKeys: readonly string[]): Promise<void> {
    let free: readonly string[] = []
    try {
      free = await this.#unheld(leaseKeys)
    } finally {
      // Also without any: the leader has to look at the leases, and gives out the rest.
      await this.#coordinator.adopt(free)
    }
  }

  /** Leaves a lease to others for a while: something about its shard failed here. */
  avoid({ leaseKey }: Tenure): void {
    this.#coordinator.avoid(leaseKey, AVOID_DURATIONS * this.#options.settings.durationMs)
  }

  /** Leaves a lease to others because reading its shard failed; all of them, if nothing at all came of it. */
  cannotRead(tenure: Tenure, kinesis: DoubtedPort, error: unknown): void {
    this.avoid(tenure)
    if (error instanceof StalledError) this.#doubt.begin(tenure.shardId, kinesis)
    this.syncSoon()
  }

  /** A shard is not being wound up here any more. */
  nudge(): void {
    this.#coordinator.nudge()
  }

  /** Those of leases that an operator lets anybody have. Looked at here, for no leader was asked. */
  async #unheld(leaseKeys: readonly string[]): Promise<readonly string[]> {
    if (leaseKeys.length === 0) return leaseKeys
    const { holds } = await this.#options.ports.control.orders({ consistent: true })
    return leaseKeys.filter(leaseKey => !holds.some(hold => covers(hold, leaseKey)))
  }

  /** Notes what was read of a shard. */
  read(tenure: Tenure, bytes: number): void {
    this.#doubt.clear()
    tenure.noteRead(bytes)
    if (this.#options.options.leases.balance === 'weight') this.#loads.note(tenure.leaseKey, bytes)
  }

  /** Claims nothing any more. Resolves when no claim, and no comparison of shards, is under way. */
  async stopClaiming(isRestarting: boolean): Promise<void> {
    this.#isClosing = true
    const claimsOver = this.#coordinator.stopClaiming(isRestarting ? 'RESTARTING' : 'DRAINING')
    this.#leadership.nudge()
    // Nothing more is to be given to this worker, by Java leaders either.
    await Promise.all([claimsOver, this.#presence?.stop(), ...this.#loops.map(loop => loop.stop())])
  }

  /**
   * Resolves when the leader has found somebody else for every lease held here, or there is nobody, or `maxMs` milliseconds
   * have passed, or `signal` aborts.
   */
  async handOver(maxMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const untilMs = clock.monotonicMs() + maxMs
    // A leader of KCL looks for successors once leases are given back.
    const isLed = (): boolean => this.#coordinator.assigner === undefined
    const isWaiting = (): boolean => isLed() && this.held().some(({ isRevoked }) => !isRevoked)
    while (isWaiting() && this.#leadership.hasOthers && clock.monotonicMs() < untilMs && !signal.aborted) {
      await clock.sleep(HANDOVER_LOOK_MS, signal)
    }
  }

  /** Leaves the fleet. Whatever is still held ends as lost. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.#doubt.close()
    await Promise.all([this.#leadership.stop(), this.#presence?.stop()])
    await Promise.all([this.#coordinator.close(), ...this.#loops.map(loop => loop.stop())])
  }

  /** Ends everything without waiting for any call; the others will find out. */
  abandon(): void {
    this.#isClosing = true
    this.#doubt.close()
    void this.#leadership.stop()
    void this.#presence?.stop()
    for (const loop of this.#loops) void loop.stop()
    this.#coordinator.abandon()
  }

  /** A comparison that failed is made again soon: what it would have found, nobody reads. */
  #syncInMs(): number {
    const { options, settings } = this.#options
    return this.#isSynced ? options.shardSyncIntervalMs : Math.min(options.shardSyncIntervalMs, settings.durationMs)
  }

  async #sync(signal: AbortSignal): Promise<void> {
    if (!this.#leadership.isLeading && !this.#hasFinding) return
    const hadFinding = this.#hasFinding
    // What is noticed from now on asks for another comparison.
    this.#hasFinding = false
    this.#isSynced = false
    const plan = await this.#options.syncer.sync(signal).catch(error => {
      this.#hasFinding ||= hadFinding
      throw error
    })
    this.#isSynced = true
    if (plan.create.length === 0) return
    if (this.#leadership.isLeading) this.#leadership.lookAtLeases()
    else this.#coordinator.lookAtLeases()
  }

  /** An application that begins, as this worker starts, has no leases to lead with. Where Kinesis does not answer, leading cannot wait for it. */
  async #prepareToLead(): Promise<void> {
    const { syncer, listener, clock, settings } = this.#options
    if (!syncer.isFresh || this.#syncing !== undefined) return
    const over = new AbortController()
    const syncing = syncer
      .sync(this.#stopping)
      // It may have taken so long that this worker leads already.
      .then(() => this.#leadership.lookAtLeases())
      .catch(error => listener.failed('compare shards with leases', error))
      .finally(() => over.abort())
    await Promise.race([syncing, clock.sleep(settings.durationMs, over.signal)])
  }

  async #reportLoads({ control }: Pick<OpenPorts, 'control'>): Promise<void> {
    const { session } = this.#coordinator
    const held = this.held().map(({ leaseKey }) => leaseKey)
    if (session !== undefined) await control.reportLoads(session, this.#loads.measure(held))
  }
}

/** The table as the leader is to see it: what it does not see it gives to nobody, and whoever has it lets go of it. */
function onlyWanted(store: LeaseStore, isWanted: (lease: Lease) => boolean): LeaseStore {
  return listedBy(store, async options => {
    const { leases, skipped } = await store.list(options)
    return { leases: leases.filter(isWanted), skipped }
  })
}
