// Many records of one shard at once: as fast as that can be, in order within each key, and nothing passed over.
import { expect } from 'chai'
import { deliveredIds, expectOnce } from '../support/numbered-records.ts'
import { seeds } from '../support/seeds.ts'
import { STREAM, World } from '../support/world.ts'

const HANDLER_MS = 50

/** How long a shard takes to be processed. Milliseconds. */
async function timeToProcess(records: number, perShard: number): Promise<number> {
  const world = new World()
  world.putMany(records, 1_000)
  const member = world.makeWorker({
    concurrency: { perShard },
    each: async () => {
      await world.clock.sleep(HANDLER_MS)
    }
  })
  await world.await(member.worker.start())
  const startMs = world.clock.monotonicMs()
  await world.untilDelivered(records * HANDLER_MS * 2)
  const ms = world.clock.monotonicMs() - startMs
  expectOnce(world)
  expect(world.ledger.outOfOrder()).to.deep.equal([])
  await world.stopAll()
  return ms
}

describe('records of one shard processed at once', () => {
  it('are at least 45 times as fast with 64 calls at a time as with one, in order within each of 1,000 keys', async () => {
    const serialMs = await timeToProcess(1_000, 1)
    const lanesMs = await timeToProcess(6_400, 64)
    expect((serialMs / 1_000) * (6_400 / lanesMs)).to.be.at.least(45)
  })

  it('are checkpointed up to where all of them are settled', async () => {
    const world = new World()
    world.putMany(20, 20)
    let isStuck = true
    const member = await world.startWorker({
      concurrency: { perShard: 4 },
      each: async record => {
        while (isStuck && record.text() === '5') await world.clock.sleep(1_000)
      }
    })
    await world.clock.advance(10_000)
    expect(deliveredIds(world)).to.have.length(20)
    const at = world.kinesis.records(STREAM, 'shardId-000000000000')[4]
    const row = await world.store.get('shardId-000000000000')
    expect(row?.checkpoint.sequenceNumber).to.equal(at?.sequenceNumber)
    isStuck = false
    await world.clock.advance(5_000)
    const end = await world.store.get('shardId-000000000000')
    expect(end?.checkpoint.sequenceNumber).to.equal(
      world.kinesis.records(STREAM, 'shardId-000000000000').at(-1)?.sequenceNumber
    )
    expect(member.events('batch:processed').reduce((sum, { records }) => sum + records, 0)).to.equal(20)
    await world.stopAll()
  })

  it('are delivered again after a crash no further than may be under way', async () => {
    for (const seed of seeds(5)) {
      const world = new World({ seed, latencyMs: 20 })
      world.putMany(3_000, 500)
      const options = {
        concurrency: { perShard: 64, maxInFlight: 200 },
        each: async () => {
          await world.clock.sleep(1 + world.random.next() * 100)
        }
      }
      const first = await world.startWorker(options)
      await world.clock.advance(1_500)
      first.crash()
      await world.startWorker(options)
      await world.untilDelivered()
      expect(world.ledger.outOfOrder(), `SEED=${seed}`).to.deep.equal([])
      expect(world.ledger.duplicates().length, `SEED=${seed}`).to.be.within(1, 200)
      await world.stopAll()
    }
  })

  it('are handed over with nothing twice and no key out of order, whatever is under way', async () => {
    for (const seed of seeds(20)) {
      const world = new World({ seed, shards: 2, latencyMs: 20 })
      const options = {
        concurrency: { perShard: 8, maxInFlight: 100 },
        onProcessorError: { attempts: 1_000, backoffMs: 50, maxBackoffMs: 200 },
        each: async () => {
          await world.clock.sleep(1 + world.random.next() * 50)
          if (world.random.next() < 0.05) throw new Error('now and then')
        }
      }
      const settled = new Set<string>()
      void settled
      let member = await world.startWorker(options)
      for (let i = 0; i < 4; i++) {
        await world.load(3_000, { everyMs: 50, perTick: 10, keys: 30 })
        const next = await world.startWorker(options)
        await world.await(member.worker.stop())
        member = next
      }
      await world.untilDelivered()
      expect(world.ledger.outOfOrder(), `SEED=${seed}`).to.deep.equal([])
      await world.stopAll()
    }
  })

  it('wait for each other by the key that the user names, or not at all', async () => {
    for (const [by, atOnce] of [
      ['none', 8],
      [() => 'one', 1]
    ] as const) {
      const world = new World()
      world.putMany(40, 1)
      let running = 0
      let most = 0
      await world.startWorker({
        concurrency: { perShard: 8, by },
        each: async () => {
          running += 1
          most = Math.max(most, running)
          await world.clock.sleep(HANDLER_MS)
          running -= 1
        }
      })
      await world.untilDelivered()
      expect(most).to.equal(atOnce)
      await world.stopAll()
    }
  })

  it('halt their shard if the key cannot be told, and nothing is skipped', async () => {
    const world = new World()
    world.putMany(10)
    const member = await world.startWorker({
      concurrency: {
        perShard: 2,
        by: record => {
          if (record.text() === '4') throw new Error('no key')
          return record.partitionKey
        }
      },
      each: async () => {}
    })
    await world.clock.advance(5_000)
    expect(member.events('shard:halted').map(({ error }) => error.message)).to.have.length(1)
    expect(member.events('shard:halted')[0]?.error.message).to.match(/^Option concurrency\.by: threw for \d+: no key$/)
    expect(deliveredIds(world)).to.deep.equal([0, 1, 2, 3])
    expect(member.worker.health()).to.deep.include({ color: 'red' })
    await world.stopAll()
  })

  it('of one key come in batches of what is there', async () => {
    const world = new World()
    world.putMany(60, 3)
    const batches: string[][] = []
    await world.startWorker({
      concurrency: { perShard: 3 },
      handler: async records => {
        expect(new Set(records.map(({ partitionKey }) => partitionKey)).size).to.equal(1)
        batches.push(records.map(record => record.text()))
        await world.clock.sleep(HANDLER_MS)
      }
    })
    await world.untilDelivered()
    expect(batches.length).to.be.lessThan(10)
    expect(world.ledger.outOfOrder()).to.deep.equal([])
    await world.stopAll()
  })
})
