// Millrace workers and such of Java KCL 3.x on one lease table, by kcl-behaviour.md section 10.7 (M2 to M5). The Java workers
// are modelled as the others see them: by what they write into the tables.
import { expect } from 'chai'
import { isFinished } from '../../src/model/lease.ts'
import { expectSafe, openLeases, sessionOf } from '../support/fleet.ts'
import { aKcl3Fleet, aKcl3World, expectQuiet, MIXED, sharesOf, untilSo } from '../support/kcl3-fleet.ts'
import { Kcl3Worker } from '../support/kcl3-worker.ts'
import { seeds } from '../support/seeds.ts'
import { STREAM, World } from '../support/world.ts'

const SEEDS = 1
/** Java notices that counters stand still, and assigns. Milliseconds. */
const JAVA_FAILOVER_MS = 60_000
/** The leases of the Java leader stand still, and ours assigns. Milliseconds. */
const VACANCY_MS = 30_000

describe('a lease table that is shared with Java KCL 3.x', () => {
  for (const hasIndex of [true, false]) {
    it(`M2: is shared out by the Java leader, ${hasIndex ? 'with' : 'without'} an index over owners, and stays so`, async () => {
      for (const seed of seeds(SEEDS)) {
        const { world, javas, ours } = await aKcl3Fleet({ seed, ours: 2, hasIndex })
        expect(sharesOf(javas, ours), `SEED=${seed}`).to.deep.equal([2, 2, 2])
        expect(new Set(world.events('lease:taken').map(({ why }) => why)), `SEED=${seed}`).to.deep.equal(
          new Set(['assigned'])
        )
        await expectQuiet(world, javas)
        await expectSafe(world, { mayStray: true })
        expect(world.ledger.duplicates(), `SEED=${seed}: handed over without duplicates`).to.deep.equal([])
      }
    })
  }

  it('M2: gives a Java worker that joins its share, each shard after ours has finished with it', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aKcl3World({ seed })
      const ours = world.makeWorker(MIXED)
      void ours.worker.start()
      await world.load(30_000)
      expect(ours.worker.shardIds, `SEED=${seed}: alone`).to.have.length(6)
      const java = new Kcl3Worker(world, 'java-1')
      java.start()
      await untilSo(world, () => java.shardIds.length === 3, 200_000, 'Java has its share')
      expect(
        java.decisions.filter(line => line.startsWith('hand over')),
        `SEED=${seed}`
      ).to.have.length(3)
      expect(world.events('lease:lost'), `SEED=${seed}: nothing is lost, all is handed over`).to.deep.equal([])
      await expectQuiet(world, [java])
      await expectSafe(world, { mayStray: true })
      expect(world.ledger.duplicates(), `SEED=${seed}: duplicates`).to.deep.equal([])
    }
  })

  it('is read on by Java when ours is killed, and nothing more is given to the dead session', async () => {
    for (const seed of seeds(SEEDS)) {
      const { world, javas, ours } = await aKcl3Fleet({ seed, ours: 2 })
      const [victim, survivor] = ours
      if (victim === undefined || survivor === undefined) throw new Error('there are two')
      const dead = sessionOf(victim)
      victim.crash()
      await untilSo(world, () => sharesOf(javas, ours).join() === '3,3', JAVA_FAILOVER_MS, 'all is held again')
      expect(world.kcl.items.published['lease-table'].has(dead), `SEED=${seed}: its metrics`).to.equal(false)
      await expectQuiet(world, javas)
      await expectSafe(world, { mayStray: true })
    }
  })

  it('is read on by ours when the Java leader is killed, before another Java worker may have its lock; then that one leads', async () => {
    for (const seed of seeds(SEEDS)) {
      const { world, javas, ours } = await aKcl3Fleet({ seed, javas: 2, ours: 2, shards: 8 })
      const [leader, other] = javas
      if (leader === undefined || other === undefined) throw new Error('there are two')
      expect(leader.isLeading, `SEED=${seed}`).to.equal(true)
      leader.kill()
      const held = (): number => sharesOf(javas, ours).reduce((a, b) => a + b, 0)
      await untilSo(world, () => held() === 8, VACANCY_MS, 'all is held again')
      expect(other.shardIds, `SEED=${seed}: nothing is taken from a Java worker that lives`).to.have.length(2)
      await untilSo(world, () => other.isLeading, 240_000, 'the other Java worker leads')
      await world.load(120_000, { everyMs: 2_000 })
      await expectQuiet(world, javas)
      await expectSafe(world, { mayStray: true })
    }
  })

  for (const how of ['kill', 'stop'] as const) {
    it(`is all with ours after the ${how} of the last Java worker, and back with Java when one comes`, async () => {
      for (const seed of seeds(SEEDS)) {
        const { world, javas, ours } = await aKcl3Fleet({ seed, ours: 2 })
        for (const java of javas) java[how]()
        await untilSo(world, () => sharesOf([], ours).join() === '3,3', VACANCY_MS, 'all is with ours')
        const back = new Kcl3Worker(world, 'java-9')
        back.start()
        await untilSo(world, () => sharesOf([back], ours).join() === '2,2,2', 300_000, 'Java has its share')
        await expectQuiet(world, [back])
        await expectSafe(world, { mayStray: true })
      }
    })
  }

  it('leaves finished shards to Java as it does, and takes their children at once', async () => {
    for (const seed of seeds(SEEDS)) {
      const { world, javas, ours } = await aKcl3Fleet({ seed })
      for (const shard of [javas[0]?.shardIds[0], ours[0]?.worker.shardIds[0]]) {
        if (shard !== undefined) world.kinesis.split(STREAM, shard)
        await world.load(20_000)
      }
      await world.load(150_000, { everyMs: 2_000 })
      const parents = (await world.store.list({ consistent: true })).leases.filter(isFinished)
      expect(
        parents.every(({ childShardIds }) => childShardIds.length === 2),
        `SEED=${seed}`
      ).to.equal(true)
      expect((await openLeases(world)).length, `SEED=${seed}`).to.equal(8)
      expect(
        sharesOf(javas, ours).reduce((a, b) => a + b, 0),
        `SEED=${seed}`
      ).to.equal(8)
      await expectQuiet(world, javas)
      await expectSafe(world, { mayStray: true })
    }
  })

  it('leaves what ours may not take to Java: nothing is given to a worker again and again that never reads it', async () => {
    for (const seed of seeds(SEEDS)) {
      const worker = { leases: { mode: 'mixed', maxLeases: 1 } } as const
      const { world, javas, ours } = await aKcl3Fleet({ seed, worker })
      await untilSo(world, () => sharesOf(javas, ours).join() === '1,5', 120_000, 'everything is read')
      await expectQuiet(world, javas)
      await expectSafe(world, { mayStray: true })
    }
  })

  it('stops without a lease that anybody would be given later', async () => {
    for (const seed of seeds(SEEDS)) {
      const { world, javas, ours } = await aKcl3Fleet({ seed })
      const [member] = ours
      if (member === undefined) throw new Error('there is one')
      const sinceMs = world.clock.monotonicMs()
      await world.await(member.worker.stop())
      expect(world.clock.monotonicMs() - sinceMs, `SEED=${seed}: waits for nobody`).to.be.lessThan(5_000)
      expect([...world.kcl.items.published['lease-table'].keys()], `SEED=${seed}`).to.deep.equal(['java-1'])
      await untilSo(world, () => javas[0]?.shardIds.length === 6, JAVA_FAILOVER_MS, 'all is with Java')
      await expectSafe(world, { mayStray: true })
      expect(world.ledger.duplicates(), `SEED=${seed}: duplicates`).to.deep.equal([])
    }
  })
})

describe('a fleet of KCL 2.x that becomes one of 3.x', () => {
  it('M3: goes over and back while shards are read, and settles each time', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = new World({ shards: 6, seed, latencyMs: 10 })
      const javas = [new Kcl3Worker(world, 'java-1'), new Kcl3Worker(world, 'java-2')]
      for (const java of javas) java.start()
      await world.load(60_000, { everyMs: 1_000 })
      const ours = world.makeWorker(MIXED)
      void ours.worker.start()
      await world.load(150_000, { everyMs: 2_000 })
      expect(sharesOf(javas, [ours]), `SEED=${seed}: as 2.x`).to.deep.equal([2, 2, 2])
      const { items } = world.kcl
      expect(items.published['lease-table'].size, `SEED=${seed}: nothing but leases is written`).to.equal(0)

      items.version = 'UPGRADE_FROM_2X'
      await world.load(130_000, { everyMs: 2_000 })
      expect([...items.published['lease-table'].keys()].sort(), `SEED=${seed}: all are ready`).to.deep.equal(
        ['java-1', 'java-2', sessionOf(ours)].sort()
      )
      const before = world.history.claims().length
      Object.assign(items, { version: '3X_WITH_ROLLBACK', hasIndex: true })
      await world.load(150_000, { everyMs: 2_000 })
      expect(
        javas.filter(({ isLeading }) => isLeading),
        `SEED=${seed}: a Java leader`
      ).to.have.length(1)
      expect(sharesOf(javas, [ours]), `SEED=${seed}: as 3.x`).to.deep.equal([2, 2, 2])
      await expectQuiet(world, javas)

      Object.assign(items, { version: '2X', hasIndex: false })
      await world.load(150_000, { everyMs: 2_000 })
      expect(sharesOf(javas, [ours]), `SEED=${seed}: rolled back`).to.deep.equal([2, 2, 2])
      expect(items.published['lease-table'].has(sessionOf(ours)), `SEED=${seed}: its metrics are gone`).to.equal(false)
      await expectQuiet(world, [])
      expect(world.history.claims().length - before, `SEED=${seed}: moves`).to.be.at.most(6)
      await expectSafe(world, { mayStray: true })
    }
  })

  it('M5: publishes where the fleet looks, through the migration of its tables and back', async () => {
    const world = await aKcl3World({ seed: 1 })
    const { items } = world.kcl
    Object.assign(items, { hasLegacyTables: true })
    const java = new Kcl3Worker(world, 'java-1')
    java.start()
    const ours = world.makeWorker(MIXED)
    await world.await(ours.worker.start())
    const placesWhen = async (state: Partial<typeof items>): Promise<string[]> => {
      Object.assign(items, state)
      await world.load(90_000, { everyMs: 1_000 })
      return Object.entries(items.published)
        .filter(([, workers]) => workers.has(sessionOf(ours)))
        .map(([place]) => place)
    }
    expect(await placesWhen({}), 'before').to.deep.equal(['legacy-tables'])
    expect(await placesWhen({ tableMigration: 'INIT' })).to.deep.equal(['legacy-tables'])
    expect(await placesWhen({ tableMigration: 'DEPLOYED' })).to.deep.equal(['legacy-tables'])
    expect(await placesWhen({ tableMigration: 'PENDING' })).to.deep.equal(['lease-table'])
    expect(await placesWhen({ tableMigration: 'DEPLOYED' }), 'back').to.deep.equal(['legacy-tables'])
    expect(await placesWhen({ tableMigration: 'COMPLETE' })).to.deep.equal(['lease-table'])
    await expectSafe(world, { mayStray: true })
  })
})
