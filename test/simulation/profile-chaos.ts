// Everything goes wrong: workers crash, stand still, are cut off and replaced, their clocks run differently, their processors
// are slow or fail, calls are throttled and lost, shards split and merge. At the end the weather clears, and everything that
// was put has to have been processed.

import type { WorkerOptions } from '../../src/index.ts'
import { isClosed } from '../../src/model/shard.ts'
import {
  type Conduct,
  FAULT_PROFILES,
  type FaultProfileName,
  type Partition,
  type SimulatedWorker,
  type World
} from '../../src/testing/index.ts'
import type { ProcessorOption } from '../../src/worker/user-code-options.ts'
import type { Gauges } from './gauges.ts'
import type { Figures, Profile } from './seed-run.ts'

/** What runs in a world of chaos. Made once for each world. */
export interface ChaosCast {
  /** The options of the next worker, but for those that every one has. */
  readonly options: () => ProcessorOption & Pick<WorkerOptions, 'onProcessorError' | 'deadLetters'>
  readonly conduct: () => Conduct
  /** Puts a few records. */
  readonly put: () => void
  /** Does something else to a worker than what is done to it anyway. */
  readonly meddle?: (victim: SimulatedWorker) => void
  /** The weather has cleared: called again and again until everything is processed. */
  readonly mend?: () => void
  readonly figures: () => Figures
}

/** How much goes wrong. */
export interface ChaosOptions {
  readonly faults: FaultProfileName
  /** Something happens so often, on average. Milliseconds. */
  readonly everyMs: number
  /** Share of what happens that is a split or a merge. */
  readonly reshard: number
  /** Share of what happens that the cast does. Default 0. */
  readonly meddle?: number
  /** Default: handlers that are slow and fail now and then, and are called again until they succeed. */
  readonly cast?: (world: World) => ChaosCast
}

/** The stream of these worlds. */
export const STREAM = 'orders'
const FOR_MS = 420_000
const FEWEST = 2
const MOST = 8
const MOST_SHARDS = 16

/** A profile of chaos. */
export function chaos(options: ChaosOptions): Profile {
  return { world: { faults: options.faults }, tell: (world, gauges) => new Chaos(world, gauges, options).tell() }
}

class Chaos {
  readonly #world: World
  readonly #gauges: Gauges
  readonly #options: ChaosOptions
  readonly #cast: ChaosCast

  constructor(world: World, gauges: Gauges, options: ChaosOptions) {
    this.#world = world
    this.#gauges = gauges
    this.#options = options
    this.#cast = (options.cast ?? usualCast)(world)
  }

  async tell(): Promise<Figures> {
    const world = this.#world
    world.kinesis.createStream(STREAM, 2 + this.#upTo(5))
    for (let i = 0; i < 2 + this.#upTo(4); i++) this.#launch()
    let nextAtMs = this.#between(5_000, 30_000)
    while (world.clock.monotonicMs() < FOR_MS) {
      await world.advance(this.#between(200, 1_800))
      this.#cast.put()
      if (world.clock.monotonicMs() < nextAtMs) continue
      nextAtMs = world.clock.monotonicMs() + this.#between(0, 2 * this.#options.everyMs)
      this.#something()
    }
    await this.#clearUp()
    return { ...this.#cast.figures(), workers: world.workers.length }
  }

  /** The weather clears: whatever was begun is to come to its end, without help. */
  async #clearUp(): Promise<void> {
    const world = this.#world
    world.faults.profile = FAULT_PROFILES.calm
    for (const worker of world.workers) {
      if (!worker.isAlive) continue
      world.heal(worker)
      world.resume(worker)
    }
    // One that has room for everything: a fleet that is full leaves shards unread, and says so.
    const roomy = this.#launch(Number.POSITIVE_INFINITY)
    await this.#untilProcessed(roomy)
    await world.advance(60_000)
    await world.stopAll()
    world.assertNothingLost()
    world.assertSound()
  }

  async #untilProcessed(roomy: SimulatedWorker): Promise<void> {
    const { mend } = this.#cast
    if (mend === undefined) return this.#world.untilProcessed()
    const world = this.#world
    const untilMs = world.clock.monotonicMs() + 1_800_000
    for (let last = roomy; !world.isProcessed && world.clock.monotonicMs() < untilMs; ) {
      mend()
      // Its processor may have stopped it before that was mended.
      if (!last.isRunning) last = this.#launch(Number.POSITIVE_INFINITY)
      await world.advance(5_000)
    }
    world.assertNothingLost()
  }

  #something(): void {
    const { random } = this.#world
    const { meddle = 0, reshard } = this.#options
    if (meddle > 0 && random.next() < meddle) {
      const idle = this.#running().filter(({ isPaused }) => !isPaused)
      const victim = idle[this.#upTo(idle.length)]
      if (victim !== undefined) this.#cast.meddle?.(victim)
      return
    }
    if (random.next() < reshard) {
      this.#reshard()
      return
    }
    const some = this.#running().filter(({ isPaused, partition }) => !isPaused && partition === undefined)
    const victim = some[this.#upTo(some.length)]
    const draw = random.next()
    if (victim === undefined || (draw < 0.2 && this.#running().length < MOST)) this.#launch()
    else if (draw < 0.4) this.#crash(victim)
    else if (draw < 0.6) this.#world.pause(victim, this.#between(1_000, random.next() < 0.2 ? 180_000 : 25_000))
    else if (draw < 0.8) this.#cutOff(victim)
    else if (draw < 0.86) this.#world.faults.throttle('dynamodb', 0.8, 30_000)
    else if (draw < 0.9)
      this.#world.faults.outage(random.next() < 0.5 ? 'dynamodb' : 'kinesis', this.#between(2_000, 25_000))
    else if (draw < 0.93) victim.clock.jump(this.#between(-7_200_000, 7_200_000))
    else void victim.stop({ graceMs: this.#between(0, 40_000) })
  }

  #launch(maxLeases = this.#someLimit()): SimulatedWorker {
    const { random } = this.#world
    const { options, conduct } = this.#cast
    const worker = this.#world.launch(
      {
        streamName: STREAM,
        applicationName: 'indexer',
        startAt: 'TRIM_HORIZON',
        retrieval: { idleMs: 1_000 },
        shardSyncIntervalMs: 20_000,
        leases: { maxLeases },
        ...options()
      },
      { clockRate: 0.92 + random.next() * 0.16, conduct: conduct() }
    )
    worker.started.catch(() => {})
    return worker
  }

  /** One worker in five has a limit. */
  #someLimit(): number {
    return this.#world.random.next() < 0.2 ? 2 + this.#upTo(8) : Number.POSITIVE_INFINITY
  }

  #crash(victim: SimulatedWorker): void {
    this.#gauges.crashing(victim)
    this.#world.crash(victim)
    if (this.#running().length < FEWEST || this.#world.random.next() < 0.7) this.#launch()
  }

  #cutOff(victim: SimulatedWorker): void {
    const from: readonly Partition[] = ['dynamodb', 'kinesis', 'both', 'answers']
    this.#world.partition(victim, from[this.#upTo(from.length)] ?? 'both')
    void this.#world.clock.sleep(this.#between(3_000, 60_000)).then(() => this.#world.heal(victim))
  }

  #reshard(): void {
    const open = this.#world.kinesis.shards(STREAM).filter(shard => !isClosed(shard))
    if (open.length > 2 && (open.length >= MOST_SHARDS || this.#world.random.next() < 0.5)) this.#world.merge(STREAM)
    else this.#world.split(STREAM)
  }

  #running(): SimulatedWorker[] {
    return this.#world.workers.filter(({ isRunning, worker }) => isRunning && worker.state !== 'stopping')
  }

  #upTo(count: number): number {
    return Math.floor(this.#world.random.next() * count)
  }

  #between(least: number, most: number): number {
    return Math.floor(least + this.#world.random.next() * (most - least))
  }
}

/** Handlers that are slow and fail now and then, and are called again until they succeed. */
function usualCast(world: World): ChaosCast {
  const { random } = world
  let put = 0
  return {
    options: () => ({
      onProcessorError: { attempts: Number.POSITIVE_INFINITY, backoffMs: 200, maxBackoffMs: 5_000 },
      handler: () => {}
    }),
    conduct: () =>
      random.next() < 0.3 ? { takesMs: [0, 8_000], failing: 0.15 } : { takesMs: [0, 400], failing: 0.01 },
    put: () => {
      for (let i = 0; i < 4; i++) world.kinesis.put(STREAM, `key-${Math.floor(random.next() * 30)}`, `record-${put++}`)
    },
    figures: () => ({ records: put })
  }
}
