import { expect } from 'chai'
import { type Lease, newLease } from '../../src/model/lease.ts'
import { SHARD_END, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { type ChildShard, childrenOf } from '../../src/model/shard.ts'
import { planShardEnd, type ShardEndPlan } from '../../src/shards/plan-shard-end.ts'
import type { FakeStream } from '../../src/testing/fake-stream.ts'
import { A_STREAM, shardId } from '../support/builders.ts'
import { aStream, leaseOf, listing } from '../support/shard-trees.ts'

interface Given {
  children?: readonly ChildShard[]
  listed?: boolean
  leases?: readonly Lease[]
}

function plan(stream: FakeStream, lease: Lease, { children, listed = false, leases = [] }: Given = {}): ShardEndPlan {
  return planShardEnd({
    lease,
    stream: A_STREAM,
    leases: new Map(leases.map(each => [each.leaseKey, each])),
    ...(children && { children }),
    ...(listed && { shards: listing(stream) })
  })
}

const named = (stream: FakeStream, number: number): ChildShard[] => childrenOf(shardId(number), listing(stream))
const becauseOf = (result: ShardEndPlan): string =>
  'because' in result ? `${result.kind}: ${result.because}` : result.kind

describe('planShardEnd', () => {
  describe('after a split', () => {
    const stream = aStream(1)
    const parent = leaseOf(stream, 0)
    stream.split(shardId(0)) // 1, 2
    const children = named(stream, 0)
    const leases = children.map(child =>
      newLease({
        shardId: child.shardId,
        checkpoint: TRIM_HORIZON,
        parentShardIds: [shardId(0)],
        ...(child.hashKeyRange && { hashKeyRange: child.hashKeyRange }),
        stream: A_STREAM
      })
    )
    const ended = { kind: 'end', create: leases, childShardIds: [shardId(1), shardId(2)] }

    it('creates a lease for each child, at TRIM_HORIZON', () => {
      expect(plan(stream, parent, { children })).to.deep.equal(ended)
    })

    it('hands on when the application began, from whichever lease tells', () => {
      const began = (lease: Lease, others: readonly Lease[] = []) => {
        const result = plan(stream, lease, { children, leases: others })
        return result.kind === 'end' ? result.create.map(({ beganAtMs }) => beganAtMs) : []
      }
      expect(began({ ...parent, startTimestampMs: 400 })).to.deep.equal([400, 400])
      expect(began({ ...parent, beganAtMs: 300 })).to.deep.equal([300, 300])
      const other = leases.slice(0, 1).map(lease => ({ ...lease, beganAtMs: 200 }))
      expect(began(parent, other)).to.deep.equal([200])
    })

    it('asks for the listing if no children are named, and takes them from there', () => {
      expect(plan(stream, parent)).to.deep.equal({ kind: 'list-shards' })
      expect(plan(stream, parent, { children: [] })).to.deep.equal({ kind: 'list-shards' })
      expect(plan(stream, parent, { listed: true })).to.deep.equal(ended)
      expect(plan(stream, parent, { children: [], listed: true })).to.deep.equal(ended)
    })

    it('creates only the leases that are missing, and names all children', () => {
      const result = plan(stream, parent, { children, leases: leases.slice(0, 1) })
      expect(result).to.deep.equal({ ...ended, create: leases.slice(1) })
    })

    it('does not take an answer for the end that names children without parents', () => {
      const cut = children.map(child => ({ ...child, parentShardIds: [] }))
      expect(becauseOf(plan(stream, parent, { children: cut })))
        .to.include('not-ended')
        .and.to.include(shardId(1))
    })

    it('does not take an answer for the end that names children of another shard', () => {
      const stray = children.map(child => ({ ...child, parentShardIds: [shardId(9)] }))
      expect(becauseOf(plan(stream, parent, { children: stray }))).to.include('not-ended')
    })

    it('does not take an answer for the end that leaves out a child', () => {
      const { hashKeyRange: _, ...bare } = parent
      expect(becauseOf(plan(stream, parent, { children: children.slice(1) }))).to.include('not-ended')
      expect(becauseOf(plan(stream, bare, { children: children.slice(1) }))).to.include('not-ended')
    })
  })

  it('goes on reading a shard that is still open', () => {
    const stream = aStream(1)
    expect(becauseOf(plan(stream, leaseOf(stream, 0), { listed: true }))).to.equal(
      `not-ended: ${shardId(0)} is still open`
    )
  })

  it('waits for the children of a closed shard to be listed', () => {
    const stream = aStream(1)
    stream.split(shardId(0))
    const closed = listing(stream).slice(0, 1)
    const facts = { lease: leaseOf(stream, 0), shards: closed, leases: new Map(), stream: A_STREAM }
    expect(becauseOf(planShardEnd(facts))).to.include('no child of it is listed yet')
    expect(becauseOf(planShardEnd({ ...facts, shards: listing(stream).slice(0, 2) }))).to.include('not-ended')
  })

  it('ends a shard that has expired with those children that are listed', () => {
    const stream = aStream(1)
    const lease = leaseOf(stream, 0)
    stream.split(shardId(0)) // 1, 2
    stream.split(shardId(1))
    stream.expireShard(shardId(0))
    const result = plan(stream, lease, { listed: true })
    expect(result).to.include({ kind: 'end' })
    expect(result).to.have.deep.property('childShardIds', [shardId(1), shardId(2)])
    stream.expireShard(shardId(1))
    expect(plan(stream, lease, { listed: true })).to.have.deep.property('childShardIds', [shardId(2)])
  })

  it('ends a shard that has expired together with all its children', () => {
    const stream = aStream(2)
    const lease = leaseOf(stream, 0)
    stream.merge(shardId(0), shardId(1)) // 2
    stream.split(shardId(2))
    for (const number of [0, 1, 2]) stream.expireShard(shardId(number))
    expect(plan(stream, lease, { listed: true })).to.deep.equal({ kind: 'end', create: [], childShardIds: [] })
  })

  describe('after a merge', () => {
    const stream = aStream(2)
    const [parent, other] = [leaseOf(stream, 0), leaseOf(stream, 1)]
    stream.merge(shardId(0), shardId(1)) // 2
    const children = named(stream, 0)

    it('creates the lease of the child, which names both parents, whichever ends first', () => {
      for (const leases of [[other], [leaseOf(stream, 1, { checkpoint: SHARD_END })]]) {
        const result = plan(stream, parent, { children, leases })
        expect(result).to.have.nested.property('create[0].checkpoint', TRIM_HORIZON)
        expect(result).to.have.deep.nested.property('create[0].parentShardIds', [shardId(0), shardId(1)])
      }
    })

    it('creates nothing if the other parent has done so', () => {
      const result = plan(stream, parent, {
        children,
        leases: [other, leaseOf(stream, 2, { checkpoint: TRIM_HORIZON })]
      })
      expect(result).to.deep.equal({ kind: 'end', create: [], childShardIds: [shardId(2)] })
    })

    it('does not take an answer for the end that leaves out the other parent', () => {
      const cut = children.map(child => ({ ...child, parentShardIds: [shardId(0)] }))
      expect(becauseOf(plan(stream, parent, { children: cut, leases: [other] }))).to.include('not-ended')
    })

    it('asks for the listing if the other parent has no lease', () => {
      expect(plan(stream, parent, { children })).to.deep.equal({ kind: 'list-shards' })
    })

    it('has the lease of the other parent repaired first', () => {
      const because = `${shardId(0)} was merged with ${shardId(1)}, which has no lease and has not been read`
      expect(plan(stream, parent, { children, listed: true })).to.deep.equal({ kind: 'sync-first', because })
      const unread = [leaseOf(stream, 2, { checkpoint: TRIM_HORIZON })]
      expect(plan(stream, parent, { children, listed: true, leases: unread })).to.include({ kind: 'sync-first' })
    })

    it('goes on if the child shows that the other parent is done', () => {
      expect(plan(stream, parent, { children, listed: true, leases: [leaseOf(stream, 2)] })).to.include({ kind: 'end' })
    })

    it('goes on if the other parent has expired', () => {
      const trimmed = aStream(2)
      trimmed.merge(shardId(0), shardId(1))
      trimmed.expireShard(shardId(1))
      expect(plan(trimmed, parent, { children, listed: true })).to.include({ kind: 'end' })
    })
  })
})

describe('planShardEnd of a shard without hash keys', () => {
  const lease = newLease({ shardId: 'a', checkpoint: TRIM_HORIZON, stream: A_STREAM, startTimestampMs: 7 })
  const shard = { shardId: 'a', startingSequenceNumber: '1', endingSequenceNumber: '9' }
  const facts = { lease, leases: new Map(), stream: A_STREAM }
  const child = (shardId: string) => ({ shardId, parentShardIds: ['a'] })

  for (const count of [1, 2, 3]) {
    it(`has ended when it is continued by ${count}`, () => {
      const children = ['b', 'c', 'd'].slice(0, count).map(child)
      const plan = planShardEnd({ ...facts, children })
      expect(plan).to.deep.include({ kind: 'end', childShardIds: children.map(({ shardId }) => shardId) })
      const created = plan.kind === 'end' ? plan.create : []
      expect(
        created.map(({ shardId, parentShardIds, beganAtMs }) => [shardId, parentShardIds, beganAtMs])
      ).to.deep.equal(children.map(({ shardId }) => [shardId, ['a'], 7]))
      expect(created.some(each => 'hashKeyRange' in each)).to.equal(false)
    })
  }

  it('has not ended while nothing continues it, unless the stream has', () => {
    expect(planShardEnd({ ...facts, shards: [shard] })).to.deep.include({ kind: 'not-ended' })
    expect(planShardEnd({ ...facts, shards: [{ ...shard, isLast: true }] })).to.deep.equal({
      kind: 'end',
      create: [],
      childShardIds: []
    })
  })

  it('has not ended if a child does not name it', () => {
    const children = [child('b'), { shardId: 'c', parentShardIds: ['x'] }]
    expect(planShardEnd({ ...facts, children })).to.deep.include({ kind: 'not-ended' })
  })
})
