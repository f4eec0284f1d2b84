// Workers that may not read everything: `maxLeases`. What can be read is read, and what nobody reads is told.
import { expect } from 'chai'
import { shardId } from '../support/builders.ts'
import { seeds } from '../support/seeds.ts'
import { STREAM, World } from '../support/world.ts'

describe('a fleet whose workers are full', () => {
  it('reads both parents of a merge one after the other, then the child', async () => {
    const world = new World({ shards: 2 })
    await world.startWorker({ leases: { maxLeases: 1 } })
    world.putMany(20)
    await world.clock.advance(5_000)
    world.kinesis.merge(STREAM, shardId(0), shardId(1))
    world.putMany(20)
    await world.untilDelivered()
    expect(world.ledger.duplicates()).to.deep.equal([])
    expect(world.ledger.outOfOrder()).to.deep.equal([])
    await world.stopAll()
  })

  it('takes over the other parent of a merge from a worker that died', async () => {
    const world = new World({ shards: 2 })
    let isSlow = false
    const handler = async (_: unknown, { shardId: shard }: { readonly shardId: string }): Promise<void> => {
      while (isSlow && shard === shardId(1)) await world.clock.sleep(100)
    }
    const members = [0, 1].map(() => world.makeWorker({ leases: { maxLeases: 1 }, handler }))
    for (const { worker } of members) void worker.start()
    await world.load(30_000)
    expect(world.loads()).to.deep.equal([1, 1])
    isSlow = true
    world.kinesis.merge(STREAM, shardId(0), shardId(1))
    world.putMany(20)
    await world.clock.advance(5_000)
    members.find(({ worker }) => worker.shardIds.includes(shardId(1)))?.crash()
    isSlow = false
    await world.untilDelivered()
    expect(world.ledger.outOfOrder()).to.deep.equal([])
    await world.stopAll()
  })

  it('says which shards nobody reads, once, and when somebody does', async () => {
    const world = new World({ shards: 3 })
    const full = await world.startWorker({ leases: { maxLeases: 2 } })
    await world.clock.advance(120_000)
    const unread = [0, 1, 2].map(shardId).filter(id => !full.worker.shardIds.includes(id))
    expect(full.events('lease:neglected').map(({ leaseKeys }) => leaseKeys)).to.deep.equal([unread])
    world.putMany(30)
    await world.startWorker()
    await world.untilDelivered()
    await world.clock.advance(120_000)
    expect(world.events('lease:neglected').map(({ leaseKeys }) => leaseKeys)).to.deep.equal([unread, []])
    await world.stopAll()
  })

  it('never holds more than it may while a stream is resharded and the table is read late', async () => {
    for (const seed of seeds(10)) {
      const world = new World({ shards: 4, seed, latencyMs: 50, listingLagMs: 1_000 })
      for (let i = 0; i < 2; i++) void world.makeWorker({ leases: { maxLeases: 3 } }).worker.start()
      await world.load(30_000)
      for (const id of [0, 1, 2, 3].map(shardId)) {
        world.kinesis.split(STREAM, id)
        await world.load(world.random.next() * 4_000)
      }
      await world.load(60_000)
      expect(Math.max(...world.loads()), `SEED=${seed}`).to.be.at.most(3)
      await world.stopAll()
    }
  })

  it('is not told of leases that a fleet of workers of different sizes takes over in its time', async () => {
    for (const seed of seeds(10)) {
      const world = new World({ shards: 6, seed, latencyMs: 30 })
      const members = [2, 2, 6].map(maxLeases => world.makeWorker({ leases: { maxLeases } }))
      for (const { worker } of members) void worker.start()
      await world.load(40_000)
      members[0]?.crash()
      await world.load(60_000)
      await world.untilDelivered()
      expect(world.events('lease:neglected'), `SEED=${seed}`).to.deep.equal([])
      await world.stopAll()
    }
  })
})
