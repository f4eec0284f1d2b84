// One worker of a simulated world: the real Worker, unchanged, and between it and the world a gate, a line and clocks of its
// own.
import { silentLogger } from '../runtime/logger.ts'
import { type Random, seededRandom } from '../runtime/random.ts'
import { WORKER_EVENT_NAMES, type WorkerEventName, type WorkerEvents } from '../worker/events.ts'
import type { WorkerOptions } from '../worker/options.ts'
import type { WorkerPorts } from '../worker/ports.ts'
import type { StopOptions } from '../worker/stop-options.ts'
import { Worker } from '../worker/worker.ts'
import type { Conduct } from './conduct.ts'
import type { FakeKinesis } from './fake-kinesis.ts'
import type { FaultPlan, ServiceName } from './faults.ts'
import { Gate, gatedClock } from './gate.ts'
import type { DeliveryCall } from './invariants.ts'
import { Line, type Partition } from './network.ts'
import type { SimulatedApplication, WorkerManner, WorkerWatch } from './simulated-application.ts'
import { controlStoreThrough, fanOutThrough, kinesisThrough, leaseStoreThrough } from './simulated-ports.ts'
import type { DriftingClock, VirtualClock } from './virtual-clock.ts'
import { watchedDeadLetters } from './watched-dead-letters.ts'
import { watchedDecode } from './watched-decode.ts'
import { type WatchOptions, watchedEach, watchedHandler, watchedProcessors } from './watched-processor.ts'

/** How a worker of a simulation differs from others, beside its options. */
export interface WorkerTraits {
  /** What it is called in the journal, and its worker id unless the options say another one. Default `w1`, `w2` … */
  readonly name?: string
  /** Speed of its monotonic clock. Default 1; 1.2 is a fifth fast. */
  readonly clockRate?: number
  /** How far its calendar is ahead. Milliseconds, default 0; negative: behind. */
  readonly calendarOffsetMs?: number
  /** How its processors behave, beside what the user's code does. */
  readonly conduct?: Conduct
  /** Puts something else in the place of its ports: to see whether the checks find out. */
  readonly sabotage?: (ports: WorkerPorts) => WorkerPorts
}

/** What a simulated worker is made of. */
export interface SimulatedWorkerParts {
  readonly name: string
  readonly options: WorkerOptions
  readonly traits: WorkerTraits
  readonly application: SimulatedApplication
  readonly kinesis: FakeKinesis
  readonly clock: VirtualClock
  readonly faults: FaultPlan
  /** The chance of this worker. */
  readonly random: Random
  /** Told of every event. */
  readonly heard: (name: WorkerEventName, event: object) => void
}

/** An event of a worker, when it came and whose it is. */
export type HeardEvent<Name extends WorkerEventName> = WorkerEvents[Name] & {
  /** Virtual milliseconds since the world began. */
  readonly atMs: number
  readonly worker: string
}

type Watching = Omit<WatchOptions<DeliveryCall>, 'watch'> & { readonly watch: WorkerWatch }

/** These are too many to keep. */
const NOT_KEPT: readonly WorkerEventName[] = ['shard:read', 'batch:processed']

/** A worker in a world. What happens to it is the business of the world: `world.crash(worker)` and so on. */
export class SimulatedWorker {
  /** What it is called in the journal. */
  readonly name: string
  /** The worker itself. */
  readonly worker: Worker
  /** Settled like `worker.start()`. Nobody has to listen to its rejection. */
  readonly started: Promise<void>
  /** Its clocks, which may be wrong. */
  readonly clock: DriftingClock
  /** What it is a worker of. */
  readonly application: SimulatedApplication
  /** Between its process and the world. */
  readonly gate: Gate
  readonly #line: Line
  readonly #watch: WorkerWatch
  readonly #events: HeardEvent<WorkerEventName>[] = []
  readonly #names: WorkerEventName[] = []

  /** Begins to start the worker. */
  constructor(parts: SimulatedWorkerParts) {
    const { name, options, traits, application, clock, faults, heard } = parts
    const { clockRate = 1, calendarOffsetMs = 0 } = traits
    this.name = name
    this.application = application
    this.gate = new Gate(name)
    this.clock = clock.drifting(clockRate, calendarOffsetMs)
    this.#line = new Line({ clock, gate: this.gate, faults, timeoutMs: timeoutsOf(options) })
    const ports = traits.sabotage?.(this.#ports(parts)) ?? this.#ports(parts)
    const watch = application.watchFor(this.gate, mannerOf(options, this.clock))
    this.#watch = watch
    const watching = { ...ports, watch, conduct: traits.conduct ?? {}, gate: this.gate }
    this.worker = new Worker(watched({ workerId: name, logger: silentLogger, ...options }, watching), ports)
    for (const event of WORKER_EVENT_NAMES) {
      this.worker.on(event, payload => {
        if (!NOT_KEPT.includes(event)) {
          this.#names.push(event)
          this.#events.push({ ...payload, atMs: clock.monotonicMs(), worker: name } as HeardEvent<WorkerEventName>)
        }
        heard(event, payload)
        watch.heard(event, payload)
      })
    }
    this.started = this.worker.start()
    this.started.catch(() => {})
  }

  /** Whether its process is there, if only standing still; false once it has crashed. */
  get isAlive(): boolean {
    return this.gate.isAlive
  }

  /** Whether its process stands still. */
  get isPaused(): boolean {
    return this.gate.isPaused
  }

  /** Whether it takes part in the fleet: alive, and not stopped. */
  get isRunning(): boolean {
    return this.isAlive && this.worker.state !== 'stopped'
  }

  /** What it is cut off from. May be changed at any time; the world's methods tell the journal, too. */
  get partition(): Partition | undefined {
    return this.#line.partition
  }

  /** Cuts it off, or not: `undefined` is from nothing. */
  set partition(partition: Partition | undefined) {
    this.#line.partition = partition
  }

  /** Shards whose leases it holds, as it believes. */
  get shardIds(): string[] {
    return this.worker.shardIds
  }

  /** Every event of one name so far, in order. Of reads and of processed batches none are kept. */
  events<Name extends WorkerEventName>(name: Name): HeardEvent<Name>[] {
    return this.#events.filter((_, index) => this.#names[index] === name) as HeardEvent<Name>[]
  }

  /** Stops it as its own process would, once that runs. Resolves when it has stopped; never, if it crashes. */
  async stop(options?: StopOptions): Promise<void> {
    await this.gate.pass()
    this.#watch.stopping(options?.graceMs)
    await this.worker.stop(options)
  }

  #ports({ name, application, kinesis, random }: SimulatedWorkerParts): WorkerPorts {
    const caller = { name, line: this.#line }
    return {
      clock: gatedClock(this.clock, this.gate),
      random: seededRandom(random.next() * 2 ** 32),
      kinesis: kinesisThrough(caller, kinesis.port(application.streamName)),
      fanOut: fanOutThrough(caller, kinesis.fanOut(application.streamName)),
      store: leaseStoreThrough(caller, application.tables.leaseStoreFor(name)),
      control: controlStoreThrough(caller, application.tables.controlStoreFor(name))
    }
  }
}

/** The options with the code of the user watched. Those that are no good are left for the worker to refuse. */
function watched(options: WorkerOptions, watching: Watching): WorkerOptions {
  const { handler, each, processor, deadLetters, decode } = options
  const code = {
    ...(typeof handler === 'function' && { handler: watchedHandler(handler, watching) }),
    ...(typeof each === 'function' && { each: watchedEach(each, watching) }),
    ...(typeof processor === 'function' && { processor: watchedProcessors(processor, watching) })
  }
  const letters = deadLetters && {
    deadLetters: watchedDeadLetters(deadLetters, { ...watching, conduct: watching.conduct.letters ?? {} })
  }
  const decoding = decode && { decode: watchedDecode(decode, watching.watch) }
  return { ...options, ...code, ...letters, ...decoding } as WorkerOptions
}

/** What the checks have to know of how a worker processes. */
function mannerOf(
  { handler, each, concurrency, onProcessorError, onDecodeError }: WorkerOptions,
  clock: DriftingClock
): WorkerManner {
  const { perShard = 1, by = 'key' } = concurrency ?? {}
  return {
    atOnce: perShard,
    keepsOrder: by === 'key',
    keepsMemory: handler === undefined && each === undefined,
    rules: onProcessorError ?? {},
    skipsUndecodable: onDecodeError === 'skip',
    clock
  }
}

/** How long the worker waits for an answer, as its options and its ports to AWS have it. */
function timeoutsOf({ retrieval, leases }: WorkerOptions): Record<ServiceName, number> {
  const dynamodb = Math.min(5_000, Math.max(500, (leases?.durationMs ?? 10_000) / 4))
  return { dynamodb, kinesis: retrieval?.requestTimeoutMs ?? 10_000 }
}
