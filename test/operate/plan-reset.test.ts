import { expect } from 'chai'
import type { Lease } from '../../src/model/lease.ts'
import { SHARD_END, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import type { Shard } from '../../src/model/shard.ts'
import {
  describeBeginning,
  hasBegunAt,
  planReset,
  type ResetFacts,
  type RowReset
} from '../../src/operate/plan-reset.ts'
import { A_STREAM, aLease, aPosition, aShard, shardId } from '../support/builders.ts'

const [S0, S1, S2, S3] = [shardId(0), shardId(1), shardId(2), shardId(3)]
const NOW_MS = 1_700_000_900_000
const TIME = new Date(1_700_000_500_000)

/** Shard 0, split into 1 and 2; 2 was split into nothing yet. */
const shards: Shard[] = [
  aShard({ shardId: S2, parentShardId: S0, startingSequenceNumber: '200' }),
  aShard({ shardId: S0, startingSequenceNumber: '100', endingSequenceNumber: '199' }),
  aShard({ shardId: S1, parentShardId: S0, startingSequenceNumber: '200' })
]
const row = (id: string, with_: Partial<Lease> = {}): Lease =>
  aLease({ leaseKey: id, shardId: id, counter: 7, ...with_ })

function plan(position: ResetFacts['position'], with_: Partial<ResetFacts> = {}): RowReset[] {
  const leases = [row(S1, { checkpoint: aPosition(250), startTimestampMs: 1, beganAtMs: 2 }), row(S2)]
  return planReset({ shards, leases, stream: A_STREAM, position, nowMs: NOW_MS, only: 'all', ...with_ })
}

const ids = (rows: readonly RowReset[]): string[] => rows.map(({ after }) => after.shardId)

describe('planReset', () => {
  it('covers every listed shard, closed ones without a row too, the oldest first', () => {
    const rows = plan(TIME)
    expect(ids(rows)).to.deep.equal([S0, S1, S2])
    expect(rows[0]).to.not.have.property('before')
    expect(rows[0]?.after).to.deep.include({ counter: 0, parentShardIds: [], stream: A_STREAM })
  })

  it('begins at a time in all of them: what arrived before it is skipped by Kinesis itself', () => {
    for (const { after } of plan(TIME)) {
      expect(after.checkpoint.sequenceNumber).to.equal('AT_TIMESTAMP')
      expect(after).to.include({ startTimestampMs: TIME.getTime() }).and.not.have.property('beganAtMs')
    }
  })

  it('begins with the oldest records, with no trace of when the application began', () => {
    for (const { after } of plan('TRIM_HORIZON')) {
      expect(after.checkpoint).to.deep.equal(TRIM_HORIZON)
      expect(after).to.not.have.any.keys('startTimestampMs', 'beganAtMs')
    }
  })

  it('begins open shards with what arrives from now on, and is done with closed ones', () => {
    const rows = plan('LATEST', { leases: [row(S0), row(S1)] })
    expect(ids(rows)).to.deep.equal([S0, S1, S2])
    expect(rows[0]?.after).to.deep.include({ checkpoint: SHARD_END, childShardIds: [S1, S2] })
    for (const { after } of rows.slice(1)) {
      expect(after.checkpoint.sequenceNumber).to.equal('LATEST')
      expect(after.startTimestampMs).to.equal(NOW_MS)
    }
    expect(ids(plan('LATEST', { leases: [] })), 'no row says that it is done, too').to.deep.equal([S1, S2])
  })

  it('begins one shard after a record, and keeps what else its row says', () => {
    const [reset, ...others] = plan({ sequenceNumber: '222', subSequenceNumber: 3 }, { only: new Set([S1]) })
    expect(others).to.deep.equal([])
    expect(reset?.after).to.deep.include({ checkpoint: aPosition(222, 3), startTimestampMs: 1, beganAtMs: 2 })
  })

  it('counts the counter up, and leaves no owner, no prepared checkpoint, no children', () => {
    const lease = row(S1, {
      owner: 'a/00000001',
      checkpointOwner: 'b',
      checkpoint: SHARD_END,
      childShardIds: [S3],
      ownerSwitchesSinceCheckpoint: 5,
      pendingCheckpoint: { position: aPosition(260) }
    })
    const [reset] = plan(TIME, { leases: [lease], only: new Set([S1]) })
    expect(reset?.before).to.equal(lease)
    expect(reset?.after).to.deep.include({ counter: 8, childShardIds: [], ownerSwitchesSinceCheckpoint: 0 })
    expect(reset?.after).to.not.have.any.keys('owner', 'checkpointOwner', 'pendingCheckpoint')
  })

  it('is done with a shard that Kinesis has forgotten, unless the row says so already', () => {
    const old = { ...row(shardId(9)), checkpoint: aPosition(50) }
    const done = { ...row(shardId(8)), checkpoint: SHARD_END }
    const [first, ...others] = plan(TIME, { leases: [old, done] })
    expect(first?.after).to.deep.include({ shardId: shardId(9), checkpoint: SHARD_END, counter: 8 })
    expect(ids(others)).to.deep.equal([S0, S1, S2])
  })
})

describe('hasBegunAt', () => {
  const after = row(S1, { counter: 8, checkpoint: aPosition(222), startTimestampMs: 5 })

  it('is true of the row that was written, also once somebody has claimed it', () => {
    expect(hasBegunAt(after, after)).to.equal(true)
    expect(hasBegunAt({ ...after, counter: 9, owner: 'a/00000001' }, after)).to.equal(true)
  })

  const others: Record<string, Lease | undefined> = {
    'is gone': undefined,
    'is the one before': { ...after, counter: 7 },
    'has another checkpoint': { ...after, checkpoint: aPosition(223) },
    'has another place in the same record': { ...after, checkpoint: aPosition(222, 1) },
    'begins at another time': { ...after, startTimestampMs: 6 },
    'has a prepared checkpoint': { ...after, pendingCheckpoint: { position: aPosition(230) } }
  }
  for (const [what, other] of Object.entries(others)) {
    it(`is false if the row ${what}`, () => {
      expect(hasBegunAt(other, after)).to.equal(false)
    })
  }
})

describe('describeBeginning', () => {
  it('is a word, a time or a number', () => {
    expect(describeBeginning({ checkpoint: aPosition('LATEST'), startTimestampMs: 5 })).to.equal('LATEST')
    expect(describeBeginning({ checkpoint: aPosition('AT_TIMESTAMP'), startTimestampMs: 0 })).to.equal(
      '1970-01-01T00:00:00.000Z'
    )
    expect(describeBeginning({ checkpoint: aPosition('AT_TIMESTAMP') })).to.equal('AT_TIMESTAMP')
    expect(describeBeginning({ checkpoint: aPosition(12) })).to.equal('12')
    expect(describeBeginning({ checkpoint: aPosition(12, 3) })).to.equal('12#3')
  })
})
