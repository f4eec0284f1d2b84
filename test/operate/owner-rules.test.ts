import { expect } from 'chai'
import { SHARD_END } from '../../src/model/sequence-number.ts'
import {
  failoverOf,
  isMoving,
  NO_OWNERS_SEEN,
  type OwnerWatch,
  ownersSeen,
  watchOwners
} from '../../src/operate/owner-rules.ts'
import { aLease, shardId } from '../support/builders.ts'

/** Leases of shards 0, 1, …, with these owners and counters. */
const leases = (...rows: readonly (readonly [string, number])[]) =>
  rows.map(([owner, counter], index) => aLease({ leaseKey: shardId(index), shardId: shardId(index), owner, counter }))

/** A watch of one lease whose counter is that of each entry, `everyMs` apart. */
const watched = (counters: readonly number[], everyMs = 500): OwnerWatch =>
  counters.reduce(
    (watch, counter, index) => watchOwners(watch, leases(['java-1', counter]), index * everyMs),
    NO_OWNERS_SEEN
  )

describe('watchOwners', () => {
  it('concludes nothing from the first look', () => {
    expect(ownersSeen(watched([1]), 10_000)).to.deep.equal([{ owner: 'java-1', leases: 1, state: 'unknown' }])
  })

  it('sees who lives by a counter that moves, and who does not by one that has not for long enough', () => {
    expect(ownersSeen(watched([1, 2]), 10_000)[0]?.state).to.equal('alive')
    expect(ownersSeen(watched(Array(20).fill(1)), 10_000)[0]?.state).to.equal('unknown')
    expect(ownersSeen(watched(Array(21).fill(1)), 10_000)[0]?.state).to.equal('silent')
    expect(ownersSeen(watched([1, ...Array(21).fill(2)]), 10_000)[0]?.state).to.equal('silent')
  })

  it('begins anew where a lease has another owner, and forgets those that are finished', () => {
    const first = watchOwners(NO_OWNERS_SEEN, leases(['java-1', 1], ['java-1', 1]), 0)
    const [a, b] = leases(['java-2', 2], ['java-1', 2])
    if (a === undefined || b === undefined) throw new Error('two leases')
    const after = watchOwners(first, [a, { ...b, checkpoint: SHARD_END }], 5_000)
    expect(ownersSeen(after, 10_000)).to.deep.equal([{ owner: 'java-2', leases: 1, state: 'unknown' }])
  })

  it('sees how often leases are renewed, by the one that is written to least', () => {
    const counters = [1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5]
    const [sight] = ownersSeen(watched(counters, 1_000), 10_000)
    expect(sight?.writesEveryMs).to.equal(3_000)
    const both = counters.reduce(
      (watch, counter, index) => watchOwners(watch, leases(['java-1', counter], ['java-1', index]), index * 1_000),
      NO_OWNERS_SEEN
    )
    expect(ownersSeen(both, 10_000)[0]?.writesEveryMs).to.equal(3_000)
  })
})

describe('isMoving', () => {
  it('is of a lease whose counter was seen to move lately', () => {
    expect(isMoving(watched([1, 2, 2]), shardId(0), 500)).to.equal(true)
    expect(isMoving(watched([1, 2, 2, 2]), shardId(0), 500)).to.equal(false)
    expect(isMoving(watched([1, 1]), shardId(0), 500)).to.equal(false)
    expect(isMoving(watched([1, 2]), shardId(7), 500)).to.equal(false)
  })
})

describe('failoverOf', () => {
  it('is three times what is between two renewals, in whole seconds', () => {
    expect([3_308, 3_150, 3_475, 10, 6_640].map(failoverOf)).to.deep.equal([10_000, 9_000, 10_000, 1_000, 20_000])
  })
})
