// How fast shards are polled: what an application sees of them, what several applications leave one another, and how many
// calls it takes. In virtual time, against limits that are those of Kinesis.
import { expect } from 'chai'
import { ByteBudget } from '../../src/retrieval/byte-budget.ts'
import { PollingRetriever } from '../../src/retrieval/polling-retriever.ts'
import { ShardPaces } from '../../src/retrieval/shard-paces.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { seedOr } from '../support/seeds.ts'

const STREAM = 'orders'
const KIB = 1024
const MIB = 1024 * KIB
const SEED = seedOr(1)

interface Call {
  readonly atMs: number
  readonly records: number
  readonly bytes: number
  readonly wasRefused: boolean
}

interface ApplicationOptions {
  readonly name: number
  readonly maxRecords?: number
  readonly otherApplications?: number
  /** How long a call takes on its way there, and back; 0 to twice as long. Milliseconds; default 0. */
  readonly tripMs?: number
}

/** Applications that poll the same stream, each with a worker. */
class Polled {
  readonly clock = new VirtualClock(undefined, { settlingTurns: 1 })
  readonly kinesis = new FakeKinesis({ clock: this.clock, enforceLimits: true })
  readonly shardIds: readonly string[]

  constructor(shards = 1) {
    this.kinesis.createStream(STREAM, shards)
    this.shardIds = this.kinesis.shards(STREAM).map(({ shardId }) => shardId)
  }

  /** Starts to poll every shard. Records are done with at once. */
  poll({ name, maxRecords = 10_000, otherApplications = 0, tripMs = 0 }: ApplicationOptions) {
    const { clock } = this
    const random = seededRandom(SEED * 1_000 + name)
    const paces = new ShardPaces({ idleMs: 250, otherApplications, clock, random })
    const budget = new ByteBudget({ maxBytes: 1024 * MIB, maxShardBytes: 32 * MIB })
    const calls: Call[] = []
    const seen: { readonly text: string; readonly atMs: number; readonly latencyMs: number }[] = []
    const port = this.kinesis.port(STREAM)
    const trip = async () => {
      if (tripMs > 0) await clock.sleep(2 * tripMs * random.next())
    }
    const kinesis = {
      ...port,
      getRecords: async (iterator: string, options: { readonly limit: number }) => {
        await trip()
        const atMs = clock.monotonicMs()
        try {
          const answer = await port.getRecords(iterator, options)
          calls.push({ atMs, records: answer.records.length, bytes: answer.bytes, wasRefused: false })
          await trip()
          return answer
        } catch (error) {
          calls.push({ atMs, records: 0, bytes: 0, wasRefused: true })
          throw error
        }
      }
    }
    const read = async (shardId: string) => {
      await clock.sleep(500 * random.next())
      const retriever = new PollingRetriever({
        kinesis,
        shardId,
        start: { type: 'TRIM_HORIZON' },
        maxRecords,
        pace: paces.open(shardId),
        allowance: budget.open(),
        clock,
        random,
        listener: { onRead: () => {}, onRetry: () => {} }
      })
      for (;;) {
        const retrieved = await retriever.next(new AbortController().signal)
        if (retrieved.kind === 'end') return
        const atMs = clock.monotonicMs()
        for (const { data, arrivedAtMs = 0 } of retrieved.records) {
          seen.push({ text: new TextDecoder().decode(data), atMs, latencyMs: clock.epochMs() - arrivedAtMs })
        }
        retrieved.release()
      }
    }
    for (const shardId of this.shardIds) void read(shardId)
    return { calls, seen }
  }

  /** Puts a record again and again. Returns what was put. */
  trickle(everyMs: number): string[] {
    const put: string[] = []
    const next = (): void => {
      const text = `record-${put.length}`
      this.kinesis.put(STREAM, 'key', text)
      put.push(text)
      void this.clock.sleep(everyMs).then(next)
    }
    next()
    return put
  }
}

function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length * part)] ?? Number.NaN
}

describe('PollingRetriever, as one application among others', function () {
  this.timeout(120_000)

  it('hands on what is put within 300 ms, half of the time, with calls that take 40 ms', async () => {
    const world = new Polled()
    const { calls, seen } = world.poll({ name: 1, tripMs: 20 })
    const put = world.trickle(97)
    await world.clock.advance(120_000)
    const latenciesMs = seen.map(({ latencyMs }) => latencyMs)
    expect(percentile(latenciesMs, 0.5), `SEED=${SEED}`).to.be.below(200)
    expect(percentile(latenciesMs, 0.99), `SEED=${SEED}`).to.be.below(400)
    expect(seen.map(({ text }) => text)).to.deep.equal(put.slice(0, seen.length))
    expect(calls.filter(({ wasRefused }) => wasRefused)).to.deep.equal([])
    expect(calls.length / 120).to.be.within(3, 4)
  })

  for (const count of [2, 3, 5]) {
    it(`leaves room to others that it does not know of: ${count} applications are seldom refused`, async () => {
      const world = new Polled()
      const applications = Array.from({ length: count }, (_, name) => world.poll({ name, tripMs: 10 }))
      const put = world.trickle(97)
      await world.clock.advance(600_000)
      for (const { seen } of applications) {
        expect(seen.length, `SEED=${SEED}`).to.be.above(put.length - 50)
        expect(seen.map(({ text }) => text)).to.deep.equal(put.slice(0, seen.length))
      }
      const later = applications.map(({ calls }) => calls.filter(({ atMs }) => atMs > 60_000))
      const refused = later.flat().filter(({ wasRefused }) => wasRefused).length
      expect(refused / later.flat().length, `SEED=${SEED}`).to.be.below(0.02)
      const perSecond = later.map(calls => calls.length / 540)
      expect(Math.min(...perSecond), `SEED=${SEED} calls a second: ${perSecond}`).to.be.above(0.5)
      const latenciesMs = applications.flatMap(({ seen }) =>
        seen.filter(({ atMs }) => atMs > 60_000).map(({ latencyMs }) => latencyMs)
      )
      expect(percentile(latenciesMs, 0.5), `SEED=${SEED}`).to.be.below(200 * count)
      expect(percentile(latenciesMs, 0.99), `SEED=${SEED}`).to.be.below(2_500)
    })
  }

  it('is hardly ever refused where every application is told how many others there are', async () => {
    for (const others of [1, 2, 3, 4]) {
      const world = new Polled()
      const applications = Array.from({ length: others + 1 }, (_, name) =>
        world.poll({ name, otherApplications: others, tripMs: 10 })
      )
      world.trickle(97)
      await world.clock.advance(120_000)
      const calls = applications.flatMap(application => application.calls)
      expect(calls.filter(({ wasRefused }) => wasRefused).length / calls.length, `SEED=${SEED}`).to.be.below(0.02)
    }
  })

  it('takes all of a shard again some minutes after the others have left', async () => {
    const world = new Polled()
    const { calls } = world.poll({ name: 1 })
    let refuses = true
    world.kinesis.intercept = () => {}
    const other = world.kinesis.port(STREAM)
    const iterator = await other.getShardIterator(world.shardIds[0] ?? '', { type: 'TRIM_HORIZON' })
    const greedy = async () => {
      while (refuses) {
        await other.getRecords(iterator, { limit: 1 }).catch(() => {})
        await world.clock.sleep(150)
      }
    }
    void greedy()
    await world.clock.advance(60_000)
    refuses = false
    await world.clock.advance(600_000)
    const last = calls.filter(({ atMs }) => atMs > 630_000)
    expect(last.length / 30).to.be.within(3.9, 4.1)
  })

  it('lets everybody drain a backlog of large records at the same time: nobody is locked out', async () => {
    const world = new Polled()
    const record = new Uint8Array(50 * KIB)
    for (let count = 0; count < 30_000; count++) world.kinesis.put(STREAM, 'key', record)
    const applications = [1, 2, 3].map(name => world.poll({ name, tripMs: 10 }))
    await world.clock.advance(600_000)
    const bytes = applications.map(({ seen }) => seen.length * record.length)
    expect(Math.min(...bytes), `SEED=${SEED} ${bytes}`).to.be.above(600 * 0.15 * MIB)
    expect(bytes.reduce((sum, each) => sum + each) / 600).to.be.above(1.4 * MIB)
  })

  it('keeps up with three fifths of what a shard has room for, in three applications', async () => {
    const world = new Polled()
    const record = new Uint8Array(40 * KIB)
    const applications = [1, 2, 3].map(name => world.poll({ name, tripMs: 10 }))
    for (let count = 0; count < 6_000; count++) {
      void world.clock.sleep(count * 100).then(() => world.kinesis.put(STREAM, 'key', record))
    }
    await world.clock.advance(600_000)
    for (const { seen, calls } of applications) {
      expect(seen.length, `SEED=${SEED}`).to.be.above(5_800)
      const later = calls.filter(({ atMs }) => atMs > 60_000)
      expect(later.filter(({ wasRefused }) => wasRefused).length / later.length, `SEED=${SEED}`).to.be.below(0.04)
    }
  })

  it('drains a backlog of large records at 2 MB a second', async () => {
    const world = new Polled()
    const record = new Uint8Array(50 * KIB)
    for (let count = 0; count < 2_000; count++) world.kinesis.put(STREAM, 'key', record)
    const { calls, seen } = world.poll({ name: 1 })
    await world.clock.advanceUntil(() => seen.length === 2_000)
    const bytes = 2_000 * 50 * KIB - (calls.at(-1)?.bytes ?? 0)
    const seconds = ((calls.at(-1)?.atMs ?? 0) - (calls[0]?.atMs ?? 0)) / 1_000
    expect(bytes / seconds / (2 * MIB)).to.be.within(0.95, 1.001)
    expect(calls.filter(({ wasRefused }) => wasRefused)).to.deep.equal([])
  })

  it('drains a backlog of small records at 5 reads a second', async () => {
    const world = new Polled()
    for (let count = 0; count < 20_000; count++) world.kinesis.put(STREAM, 'key', 'x')
    const { calls, seen } = world.poll({ name: 1, maxRecords: 100 })
    await world.clock.advanceUntil(() => seen.length === 20_000)
    const seconds = ((calls.at(-1)?.atMs ?? 0) - (calls[0]?.atMs ?? 0)) / 1_000
    expect(200 / seconds).to.be.within(4.75, 5.15)
    expect(calls.filter(({ wasRefused }) => wasRefused)).to.deep.equal([])
  })

  it('makes about 1,000 calls a second for 1,000 idle shards, and reads those with records as often as any', async () => {
    const world = new Polled(1_000)
    const { calls, seen } = world.poll({ name: 1 })
    await world.clock.advance(3_000)
    calls.length = 0
    await world.clock.advance(5_000)
    expect(calls.length / 5).to.be.within(900, 1_050)
    world.trickle(97)
    await world.clock.advance(2_000)
    seen.length = 0
    await world.clock.advance(3_000)
    expect(
      percentile(
        seen.map(({ latencyMs }) => latencyMs),
        0.5
      )
    ).to.be.below(200)
  })
})
