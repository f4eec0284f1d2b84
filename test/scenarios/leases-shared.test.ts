// KCL's hazards with how leases are shared out, by the numbers of kcl-behaviour.md section 10.1 (L10 to L14, L19). Nobody
// steals here: the leader hints, owners release, and who was told claims.
import { expect } from 'chai'
import { claimed } from '../../src/model/lease.ts'
import { TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { shardId } from '../support/builders.ts'
import {
  aFleet,
  expectBalanced,
  expectExactlyOnce,
  expectSafe,
  holdingFollower,
  kindOfWrite,
  leaderOf,
  openLeases
} from '../support/fleet.ts'
import { seeds } from '../support/seeds.ts'
import { type Member, World } from '../support/world.ts'

const SEEDS = 2
const TEN_MINUTES_MS = 600_000
/** Reads seldom, so that a long time is soon over. */
const IDLE = { retrieval: { idleMs: 10_000 } }

describe('the sharing of leases', () => {
  it('L10: leases that nobody owns are taken promptly by the workers that start', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = new World({ shards: 6, seed, latencyMs: 10 })
      await world.startWorker()
      await world.load(5_000)
      await world.stopAll()
      expect((await openLeases(world)).filter(({ owner }) => owner !== undefined)).to.deep.equal([])
      const startedAtMs = world.clock.monotonicMs()
      for (let i = 0; i < 2; i++) void world.makeWorker().worker.start()
      await world.load(15_000)
      const taken = world.events('lease:taken').filter(({ atMs }) => atMs > startedAtMs)
      expect(taken.length, `SEED=${seed}`).to.equal(6)
      expect(Math.max(...taken.map(({ atMs }) => atMs)) - startedAtMs, `SEED=${seed}: ms`).to.be.lessThan(12_000)
      await expectExactlyOnce(world)
      await world.stopAll()
    }
  })

  it('L10: a lease that is created while the fleet runs is taken within seconds, whoever created it', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ shards: 4, seed })
      // A follower finds out that its row is gone. Kinesis is slow, so that the leader has looked before the row is back.
      const { member, shardId: lost } = await holdingFollower(world)
      member.intercept = ({ name }) => (name === 'listShards' ? { kind: 'slow', backMs: 8_000 } : undefined)
      const row = await world.store.get(lost)
      if (row !== undefined) await world.store.remove(row)
      await world.load(60_000)
      const created = world.history.writes.findLast(({ leaseKey, before }) => leaseKey === lost && before === undefined)
      const taken = world.history.claims(lost).at(-1)
      expect((taken?.atMs ?? 0) - (created?.atMs ?? 0), `SEED=${seed}: ms until it was taken`).to.be.within(0, 10_000)
      await expectSafe(world)
      await world.stopAll()
    }
  })

  it('L11: a leader that is new to the fleet takes nobody for dead at first sight', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 3, shards: 6, seed })
      const old = await leaderOf(world)
      const newcomer = world.makeWorker()
      void newcomer.worker.start()
      void old.worker.stop()
      await world.load(60_000)
      expect(await leaderOf(world), `SEED=${seed}`).to.not.equal(old)
      expect(world.events('fleet:member-died'), `SEED=${seed}`).to.deep.equal([])
      expect(world.events('lease:lost'), `SEED=${seed}`).to.deep.equal([])
      // Those of the one that stopped, and what goes on to the newcomer if they were placed before it had joined.
      expect(world.history.claims().length, `SEED=${seed}: claims`).to.be.within(8, 10)
      await expectBalanced(world)
      await expectExactlyOnce(world)
      await world.stopAll()
    }
  })

  it('L11: a lease of an owner that nothing is known of is taken only after a lease duration of watching', async () => {
    for (const [owner, mode] of [
      ['ghost/0a1b2c3d', 'solo'],
      ['java-worker', 'mixed']
    ] as const) {
      for (const seed of seeds(SEEDS)) {
        const world = new World({ shards: 2, seed, latencyMs: 10 })
        await world.startWorker()
        await world.load(5_000)
        await world.stopAll()
        const row = await world.store.get(shardId(0))
        if (row !== undefined) await world.store.replace(row, claimed(row, owner))
        const startedAtMs = world.clock.monotonicMs()
        await world.startWorker({ leases: { mode } })
        await world.load(60_000)
        const afterMs = (world.history.claims(shardId(0)).at(-1)?.atMs ?? 0) - startedAtMs
        expect(afterMs, `SEED=${seed}: ${owner}`).to.be.within(10_000, 17_000)
        await expectExactlyOnce(world)
        await world.stopAll()
      }
    }
  })

  it('L12: what has been nobody’s for long is taken beyond a fair share, never beyond maxLeases, and never by two', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 3, shards: 12, seed })
      for (const member of world.members) member.crash()
      await world.clock.advance(120_000)
      const crashedClaims = world.history.claims().length
      const members = [5, 5].map(maxLeases => world.makeWorker({ leases: { maxLeases } }))
      let attempts = 0
      for (const member of members) {
        member.intercept = call => {
          if (kindOfWrite(call) === 'claim') attempts++
          return undefined
        }
        void member.worker.start()
      }
      let most = 0
      for (let second = 0; second < 60; second++) {
        await world.load(1_000)
        most = Math.max(most, ...world.loads())
      }
      expect(most, `SEED=${seed}: most held at once`).to.equal(5)
      expect(world.loads(), `SEED=${seed}`).to.deep.equal([5, 5])
      expect([attempts, world.history.claims().length - crashedClaims], `SEED=${seed}`).to.deep.equal([10, 10])
      void world.makeWorker().worker.start()
      await world.load(60_000)
      await expectSafe(world)
      expect((await openLeases(world)).every(({ owner }) => owner !== undefined)).to.equal(true)
      await world.stopAll()
    }
  })

  it('L13: 4 and 0 become 2 and 2 by two moves, and what is even, or as even as can be, stays as it is', async () => {
    const cases = [
      { shards: 4, joining: 1, after: [2, 2], moves: 2 },
      { shards: 3, joining: 1, after: [1, 2], moves: 1 },
      { shards: 3, joining: 4, after: [0, 0, 1, 1, 1], moves: 2 }
    ]
    for (const { shards, joining, after, moves } of cases) {
      for (const seed of seeds(1)) {
        const world = await aFleet({ size: 1, shards, seed, worker: IDLE })
        for (let i = 0; i < joining; i++) void world.makeWorker(IDLE).worker.start()
        await world.load(60_000)
        expect(world.loads(), `SEED=${seed}`).to.deep.equal(after)
        expect(world.history.claims().length, `SEED=${seed}: claims`).to.equal(shards + moves)
        await world.load(TEN_MINUTES_MS, { everyMs: 5_000 })
        expect(world.loads(), `SEED=${seed}`).to.deep.equal(after)
        expect(world.history.claims().length, `SEED=${seed}: claims in ten quiet minutes`).to.equal(shards + moves)
        await expectExactlyOnce(world)
        await world.stopAll()
      }
    }
  })

  it('L14: leases beyond what all workers may hold are left alone, and told', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = new World({ shards: 5, seed, latencyMs: 10 })
      for (let i = 0; i < 2; i++) void world.makeWorker({ leases: { maxLeases: 2 } }).worker.start()
      await world.clock.advance(90_000)
      expect(world.loads(), `SEED=${seed}`).to.deep.equal([2, 2])
      const [unread, ...others] = (await openLeases(world)).filter(({ owner }) => owner === undefined)
      expect(others, `SEED=${seed}`).to.deep.equal([])
      expect(unread, `SEED=${seed}`).to.deep.include({ counter: 0, checkpoint: TRIM_HORIZON })
      expect(
        world.events('lease:neglected').map(({ leaseKeys }) => leaseKeys),
        `SEED=${seed}`
      ).to.deep.equal([[unread?.leaseKey]])
      expect(world.events('error'), `SEED=${seed}`).to.deep.equal([])
      await world.stopAll()
    }
  })

  it('L19: a worker that restarts under the same id gets its leases back at once, and nobody else does', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 3, shards: 6, seed })
      const { member: old } = await holdingFollower(world)
      const leases = old.worker.shardIds.sort()
      const restartedAtMs = world.clock.monotonicMs()
      void old.worker.stop({ restarting: true })
      await world.load(8_000)
      const again = world.makeWorker({ workerId: old.worker.workerId })
      void again.worker.start()
      await world.load(30_000)
      expect(again.worker.shardIds.sort(), `SEED=${seed}`).to.deep.equal(leases)
      const claims = world.history.claims().filter(({ atMs }) => atMs > restartedAtMs)
      expect(claims, `SEED=${seed}: claims`).to.have.length(leases.length)
      const last = Math.max(...claims.map(({ atMs }) => atMs))
      expect(last - restartedAtMs, `SEED=${seed}: ms`).to.be.lessThan(14_000)
      await expectExactlyOnce(world)
      await world.stopAll()
    }
  })

  it('L19: a worker that restarts under the same id does not adopt what is being moved away from it', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 1, shards: 4, seed, handlerMs: 4_000 })
      const [old] = world.members as [Member]
      const other = world.makeWorker()
      void other.worker.start()
      world.putMany(40)
      await world.clock.advanceUntil(() => old.events('lease:revoked').length > 1, 60_000)
      world.putMany(40)
      const moving = old.events('lease:revoked').map(({ shardId: id }) => id)
      const claims = world.history.claims().length
      void old.worker.stop({ restarting: true })
      const again = world.makeWorker({ workerId: old.worker.workerId })
      void again.worker.start()
      await world.load(60_000)
      expect(other.worker.shardIds.sort(), `SEED=${seed}`).to.deep.equal(moving.sort())
      expect(again.worker.shardIds, `SEED=${seed}`).to.have.length(2)
      expect(world.history.claims().length - claims, `SEED=${seed}: claims`).to.equal(4)
      await expectExactlyOnce(world)
      await world.stopAll()
    }
  })
})
