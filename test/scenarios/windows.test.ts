// Tumbling windows in whole fleets: workers crash and hand over, shards split and merge, nothing arrives, or too late. What
// is stored for each window adds up to every record, once.
import { expect } from 'chai'
import type { FaultProfileName } from '../../src/testing/faults.ts'
import { simulate, type World } from '../../src/testing/simulation.ts'
import { tumblingWindows } from '../../src/windows/tumbling-windows.ts'
import type { ClosingWindow, TumblingWindowsOptions } from '../../src/windows/window-options.ts'
import type { WorkerOptions } from '../../src/worker/options.ts'
import { seeds } from '../support/seeds.ts'

const STREAM = 'clicks'
const WINDOW_MS = 10_000
type Counts = Map<string, number>

interface Stored {
  readonly counts: Counts
  readonly fencingToken: number
  readonly closedAtMs: number
}

/** A fleet that counts clicks by key and window, and the table in which it stores what the windows come to. */
class Fleet {
  readonly world: World
  readonly table = new Map<string, Stored>()
  readonly closings: ClosingWindow<Counts>[] = []
  readonly options: WorkerOptions
  readonly windows: ReturnType<typeof tumblingWindows<Counts>>
  readonly #put: Counts = new Map()

  constructor(
    seed: number,
    {
      shards = 2,
      faults = 'none',
      ...more
    }: Partial<TumblingWindowsOptions<Counts>> & { shards?: number; faults?: FaultProfileName } = {}
  ) {
    // Open windows are read again by every next owner, which the world takes for needless.
    this.world = simulate({ seed, faults, onViolation: 'collect' })
    this.world.kinesis.createStream(STREAM, shards)
    this.windows = tumblingWindows<Counts>({
      windowMs: WINDOW_MS,
      open: () => new Map(),
      add: (counts, { partitionKey }) => void counts.set(partitionKey, (counts.get(partitionKey) ?? 0) + 1),
      close: closing => this.#store(closing),
      clock: this.world.clock,
      ...more
    })
    this.options = {
      ...{ streamName: STREAM, applicationName: 'click-windows', startAt: 'TRIM_HORIZON' },
      processor: this.windows
    }
  }

  /** Puts a record of one of twenty keys each half second. */
  async load(ms: number, step: () => Promise<void> | void = () => {}): Promise<void> {
    for (let passed = 0; passed < ms; passed += 500) {
      this.put(`user-${Math.floor(this.world.random.next() * 20)}`)
      await this.world.advance(500)
      await step()
    }
  }

  put(key: string, data = 'click'): void {
    this.#put.set(key, (this.#put.get(key) ?? 0) + 1)
    this.world.kinesis.put(STREAM, key, data)
  }

  /** Waits until every window is closed, and expects that all of them together have every record once. */
  async expectTotals(): Promise<void> {
    const { world } = this
    await world.until(() => this.#isComplete(), 400_000).catch(() => {})
    expect(this.#totals(), `SEED=${world.seed}`).to.deep.equal(new Map([...this.#put].sort()))
    const others = world.violations.filter(({ kind }) => kind !== 'graceful-duplicate')
    expect(others, `SEED=${world.seed}`).to.deep.equal([])
    await world.stopAll()
  }

  #isComplete(): boolean {
    const sum = (counts: Counts): number => [...counts.values()].reduce((a, b) => a + b, 0)
    return sum(this.#totals()) === sum(this.#put)
  }

  #totals(): Counts {
    const totals: Counts = new Map()
    for (const { counts } of this.table.values()) {
      for (const [key, count] of counts) totals.set(key, (totals.get(key) ?? 0) + count)
    }
    return new Map([...totals].sort())
  }

  #store(closing: ClosingWindow<Counts>): void {
    const { id, state: counts, fencingToken } = closing
    if (fencingToken < (this.table.get(id)?.fencingToken ?? 0)) return
    this.closings.push(closing)
    this.table.set(id, { counts, fencingToken, closedAtMs: this.world.clock.epochMs() })
  }
}

describe('tumbling windows in a fleet', () => {
  it('count every record once when a worker crashes', async () => {
    for (const seed of seeds(5)) {
      const fleet = new Fleet(seed)
      const victim = await fleet.world.start(fleet.options)
      await fleet.world.start(fleet.options)
      await fleet.load(47_000)
      fleet.world.crash(victim)
      await fleet.load(60_000)
      await fleet.expectTotals()
    }
  })

  it('count every record once when shards are handed over, and close nothing early for that', async () => {
    for (const seed of seeds(5)) {
      const fleet = new Fleet(seed, { shards: 4 })
      const first = await fleet.world.start(fleet.options)
      await fleet.load(33_000)
      await fleet.world.start(fleet.options)
      await fleet.load(60_000)
      void first.stop()
      await fleet.load(40_000)
      await fleet.expectTotals()
      expect(fleet.closings.filter(({ reason }) => reason !== 'complete')).to.deep.equal([])
      expect(fleet.closings.length, `SEED=${seed}: closed twice`).to.equal(fleet.table.size)
    }
  })

  it('end with their shard when it is split or merged, and go on in its children', async () => {
    for (const seed of seeds(5)) {
      const fleet = new Fleet(seed)
      await fleet.world.start(fleet.options)
      await fleet.load(33_000)
      fleet.world.split(STREAM)
      await fleet.load(33_000)
      fleet.world.merge(STREAM)
      await fleet.load(33_000)
      await fleet.expectTotals()
      const early = fleet.closings.filter(({ reason }) => reason === 'shard-end')
      expect(new Set(early.map(({ shardId }) => shardId)).size, `SEED=${seed}`).to.be.within(1, 3)
    }
  })

  it('close by the clock on a shard that is quiet, within seconds of their end', async () => {
    for (const seed of seeds(3)) {
      const fleet = new Fleet(seed, { shards: 1 })
      await fleet.world.start(fleet.options)
      await fleet.load(25_000)
      await fleet.world.advance(20_000)
      const closedLate = [...fleet.table].map(
        ([id, { closedAtMs }]) => closedAtMs - Number(id.split('/')[1]) - WINDOW_MS
      )
      expect(Math.max(...closedLate), `SEED=${seed}`).to.be.within(5_000, 8_000)
      await fleet.expectTotals()
    }
  })

  it('take records that are out of order, and count late ones in the next window', async () => {
    for (const seed of seeds(5)) {
      const fleet = new Fleet(seed, { timeOf: record => Number(record.text()), allowedLatenessMs: 3_000 })
      const { world } = fleet
      const victim = await world.start(fleet.options)
      await world.start(fleet.options)
      for (let n = 0; n < 300; n++) {
        const lateMs = world.random.next() * (n % 10 === 0 ? 20_000 : 3_000)
        fleet.put(`user-${n % 20}`, String(world.clock.epochMs() - Math.round(lateMs)))
        await world.advance(300)
        if (n === 200) world.crash(victim)
      }
      await fleet.expectTotals()
      const { late } = fleet.windows.counts()
      expect(late, `SEED=${seed}`).to.be.greaterThan(5)
    }
  })

  for (const faults of ['rough', 'hostile'] as const) {
    it(`count every record once in a world that is ${faults}, with crashes, pauses, splits and merges`, async () => {
      for (const seed of seeds(5)) {
        const fleet = new Fleet(seed, { faults })
        const { world } = fleet
        await world.start(fleet.options)
        await fleet.load(180_000, async () => {
          const running = world.workers.filter(({ isRunning }) => isRunning)
          const one = running[Math.floor(world.random.next() * running.length)]
          const draw = Math.floor(world.random.next() * 60)
          if (draw === 0 && one && running.length > 1) world.crash(one)
          if (draw === 1 && one) world.pause(one, 1_000 + world.random.next() * 30_000)
          if (draw === 2 && running.length < 4) world.launch(fleet.options)
          if (draw === 3 && world.kinesis.shards(STREAM).length < 12) world.split(STREAM)
          if (draw === 4 && one && running.length > 1) void one.stop()
        })
        world.launch(fleet.options)
        await fleet.expectTotals()
      }
    })
  }
})
