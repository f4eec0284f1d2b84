// Leaders that fail, doubt each other, or have nothing to write to: scenarios 9, 10, 11, 13 and 14 of coordination.md section 8.
import { expect } from 'chai'
import { ServiceError } from '../../src/index.ts'
import { aFleet, expectBalanced, expectSafe, followersOf, leaderOf, openLeases, sessionOf } from '../support/fleet.ts'
import { seeds } from '../support/seeds.ts'
import type { Member, World } from '../support/world.ts'

const SEEDS = 2

/** What every worker should hold of late, by what it holds now: nothing moves any more. */
async function expectQuiet(world: World, ms = 40_000): Promise<void> {
  const claims = world.history.claims().length
  await world.load(ms, { everyMs: 1_000 })
  expect(world.history.claims().length - claims, `SEED=${world.seed}: claims in ${ms} quiet ms`).to.equal(0)
}

describe('coordination with leaders that fail', () => {
  for (const call of ['post', 'certify', 'list', 'members', 'replaceLeader'] as const) {
    it(`scenario 9: a leader paused for a minute while it calls ${call} wakes, writes what is out of date, and does no harm`, async () => {
      for (const seed of seeds(SEEDS)) {
        const world = await aFleet({ size: 4, shards: 12, seed })
        const leader = await leaderOf(world)
        const followers = await followersOf(world)
        const newcomers = [world.makeWorker(), world.makeWorker()]
        let paused: Member | undefined
        for (const member of call === 'replaceLeader' ? [...followers, ...newcomers] : [leader]) {
          member.intercept = ({ name }) => {
            if (name !== call || paused !== undefined) return undefined
            paused = member
            member.pause()
            return { kind: 'slow', thereMs: 62_000 }
          }
        }
        // Something for a leader to do: one dies, two come, and another one dies while it sleeps.
        const doomed = call === 'replaceLeader' ? leader : followers[0]
        doomed?.crash()
        for (const { worker } of newcomers) void worker.start()
        await world.load(30_000)
        followers.find(member => member !== paused && member !== doomed)?.crash()
        await world.load(30_000)
        expect(paused, `SEED=${seed}: paused`).to.not.equal(undefined)
        paused?.resume()
        await world.load(90_000)
        await expectBalanced(world)
        await expectQuiet(world)
        await expectSafe(world)
        await world.stopAll()
      }
    })
  }

  it('scenario 10: two leaders with different views settle as soon as one knows of the other, and break nothing before', async () => {
    for (const seed of seeds(SEEDS * 2)) {
      const world = await aFleet({ size: 4, shards: 12, seed })
      const first = await leaderOf(world)
      const second = (await followersOf(world))[0] as Member
      const lock = await world.control.leader({ consistent: true })
      const stale = { kind: 'answered', value: lock } as const
      // The first goes on believing in its term, and sees only half of the leases.
      first.intercept = ({ name }) => (name === 'leader' ? stale : undefined)
      const half = { kind: 'answered', value: { leases: (await openLeases(world)).slice(6), skipped: [] } } as const
      await world.control.replaceLeader(lock, { who: sessionOf(second), term: (lock?.term ?? 0) + 1 })
      await world.load(10_000)
      expect(second.events('leader:elected'), `SEED=${seed}`).to.have.length(1)
      first.intercept = ({ name }) => (name === 'leader' ? stale : name === 'list' ? half : undefined)
      for (let round = 0; round < 3; round++) {
        void world.makeWorker().worker.start()
        await world.load(15_000)
        if (round === 1) world.members.find(member => member.isAlive && member !== first && member !== second)?.crash()
      }
      first.intercept = undefined
      await world.load(60_000)
      expect(first.events('leader:deposed'), `SEED=${seed}`).to.have.length(1)
      await expectBalanced(world)
      await expectQuiet(world)
      await expectSafe(world)
      await world.stopAll()
    }
  })

  for (const posts of [1, 2, 3, 4]) {
    it(`scenario 11: a leader that crashes after ${posts} of its mailboxes leaves a plan that its successor carries on`, async () => {
      for (const seed of seeds(SEEDS)) {
        const world = await aFleet({ size: 4, shards: 16, seed })
        const old = await leaderOf(world)
        let posted = 0
        old.intercept = ({ name }) => {
          if (name === 'post' && posted++ >= posts) old.crash()
          return undefined
        }
        for (let i = 0; i < 3; i++) void world.makeWorker().worker.start()
        await world.load(60_000)
        expect(old.isAlive, `SEED=${seed}`).to.equal(false)
        await world.load(60_000)
        await expectBalanced(world)
        await expectQuiet(world)
        await expectSafe(world)
        await world.stopAll()
      }
    })
  }

  it('scenario 13: a leader and its successor that crash together are followed by a third', async () => {
    for (const seed of seeds(SEEDS * 2)) {
      const world = await aFleet({ size: 4, shards: 8, seed })
      const first = await leaderOf(world)
      for (const member of await followersOf(world)) {
        member.worker.once('leader:elected', () => {
          if (world.events('leader:elected').filter(({ worker }) => worker !== first.name).length === 1) member.crash()
        })
      }
      first.crash()
      const crashedAtMs = world.clock.monotonicMs()
      await world.load(70_000)
      expect(
        world.members.filter(({ isAlive }) => isAlive),
        `SEED=${seed}`
      ).to.have.length(2)
      const last = Math.max(...world.history.claims().map(({ atMs }) => atMs))
      expect(last - crashedAtMs, `SEED=${seed}: ms until everything is held again`).to.be.lessThan(45_000)
      await expectBalanced(world)
      await expectSafe(world)
      await world.stopAll()
    }
  })

  it('scenario 13: a fleet all of whose workers but one crash at once goes on in that one', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 5, shards: 10, seed })
      const [survivor] = await followersOf(world)
      for (const member of world.members) if (member !== survivor) member.crash()
      await world.load(60_000)
      expect(survivor?.worker.shardIds, `SEED=${seed}`).to.have.length(10)
      await expectSafe(world)
      await world.stopAll()
    }
  })

  for (const table of ['control', 'leases'] as const) {
    it(`scenario 14: workers whose ${table === 'leases' ? 'lease' : 'control'} table is gone stop with an error that says so`, async () => {
      for (const seed of seeds(SEEDS)) {
        const world = await aFleet({ size: 3, shards: 6, seed })
        const gone = new ServiceError('not-found', `Table ${table} does not exist`, { retryable: false })
        const ends = world.members.map(({ worker }) => worker.finished.catch((error: unknown) => error))
        for (const member of world.members) {
          member.intercept = ({ service }) => (service === table ? { kind: 'fails', error: gone } : undefined)
        }
        world.putMany(60)
        const goneAtMs = world.clock.monotonicMs()
        const errors = await world.await(Promise.all(ends))
        expect(new Set(errors), `SEED=${seed}`).to.deep.equal(new Set([gone]))
        expect(world.clock.monotonicMs() - goneAtMs, `SEED=${seed}: ms`).to.be.lessThan(60_000)
        expect(world.history.violations(), `SEED=${seed}`).to.deep.equal([])
        await world.clock.advance(5_000)
        expect(world.clock.sleeping, `SEED=${seed}: timers`).to.equal(0)

        // The table is back, as from a backup: nothing is missing.
        for (let i = 0; i < 2; i++) void world.makeWorker().worker.start()
        await world.load(60_000)
        await expectBalanced(world)
        await expectSafe(world)
        await world.stopAll()
      }
    })
  }

  it('scenario 14: a control table that was emptied is filled again, and no worker delivers what another one holds', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 3, shards: 6, seed })
      // Whoever beats finds no item of its session: to the table everybody is dead.
      for (const { session, hb } of await world.control.members()) {
        await world.control.certify(session, hb, 'gone')
        await world.control.forget(session)
      }
      await world.load(90_000)
      expect(
        world.events('session:died').map(({ how }) => how),
        `SEED=${seed}`
      ).to.deep.equal(['gone', 'gone', 'gone'])
      await expectBalanced(world)
      await expectSafe(world)
      await world.stopAll()
    }
  })
})
