import { expect } from 'chai'
import { AnswerDelivery } from '../../src/consumer/answer-delivery.ts'
import { LaneDelivery } from '../../src/consumer/lane-delivery.ts'
import { openDelivery } from '../../src/consumer/open-delivery.ts'
import type { ConsumedRecord } from '../../src/model/record.ts'
import { TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { LaneProcessor } from '../../src/processor/lane-processor.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { ShardWorld } from './shard-world.ts'

const LANES = { perShard: 8, by: 'none', maxInFlight: 100 } as const
const BATCHES = { maxRecords: 3, maxBytes: 1_000, windowMs: 2_000 }

describe('openDelivery', () => {
  it('opens what was asked for: answers, batches of a size of their own, or lanes', () => {
    const { signal } = new AbortController()
    const fake = { progress: { settled: TRIM_HORIZON }, keepsNothing: true, recordsPerCall: 1 }
    const open = (concurrency: typeof LANES | undefined, batch: typeof BATCHES | undefined) =>
      openDelivery({
        ...{ concurrency, batch, calls: fake as never, batches: {} as never, unpacker: {} as never },
        ...{ interrupt: signal, giveUp: signal, clock: new VirtualClock(), random: seededRandom(1) },
        listener: { batchProcessed: () => {}, failed: () => {} }
      })
    expect(open(undefined, undefined)).to.be.instanceOf(AnswerDelivery)
    expect(open(undefined, BATCHES)).to.be.instanceOf(LaneDelivery)
    expect(open(LANES, undefined)).to.be.instanceOf(LaneDelivery)
    expect(open(LANES, BATCHES)).to.be.instanceOf(LaneDelivery)
  })

  it('has batches of a size of their own follow each other, with what the processor checkpoints', async () => {
    const world = new ShardWorld()
    const put = world.put('a', 'b', 'c', 'd')
    const reports: string[] = []
    const running = world.run(
      await world.claim(),
      {},
      { batch: BATCHES, batchProcessed: ({ records, bytes }) => reports.push(`${records} of ${bytes}`) }
    )
    await world.clock.advance(1_000)
    expect(running.calls()).to.deep.equal(['initialize', 'records a b c'])
    expect(await world.checkpoint()).to.equal(put[2])
    await world.clock.advance(5_000)
    expect(running.calls()).to.deep.equal(['initialize', 'records a b c', 'records d'])
    expect(await world.checkpoint()).to.equal(put[3])
    expect(reports).to.deep.equal(['3 of 3', '1 of 1'])
    running.consumer.drain()
    await world.until(running)
    expect(world.budget.heldBytes).to.equal(0)
  })

  it('gives each no more than one record a call, whatever a batch may have', async () => {
    const world = new ShardWorld()
    const put = world.put('a', 'b', 'c')
    const seen: string[] = []
    world.run(
      await world.claim(),
      {},
      {
        ...{ concurrency: LANES, batch: { ...BATCHES, windowMs: 0 } },
        processor: () =>
          new LaneProcessor({ kind: 'each', each: (record: ConsumedRecord) => void seen.push(record.text()) })
      }
    )
    await world.clock.advance(5_000)
    expect(seen).to.deep.equal(['a', 'b', 'c'])
    expect(await world.checkpoint()).to.equal(put[2])
  })

  it('tells of a checkpoint that cannot be stored, goes on as far as it may, and stores it later', async () => {
    const world = new ShardWorld()
    const put = world.put(...'abcdefghij')
    const seen: string[] = []
    const running = world.run(
      await world.claim(),
      {},
      {
        concurrency: { ...LANES, perShard: 2, maxInFlight: 4 },
        processor: () => new LaneProcessor({ kind: 'each', each: async record => void seen.push(record.text()) })
      }
    )
    const { replace } = world.table
    let isBroken = true
    world.table.replace = async (...given) => {
      if (isBroken) throw new Error('a bug in the table')
      return replace.call(world.table, ...given)
    }
    await world.clock.advance(1_500)
    expect(seen.join('')).to.equal('abcd')
    expect(running.log.filter(line => line === '! read again').length).to.be.above(0)
    isBroken = false
    await world.clock.advance(20_000)
    expect(seen.join('')).to.equal('abcdefghij')
    expect(await world.checkpoint()).to.equal(put.at(-1))
  })
})
