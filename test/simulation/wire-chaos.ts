// Worker processes on the real wire, killed, paused and stopped at random while records flow; then every record is
// accounted for. Not part of the tests, because it takes minutes.
// Run: npm run chaos -- [--minutes 10] [--workers 8] [--shards 64] [--rate 60] [--every 8] [--reshard]
//   [--seed N] [--keep] [--json]. `rate`: records a second; `every`: seconds between signals; `keep`: the ledgers.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { KinesisClient } from '@aws-sdk/client-kinesis'
import { emulatorEnvironment, SILENT_SDK } from '../../examples/support/emulator-environment.ts'
import type { Endpoints } from '../../examples/support/emulator-process.ts'
import { emulatorAt } from '../../examples/support/emulators.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { type Random, seededRandom } from '../../src/runtime/random.ts'
import { pollUntil } from '../support/poll.ts'
import { createStream } from '../support/streams.ts'
import { ChaosFleet } from './wire-chaos-fleet.ts'
import { type ChaosFigures, printReport } from './wire-chaos-report.ts'
import { openShards, Producer, reshard } from './wire-chaos-traffic.ts'
import { judgeChaos } from './wire-chaos-verdict.ts'

interface Options {
  readonly minutes: number
  readonly workers: number
  readonly shards: number
  readonly rate: number
  /** Seconds from one signal to the next, and a half more or less. */
  readonly every: number
  readonly isResharding: boolean
  readonly seed: number
  readonly isKept: boolean
  readonly isJson: boolean
}

const STREAM = 'chaos'
const PAUSE_MS = 30_000
const RESHARD_EVERY_MS = 45_000
const REPLACE_WITHIN_MS = 5_000
/** How many may be paused or not yet replaced at once, of eight. */
const DOWN_SHARE = 3 / 8
const SETTLE_WITHIN_MS = 90_000
const DRAIN_WITHIN_MS = 180_000
const POLL_MS = 1_000

/** One run, from the emulators to the ledgers. Everything it has started is gone after {@link dispose}. */
class ChaosRun {
  readonly folder = mkdtempSync(join(tmpdir(), 'millrace-chaos-'))
  readonly #options: Options
  readonly #random: Random
  readonly #children: ChildProcess[] = []
  readonly #over = new AbortController()
  readonly #startedMs = systemClock.monotonicMs()
  readonly #pending = new Set<Promise<unknown>>()
  #fleet: ChaosFleet | undefined
  #replacing = 0
  #reshards = 0

  constructor(options: Options) {
    this.#options = options
    this.#random = seededRandom(options.seed)
  }

  async run(): Promise<ChaosFigures> {
    const { shards, seed, rate, workers, isResharding, minutes } = this.#options
    const endpoints = await this.#startEmulators()
    const config = emulatorAt(endpoints.kinesis, async () => {}).clientConfig()
    const client = new KinesisClient({ ...config, maxAttempts: 1 })
    const env = { ...emulatorEnvironment(endpoints), STREAM, APPLICATION: 'chaos', IDLE_MS: '1000' }
    const fleet = new ChaosFleet({ env, folder: this.folder, say: what => this.say(what) })
    this.#fleet = fleet
    await createStream(client, shards, STREAM)
    await Promise.all(Array.from({ length: workers }, () => fleet.start()))
    this.say(`${workers} workers have started`)
    const producer = new Producer(seededRandom(seed + 1), shards)
    producer.start(client, STREAM, rate)
    await this.#untilAllRead(client, fleet)
    this.say(`all ${shards} shards are read: the chaos begins`)
    const busyBefore = busyCpu()
    const harm = [this.#harm(fleet)]
    if (isResharding) harm.push(this.#reshardNowAndThen(client))
    await Promise.race([Promise.all([...harm, producer.done]), systemClock.sleep(minutes * 60_000)])
    this.#over.abort()
    await Promise.all([...harm, ...this.#pending])
    const busy = busyCpu(busyBefore)
    await producer.stop()
    this.say(`the chaos is over: ${producer.produced} records to account for`)
    await this.#untilDelivered(fleet, producer.produced)
    await fleet.stopAll()
    await this.#readAgain(client, fleet)
    client.destroy()
    return {
      ...this.#options,
      produced: producer.produced,
      reshards: this.#reshards,
      busy,
      seconds: (systemClock.monotonicMs() - this.#startedMs) / 1_000,
      hits: fleet.hits,
      problems: fleet.problems,
      ledgers: fleet.ledgers(),
      verdict: judgeChaos(fleet.ledgers(), fleet.hits, producer.produced)
    }
  }

  say(what: string): void {
    console.log(`${((systemClock.monotonicMs() - this.#startedMs) / 1_000).toFixed(1).padStart(7)} s  ${what}`)
  }

  /** Ends every process at once. Does not wait. */
  dispose(): void {
    this.#over.abort()
    this.#fleet?.killAll()
    for (const child of this.#children) child.kill('SIGKILL')
  }

  async #startEmulators(): Promise<Endpoints> {
    const module = new URL('../../examples/support/emulator-process.ts', import.meta.url)
    const child = fork(module, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    this.#children.push(child)
    const [endpoints] = await once(child, 'message')
    return endpoints as Endpoints
  }

  /** Sends a random signal to a random worker, again and again, until the run is over. */
  async #harm(fleet: ChaosFleet): Promise<void> {
    const { signal } = this.#over
    for (;;) {
      await systemClock.sleep(this.#options.every * 1_000 * (0.5 + this.#random.next()), signal)
      if (signal.aborted) return
      const victims = fleet.able
      const worker = victims[Math.floor(this.#random.next() * victims.length)]
      const dice = this.#random.next()
      const replaceInMs = this.#random.next() * REPLACE_WITHIN_MS
      const down = fleet.paused + this.#replacing
      if (worker === undefined || down >= Math.floor(this.#options.workers * DOWN_SHARE)) continue
      if (dice < 0.2) {
        this.#inBackground(fleet.pause(worker, PAUSE_MS, signal))
        continue
      }
      if (dice < 0.6) fleet.kill(worker)
      else this.#inBackground(fleet.stop(worker))
      this.#inBackground(this.#replace(fleet, replaceInMs))
    }
  }

  async #replace(fleet: ChaosFleet, inMs: number): Promise<void> {
    this.#replacing += 1
    await systemClock.sleep(inMs)
    this.#replacing -= 1
    await fleet.start()
  }

  async #reshardNowAndThen(client: KinesisClient): Promise<void> {
    const { signal } = this.#over
    for (;;) {
      await systemClock.sleep(RESHARD_EVERY_MS * (0.5 + this.#random.next()), signal)
      if (signal.aborted) return
      this.say(await reshard(client, STREAM, this.#reshards, this.#random))
      this.#reshards += 1
    }
  }

  /** Resolves when every open shard is read by somebody. */
  async #untilAllRead(client: KinesisClient, fleet: ChaosFleet, since = 0): Promise<void> {
    const open = await openShards(client, STREAM)
    await this.#slowly(`every shard to be read`, SETTLE_WITHIN_MS, () => {
      const read = fleet
        .ledgers()
        .flatMap(({ life }) => life.filter(({ event, atMs }) => event === 'shard:read' && atMs >= since))
      const shardIds = new Set(read.map(({ shardId }) => shardId))
      return open.every(({ id }) => shardIds.has(id))
    })
  }

  /** Resolves when every record has been delivered, or that takes too long: then the verdict tells what is missing. */
  async #untilDelivered(fleet: ChaosFleet, produced: number): Promise<void> {
    const isDelivered = (): boolean => {
      const ids = fleet.ledgers().flatMap(({ entries }) => entries.given.flatMap(({ records }) => records))
      return new Set(ids.map(({ id }) => id)).size >= produced
    }
    await this.#slowly('every record to be delivered', DRAIN_WITHIN_MS, isDelivered).catch((error: Error) => {
      fleet.problems.push(error.message)
    })
  }

  /** One more worker after all have stopped reads every shard; whatever it is given had not been checkpointed. */
  async #readAgain(client: KinesisClient, fleet: ChaosFleet): Promise<void> {
    const since = systemClock.monotonicMs()
    await fleet.start()
    await this.#untilAllRead(client, fleet, since)
    await systemClock.sleep(2 * POLL_MS)
    await fleet.stopAll()
  }

  async #slowly(what: string, withinMs: number, check: () => boolean): Promise<void> {
    await pollUntil(
      what,
      async () => {
        await systemClock.sleep(POLL_MS)
        return check()
      },
      withinMs
    )
  }

  #inBackground(work: Promise<unknown>): void {
    const pending: Promise<unknown> = work.finally(() => this.#pending.delete(pending))
    this.#pending.add(pending)
  }
}

/** The share of the machine's processors that was busy since `before`; without it, a mark to measure from. */
function busyCpu(): { readonly idle: number; readonly total: number }
function busyCpu(before: { readonly idle: number; readonly total: number }): number
function busyCpu(before?: { readonly idle: number; readonly total: number }): unknown {
  const times = cpus().map(cpu => cpu.times)
  const idle = times.reduce((sum, time) => sum + time.idle, 0)
  const total = times.reduce((sum, { user, nice, sys, irq, idle }) => sum + user + nice + sys + irq + idle, 0)
  if (before === undefined) return { idle, total }
  return 1 - (idle - before.idle) / Math.max(1, total - before.total)
}

function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string', default: '10' },
      workers: { type: 'string', default: '8' },
      shards: { type: 'string', default: '64' },
      rate: { type: 'string', default: '60' },
      every: { type: 'string', default: '8' },
      seed: { type: 'string', default: String(Math.floor(Number(process.hrtime.bigint() % 1_000_000n))) },
      reshard: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false }
    }
  })
  const { minutes, workers, shards, rate, every, seed, reshard, keep, json } = values
  return {
    minutes: positive('--minutes', minutes),
    workers: positive('--workers', workers),
    shards: positive('--shards', shards),
    rate: positive('--rate', rate),
    every: positive('--every', every),
    seed: Number(seed),
    isResharding: reshard,
    isKept: keep,
    isJson: json
  }
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (value > 0 && Number.isFinite(value)) return value
  throw new Error(`${name} is ${JSON.stringify(text)}, expected a positive number`)
}

Object.assign(process.env, SILENT_SDK)
const options = readOptions(process.argv.slice(2))
const run = new ChaosRun(options)
// However this process ends, short of SIGKILL: a paused worker does not notice that its parent is gone.
process.once('exit', () => run.dispose())
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    rmSync(run.folder, { recursive: true, force: true })
    process.exit(130)
  })
}
const figures = await run.run()
const violations = printReport(figures)
if (violations === 0 && !options.isKept) rmSync(run.folder, { recursive: true, force: true })
else console.log(`The ledgers are kept in ${run.folder}`)
process.exit(violations === 0 ? 0 : 1)
