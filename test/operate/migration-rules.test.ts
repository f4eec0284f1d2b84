import { expect } from 'chai'
import { leaseTraces } from '../../src/leases/kcl-item-rules.ts'
import { SHARD_END } from '../../src/model/sequence-number.ts'
import { isOfKcl, kclStanding, longestDurationMs, seeModes, standingOf } from '../../src/operate/migration-rules.ts'
import { A, aBox, aReadLease, aWorker, facts, session } from './migration-facts.ts'

const traces = { multiStream: [], incomplete: [], strange: [] }
const remains = { items: [], traces, tables: [], closed: [] }

describe('seeModes', () => {
  it('is what a session says it acts by, and until it has read a newer mailbox what it acted by before', () => {
    const member = aWorker('a')
    const first = seeModes(new Map(), [aBox(A, 'mixed')], [member])
    expect([...first]).to.deep.equal([[A, 'mixed']])
    expect([...seeModes(first, [{ ...aBox(A, 'solo'), ver: 2 }], [member])]).to.deep.equal([[A, 'mixed']])
    expect([...seeModes(first, [{ ...aBox(A, 'solo'), ver: 2 }], [{ ...member, seen: 2 }])]).to.deep.equal([
      [A, 'solo']
    ])
    expect([...seeModes(new Map(), [{ ...aBox(A, 'solo'), ver: 2 }], [member])]).to.deep.equal([])
    expect([...seeModes(first, [], [])]).to.deep.equal([])
  })
})

describe('standingOf', () => {
  it('is changing until everybody does the same', () => {
    const members = [aWorker('a'), aWorker('b')]
    const modeOf = (boxes: Parameters<typeof seeModes>[1], workers = members) =>
      standingOf(
        facts({ leases: [], members: workers }, { mailboxes: boxes, acting: seeModes(new Map(), boxes, workers) })
      ).mode
    expect(modeOf([])).to.equal('solo')
    expect(modeOf([aBox(A, 'mixed')])).to.equal('changing')
    expect(modeOf([aBox(A, 'mixed'), aBox(session('b'), 'mixed')])).to.equal('mixed')
    expect(modeOf([aBox(A, 'mixed'), { ...aBox(session('b'), 'mixed'), ver: 2 }])).to.equal('changing')
    expect(modeOf([], [])).to.equal(undefined)
    expect(modeOf([aBox(A, 'mixed')], [aWorker('a'), aWorker('b', { state: 'DRAINING' })])).to.equal('mixed')
  })

  it('counts leases by whose they are, and names shards that nobody reads', () => {
    const parent = aReadLease(4, A)
    const leases = [
      aReadLease(0, 'java-1'),
      aReadLease(1, A),
      aReadLease(2, session('gone')),
      aReadLease(3, 'java-1', { checkpoint: SHARD_END }),
      parent,
      aReadLease(5, undefined, { parentShardIds: [parent.shardId] })
    ]
    const standing = standingOf(facts({ leases, members: [aWorker('a')], moving: ['java-1'] }))
    expect(standing).to.include({ unfinished: 5, ofKcl: 1, ofMillrace: 3, kclAlive: 1, workers: 1 })
    const short = (ids: readonly string[]) => ids.map(id => Number(id.slice(-2)))
    expect(short(standing.unread), 'a child waits for its parent').to.deep.equal([0, 2])
    expect(short(standing.unreadByKcl)).to.deep.equal([1, 2, 4])
    expect(short(standing.still), 'those of the dead are not renewed').to.deep.equal([1, 4])
  })
})

describe('isOfKcl', () => {
  it('goes by who processes a lease, also while it is handed over', () => {
    expect(isOfKcl(aReadLease(0, 'java-1'))).to.equal(true)
    expect(isOfKcl(aReadLease(0, A, { checkpointOwner: 'java-1' }))).to.equal(true)
    expect(isOfKcl(aReadLease(0, 'java-1', { checkpointOwner: A }))).to.equal(false)
    expect(isOfKcl(aReadLease(0))).to.equal(false)
  })
})

describe('kclStanding', () => {
  it('tells KCL 3.x by anything that 2.x does not have', () => {
    const of = (with_: object) => kclStanding(facts({ leases: [aReadLease(0, 'java-1')] }, with_)).version
    expect(of({})).to.equal('2.x')
    expect(of({ remains })).to.equal('2.x')
    expect(of({ remains: { ...remains, index: { name: 'LeaseOwnerToLeaseKeyIndex', status: 'ACTIVE' } } })).to.equal(
      '3.x'
    )
    expect(of({ remains: { ...remains, tables: ['app-WorkerMetricStats'] } })).to.equal('3.x')
    const items = [{ table: 't', key: 'Migration3.0', kind: 'client-version', state: 'CLIENT_VERSION_3X' }]
    expect(kclStanding(facts({ leases: [] }, { remains: { ...remains, items } as never }))).to.deep.include({
      ...{ version: '3.x', clientVersion: 'CLIENT_VERSION_3X' }
    })
  })

  it('does not tell it by the throughput in leases, which Millrace writes beside 2.x, too', () => {
    const leases = [aReadLease(0, 'java-1', { throughputKBps: 1.5 })]
    const raw = leases.map(({ leaseKey }) => ({
      ...{ leaseKey, leaseCounter: 1, ownerSwitchesSinceCheckpoint: 0, checkpoint: '5', throughputKBps: 1.5 }
    }))
    const standing = kclStanding(facts({ leases }, { remains: { ...remains, traces: leaseTraces(raw) } }))
    expect(standing).to.deep.equal({ version: '2.x', because: ['leases, and nothing that 3.x adds'] })
  })

  it('finds nothing of KCL in a table that it has never written to', () => {
    expect(kclStanding(facts({ leases: [aReadLease(0, A)] }))).to.deep.equal({ because: [] })
  })
})

describe('longestDurationMs', () => {
  it('is the longest that any worker says, or that is told', () => {
    expect(
      longestDurationMs({ members: [aWorker('a', { durationMs: 30_000 }), aWorker('b')], durationMs: 10_000 })
    ).to.equal(30_000)
    expect(longestDurationMs({ members: [], durationMs: 10_000 })).to.equal(10_000)
  })
})
