// What every control store keeps to, whatever it stores into.
import { expect } from 'chai'
import type { ControlStore, Member, MemberReport } from '../../src/leases/control-store.ts'
import { NO_ORDERS, withMode } from '../../src/leases/order-rules.ts'
import { describeMailboxes } from './control-store-mailboxes.contract.ts'
import { describeOrders } from './control-store-orders.contract.ts'
import { ALIVE, aMailbox, aReport, type ControlStores, GONE, rejectionOf, type Stores } from './control-store-world.ts'

/** How a suite gets its stores. */
export interface ControlStoreSetup {
  /** Stores for an application of its own, at each call. The table is there. */
  readonly open: () => ControlStores
  /** Once, before the first test. */
  readonly prepare?: () => Promise<void>
  /** Once, after the last test. */
  readonly close?: () => void
  /** How many leases of 40 bytes are a large mailbox. Default 12,000, which is more than an item can have. */
  readonly manyLeases?: number
}

/** A session as it says after `hb` heartbeats. */
const aMember = (report: MemberReport, rest: Partial<Member> = {}): Member => ({ ...report, hb: 1, asgVer: 0, ...rest })

const SESSION = 'worker-1/x7k2'

/** A report in which nothing is as in an empty one. */
const full = aReport(SESSION, {
  workerId: 'worker-1',
  state: 'DRAINING',
  ack: 7,
  applied: 3,
  evt: 9,
  led: 4,
  seen: 2,
  orders: 17,
  generation: 12.5,
  capacity: 0.25,
  maxLeases: 100,
  avoid: ['shardId-000000000001', 'shardId-000000000002'],
  durationMs: 12_000,
  troubles: { count: 12, reasons: { 'shardId-000000000001': 'halted: it failed', 'shardId-000000000002': 'stalled' } }
})

/** The contract, on the stores that `setup` opens. */
export function describeControlStore(name: string, setup: ControlStoreSetup): void {
  describe(name, () => {
    let current: ControlStores
    const stores: Stores = () => current

    before(async () => setup.prepare?.())
    beforeEach(() => {
      current = setup.open()
    })
    after(() => setup.close?.())

    describeJoin(stores)
    describeBeat(stores)
    describeCertify(stores)
    describeRaces(stores)
    describeLeave(stores)
    describeMembers(stores)
    describeLeader(stores)
    describeMailboxes(stores, setup.manyLeases ?? 12_000)
    describeLoads(stores)
    describeForget(stores)
    describeOrders(stores)
    describeApplications(stores)
    describeClearing(stores)
    describeSignals(stores)
  })
}

function describeJoin(stores: Stores): void {
  describe('join', () => {
    it('writes the first heartbeat with everything that a session says', async () => {
      const { store, sameItems } = stores()
      expect(await store.join(full)).to.deep.equal(ALIVE)
      expect(await sameItems.member(SESSION)).to.deep.equal(aMember(full))
      expect(await sameItems.members()).to.deep.equal([aMember(full)])
    })

    it('is answered again, and changes nothing, when its answer was lost', async () => {
      const { store } = stores()
      await store.join(aReport(SESSION))
      expect(await store.join(aReport(SESSION, { evt: 5 }))).to.deep.equal(ALIVE)
      await store.beat(aReport(SESSION, { ack: 1 }), 2)
      await store.post(aMailbox(SESSION, { ver: 4 }))
      expect(await store.join(aReport(SESSION))).to.deep.equal({ kind: 'alive', asgVer: 4 })
      expect(await store.members()).to.deep.equal([aMember(aReport(SESSION, { ack: 1 }), { hb: 2, asgVer: 4 })])
    })

    it('is refused to a session that is dead', async () => {
      const { store } = stores()
      await store.join(aReport(SESSION))
      await store.certify(SESSION, 1, 'deaf')
      expect(await store.join(aReport(SESSION))).to.deep.equal({ kind: 'dead', how: 'deaf' })
      expect(await store.member(SESSION)).to.deep.equal(aMember(aReport(SESSION), { dead: 'deaf' }))
    })

    it('keeps what is avoided as a set, and a copy of it', async () => {
      const { store } = stores()
      const avoid = ['c', 'a', 'b', 'a']
      await store.join(aReport(SESSION, { avoid }))
      avoid.push('d')
      expect((await store.member(SESSION))?.avoid).to.deep.equal(['a', 'b', 'c'])
    })

    it('takes any text for a session', async () => {
      const { store } = stores()
      for (const session of ['__proto__', 'constructor', 'a b#:c', 'é/1', 'W#x', '#']) {
        expect(await store.member(session)).to.equal(undefined)
        await store.join(aReport(session))
        expect(await store.member(session)).to.deep.equal(aMember(aReport(session)))
      }
      expect(await store.members()).to.have.length(6)
    })
  })
}

function describeBeat(stores: Stores): void {
  describe('beat', () => {
    it('replaces everything that the session says', async () => {
      const { store, sameItems } = stores()
      await store.join(aReport(SESSION))
      expect(await store.beat(full, 2)).to.deep.equal(ALIVE)
      expect(await sameItems.members()).to.deep.equal([aMember(full, { hb: 2 })])
      await store.beat(aReport(SESSION, { ack: 2 }), 3)
      const after = await sameItems.member(SESSION)
      expect(after).to.deep.equal(aMember(aReport(SESSION, { ack: 2 }), { hb: 3 }))
      expect(after).to.not.have.property('maxLeases')
    })

    it('is answered with the newest version of the mailbox', async () => {
      const { store } = stores()
      await store.join(aReport(SESSION))
      await store.post(aMailbox(SESSION, { ver: 3 }))
      expect(await store.beat(aReport(SESSION), 2)).to.deep.equal({ kind: 'alive', asgVer: 3 })
      expect(await store.beat(aReport(SESSION), 9)).to.deep.equal({ kind: 'alive', asgVer: 3 })
      expect((await store.member(SESSION))?.hb).to.equal(9)
    })

    it('changes nothing when it is late, or repeated, and is answered as if it had landed', async () => {
      const { store } = stores()
      await store.join(aReport(SESSION))
      await store.post(aMailbox(SESSION, { ver: 3 }))
      await store.beat(aReport(SESSION, { ack: 1, evt: 2 }), 5)
      for (const late of [1, 4, 5]) {
        expect(await store.beat(aReport(SESSION, { state: 'DRAINING' }), late)).to.deep.equal({
          kind: 'alive',
          asgVer: 3
        })
      }
      expect(await store.members()).to.deep.equal([aMember(aReport(SESSION, { ack: 1, evt: 2 }), { hb: 5, asgVer: 3 })])
    })

    it('is refused to a session that is dead, and changes nothing', async () => {
      const { store } = stores()
      for (const how of ['silent', 'deaf', 'gone'] as const) {
        await store.join(aReport(how))
        await store.certify(how, 1, how)
        expect(await store.beat(aReport(how, { evt: 8 }), 2)).to.deep.equal({ kind: 'dead', how })
        expect(await store.member(how)).to.deep.equal(aMember(aReport(how), { dead: how }))
      }
    })

    it('is refused to a session without an item, and makes none', async () => {
      const { store } = stores()
      expect(await store.beat(aReport(SESSION), 2)).to.deep.equal(GONE)
      expect(await store.members()).to.deep.equal([])
    })
  })
}

function describeCertify(stores: Stores): void {
  describe('certify', () => {
    it('writes a certificate and leaves everything else as it is', async () => {
      const { store, sameItems } = stores()
      await store.join(full)
      expect(await sameItems.certify(SESSION, 1, 'silent')).to.equal(true)
      expect(await store.member(SESSION)).to.deep.equal(aMember(full, { dead: 'silent' }))
      expect(await store.members()).to.deep.equal([aMember(full, { dead: 'silent' })])
    })

    it('is refused if the heartbeat is not the one watched', async () => {
      const { store } = stores()
      await store.join(aReport(SESSION))
      await store.beat(aReport(SESSION), 3)
      for (const hb of [1, 2, 4]) expect(await store.certify(SESSION, hb, 'silent')).to.equal(false)
      expect(await store.beat(aReport(SESSION), 4)).to.deep.equal(ALIVE)
    })

    it('is refused to a session that is dead, which keeps its certificate', async () => {
      const { store } = stores()
      await store.join(aReport(SESSION))
      await store.certify(SESSION, 1, 'deaf')
      expect(await store.certify(SESSION, 1, 'silent')).to.equal(false)
      expect((await store.member(SESSION))?.dead).to.equal('deaf')
    })

    it('is refused if there is no item, and makes none', async () => {
      const { store } = stores()
      expect(await store.certify(SESSION, 1, 'silent')).to.equal(false)
      expect(await store.members()).to.deep.equal([])
    })
  })
}

function describeRaces(stores: Stores): void {
  describe('beat and certify', () => {
    it('let the session live if the heartbeat lands first', async () => {
      const { store, sameItems } = stores()
      await store.join(aReport(SESSION))
      expect(await store.beat(aReport(SESSION), 2)).to.deep.equal(ALIVE)
      expect(await sameItems.certify(SESSION, 1, 'silent')).to.equal(false)
      expect(await store.beat(aReport(SESSION), 3)).to.deep.equal(ALIVE)
    })

    it('let the session die for ever if the certificate lands first', async () => {
      const { store, sameItems } = stores()
      await store.join(aReport(SESSION))
      expect(await sameItems.certify(SESSION, 1, 'silent')).to.equal(true)
      for (const hb of [2, 1, 3]) {
        expect(await store.beat(aReport(SESSION), hb)).to.deep.equal({ kind: 'dead', how: 'silent' })
      }
      expect(await store.join(aReport(SESSION))).to.deep.equal({ kind: 'dead', how: 'silent' })
    })

    it('never both succeed, in whatever order they arrive', async () => {
      const { store, sameItems } = stores()
      for (let round = 0; round < 20; round++) {
        const session = `worker-${round}/1`
        await store.join(aReport(session))
        const beat = () => store.beat(aReport(session), 2)
        const certify = () => sameItems.certify(session, 1, 'silent')
        const [beaten, certified] =
          round % 2 === 0
            ? await Promise.all([beat(), certify()])
            : await Promise.all([certify(), beat()]).then(([first, second]) => [second, first] as const)
        expect(beaten.kind).to.equal(certified ? 'dead' : 'alive')
        const member = await store.member(session)
        expect(member?.dead).to.equal(certified ? 'silent' : undefined)
        expect(member?.hb).to.equal(certified ? 1 : 2)
      }
    })

    it('let one of many certificates win', async () => {
      const { store } = stores()
      await store.join(aReport(SESSION))
      const hows = ['silent', 'deaf', 'gone', 'silent', 'deaf', 'gone'] as const
      const outcomes = await Promise.all(hows.map(how => store.certify(SESSION, 1, how)))
      expect(outcomes.filter(won => won)).to.have.length(1)
      expect((await store.member(SESSION))?.dead).to.equal(hows[outcomes.indexOf(true)])
    })
  })
}

function describeLeave(stores: Stores): void {
  describe('leave', () => {
    it('is a certificate of its own, with the last words of the session', async () => {
      const { store, sameItems } = stores()
      await store.join(aReport(SESSION))
      await store.beat(aReport(SESSION), 2)
      await store.leave(full)
      expect(await sameItems.member(SESSION)).to.deep.equal(aMember(full, { hb: 2, dead: 'left' }))
      expect(await store.beat(aReport(SESSION), 3)).to.deep.equal({ kind: 'dead', how: 'left' })
      expect(await sameItems.certify(SESSION, 2, 'silent')).to.equal(false)
    })

    it('changes nothing if the session is dead already', async () => {
      const { store } = stores()
      await store.join(aReport(SESSION))
      await store.certify(SESSION, 1, 'silent')
      await store.leave(full)
      expect(await store.members()).to.deep.equal([aMember(aReport(SESSION), { dead: 'silent' })])
    })

    it('makes no item', async () => {
      const { store } = stores()
      await store.leave(full)
      expect(await store.members()).to.deep.equal([])
    })
  })
}

function describeMembers(stores: Stores): void {
  describe('members', () => {
    it('are all sessions that have an item, dead or alive, and nothing else', async () => {
      const { store } = stores()
      expect(await store.members()).to.deep.equal([])
      await store.join(full)
      await store.join(aReport('b/1'))
      await store.join(aReport('c/1'))
      await store.leave(aReport('b/1'))
      await store.replaceLeader(undefined, { who: 'c/1', term: 1 })
      await store.post(aMailbox('d/1'))
      await store.reportLoads('c/1', { a: 1 })
      expect(await store.members()).to.have.deep.members([
        aMember(full),
        aMember(aReport('b/1'), { dead: 'left' }),
        aMember(aReport('c/1'))
      ])
    })

    it('are all there, however many there are', async () => {
      const { store } = stores()
      const avoid = Array.from({ length: 4_000 }, (_, index) => `${index}`.padStart(60, '0'))
      const sessions = Array.from({ length: 12 }, (_, index) => `worker-${index}/1`)
      for (const session of sessions) await store.join(aReport(session, { avoid }))
      const members = await store.members()
      expect(members.map(({ session }) => session)).to.have.members(sessions)
      expect(members.every(member => member.avoid.length === avoid.length)).to.equal(true)
    })
  })
}

function describeLeader(stores: Stores): void {
  describe('replaceLeader', () => {
    const [a, b] = [
      { who: 'a/1', term: 1 },
      { who: 'b/1', term: 2 }
    ]

    it('takes the lock from nobody, from another, and gives it back', async () => {
      const { store, sameItems } = stores()
      expect(await store.leader()).to.equal(undefined)
      expect(await store.leader({ consistent: true })).to.equal(undefined)
      expect(await store.replaceLeader(undefined, a)).to.equal(true)
      expect(await sameItems.leader()).to.deep.equal(a)
      expect(await sameItems.replaceLeader(a, b)).to.equal(true)
      expect(await store.leader({ consistent: true })).to.deep.equal(b)
      expect(await sameItems.replaceLeader(b, { term: 2 })).to.equal(true)
      expect(await store.leader({ consistent: true })).to.deep.equal({ term: 2 })
      expect(await store.replaceLeader({ term: 2 }, { who: 'c/1', term: 3 })).to.equal(true)
      expect(await store.leader()).to.deep.equal({ who: 'c/1', term: 3 })
    })

    it('is refused if the lock is another one than the one seen', async () => {
      const { store } = stores()
      const next = { who: 'c/1', term: 3 }
      expect(await store.replaceLeader(a, next)).to.equal(false)
      await store.replaceLeader(undefined, a)
      for (const seen of [undefined, { term: 1 }, { who: 'b/1', term: 1 }, { who: 'a/1', term: 2 }]) {
        expect(await store.replaceLeader(seen, next)).to.equal(false)
      }
      await store.replaceLeader(a, { term: 1 })
      expect(await store.replaceLeader(a, next)).to.equal(false)
      expect(await store.leader({ consistent: true })).to.deep.equal({ term: 1 })
    })

    it('succeeds again when its answer was lost', async () => {
      const { store } = stores()
      await store.replaceLeader(undefined, a)
      expect(await store.replaceLeader(undefined, a)).to.equal(true)
      await store.replaceLeader(a, b)
      expect(await store.replaceLeader(a, b)).to.equal(true)
      expect(await store.replaceLeader(undefined, a)).to.equal(false)
      expect(await store.leader()).to.deep.equal(b)
    })

    it('lets one of many win', async () => {
      const { store } = stores()
      const candidates = Array.from({ length: 20 }, (_, index) => ({ who: `worker-${index}/1`, term: 1 }))
      const outcomes = await Promise.all(candidates.map(candidate => store.replaceLeader(undefined, candidate)))
      expect(outcomes.filter(won => won)).to.have.length(1)
      expect(await store.leader({ consistent: true })).to.deep.equal(candidates[outcomes.indexOf(true)])
    })
  })
}

function describeLoads(stores: Stores): void {
  describe('loads', () => {
    it('are those that the sessions reported last', async () => {
      const { store, sameItems } = stores()
      expect(await store.loads()).to.deep.equal({})
      await store.reportLoads('a/1', { 'shardId-000000000000': 12.5, 'shardId-000000000001': 0 })
      await store.reportLoads('b/1', { 'shardId-000000000002': 1024.125 })
      expect(await sameItems.loads()).to.deep.equal({
        'shardId-000000000000': 12.5,
        'shardId-000000000001': 0,
        'shardId-000000000002': 1024.125
      })
      await store.reportLoads('a/1', { 'shardId-000000000001': 3 })
      await store.reportLoads('b/1', {})
      expect(await sameItems.loads()).to.deep.equal({ 'shardId-000000000001': 3 })
    })

    it('may be those of any of two sessions for the same lease', async () => {
      const { store } = stores()
      await store.reportLoads('a/1', { shard: 1 })
      await store.reportLoads('b/1', { shard: 2 })
      expect((await store.loads()).shard).to.be.oneOf([1, 2])
    })
  })
}

function describeForget(stores: Stores): void {
  describe('forget', () => {
    /** A session that has everything. */
    async function given(store: ControlStore, session: string): Promise<void> {
      await store.join(aReport(session))
      await store.post(aMailbox(session, { leases: [`lease of ${session}`] }))
      await store.reportLoads(session, { [`lease of ${session}`]: 1 })
    }

    it('deletes everything about a session that is dead, and nothing about others', async () => {
      const { store, sameItems } = stores()
      for (const session of ['a', 'a#1', 'b']) await given(store, session)
      await store.leave(aReport('a'))
      expect(await sameItems.forget('a')).to.equal(true)
      expect(await store.member('a')).to.equal(undefined)
      expect(await store.mailbox('a')).to.equal(undefined)
      expect((await store.members()).map(({ session }) => session)).to.have.members(['a#1', 'b'])
      expect((await store.mailboxes()).map(({ session }) => session)).to.have.members(['a#1', 'b'])
      expect(await store.loads()).to.have.all.keys('lease of a#1', 'lease of b')
      expect(await store.beat(aReport('a'), 2)).to.deep.equal(GONE)
    })

    it('is refused while the session is alive, and deletes nothing', async () => {
      const { store } = stores()
      await given(store, SESSION)
      expect(await store.forget(SESSION)).to.equal(false)
      expect(await store.member(SESSION)).to.deep.equal(aMember(aReport(SESSION), { asgVer: 1 }))
      expect((await store.mailbox(SESSION))?.leases).to.have.length(1)
      expect(await store.loads()).to.not.deep.equal({})
    })

    it('deletes what is left of a session without an item, and succeeds if there is nothing', async () => {
      const { store } = stores()
      expect(await store.forget(SESSION)).to.equal(true)
      await store.post(aMailbox(SESSION))
      await store.reportLoads(SESSION, { a: 1 })
      expect(await store.forget(SESSION)).to.equal(true)
      expect(await store.mailboxes()).to.deep.equal([])
      expect(await store.loads()).to.deep.equal({})
    })
  })
}

function describeApplications(stores: Stores): void {
  it('knows nothing of other applications', async () => {
    const { store, otherApplication } = stores()
    await store.join(aReport(SESSION))
    await store.post(aMailbox(SESSION, { ver: 3 }))
    await store.replaceLeader(undefined, { who: SESSION, term: 1 })
    await store.reportLoads(SESSION, { a: 1 })
    expect(await otherApplication.members()).to.deep.equal([])
    expect(await otherApplication.member(SESSION)).to.equal(undefined)
    expect(await otherApplication.mailboxes()).to.deep.equal([])
    expect(await otherApplication.mailbox(SESSION)).to.equal(undefined)
    expect(await otherApplication.leader()).to.equal(undefined)
    expect(await otherApplication.loads()).to.deep.equal({})

    expect(await otherApplication.beat(aReport(SESSION), 2)).to.deep.equal(GONE)
    expect(await otherApplication.join(aReport(SESSION))).to.deep.equal(ALIVE)
    expect(await otherApplication.post(aMailbox(SESSION, { ver: 1 }))).to.equal(true)
    await otherApplication.leave(aReport(SESSION))
    expect(await otherApplication.forget(SESSION)).to.equal(true)
    expect(await store.members()).to.deep.equal([aMember(aReport(SESSION), { asgVer: 3 })])
    expect(await store.mailbox(SESSION)).to.deep.equal(aMailbox(SESSION, { ver: 3 }))
  })
}

function describeClearing(stores: Stores): void {
  it('deletes everything of an application whose sessions are dead, and nothing of another one', async () => {
    const { store, sameItems, otherApplication } = stores()
    const orders = withMode(NO_ORDERS, { id: 'm', mode: 'mixed', by: 'ann' })
    for (const each of [store, otherApplication]) {
      await each.join(aReport(SESSION))
      await each.post(aMailbox(SESSION, { ver: 3 }))
      await each.replaceLeader(undefined, { who: SESSION, term: 1 })
      await each.reportLoads(SESSION, { a: 1 })
      await each.replaceOrders(NO_ORDERS, orders)
    }
    expect(await store.clear(), 'while one lives').to.equal(false)
    expect(await store.members()).to.have.length(1)
    await store.leave(aReport(SESSION))
    expect(await store.clear()).to.equal(true)
    expect(await sameItems.members()).to.deep.equal([])
    expect(await sameItems.mailboxes()).to.deep.equal([])
    expect(await sameItems.leader({ consistent: true })).to.equal(undefined)
    expect(await sameItems.orders({ consistent: true })).to.deep.equal(NO_ORDERS)
    expect(await sameItems.loads()).to.deep.equal({})
    expect(await store.clear(), 'again').to.equal(true)
    expect(await otherApplication.members()).to.have.length(1)
    expect(await otherApplication.mailbox(SESSION)).to.deep.equal(aMailbox(SESSION, { ver: 3 }))
    expect(await otherApplication.orders({ consistent: true })).to.deep.equal(orders)
    expect(await otherApplication.loads()).to.deep.equal({ a: 1 })
  })
}

function describeSignals(stores: Stores): void {
  it('rejects with the reason of a signal that has aborted', async () => {
    const { store } = stores()
    const reason = new Error('stopping')
    const signal = AbortSignal.abort(reason)
    const rejections = [
      store.prepare(signal),
      store.members(signal),
      store.member(SESSION, signal),
      store.leader({ signal }),
      store.mailbox(SESSION, signal),
      store.mailboxes(signal),
      store.loads(signal)
    ].map(rejectionOf)
    for (const rejection of await Promise.all(rejections)) expect(rejection).to.equal(reason)
  })
}
