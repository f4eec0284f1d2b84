import { expect } from 'chai'
import { ShardLag } from '../../src/consumer/shard-lag.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import { TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aPosition } from '../support/builders.ts'

function aLag() {
  const clock = new VirtualClock()
  const shard = { settled: TRIM_HORIZON }
  const lag = new ShardLag({ clock, settled: () => shard.settled })
  /** Records with these numbers arrive now, and are read. */
  const read = (first: number, last = first, arrivedAtMs: number | undefined = clock.epochMs()): void => {
    const numbers = Array.from({ length: last - first + 1 }, (_, i) => first + i)
    const data = new Uint8Array()
    const made = numbers.map(
      number =>
        new ConsumedRecord({
          ...{ sequenceNumber: String(number), partitionKey: 'key', data },
          ...(arrivedAtMs !== undefined && { arrivedAtMs: arrivedAtMs + number - first })
        })
    )
    lag.told(0)
    lag.received(made)
  }
  const settle = (number: number): void => {
    shard.settled = aPosition(number)
  }
  return { clock, shard, lag, read, settle }
}

describe('ShardLag', () => {
  it('knows no lag of a shard that is quiet', async () => {
    const { clock, lag } = aLag()
    for (let i = 0; i < 30; i++) {
      await clock.advance(1_000)
      lag.told(0)
    }
    expect(lag.report()).to.deep.equal({ millisBehindLatest: 0, oldestUnsettledMs: 0, sinceProgressMs: 0 })
  })

  it('grows as long as a record is not settled, whatever Kinesis says meanwhile', async () => {
    const { clock, lag, read, settle } = aLag()
    read(1)
    for (const ageMs of [20_000, 40_000, 60_000]) {
      await clock.advance(20_000)
      lag.told(0)
      expect(lag.report()).to.deep.equal({
        millisBehindLatest: ageMs,
        oldestUnsettledMs: ageMs,
        sinceProgressMs: ageMs
      })
    }
    settle(1)
    lag.told(0)
    expect(lag.report()).to.deep.equal({ millisBehindLatest: 0, oldestUnsettledMs: 0, sinceProgressMs: 0 })
  })

  it('grows while nothing is heard of a shard, from when it was to be processed', async () => {
    const { clock, lag } = aLag()
    await clock.advance(500_000)
    lag.begins()
    await clock.advance(70_000)
    expect(lag.report()).to.deep.equal({ millisBehindLatest: 60_000, oldestUnsettledMs: 0, sinceProgressMs: 70_000 })
    lag.told(3_000)
    expect(lag.report()).to.deep.equal({ millisBehindLatest: 3_000, oldestUnsettledMs: 0, sinceProgressMs: 0 })
    lag.begins()
    await clock.advance(20_000)
    expect(lag.report()).to.deep.equal({
      millisBehindLatest: 13_000,
      oldestUnsettledMs: 0,
      sinceProgressMs: 20_000
    })
  })

  it('counts from the record that is next to be settled, not from one that is', async () => {
    const { clock, lag, read, settle } = aLag()
    read(1)
    settle(1)
    await clock.advance(3_600_000)
    read(2)
    await clock.advance(5_000)
    expect(lag.report().oldestUnsettledMs).to.equal(5_000)
    read(3)
    settle(2)
    expect(lag.report().oldestUnsettledMs).to.equal(0)
    await clock.advance(1_000)
    expect(lag.report().oldestUnsettledMs).to.equal(1_000)
  })

  it('knows the age of what is left of a large answer, to within an eighth of it', async () => {
    const { clock, lag, read, settle } = aLag()
    const arrivedAtMs = clock.epochMs()
    read(1, 8_000, arrivedAtMs)
    await clock.advance(10_000)
    for (const [number, oldest] of [
      [0, 0],
      [1, 0],
      [999, 0],
      [1_000, 1_000],
      [7_999, 7_000]
    ] as const) {
      settle(number)
      expect(lag.report().oldestUnsettledMs).to.equal(10_000 - oldest)
    }
    settle(8_000)
    expect(lag.report().oldestUnsettledMs).to.equal(0)
  })

  it('keeps growing when reading begins anew, and forgets what was read twice', async () => {
    const { clock, lag, read, settle } = aLag()
    const arrivedAtMs = clock.epochMs()
    read(1, 3, arrivedAtMs)
    read(4, 5, arrivedAtMs)
    settle(1)
    await clock.advance(30_000)
    read(2, 3, arrivedAtMs + 1)
    expect(lag.report().oldestUnsettledMs).to.equal(29_999)
    settle(3)
    expect(lag.report().oldestUnsettledMs).to.equal(0)
  })

  it('takes the time of reading for that of arrival, where the service does not say', async () => {
    const { clock, lag } = aLag()
    lag.received([new ConsumedRecord({ sequenceNumber: '1', partitionKey: 'key', data: new Uint8Array() })])
    await clock.advance(4_000)
    expect(lag.report().oldestUnsettledMs).to.equal(4_000)
  })

  it('takes each step for progress, as exactly as it is looked at', async () => {
    const { clock, lag, read, settle } = aLag()
    read(1, 10)
    await clock.advance(50_000)
    settle(5)
    lag.look()
    await clock.advance(2_000)
    lag.look()
    expect(lag.report().sinceProgressMs).to.equal(2_000)
  })
})
