import { expect } from 'chai'
import type { Lease } from '../../src/model/lease.ts'
import { LATEST, SHARD_END, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { shardGraph } from '../../src/shards/shard-graph.ts'
import { type Standing, standingsOf } from '../../src/shards/standing-rules.ts'
import type { FakeStream } from '../../src/testing/fake-stream.ts'
import { aShard, shardId } from '../support/builders.ts'
import { aStream, leaseOf, listing, workedExample } from '../support/shard-trees.ts'

function standing(stream: FakeStream, number: number, leases: readonly Lease[], closedBefore: number[] = []): Standing {
  const standingOf = standingsOf({
    graph: shardGraph(listing(stream)),
    leases: new Map(leases.map(lease => [lease.leaseKey, lease])),
    closedBeforeIds: new Set(closedBefore.map(shardId))
  })
  return standingOf(shardId(number))
}

describe('standingsOf', () => {
  const stream = workedExample()
  const unread = { checkpoint: TRIM_HORIZON }
  const begunWith = { startTimestampMs: 1 }

  it('goes by the lease of the shard, if there is one', () => {
    expect(standing(stream, 5, [leaseOf(stream, 5), leaseOf(stream, 9)])).to.equal('reading')
    expect(standing(stream, 5, [leaseOf(stream, 5, { checkpoint: SHARD_END })])).to.equal('passed')
  })

  it('says nothing without a lease of the shard or of one that descends from it', () => {
    expect(standing(stream, 5, [leaseOf(stream, 4), leaseOf(stream, 8)])).to.equal('unknown')
  })

  it('knows from a child that a shard has been read', () => {
    expect(standing(stream, 5, [leaseOf(stream, 9, unread)])).to.equal('passed')
    expect(standing(stream, 6, [leaseOf(stream, 8)])).to.equal('passed')
  })

  it('knows the same from a grandchild', () => {
    expect(standing(stream, 0, [leaseOf(stream, 8)])).to.equal('passed')
  })

  it('takes the parent of a merged shard for lost as long as that has not been read', () => {
    for (const other of [{}, { checkpoint: SHARD_END }]) {
      expect(standing(stream, 6, [leaseOf(stream, 8, unread), leaseOf(stream, 7, other)])).to.equal('lost')
    }
    expect(standing(stream, 6, [leaseOf(stream, 8, unread)])).to.equal('lost')
  })

  it('puts what the application began with behind its ancestors', () => {
    expect(standing(stream, 6, [leaseOf(stream, 8, begunWith)])).to.equal('before')
    expect(standing(stream, 0, [leaseOf(stream, 8, begunWith)])).to.equal('before')
    expect(standing(stream, 5, [leaseOf(stream, 9, { checkpoint: LATEST })])).to.equal('before')
  })

  it('believes what the application began with more than what came after', () => {
    expect(standing(stream, 5, [leaseOf(stream, 9), leaseOf(stream, 10, begunWith)])).to.equal('before')
  })

  it('believes leases more than the time of the beginning', () => {
    expect(standing(stream, 5, [], [5])).to.equal('before')
    expect(standing(stream, 5, [leaseOf(stream, 9)], [5])).to.equal('passed')
  })

  it('judges parents that are no longer listed, too', () => {
    const trimmed = aStream(1)
    trimmed.split(shardId(0))
    trimmed.expireShard(shardId(0))
    expect(standing(trimmed, 0, [leaseOf(trimmed, 1)])).to.equal('passed')
  })

  it('ends on a listing that goes round in circles', () => {
    const shards = [aShard({ parentShardId: shardId(1) }), aShard({ shardId: shardId(1), parentShardId: shardId(0) })]
    const standingOf = standingsOf({ graph: shardGraph(shards), leases: new Map() })
    expect(standingOf(shardId(0))).to.equal('unknown')
  })
})
