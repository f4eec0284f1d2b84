// A small world in virtual time: one stream, one lease table, any number of workers, and what can happen to them. Each
// worker reaches the world through a gate, which can be closed for a while (SIGSTOP) or for ever (SIGKILL), and through
// ports that can be cut off, be slow, or fail at random.
import { expect } from 'chai'
import {
  type ConsumedRecord,
  type LeaseStore,
  memoryLeaseStore,
  type RecordProcessor,
  silentLogger,
  Worker,
  type WorkerEventName,
  type WorkerEvents,
  type WorkerOptions
} from '../../src/index.ts'
import type { ControlStore } from '../../src/leases/control-store.ts'
import { memoryControlStore } from '../../src/leases/memory-control-store.ts'
import { type MemoryKclCoordination, memoryKclCoordination } from '../../src/leases/memory-kcl-coordination.ts'
import type { EachHandler, Handler, HandlerContext } from '../../src/processor/handler-processor.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import { type Random, seededRandom } from '../../src/runtime/random.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import type { DriftingClock, VirtualClock } from '../../src/testing/virtual-clock.ts'
import type { BatchOptions, ConcurrencyOptions } from '../../src/worker/concurrency-options.ts'
import { WORKER_EVENT_NAMES } from '../../src/worker/events.ts'
import { type CallFate, gatedPort, type Intercept, meetFate, type WorldCall } from './call-fates.ts'
import { DeliveryLedger } from './deliveries.ts'
import { JobsClock } from './jobs-clock.ts'
import { laggingControl } from './lagging-control.ts'
import { laggingStore } from './lagging-store.ts'
import { LeaseHistory } from './lease-history.ts'

export const STREAM = 'orders'

export interface WorldOptions {
  readonly seed?: number
  /** Shards of the stream, which is not created for 0. Default 1. */
  readonly shards?: number
  readonly sendChildShards?: boolean
  readonly enforceLimits?: boolean
  /** Every call takes up to this long there, and up to this long back. Milliseconds, default 0. */
  readonly latencyMs?: number
  /** How old a row may be in a listing of the lease table. Milliseconds, default 0. */
  readonly listingLagMs?: number
  /** How old what a read of the control table shows may be that is not strongly consistent. Milliseconds, default 0. */
  readonly controlLagMs?: number
}

/** The options of a worker, all of which the world has defaults for. Without a handler or processor it keeps the ledger. */
export type WorldWorkerOptions = Partial<
  Omit<WorkerOptions, 'streamName' | 'streamArn' | 'handler' | 'processor' | 'each' | 'concurrency' | 'batch'>
> & {
  readonly streamName?: string
  /** Processes a batch; what it was given is in the ledger already. */
  readonly handler?: Handler
  readonly processor?: () => RecordProcessor
  /** Processes one record; it is in the ledger already. */
  readonly each?: EachHandler
  readonly concurrency?: ConcurrencyOptions
  readonly batch?: BatchOptions
  /** How fast the clocks of its machine run. Default 1. */
  readonly clockRate?: number
}

/** What becomes of the calls of one worker to one service. `down`: they are not carried out. `deaf`: their answers are lost. */
export type Link = 'up' | 'down' | 'deaf'

export class World {
  readonly seed: number
  readonly random: Random
  readonly clock: VirtualClock = new JobsClock()
  readonly kinesis: FakeKinesis
  readonly store: LeaseStore
  readonly control: ControlStore
  /** What Java workers of KCL 3.x and ours say to each other on the lease table. Nothing, to begin with. */
  readonly kcl: MemoryKclCoordination
  /** Every write of the lease table that landed. */
  readonly history: LeaseHistory
  readonly ledger = new DeliveryLedger()
  readonly members: Member[] = []
  readonly latencyMs: number
  /** The share of calls that fail, half of them after they were carried out. */
  failureRate = 0

  constructor(options: WorldOptions = {}) {
    const { seed = 1, shards = 1, latencyMs = 0, listingLagMs = 0, controlLagMs = 0, ...kinesis } = options
    this.seed = seed
    this.random = seededRandom(seed)
    this.kinesis = new FakeKinesis({ clock: this.clock, ...kinesis })
    this.history = new LeaseHistory(this.clock)
    const store = this.history.of(memoryLeaseStore({ tableName: 'app' }))
    const control = memoryControlStore({ tableName: 'control' })
    this.control = controlLagMs > 0 ? laggingControl(control, this.clock, this.random, controlLagMs) : control
    this.store = listingLagMs > 0 ? laggingStore(store, this.clock, this.random, listingLagMs) : store
    this.kcl = memoryKclCoordination(store)
    this.latencyMs = latencyMs
    if (shards > 0) this.kinesis.createStream(STREAM, shards)
  }

  /** A worker that is not started yet. */
  makeWorker(options: WorldWorkerOptions = {}): Member {
    const member = new Member(this, `w${this.members.length + 1}`, options)
    this.members.push(member)
    return member
  }

  /** A worker that runs: moves time until `start()` has resolved. */
  async startWorker(options: WorldWorkerOptions = {}): Promise<Member> {
    const member = this.makeWorker(options)
    await this.await(member.worker.start())
    return member
  }

  /** Moves time on until `promise` is settled, and is settled like it. */
  async await<T>(promise: Promise<T>, maxMs = 600_000): Promise<T> {
    let isSettled = false
    const settle = (): void => {
      isSettled = true
    }
    promise.then(settle, settle)
    await this.clock.advanceUntil(() => isSettled, maxMs)
    return promise
  }

  /** Puts a numbered record. */
  put(key: string, streamName = STREAM): number {
    const id = this.ledger.produce(key)
    this.kinesis.put(streamName, key, String(id))
    return id
  }

  /** Puts `count` numbered records of `keys` keys in turn. */
  putMany(count: number, keys = 20): void {
    for (let i = 0; i < count; i++) this.put(`key-${i % keys}`)
  }

  /** Puts `perTick` records of random keys every `everyMs` for `ms` milliseconds; `onTick` before each. */
  async load(
    ms: number,
    { everyMs = 250, perTick = 5, keys = 40, onTick = (): void => {} }: Partial<LoadOptions> = {}
  ): Promise<void> {
    const untilMs = this.clock.monotonicMs() + ms
    while (this.clock.monotonicMs() < untilMs) {
      onTick()
      for (let i = 0; i < perTick; i++) this.put(`key-${Math.floor(this.random.next() * keys)}`)
      await this.clock.advance(everyMs)
    }
  }

  /** Moves time on until everything that was put has been delivered. */
  async untilDelivered(maxMs = 300_000): Promise<void> {
    try {
      await this.clock.advanceUntil(() => this.ledger.isComplete, maxMs)
    } catch {
      expect(this.ledger.missing(), `SEED=${this.seed}: missing`).to.deep.equal([])
    }
  }

  /** Stops every worker that is alive. */
  async stopAll(): Promise<void> {
    const alive = this.members.filter(({ isAlive }) => isAlive)
    await this.await(Promise.all(alive.map(({ worker }) => worker.stop())))
  }

  /** How many leases each living worker holds, ascending. */
  loads(): number[] {
    return this.members
      .filter(({ isAlive, worker }) => isAlive && worker.state !== 'stopped')
      .map(({ worker }) => worker.shardIds.length)
      .sort((a, b) => a - b)
  }

  /** Every event of one name, of all workers, in order. */
  events<Name extends WorkerEventName>(name: Name): (WorkerEvents[Name] & { atMs: number; worker: string })[] {
    return this.members.flatMap(member => member.events(name)).sort((a, b) => a.atMs - b.atMs)
  }

  /** How long ahead or back one call takes. */
  async lag(): Promise<void> {
    if (this.latencyMs > 0) await this.clock.sleep(this.random.next() * this.latencyMs)
  }
}

interface LoadOptions {
  readonly everyMs: number
  readonly perTick: number
  readonly keys: number
  readonly onTick: () => void
}

/** One worker, and the gate between it and the world. */
export class Member {
  readonly name: string
  readonly worker: Worker
  /** Its calls to Kinesis, to both tables (`store`), and to each of them. */
  readonly links: { kinesis: Link; store: Link; leases: Link; control: Link } = {
    kinesis: 'up',
    store: 'up',
    leases: 'up',
    control: 'up'
  }
  /** Put a function here to decide about each of its calls. It comes before the links. */
  intercept: Intercept | undefined
  /** The clocks of its machine. */
  readonly machineClock: DriftingClock
  isAlive = true
  readonly #world: World
  readonly #heard: { atMs: number; name: WorkerEventName; event: object }[] = []
  #gate: { readonly opened: Promise<void>; readonly open: () => void } | undefined

  constructor(world: World, name: string, options: WorldWorkerOptions) {
    const { handler, processor, each, clockRate = 1, ...others } = options
    this.#world = world
    this.name = name
    this.machineClock = world.clock.drifting(clockRate)
    const given = {
      streamName: STREAM,
      applicationName: 'app',
      workerId: name,
      startAt: 'TRIM_HORIZON',
      logger: silentLogger,
      ...others,
      ...(processor ? { processor } : each ? { each: this.#notingEach(each) } : { handler: this.#noting(handler) })
    } as WorkerOptions
    this.worker = new Worker(given, {
      clock: this.clock,
      random: seededRandom(world.random.next() * 2 ** 32),
      kinesis: this.#gated('kinesis', world.kinesis.port(given.streamName ?? STREAM)),
      fanOut: this.#gated('kinesis', world.kinesis.fanOut(given.streamName ?? STREAM)),
      store: this.#gated('leases', world.store),
      control: this.#gated('control', world.control),
      kcl: this.#gated('leases', world.kcl)
    })
    this.#listen()
  }

  /** Time as this worker has it: while the gate is closed it hears nothing of it, but it passes. */
  get clock(): Clock {
    const clock = this.machineClock
    return {
      monotonicMs: () => clock.monotonicMs(),
      epochMs: () => clock.epochMs(),
      sleep: async (ms, signal) => {
        await clock.sleep(ms, signal)
        await this.pass()
      }
    }
  }

  /** As SIGKILL: it does and hears nothing any more. */
  crash(): void {
    this.pause()
    this.isAlive = false
  }

  /** As SIGSTOP. Calls on their way arrive, but it does not hear the answers. */
  pause(): void {
    if (this.#gate !== undefined) return
    let open = (): void => {}
    const opened = new Promise<void>(resolve => {
      open = resolve
    })
    this.#gate = { opened, open }
  }

  /** As SIGCONT. */
  resume(): void {
    const gate = this.#gate
    this.#gate = undefined
    gate?.open()
  }

  /** Resolves when the gate is open. */
  async pass(): Promise<void> {
    while (this.#gate !== undefined) await this.#gate.opened
  }

  events<Name extends WorkerEventName>(name: Name): (WorkerEvents[Name] & { atMs: number; worker: string })[] {
    return this.#heard
      .filter(heard => heard.name === name)
      .map(({ atMs, event }) => ({ ...(event as WorkerEvents[Name]), atMs, worker: this.name }))
  }

  /** Notes a delivery. Not of a worker that is dead. */
  note(records: readonly ConsumedRecord[], shardId: string): void {
    if (this.#gate === undefined) {
      const { ledger, clock } = this.#world
      ledger.deliver(this.name, shardId, records, clock.monotonicMs())
    }
  }

  #noting(handler: Handler | undefined): Handler {
    return async (records, context: HandlerContext) => {
      this.note(records, context.shardId)
      const result = await handler?.(records, context)
      await this.pass()
      return result
    }
  }

  #notingEach(each: EachHandler): EachHandler {
    return async (record, context) => {
      this.note([record], context.shardId)
      await each(record, context)
      await this.pass()
    }
  }

  #listen(): void {
    // Reads are too many to keep.
    for (const name of WORKER_EVENT_NAMES.filter(each => each !== 'shard:read')) {
      this.worker.on(name, event => {
        this.#heard.push({ atMs: this.#world.clock.monotonicMs(), name, event })
      })
    }
  }

  /** The calls of a port: each through the gate, there and back, as far as the link, the test and luck allow. */
  #gated<Port extends object>(service: WorldCall['service'], port: Port): Port {
    return gatedPort(port, (name, args, call, signal) => this.#call({ service, name, args }, call, signal))
  }

  async #call<T>(what: WorldCall, call: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const world = this.#world
    await this.pass()
    await world.lag()
    const outcome = await this.#attempt(what, call, signal).then(
      value => ({ value }),
      (error: unknown) => ({ error })
    )
    await world.lag()
    await this.pass()
    if ('error' in outcome) throw outcome.error
    return outcome.value
  }

  async #attempt<T>(what: WorldCall, call: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const fate = this.intercept?.(what) ?? this.#linkFate(what) ?? this.#luck()
    return fate === undefined ? call() : meetFate(fate, what.service, this.#world.clock, call, signal)
  }

  #linkFate({ service }: WorldCall): CallFate | undefined {
    const links = service === 'kinesis' ? [this.links.kinesis] : [this.links.store, this.links[service]]
    if (links.includes('down')) return { kind: 'lost-request' }
    return links.includes('deaf') ? { kind: 'lost-answer' } : undefined
  }

  #luck(): CallFate | undefined {
    const { random, failureRate } = this.#world
    const luck = failureRate > 0 ? random.next() : 1
    if (luck >= failureRate) return undefined
    if (luck < failureRate / 4) return { kind: 'throttled' }
    return { kind: luck < (failureRate * 3) / 4 ? 'lost-answer' : 'lost-request' }
  }
}
