// Shards are split and merged under load: everything is processed, parents before children, in the order of each key.
import { expect } from 'chai'
import { isClosed, type Shard } from '../../src/model/shard.ts'
import { seeds } from '../support/seeds.ts'
import { STREAM, World, type WorldOptions } from '../support/world.ts'

const SEEDS = 2

/** Splits a random open shard, or merges two random neighbours. */
function reshard(world: World): void {
  const open = world.kinesis
    .shards(STREAM)
    .filter(shard => !isClosed(shard))
    .sort((a, b) => (a.hashKeyRange.start < b.hashKeyRange.start ? -1 : 1))
  const at = Math.floor(world.random.next() * open.length)
  const [shard, neighbour] = [open[at], open[at + 1]]
  if (shard === undefined) return
  if (neighbour !== undefined && (open.length > 8 || world.random.next() < 0.5)) {
    world.kinesis.merge(STREAM, shard.shardId, neighbour.shardId)
  } else world.kinesis.split(STREAM, shard.shardId)
}

/** The numbers of the records in a shard; those without one are older than the ledger. */
function idsIn(world: World): (shardId: string) => number[] {
  const known = new Map<string, number[]>()
  return shardId => {
    const texts = world.kinesis.records(STREAM, shardId).map(({ data }) => new TextDecoder().decode(data))
    const ids = known.get(shardId) ?? texts.map(Number).filter(Number.isInteger)
    known.set(shardId, ids)
    return ids
  }
}

function expectOrder(world: World): void {
  const { ledger, seed } = world
  expect(ledger.missing(), `SEED=${seed}: missing`).to.deep.equal([])
  expect(ledger.outOfOrder(), `SEED=${seed}: out of order`).to.deep.equal([])
  const ahead = ledger.aheadOfParents(world.kinesis.shards(STREAM), idsIn(world)).slice(0, 10)
  expect(ahead, `SEED=${seed}: before their parents were done`).to.deep.equal([])
}

/** Once everything is read and cleaned up, the table has the open shards, and what their parents left at most. */
async function expectTidyTable(world: World): Promise<void> {
  await world.clock.advance(600_000)
  const { leases } = await world.store.list()
  const shards = new Map(world.kinesis.shards(STREAM).map(shard => [shard.shardId, shard]))
  const open = [...shards.values()].filter(shard => !isClosed(shard)).map(({ shardId }) => shardId)
  expect(
    leases.map(({ leaseKey }) => leaseKey),
    `SEED=${world.seed}`
  ).to.include.members(open)
  expect(
    world.loads().reduce((a, b) => a + b, 0),
    `SEED=${world.seed}: held`
  ).to.equal(open.length)
}

async function threeWorkers(options: WorldOptions): Promise<World> {
  const world = new World({ shards: 3, latencyMs: 20, ...options })
  for (let i = 0; i < 3; i++) void world.makeWorker({ shardSyncIntervalMs: 20_000 }).worker.start()
  await world.load(10_000)
  return world
}

describe('a fleet whose stream is resharded', () => {
  for (const sendChildShards of [true, false]) {
    const how = sendChildShards ? 'names the children of a shard' : 'does not name the children of a shard'

    it(`loses, repeats and reorders nothing over random splits and merges, if Kinesis ${how}`, async () => {
      for (const seed of seeds(SEEDS)) {
        const world = await threeWorkers({ seed, sendChildShards })
        for (let change = 0; change < 12; change++) {
          reshard(world)
          await world.load(world.random.next() * 10_000)
        }
        await world.untilDelivered()
        expectOrder(world)
        expect(world.ledger.duplicates(), `SEED=${seed}: duplicates`).to.deep.equal([])
        await expectTidyTable(world)
        expect(world.events('lease:hole-found'), `SEED=${seed}`).to.deep.equal([])
        expect(world.events('error'), `SEED=${seed}`).to.deep.equal([])
        await world.stopAll()
      }
    })

    it(`loses and reorders nothing if workers crash and calls fail as well, and Kinesis ${how}`, async () => {
      for (const seed of seeds(SEEDS, 101)) {
        const world = await threeWorkers({ seed, sendChildShards })
        for (let change = 0; change < 12; change++) {
          reshard(world)
          world.failureRate = world.random.next() < 0.4 ? 0.3 : 0
          if (world.random.next() < 0.4) {
            const alive = world.members.filter(({ isAlive }) => isAlive)
            alive[Math.floor(world.random.next() * alive.length)]?.crash()
            void world.makeWorker({ shardSyncIntervalMs: 20_000 }).worker.start()
          }
          await world.load(world.random.next() * 15_000)
        }
        world.failureRate = 0
        await world.untilDelivered(900_000)
        expectOrder(world)
        await expectTidyTable(world)
        await world.stopAll()
      }
    })
  }

  it('begins a merged shard only when both of its parents are finished', async () => {
    const world = new World({ shards: 2 })
    const [left, right] = world.kinesis.shards(STREAM) as [Shard, Shard]
    for (let i = 0; i < 40; i++) world.put(`key-${i % 20}`)
    const child = world.kinesis.merge(STREAM, left.shardId, right.shardId)
    for (let i = 0; i < 40; i++) world.put(`key-${i % 20}`)
    // The right parent takes a minute.
    const slow = await world.startWorker({
      handler: async (_, { shardId }) => {
        if (shardId === right.shardId) await slowly()
      }
    })
    const slowly = (): Promise<void> => slow.clock.sleep(60_000)
    await world.clock.advance(50_000)
    expect(world.ledger.deliveries.filter(({ shardId }) => shardId === child)).to.deep.equal([])
    expect((await world.store.get(left.shardId))?.checkpoint.sequenceNumber).to.equal('SHARD_END')
    await world.untilDelivered()
    expectOrder(world)
    await world.stopAll()
  })

  it('goes from parent to child at once rather than at the next comparison', async () => {
    const world = new World()
    await world.startWorker({ shardSyncIntervalMs: 3_600_000 })
    world.putMany(10)
    await world.untilDelivered()
    world.kinesis.split(STREAM, 'shardId-000000000000')
    const splitAtMs = world.clock.monotonicMs()
    world.putMany(10)
    await world.untilDelivered()
    expect(world.clock.monotonicMs() - splitAtMs).to.be.lessThan(5_000)
    await world.stopAll()
  })

  it('loses nothing of a stream begun at LATEST that is resharded later', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = new World({ shards: 2, seed, latencyMs: 20 })
      // Not to be delivered: so they are not in the ledger either.
      for (let i = 0; i < 20; i++) world.kinesis.put(STREAM, `key-${i}`, 'old')
      await world.clock.advance(1_000)
      await world.startWorker({ startAt: 'LATEST', shardSyncIntervalMs: 20_000 })
      for (let change = 0; change < 6; change++) {
        world.putMany(10)
        reshard(world)
        world.putMany(10)
        await world.load(world.random.next() * 5_000)
      }
      await world.untilDelivered()
      expectOrder(world)
      expect(
        world.ledger.deliveries.every(({ id }) => Number.isInteger(id)),
        `SEED=${seed}: old ones`
      ).to.equal(true)
      await world.stopAll()
    }
  })

  it('finds its way when every worker was away during many reshards', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await threeWorkers({ seed })
      if (seed % 2 === 0) for (const member of world.members) member.crash()
      else await world.stopAll()
      for (let change = 0; change < 10; change++) {
        world.putMany(20)
        reshard(world)
        await world.clock.advance(1_000)
      }
      world.putMany(20)
      for (let i = 0; i < 2; i++) void world.makeWorker({ startAt: 'LATEST' }).worker.start()
      await world.untilDelivered()
      expectOrder(world)
      await world.stopAll()
    }
  })

  it('goes on with the children of a shard that has expired with everything in it read', async () => {
    const world = new World()
    await world.startWorker()
    world.putMany(10)
    await world.untilDelivered()
    await world.stopAll()
    const before = world.ledger.produced
    world.kinesis.split(STREAM, 'shardId-000000000000')
    world.putMany(10)
    world.kinesis.expireShard(STREAM, 'shardId-000000000000')
    await world.startWorker()
    await world.untilDelivered()
    expect(world.ledger.deliveries).to.have.length(before + 10)
    await world.stopAll()
  })
})
