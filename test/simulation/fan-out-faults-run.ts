// One run of fan-out faults: a worker that reads by fan-out over real HTTP/2, from a server that breaks its subscriptions in
// every way that it can, while records come and shards split and merge; until so many faults were met, and everything put
// since has been processed.
import { memoryUsage } from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { memoryLeaseStore, silentLogger, Worker, type WorkerEventName, type WorkerOptions } from '../../src/index.ts'
import type { FanOutPort } from '../../src/kinesis/fan-out-port.ts'
import { type Clock, systemClock } from '../../src/runtime/clock.ts'
import { type Random, seededRandom } from '../../src/runtime/random.ts'
import { closeWireServer, connectTo, STREAM, startWireServer, WireClock } from '../scenarios/fan-out-wire-world.ts'
import type { FanOutServer } from '../support/fan-out-server.ts'
import { pollUntil } from '../support/poll.ts'
import { CONSUMER, FaultDice } from './fan-out-faults-kinds.ts'
import { FaultRecords } from './fan-out-faults-records.ts'

/** How a run is set up. */
export interface FaultRunOptions {
  /** How many faults are to be met. */
  readonly faults: number
  readonly seed: number
  /** Open shards at the beginning, and about as many later. */
  readonly shards: number
  /** Whether the server speaks TLS, as the service does. */
  readonly tls: boolean
  /** How many times faster than the world the time of the worker and of the service runs. */
  readonly speed: number
  /** What to do while fan-out does not work. With `none`, nothing but fan-out delivers. */
  readonly fallback: 'polling' | 'none'
  /** Kinesis records a second, in all, of the time of the world. */
  readonly rate: number
  /** How long meeting the faults may take, and how long processing the rest. Milliseconds of the world. */
  readonly limitMs: number
  /** Whether to look at what memory is held, which stops the process for a moment each time. */
  readonly weighs?: boolean
  /** Is told how it goes. */
  readonly say?: (what: string) => void
}

/** What a run has found. */
export interface FaultFigures {
  readonly faults: number
  /** Faults met, by name. */
  readonly met: Readonly<Record<string, number>>
  /** Calls of SubscribeToShard, and HTTP/2 sessions, that there were. */
  readonly subscriptions: number
  readonly sessions: number
  readonly reshards: number
  readonly shards: number
  readonly records: number
  readonly lost: number
  /** Records that came again though they were settled, and those that did because their handler had failed. */
  readonly twice: number
  readonly again: number
  /** Times that a shard was polled for a while. */
  readonly fallbacks: number
  /** Events of the worker that tell of trouble, by name. */
  readonly events: Readonly<Record<string, number>>
  /** Memory held after a garbage collection, at each fifth of the faults, and after the worker has stopped. Megabytes. */
  readonly heldMb: readonly number[]
  /** The most memory there was resident. Megabytes. */
  readonly peakRssMb: number
  readonly seconds: number
  /** Everything that must not be, in words. None: the run is good. */
  readonly problems: readonly string[]
}

const TICK_MS = 20
const FAULTS_PER_DISASTER = 25
const FAULTS_PER_RESHARD = 20
/** One handler in so many fails; one in so many is slow. */
const FAILS_EVERY = 100
const SLOW_EVERY = 50
const SLOW_MS = 4_000
/** So many streams a session, so that a connection that breaks does not take every subscription along. */
const STREAMS_PER_SESSION = 8
const MAX_HELD_GROWTH_MB = 24
const CLOSED_WITHIN_MS = 5_000
const TROUBLE: readonly WorkerEventName[] = [
  ...(['shard:failed', 'shard:halted', 'shard:ended', 'shard:odd-records', 'processor:failed'] as const),
  ...(['lease:lost', 'session:died', 'session:suspended', 'worker:stalled', 'error'] as const)
]
/** What no fault of a subscription may lead to. */
const FATAL: readonly WorkerEventName[] = ['shard:halted', 'lease:lost', 'session:died', 'shard:odd-records']

/** Runs, and cleans up after itself. Rejects only where the run could not be made. */
export async function runFaults(options: FaultRunOptions): Promise<FaultFigures> {
  const run = new FaultRun(options)
  try {
    return await run.run()
  } finally {
    await run.dispose()
  }
}

class FaultRun {
  readonly #options: FaultRunOptions
  readonly #random: Random
  readonly #clock: Clock
  readonly #dice: FaultDice
  readonly #startedMs = systemClock.monotonicMs()
  readonly #problems: string[] = []
  readonly #events = new Map<string, number>()
  readonly #heldMb: number[] = []
  readonly #warned = ({ name, message }: Error): void => {
    // What Node says where listeners are added again and again, and never taken away.
    if (name === 'MaxListenersExceededWarning') this.#problems.push(message)
  }
  #server: FanOutServer | undefined
  #port: FanOutPort | undefined
  #worker: Worker | undefined
  #reshards = 0
  #fallbacks = 0
  #peakRssMb = 0

  constructor(options: FaultRunOptions) {
    const { seed, speed } = options
    this.#options = options
    this.#random = seededRandom(seed)
    this.#dice = new FaultDice(seededRandom(seed + 1))
    this.#clock = new WireClock(speed)
  }

  async run(): Promise<FaultFigures> {
    const { shards, seed, speed, tls } = this.#options
    process.on('warning', this.#warned)
    const server = await startWireServer(this.#clock, { tls, maxConcurrentStreams: STREAMS_PER_SESSION })
    this.#server = server
    server.kinesis.createStream(STREAM, shards)
    const records = new FaultRecords(server.kinesis, STREAM, seededRandom(seed + 2))
    const worker = this.#makeWorker(server, records)
    await worker.start()
    const atOnce = server.kinesis.shards(STREAM).length
    await pollUntil(
      'every shard to be subscribed to',
      () => server.subscriptions.size === atOnce,
      30_000 / speed + 5_000
    )
    server.chance = () => this.#dice.draw()
    server.line.cut()
    await this.#putUntilMet(server, records)
    server.chance = undefined
    await this.#untilSettled(records)
    await worker.stop()
    this.#port?.close()
    await this.#expectAllClosed(server)
    this.#weigh()
    return this.#figures(server, records)
  }

  async dispose(): Promise<void> {
    process.off('warning', this.#warned)
    await this.#worker?.stop({ graceMs: 0 })
    this.#port?.close()
    if (this.#server !== undefined) await closeWireServer(this.#server)
  }

  #makeWorker(server: FanOutServer, records: FaultRecords): Worker {
    const { fallback } = this.#options
    const { client, fanOut } = connectTo(server, this.#clock)
    this.#port = fanOut
    const options: WorkerOptions = {
      streamName: STREAM,
      applicationName: 'fan-out-faults',
      startAt: 'TRIM_HORIZON',
      retrieval: { mode: 'fan-out', consumerName: CONSUMER, fallback, maxBufferedBytes: 4 * 2 ** 20 },
      leases: { store: memoryLeaseStore(), durationMs: 120_000 },
      onProcessorError: { backoffMs: 100 },
      shardSyncIntervalMs: 10_000,
      kinesis: client,
      logger: silentLogger,
      handler: (given, { shardId }) => this.#handle(records.give(shardId, given))
    }
    const worker = new Worker(options, { clock: this.#clock, fanOut })
    this.#worker = worker
    for (const name of TROUBLE) worker.on(name, () => void this.#events.set(name, (this.#events.get(name) ?? 0) + 1))
    worker.on('shard:retrieval-changed', ({ mode }) => {
      if (mode === 'polling') this.#fallbacks += 1
    })
    return worker
  }

  async #handle(settle: () => void): Promise<void> {
    if (this.#isOneOf(SLOW_EVERY)) await this.#clock.sleep(SLOW_MS * this.#random.next())
    if (this.#isOneOf(FAILS_EVERY)) throw new Error('the handler fails now and then')
    settle()
  }

  /** Puts records and lets things happen until enough faults were met. */
  async #putUntilMet(server: FanOutServer, records: FaultRecords): Promise<void> {
    const { faults, rate, limitMs, say } = this.#options
    const begunMs = systemClock.monotonicMs()
    let [disasters, told, put] = [0, 0, 0]
    for (;;) {
      const sinceMs = systemClock.monotonicMs() - begunMs
      const { count } = this.#dice
      if (count >= faults) return
      if (sinceMs > limitMs) {
        this.#problems.push(`only ${count} faults were met within ${limitMs} ms`)
        return
      }
      for (const open = records.open(); put < (sinceMs / 1_000) * rate; put++) records.put(this.#oneOf(open))
      if (count >= (disasters + 1) * FAULTS_PER_DISASTER) {
        disasters += 1
        await this.#dice.strikeAll(server, STREAM)
      }
      if (count >= (this.#reshards + 1) * FAULTS_PER_RESHARD) this.#reshard(server, records)
      if (count >= ((this.#heldMb.length + 1) * faults) / 5) this.#weigh()
      if (count >= told + faults / 10) {
        told = count
        say?.(`${count} faults met, ${records.settled} of ${records.produced} records processed`)
      }
      this.#peakRssMb = Math.max(this.#peakRssMb, megabytes(memoryUsage.rss()))
      await systemClock.sleep(TICK_MS)
    }
  }

  /** Splits a shard, or merges two where there are more than at the beginning. */
  #reshard(server: FanOutServer, records: FaultRecords): void {
    this.#reshards += 1
    const open = records.open()
    const index = Math.floor(this.#random.next() * (open.length - 1))
    const [one, next] = open.slice(index)
    if (one === undefined || next === undefined) return
    if (open.length > this.#options.shards) server.kinesis.merge(STREAM, one.shardId, next.shardId)
    else server.kinesis.split(STREAM, one.shardId)
  }

  async #untilSettled(records: FaultRecords): Promise<void> {
    const isDone = (): boolean => records.settled >= records.produced
    await pollUntil('everything to be processed', isDone, this.#options.limitMs).catch(() => {})
  }

  /** What is left open once the worker has stopped is left open for ever. */
  async #expectAllClosed(server: FanOutServer): Promise<void> {
    const { line } = server
    await pollUntil('every connection to be closed', () => line.openConnections === 0, CLOSED_WITHIN_MS).catch(() => {
      this.#problems.push(`after the worker had stopped, there were ${line.openConnections} connections`)
    })
  }

  #figures(server: FanOutServer, records: FaultRecords): FaultFigures {
    const [early = 0] = this.#heldMb
    const late = this.#heldMb.at(-1) ?? 0
    if (late - early > MAX_HELD_GROWTH_MB) this.#problems.push(`memory held has grown from ${early} to ${late} MB`)
    for (const name of FATAL) if (this.#events.has(name)) this.#problems.push(`${name} was told`)
    const lost = records.produced - records.settled
    return {
      faults: this.#dice.count,
      met: Object.fromEntries([...this.#dice.met].sort(([a], [b]) => (a < b ? -1 : 1))),
      subscriptions: server.requests,
      sessions: server.sessionsEver,
      reshards: this.#reshards,
      shards: server.kinesis.shards(STREAM).length,
      records: records.produced,
      lost,
      twice: records.twice,
      again: records.again,
      fallbacks: this.#fallbacks,
      events: Object.fromEntries(this.#events),
      heldMb: this.#heldMb,
      peakRssMb: this.#peakRssMb,
      seconds: Math.round((systemClock.monotonicMs() - this.#startedMs) / 100) / 10,
      problems: [...records.problems, ...records.missing().slice(0, 10), ...this.#problems]
    }
  }

  #weigh(): void {
    if (!this.#options.weighs) return
    setFlagsFromString('--expose-gc')
    runInNewContext('gc')()
    const { heapUsed, external } = memoryUsage()
    this.#heldMb.push(megabytes(heapUsed + external))
  }

  #isOneOf(count: number): boolean {
    return this.#random.next() * count < 1
  }

  #oneOf<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random.next() * items.length)] as T
  }
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20)
}
