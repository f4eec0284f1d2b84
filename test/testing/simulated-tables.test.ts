import { expect } from 'chai'
import type { MemberReport } from '../../src/leases/control-store.ts'
import { ServiceError } from '../../src/model/errors.ts'
import { checkpointed, claimed, released } from '../../src/model/lease.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { SimulatedTables, type SimulatedTablesOptions, type TableObserver } from '../../src/testing/simulated-tables.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aLease, aPosition, shardId } from '../support/builders.ts'

const LEASE = aLease()

const aReport = (session: string, with_: Partial<MemberReport> = {}): MemberReport => ({
  ...{ session, workerId: session, state: 'ACTIVE', ack: 0, applied: 0, evt: 0, led: 0 },
  ...{ generation: 0, capacity: 1, avoid: [] },
  ...with_
})

interface Given extends Pick<SimulatedTablesOptions, 'sabotage'> {
  readonly lagMs?: number
  readonly told?: TableObserver['leaseWritten']
}

/** Tables, and what their observer was told. */
function someTables({ lagMs = 0, sabotage, told: leaseTold }: Given = {}) {
  const clock = new VirtualClock()
  const told: unknown[][] = []
  const observer: TableObserver = {
    leaseWritten: write => {
      told.push([write.kind, write.writer, write.isWritten])
      leaseTold?.(write)
    },
    memberChanged: ({ session, hb }, before, writer) => told.push(['member', session, hb, before?.hb, writer]),
    memberDied: (...what) => told.push(['died', ...what]),
    leaderChanged: ({ who, term }, writer) => told.push(['leader', who, term, writer]),
    mailboxPosted: ({ session, ver }, writer) => told.push(['mailbox', session, ver, writer]),
    ordersChanged: ({ ver }, writer) => told.push(['orders', ver, writer]),
    tableLost: which => told.push(['lost', which])
  }
  const tables = new SimulatedTables({
    ...{ tableName: 'app', controlTableName: 'control', clock, random: seededRandom(1), lagMs: () => lagMs, observer },
    ...(sabotage && { sabotage })
  })
  return { clock, tables, told, store: tables.leaseStoreFor('w1'), control: tables.controlStoreFor('w1') }
}

describe('SimulatedTables', () => {
  describe('the lease table', () => {
    it('does what that in memory does, and tells of each write', async () => {
      const { tables, store, told } = someTables()
      await store.prepare()
      await store.create(LEASE)
      const owned = claimed(LEASE, 'w1/1')
      expect(await store.replace(LEASE, owned)).to.deep.equal({ kind: 'written' })
      expect(await tables.leaseStoreFor('w2').replace(LEASE, claimed(LEASE, 'w2/1'))).to.have.property(
        'kind',
        'refused'
      )
      expect(tables.leases.get(LEASE.leaseKey)).to.include({ owner: 'w1/1', counter: 1 })
      await store.remove(owned)
      expect([...tables.leases]).to.deep.equal([])
      expect(await store.get(LEASE.leaseKey)).to.equal(undefined)
      expect(told).to.deep.equal([
        ['create', 'w1', true],
        ['claim', 'w1', true],
        ['claim', 'w2', false],
        ['remove', 'w1', true]
      ])
    })

    it('tells what a row was and is at each of several writes at once', async () => {
      const seen: unknown[] = []
      const { tables } = someTables({
        told: ({ kind, before, after }) => seen.push([kind, before?.counter, after?.counter]),
        // A table that takes its time.
        sabotage: ({ store, control }) => {
          const slow = async () => {
            for (let turn = 0; turn < 5; turn++) await Promise.resolve()
          }
          return { control, store: { ...store, replace: (...rows) => slow().then(() => store.replace(...rows)) } }
        }
      })
      const store = tables.leaseStoreFor('w1')
      const owned = claimed(LEASE, 'w1/1')
      const writes = [store.create(LEASE), store.replace(LEASE, owned), store.replace(owned, released(owned))]
      expect((await Promise.all(writes)).map(({ kind }) => kind)).to.deep.equal(['written', 'written', 'written'])
      expect(seen).to.deep.equal([
        ['create', undefined, 0],
        ['claim', 0, 1],
        ['release', 1, 2]
      ])
      expect(tables.leases.get(LEASE.leaseKey)?.counter).to.equal(2)
    })

    it('lists old rows, each by itself, and new ones if that is asked for', async () => {
      const { clock, store } = someTables({ lagMs: 1_000 })
      const leases = Array.from({ length: 40 }, (_, index) =>
        aLease({ leaseKey: shardId(index), shardId: shardId(index) })
      )
      for (const lease of leases) await store.create(lease)
      await clock.advance(2_000)
      for (const lease of leases) await store.replace(lease, claimed(lease, 'w1/1'))
      await clock.advance(500)
      const owned = async (consistent: boolean): Promise<number> =>
        (await store.list({ consistent })).leases.filter(({ owner }) => owner !== undefined).length
      expect(await owned(true)).to.equal(40)
      expect(await owned(false)).to.be.within(8, 32)
      expect((await store.get(shardId(0)))?.owner).to.equal('w1/1')
      await clock.advance(501)
      expect(await owned(false)).to.equal(40)
    })

    it('lists rows that were deleted, and not those that were created, a moment ago', async () => {
      const { clock, store } = someTables({ lagMs: 1_000 })
      await store.create(LEASE)
      expect((await store.list()).leases).to.deep.equal([])
      await clock.advance(1_000)
      expect((await store.list()).leases).to.have.length(1)
      await store.remove(LEASE)
      expect((await store.list()).leases).to.have.length(1)
      await clock.advance(1_000)
      expect((await store.list()).leases).to.have.length(0)
    })

    it('counts what it is asked for in units', async () => {
      const { tables, store } = someTables()
      for (let index = 0; index < 20; index++) await store.create(aLease({ leaseKey: shardId(index) }))
      const before = tables.usage.report()
      const row = aLease({ leaseKey: shardId(0) })
      const owned = claimed(row, 'w1/1')
      await store.replace(row, owned)
      await store.replace(row, owned)
      await store.replace(owned, checkpointed(owned, aPosition(5)))
      await store.get(shardId(0))
      await store.list()
      await store.list({ consistent: true })
      const { byKind } = tables.usage.report(before)
      expect(byKind.claim).to.deep.equal({ requests: 2, units: 2 })
      expect(byKind.checkpoint).to.deep.equal({ requests: 1, units: 1 })
      expect(byKind['read-lease']).to.deep.equal({ requests: 1, units: 1 })
      // Twenty rows of about 300 bytes: two units of 4 kB, or half of that.
      expect(byKind.scan).to.deep.equal({ requests: 2, units: 3 })
    })
  })

  describe('the control table', () => {
    it('tells of sessions that join, beat and die', async () => {
      const { tables, control, told } = someTables()
      await control.join(aReport('w1/1'))
      await control.join(aReport('w1/1'))
      await control.beat(aReport('w1/1'), 2)
      expect(await tables.controlStoreFor('w2').certify('w1/1', 2, 'silent')).to.equal(true)
      expect(await control.beat(aReport('w1/1'), 3)).to.deep.equal({ kind: 'dead', how: 'silent' })
      await control.join(aReport('w1/2'))
      await control.leave(aReport('w1/2'))
      expect(told).to.deep.equal([
        ['member', 'w1/1', 1, undefined, 'w1'],
        ['member', 'w1/1', 2, 1, 'w1'],
        ['died', 'w1/1', 'silent', 'w2'],
        ['member', 'w1/2', 1, undefined, 'w1'],
        ['died', 'w1/2', 'left', 'w1']
      ])
      expect((await tables.members()).map(({ session, dead }) => [session, dead])).to.deep.equal([
        ['w1/1', 'silent'],
        ['w1/2', 'left']
      ])
    })

    it('tells of leaders and mailboxes', async () => {
      const { tables, control, told } = someTables()
      const lock = { who: 'w1/1', term: 1 }
      expect(await control.replaceLeader(undefined, lock)).to.equal(true)
      expect(await control.replaceLeader(undefined, lock)).to.equal(true)
      expect(await control.replaceLeader(undefined, { who: 'w2/1', term: 1 })).to.equal(false)
      expect(await tables.leader()).to.deep.equal(lock)
      await control.join(aReport('w1/1'))
      const mailbox = {
        session: 'w1/1',
        ver: 1,
        term: 1,
        mode: 'solo',
        leases: ['a'],
        wait: [],
        dead: [],
        steal: [],
        evt: 0
      }
      expect(await control.post({ ...mailbox, mode: 'solo' })).to.equal(true)
      expect((await control.mailbox('w1/1'))?.leases).to.deep.equal(['a'])
      expect(await control.mailboxes()).to.have.length(1)
      expect((await control.member('w1/1'))?.asgVer).to.equal(1)
      expect(told).to.deep.equal([
        ['leader', 'w1/1', 1, 'w1'],
        ['member', 'w1/1', 1, undefined, 'w1'],
        ['member', 'w1/1', 1, 1, 'w1'],
        ['mailbox', 'w1/1', 1, 'w1']
      ])
    })

    it('shows single sessions and the leader as they were a moment ago', async () => {
      const { clock, control } = someTables({ lagMs: 1_000 })
      await control.join(aReport('w1/1'))
      await control.replaceLeader(undefined, { who: 'w1/1', term: 1 })
      expect(await control.member('w1/1')).to.equal(undefined)
      expect(await control.leader()).to.equal(undefined)
      expect(await control.leader({ consistent: true })).to.deep.equal({ who: 'w1/1', term: 1 })
      expect(await control.members()).to.have.length(1)
      await clock.advance(1_000)
      expect((await control.member('w1/1'))?.hb).to.equal(1)
      expect((await control.leader())?.term).to.equal(1)
    })

    it('counts what it is asked for in units', async () => {
      const { tables, control } = someTables()
      await control.join(aReport('w1/1'))
      for (let hb = 2; hb <= 11; hb++) await control.beat(aReport('w1/1'), hb)
      const mailbox = { session: 'w1/1', ver: 1, term: 1, wait: [], dead: [], steal: [], evt: 0 }
      const leases = Array.from({ length: 100 }, (_, index) => shardId(index))
      await control.post({ ...mailbox, mode: 'solo', leases })
      await control.member('w1/1')
      await control.reportLoads('w1/1', { a: 1 })
      await control.loads()
      await control.leave(aReport('w1/1'))
      expect(await control.forget('w1/1')).to.equal(true)
      const { byKind } = tables.usage.report()
      expect(byKind.heartbeat).to.deep.equal({ requests: 10, units: 10 })
      // 2 kB and more of lease keys, and the word to the session.
      expect(byKind.mailbox).to.deep.equal({ requests: 2, units: 4 })
      expect(byKind['read-member']).to.deep.equal({ requests: 1, units: 0.5 })
      expect(byKind.loads).to.deep.equal({ requests: 1, units: 1 })
      expect(byKind.forget).to.deep.equal({ requests: 1, units: 3 })
    })
  })

  it('can lose a table, until somebody prepares it again', async () => {
    const { tables, store, control, told } = someTables()
    await store.create(LEASE)
    await control.join(aReport('w1/1'))
    tables.lose('leases')
    tables.lose('control')
    for (const call of [() => store.list(), () => store.create(LEASE), () => control.beat(aReport('w1/1'), 2)]) {
      const failure = await call().catch((error: unknown) => error)
      expect(failure).to.be.instanceOf(ServiceError).with.property('kind', 'not-found')
    }
    await store.prepare()
    await control.prepare()
    expect((await store.list()).leases).to.deep.equal([])
    expect(await control.beat(aReport('w1/1'), 2)).to.deep.equal({ kind: 'dead', how: 'gone' })
    expect(told.slice(-2)).to.deep.equal([
      ['lost', 'leases'],
      ['lost', 'control']
    ])
  })

  it('can be sabotaged', async () => {
    const { store, told } = someTables({
      sabotage: ({ store, control }) => ({
        control,
        store: {
          ...store,
          replace: async (before, after) => store.replace({ ...before, ...(await store.get(before.leaseKey)) }, after)
        }
      })
    })
    await store.create(LEASE)
    await store.replace(LEASE, claimed(LEASE, 'w1/1'))
    expect(await store.replace(LEASE, claimed(LEASE, 'w2/1'))).to.have.property('kind', 'written')
    expect(told.at(-1)).to.deep.equal(['claim', 'w1', true])
  })
})
