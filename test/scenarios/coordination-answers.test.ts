// Requests and answers that are lost, late, or race with each other: scenarios 1 to 4, 8, 15 and 24 of coordination.md
// section 8.
import { expect } from 'chai'
import { shardId } from '../support/builders.ts'
import {
  aFleet,
  expectBalanced,
  expectExactlyOnce,
  expectSafe,
  firstCalls,
  followersOf,
  holdingFollower,
  kindOfWrite,
  leaderOf,
  postRogue,
  servedElsewhereAfterMs,
  sessionOf,
  writeOf
} from '../support/fleet.ts'
import { seeds } from '../support/seeds.ts'
import { type Member, World } from '../support/world.ts'

const SEEDS = 2
const LEASE_MS = 10_000

describe('coordination with answers that get lost', () => {
  it('scenario 1: a claim that landed without an answer is one hold, and is read', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = new World({ shards: 6, seed, latencyMs: 10 })
      for (let i = 0; i < 2; i++) {
        const member = world.makeWorker()
        member.intercept = firstCalls(2, call => kindOfWrite(call) === 'claim', { kind: 'lost-answer' })
        void member.worker.start()
      }
      await world.load(30_000)
      expect(world.loads(), `SEED=${seed}`).to.deep.equal([3, 3])
      expect(world.events('lease:taken'), `SEED=${seed}: holds`).to.have.length(6)
      await expectExactlyOnce(world)
      await world.stopAll()
    }
  })

  for (const kind of ['lost-answer', 'late-request'] as const) {
    it(`scenario 1: a claim that was given to somebody else before it was known to have landed (${kind}) holds nobody up`, async () => {
      for (const seed of seeds(SEEDS)) {
        const world = new World({ seed, latencyMs: 10 })
        const before = await world.startWorker()
        await world.load(3_000)
        await world.await(before.worker.stop())
        const [first, second] = [world.makeWorker(), world.makeWorker()] as [Member, Member]
        for (const member of [first, second]) {
          member.intercept = ({ name }) => (name === 'post' ? { kind: 'answered', value: true } : undefined)
          await world.await(member.worker.start())
        }
        const fate = kind === 'lost-answer' ? { kind } : { kind, landsInMs: 2_700 }
        const claiming = firstCalls(1, call => kindOfWrite(call) === 'claim', fate)
        let isSent = false
        first.intercept = call => {
          isSent ||= kindOfWrite(call) === 'claim'
          return claiming(call)
        }
        await postRogue(world, first, 1, [shardId(0)])
        // The next mailbox comes while the answer is waited for.
        await world.clock.advanceUntil(() => isSent, 10_000)
        await postRogue(world, first, 2, [])
        await postRogue(world, second, 1, [shardId(0)])
        await world.load(20_000)
        expect(second.worker.shardIds, `SEED=${seed}`).to.deep.equal([shardId(0)])
        expect(first.worker.shardIds, `SEED=${seed}`).to.deep.equal([])
        await expectExactlyOnce(world)
      }
    })
  }

  it('scenario 1: a claim of a session that has died meanwhile, landing as late as can be, holds nobody up', async () => {
    for (const seed of seeds(SEEDS)) {
      // One lease only, so that nothing else has the leader look again.
      const world = await aFleet({ size: 2, shards: 3, seed })
      const victim = world.makeWorker()
      const onTheWay: (() => Promise<unknown>)[] = []
      victim.intercept = call => {
        const write = kindOfWrite(call) === 'claim' ? writeOf(call) : undefined
        if (write === undefined) return undefined
        onTheWay.push(() => world.store.replace(write.before, write.after))
        victim.crash()
        return { kind: 'hangs' }
      }
      void victim.worker.start()
      await world.clock.advanceUntil(() => onTheWay.length > 0, 60_000)
      // Right after the leader has looked at the leases, and told somebody else to claim this one.
      const leader = await leaderOf(world)
      let landed = 0
      const died = (): boolean => leader.events('fleet:member-died').length > 0
      leader.intercept = ({ name }) => {
        if (name === 'post' && died()) for (const land of onTheWay.splice(0)) void land().then(() => landed++)
        return undefined
      }
      await world.load(60_000)
      expect(landed, `SEED=${seed}: landed late`).to.be.greaterThan(0)
      await expectBalanced(world)
      await expectSafe(world)
      await world.stopAll()
    }
  })

  it('scenario 2: a checkpoint that landed without an answer counts, also if its worker crashes right after', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 2, shards: 4, seed })
      const { member: victim, shardId: shard } = await holdingFollower(world)
      let hasLanded = false
      victim.intercept = call => {
        const [before] = call.args as [{ leaseKey?: string }]
        if (kindOfWrite(call) !== 'checkpoint' || before.leaseKey !== shard || hasLanded) return undefined
        hasLanded = true
        return { kind: 'lost-answer' }
      }
      await world.load(10_000, { onTick: () => hasLanded && victim.crash() })
      expect(victim.isAlive, `SEED=${seed}`).to.equal(false)
      await world.load(30_000)
      await expectSafe(world)
      const again = world.ledger.duplicates().filter(({ shardId: id }) => id === shard)
      expect(again, `SEED=${seed}: duplicates`).to.deep.equal([])
      await world.stopAll()
    }
  })

  it('scenario 3: a heartbeat that arrives after the death certificate is refused, and the worker starts over', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 3, shards: 6, seed })
      const { member: victim } = await holdingFollower(world)
      const old = sessionOf(victim)
      // Every heartbeat is on its way for longer than a session lives; those after it do not arrive earlier.
      victim.intercept = ({ name }) => (name === 'beat' ? { kind: 'late-request', landsInMs: 25_000 } : undefined)
      await world.load(30_000)
      victim.intercept = undefined
      await world.load(40_000)
      const certified = world.events('fleet:member-died').find(({ session }) => session === old)
      const died = victim.events('session:died').find(({ session }) => session === old)
      expect(died?.atMs ?? 0, `SEED=${seed}`).to.be.greaterThan(certified?.atMs ?? Number.POSITIVE_INFINITY)
      const member = await world.control.member(old)
      expect(member?.dead, `SEED=${seed}: for ever`).to.equal('silent')
      const late = world.history.writes.filter(({ atMs, before }) => before?.owner === old && atMs > (died?.atMs ?? 0))
      expect(
        late.filter(({ after }) => after?.owner === old),
        `SEED=${seed}: writes of the dead`
      ).to.deep.equal([])
      await expectBalanced(world)
      await expectSafe(world)
      await world.stopAll()
    }
  })

  it('scenario 4: of a heartbeat and a certificate that race, the one that comes first counts and the other is refused', async () => {
    for (const beatFirst of [true, false]) {
      for (const seed of seeds(SEEDS)) {
        const world = await aFleet({ size: 2, shards: 4, seed })
        const [victim] = (await followersOf(world)) as [Member]
        const leader = await leaderOf(world)
        const old = sessionOf(victim)
        const claims = world.history.claims().length
        victim.links.control = 'down'
        let certificates = 0
        // The certificate is decided, and takes five seconds to arrive; meanwhile a heartbeat is sent.
        leader.intercept = ({ name }) => {
          if (name !== 'certify') return undefined
          certificates++
          victim.links.control = 'up'
          if (!beatFirst)
            victim.intercept = call => (call.name === 'beat' ? { kind: 'slow', thereMs: 4_000 } : undefined)
          return { kind: 'slow', thereMs: beatFirst ? 5_000 : 0 }
        }
        await world.load(20_000)
        leader.intercept = undefined
        victim.intercept = undefined
        await world.load(40_000)
        expect(certificates, `SEED=${seed}: certificates`).to.equal(1)
        const { dead } = (await world.control.member(old)) ?? {}
        const died = victim.events('session:died').map(({ session }) => session)
        if (beatFirst) {
          expect([dead, died], `SEED=${seed}`).to.deep.equal([undefined, []])
          expect(world.history.claims().length, `SEED=${seed}: claims`).to.equal(claims)
        } else expect([dead, died], `SEED=${seed}`).to.deep.equal(['silent', [old]])
        await expectBalanced(world)
        await expectSafe(world)
        await world.stopAll()
      }
    }
  })

  it('scenario 8: a worker cut off from DynamoDB delivers nothing while another one may, and comes back', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 3, shards: 6, seed })
      const { member: victim, shardId: shard } = await holdingFollower(world)
      victim.links.store = 'down'
      const cutAtMs = world.clock.monotonicMs()
      await world.load(60_000)
      const own = world.ledger.deliveries.filter(({ worker, atMs }) => worker === victim.name && atMs > cutAtMs + 9_000)
      expect(own, `SEED=${seed}: delivered without proof`).to.deep.equal([])
      expect(servedElsewhereAfterMs(world, shard, victim, cutAtMs), `SEED=${seed}: ms`).to.be.lessThan(20_000)
      victim.links.store = 'up'
      await world.load(40_000)
      await expectBalanced(world)
      await expectSafe(world)
      await world.stopAll()
    }
  })

  it('scenario 8: a worker cut off from Kinesis keeps its session, tells of it, and repeats nothing afterwards', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 3, shards: 6, seed })
      const { member: victim } = await holdingFollower(world)
      victim.links.kinesis = 'down'
      await world.load(60_000)
      expect(victim.events('shard:failed').length, `SEED=${seed}`).to.be.greaterThan(0)
      expect(victim.events('session:suspended'), `SEED=${seed}`).to.deep.equal([])
      victim.links.kinesis = 'up'
      await expectExactlyOnce(world)
      await world.stopAll()
    }
  })

  it('scenario 8: a worker whose answers are lost is found out, and its leases go on after it has fenced itself', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 3, shards: 6, seed })
      const { member: victim, shardId: shard } = await holdingFollower(world)
      const old = sessionOf(victim)
      victim.links.store = 'deaf'
      const cutAtMs = world.clock.monotonicMs()
      await world.load(70_000)
      const certified = world.events('fleet:member-died').filter(({ session }) => session === old)
      expect(
        certified.map(({ how }) => how),
        `SEED=${seed}`
      ).to.deep.equal(['deaf'])
      expect(servedElsewhereAfterMs(world, shard, victim, cutAtMs), `SEED=${seed}: ms`).to.be.within(20_000, 45_000)
      victim.links.store = 'up'
      await world.load(60_000)
      await expectBalanced(world)
      await expectSafe(world)
      await world.stopAll()
    }
  })

  it('scenario 15: four of five calls throttled for 30 seconds cost no move', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 4, shards: 12, seed })
      const claims = world.history.claims().length
      for (const member of world.members) {
        member.intercept = ({ service }) => {
          return service !== 'kinesis' && world.random.next() < 0.8 ? { kind: 'throttled' } : undefined
        }
      }
      await world.load(30_000)
      for (const member of world.members) member.intercept = undefined
      await world.load(40_000)
      expect(world.history.claims().length - claims, `SEED=${seed}: claims`).to.equal(0)
      expect(world.events('session:died'), `SEED=${seed}`).to.deep.equal([])
      await expectSafe(world)
      await world.stopAll()
    }
  })

  it('scenario 15: an outage of 20 seconds for everybody kills nobody and moves nothing', async () => {
    for (const seed of seeds(SEEDS * 2)) {
      const world = await aFleet({ size: 4, shards: 12, seed })
      const claims = world.history.claims().length
      for (const member of world.members) member.links.store = 'down'
      await world.load(20_000)
      for (const member of world.members) member.links.store = 'up'
      await world.load(60_000)
      expect(world.history.claims().length - claims, `SEED=${seed}: claims`).to.equal(0)
      expect(world.events('session:died'), `SEED=${seed}`).to.deep.equal([])
      await expectSafe(world)
      await world.stopAll()
    }
  })

  it('scenario 24: reads that are a minute old where they may be delay things, and break nothing', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = new World({ shards: 6, seed, latencyMs: 10, listingLagMs: 60_000, controlLagMs: 60_000 })
      for (let i = 0; i < 3; i++) void world.makeWorker().worker.start()
      await world.load(120_000)
      await expectBalanced(world)
      const leader = await leaderOf(world)
      leader.crash()
      const crashedAtMs = world.clock.monotonicMs()
      await world.load(150_000)
      const elected = world.events('leader:elected').filter(({ atMs }) => atMs > crashedAtMs)
      expect(elected.length, `SEED=${seed}: elections`).to.be.within(1, 2)
      expect((elected[0]?.atMs ?? 0) - crashedAtMs, `SEED=${seed}: ms`).to.be.lessThan(60_000 + 4 * LEASE_MS)
      await expectBalanced(world)
      void world.makeWorker().worker.start()
      await world.load(90_000)
      await expectBalanced(world)
      await expectSafe(world)
      await world.stopAll()
    }
  })
})
