// Millrace workers and such of Java KCL 2.x on one lease table, by kcl-behaviour.md section 10.7 (M1). The Java workers are
// modelled as the others see them: by what they write into the table.
import { expect } from 'chai'
import { isFinished } from '../../src/model/lease.ts'
import { shardId } from '../support/builders.ts'
import { expectSafe, openLeases } from '../support/fleet.ts'
import { JavaWorker } from '../support/java-worker.ts'
import { seeds } from '../support/seeds.ts'
import { type Member, STREAM, World } from '../support/world.ts'

const SEEDS = 2
const SHARDS = 6
const MIXED = { leases: { mode: 'mixed' } } as const
/** Until the others have a lease of a Java worker that is gone, and the other way round. Milliseconds. */
const FAILOVER_MS = 45_000

async function aMixedFleet(
  seed: number,
  first: 'java' | 'ours'
): Promise<{ world: World; java: JavaWorker; ours: Member }> {
  const world = new World({ shards: SHARDS, seed, latencyMs: 10 })
  const java = new JavaWorker(world, 'java-1')
  if (first === 'java') java.start()
  await world.load(30_000)
  const ours = world.makeWorker(MIXED)
  void ours.worker.start()
  await world.load(30_000)
  if (first === 'ours') java.start()
  await world.load(150_000)
  return { world, java, ours }
}

/** What holds on a table that others write to as well: nothing is missing, and no checkpoint goes back. */
async function expectMixedSafe(world: World): Promise<void> {
  await expectSafe(world, { mayStray: true })
  const { leases } = await world.store.list({ consistent: true })
  const shards = world.kinesis.shards(STREAM).map(({ shardId: shard }) => shard)
  expect(
    leases.map(({ leaseKey }) => leaseKey),
    `SEED=${world.seed}: nothing but leases`
  ).to.have.members(leases.map(({ leaseKey }) => leaseKey).filter(key => shards.includes(key)))
}

describe('a lease table that is shared with Java KCL 2.x', () => {
  for (const first of ['java', 'ours'] as const) {
    it(`M1: is balanced, and stays so, if ${first === 'java' ? 'the Java worker' : 'ours'} was there first`, async () => {
      for (const seed of seeds(SEEDS)) {
        const { world, java, ours } = await aMixedFleet(seed, first)
        expect([java.shardIds.length, ours.worker.shardIds.length], `SEED=${seed}`).to.deep.equal([3, 3])
        const claims = world.history.claims().length
        await world.load(300_000, { everyMs: 5_000 })
        expect(world.history.claims().length - claims, `SEED=${seed}: moves in five quiet minutes`).to.equal(0)
        await expectMixedSafe(world)
      }
    })
  }

  it('M1: is read on by the other kind within 45 seconds when one kind is killed', async () => {
    for (const seed of seeds(SEEDS)) {
      for (const victim of ['java', 'ours'] as const) {
        const { world, java, ours } = await aMixedFleet(seed, 'java')
        if (victim === 'java') java.kill()
        else ours.crash()
        await world.load(FAILOVER_MS)
        const held = victim === 'java' ? ours.worker.shardIds : java.shardIds
        expect(held.sort(), `SEED=${seed}: after ${victim} was killed`).to.deep.equal(
          [...Array(SHARDS).keys()].map(shardId)
        )
        await expectMixedSafe(world)
      }
    }
  })

  it('M1: keeps checkpoints that both kinds understand, the ends of shards and their children included', async () => {
    for (const seed of seeds(SEEDS)) {
      const { world, java, ours } = await aMixedFleet(seed, 'java')
      // One shard of each is split, two are merged, and everything goes to the other kind later.
      for (const shard of [java.shardIds[0], ours.worker.shardIds[0]]) {
        if (shard !== undefined) world.kinesis.split(STREAM, shard)
        await world.load(20_000)
      }
      await world.load(120_000)
      const parents = (await world.store.list({ consistent: true })).leases.filter(isFinished)
      expect(
        parents.every(({ childShardIds }) => childShardIds.length === 2),
        `SEED=${seed}: children named`
      ).to.equal(true)
      await world.untilDelivered()
      java.kill()
      await world.load(90_000)
      expect(ours.worker.shardIds, `SEED=${seed}: all with ours`).to.have.length(SHARDS + 2)
      const back = new JavaWorker(world, 'java-2')
      await world.await(ours.worker.stop())
      back.start()
      await world.load(90_000)
      expect(back.shardIds.sort(), `SEED=${seed}: all with Java`).to.deep.equal(
        (await openLeases(world)).map(({ leaseKey }) => leaseKey).sort()
      )
      await expectMixedSafe(world)
      expect(world.ledger.duplicates().length, `SEED=${seed}: duplicates`).to.be.lessThan(world.ledger.produced / 10)
    }
  })

  it('M1: turns a solo fleet into a mixed one that settles, whenever the Java worker comes', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = new World({ shards: SHARDS, seed, latencyMs: 10 })
      for (let i = 0; i < 2; i++) void world.makeWorker().worker.start()
      await world.load(world.random.next() * 40_000)
      const java = new JavaWorker(world, 'java-1')
      java.start()
      await world.load(420_000, { everyMs: 1_000 })
      expect(world.events('fleet:foreigners-found').length, `SEED=${seed}: told`).to.be.greaterThan(0)
      expect([java.shardIds.length, ...world.loads()], `SEED=${seed}`).to.deep.equal([2, 2, 2])
      const claims = world.history.claims().length
      await world.load(300_000, { everyMs: 5_000 })
      expect(world.history.claims().length - claims, `SEED=${seed}: moves in five quiet minutes`).to.equal(0)
      await expectMixedSafe(world)
      await world.stopAll()
    }
  })
})
