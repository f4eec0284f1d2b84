// A deployment: workers are stopped one after the other and new ones started. Nobody notices but the log.
import { expect } from 'chai'
import { seeds } from '../support/seeds.ts'
import { type Member, World } from '../support/world.ts'

const SEEDS = 2
const SHARDS = 16
const FLEET = 4
/** The successor looks once a second, and knows beforehand what it waits for. */
const MAX_GAP_MS = 2_000

async function aFleet(seed: number): Promise<World> {
  const world = new World({ shards: SHARDS, seed, latencyMs: 20 })
  for (let i = 0; i < FLEET; i++) void world.makeWorker().worker.start()
  await world.load(30_000, { perTick: 20 })
  expect(world.loads(), `SEED=${seed}`).to.deep.equal([4, 4, 4, 4])
  return world
}

/** From each release of a shard to the next claim of it by anybody. Milliseconds. */
function gaps(world: World): number[] {
  const taken = world.events('lease:taken')
  return world.events('lease:released').flatMap(({ shardId, atMs }) => {
    const next = taken.find(event => event.shardId === shardId && event.atMs >= atMs)
    return next === undefined ? [] : [next.atMs - atMs]
  })
}

function expectExactlyOnce({ ledger, seed }: World): void {
  expect(ledger.missing(), `SEED=${seed}: missing`).to.deep.equal([])
  expect(ledger.duplicates(), `SEED=${seed}: duplicates`).to.deep.equal([])
  expect(ledger.outOfOrder(), `SEED=${seed}: out of order`).to.deep.equal([])
}

describe('a rolling restart', () => {
  it('delivers every record exactly once if the new worker is started first', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet(seed)
      for (const old of world.members.slice(0, FLEET)) {
        void world.makeWorker().worker.start()
        await world.load(3_000, { perTick: 20 })
        void old.worker.stop()
        await world.load(8_000, { perTick: 20 })
        expect(old.worker.state).to.equal('stopped')
      }
      await world.load(30_000, { perTick: 20 })
      expect(world.loads(), `SEED=${seed}`).to.deep.equal([4, 4, 4, 4])
      await world.untilDelivered()
      expectExactlyOnce(world)
      expect(Math.max(...gaps(world)), `SEED=${seed}: ms without an owner`).to.be.at.most(MAX_GAP_MS)
      await world.stopAll()
    }
  })

  it('delivers every record exactly once if the old worker is stopped first', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet(seed)
      for (const old of world.members.slice(0, FLEET)) {
        void old.worker.stop()
        await world.load(12_000, { perTick: 20 })
        expect(old.worker.state).to.equal('stopped')
        void world.makeWorker().worker.start()
        await world.load(8_000, { perTick: 20 })
      }
      await world.load(30_000, { perTick: 20 })
      expect(world.loads(), `SEED=${seed}`).to.deep.equal([4, 4, 4, 4])
      await world.untilDelivered()
      expectExactlyOnce(world)
      expect(Math.max(...gaps(world)), `SEED=${seed}: ms without an owner`).to.be.at.most(MAX_GAP_MS)
      await world.stopAll()
    }
  })

  it('lets handlers finish what they are at, even if that takes longer than a lease lives', async () => {
    const world = new World({ shards: 2, latencyMs: 20 })
    const slow: Member = await world.startWorker({ handler: () => slow.clock.sleep(25_000) })
    world.putMany(20)
    await world.clock.advance(5_000)
    const other = await world.startWorker()
    const stopped = slow.worker.stop({ graceMs: 60_000 })
    await world.await(stopped)
    expect(slow.events('worker:stopped')[0]?.abandoned).to.deep.equal([])
    await world.untilDelivered()
    await world.clock.advance(10_000)
    expectExactlyOnce(world)
    expect(other.worker.shardIds).to.have.length(2)
    await world.stopAll()
  })

  it('leaves nothing behind: no timers, no leases, no claims after the stop', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet(seed)
      await world.stopAll()
      // Calls that were given up are still on their way back.
      await world.clock.advance(1_000)
      expect(world.clock.sleeping, `SEED=${seed}: timers`).to.equal(0)
      const { leases } = await world.store.list()
      expect(leases.filter(({ owner }) => owner !== undefined)).to.deep.equal([])
    }
  })
})
