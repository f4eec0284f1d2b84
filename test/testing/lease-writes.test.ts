import { expect } from 'chai'
import {
  checkpointed,
  checkpointedAndReleased,
  claimed,
  finished,
  type Lease,
  prepared,
  released,
  renewed
} from '../../src/model/lease.ts'
import { isOwnersWrite, leaseWriteKind } from '../../src/testing/lease-writes.ts'
import type { LeaseWriteKind } from '../../src/testing/table-usage.ts'
import { aLease, aPosition } from '../support/builders.ts'

const FREE = aLease()
const OURS = aLease({ owner: 'w1/1', counter: 7 })

describe('leaseWriteKind', () => {
  const cases: readonly [LeaseWriteKind, Lease, Lease][] = [
    ['claim', FREE, claimed(FREE, 'w1/1')],
    ['claim', OURS, claimed(OURS, 'w2/1')],
    ['renewal', OURS, renewed(OURS)],
    ['renewal', OURS, claimed(OURS, 'w1/1')],
    ['checkpoint', OURS, checkpointed(OURS, aPosition(5))],
    ['pending', OURS, prepared(OURS, { position: aPosition(5) })],
    ['release', OURS, released(OURS)],
    ['release', OURS, checkpointedAndReleased(OURS, aPosition(5))],
    ['shard-end', OURS, finished(OURS, [])]
  ]
  for (const [kind, before, after] of cases) {
    it(`is ${kind} from ${before.owner ?? 'nobody'} to ${after.owner ?? 'nobody'} at ${after.checkpoint.sequenceNumber}`, () => {
      expect(leaseWriteKind(before, after)).to.equal(kind)
    })
  }
})

describe('isOwnersWrite', () => {
  it('is what only the owner of a lease writes', () => {
    const about = { leaseKey: 'shard', writer: 'w1', isWritten: true }
    const kinds: readonly LeaseWriteKind[] = [
      'create',
      'claim',
      'remove',
      'renewal',
      'checkpoint',
      'pending',
      'release'
    ]
    const owners = kinds.filter(kind => isOwnersWrite({ ...about, kind, expected: OURS }))
    expect(owners).to.deep.equal(['renewal', 'checkpoint', 'pending', 'release'])
    expect(isOwnersWrite({ ...about, kind: 'release', expected: FREE })).to.equal(false)
  })
})
