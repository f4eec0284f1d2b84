import { expect } from 'chai'
import { NO_ORDERS, withHold, withMove } from '../../src/leases/order-rules.ts'
import { FULL_HASH_KEY_RANGE } from '../../src/model/hash-key-range.ts'
import type { Lease } from '../../src/model/lease.ts'
import { SHARD_END } from '../../src/model/sequence-number.ts'
import { type FleetStatus, type LeaseStatus, type StatusFacts, statusOf } from '../../src/operate/status-rules.ts'
import { aMember, session } from '../fleet/fleet-model.ts'
import { aLease, aPosition, aShard, shardId } from '../support/builders.ts'

const [S0, S1] = [shardId(0), shardId(1)]
const [A, B] = [session('a'), session('b')]

function status(with_: Partial<StatusFacts> = {}): FleetStatus {
  return statusOf({
    ...{ applicationName: 'counter', streamName: 'clicks', leaseTable: 'counter', controlTable: 'control', atMs: 1 },
    members: [aMember('b'), aMember('a')],
    ...{ gone: new Set(), silentMs: new Map(), hasWatched: false, unchangedMs: new Map() },
    lock: { who: A, term: 3 },
    leases: [aLease({ owner: A, checkpoint: aPosition(12), counter: 4 })],
    shards: [aShard()],
    orders: NO_ORDERS,
    ...with_
  })
}

const only = (lease: Partial<Lease>, with_: Partial<StatusFacts> = {}): LeaseStatus | undefined =>
  status({ leases: [aLease(lease)], ...with_ }).leases[0]

describe('statusOf', () => {
  it('is green where all is well, and plain enough for JSON', () => {
    const green = status()
    expect(green).to.deep.include({ color: 'green', mode: 'solo', reasons: [], holes: [] })
    expect(green.leader).to.deep.equal({ session: A, workerId: 'a', term: 3 })
    expect(green.workers.map(({ workerId, leases, isLeader }) => [workerId, leases, isLeader])).to.deep.equal([
      ['a', 1, true],
      ['b', 0, false]
    ])
    expect(green.leases[0]).to.deep.include({
      ...{ shardId: S0, state: 'read', owner: A, workerId: 'a', checkpoint: '12', counter: 4, shard: 'open' },
      hashKeyRange: { start: '0', end: FULL_HASH_KEY_RANGE.end.toString() }
    })
    expect(JSON.parse(JSON.stringify(green))).to.deep.equal(green)
  })

  it('tells what workers say of their shards', () => {
    const troubles = { count: 3, reasons: { [S0]: 'halted by TypeError', [S1]: 'stalled: no answer for 90 s' } }
    const red = status({ members: [aMember('a', { troubles })] })
    expect(red.color).to.equal('red')
    expect(red.workers[0]).to.deep.include({ color: 'red', redShards: 3 })
    const reason = 'halted by TypeError; see the log of a'
    expect(red.leases[0]).to.include({ state: 'read', color: 'red', reason })
    expect(red.reasons).to.deep.equal([
      `a: ${S1} is stalled: no answer for 90 s`,
      'a: 1 more shards are red',
      `${S0}: ${reason}`
    ])
  })

  it('takes what a worker says of a shard for nothing once another one has it', () => {
    const troubles = { count: 1, reasons: { [S0]: 'halted by TypeError' } }
    const moved = status({ members: [aMember('a', { troubles }), aMember('b')], leases: [aLease({ owner: B })] })
    expect(moved.leases[0]).to.include({ color: 'green' }).and.not.have.property('reason')
  })

  it('finds those silent that have not been heard of for as long as they live, once it has watched', () => {
    const silent = { silentMs: new Map([[A, 12_000]]), hasWatched: true }
    expect(status(silent).reasons).to.deep.equal(['a: has not been heard of for 12 s'])
    expect(status({ ...silent, hasWatched: false }).color, 'a first look').to.equal('green')
    const slow = [aMember('a', { durationMs: 60_000 })]
    expect(status({ ...silent, members: slow }).color).to.equal('green')
  })

  it('shows the dead only while they own something', () => {
    const members = [aMember('a', { dead: 'silent' }), aMember('b', { dead: 'left' }), aMember('c')]
    const { workers, leader, reasons } = status({ members })
    expect(workers.map(({ workerId, state }) => [workerId, state])).to.deep.equal([
      ['a', 'DEAD'],
      ['c', 'ACTIVE']
    ])
    expect(leader).to.equal(undefined)
    expect(reasons).to.have.length(2)
  })

  it('knows owners that have no heartbeat: workers of another kind, and sessions that were deleted', () => {
    const leases = [aLease({ owner: 'java' }), aLease({ leaseKey: S1, shardId: S1, owner: session('x') })]
    const { mode, workers, leases: told } = status({ leases, members: [] })
    expect(mode).to.equal('mixed')
    expect(workers.map(({ workerId, state, color }) => [workerId, state, color])).to.deep.equal([
      ['java', 'FOREIGN', 'green'],
      ['x', 'DEAD', 'red']
    ])
    expect(told.map(({ state }) => state)).to.deep.equal(['foreign', 'orphaned'])
  })

  const states: readonly (readonly [string, Partial<Lease>, Partial<StatusFacts>, LeaseStatus['state']])[] = [
    ['that is done', { checkpoint: SHARD_END, owner: B }, {}, 'finished'],
    ['whose owner has a certificate', { owner: B }, { members: [aMember('b', { dead: 'silent' })] }, 'orphaned'],
    ['whose owner was found dead', { owner: B }, { gone: new Set([B]) }, 'orphaned'],
    ['of nobody', {}, {}, 'unowned']
  ]
  for (const [what, lease, with_, state] of states) {
    it(`calls a lease ${what} ${state}`, () => {
      expect(only(lease, with_)?.state).to.equal(state)
    })
  }

  it('tells leases that wait for their parents, and those on hold', () => {
    const child = aLease({ leaseKey: S1, shardId: S1, parentShardIds: [S0] })
    expect(status({ leases: [aLease({ owner: A }), child] }).leases[1]?.state).to.equal('waiting')
    const hold = { id: 'h', why: 'a reset', by: 'ann', isKept: false, beat: 0, leases: 'all' as const }
    expect(only({}, { orders: withHold(NO_ORDERS, hold) })).to.include({ state: 'held', heldFor: 'a reset' })
    const move = { id: 'm', leaseKey: S0, to: 'b', by: 'ann' }
    expect(only({ owner: A }, { orders: withMove(NO_ORDERS, move) })).to.include({ state: 'read', movesTo: 'b' })
  })

  it('is red where nobody reads: at once without workers, after a while with them', () => {
    expect(only({}, { members: [] })?.reason).to.equal('nobody reads it: no worker is there')
    expect(only({})?.reason).to.equal(undefined)
    expect(only({}, { unchangedMs: new Map([[S0, 20_000]]) })?.reason).to.equal('nobody has read it for 20 s')
  })

  it('finds hash keys that nobody reads', () => {
    const half = { start: 0n, end: 2n ** 127n - 1n }
    const { holes, reasons } = status({ leases: [aLease({ owner: A, hashKeyRange: half })] })
    expect(holes).to.deep.equal([{ start: String(2n ** 127n), end: String(2n ** 128n - 1n) }])
    expect(reasons).to.deep.equal(['no lease covers 1 ranges of hash keys'])
    expect(status({ leases: [] }).holes, 'an application that has not begun').to.deep.equal([])
    const [{ hashKeyRange: _, ...shard }, { hashKeyRange: __, ...lease }] = [aShard(), aLease({ owner: A })]
    expect(status({ shards: [shard], leases: [lease] }).holes, 'a stream without hash keys').to.deep.equal([])
  })

  it('looks through ten thousand leases in no time', () => {
    const leases = Array.from({ length: 10_000 }, (_, i) =>
      aLease({ leaseKey: shardId(i), shardId: shardId(i), owner: A })
    )
    const shards = leases.map(lease => aShard({ shardId: lease.shardId }))
    expect(status({ leases, shards }).leases).to.have.length(10_000)
  })
})
