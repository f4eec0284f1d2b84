import { expect } from 'chai'
import {
  checkpointed,
  checkpointedAndReleased,
  claimed,
  finished,
  isFinished,
  type Lease,
  newLease,
  prepared,
  released,
  renewed,
  wanted
} from '../../src/model/lease.ts'
import { SHARD_END, TRIM_HORIZON } from '../../src/model/sequence-number.ts'

const POSITION = { sequenceNumber: '42', subSequenceNumber: 3 }
const free = newLease({ shardId: 'shardId-000000000001', checkpoint: TRIM_HORIZON })
const held: Lease = { ...claimed(free, 'a/1'), wantedBy: 'b/1', checkpointOwner: 'x' }

describe('a lease', () => {
  it('begins unowned, at counter 0, keyed by its shard', () => {
    expect(free).to.deep.equal({
      leaseKey: 'shardId-000000000001',
      shardId: 'shardId-000000000001',
      counter: 0,
      checkpoint: TRIM_HORIZON,
      ownerSwitchesSinceCheckpoint: 0,
      parentShardIds: [],
      childShardIds: []
    })
  })

  const writes: [string, (lease: Lease) => Lease][] = [
    ['claimed', lease => claimed(lease, 'b/1')],
    ['renewed', renewed],
    ['checkpointed', lease => checkpointed(lease, POSITION)],
    ['prepared', lease => prepared(lease, { position: POSITION })],
    ['released', released],
    ['checkpointed and released', lease => checkpointedAndReleased(lease, POSITION)],
    ['finished', lease => finished(lease, ['c'])]
  ]
  for (const [name, write] of writes) {
    it(`counts its counter up by exactly one when ${name}, and leaves the original alone`, () => {
      const before = structuredClone(held)
      expect(write(held).counter).to.equal(held.counter + 1)
      expect(held).to.deep.equal(before)
    })
  }

  it('does not count a request, which is not a write of its owner', () => {
    expect(wanted(held, 'c/1')).to.deep.equal({ ...held, wantedBy: 'c/1' })
  })

  it('counts a change of owner, but neither a first owner nor the same one again', () => {
    expect(claimed(free, 'a/1').ownerSwitchesSinceCheckpoint).to.equal(0)
    expect(claimed(held, 'a/1').ownerSwitchesSinceCheckpoint).to.equal(0)
    expect(claimed(held, 'b/1').ownerSwitchesSinceCheckpoint).to.equal(1)
    expect(checkpointed(claimed(held, 'b/1'), POSITION).ownerSwitchesSinceCheckpoint).to.equal(0)
  })

  it('loses requests and hand-off marks with a claim, and keeps a request with a release', () => {
    expect(claimed(held, 'b/1')).to.not.have.any.keys('wantedBy', 'checkpointOwner')
    expect(released(held)).to.include({ wantedBy: 'b/1' })
    expect(released(held)).to.not.have.any.keys('owner', 'checkpointOwner')
  })

  it('settles a prepared checkpoint with the next checkpoint', () => {
    const pending = prepared(held, { position: POSITION, state: new Uint8Array([1]) })
    expect(pending.checkpoint).to.equal(held.checkpoint)
    expect(checkpointed(pending, POSITION)).to.not.have.property('pendingCheckpoint')
  })

  it('is finished with SHARD_END, its children named and nobody holding it', () => {
    const done = finished(held, ['c', 'd'])
    expect(done).to.deep.include({ checkpoint: SHARD_END, childShardIds: ['c', 'd'] })
    expect(done).to.not.have.property('owner')
    expect([isFinished(done), isFinished(held)]).to.deep.equal([true, false])
  })
})
