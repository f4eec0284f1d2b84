import { expect } from 'chai'
import { claimed, finished, type Lease, released } from '../../src/model/lease.ts'
import { aLease, aPosition, shardId } from '../support/builders.ts'
import { scripted } from '../support/flaky-store.ts'
import { unhandledRejectionsOf } from '../support/rejections.ts'
import { CoordinatorWorld, SETTINGS, type TestWorker, writesOf } from './coordinator-world.ts'

const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number)
const readsOf = ({ store }: TestWorker, number: number): number =>
  store.calls.filter(({ name, leaseKey }) => name === 'get' && leaseKey === shardId(number)).length

describe('LeaseCoordinator', () => {
  describe('claiming', () => {
    it('claims what its mailbox lists, 20 at a time', async () => {
      const world = await CoordinatorWorld.withLeases(50)
      const a = await world.started('a')
      let atOnce = 0
      let most = 0
      const { get } = a.store
      a.store.get = async (leaseKey, signal) => {
        most = Math.max(most, ++atOnce)
        await world.clock.sleep(100)
        return get(leaseKey, signal).finally(() => atOnce--)
      }
      await world.post(a, { leases: upTo(45) })
      await world.clock.advanceUntil(() => a.held().length === 20)
      const sinceMs = world.clock.monotonicMs()
      await world.clock.advanceUntil(() => a.held().length === 45)
      expect(world.clock.monotonicMs() - sinceMs).to.be.closeTo(200, 1)
      expect(most).to.equal(20)
      expect(a.held()).to.deep.equal(upTo(45))
      expect(await world.row(44)).to.include({ owner: a.session(), counter: 1 })
      expect(new Set(a.told)).to.deep.equal(new Set(upTo(45).map(number => `taken ${number} unowned`)))
    })

    it('claims nothing without a mailbox, and nothing that is not in it', async () => {
      const world = await CoordinatorWorld.withLeases(3)
      const a = await world.started('a')
      await world.clock.advance(60_000)
      expect(a.store.calls).to.deep.equal([])
      await world.post(a, { leases: [1] })
      await world.clock.advance(60_000)
      expect(a.held()).to.deep.equal([1])
      expect(a.store.calls.every(({ leaseKey }) => leaseKey === shardId(1))).to.equal(true)
    })

    it('says of a newer mailbox that it has seen it only once no claim by the one before is under way', async () => {
      const world = await CoordinatorWorld.withLeases(2)
      const worker = await world.started('w')
      worker.store.faults = ({ name }) => (name === 'replace' ? { kind: 'none', delayMs: 12_000 } : undefined)
      await world.post(worker, { leases: [0] })
      await world.clock.advance(4_000)
      await world.post(worker, { leases: [] })
      await world.clock.advance(6_000)
      expect(worker.coordinator.report().seen).to.equal(1)
      await world.clock.advance(10_000)
      expect(worker.coordinator.report().seen).to.equal(2)
    })

    it('leaves the rest of a mailbox alone once there is a newer one', async () => {
      const world = await CoordinatorWorld.withLeases(100)
      const a = await world.started('a')
      a.store.faults = ({ name }) => ({ kind: 'none', delayMs: name === 'get' ? 3_000 : 0 })
      await world.post(a, { leases: upTo(100) })
      await world.clock.advance(1_000)
      await world.post(a, { leases: upTo(20) })
      await world.clock.advance(30_000)
      expect(a.held()).to.deep.equal(upTo(20))
      expect(await world.row(20)).to.include({ counter: 0 })
    })

    it('looks at a lease that lives with somebody else once a second, and has it a second after it was released', async () => {
      const world = await CoordinatorWorld.withLeases(1, { owner: 'java', counter: 5 })
      const a = await world.started('a')
      await world.post(a, { leases: [0], wait: [0] })
      await world.clock.advance(2_000)
      const before = readsOf(a, 0)
      await world.clock.advance(30_000)
      expect(readsOf(a, 0) - before).to.be.within(27, 34)
      expect([a.told, writesOf(a)]).to.deep.equal([[], 0])
      await world.change(0, released)
      await world.clock.advance(SETTINGS.hurryMs * 1.1)
      expect(a.told).to.deep.equal(['taken 0 unowned'])
    })

    it('waits as well for a lease that the leader took for free', async () => {
      const world = await CoordinatorWorld.withLeases(2, { owner: 'b/00000001', counter: 5 })
      const a = await world.started('a')
      await world.post(a, { leases: [0, 1] })
      await world.clock.advance(10_000)
      expect(readsOf(a, 0)).to.be.within(8, 12)
      await world.change(0, released)
      await world.clock.advance(SETTINGS.hurryMs * 1.1)
      expect(a.held()).to.deep.equal([0])
      expect((await world.member(a)).applied, 'not done before it has both').to.equal(0)
    })

    const owners: readonly (readonly [string, { dead?: string[]; steal?: number[] }, string[]])[] = [
      ['a session that the mailbox says is dead', { dead: ['b/00000001'] }, ['taken 0 dead']],
      ['a session of the same worker that it does not name', { dead: ['b/00000002', 'b'] }, []],
      ['a session that it says nothing about', {}, []],
      ['somebody it is to be taken from', { steal: [0] }, ['taken 0 stolen']],
      ['somebody, with another lease to be taken', { steal: [1] }, []]
    ]
    for (const [whose, wish, told] of owners) {
      it(`${told.length > 0 ? 'claims' : 'leaves alone'} the lease of ${whose}`, async () => {
        const world = await CoordinatorWorld.withLeases(1, { owner: 'b/00000001', counter: 5 })
        const a = await world.started('a')
        await world.post(a, { leases: [0], ...wish })
        await world.clock.advance(60_000)
        expect(a.told).to.deep.equal(told)
      })
    }

    it('has its own claim whose answer was lost, about a second later', async () => {
      const world = await CoordinatorWorld.withLeases(1)
      const a = await world.started('a')
      a.store.faults = scripted({ kind: 'lost-answer' })
      await world.post(a, { leases: [0] })
      await world.clock.advanceUntil(() => a.told.length === 1)
      await world.clock.advance(SETTINGS.hurryMs * 1.1)
      expect(a.told).to.deep.equal(['failed claim a lease', 'taken 0 ours'])
      expect(await world.row(0)).to.include({ owner: a.session(), counter: 2 })
    })

    for (const name of ['get', 'replace'] as const) {
      it(`tells of claims that are not allowed, and goes on trying (${name})`, async () => {
        const world = await CoordinatorWorld.withLeases(30)
        const a = await world.started('a')
        a.store.faults = call => (call.name === name ? { kind: 'refused-for-good' } : undefined)
        await world.post(a, { leases: upTo(30) })
        await world.clock.advance(5_000)
        expect(new Set(a.told)).to.deep.equal(new Set(['failed carry out the mailbox']))
        a.store.faults = () => undefined
        await world.clock.advance(SETTINGS.hurryMs * 1.1)
        expect(a.held()).to.deep.equal(upTo(30))
      })
    }

    it('claims the others where one cannot be claimed', async () => {
      const world = await CoordinatorWorld.withLeases(50)
      const a = await world.started('a')
      a.store.faults = ({ leaseKey }) => (leaseKey === shardId(7) ? { kind: 'refused-for-good' } : undefined)
      await world.post(a, { leases: upTo(50) })
      await world.clock.advance(10_000)
      expect(a.held()).to.deep.equal(upTo(50).filter(number => number !== 7))
      expect(a.told).to.include('failed carry out the mailbox')
      expect((await world.member(a)).applied).to.equal(0)
    })

    it('is done with a shard that is finished, and with one that has no lease', async () => {
      const world = new CoordinatorWorld()
      await world.create(0, finished(aLeaseOf(0), []))
      const a = await world.started('a')
      const { ver } = await world.post(a, { leases: [0, 1] })
      await world.clock.advance(5_000)
      expect((await world.member(a)).applied).to.equal(ver)
      const reads = a.store.calls.length
      await world.clock.advance(60_000)
      expect(a.store.calls.length - reads, 'now and then').to.be.within(8, 14)
      await world.create(1)
      await world.clock.advance(2 * SETTINGS.durationMs)
      expect(a.held(), 'it has one after all').to.deep.equal([1])
    })

    it('lets exactly one of two workers have a lease that is in the mailboxes of both', async () => {
      const world = await CoordinatorWorld.withLeases(7)
      const workers = [await world.started('a'), await world.started('b')]
      for (const worker of workers) {
        worker.store.faults = () => ({ kind: 'none', delayMs: 10 })
        await world.post(worker, { leases: upTo(7) })
      }
      await world.clock.advance(5_000)
      expect(workers.flatMap(worker => worker.held()).sort()).to.deep.equal(upTo(7))
    })

    it('holds no more than maxLeases, whatever its mailbox says, and says so in its heartbeat', async () => {
      const world = await CoordinatorWorld.withLeases(5)
      const a = await world.started('a', { maxLeases: 2 })
      await world.post(a, { leases: upTo(5) })
      await world.clock.advance(10_000)
      expect(a.held()).to.have.length(2)
      expect(await world.member(a)).to.include({ maxLeases: 2, applied: 0 })
      const b = await world.started('b')
      expect(await world.member(b)).to.not.have.property('maxLeases')
    })
  })

  describe('giving back', () => {
    it('tells once that a lease is revoked, and reports the mailbox as carried out once it is given back', async () => {
      const world = await CoordinatorWorld.withLeases(2)
      const a = await world.holding('a', [0, 1])
      await world.post(a, { leases: [1] })
      await world.clock.advance(5_000)
      const { ver } = await world.post(a, { leases: [1], wait: [1] })
      await world.clock.advance(5_000)
      expect(a.told).to.deep.equal(['revoked 0'])
      expect(a.held()).to.deep.equal([0, 1])
      expect(a.tenure(0).isRevoked).to.equal(true)
      expect((await world.member(a)).applied).to.be.lessThan(ver - 1)
      await a.tenure(0).release()
      await world.clock.advance(2_000)
      expect(a.told).to.deep.equal(['revoked 0', 'ended 0 released'])
      expect((await world.member(a)).applied).to.equal(ver)
    })

    it('claims a lease again that it is to have after all, once it has been given back', async () => {
      const world = await CoordinatorWorld.withLeases(1)
      const a = await world.holding('a', [0])
      await world.post(a, { leases: [] })
      await world.clock.advance(5_000)
      await world.post(a, { leases: [0] })
      await world.clock.advance(5_000)
      await a.tenure(0).release()
      await world.clock.advance(100)
      expect(a.told).to.deep.equal(['revoked 0', 'ended 0 released', 'taken 0 unowned'])
      expect(a.tenure(0).isRevoked).to.equal(false)
    })

    it('tells the leader of what ended other than as it wanted, and of nothing else', async () => {
      const world = await CoordinatorWorld.withLeases(5)
      const a = await world.holding('a', [0, 1, 2, 3, 4])
      const evts: number[] = []
      const note = async (): Promise<void> => {
        await world.clock.advance(SETTINGS.heartbeatMs)
        evts.push((await world.member(a)).evt)
      }
      await a.tenure(0).finish([])
      await note()
      await world.change(1, lease => claimed(lease, 'b/00000001'))
      await a
        .tenure(1)
        .checkpoint(aPosition(1))
        .catch(() => {})
      await note()
      await world.post(a, { leases: [3, 4] })
      await world.clock.advance(5_000)
      await a.tenure(2).release()
      await note()
      expect(evts, 'finished, lost, revoked').to.deep.equal([1, 2, 2])
      await a.tenure(3).release()
      await world.clock.settle()
      expect(a.coordinator.report().evt, 'released of its own accord').to.equal(3)
    })
  })

  describe('adopt', () => {
    /** A worker that holds shard 0, which is finished and continued by shards 1 and 2. */
    async function aParent(): Promise<{ world: CoordinatorWorld; a: TestWorker }> {
      const world = await CoordinatorWorld.withLeases(1)
      const a = await world.holding('a', [0])
      for (const number of [1, 2]) await world.create(number, { parentShardIds: [shardId(0)] })
      await a.tenure(0).finish([shardId(1), shardId(2)])
      return { world, a }
    }

    it('claims the children at once, and tells the leader', async () => {
      const { world, a } = await aParent()
      const { evt } = a.coordinator.report()
      await a.coordinator.adopt([shardId(1), shardId(2)])
      expect(a.told).to.deep.equal(['ended 0 finished', 'taken 1 child', 'taken 2 child'])
      await world.clock.advance(SETTINGS.heartbeatMs)
      expect((await world.member(a)).evt).to.equal(evt + 1)
    })

    it('keeps them until somebody who knew of them wants it otherwise', async () => {
      const { world, a } = await aParent()
      await a.coordinator.adopt([shardId(1), shardId(2)])
      a.told.length = 0
      const { evt } = a.coordinator.report()
      const { ver } = await world.post(a, { leases: [], evt: evt - 1 })
      await world.clock.advance(10_000)
      expect([a.told, a.held()]).to.deep.equal([[], [1, 2]])
      expect((await world.member(a)).applied).to.equal(ver)
      await world.post(a, { leases: [1], evt })
      await world.clock.advance(5_000)
      expect(a.told).to.deep.equal(['revoked 2'])
    })

    it('keeps a child that both of its parents have led to', async () => {
      const { world, a } = await aParent()
      await Promise.all([a.coordinator.adopt([shardId(1)]), a.coordinator.adopt([shardId(1)])])
      const { evt } = a.coordinator.report()
      await world.post(a, { leases: [], evt: evt - 2 })
      await world.clock.advance(10_000)
      expect(a.told).to.deep.equal(['ended 0 finished', 'taken 1 child'])
    })

    it('does not tell of what it has not claimed yet, nor lets go of it because of others that were told of', async () => {
      const { world, a } = await aParent()
      a.store.faults = ({ name }) => ({ kind: 'none', delayMs: name === 'replace' ? 5_000 : 0 })
      const adopting = a.coordinator.adopt([shardId(1)])
      a.coordinator.avoid(shardId(7), 60_000)
      await world.clock.advance(4_000)
      const { evt } = await world.member(a)
      await world.post(a, { leases: [], evt })
      await world.clock.advance(1_500)
      await adopting
      expect(a.coordinator.report().evt).to.equal(evt + 1)
      await world.clock.advance(30_000)
      expect(a.told).to.deep.equal(['ended 0 finished', 'taken 1 child'])
    })

    it('does not keep what it only has by a later mailbox', async () => {
      const { world, a } = await aParent()
      await world.change(1, lease => claimed(lease, 'b/00000001'))
      await a.coordinator.adopt([shardId(1)])
      expect(a.held()).to.deep.equal([])
      await world.change(1, released)
      await world.post(a, { leases: [1], evt: 1 })
      await world.clock.advance(5_000)
      expect(a.held()).to.deep.equal([1])
      await world.post(a, { leases: [], evt: 1 })
      await world.clock.advance(5_000)
      expect(a.told.slice(1)).to.deep.equal(['taken 1 unowned', 'revoked 1'])
    })

    it('rejects where the table refuses, has what it could have, and leaves nothing unhandled', async () => {
      const { world, a } = await aParent()
      a.store.faults = ({ leaseKey }) => (leaseKey === shardId(1) ? { kind: 'refused-for-good' } : undefined)
      let failure: unknown
      const unhandled = await unhandledRejectionsOf(() => {
        a.coordinator.adopt([shardId(1), shardId(2)]).catch((error: unknown) => {
          failure = error
        })
      })
      await world.clock.settle()
      expect(failure).to.include({ kind: 'access-denied' })
      expect([a.held(), unhandled]).to.deep.equal([[2], []])
    })
  })

  describe('what it says of itself', () => {
    it('beats each second while something is to be done, and then as usual', async () => {
      const world = await CoordinatorWorld.withLeases(1, { owner: 'b/00000001' })
      const a = await world.started('a')
      await world.post(a, { leases: [0], wait: [0] })
      const beatsIn = async (ms: number): Promise<number> => {
        const before = a.control.calls.filter(({ name }) => name === 'beat').length
        await world.clock.advance(ms)
        return a.control.calls.filter(({ name }) => name === 'beat').length - before
      }
      await world.clock.advance(5_000)
      expect(await beatsIn(30_000)).to.be.within(29, 32)
      await world.change(0, released)
      await world.clock.advance(5_000)
      expect(await beatsIn(30_000)).to.be.within(10, 11)
      expect(a.held()).to.deep.equal([0])
    })

    it('leaves a lease alone for as long as it avoids it, and says so', async () => {
      const world = await CoordinatorWorld.withLeases(2)
      const a = await world.started('a')
      a.coordinator.avoid(shardId(0), 30_000)
      await world.post(a, { leases: [0, 1] })
      await world.clock.advance(29_000)
      expect(a.held()).to.deep.equal([1])
      expect((await world.member(a)).avoid).to.deep.equal([shardId(0)])
      expect((await world.member(a)).evt).to.equal(1)
      await world.clock.advance(SETTINGS.durationMs * 1.1 + SETTINGS.heartbeatMs)
      expect(a.held()).to.deep.equal([0, 1])
      expect((await world.member(a)).avoid).to.deep.equal([])
    })

    it('waits for a shard that is being wound up here, and says so once that takes too long', async () => {
      const world = await CoordinatorWorld.withLeases(1)
      const a = await world.started('a')
      a.busy.add(0)
      await world.post(a, { leases: [0] })
      await world.clock.advance(SETTINGS.durationMs)
      expect((await world.member(a)).avoid).to.deep.equal([])
      await world.clock.advance(SETTINGS.durationMs * 1.2 + SETTINGS.heartbeatMs)
      expect((await world.member(a)).avoid).to.deep.equal([shardId(0)])
      expect(a.store.calls).to.deep.equal([])
      a.busy.clear()
      a.coordinator.nudge()
      await world.clock.advance(100)
      expect(a.held()).to.deep.equal([0])
      await world.clock.advance(SETTINGS.heartbeatMs)
      expect((await world.member(a)).avoid).to.deep.equal([])
    })

    it('has the leader look at the leases, once, when somebody has one of whom the leader did not know', async () => {
      const world = await CoordinatorWorld.withLeases(2)
      const a = await world.started('a')
      for (const number of [0, 1]) await world.change(number, lease => claimed(lease, 'dead/00000001'))
      await world.post(a, { leases: [0, 1], wait: [1] })
      await world.clock.advance(5 * SETTINGS.heartbeatMs)
      expect((await world.member(a)).evt).to.equal(1)
    })

    it('has the leader look at the leases when it is told to', async () => {
      const world = await CoordinatorWorld.withLeases(1)
      const a = await world.holding('a', [0])
      a.coordinator.lookAtLeases()
      await world.clock.advance(SETTINGS.heartbeatMs)
      expect((await world.member(a)).evt).to.equal(1)
    })
  })
})

function aLeaseOf(number: number): Lease {
  return { ...claimed(aLease(), 'b/00000001'), leaseKey: shardId(number), shardId: shardId(number) }
}
