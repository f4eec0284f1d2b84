import { expect } from 'chai'
import type { Lease } from '../../src/model/lease.ts'
import { SHARD_END, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import type { Shard } from '../../src/model/shard.ts'
import { exportOf } from '../../src/operate/checkpoint-codec.ts'
import { planImport } from '../../src/operate/plan-import.ts'
import { A_STREAM, aLease, aPosition, aShard, shardId } from '../support/builders.ts'

const [S0, S1, S2, S3] = [shardId(0), shardId(1), shardId(2), shardId(3)]
/** Shard 0, continued by 1, which is continued by 2; and 3 beside them. */
const shards: Shard[] = [
  aShard({ shardId: S0, startingSequenceNumber: '100', endingSequenceNumber: '199' }),
  aShard({ shardId: S1, parentShardId: S0, startingSequenceNumber: '200', endingSequenceNumber: '299' }),
  aShard({ shardId: S2, parentShardId: S1, startingSequenceNumber: '300' }),
  aShard({ shardId: S3, startingSequenceNumber: '100' })
]
const row = (id: string, with_: Partial<Lease> = {}): Lease =>
  aLease({ leaseKey: id, shardId: id, counter: 7, ...with_ })

function plan(then: readonly Lease[], now: readonly Lease[], listed: readonly Shard[] = shards) {
  const exported = exportOf('counter', A_STREAM, then, 0)
  return planImport({ shards: listed, leases: now, stream: A_STREAM, exported })
}

describe('planImport', () => {
  it('brings back checkpoints and times, and counts the counter up', () => {
    const then = row(S0, { checkpoint: aPosition(150, 2), startTimestampMs: 5, childShardIds: [S1] })
    const now = row(S0, { checkpoint: aPosition(180), beganAtMs: 9, owner: 'a/00000001', counter: 20 })
    const [reset, ...others] = plan([then], [now])
    expect(others).to.deep.equal([])
    expect(reset?.before).to.equal(now)
    expect(reset?.after).to.deep.include({
      checkpoint: aPosition(150, 2),
      startTimestampMs: 5,
      counter: 21,
      childShardIds: [S1]
    })
    expect(reset?.after).to.not.have.any.keys('owner', 'beganAtMs')
  })

  it('makes the rows again that are gone', () => {
    const then = row(S0, { checkpoint: aPosition(150), owner: 'a/00000001' })
    const [reset] = plan([then], [])
    const { owner: _, ...expected } = { ...then, counter: 0 }
    expect(reset).to.deep.equal({ after: expected })
  })

  it('begins shards at their beginning that came to be since, however far down, and leaves strangers alone', () => {
    const now = [row(S0, { checkpoint: SHARD_END }), row(S1, { checkpoint: SHARD_END, childShardIds: [S2] })]
    const rows = plan([row(S0, { checkpoint: aPosition(150) })], [...now, row(S2, { startTimestampMs: 5 }), row(S3)])
    expect(rows.map(({ after }) => after.shardId)).to.deep.equal([S0, S1, S2])
    for (const { after } of rows.slice(1)) {
      expect(after).to.deep.include({ checkpoint: TRIM_HORIZON, childShardIds: [], counter: 8 })
      expect(after).to.not.have.property('startTimestampMs')
    }
  })

  it('is done with shards that have expired since, and makes no rows for them', () => {
    const then = [row(S0, { checkpoint: aPosition(150) }), row(S3, { checkpoint: aPosition(150) })]
    const rows = plan(then, [row(S0, { checkpoint: aPosition(180) })], shards.slice(1, 3))
    expect(rows.map(({ after }) => [after.shardId, after.checkpoint])).to.deep.equal([[S0, SHARD_END]])
    expect(plan(then, [row(S0, { checkpoint: SHARD_END })], shards.slice(1, 3))).to.deep.equal([])
  })
})
