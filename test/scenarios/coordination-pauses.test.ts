// Workers that stand still, and clocks that are wrong: scenarios 5, 6, 7, 12 and 16 of coordination.md section 8.
import { expect } from 'chai'
import { ConsumerError, type ProcessRecordsInput, RecordProcessor } from '../../src/index.ts'
import { shardId } from '../support/builders.ts'
import {
  aFleet,
  expectBalanced,
  expectExactlyOnce,
  expectSafe,
  holdingFollower,
  leaderOf,
  servedElsewhereAfterMs
} from '../support/fleet.ts'
import { seeds } from '../support/seeds.ts'
import { type Member, World } from '../support/world.ts'

const SEEDS = 2

describe('coordination with workers that stand still', () => {
  it('scenario 5: a pause of 6 seconds moves nothing and repeats nothing', async () => {
    for (const seed of seeds(SEEDS * 2)) {
      const world = await aFleet({ size: 3, shards: 6, seed })
      const claims = world.history.claims().length
      for (const member of [await leaderOf(world), (await holdingFollower(world)).member]) {
        member.pause()
        await world.load(6_000)
        member.resume()
        await world.load(20_000)
      }
      expect(world.history.claims().length - claims, `SEED=${seed}: claims`).to.equal(0)
      expect(world.events('session:died'), `SEED=${seed}`).to.deep.equal([])
      await expectExactlyOnce(world)
      await world.stopAll()
    }
  })

  for (const [pauseMs, name] of [
    [20_000, '20 seconds'],
    [60_000, '60 seconds'],
    [600_000, '10 minutes']
  ] as const) {
    it(`scenario 5: a worker paused for ${name} loses its shards to others, finds out before it delivers, and shares again`, async () => {
      for (const seed of seeds(pauseMs > 60_000 ? 1 : SEEDS)) {
        const world = await aFleet({ size: 3, shards: 6, seed })
        for (const isLeader of [false, true]) {
          const victim = isLeader ? await leaderOf(world) : (await holdingFollower(world)).member
          const [shard = ''] = victim.worker.shardIds
          victim.pause()
          const pausedAtMs = world.clock.monotonicMs()
          await world.load(pauseMs, { everyMs: pauseMs > 60_000 ? 2_000 : 250 })
          victim.resume()
          await world.load(40_000)
          const afterMs = servedElsewhereAfterMs(world, shard, victim, pausedAtMs)
          expect(afterMs, `SEED=${seed}: ms until ${shard} went on`).to.be.lessThan(21_000)
          expect(victim.events('session:died').length, `SEED=${seed}`).to.be.greaterThan(0)
        }
        await expectBalanced(world)
        await expectSafe(world)
        await world.stopAll()
      }
    })
  }

  it('scenario 6: a worker that wakes inside a processor whose lease has moved cannot checkpoint', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = new World({ seed, latencyMs: 10 })
      const outcomes: unknown[] = []
      const aborted: boolean[] = []
      class Sleeping extends RecordProcessor {
        async processRecords({ records, checkpointer, shardId: shard, signal }: ProcessRecordsInput): Promise<void> {
          sleeper.note(records, shard)
          await sleeper.clock.sleep(2_000)
          aborted.push(signal.aborted)
          outcomes.push(await checkpointer.checkpoint(records.at(-1)).catch((error: unknown) => error))
        }
      }
      const sleeper: Member = await world.startWorker({ processor: () => new Sleeping() })
      const other = await world.startWorker()
      world.putMany(10)
      await world.clock.advanceUntil(() => world.ledger.isComplete)
      sleeper.pause()
      await world.clock.advanceUntil(() => other.worker.shardIds.length > 0, 60_000)
      world.putMany(10)
      await world.untilDelivered()
      await world.clock.advance(2_000)
      const row = await world.store.get(shardId(0))
      sleeper.resume()
      await world.clock.advance(20_000)
      expect(outcomes, `SEED=${seed}`).to.have.length(1)
      expect(outcomes[0], `SEED=${seed}`).to.be.instanceOf(ConsumerError)
      expect(aborted, `SEED=${seed}: its signal`).to.deep.equal([true])
      expect(await world.store.get(shardId(0)), `SEED=${seed}`).to.deep.equal(row)
      await expectSafe(world)
      await world.stopAll()
    }
  })

  for (const pauseMs of [5_000, 30_000]) {
    it(`scenario 7: a worker paused for ${pauseMs / 1_000} s between its claim and its first delivery delivers only what is still its own`, async () => {
      for (const seed of seeds(SEEDS)) {
        const world = await aFleet({ size: 2, shards: 6, seed })
        const late = world.makeWorker()
        late.worker.once('lease:taken', () => late.pause())
        void late.worker.start()
        await world.clock.advanceUntil(() => late.events('lease:taken').length > 0, 60_000)
        await world.load(pauseMs)
        const wokenAtMs = world.clock.monotonicMs()
        late.resume()
        await world.load(60_000)
        const first = world.ledger.deliveries.find(({ worker }) => worker === late.name)
        expect(first?.atMs ?? 0, `SEED=${seed}`).to.be.greaterThan(wokenAtMs)
        expect(late.events('session:died').length, `SEED=${seed}`).to.equal(pauseMs > 20_000 ? 1 : 0)
        await expectBalanced(world)
        if (pauseMs > 20_000) await expectSafe(world)
        else await expectExactlyOnce(world)
        await world.stopAll()
      }
    })
  }

  it('scenario 12: a leader that lives and does nothing is replaced, and keeps its own shards', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 3, shards: 6, seed })
      const old = await leaderOf(world)
      const held = old.worker.shardIds.sort()
      const claims = world.history.claims().length
      // One call of its loop never returns; the heartbeat goes on.
      old.intercept = ({ name }) => (name === 'members' ? { kind: 'hangs' } : undefined)
      const idleAtMs = world.clock.monotonicMs()
      await world.load(60_000)
      const elected = world.events('leader:elected').find(({ atMs }) => atMs > idleAtMs)
      expect(elected?.worker, `SEED=${seed}`).to.not.be.oneOf([undefined, old.name])
      expect((elected?.atMs ?? 0) - idleAtMs, `SEED=${seed}: ms`).to.be.within(25_000, 45_000)
      expect(world.events('session:died'), `SEED=${seed}`).to.deep.equal([])
      expect(old.worker.shardIds.sort(), `SEED=${seed}`).to.deep.equal(held)
      expect(world.history.claims().length - claims, `SEED=${seed}: claims`).to.equal(0)
      void world.makeWorker().worker.start()
      await world.load(40_000)
      await expectBalanced(world)
      await expectExactlyOnce(world)
      await world.stopAll()
    }
  })

  it('scenario 16: clocks that are a tenth fast and slow, and calendars that jump by hours, let nobody deliver astray', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await driftingFleet(seed, [0.9, 1.1, 1])
      await jumpAndPause(world)
      await expectBalanced(world)
      await expectSafe(world)
      await world.stopAll()
    }
  })

  it('scenario 16: clocks that are a fifth fast and slow cost duplicates at most', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await driftingFleet(seed, [0.8, 1.2, 1])
      await jumpAndPause(world)
      await expectBalanced(world)
      await expectSafe(world, { mayStray: true })
      await world.stopAll()
    }
  })
})

/** Workers whose clocks run at these rates, each of them leading in its turn. */
async function driftingFleet(seed: number, rates: readonly number[]): Promise<World> {
  const world = new World({ shards: 6, seed, latencyMs: 10 })
  for (const clockRate of rates) void world.makeWorker({ clockRate }).worker.start()
  await world.load(40_000)
  await expectBalanced(world)
  return world
}

/** Cuts each worker off in turn, so that it has to fence itself in time, while calendars jump. */
async function jumpAndPause(world: World): Promise<void> {
  for (const victim of [...world.members]) {
    for (const { machineClock } of world.members) machineClock.jump((world.random.next() - 0.5) * 20_000_000)
    victim.links.store = 'down'
    await world.load(30_000)
    victim.links.store = 'up'
    await world.load(40_000)
    expect(victim.events('session:died').length, `SEED=${world.seed}: ${victim.name}`).to.be.greaterThan(0)
  }
}
