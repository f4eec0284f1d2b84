// Fleets that grow, shrink, are too small or carry unevenly, and workers that come and go at once: scenarios 21, 22, 23 and 25
// of coordination.md section 8.
import { expect } from 'chai'
import { isFinished } from '../../src/model/lease.ts'
import { shardId } from '../support/builders.ts'
import { aFleet, expectBalanced, expectExactlyOnce, expectSafe, openLeases } from '../support/fleet.ts'
import { seeds } from '../support/seeds.ts'
import { STREAM, World } from '../support/world.ts'

const SEEDS = 2
const SHARDS = 300
/** Reads seldom: what is looked at here is who holds what. */
const IDLE = { retrieval: { idleMs: 60_000 } }

function start(world: World, count: number): void {
  for (let i = 0; i < count; i++) void world.makeWorker(IDLE).worker.start()
}

/** Moves time on, at most `maxMs`, until there are `size` workers, every lease is held and nobody has more than one more than another. Resolves with how long it took. */
async function untilBalanced(world: World, size: number, maxMs: number): Promise<number> {
  const sinceMs = world.clock.monotonicMs()
  for (;;) {
    await world.clock.advance(1_000)
    const loads = world.loads()
    const held = loads.reduce((a, b) => a + b, 0)
    const forMs = world.clock.monotonicMs() - sinceMs
    if (loads.length === size && held === SHARDS && (loads.at(-1) ?? 0) - (loads[0] ?? 0) <= 1) return forMs
    if (forMs > maxMs)
      throw new Error(`SEED=${world.seed}: ${held} held after ${forMs} ms, ${loads[0]} to ${loads.at(-1)} each`)
  }
}

describe('coordination of fleets that change in size', () => {
  it('scenario 21: 200 workers that start within a second share 300 shards within a minute, and claim each once', async function () {
    this.timeout(60_000)
    for (const seed of seeds(1)) {
      const world = new World({ shards: SHARDS, seed, latencyMs: 20 })
      for (let i = 0; i < 20; i++) {
        start(world, 10)
        await world.clock.advance(50)
      }
      await untilBalanced(world, 200, 60_000)
      expect(world.history.claims().length, `SEED=${seed}: claims`).to.be.at.most(SHARDS * 1.05)
      world.putMany(500, 500)
      await expectExactlyOnce(world)
    }
  })

  it('scenario 21: from 1 worker to 200 and to 100, no more moves than what is in excess', async function () {
    this.timeout(60_000)
    for (const seed of seeds(1)) {
      const world = new World({ shards: SHARDS, seed, latencyMs: 20 })
      start(world, 1)
      await untilBalanced(world, 1, 60_000)
      start(world, 199)
      await untilBalanced(world, 200, 400_000)
      const grown = world.history.claims().length
      expect(grown - SHARDS, `SEED=${seed}: moves`).to.be.within(SHARDS - 2, (SHARDS - 2) * 1.05)
      const leaving = world.members.filter(({ worker }) => worker.shardIds.length > 0).slice(0, 100)
      for (const { worker } of leaving) void worker.stop()
      await untilBalanced(world, 100, 120_000)
      expect(world.history.claims().length - grown, `SEED=${seed}: moves`).to.be.within(100, 170)
      world.putMany(500, 500)
      await expectExactlyOnce(world)
    }
  })

  it('scenario 22: shards beyond maxLeases are told, and read in order once somebody may', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 2, shards: 4, seed, worker: { leases: { maxLeases: 2 } } })
      for (const number of [0, 1, 2, 3]) {
        world.kinesis.split(STREAM, shardId(number))
        await world.load(world.random.next() * 5_000)
      }
      await world.load(60_000)
      expect(world.loads(), `SEED=${seed}`).to.deep.equal([2, 2])
      const unread = (await openLeases(world))
        .filter(({ owner }) => owner === undefined)
        .map(({ leaseKey }) => leaseKey)
      expect(unread, `SEED=${seed}`).to.have.length(4)
      expect([...(world.events('lease:neglected').at(-1)?.leaseKeys ?? [])], `SEED=${seed}: told`).to.have.members(
        unread
      )
      void world.makeWorker().worker.start()
      await world.load(60_000)
      expect(world.events('lease:neglected').at(-1)?.leaseKeys, `SEED=${seed}: told`).to.deep.equal([])
      await expectExactlyOnce(world)
      await world.stopAll()
    }
  })

  it('scenario 23: one hot shard among idle ones stays where it is, and so do they', async () => {
    for (const seed of seeds(SEEDS)) {
      for (const [others, moves] of [
        [0, 0],
        [10, 4]
      ] as const) {
        const worker = { leases: { balance: 'weight' }, retrieval: { idleMs: 10_000 } } as const
        const world = await aFleet({ size: 2, shards: 10, seed, worker })
        const before = world.history.claims().length
        const loads = Object.fromEntries(
          [...Array(10).keys()].map(number => [shardId(number), number === 0 ? 1_000 : others])
        )
        for (const member of world.members) {
          member.intercept = ({ name }) => (name === 'loads' ? { kind: 'answered', value: loads } : undefined)
        }
        await world.load(900_000, { everyMs: 10_000 })
        expect(world.history.claims().length - before, `SEED=${seed}: moves, others carry ${others}`).to.be.at.most(
          moves
        )
        const settled = world.history.claims().length
        expect(world.history.claims(shardId(0)), `SEED=${seed}: claims of the hot shard`).to.have.length(1)
        await world.load(300_000, { everyMs: 10_000 })
        expect(world.history.claims().length, `SEED=${seed}: settled`).to.equal(settled)
        await expectExactlyOnce(world)
        await world.stopAll()
      }
    }
  })

  it('scenario 25: stops during starts, starts during stops, and kills during both lose nothing', async () => {
    for (const seed of seeds(SEEDS * 3)) {
      const world = await aFleet({ size: 2, shards: 6, seed })
      const stops: Promise<void>[] = []
      for (let round = 0; round < 10; round++) {
        const before = world.members.at(-1)
        const member = world.makeWorker(world.random.next() < 0.5 ? {} : { workerId: 'same' })
        void member.worker.start()
        if (world.random.next() < 0.3) before?.crash()
        await world.load(world.random.next() * 8_000)
        const luck = world.random.next()
        if (luck < 0.5)
          stops.push(member.worker.stop({ graceMs: Math.floor(world.random.next() * 10_000), restarting: luck < 0.2 }))
        if (luck > 0.3) await world.load(world.random.next() * 3_000)
        if (luck > 0.4 && luck < 0.7) member.crash()
      }
      if (world.members.every(({ isAlive, worker }) => !isAlive || worker.state !== 'running')) {
        void world.makeWorker().worker.start()
      }
      await world.load(120_000)
      await expectBalanced(world)
      await expectSafe(world)
      await world.stopAll()
      const dead = world.members.filter(({ isAlive }) => !isAlive).length
      expect(
        dead + world.members.filter(({ worker }) => worker.state === 'stopped').length,
        `SEED=${seed}`
      ).to.be.at.least(world.members.length)
    }
  })

  it('scenario 25: a worker that is stopped at any moment of its start is gone, and its leases are with others', async () => {
    for (const seed of seeds(SEEDS * 3)) {
      const world = await aFleet({ size: 1, shards: 6, seed, latencyMs: 100 })
      const member = world.makeWorker()
      const starting = member.worker.start()
      await world.clock.advance(world.random.next() * 20_000)
      await world.await(Promise.all([member.worker.stop(), starting]))
      const sessions = member.events('session:began').map(({ session }) => session)
      expect(
        (await openLeases(world)).filter(({ owner }) => sessions.includes(owner ?? '')),
        `SEED=${seed}`
      ).to.deep.equal([])
      await world.load(20_000)
      expect(world.loads(), `SEED=${seed}`).to.deep.equal([6])
      expect((await world.store.list()).leases.some(isFinished)).to.equal(false)
      await expectExactlyOnce(world)
      await world.stopAll()
    }
  })
})
