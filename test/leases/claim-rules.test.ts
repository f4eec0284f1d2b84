import { expect } from 'chai'
import { judgeClaim, readableLeases } from '../../src/leases/claim-rules.ts'
import type { Mailbox } from '../../src/leases/control-store.ts'
import { finished } from '../../src/model/lease.ts'
import { aLease, shardId } from '../support/builders.ts'

function aMailbox(with_: Partial<Mailbox> = {}): Mailbox {
  const empty = { leases: [], wait: [], dead: [], steal: [] }
  return { session: 'me/1', ver: 1, term: 1, mode: 'solo', evt: 0, ...empty, ...with_ }
}

describe('judgeClaim', () => {
  const { leaseKey } = aLease()
  const judge = (owner: string | undefined, mailbox: Partial<Mailbox> = {}) =>
    judgeClaim(owner === undefined ? aLease() : aLease({ owner }), 'me/1', aMailbox(mailbox))

  it('lets a lease be claimed that nobody has', () => {
    expect(judge(undefined)).to.deep.equal({ kind: 'claim', why: 'unowned' })
  })

  it('lets a lease be claimed whose row names this session: the answer to an earlier claim was lost', () => {
    expect(judge('me/1')).to.deep.equal({ kind: 'claim', why: 'ours' })
    expect(judge('me/1', { dead: ['me/1'], steal: [leaseKey] })).to.deep.equal({ kind: 'claim', why: 'ours' })
  })

  it('lets a lease be claimed whose owner is dead', () => {
    expect(judge('b/1', { dead: ['a/1', 'b/1'] })).to.deep.equal({ kind: 'claim', why: 'dead' })
  })

  it('lets a lease be stolen that the mailbox names, and no other', () => {
    expect(judge('java', { steal: [leaseKey] })).to.deep.equal({ kind: 'claim', why: 'stolen' })
    expect(judge('java', { steal: ['another'] })).to.deep.equal({ kind: 'owned', by: 'java' })
  })

  it('leaves a lease to an owner who may be alive, be it another session of the same worker', () => {
    expect(judge('other/1', { leases: [leaseKey], dead: ['other/2'] })).to.deep.equal({ kind: 'owned', by: 'other/1' })
    expect(judge('me/0')).to.deep.equal({ kind: 'owned', by: 'me/0' })
  })

  it('lets a lease be claimed while a leader of KCL assigns if the row names this session, and none otherwise', () => {
    const mailbox = { assigner: 'kcl', dead: ['b/1'], steal: [leaseKey] } as const
    expect(judge('me/1', mailbox)).to.deep.equal({ kind: 'claim', why: 'assigned' })
    expect(judge(undefined, mailbox)).to.deep.equal({ kind: 'owned', by: 'nobody' })
    expect(judge('b/1', mailbox)).to.deep.equal({ kind: 'owned', by: 'b/1' })
  })

  it('goes by who processes a lease that is being handed over, whoever assigns', () => {
    const handedOver = (owner: string, checkpointOwner: string, mailbox: Partial<Mailbox> = {}) =>
      judgeClaim(aLease({ owner, checkpointOwner }), 'me/1', aMailbox(mailbox))
    const others = { kind: 'owned', by: 'java' }
    for (const assigner of [{}, { assigner: 'kcl' }] as const) {
      expect(handedOver('me/1', 'java', assigner)).to.deep.equal(others)
    }
    const toJava = { kind: 'owned', by: 'me/1' }
    expect(handedOver('java', 'me/1', { assigner: 'kcl' }), 'ours to hand over, not to claim').to.deep.equal(toJava)
    expect(handedOver('java', 'me/1'), 'nobody else would end it').to.deep.equal({ kind: 'claim', why: 'ours' })
    expect(handedOver('java', 'b/1', { dead: ['b/1'] })).to.deep.equal({ kind: 'claim', why: 'dead' })
    expect(handedOver('b/1', 'java', { dead: ['b/1'] })).to.deep.equal(others)
  })

  it('lets nobody claim a finished shard, or a lease that is not there', () => {
    const done = finished(aLease({ owner: 'me/1' }), [])
    for (const lease of [undefined, done, { ...done, owner: 'me/1' }, { ...done, owner: 'b/1' }]) {
      expect(judgeClaim(lease, 'me/1', { dead: ['b/1'], steal: [leaseKey] })).to.deep.equal({ kind: 'over' })
    }
  })
})

describe('readableLeases', () => {
  const lease = (number: number, parents: readonly number[] = []) =>
    aLease({ leaseKey: shardId(number), shardId: shardId(number), parentShardIds: parents.map(shardId) })
  const [parent, other] = [lease(0), lease(1)]
  const done = finished(parent, [])

  it('leaves out what is finished, and what waits for a parent', () => {
    const split = lease(2, [0])
    expect(readableLeases([parent, split])).to.deep.equal([parent])
    expect(readableLeases([done, split])).to.deep.equal([split])
    expect(readableLeases([split])).to.deep.equal([split])
  })

  it('waits for both parents of a merge', () => {
    const merged = lease(2, [0, 1])
    expect(readableLeases([parent, other, merged])).to.deep.equal([parent, other])
    expect(readableLeases([done, other, merged])).to.deep.equal([other])
    expect(readableLeases([done, merged])).to.deep.equal([merged])
  })
})
