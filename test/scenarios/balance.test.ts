// How a fleet shares the shards: evenly, without a duplicate, and without moving anything that need not move.
import { expect } from 'chai'
import { seeds } from '../support/seeds.ts'
import type { Member, WorldOptions } from '../support/world.ts'
import { World } from '../support/world.ts'

const SHARDS = 12
const SEEDS = 3

/** A world whose workers are up and have divided the shards. */
async function aFleet(size: number, options: WorldOptions = {}, idleMs = 1_000): Promise<World> {
  const world = new World({ shards: SHARDS, ...options })
  await Promise.all(
    Array.from({ length: size }, () => world.makeWorker({ retrieval: { idleMs } }))
      .map(({ worker }) => worker.start())
      .concat(world.clock.advance(60_000))
  )
  return world
}

/** Nothing missing, nothing twice, order kept. */
function expectExactlyOnce(world: World): void {
  const { ledger, seed } = world
  expect(ledger.missing(), `SEED=${seed}: missing`).to.deep.equal([])
  expect(ledger.duplicates(), `SEED=${seed}: duplicates`).to.deep.equal([])
  expect(ledger.outOfOrder(), `SEED=${seed}: out of order`).to.deep.equal([])
}

function moves(world: World): number {
  return world.events('lease:taken').length
}

describe('a fleet that shares the shards of a stream', () => {
  it('ends at 4, 4 and 4 of 12 shards, whatever the order of the calls', async () => {
    for (const seed of seeds(SEEDS * 2)) {
      const world = await aFleet(3, { seed, latencyMs: 40 })
      expect(world.loads(), `SEED=${seed}`).to.deep.equal([4, 4, 4])
      await world.stopAll()
    }
  })

  it('gives a worker that joins its share, without a duplicate and without loss', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet(2, { seed, latencyMs: 20 })
      await world.load(10_000)
      const before = moves(world)
      const joined = world.makeWorker()
      void joined.worker.start()
      const joinedAtMs = world.clock.monotonicMs()
      await world.load(60_000)
      expect(world.loads(), `SEED=${seed}`).to.deep.equal([4, 4, 4])
      expect(moves(world) - before, `SEED=${seed}: moves`).to.equal(4)
      const last = Math.max(...joined.events('lease:taken').map(({ atMs }) => atMs))
      expect(last - joinedAtMs).to.be.lessThan(20_000)
      await world.untilDelivered()
      expectExactlyOnce(world)
      await world.stopAll()
    }
  })

  it('moves nothing during an hour of steady load', async function () {
    this.timeout(60_000)
    const world = await aFleet(3, {}, 5_000)
    const before = moves(world)
    await world.load(3_600_000, { everyMs: 5_000, perTick: 12 })
    expect(moves(world) - before).to.equal(0)
    await world.untilDelivered()
    expectExactlyOnce(world)
    expect(world.events('error')).to.deep.equal([])
    await world.stopAll()
  })

  it('divides what a worker that leaves gives back', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet(4, { seed, latencyMs: 20 })
      expect(world.loads()).to.deep.equal([3, 3, 3, 3])
      const [leaving] = world.members as [Member]
      void leaving.worker.stop()
      await world.load(60_000)
      expect(world.loads(), `SEED=${seed}`).to.deep.equal([4, 4, 4])
      void world.members[1]?.worker.stop()
      await world.load(60_000)
      expect(world.loads(), `SEED=${seed}`).to.deep.equal([6, 6])
      await world.untilDelivered()
      expectExactlyOnce(world)
      await world.stopAll()
    }
  })

  it('leaves shards unread rather than break maxLeases, and names what it holds', async () => {
    const world = new World({ shards: 3 })
    const member = await world.startWorker({ leases: { maxLeases: 2 } })
    await world.clock.advance(60_000)
    expect(member.worker.shardIds).to.have.length(2)
    await world.startWorker({ leases: { maxLeases: 1 } })
    await world.clock.advance(60_000)
    expect(world.loads()).to.deep.equal([1, 2])
    await world.stopAll()
  })

  it('keeps to maxLeases when a shard it reads is split', async () => {
    const world = new World()
    const member = await world.startWorker({ leases: { maxLeases: 1 } })
    world.putMany(10)
    world.kinesis.split('orders', 'shardId-000000000000')
    world.putMany(10)
    let most = 0
    for (let second = 0; second < 60; second++) {
      await world.clock.advance(1_000)
      most = Math.max(most, member.worker.shardIds.length)
    }
    expect(most).to.equal(1)
    await world.stopAll()
  })

  it('settles while workers come and go every few seconds, without losing or repeating a record', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet(2, { seed, latencyMs: 20 })
      for (let round = 0; round < 12; round++) {
        const alive = world.members.filter(({ worker }) => worker.state === 'running')
        if (alive.length > 1 && world.random.next() < 0.5)
          void alive[Math.floor(world.random.next() * alive.length)]?.worker.stop()
        else void world.makeWorker().worker.start()
        await world.load(5_000)
      }
      await world.load(60_000)
      const loads = world.loads()
      expect(Math.max(...loads) - Math.min(...loads), `SEED=${seed}: ${loads}`).to.be.at.most(1)
      await world.untilDelivered()
      expectExactlyOnce(world)
      await world.stopAll()
    }
  })
})
