// A worker dies, sleeps or is cut off: its shards go on elsewhere, soon, and nothing it does afterwards counts.
import { expect } from 'chai'
import { ConsumerError, type ProcessRecordsInput, RecordProcessor } from '../../src/index.ts'
import { seeds } from '../support/seeds.ts'
import { type Member, World } from '../support/world.ts'

const SEEDS = 3
/** The lease duration, up to two looks of a follower at the leader until they see it stand still, and the calls. */
const FAILOVER_MS = 18_000

async function threeWorkers(seed: number): Promise<{ world: World; victim: Member }> {
  const world = new World({ shards: 6, seed, latencyMs: 10 })
  const members = [0, 1, 2].map(() => world.makeWorker())
  for (const { worker } of members) void worker.start()
  await world.load(40_000)
  expect(world.loads(), `SEED=${seed}`).to.deep.equal([2, 2, 2])
  return { world, victim: members[0] as Member }
}

describe('a fleet in which a worker fails', () => {
  it('processes the shards of a crashed worker elsewhere within 18 seconds, also if it led', async () => {
    for (const seed of seeds(SEEDS)) {
      const { world, victim } = await threeWorkers(seed)
      const orphaned = victim.worker.shardIds
      victim.crash()
      const crashedAtMs = world.clock.monotonicMs()
      await world.load(30_000)
      for (const shardId of orphaned) {
        const next = world.ledger.deliveries.find(
          delivery => delivery.shardId === shardId && delivery.atMs > crashedAtMs
        )
        expect(next, `SEED=${seed}: ${shardId}`).to.not.equal(undefined)
        expect((next?.atMs ?? 0) - crashedAtMs, `SEED=${seed}: ${shardId}`).to.be.lessThan(FAILOVER_MS)
      }
      await world.untilDelivered()
      expect(world.ledger.outOfOrder(), `SEED=${seed}`).to.deep.equal([])
      await world.stopAll()
    }
  })

  it('survives crashes one after the other without losing a record', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = new World({ shards: 4, seed, latencyMs: 30 })
      for (let i = 0; i < 3; i++) void world.makeWorker().worker.start()
      for (let crash = 0; crash < 8; crash++) {
        await world.load(2_000 + world.random.next() * 20_000)
        const alive = world.members.filter(({ isAlive }) => isAlive)
        alive[Math.floor(world.random.next() * alive.length)]?.crash()
        void world.makeWorker().worker.start()
      }
      await world.untilDelivered()
      expect(world.ledger.outOfOrder(), `SEED=${seed}`).to.deep.equal([])
      await world.stopAll()
    }
  })

  it('refuses the checkpoint of a worker that was stopped for a minute and wakes', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = new World({ shards: 1, seed, latencyMs: 10 })
      const outcomes: unknown[] = []
      class Slow extends RecordProcessor {
        async processRecords({ records, checkpointer, shardId }: ProcessRecordsInput): Promise<void> {
          sleeper.note(records, shardId)
          await sleeper.clock.sleep(1_000)
          outcomes.push(await checkpointer.checkpoint().catch((error: unknown) => error))
        }
      }
      const sleeper: Member = await world.startWorker({ processor: () => new Slow() })
      world.putMany(10)
      await world.clock.advanceUntil(() => world.ledger.isComplete)
      sleeper.pause()
      const other = await world.startWorker()
      await world.clock.advance(60_000)
      expect(other.worker.shardIds).to.have.length(1)
      world.putMany(10)
      await world.clock.advance(5_000)
      const [row] = (await world.store.list()).leases

      sleeper.resume()
      await world.clock.advance(30_000)
      expect(outcomes, `SEED=${seed}`).to.have.length(1)
      expect(outcomes[0]).to.be.instanceOf(ConsumerError)
      expect(sleeper.worker.shardIds).to.deep.equal([])
      expect(sleeper.events('lease:lost')).to.have.length(1)
      expect((await world.store.list()).leases[0]?.checkpoint).to.deep.equal(row?.checkpoint)
      expect(sleeper.worker.state).to.equal('running')
      await world.untilDelivered()
      await world.stopAll()
    }
  })

  it('lets a worker that was stopped for a minute deliver nothing before it has found out', async () => {
    for (const seed of seeds(SEEDS)) {
      const { world, victim } = await threeWorkers(seed)
      const mine = new Set(victim.worker.shardIds)
      victim.pause()
      await world.load(60_000)
      const resumedAtMs = world.clock.monotonicMs()
      victim.resume()
      await world.load(60_000)
      await world.untilDelivered()
      const late = world.ledger.deliveries.filter(
        ({ worker, shardId, atMs }) => worker === victim.name && mine.has(shardId) && atMs >= resumedAtMs
      )
      const taken = victim.events('lease:taken').filter(({ atMs }) => atMs >= resumedAtMs)
      for (const { shardId, atMs } of late) {
        expect(
          taken.some(event => event.shardId === shardId && event.atMs <= atMs),
          `SEED=${seed}: ${shardId}`
        ).to.equal(true)
      }
      expect(world.loads(), `SEED=${seed}`).to.deep.equal([2, 2, 2])
      expect(world.ledger.outOfOrder(), `SEED=${seed}`).to.deep.equal([])
      await world.stopAll()
    }
  })

  it('stops delivering in a worker that is cut off from the lease table before another one starts', async () => {
    for (const seed of seeds(SEEDS)) {
      const { world, victim } = await threeWorkers(seed)
      const mine = new Set(victim.worker.shardIds)
      victim.links.store = 'down'
      const cutAtMs = world.clock.monotonicMs()
      await world.load(60_000)
      const here = world.ledger.deliveries.filter(({ atMs, shardId }) => atMs > cutAtMs && mine.has(shardId))
      const lastOfVictim = Math.max(...here.filter(({ worker }) => worker === victim.name).map(({ atMs }) => atMs))
      const firstOfOthers = Math.min(...here.filter(({ worker }) => worker !== victim.name).map(({ atMs }) => atMs))
      expect(lastOfVictim, `SEED=${seed}`).to.be.lessThan(firstOfOthers)
      expect(victim.worker.shardIds).to.deep.equal([])
      expect(victim.worker.state).to.equal('running')

      victim.links.store = 'up'
      await world.load(60_000)
      expect(world.loads(), `SEED=${seed}`).to.deep.equal([2, 2, 2])
      await world.untilDelivered()
      expect(world.ledger.outOfOrder(), `SEED=${seed}`).to.deep.equal([])
      await world.stopAll()
    }
  })

  it('goes on after a worker was cut off from Kinesis, and says so meanwhile', async () => {
    const { world, victim } = await threeWorkers(1)
    victim.links.kinesis = 'down'
    await world.load(60_000)
    expect(victim.events('shard:failed').length).to.be.greaterThan(0)
    victim.links.kinesis = 'up'
    await world.untilDelivered()
    expect(world.ledger.duplicates()).to.deep.equal([])
    expect(world.ledger.outOfOrder()).to.deep.equal([])
    await world.stopAll()
  })

  it('gets over a lease table that nobody can reach for a minute', async () => {
    for (const seed of seeds(SEEDS)) {
      const { world } = await threeWorkers(seed)
      for (const member of world.members) member.links.store = 'down'
      await world.load(60_000)
      for (const member of world.members) member.links.store = 'up'
      await world.load(60_000)
      expect(world.loads(), `SEED=${seed}`).to.deep.equal([2, 2, 2])
      await world.untilDelivered()
      expect(world.ledger.outOfOrder(), `SEED=${seed}`).to.deep.equal([])
      await world.stopAll()
    }
  })

  it('loses nothing and keeps the order while three calls in ten fail on both services', async () => {
    for (const seed of seeds(SEEDS)) {
      const { world } = await threeWorkers(seed)
      world.failureRate = 0.3
      await world.load(120_000)
      world.failureRate = 0
      await world.untilDelivered()
      expect(world.ledger.outOfOrder(), `SEED=${seed}`).to.deep.equal([])
      await world.load(60_000)
      expect(world.loads(), `SEED=${seed}`).to.deep.equal([2, 2, 2])
      await world.untilDelivered()
      await world.stopAll()
    }
  })
})
