import { expect } from 'chai'
import { asIdSet, changedFields, fieldsToWrite, LEASE_FIELDS } from '../../src/leases/lease-fields.ts'
import { FULL_HASH_KEY_RANGE } from '../../src/model/hash-key-range.ts'
import { type Lease, newLease } from '../../src/model/lease.ts'
import { SHARD_END, TRIM_HORIZON } from '../../src/model/sequence-number.ts'

const position = { sequenceNumber: '12', subSequenceNumber: 0 }
const bare = newLease({ shardId: 'shardId-000000000000', checkpoint: TRIM_HORIZON })
const full = (): Lease => ({
  ...bare,
  owner: 'worker-1/1',
  counter: 1,
  checkpoint: { ...SHARD_END },
  pendingCheckpoint: { position: { ...position }, state: new Uint8Array([1, 2]) },
  ownerSwitchesSinceCheckpoint: 2,
  parentShardIds: ['a', 'b'],
  childShardIds: ['c', 'd'],
  hashKeyRange: { ...FULL_HASH_KEY_RANGE },
  checkpointOwner: 'worker-2/1',
  wantedBy: 'worker-3/1',
  stream: { streamArn: 'arn', creationEpoch: 1 },
  startTimestampMs: 1,
  beganAtMs: 2
})

describe('changedFields', () => {
  it('is empty for two copies of the same', () => {
    expect(changedFields(full(), full())).to.deep.equal([])
    expect(changedFields(full(), { ...full(), childShardIds: ['d', 'c'] })).to.deep.equal([])
  })

  it('names every field that differs', () => {
    expect(changedFields(bare, full())).to.have.members(LEASE_FIELDS)
    expect(changedFields(full(), bare)).to.have.members(LEASE_FIELDS)
  })

  it('looks into positions, bytes, ranges and sets', () => {
    const state = (...bytes: number[]): Lease => ({
      ...full(),
      pendingCheckpoint: { position, state: new Uint8Array(bytes) }
    })
    expect(changedFields(full(), state(1, 2))).to.deep.equal([])
    expect(changedFields(full(), state(1, 3))).to.deep.equal(['pendingCheckpoint'])
    expect(changedFields(full(), state(1))).to.deep.equal(['pendingCheckpoint'])
    expect(changedFields(full(), { ...full(), pendingCheckpoint: { position } })).to.deep.equal(['pendingCheckpoint'])
    expect(changedFields(full(), { ...full(), checkpoint: position })).to.deep.equal(['checkpoint'])
    expect(changedFields(full(), { ...full(), hashKeyRange: { start: 1n, end: 2n } })).to.deep.equal(['hashKeyRange'])
    expect(changedFields(full(), { ...full(), parentShardIds: ['a', 'c'] })).to.deep.equal(['parentShardIds'])
  })
})

describe('fieldsToWrite', () => {
  const { wantedBy: _, ...unasked } = full()

  it('is what changed as long as the owner stays, or nobody is the owner any more', () => {
    const { owner: __, ...free } = unasked
    expect(fieldsToWrite(unasked, unasked)).to.deep.equal([])
    expect(fieldsToWrite(unasked, { ...unasked, counter: 2 })).to.deep.equal(['counter'])
    expect(fieldsToWrite(unasked, free)).to.deep.equal(['owner'])
    expect(fieldsToWrite(free, free)).to.deep.equal([])
  })

  it('has the request too, once, if the owner is a new one', () => {
    const { owner: __, ...free } = unasked
    expect(fieldsToWrite(unasked, { ...unasked, owner: 'worker-9/1' })).to.have.members(['owner', 'wantedBy'])
    expect(fieldsToWrite(free, unasked)).to.have.members(['owner', 'wantedBy'])
    expect(fieldsToWrite(full(), { ...unasked, owner: 'worker-9/1' })).to.have.members(['owner', 'wantedBy'])
  })
})

describe('asIdSet', () => {
  it('returns each id once, in ascending order', () => {
    expect(asIdSet(['b', 'a', 'b'])).to.deep.equal(['a', 'b'])
  })
})
