// Wires the parts together, starts and stops. What becomes of leases and shards is decided below; here it is only told on.
import type { ShardListener } from '../consumer/shard-listener.ts'
import type { KinesisPort } from '../kinesis/kinesis-port.ts'
import { LeaseCoordinator, type LeaseListener } from '../leases/lease-coordinator.ts'
import type { LeaseStore } from '../leases/lease-store.ts'
import type { Tenure } from '../leases/tenure.ts'
import {
  BugError,
  ConsumerError,
  messageOf,
  ServiceError,
  TableMismatchError,
  WorkerStoppedError
} from '../model/errors.ts'
import { unlessAborted, whenAborted } from '../runtime/abort.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { deferred } from '../runtime/deferred.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'
import { jittered, type Random, randomWord, systemRandom } from '../runtime/random.ts'
import { retry } from '../runtime/retry.ts'
import { ShardSyncer } from '../shards/shard-syncer.ts'
import { leaseEvents, shardEvents, syncEvents } from './event-sources.ts'
import { WorkerEmitter, type WorkerEventName, type WorkerListener } from './events.ts'
import { makeShardConsumer } from './make-shard-consumer.ts'
import { checkGroup, checkInteger } from './option-checks.ts'
import { type ResolvedOptions, resolveOptions, type WorkerOptions } from './options.ts'
import { openPorts, type WorkerPorts } from './ports.ts'
import { ShardConsumers } from './shard-consumers.ts'
import { mayFollow, type WorkerState } from './worker-state.ts'

/** How long a stop waits for the processors. */
export interface StopOptions {
  /** How long the processors may take to finish what they are at. Milliseconds, 0 to 3,600,000; default 30,000. */
  readonly graceMs?: number
}

/** For each step of the start. Beside it, the shard syncer tries each of its calls again by itself. */
const START_RETRY = { attempts: 8, backoff: { firstMs: 200, maxMs: 5_000 } }
/** How long giving leases back may take once the grace is over. */
const RELEASE_MS = 2_000
/** How many lease durations a worker leaves a shard to others after reading it failed. */
const AVOID_DURATIONS = 3

/** Leases shards, reads them, and has their records processed: one member of a fleet with the same application name. */
export class Worker {
  readonly #options: ResolvedOptions
  readonly #clock: Clock
  readonly #random: Random
  readonly #emitter: WorkerEmitter
  readonly #kinesis: KinesisPort
  readonly #store: LeaseStore
  readonly #closePorts: () => void
  readonly #session: string
  readonly #syncer: ShardSyncer
  readonly #coordinator: LeaseCoordinator
  readonly #consumers: ShardConsumers
  readonly #stopRequested = new AbortController()
  readonly #graceOver = new AbortController()
  readonly #finished = deferred()
  #state: WorkerState = 'idle'
  #started: Promise<void> | undefined
  #failure: ConsumerError | undefined
  #syncing: Loop | undefined

  /**
   * Checks the options; nothing is called or opened before {@link start}.
   *
   * @param ports other doors to time, chance, Kinesis and the lease table, for tests
   * @throws OptionError
   */
  constructor(options: WorkerOptions, ports: Partial<WorkerPorts> = {}) {
    this.#clock = ports.clock ?? systemClock
    this.#random = ports.random ?? systemRandom
    this.#options = resolveOptions(options, this.#random, this.#clock.epochMs())
    const { logger, leases, startAt, onRecreatedStream, workerId } = this.#options
    this.#session = `${workerId}/${randomWord(8, this.#random)}`
    this.#emitter = new WorkerEmitter(logger)
    const opened = openPorts(this.#options, this.#clock, ports)
    this.#kinesis = opened.kinesis
    this.#store = opened.store
    this.#closePorts = opened.close
    const shared = { clock: this.#clock, random: this.#random, logger, store: this.#store }
    const emit = this.#emitter.emit.bind(this.#emitter)
    this.#syncer = new ShardSyncer({
      ...shared,
      kinesis: this.#kinesis,
      startAt,
      onRecreatedStream,
      report: syncEvents(emit)
    })
    this.#coordinator = new LeaseCoordinator({
      ...shared,
      session: this.#session,
      durationMs: leases.durationMs,
      maxLeases: leases.maxLeases,
      serviceTimeMs: () => this.#syncer.serviceTimeMs(),
      isBusy: leaseKey => this.#consumers.isBusy(leaseKey),
      listener: this.#leaseListener()
    })
    const parts = {
      options: this.#options,
      clock: this.#clock,
      random: this.#random,
      kinesis: this.#kinesis,
      syncer: this.#syncer
    }
    this.#consumers = new ShardConsumers({
      makeConsumer: tenure => makeShardConsumer(tenure, parts, this.#shardListener(tenure)),
      letGo: (tenure, error) => this.#letGoOf(tenure, error),
      done: () => this.#consumerDone()
    })
  }

  /** Name of this worker. */
  get workerId(): string {
    return this.#options.workerId
  }

  /** Where the worker is in its life. */
  get state(): WorkerState {
    return this.#state
  }

  /** Shards whose leases this worker holds. */
  get shardIds(): string[] {
    return this.#coordinator.held().map(tenure => tenure.shardId)
  }

  /** Resolves when the worker has stopped; rejects with the error that ended it. */
  get finished(): Promise<void> {
    return this.#finished.promise
  }

  /**
   * Has `listener` called with every event of that name. What it throws, or rejects with, is logged and stops nothing.
   *
   * @throws OptionError if there is no event of that name, or the listener is not a function
   */
  on<Name extends WorkerEventName>(name: Name, listener: WorkerListener<Name>): this {
    this.#emitter.on(name, listener)
    return this
  }

  /** Has `listener` called with the next event of that name only. Otherwise like {@link on}. */
  once<Name extends WorkerEventName>(name: Name, listener: WorkerListener<Name>): this {
    this.#emitter.once(name, listener)
    return this
  }

  /** Takes `listener` away from the events of that name, however it was added and however often. */
  off<Name extends WorkerEventName>(name: Name, listener: WorkerListener<Name>): this {
    this.#emitter.off(name, listener)
    return this
  }

  /**
   * Creates the lease table if it is missing, compares it with the shards, and looks for leases. Resolves once that is
   * done, or, if {@link stop} was called meanwhile, once the worker has stopped. While it runs, another call returns the
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
   * Drains every shard, releases the leases and stops. Resolves when nothing runs any more, or when the grace is over:
   * then processors that have not returned lose their lease and can checkpoint no more. Never rejects because the worker
   * failed before. Called again, it returns the same promise; a shorter grace counts from then.
   *
   * @throws OptionError
   */
  async stop(options: StopOptions = {}): Promise<void> {
    const { graceMs } = checkGroup<StopOptions>('stop', options, ['graceMs'])
    const range = { min: 0, max: 3_600_000, unit: 'milliseconds' }
    this.#beginStop(checkInteger('stop.graceMs', graceMs, range, 30_000))
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
    this.#syncing = startLoop({
      clock: this.#clock,
      run: loopSignal => this.#sync(loopSignal),
      delayMs: () => jittered(this.#options.shardSyncIntervalMs, this.#random),
      onError: error => this.#failedInBackground('compare shards with leases', error),
      runAtOnce: false
    })
    this.#emitter.emit('worker:started', {
      workerId: this.workerId,
      session: this.#session,
      streamName: this.#kinesis.streamName,
      tableName: this.#store.tableName
    })
  }

  async #getReady(signal: AbortSignal): Promise<void> {
    const patiently = (what: string, work: () => Promise<unknown>): Promise<unknown> => {
      const retried = (error: unknown, inMs: number): void =>
        this.#options.logger.warn({ error, inMs, what }, 'a step of the start failed and is tried again')
      return retry(work, START_RETRY, { clock: this.#clock, random: this.#random, signal, retried })
    }
    // The stream first: a wrong name must not leave a table behind.
    await this.#syncer.find(signal)
    await patiently('prepare the lease table', () => this.#store.prepare(signal))
    await patiently('read the lease table', () => this.#syncer.open(signal))
    await patiently('compare shards with leases', () => this.#syncer.sync(signal))
    signal.throwIfAborted()
    await this.#coordinator.start()
  }

  async #sync(signal: AbortSignal): Promise<void> {
    const plan = await this.#syncer.sync(signal)
    if (plan.create.length > 0) this.#coordinator.nudge()
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
    this.#shutDown().catch(error => {
      this.#failure ??= asConsumerError(error)
      this.#finish([])
    })
  }

  async #shutDown(): Promise<void> {
    await Promise.race([this.#windDown(), whenAborted(this.#graceOver.signal)])
    const abandoned = this.#consumers.shardIds()
    const letGo = new AbortController()
    const lettingGo = this.#letGo().finally(() => letGo.abort())
    await Promise.race([lettingGo, this.#clock.sleep(RELEASE_MS, letGo.signal)])
    // Once more, and not waited for: where letting go hangs, nothing must go on renewing.
    void this.#coordinator.close()
    // What the table did not let us give back in time will expire.
    for (const tenure of this.#coordinator.held()) tenure.abandon('the worker has stopped')
    this.#finish(abandoned)
  }

  /** Resolves when nothing is claimed or compared any more, and every consumer has drained. */
  async #windDown(): Promise<void> {
    const claimsOver = this.#coordinator.stopClaiming()
    this.#fitConsumers()
    await Promise.all([this.#syncing?.stop(), claimsOver])
    this.#fitConsumers()
    // A claim that landed while stopping has no consumer to drain.
    const unread = this.#coordinator.held().filter(({ leaseKey }) => !this.#consumers.isBusy(leaseKey))
    await Promise.all([this.#consumers.whenIdle(), ...unread.map(tenure => this.#release(tenure))])
  }

  /** Gives back what is still held, without waiting for processors. */
  async #letGo(): Promise<void> {
    await this.#consumers.abandonAll()
    await Promise.all(this.#coordinator.held().map(tenure => this.#release(tenure)))
    await this.#coordinator.close()
  }

  #finish(abandoned: readonly string[]): void {
    this.#graceOver.abort()
    this.#closePorts()
    this.#move('stopped')
    this.#emitter.emit('worker:stopped', { workerId: this.workerId, abandoned })
    if (this.#failure) this.#finished.reject(this.#failure)
    else this.#finished.resolve()
  }

  /** Stops the worker because of an error, which {@link finished} then carries. */
  #fail(error: ConsumerError): void {
    this.#failure ??= error
    this.#beginStop(30_000)
  }

  #failedInBackground(during: string, error: unknown): void {
    if (this.#stopRequested.signal.aborted && !(error instanceof ServiceError)) return
    const failure = asConsumerError(error)
    this.#emitter.emit('error', { error: failure, during })
    const isHopeless = failure instanceof ServiceError && failure.kind === 'not-found'
    if (isHopeless || failure instanceof TableMismatchError) this.#fail(failure)
  }

  #leaseListener(): LeaseListener {
    const events = leaseEvents(this.#emitter.emit.bind(this.#emitter))
    return {
      taken: (tenure, why) => {
        events.taken(tenure, why)
        this.#fitConsumers()
      },
      requested: (tenure, by) => {
        events.requested(tenure, by)
        this.#fitConsumers()
      },
      ended: (tenure, how, because) => {
        events.ended(tenure, how, because)
        if (how !== 'gone') return
        this.#syncer.remember(tenure.lease)
        this.#syncing?.nudge()
      },
      planned: () => this.#fitConsumers(),
      neglected: leaseKeys => {
        if (this.#isActive()) events.neglected(leaseKeys)
      },
      failed: (during, error) => this.#failedInBackground(during, error)
    }
  }

  #fitConsumers(): void {
    this.#consumers.fit(this.#coordinator.held(), !this.#isActive())
  }

  /** Whether leases may be claimed and shards begun. */
  #isActive(): boolean {
    return this.#state === 'starting' || this.#state === 'running'
  }

  #shardListener(tenure: Tenure): ShardListener {
    const events = shardEvents(this.#emitter.emit.bind(this.#emitter), tenure)
    return {
      ...events,
      failed: failure => {
        events.failed(failure)
        if (failure.retryInMs !== undefined) return
        this.#coordinator.avoid(tenure.leaseKey, AVOID_DURATIONS * this.#options.leases.durationMs)
        this.#syncing?.nudge()
      },
      gaveUp: (error, lastResort) => {
        events.gaveUp(error, lastResort)
        if (lastResort === 'stop') this.#fail(error)
      },
      ended: childShardIds => {
        events.ended(childShardIds)
        this.#coordinator
          .adopt(childShardIds)
          .catch(error => this.#failedInBackground('claim the leases of child shards', error))
      }
    }
  }

  /** A consumer that broke leaves a lease that would be renewed but never read. */
  async #letGoOf(tenure: Tenure, error: unknown): Promise<void> {
    if (error !== undefined) {
      this.#emitter.emit('error', { error: asConsumerError(error), during: `consume ${tenure.shardId}` })
      this.#coordinator.avoid(tenure.leaseKey, AVOID_DURATIONS * this.#options.leases.durationMs)
    }
    if (!tenure.hasEnded) await this.#release(tenure)
  }

  #consumerDone(): void {
    this.#fitConsumers()
    if (this.#state === 'running') this.#coordinator.nudge()
  }

  #release(tenure: Tenure): Promise<void> {
    return tenure.release().catch(() => tenure.abandon('it could not be released'))
  }

  #move(to: WorkerState): void {
    if (!mayFollow(this.#state, to)) throw new BugError(`A worker cannot go from ${this.#state} to ${to}`)
    this.#state = to
  }
}

function asConsumerError(error: unknown): ConsumerError {
  if (error instanceof ConsumerError) return error
  return new BugError(messageOf(error), { cause: error })
}
