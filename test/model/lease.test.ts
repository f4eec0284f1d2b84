import { expect } from 'chai'
import {
  actualOwner,
  asProcessed,
  beginningOf,
  checkpointed,
  checkpointedAndReleased,
  claimed,
  finished,
  givenBack,
  isFinished,
  type Lease,
  newLease,
  pinned,
  prepared,
  released,
  renewed
} from '../../src/model/lease.ts'
import { LATEST, SHARD_END, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { aLease, aPosition } from '../support/builders.ts'

const pendingCheckpoint = { position: aPosition(7), state: new Uint8Array([1]) }
const held: Lease = {
  ...claimed(aLease(), 'a'),
  counter: 8,
  ownerSwitchesSinceCheckpoint: 2,
  pendingCheckpoint
}

describe('the copies of a lease', () => {
  const writes: readonly (readonly [string, (lease: Lease) => Lease])[] = [
    ['claimed', lease => claimed(lease, 'b')],
    ['renewed', renewed],
    ['checkpointed', lease => checkpointed(lease, aPosition(9))],
    ['prepared', lease => prepared(lease, pendingCheckpoint)],
    ['released', released],
    ['givenBack', givenBack],
    ['checkpointedAndReleased', lease => checkpointedAndReleased(lease, aPosition(9))],
    ['finished', lease => finished(lease, ['child'])]
  ]
  for (const [name, write] of writes) {
    it(`count the counter up by exactly one and leave the original alone: ${name}`, () => {
      const before = structuredClone(held)
      expect(write(held).counter).to.equal(9)
      expect(held).to.deep.equal(before)
      expect(write(held)).to.include({ leaseKey: held.leaseKey, shardId: held.shardId })
    })
  }
})

describe('pinned', () => {
  it('gives a time to LATEST without one, and leaves everything else as it is', () => {
    const latest = newLease({ shardId: 'shard', checkpoint: LATEST })
    expect(pinned(latest, 7)).to.deep.equal({ ...latest, startTimestampMs: 7 })
    for (const lease of [
      { ...latest, startTimestampMs: 0 },
      newLease({ shardId: 'shard', checkpoint: TRIM_HORIZON }),
      held
    ]) {
      expect(pinned(lease, 7)).to.equal(lease)
    }
  })
})

describe('beginningOf', () => {
  const stream = { streamArn: 'arn', creationEpoch: 1 }
  const at = (times: Partial<Lease>): Lease => ({
    ...newLease({ shardId: 'shard', checkpoint: LATEST, stream }),
    ...times
  })

  it('is the earliest start that the leases of the application tell', () => {
    expect(beginningOf([at({ startTimestampMs: 5 }), at({ beganAtMs: 3 }), at({})])).to.equal(3)
    expect(beginningOf([at({})])).to.equal(undefined)
    expect(beginningOf([])).to.equal(undefined)
  })

  it('is not the time of a claim in a lease that KCL wrote', () => {
    const { stream: _, ...ofKcl } = at({ startTimestampMs: 5 })
    expect(beginningOf([ofKcl])).to.equal(undefined)
    expect(beginningOf([ofKcl, at({ beganAtMs: 9 })])).to.equal(9)
  })
})

describe('newLease', () => {
  it('begins unowned, at counter 0, with the shard id as its key', () => {
    expect(newLease({ shardId: 'shard', checkpoint: TRIM_HORIZON })).to.deep.equal({
      leaseKey: 'shard',
      shardId: 'shard',
      counter: 0,
      checkpoint: TRIM_HORIZON,
      ownerSwitchesSinceCheckpoint: 0,
      parentShardIds: [],
      childShardIds: []
    })
  })
})

describe('claimed', () => {
  it('settles a hand-off, and keeps checkpoint and pending checkpoint', () => {
    const lease = claimed({ ...held, checkpointOwner: 'old' }, 'b')
    expect(lease).to.not.have.property('checkpointOwner')
    expect(lease).to.deep.include({ owner: 'b', checkpoint: held.checkpoint, pendingCheckpoint })
  })

  it('counts a change of owner, but not the first owner and not the same one', () => {
    expect(claimed(held, 'b').ownerSwitchesSinceCheckpoint).to.equal(3)
    expect(claimed(held, 'a').ownerSwitchesSinceCheckpoint).to.equal(2)
    expect(claimed(aLease(), 'a').ownerSwitchesSinceCheckpoint).to.equal(0)
  })
})

describe('checkpointed', () => {
  it('settles a pending checkpoint and forgets changes of owner', () => {
    const lease = checkpointed(held, aPosition(9, 2))
    expect(lease).to.not.have.property('pendingCheckpoint')
    expect(lease).to.deep.include({
      owner: 'a',
      checkpoint: aPosition(9, 2),
      ownerSwitchesSinceCheckpoint: 0
    })
  })
})

describe('prepared', () => {
  it('replaces what was pending and leaves the checkpoint in force', () => {
    const lease = prepared(held, { position: aPosition(8) })
    expect(lease).to.deep.include({
      pendingCheckpoint: { position: aPosition(8) },
      checkpoint: held.checkpoint,
      ownerSwitchesSinceCheckpoint: 2
    })
  })
})

describe('released', () => {
  it('names nobody any more and keeps the pending checkpoint for the next owner', () => {
    const lease = released({ ...held, checkpointOwner: 'old' })
    expect(lease).to.not.have.any.keys('owner', 'checkpointOwner')
    expect(lease).to.deep.include({ pendingCheckpoint, checkpoint: held.checkpoint })
  })
})

describe('finished', () => {
  it('is at the end of the shard, names the children and nobody as the owner', () => {
    const lease = finished(held, ['x', 'y'])
    expect(lease).to.deep.include({ checkpoint: SHARD_END, childShardIds: ['x', 'y'] })
    expect(lease).to.not.have.any.keys('owner', 'pendingCheckpoint')
    expect(isFinished(lease)).to.equal(true)
    expect(isFinished(held)).to.equal(false)
  })
})

describe('actualOwner, asProcessed and givenBack', () => {
  const handedOver = { ...held, owner: 'java', checkpointOwner: 'a' }

  it('go by who processes a lease that is being handed over', () => {
    expect([actualOwner(held), actualOwner(handedOver), actualOwner(aLease())]).to.deep.equal(['a', 'a', undefined])
    expect(asProcessed(handedOver)).to.deep.equal(held)
    expect(asProcessed(held)).to.equal(held)
  })

  it('give it to the owner that is next, and any other to nobody', () => {
    expect(givenBack(held)).to.deep.equal(released(held))
    expect(givenBack(handedOver)).to.deep.equal({ ...released(held), owner: 'java' })
    expect(givenBack({ ...held, checkpointOwner: 'a' })).to.deep.equal(released(held))
    expect(finished(handedOver, [])).to.deep.include({ owner: 'java', counter: 9 })
  })
})
