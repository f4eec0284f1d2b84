import { expect } from 'chai'
import type { Lease } from '../../src/model/lease.ts'
import { SHARD_END, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { judgeParents } from '../../src/shards/parent-rules.ts'
import { shardId } from '../support/builders.ts'
import { leaseOf, listing, workedExample } from '../support/shard-trees.ts'

describe('judgeParents', () => {
  const stream = workedExample()
  const done = { checkpoint: SHARD_END }
  const unread = { checkpoint: TRIM_HORIZON }
  const judge = (lease: Lease, parents: Lease[], shards?: ReturnType<typeof listing>): string =>
    judgeParents(lease, new Map(parents.map(parent => [parent.leaseKey, parent])), shards).kind

  it('lets a shard without parents, or with parents that are gone, be read', () => {
    expect(judge(leaseOf(stream, 4, unread), [])).to.equal('finished')
    expect(judge(leaseOf(stream, 9, unread), [])).to.equal('finished')
  })

  it('lets a shard wait until each of its parents is finished', () => {
    const merged = leaseOf(stream, 8, unread)
    expect(judge(leaseOf(stream, 9, unread), [leaseOf(stream, 5)])).to.equal('unfinished')
    expect(judge(merged, [leaseOf(stream, 6, done), leaseOf(stream, 7)])).to.equal('unfinished')
    expect(judge(merged, [leaseOf(stream, 7)])).to.equal('unfinished')
    expect(judge(merged, [leaseOf(stream, 6, done), leaseOf(stream, 7, done)])).to.equal('finished')
  })

  it('asks what became of the parent of a merged shard that has not been read yet', () => {
    const merged = leaseOf(stream, 8, unread)
    expect(judge(merged, [leaseOf(stream, 6, done)])).to.equal('list-shards')
    expect(judge(merged, [leaseOf(stream, 6, done)], listing(stream))).to.equal('unfinished')
  })

  it('does not wait for a parent that has expired', () => {
    const trimmed = workedExample()
    trimmed.expireShard(shardId(6))
    trimmed.expireShard(shardId(7))
    expect(judge(leaseOf(trimmed, 8, unread), [], listing(trimmed))).to.equal('finished')
  })

  it('does not ask again once the merged shard is being read, or if the application began with it', () => {
    expect(judge(leaseOf(stream, 8), [])).to.equal('finished')
    expect(judge(leaseOf(stream, 8, { ...unread, startTimestampMs: 1 }), [])).to.equal('finished')
  })
})
