import { expect } from 'chai'
import { FULL_HASH_KEY_RANGE } from '../../src/model/hash-key-range.ts'
import type { Lease } from '../../src/model/lease.ts'
import { AT_TIMESTAMP, LATEST, SHARD_END, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { planKclRows, planPins } from '../../src/operate/plan-kcl-rows.ts'
import { aLease, aPosition, aShard, shardId } from '../support/builders.ts'

const [S0, S1, S2] = [shardId(0), shardId(1), shardId(2)]
const SHARDS = [
  aShard({ shardId: S0, endingSequenceNumber: '49600000000000000000000000000000000000000000000000000009' }),
  aShard({ shardId: S1, parentShardId: S0 }),
  aShard({ shardId: S2, parentShardId: S0 })
]
const planned = (with_: Partial<Lease>) => planKclRows([aLease(with_)], SHARDS)

describe('planKclRows', () => {
  it('leaves rows alone that have everything', () => {
    expect(planned({ checkpoint: aPosition(5) })).to.deep.equal([])
    expect(planned({ checkpoint: TRIM_HORIZON })).to.deep.equal([])
    expect(planned({ checkpoint: SHARD_END, childShardIds: [S1, S2] })).to.deep.equal([])
    // KCL means by it what it has always meant: nobody has read there yet.
    expect(planned({ checkpoint: LATEST })).to.deep.equal([])
  })

  it('wants the place of a start time found, which KCL does not keep', () => {
    for (const checkpoint of [LATEST, AT_TIMESTAMP]) {
      const [row] = planned({ checkpoint, startTimestampMs: 7 })
      expect(row).to.include({ startMs: 7 }).and.have.property('why').that.deep.equals(['start-time'])
    }
  })

  it('adds hash keys, parents and children', () => {
    const { hashKeyRange: _, ...bare } = aLease({ leaseKey: S1, shardId: S1 })
    const [row] = planKclRows([bare], SHARDS)
    expect(row?.why).to.deep.equal(['hash-keys', 'parents'])
    expect(row?.after).to.deep.include({ hashKeyRange: FULL_HASH_KEY_RANGE, parentShardIds: [S0] })
    const [parent] = planned({ checkpoint: SHARD_END })
    expect(parent?.after.childShardIds).to.deep.equal([S1, S2])
  })

  it('takes away hand-offs to nobody, and leaves those that are under way', () => {
    const [row] = planned({ checkpointOwner: 'java-1' })
    expect(row?.after).to.not.have.property('checkpointOwner')
    expect(
      planned({ checkpoint: SHARD_END, childShardIds: [S1], owner: 'java-2', checkpointOwner: 'java-1' })
    ).to.have.lengthOf(1)
    expect(planned({ owner: 'w/00000001', checkpointOwner: 'java-1' })).to.deep.equal([])
    expect(planned({ owner: 'java-2', checkpointOwner: 'w/00000001' })).to.deep.equal([])
  })

  it('writes sequence numbers without zeros before them', () => {
    const [row] = planned({ checkpoint: aPosition('00123', 4) })
    expect(row?.after.checkpoint).to.deep.equal(aPosition('123', 4))
  })

  it('keeps owner and counter, so that nobody loses a lease by it', () => {
    const before = aLease({ owner: 'w/00000001', counter: 8, checkpoint: LATEST, startTimestampMs: 7 })
    const [row] = planKclRows([before], SHARDS)
    expect(row?.after).to.include({ owner: 'w/00000001', counter: 8 })
  })
})

describe('planPins', () => {
  it('gives a time to leases at LATEST that have none, and to no others', () => {
    const leases = [
      aLease({ checkpoint: LATEST, owner: 'java-1', counter: 3 }),
      aLease({ checkpoint: LATEST, startTimestampMs: 1 }),
      aLease({ checkpoint: aPosition(1) }),
      aLease({ checkpoint: AT_TIMESTAMP })
    ]
    expect(planPins(leases, 9).map(({ after }) => after)).to.deep.equal([{ ...leases[0], startTimestampMs: 9 }])
  })
})
