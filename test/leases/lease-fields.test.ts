import { expect } from 'chai'
import { asIdSet, changedFields, LEASE_FIELDS, sameValue } from '../../src/leases/lease-fields.ts'
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
  throughputKBps: 12.5,
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

describe('sameValue', () => {
  it('compares by value, lists as sets, and takes absent properties for undefined ones', () => {
    expect(sameValue({ a: 1, b: { c: ['x', 'y'] } }, { b: { c: ['y', 'x'] }, a: 1, d: undefined })).to.equal(true)
    expect(sameValue({ a: 1 }, { a: 1, d: 2 })).to.equal(false)
    expect(sameValue(['x'], ['x', 'y'])).to.equal(false)
    expect(sameValue(undefined, undefined)).to.equal(true)
    expect(sameValue(undefined, {})).to.equal(false)
  })
})

describe('asIdSet', () => {
  it('returns each id once, in ascending order', () => {
    expect(asIdSet(['b', 'a', 'b'])).to.deep.equal(['a', 'b'])
  })
})
