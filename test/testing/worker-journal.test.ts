import { expect } from 'chai'
import { LeaseLostError } from '../../src/model/errors.ts'
import { describeEvent } from '../../src/testing/worker-journal.ts'

describe('describeEvent', () => {
  it('says what an event is and what is in it, and which shard it is about', () => {
    expect(describeEvent('session:died', { session: 'w1/1', how: 'silent' })).to.deep.equal({
      what: 'session:died session w1/1 how silent'
    })
    const ended = { leaseKey: 'shard', shardId: 'shard', childShardIds: ['a', 'b'] }
    expect(describeEvent('shard:ended', ended)).to.deep.equal({
      what: 'shard:ended childShardIds [a b]',
      about: 'shard'
    })
  })

  it('has nothing in it that could differ between machines', () => {
    const error = new LeaseLostError('shard', 'a reason')
    expect(describeEvent('error', { error, during: 'claim' })?.what).to.equal('error error LEASE_LOST during claim')
    const failed = { shardId: 'shard', during: 'read', error: new TypeError('x'), retryInMs: 12.345, failures: 1 }
    expect(describeEvent('shard:failed', failed)?.what).to.equal(
      'shard:failed during read error Error retryInMs 12 failures 1'
    )
  })

  it('leaves out what the tables and processors tell, and what is too much', () => {
    for (const name of ['lease:taken', 'lease:released', 'shard:read', 'batch:processed'] as const) {
      expect(describeEvent(name, {})).to.equal(undefined)
    }
  })
})
