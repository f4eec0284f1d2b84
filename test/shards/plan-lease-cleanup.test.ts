import { expect } from 'chai'
import type { Lease } from '../../src/model/lease.ts'
import { AT_TIMESTAMP, LATEST, SHARD_END, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { planLeaseCleanup } from '../../src/shards/plan-lease-cleanup.ts'
import { shardGraph } from '../../src/shards/shard-graph.ts'
import type { FakeStream } from '../../src/testing/fake-stream.ts'
import { aPosition, shardId } from '../support/builders.ts'
import { aStream, leaseOf, listing, numberOf, workedExample } from '../support/shard-trees.ts'

function removed(stream: FakeStream, leases: readonly Lease[]): string[] {
  const plan = planLeaseCleanup(shardGraph(listing(stream)), new Map(leases.map(lease => [lease.leaseKey, lease])))
  return plan.map(({ lease, why }) => `${numberOf(lease.shardId)} ${why}`)
}

describe('planLeaseCleanup', () => {
  const stream = aStream(1)
  stream.split(shardId(0)) // 1, 2
  const done = { checkpoint: SHARD_END }
  const parent = leaseOf(stream, 0, { ...done, childShardIds: [shardId(1), shardId(2)] })

  it('removes the lease of a finished shard once every child has begun', () => {
    expect(removed(stream, [parent, leaseOf(stream, 1), leaseOf(stream, 2)])).to.deep.equal(['0 children-started'])
    const others = [leaseOf(stream, 1, done), leaseOf(stream, 2, { checkpoint: LATEST })]
    expect(removed(stream, [parent, ...others])).to.deep.equal(['0 children-started'])
  })

  for (const checkpoint of [TRIM_HORIZON, AT_TIMESTAMP]) {
    it(`keeps it while a child is still at ${checkpoint.sequenceNumber}`, () => {
      expect(removed(stream, [parent, leaseOf(stream, 1), leaseOf(stream, 2, { checkpoint })])).to.deep.equal([])
    })
  }

  it('keeps it while a child has no lease', () => {
    expect(removed(stream, [parent, leaseOf(stream, 1)])).to.deep.equal([])
  })

  it('finds the children in the listing where the lease does not name them', () => {
    const unnamed = leaseOf(stream, 0, done)
    expect(removed(stream, [unnamed, leaseOf(stream, 1), leaseOf(stream, 2)])).to.deep.equal(['0 children-started'])
    expect(removed(stream, [unnamed, leaseOf(stream, 1)])).to.deep.equal([])
  })

  it('keeps a finished lease without any known child while its shard is listed', () => {
    expect(removed(stream, [leaseOf(stream, 1, done)])).to.deep.equal([])
  })

  it('keeps unfinished leases', () => {
    expect(removed(stream, [leaseOf(stream, 0), leaseOf(stream, 1), leaseOf(stream, 2)])).to.deep.equal([])
  })

  it('removes the oldest generation first', () => {
    const deep = aStream(1)
    deep.split(shardId(0)) // 1, 2
    deep.split(shardId(1)) // 3, 4
    const young = [leaseOf(deep, 1, done), leaseOf(deep, 2), leaseOf(deep, 3), leaseOf(deep, 4)]
    expect(removed(deep, [leaseOf(deep, 0, done), ...young])).to.deep.equal(['0 children-started'])
    expect(removed(deep, young)).to.deep.equal(['1 children-started'])
  })

  it('treats both parents of a merge alike', () => {
    const example = workedExample()
    const parents = [leaseOf(example, 0, done), leaseOf(example, 1, done)]
    const merged = { checkpoint: aPosition(5) }
    expect(removed(example, [...parents, leaseOf(example, 6, merged)])).to.deep.equal([
      '0 children-started',
      '1 children-started'
    ])
  })

  describe('when the shard has expired', () => {
    const trimmed = aStream(1)
    trimmed.split(shardId(0))
    trimmed.expireShard(shardId(0))

    it('removes the finished lease once its listed children have leases', () => {
      const children = [leaseOf(trimmed, 1, { checkpoint: TRIM_HORIZON }), leaseOf(trimmed, 2)]
      expect(removed(trimmed, [parent, ...children])).to.deep.equal(['0 shard-expired'])
      expect(removed(trimmed, [parent, ...children.slice(1)])).to.deep.equal([])
    })

    it('leaves an unfinished lease to its owner', () => {
      const reading = leaseOf(stream, 0)
      expect(removed(trimmed, [reading, leaseOf(trimmed, 1), leaseOf(trimmed, 2)])).to.deep.equal([])
    })

    it('does not wait for children that have expired, too', () => {
      trimmed.split(shardId(1)) // 3, 4
      trimmed.expireShard(shardId(1))
      expect(removed(trimmed, [parent, leaseOf(trimmed, 2)])).to.deep.equal(['0 shard-expired'])
    })
  })
})
