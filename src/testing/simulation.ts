// A world in which real workers run in virtual time: Kinesis and DynamoDB in memory, chance by seed, faults by name, and
// checks at every step. The same seed gives the same world, line by line, on every machine.
import { isClosed, type RangedShard } from '../model/shard.ts'
import { type Random, seededRandom } from '../runtime/random.ts'
import type { WorkerOptions } from '../worker/options.ts'
import type { StopOptions } from '../worker/stop-options.ts'
import { FakeKinesis, type StreamObserver } from './fake-kinesis.ts'
import { FAULT_PROFILES, FaultPlan, type FaultProfile, type FaultProfileName } from './faults.ts'
import type { DeliveryCall, DeliveryCounts } from './invariants.ts'
import { Journal, type JournalOptions } from './journal.ts'
import type { LeaseWrite } from './lease-writes.ts'
import type { Partition } from './network.ts'
import { PutLog } from './shard-ledger.ts'
import { SimulatedApplication } from './simulated-application.ts'
import { type OperatorTraits, SimulatedOperator } from './simulated-operator.ts'
import type { TablePair } from './simulated-tables.ts'
import { SimulatedWorker, type WorkerTraits } from './simulated-worker.ts'
import { SimulationError, type Violation, type ViolationKind } from './violation.ts'
import { VirtualClock } from './virtual-clock.ts'
import { describeEvent } from './worker-journal.ts'

/** How a world is set up. */
export interface SimulateOptions {
  /** Everything that chance decides follows from it. A whole number; default 1. */
  readonly seed?: number
  /** How the services behave: the name of a profile, or one of your own. Default `none`. */
  readonly faults?: FaultProfileName | FaultProfile
  /** How old an eventually consistent read may be. Milliseconds; default: as the profile says. */
  readonly lagMs?: number
  /** Whether shards answer 5 reads and 2 MB a second and throttle the rest. Default true. */
  readonly enforceLimits?: boolean
  /** Whether the end of a shard names its children, as the service does and some emulators do not. Default true. */
  readonly sendChildShards?: boolean
  /** What happens when an invariant breaks: time stops and the world rejects (`throw`, default), or it is noted (`collect`). */
  readonly onViolation?: 'throw' | 'collect'
  /** The command that shows the same world again, for messages. Default `SEED=` and the seed. */
  readonly replay?: string
  /** How much of the journal is kept, and where it is written. */
  readonly journal?: JournalOptions
  /** Turns of the event loop after each wake. Default 1: more are needed only for processors that wait for real I/O. */
  readonly settlingTurns?: number
  /** Puts other tables in the place of those in memory, for each application: to see whether the checks find out. */
  readonly sabotage?: (tables: TablePair) => TablePair
  /** Told of every write to a lease table, at the moment at which it is carried out. */
  readonly leaseWritten?: (write: LeaseWrite) => void
  /** Told of every call of a processor, before the code of the user is called. */
  readonly delivered?: (call: DeliveryCall) => void
}

/** Clocks may differ by so much before a worker cannot know in time that its session is over. */
const DRIFT_LIMIT = 1.2
const DEFAULT_LIMIT_MS = 600_000
const LOOK_EVERY_MS = 500

/** A world with nothing in it but an empty Kinesis. */
export function simulate(options: SimulateOptions = {}): World {
  return new World(options)
}

/** A simulated world. Time moves only while one of its methods is awaited. Made by {@link simulate}. */
export class World {
  /** The seed it was made with. */
  readonly seed: number
  /** Its time, in which everybody lives. */
  readonly clock: VirtualClock
  /** Its Kinesis. Streams are created, filled, split and merged here. */
  readonly kinesis: FakeKinesis
  /** What happened so far. */
  readonly journal: Journal
  /** What goes wrong with calls: may be changed and scripted at any time. */
  readonly faults: FaultPlan
  /** For what a test decides by chance. Not shared with the workers. */
  readonly random: Random
  /** Every worker there ever was, in the order of their starts. */
  readonly workers: SimulatedWorker[] = []
  /** The invariants that broke so far. */
  readonly violations: Violation[] = []
  readonly #options: SimulateOptions
  readonly #applications = new Map<string, SimulatedApplication>()
  /** By stream, by shard. */
  readonly #puts = new Map<string, Map<string, PutLog>>()
  readonly #seeds: Random

  constructor(options: SimulateOptions) {
    const { seed = 1, faults = 'none', settlingTurns = 1, enforceLimits = true, sendChildShards = true } = options
    this.#options = options
    this.seed = seed
    this.#seeds = seededRandom(seed)
    this.random = this.#newRandom()
    this.clock = new VirtualClock(undefined, { settlingTurns })
    this.journal = new Journal(options.journal)
    const profile = typeof faults === 'string' ? FAULT_PROFILES[faults] : faults
    this.faults = new FaultPlan(profile, this.#newRandom(), () => this.clock.monotonicMs())
    const observer = this.#streamObserver()
    this.kinesis = new FakeKinesis({ clock: this.clock, enforceLimits, sendChildShards, observer })
  }

  /** Starts a worker and moves time until it runs. Rejects as its `start()` does. */
  async start<Value>(options: WorkerOptions<Value>, traits?: WorkerTraits): Promise<SimulatedWorker> {
    const worker = this.launch(options, traits)
    await this.await(worker.started)
    return worker
  }

  /** Begins to start a worker, without moving time: for several at once. */
  launch<Value>(given: WorkerOptions<Value>, traits: WorkerTraits = {}): SimulatedWorker {
    const [{ name = `w${this.workers.length + 1}` }, options] = [traits, given as WorkerOptions]
    if (this.workers.some(worker => worker.name === name)) throw new RangeError(`There is a worker ${name} already`)
    this.#note(name, 'starts')
    const worker = new SimulatedWorker({
      ...{ name, traits, clock: this.clock, kinesis: this.kinesis, faults: this.faults },
      ...{ options, application: this.application(options), random: this.#newRandom() },
      heard: (event, payload) => {
        const line = describeEvent(event, payload)
        if (line !== undefined) this.#note(name, line.what, line.about)
      }
    })
    this.workers.push(worker)
    return worker
  }

  /** Somebody who operates the application that a worker with these options belongs to, from a process of its own. */
  operator(options: WorkerOptions, { name = 'operator' }: OperatorTraits = {}): SimulatedOperator {
    const shared = { clock: this.clock, kinesis: this.kinesis, faults: this.faults, random: this.#newRandom() }
    return new SimulatedOperator({ name, options, ...shared, application: this.application(options) })
  }

  /** The application that a worker with these options belongs to, with its tables. It begins with the first question. */
  application({
    streamName,
    streamArn = '',
    applicationName,
    leases,
    startAt,
    outOfRange
  }: WorkerOptions): SimulatedApplication {
    const tableName = leases?.tableName ?? applicationName
    const stream = streamName ?? streamArn.slice(streamArn.lastIndexOf('/') + 1)
    const known = this.#applications.get(`${tableName}|${stream}`)
    if (known !== undefined) return known
    const application = new SimulatedApplication(
      {
        streamName: stream,
        tableName,
        controlTableName: leases?.controlTableName ?? 'millrace-control',
        startAt: startAt ?? 'LATEST',
        mayDropOutside: outOfRange !== undefined && outOfRange !== 'deliver'
      },
      {
        clock: this.clock,
        random: this.#newRandom(),
        sabotage: this.#options.sabotage ?? (tables => tables),
        lagMs: () => this.#options.lagMs ?? this.faults.profile.lagMs,
        puts: this.#putsOf(stream),
        isThere: (shardId, sequenceNumber) => this.#isThere(stream, shardId, sequenceNumber),
        isDriftExcessive: () => this.#isDriftExcessive(),
        note: (who, what, about) => this.#note(who, what, about),
        violated: (kind, message, shardId) => this.#violated(kind, message, shardId),
        leaseWritten: write => this.#options.leaseWritten?.(write),
        delivered: call => this.#options.delivered?.(call)
      }
    )
    this.#applications.set(`${tableName}|${stream}`, application)
    return application
  }

  /** As SIGKILL: it does and hears nothing any more. What it has sent arrives. */
  crash(worker: SimulatedWorker): void {
    this.#note(worker.name, 'crashes')
    worker.gate.kill()
    worker.application.crashed(worker.gate)
  }

  /** As SIGSTOP: it does and hears nothing until it is resumed, while time passes. For `ms` milliseconds, if that is given. */
  pause(worker: SimulatedWorker, ms?: number): void {
    this.#note(worker.name, ms === undefined ? 'is paused' : `is paused for ${Math.round(ms)} ms`)
    worker.gate.close()
    if (ms !== undefined) void this.clock.sleep(ms).then(() => this.resume(worker))
  }

  /** As SIGCONT. Does nothing to a worker that has crashed, or was not paused. */
  resume(worker: SimulatedWorker): void {
    if (!worker.isPaused) return
    this.#note(worker.name, 'goes on')
    worker.gate.open()
  }

  /** Cuts a worker off from a service, from both, or from answers only. What is on its way is cut off, too. */
  partition(worker: SimulatedWorker, partition: Partition): void {
    this.#note(worker.name, `is cut off from ${partition}`)
    worker.partition = partition
  }

  /** Ends a partition. */
  heal(worker: SimulatedWorker): void {
    this.#note(worker.name, 'is cut off no more')
    worker.partition = undefined
  }

  /** Stops a worker as SIGTERM would, and moves time until it has stopped. */
  async stop(worker: SimulatedWorker, options?: StopOptions): Promise<void> {
    this.#note(worker.name, 'is to stop')
    await this.await(worker.stop(options))
  }

  /** Stops every worker that is alive, all at once, and moves time until they have stopped. Those paused go on first. */
  async stopAll(options?: StopOptions): Promise<void> {
    const running = this.workers.filter(({ isRunning }) => isRunning)
    for (const worker of running) this.resume(worker)
    await this.await(Promise.all(running.map(worker => worker.stop(options))))
  }

  /** Splits a shard, of those that are open one at random unless it is named. Returns the ids of the children. */
  split(streamName: string, shardId = this.#oneOf(this.#openShards(streamName)).shardId): [string, string] {
    return this.kinesis.split(streamName, shardId)
  }

  /** Merges a shard, one at random unless it is named, with the one that follows it. Returns the id of the child. */
  merge(streamName: string, shardId?: string): string {
    const open = this.#openShards(streamName)
    const first = shardId === undefined ? this.#oneOf(open.slice(0, -1)) : open.find(shard => shard.shardId === shardId)
    const next = open.find(({ hashKeyRange }) => hashKeyRange.start === (first?.hashKeyRange.end ?? 0n) + 1n)
    if (first === undefined || next === undefined) throw new RangeError(`No shard follows ${shardId ?? 'another one'}`)
    return this.kinesis.merge(streamName, first.shardId, next.shardId)
  }

  /** Moves time on by `ms` milliseconds. @throws SimulationError if an invariant breaks meanwhile */
  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms, () => this.#isOver())
    this.#throwIfOver()
  }

  /**
   * Moves time on until `isReached` holds, which is asked after each step.
   *
   * @throws SimulationError if an invariant breaks meanwhile
   * @throws Error if it does not hold within `maxMs` milliseconds of virtual time (default 600,000)
   */
  async until(isReached: () => boolean, maxMs = DEFAULT_LIMIT_MS): Promise<void> {
    let hasReached = false
    await this.clock.advance(maxMs, () => {
      hasReached = isReached()
      return hasReached || this.#isOver()
    })
    this.#throwIfOver()
    if (!hasReached && !isReached()) throw new Error(`Not reached within ${maxMs} ms. Replay: ${this.#replay()}`)
  }

  /** Moves time on until a promise is settled, and is settled like it. Otherwise like {@link until}. */
  async await<T>(promise: Promise<T>, maxMs = DEFAULT_LIMIT_MS): Promise<T> {
    let isSettled = false
    const settle = (): void => {
      isSettled = true
    }
    promise.then(settle, settle)
    await this.until(() => isSettled, maxMs)
    return promise
  }

  /**
   * Moves time on until everything that was put is processed by every application that has to. Gives up after `maxMs`
   * milliseconds (default 600,000), and then says what is missing.
   *
   * @throws SimulationError of kind `lost`, or of what broke meanwhile
   */
  async untilProcessed(maxMs = DEFAULT_LIMIT_MS): Promise<void> {
    const untilMs = this.clock.monotonicMs() + maxMs
    while (!this.isProcessed && this.clock.monotonicMs() < untilMs) await this.advance(LOOK_EVERY_MS)
    this.assertNothingLost()
  }

  /**
   * Says that nothing is left to be done: whatever was put, and has to be processed, is.
   *
   * @throws SimulationError of kind `lost`, with the shards and records that are not
   */
  assertNothingLost(): void {
    for (const application of this.#applications.values()) {
      for (const { shardId, places } of application.open()) {
        const some = places.length > 5 ? `${places.slice(0, 5).join(', ')} …` : places.join(', ')
        this.#violated('lost', `${places.length} records of ${shardId} are not processed: ${some}`, shardId)
      }
    }
    this.#throwIf('lost')
  }

  /** Says that no record of a key was first delivered after a later one of that key. @throws SimulationError */
  assertOrder(): void {
    this.#throwIf('order', 'child-early')
  }

  /** Says that nothing was delivered again unless something hard had happened. @throws SimulationError */
  assertNoGracefulDuplicates(): void {
    this.#throwIf('graceful-duplicate')
  }

  /** Says that no invariant broke. @throws SimulationError of the first that did */
  assertSound(): void {
    this.#throwIf()
  }

  /** How much was delivered, by all applications. */
  counts(): DeliveryCounts {
    const each = [...this.#applications.values()].map(({ counts }) => counts)
    const sum = (of: keyof DeliveryCounts): number => each.reduce((total, counts) => total + counts[of], 0)
    return {
      deliveries: sum('deliveries'),
      duplicates: sum('duplicates'),
      gracefulDuplicates: sum('gracefulDuplicates')
    }
  }

  #streamObserver(): StreamObserver {
    return {
      put: (streamName, { shardId, hashKeyRange }, record, explicitHashKey) => {
        const puts = this.#putsOf(streamName)
        const log = puts.get(shardId) ?? new PutLog()
        puts.set(shardId, log)
        log.add(record, hashKeyRange, explicitHashKey)
      },
      deleted: streamName => {
        this.#note('world', `deletes stream ${streamName}`)
        this.#putsOf(streamName).clear()
        for (const application of this.#applications.values()) {
          if (application.streamName === streamName) application.streamDeleted()
        }
      },
      resharded: (_, parents, children) => {
        const what = `continues ${parents.join(' and ')} by ${children.join(' and ')}`
        for (const shardId of [...parents, ...children]) this.#note('world', what, shardId)
      }
    }
  }

  #putsOf(streamName: string): Map<string, PutLog> {
    const puts = this.#puts.get(streamName) ?? new Map<string, PutLog>()
    this.#puts.set(streamName, puts)
    return puts
  }

  #isThere(streamName: string, shardId: string, sequenceNumber: string): boolean {
    if (!this.kinesis.hasShard(streamName, shardId)) return false
    const [oldest] = this.kinesis.records(streamName, shardId)
    return oldest !== undefined && oldest.sequenceNumber <= sequenceNumber
  }

  #openShards(streamName: string): RangedShard[] {
    const open = this.kinesis.shards(streamName).filter(shard => !isClosed(shard))
    return open.sort((a, b) => (a.hashKeyRange.start < b.hashKeyRange.start ? -1 : 1))
  }

  #oneOf<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.random.next() * items.length)]
    if (item === undefined) throw new RangeError('There is nothing to choose from')
    return item
  }

  /** Whether everything that was put is processed by every application that has to. */
  get isProcessed(): boolean {
    return [...this.#applications.values()].every(({ isDone }) => isDone)
  }

  #isDriftExcessive(): boolean {
    const rates = this.workers.map(({ clock }) => clock.rate)
    return Math.max(...rates) / Math.min(...rates) > DRIFT_LIMIT
  }

  #newRandom(): Random {
    return seededRandom(this.#seeds.next() * 2 ** 32)
  }

  #note(who: string, what: string, about?: string): void {
    this.journal.note(this.clock.monotonicMs(), who, what, about)
  }

  #violated(kind: ViolationKind, message: string, shardId?: string): void {
    const atMs = this.clock.monotonicMs()
    this.#note('world', `VIOLATION ${kind}: ${message}`, shardId)
    const log = shardId === undefined ? [] : this.journal.around(shardId)
    this.violations.push({ kind, message, atMs, seed: this.seed, log, ...(shardId !== undefined && { shardId }) })
  }

  #replay(): string {
    return this.#options.replay ?? `SEED=${this.seed}`
  }

  #isOver(): boolean {
    return this.violations.length > 0 && this.#options.onViolation !== 'collect'
  }

  #throwIfOver(): void {
    if (this.#isOver()) this.#throwIf()
  }

  #throwIf(...kinds: readonly ViolationKind[]): void {
    const violation = this.violations.find(({ kind }) => kinds.length === 0 || kinds.includes(kind))
    if (violation !== undefined) throw new SimulationError(violation, this.#replay())
  }
}
