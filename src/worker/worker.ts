// Wires the parts together, starts and stops. What becomes of leases and shards is decided below; here it is only told on.
import type { ShardListener } from '../consumer/shard-listener.ts'
import { type FleetSettings, fleetSettings } from '../fleet/fleet-settings.ts'
import type { Tenure } from '../leases/tenure.ts'
import {
  asConsumerError,
  BugError,
  type ConsumerError,
  ServiceError,
  TableMismatchError,
  WorkerStoppedError
} from '../model/errors.ts'
import type { ThreadDeath } from '../processor/thread-pool.ts'
import { unlessAborted, whenAborted } from '../runtime/abort.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { waitAtMost } from '../runtime/deadline.ts'
import { deferred } from '../runtime/deferred.ts'
import { systemRandom } from '../runtime/random.ts'
import { ConsumerFactory } from './consumer-factory.ts'
import { breakerEvents, fleetEvents, leaseEvents, lossEvents, shardEvents } from './event-sources.ts'
import { type FleetListener, FleetMember } from './fleet-member.ts'
import { healthOf, type WorkerHealth } from './health-rules.ts'
import { Observable } from './observable.ts'
import { openStreams } from './open-streams.ts'
import { type ResolvedOptions, resolveOptions, type WorkerOptions } from './options.ts'
import { type OpenPorts, openPorts, type WorkerPorts } from './ports.ts'
import { prepareTables } from './prepare-tables.ts'
import { answeringShard } from './shard-answers.ts'
import { ShardConsumers } from './shard-consumers.ts'
import { DEFAULT_GRACE_MS, resolveStop, type StopOptions } from './stop-options.ts'
import type { StreamSet } from './stream-set.ts'
import { troubleName, troublesOf } from './trouble-rules.ts'
import { WorkerEmitter } from './worker-emitter.ts'
import { measureWorker, type WorkerMetrics } from './worker-metrics.ts'
import { mayFollow, type WorkerState } from './worker-state.ts'

/** How long giving leases back, and ending threads, may take once the grace is over. Milliseconds. */
const RELEASE_MS = 2_000
/** How much of the grace of a stop may be spent waiting for the leader to find successors, and how many lease durations. */
const HANDOVER_SHARE = 0.5
const HANDOVER_DURATIONS = 1.5

/** Leases shards, reads them, and has their records processed: one member of a fleet with the same application name. */
export class Worker<Value = unknown> extends Observable {
  readonly #options: ResolvedOptions
  readonly #clock: Clock
  readonly #emitter: WorkerEmitter
  readonly #settings: FleetSettings
  readonly #ports: OpenPorts
  readonly #streams: StreamSet
  readonly #prepare: (signal: AbortSignal) => Promise<void>
  readonly #member: FleetMember
  readonly #factory: ConsumerFactory
  readonly #consumers: ShardConsumers
  readonly #metrics: WorkerMetrics | undefined
  readonly #stopRequested = new AbortController()
  readonly #graceOver = new AbortController()
  readonly #finished = deferred()
  #state: WorkerState = 'idle'
  #started: Promise<void> | undefined
  #failure: ConsumerError | undefined
  #isRestarting = false
  /** Whether everything is drained now, whoever comes after. */
  #isDrainingAll = false

  /**
   * Checks the options; nothing is called or opened before {@link start}.
   *
   * @param ports other doors to time, chance, Kinesis and the lease table, for tests
   * @throws OptionError
   */
  constructor(options: WorkerOptions<Value>, ports: Partial<WorkerPorts> = {}) {
    const { clock = systemClock, random = systemRandom } = ports
    const resolved = resolveOptions(options, random, clock.epochMs())
    const { logger, leases, stallMs } = resolved
    const emitter = new WorkerEmitter(logger, clock)
    super(emitter)
    this.#emitter = emitter
    this.#clock = clock
    this.#options = resolved
    this.#settings = fleetSettings(leases.durationMs)
    const shared = { clock, random }
    const emit = this.#emitter.emit.bind(this.#emitter)
    this.#ports = openPorts(this.#options, { ...shared, settings: this.#settings, lost: lossEvents(emit) }, ports)
    const threadDied = (death: ThreadDeath): void => emit('thread:died', death)
    const parts = { ...shared, options: resolved, ports: this.#ports }
    this.#factory = new ConsumerFactory({ ...parts, threadDied, breakerChanged: breakerEvents(emit) })
    const guard = (): (() => boolean) => this.#member.guard()
    const streams = openStreams({
      ...{ ...parts, budget: this.#factory.budget, guard, emit },
      graceMs: 2 * this.#settings.drainTimeoutMs,
      isLeading: () => this.#member.isLeading,
      compareSoon: () => this.#member.compareSoon(),
      leasesCreated: () => this.#member.lookAtLeases(),
      brokeDown: (during, error) => this.#failedInBackground(during, error)
    })
    this.#streams = streams
    const preparing = { ...parts, logger, syncer: streams }
    this.#prepare = signal => prepareTables(preparing, signal)
    this.#member = new FleetMember({
      ...parts,
      ...{ settings: this.#settings, syncer: streams },
      isWanted: lease => streams.isWanted(lease),
      isBusy: leaseKey => this.#consumers.isBusy(leaseKey),
      troubles: () => troublesOf(this.health().shards, streams.health && troubleName),
      listener: this.#fleetListener()
    })
    this.#consumers = new ShardConsumers({
      clock: this.#clock,
      drainTimeoutMs: this.#settings.drainTimeoutMs,
      makeConsumer: tenure => this.#factory.make(tenure, streams.of(tenure.lease), this.#shardListener(tenure)),
      letGo: (tenure, error) => this.#letGoOf(tenure, error),
      done: () => this.#consumerDone(),
      stallMs
    })
    const measured = {
      clock,
      emitter,
      consumers: this.#consumers,
      buffers: this.#factory,
      streams,
      member: this.#member
    }
    this.#metrics = measureWorker(resolved, this.#ports, measured)
  }

  /** Name of this worker. */
  get workerId(): string {
    return this.#options.workerId
  }

  /** Where the worker is in its life. */
  get state(): WorkerState {
    return this.#state
  }

  /** Shards whose leases this worker holds, and can prove to hold. */
  get shardIds(): string[] {
    const proved = this.#member.held().filter(tenure => tenure.isValid())
    return proved.map(tenure => tenure.shardId)
  }

  /** Resolves when the worker has stopped; rejects with the error that ended it. */
  get finished(): Promise<void> {
    return this.#finished.promise
  }

  /** How the worker is doing, and each of its shards. */
  health(): WorkerHealth {
    const { isPaused, statuses: shards } = this.#consumers
    const { openBreaker: breaker } = this.#factory
    const { health: streams } = this.#streams
    return healthOf({ state: this.#state, isPaused, failure: this.#failure, breaker, shards, streams })
  }

  /**
   * Has no more records delivered, of one shard or of all, until {@link resume}; calls under way end. The leases are kept. A pause
   * of one shard ends when this worker gives it up; that of the worker holds for shards to come as well.
   *
   * @param streamName where several streams have a shard of that id, which of them is meant
   * @throws OptionError if this worker does not hold the shard, or it is not said of which stream
   */
  pause(shardId?: string, streamName?: string): void {
    this.#consumers.pause(shardId, streamName)
  }

  /**
   * Has records delivered again, of one shard or of all, after a {@link pause}; and goes on with shards that were halted, each with a
   * new processor, from its checkpoint.
   *
   * @param streamName where several streams have a shard of that id, which of them is meant
   * @throws OptionError if this worker does not hold the shard, or it is not said of which stream
   */
  resume(shardId?: string, streamName?: string): void {
    this.#consumers.resume(shardId, streamName)
  }

  /**
   * Creates the two tables if they are missing, joins the fleet, and leads it if nobody does. In an application that begins,
   * the leases are there when this resolves; which of them this worker gets shows soon after. Resolves once that is done, or, if {@link stop} was called meanwhile, once the worker has stopped. While it runs, another call returns the
   * first one's promise.
   *
   * @throws TableMismatchError if the lease table is not this application's, or the stream was recreated
   * @throws ServiceError if the stream does not exist, or Kinesis or DynamoDB refuse a call
   * @throws WorkerStoppedError if the worker has stopped before, or is stopping; the error that ended it is the cause
   */
  start(): Promise<void> {
    if (this.#state === 'idle') {
      this.#move('starting')
      this.#started = this.#start()
    }
    if (this.#started !== undefined && this.#isActive()) return this.#started
    const message = `This worker ${this.#state === 'stopped' ? 'has stopped' : 'is stopping'}. Make a new one to start again`
    return Promise.reject(new WorkerStoppedError(message, this.#failure && { cause: this.#failure }))
  }

  /**
   * Drains every shard, each as soon as the leader has found another worker for it, releases the leases and stops. Resolves when nothing runs any more, or when the grace is over:
   * then processors that have not returned lose their lease and can checkpoint no more. Never rejects because the worker
   * failed before. Called again, it returns the same promise; a shorter grace counts from then.
   *
   * @throws OptionError
   */
  async stop(options: StopOptions = {}): Promise<void> {
    const { graceMs, restarting } = resolveStop(options)
    this.#isRestarting ||= restarting
    this.#beginStop(graceMs)
    await this.#finished.promise.catch(() => {})
  }

  /** Stops with the default grace, at the end of the block of an `await using`. See {@link stop}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #start(): Promise<void> {
    const { signal } = this.#stopRequested
    try {
      await unlessAborted(this.#getReady(signal), signal)
      signal.throwIfAborted()
    } catch (error) {
      if (!signal.aborted) this.#fail(asConsumerError(error))
      await this.#finished.promise
      return
    }
    this.#move('running')
    this.#consumers.watch()
    this.#streams.watch()
    this.#emitter.emit('worker:started', {
      workerId: this.workerId,
      session: this.#member.session ?? '',
      streamName: this.#streams.label,
      tableName: this.#ports.store.tableName
    })
  }

  async #getReady(signal: AbortSignal): Promise<void> {
    await this.#prepare(signal)
    signal.throwIfAborted()
    await this.#member.start(signal)
  }

  #beginStop(graceMs: number): void {
    if (this.#state === 'stopped') return
    void this.#clock.sleep(graceMs, this.#graceOver.signal).then(() => this.#graceOver.abort())
    if (this.#state === 'stopping') return
    if (this.#state === 'idle') {
      this.#finish([])
      return
    }
    this.#move('stopping')
    this.#emitter.emit('worker:stopping', { workerId: this.workerId, graceMs })
    this.#stopRequested.abort(new WorkerStoppedError('The worker is stopping'))
    this.#shutDown(graceMs).catch(async error => {
      this.#failure ??= asConsumerError(error)
      this.#member.abandon()
      await this.#briefly(this.#factory.close()).catch(() => {})
      this.#finish([])
    })
  }

  async #shutDown(graceMs: number): Promise<void> {
    await Promise.race([this.#windDown(graceMs), whenAborted(this.#graceOver.signal)])
    const abandoned = this.#consumers.shardIds()
    await this.#briefly(this.#letGo())
    // What the tables did not let us give back in time will be found by the others: nothing must go on here.
    this.#member.abandon()
    // Threads that are inside native code end when that returns.
    await this.#briefly(this.#factory.close())
    if (this.#metrics) await this.#briefly(this.#metrics.close())
    this.#finish(abandoned)
  }

  /** Waits for what should not take long. */
  #briefly(work: Promise<void>): Promise<void> {
    return waitAtMost(this.#clock, RELEASE_MS, work)
  }

  /** Resolves when nothing is claimed or compared any more, and every consumer has drained. */
  async #windDown(graceMs: number): Promise<void> {
    const claimsOver = this.#member.stopClaiming(this.#isRestarting)
    const handOverMs = Math.min(graceMs * HANDOVER_SHARE, this.#settings.durationMs * HANDOVER_DURATIONS)
    if (!this.#isRestarting) await this.#member.handOver(handOverMs, this.#graceOver.signal)
    this.#isDrainingAll = true
    this.#fitConsumers()
    await claimsOver
    this.#fitConsumers()
    // A claim that landed while stopping has no consumer to drain.
    const unread = this.#member.held().filter(({ leaseKey }) => !this.#consumers.isBusy(leaseKey))
    await Promise.all([this.#consumers.whenIdle(), ...unread.map(tenure => this.#release(tenure))])
  }

  /** Gives back what is still held, without waiting for processors. */
  async #letGo(): Promise<void> {
    await this.#consumers.abandonAll()
    await Promise.all(this.#member.held().map(tenure => this.#release(tenure)))
    await this.#member.close()
  }

  #finish(abandoned: readonly string[]): void {
    this.#graceOver.abort()
    this.#consumers.close()
    this.#streams.close()
    this.#ports.close()
    this.#move('stopped')
    this.#emitter.emit('worker:stopped', { workerId: this.workerId, abandoned })
    if (this.#failure) this.#finished.reject(this.#failure)
    else this.#finished.resolve()
  }

  /** Stops the worker because of an error, which {@link finished} then carries. */
  #fail(error: ConsumerError): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#beginStop(DEFAULT_GRACE_MS)
  }

  #failedInBackground(during: string, error: unknown): void {
    if (this.#stopRequested.signal.aborted && !(error instanceof ServiceError)) return
    const failure = asConsumerError(error)
    this.#emitter.emit('error', { error: failure, during })
    const isHopeless = failure instanceof ServiceError && failure.kind === 'not-found'
    if (isHopeless || failure instanceof TableMismatchError) this.#fail(failure)
  }

  #fleetListener(): FleetListener {
    const emit = this.#emitter.emit.bind(this.#emitter)
    const events = leaseEvents(emit, lease => this.#streams.of(lease).names.streamName)
    return {
      ...fleetEvents(emit),
      taken: (tenure, why) => {
        events.taken(tenure, why)
        this.#fitConsumers()
      },
      revoked: tenure => {
        events.revoked(tenure)
        this.#fitConsumers()
      },
      ended: (tenure, how, because) => {
        events.ended(tenure, how, because)
        if (how === 'gone') void this.#member.rebuild(tenure)
      },
      carriedOut: () => this.#fitConsumers(),
      unassigned: leaseKeys => {
        if (this.#isActive()) events.neglected(leaseKeys)
      },
      failed: (during, error) => this.#failedInBackground(during, error)
    }
  }

  #fitConsumers(): void {
    const held = this.#member.held()
    this.#streams.expect(held)
    this.#consumers.fit(held, { mayStart: this.#isActive(), drainAll: this.#isDrainingAll })
  }

  /** Whether leases may be claimed and shards begun. */
  #isActive(): boolean {
    return this.#state === 'starting' || this.#state === 'running'
  }

  #shardListener(tenure: Tenure): ShardListener {
    const { names, ports } = this.#streams.of(tenure.lease)
    const events = shardEvents(this.#emitter.emit.bind(this.#emitter), tenure, names.streamName)
    return answeringShard(events, tenure, {
      ...{ member: this.#member, kinesis: ports.kinesis },
      fail: error => this.#fail(error),
      failedInBackground: (during, error) => this.#failedInBackground(during, error)
    })
  }

  /** A consumer that broke leaves a lease that would be renewed but never read. */
  async #letGoOf(tenure: Tenure, error: unknown): Promise<void> {
    if (error !== undefined) {
      this.#emitter.emit('error', { error: asConsumerError(error), during: `consume ${tenure.shardId}` })
      this.#member.avoid(tenure)
    }
    if (!tenure.hasEnded) await this.#release(tenure)
  }

  #consumerDone(): void {
    this.#fitConsumers()
    this.#member.nudge()
  }

  #release(tenure: Tenure): Promise<void> {
    return tenure.release().catch(() => tenure.abandon('it could not be released'))
  }

  #move(to: WorkerState): void {
    if (!mayFollow(this.#state, to)) throw new BugError(`A worker cannot go from ${this.#state} to ${to}`)
    this.#state = to
  }
}
