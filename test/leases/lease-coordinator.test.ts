import { expect } from 'chai'
import { ServiceError } from '../../src/model/errors.ts'
import { claimed, finished, type Lease, released, renewed, wanted } from '../../src/model/lease.ts'
import { SHARD_END } from '../../src/model/sequence-number.ts'
import { aLease, aPosition, shardId } from '../support/builders.ts'
import { type Fault, scripted } from '../support/flaky-store.ts'
import { DURATION_MS, Fleet, keys, type Member } from './coordinator-world.ts'

const writesOf = (member: Member, number: number): number =>
  member.store.calls.filter(({ name, leaseKey }) => name === 'replace' && leaseKey === shardId(number)).length

describe('LeaseCoordinator', () => {
  describe('claiming', () => {
    it('claims every free lease of a table before start resolves', async () => {
      const fleet = await new Fleet().withLeases(45)
      const a = await fleet.start(fleet.member('a'))
      expect(a.held()).to.have.length(45)
      expect(new Set(a.told)).to.have.length(45)
      expect(await fleet.row(44)).to.include({ owner: 'a', counter: 1 })
    })

    it('leaves the leases of a living worker alone for as long as it lives', async () => {
      const fleet = await new Fleet().withLeases(3)
      const a = await fleet.start(fleet.member('a'))
      const b = await fleet.start(fleet.member('b', { maxLeases: 0 }))
      await fleet.clock.advance(300_000)
      expect(a.held()).to.deep.equal([0, 1, 2])
      expect(a.told.filter(line => line.startsWith('ended'))).to.deep.equal([])
      expect(b.held()).to.deep.equal([])
    })

    it('takes over from a dead worker within a duration and two scans, and not before it has expired', async () => {
      const fleet = await new Fleet().withLeases(6)
      const a = await fleet.start(fleet.member('a'))
      const b = await fleet.start(fleet.member('b', { maxLeases: 0 }))
      const c = await fleet.start(fleet.member('c', { givesUp: false }))
      await fleet.clock.advance(20_000)
      const left = a.held()
      const begunMs = fleet.clock.monotonicMs()
      fleet.kill(a)
      await fleet.clock.advance(DURATION_MS * 0.74)
      expect(c.held().filter(number => left.includes(number))).to.deep.equal([])
      await fleet.clock.advanceUntil(() => c.held().length === 6)
      expect(fleet.clock.monotonicMs() - begunMs).to.be.lessThan(DURATION_MS * 1.5)
      expect(a.held(), 'the dead one knows').to.deep.equal([])
      expect(b.held()).to.deep.equal([])
      expect(c.told.filter(line => line.endsWith('expired')).length).to.equal(left.length)
    })

    it('takes over half of what a dead worker left, and the rest once nobody else has come for it', async () => {
      const fleet = await new Fleet().withLeases(8)
      const a = await fleet.start(fleet.member('a'))
      const b = await fleet.start(fleet.member('b'))
      await fleet.clock.advanceUntil(() => b.held().length === 4)
      fleet.kill(a)
      await fleet.clock.advance(DURATION_MS * 2.6)
      expect(b.held()).to.have.length(8)
    })

    it('concludes nothing from its own sleep of ten minutes', async () => {
      const fleet = await new Fleet().create(claimed(aLease(), 'java'))
      const a = await fleet.start(fleet.member('a'))
      await fleet.clock.advance(4_500)
      a.store.faults = ({ name }) => (name === 'list' ? { kind: 'none', delayMs: 600_000 } : undefined)
      await fleet.clock.advance(3_000)
      a.store.faults = () => undefined
      await fleet.clock.advance(597_000)
      const scans = a.plans.length
      await fleet.clock.advanceUntil(() => a.plans.length > scans)
      expect(a.held()).to.deep.equal([])
      await fleet.clock.advance(DURATION_MS)
      expect(a.told).to.deep.equal(['taken 0 expired'])
    })

    it('takes back what the table says is its own: the answer to its claim was lost', async () => {
      const fleet = await new Fleet().withLeases(1)
      const a = fleet.member('a')
      let claims = 0
      a.store.faults = ({ name }) => (name === 'replace' && claims++ === 0 ? { kind: 'lost-answer' } : undefined)
      await fleet.start(a)
      await fleet.clock.advance(100)
      expect(a.told).to.deep.equal(['failed claim a lease', 'taken 0 ours'])
      expect(await fleet.row(0)).to.include({ owner: 'a', counter: 2 })
    })

    it('proves its hold by a write where an old listing hid that the lease is its own', async () => {
      const fleet = await new Fleet().create(claimed(aLease(), 'a'))
      const a = fleet.member('a')
      a.store.list = async () => ({ leases: [aLease()], skipped: [] })
      await fleet.start(a)
      expect(a.told).to.deep.equal(['taken 0 unowned'])
      expect(await fleet.row(0)).to.include({ owner: 'a', counter: 2 })
    })

    it('lets exactly one of two racing workers have a lease', async () => {
      const fleet = await new Fleet().withLeases(7)
      const members = ['a', 'b'].map(session => fleet.member(session, { givesUp: false }))
      for (const { store } of members) store.faults = () => ({ kind: 'none', delayMs: 10 })
      await Promise.all([...members.map(({ coordinator }) => coordinator.start()), fleet.clock.advance(5_000)])
      const held = members.flatMap(member => member.held()).sort()
      expect(held).to.deep.equal([0, 1, 2, 3, 4, 5, 6])
    })

    it('leaves leases alone that are avoided, until then', async () => {
      const fleet = await new Fleet().withLeases(2)
      const a = fleet.member('a')
      a.coordinator.avoid(shardId(0), 30_000)
      await fleet.start(a)
      await fleet.clock.advance(29_000)
      expect(a.held()).to.deep.equal([1])
      await fleet.clock.advance(4_000)
      expect(a.held()).to.deep.equal([0, 1])
    })

    it('leaves leases alone whose earlier run is still being wound up', async () => {
      const fleet = await new Fleet().withLeases(2)
      const a = fleet.member('a')
      a.busy.add(1)
      await fleet.start(a)
      await fleet.clock.advance(60_000)
      expect(a.held()).to.deep.equal([0])
      a.busy.clear()
      a.coordinator.nudge()
      await fleet.clock.settle()
      expect(a.held()).to.deep.equal([0, 1])
    })

    it('never holds more than maxLeases', async () => {
      const fleet = await new Fleet().withLeases(9)
      const a = await fleet.start(fleet.member('a', { maxLeases: 4 }))
      await fleet.clock.advance(60_000)
      expect(a.held()).to.have.length(4)
      expect(a.plans.at(-1)?.unclaimed).to.have.length(5)
    })

    it('makes place for a parent that came back after its child was claimed', async () => {
      const child = aLease({ ...keys(1), parentShardIds: [shardId(0)] })
      const fleet = await new Fleet().create(child)
      const a = await fleet.start(fleet.member('a', { maxLeases: 1 }))
      expect(a.held()).to.deep.equal([1])
      await fleet.table.create(aLease(keys(0)))
      await fleet.table.create(aLease(keys(2)))
      await fleet.clock.advance(30_000)
      expect(a.held()).to.deep.equal([0, 1])
      expect(a.told).to.include('taken 0 needed')
    })

    it('takes nothing but what its own lease waits for in place of that', async () => {
      const child = aLease({ ...keys(2), parentShardIds: [shardId(0), shardId(1)] })
      const fleet = await new Fleet().create(finished(claimed(aLease(keys(0)), 'z'), [shardId(2)]), child)
      const a = await fleet.start(fleet.member('a', { maxLeases: 1 }))
      await fleet.create(aLease({ ...keys(1), owner: 'b' }), aLease(keys(5)))
      for (let beat = 0; beat < 30; beat++) {
        const row = (await fleet.row(1)) as Lease
        await fleet.table.replace(row, renewed(row))
        await fleet.clock.advance(1_000)
      }
      expect(a.held()).to.deep.equal([2])
      const row = (await fleet.row(1)) as Lease
      await fleet.table.replace(row, finished(row, [shardId(2)]))
      await fleet.clock.advance(60_000)
      expect(a.held()).to.deep.equal([2])
      expect(a.told).to.include('neglected 5')
    })

    it('rejects start if the table cannot be read for good, and goes on if it can be later', async () => {
      const fleet = await new Fleet().withLeases(1)
      const a = fleet.member('a')
      a.store.faults = () => ({ kind: 'refused-for-good' })
      const failure = await a.coordinator.start().catch((error: unknown) => error)
      expect(failure).to.be.instanceOf(ServiceError)
      const b = fleet.member('b')
      b.store.faults = () => (b.store.calls.length <= 3 ? { kind: 'throttled' } : undefined)
      await fleet.start(b)
      await fleet.clock.advance(20_000)
      expect(b.held()).to.deep.equal([0])
      expect(b.told[0]).to.equal('failed assign leases')
    })
  })

  describe('handing over', () => {
    it('gives a joining worker its share through requests, without a pause in ownership', async () => {
      const fleet = await new Fleet().withLeases(10)
      const a = await fleet.start(fleet.member('a'))
      await fleet.clock.advance(10_000)
      const b = await fleet.start(fleet.member('b'))
      await fleet.clock.advance(6_000)
      expect([a.held().length, b.held().length]).to.deep.equal([5, 5])
      expect(b.told.filter(line => line.startsWith('taken'))).to.have.length(5)
      expect(b.told.every(line => line.endsWith('requested'))).to.equal(true)
      expect(a.told.filter(line => line.startsWith('ended')).every(line => line.endsWith('released'))).to.equal(true)
    })

    it('tells of a request once, however often the table is read', async () => {
      const fleet = await new Fleet().withLeases(3)
      const a = await fleet.start(fleet.member('a', { givesUp: false }))
      await fleet.start(fleet.member('b'))
      await fleet.clock.advance(60_000)
      expect(a.told.filter(line => line.startsWith('requested'))).to.have.length(1)
      expect(a.held()).to.have.length(3)
    })

    it('tells of a request that it learns of from the answer to a write of its own', async () => {
      const fleet = await new Fleet().withLeases(1)
      const a = await fleet.start(fleet.member('a'))
      a.store.faults = scripted({ kind: 'lost-answer', afterMs: 100 })
      const renewing = a.tenures[0]?.renew()
      await fleet.clock.settle()
      await fleet.table.request((await fleet.row(0)) as Lease, 'b')
      await fleet.clock.advance(10_000)
      await renewing
      expect(a.told).to.deep.equal(['taken 0 unowned', 'requested 0 b', 'ended 0 released'])
    })

    it('looks once a second while it waits for what it asked for, and as seldom as ever otherwise', async () => {
      const fleet = await new Fleet().withLeases(2)
      await fleet.start(fleet.member('a', { givesUp: false }))
      const b = await fleet.start(fleet.member('b'))
      const scans = (): number => b.store.calls.filter(({ name }) => name === 'list').length
      const before = scans()
      await fleet.clock.advance(9_000)
      expect(scans() - before).to.be.within(8, 11)
      const row = (await fleet.row(0)) as Lease
      const asked = row.wantedBy === undefined ? ((await fleet.row(1)) as Lease) : row
      await fleet.table.replace(asked, released(asked))
      await fleet.clock.advance(3_000)
      expect(b.held()).to.have.length(1)
      const after = scans()
      await fleet.clock.advance(20_000)
      expect(scans() - after).to.be.within(9, 11)
    })

    it('moves nothing any more once nobody has two more than another', async () => {
      const fleet = await new Fleet().withLeases(11)
      const members: Member[] = []
      for (const session of ['a', 'b', 'c', 'd']) {
        members.push(await fleet.start(fleet.member(session)))
        await fleet.clock.advance(20_000)
      }
      expect(members.map(member => member.held().length).sort()).to.deep.equal([2, 3, 3, 3])
      const before = members.map(member => member.told.length)
      await fleet.clock.advance(300_000)
      expect(members.map(member => member.told.length)).to.deep.equal(before)
    })

    it('asks for nothing once it claims no more', async () => {
      const fleet = await new Fleet().withLeases(4)
      await fleet.start(fleet.member('a'))
      const b = fleet.member('b')
      b.store.faults = () => ({ kind: 'none', delayMs: 100 })
      void b.coordinator.start()
      await fleet.clock.advance(50)
      const stopped = b.coordinator.stopClaiming()
      await fleet.clock.advance(1_000)
      await stopped
      expect(b.store.calls.filter(({ name }) => name === 'request')).to.deep.equal([])
    })
  })

  describe('keeping', () => {
    const slow: readonly (readonly [string, Fault])[] = [
      ['hangs', { kind: 'hangs' }],
      ['takes longer than the lease lives', { kind: 'lost-request', afterMs: 3 * DURATION_MS }]
    ]
    for (const [what, fault] of slow) {
      it(`renews the other leases while the write of one ${what}`, async () => {
        const fleet = await new Fleet().withLeases(5)
        const a = await fleet.start(fleet.member('a'))
        a.store.faults = ({ name, leaseKey }) => (name === 'replace' && leaseKey === shardId(2) ? fault : undefined)
        await fleet.clock.advance(60_000)
        expect(a.held()).to.include.members([0, 1, 3, 4])
        expect(a.told.filter(line => line.startsWith('ended'))).to.deep.equal(['ended 2 lost'])
      })
    }

    it('renews what it has claimed while another claim of the first turn has no answer', async () => {
      const fleet = await new Fleet().withLeases(5)
      const a = fleet.member('a')
      a.store.faults = ({ name, leaseKey }) =>
        name === 'replace' && leaseKey === shardId(2) ? { kind: 'lost-request', afterMs: 60_000 } : undefined
      void a.coordinator.start()
      await fleet.clock.advance(45_000)
      expect(a.held()).to.deep.equal([0, 1, 3, 4])
      expect(a.tenures.map(tenure => tenure.isValid())).to.deep.equal([true, true, true, true])
    })

    it('keeps its leases through throttling that is shorter than their proof', async () => {
      const fleet = await new Fleet().withLeases(20)
      const a = await fleet.start(fleet.member('a'))
      const b = await fleet.start(fleet.member('b', { maxLeases: 0 }))
      for (let round = 0; round < 5; round++) {
        const untilMs = fleet.clock.monotonicMs() + 4_500
        a.store.faults = () => (fleet.clock.monotonicMs() < untilMs ? { kind: 'throttled' } : undefined)
        await fleet.clock.advance(10_000)
      }
      expect(a.held()).to.have.length(20)
      expect(a.told.filter(line => line.startsWith('ended'))).to.deep.equal([])
      expect(b.held()).to.deep.equal([])
    })

    it('loses its leases, and knows it, before anybody else may claim them', async () => {
      const fleet = await new Fleet().withLeases(4)
      const a = await fleet.start(fleet.member('a'))
      const b = await fleet.start(fleet.member('b', { maxLeases: 0 }))
      await fleet.clock.advance(3_000)
      a.store.faults = () => ({ kind: 'throttled' })
      let overlaps = 0
      for (let step = 0; step < 300; step++) {
        await fleet.clock.advance(100)
        const { leases } = await fleet.table.list()
        overlaps += leases.filter(row => row.owner !== 'a' && a.held().includes(Number(row.leaseKey.slice(-12)))).length
      }
      expect(overlaps).to.equal(0)
      expect(a.held()).to.deep.equal([])
      expect(b.held()).to.deep.equal([])
    })

    it('does not renew what it has just written a checkpoint to', async () => {
      const fleet = await new Fleet().withLeases(1)
      const a = await fleet.start(fleet.member('a'))
      for (let n = 1; n <= 60; n++) {
        await fleet.clock.advance(1_000)
        await a.tenures[0]?.checkpoint(aPosition(n))
      }
      expect(writesOf(a, 0)).to.equal(61)
    })

    it('costs about four renewals of each lease in a duration', async () => {
      const fleet = await new Fleet().withLeases(3)
      const a = await fleet.start(fleet.member('a'))
      await fleet.clock.advance(100 * DURATION_MS)
      expect(writesOf(a, 1)).to.be.within(390, 410)
    })
  })

  describe('adopt', () => {
    it('leaves a child alone that is finished already', async () => {
      const fleet = await new Fleet().withLeases(1)
      const a = await fleet.start(fleet.member('a'))
      await fleet.create(aLease({ leaseKey: shardId(1), shardId: shardId(1), checkpoint: SHARD_END }))
      await a.coordinator.adopt([shardId(1)])
      expect(a.held()).to.deep.equal([0])
      await a.coordinator.close()
    })

    const family = async (maxLeases?: number) => {
      const fleet = await new Fleet().create(
        finished(claimed(aLease(keys(0)), 'a'), [shardId(1), shardId(2)]),
        aLease({ ...keys(1), parentShardIds: [shardId(0)] }),
        aLease({ ...keys(2), parentShardIds: [shardId(0)] })
      )
      return { fleet, a: fleet.member('a', maxLeases === undefined ? {} : { maxLeases }) }
    }

    it('claims children that nobody has, and leaves those that somebody has', async () => {
      const { fleet, a } = await family()
      const row = (await fleet.row(2)) as Lease
      await fleet.table.replace(row, claimed(row, 'b'))
      await a.coordinator.adopt([shardId(1), shardId(2), shardId(3)])
      expect(a.told).to.deep.equal(['taken 1 child'])
    })

    it('does not go beyond maxLeases', async () => {
      const { a } = await family(1)
      await a.coordinator.adopt([shardId(1), shardId(2)])
      expect(a.held()).to.have.length(1)
    })

    it('leaves a child alone that waits for another parent', async () => {
      const fleet = await new Fleet().create(
        finished(claimed(aLease(keys(0)), 'a'), [shardId(2)]),
        aLease(keys(1)),
        aLease({ ...keys(2), parentShardIds: [shardId(0), shardId(1)] })
      )
      const a = fleet.member('a')
      await a.coordinator.adopt([shardId(2)])
      expect(a.told).to.deep.equal([])
      const other = (await fleet.row(1)) as Lease
      await fleet.table.replace(other, finished(other, [shardId(2)]))
      await a.coordinator.adopt([shardId(2)])
      expect(a.told).to.deep.equal(['taken 2 child'])
    })

    it('has one tenure of a lease that is being claimed by a scan at the same time', async () => {
      const { fleet, a } = await family()
      a.store.faults = ({ name }) => ({ kind: 'none', delayMs: name === 'replace' ? 30 : 10 })
      const started = a.coordinator.start()
      const adopted = a.coordinator.adopt([shardId(1), shardId(2)])
      await fleet.clock.advance(1_000)
      await Promise.all([started, adopted])
      expect(a.told.filter(line => line.startsWith('taken'))).to.have.length(2)
      expect(a.held()).to.deep.equal([1, 2])
      await fleet.clock.advance(60_000)
      expect(a.told.filter(line => line.startsWith('ended'))).to.deep.equal([])
    })

    it('claims nothing any more after stopClaiming has resolved', async () => {
      const { fleet, a } = await family()
      await fleet.start(a)
      await a.coordinator.stopClaiming()
      const taken = a.told.length
      await a.coordinator.adopt([shardId(1), shardId(2)])
      expect(a.told).to.have.length(taken)
    })

    it('is waited for by stopClaiming', async () => {
      const { fleet, a } = await family()
      a.store.faults = ({ name }) => ({ kind: 'none', delayMs: name === 'replace' ? 1_000 : 0 })
      const adopting = a.coordinator.adopt([shardId(1)])
      await fleet.clock.settle()
      let heldThen: number[] | undefined
      const stopping = a.coordinator.stopClaiming().then(() => {
        heldThen = a.held()
      })
      await fleet.clock.advance(5_000)
      await Promise.all([adopting, stopping])
      expect(heldThen).to.deep.equal(a.held())
    })
  })

  describe('stopping', () => {
    it('goes on renewing what is held until it is closed', async () => {
      const fleet = await new Fleet().withLeases(3)
      const a = await fleet.start(fleet.member('a'))
      await a.coordinator.stopClaiming()
      await fleet.clock.advance(60_000)
      expect(a.held()).to.deep.equal([0, 1, 2])
      await a.coordinator.close()
      expect(a.held()).to.deep.equal([])
      expect(a.told.filter(line => line.endsWith('lost'))).to.have.length(3)
      expect(fleet.clock.sleeping).to.equal(0)
    })

    it('during the first turn claims no more, and goes on renewing what was claimed in it', async () => {
      const fleet = await new Fleet().withLeases(50)
      const a = fleet.member('a')
      a.store.faults = ({ name }) => ({ kind: 'none', delayMs: name === 'replace' ? 100 : 0 })
      const started = a.coordinator.start()
      await fleet.clock.advance(150)
      const stopped = a.coordinator.stopClaiming()
      await fleet.clock.advance(30_000)
      await Promise.all([started, stopped])
      expect(a.held().length).to.be.within(20, 40)
      expect(a.tenures.filter(tenure => !tenure.isValid())).to.deep.equal([])
      await a.coordinator.close()
      expect(fleet.clock.sleeping).to.equal(0)
    })

    it('before it has started leaves nothing running', async () => {
      const fleet = await new Fleet().withLeases(1)
      const a = fleet.member('a')
      await a.coordinator.close()
      await a.coordinator.start()
      expect(a.held()).to.deep.equal([])
      await a.coordinator.close()
      await fleet.clock.settle()
      expect(fleet.clock.sleeping).to.equal(0)
    })

    it('leaves a request that was made to it in the row of what it releases', async () => {
      const fleet = await new Fleet().withLeases(1)
      const a = await fleet.start(fleet.member('a'))
      const row = (await fleet.row(0)) as Lease
      await fleet.table.request(row, 'b')
      await a.tenures[0]?.release()
      expect(await fleet.row(0)).to.deep.include(wanted(aLease({ counter: 2 }), 'b'))
    })
  })
})
