import { expect } from 'chai'
import { judgeRefusal } from '../../src/leases/plan-renewals.ts'
import { checkpointed, claimed, finished, type Lease, prepared, released, renewed } from '../../src/model/lease.ts'
import { aLease, aPosition } from '../support/builders.ts'

const before = claimed(aLease({ counter: 6 }), 'me')

describe('judgeRefusal', () => {
  const table: readonly (readonly [string, Lease | undefined, string])[] = [
    ['our renewal landed', renewed(before), 'ours'],
    ['our checkpoint landed', checkpointed(before, aPosition(9)), 'ours'],
    ['our prepared checkpoint landed', prepared(before, { position: aPosition(9) }), 'ours'],
    ['somebody else has claimed it', claimed(before, 'other'), 'lost'],
    ['somebody else has the counter we expected', { ...before, owner: 'other' }, 'lost'],
    ['it was released', released(before), 'lost'],
    ['the shard was finished', finished(before, []), 'lost'],
    ['it is ours, two steps ahead', renewed(renewed(before)), 'lost'],
    ['it is ours, and where it was', before, 'lost'],
    ['it is ours, and behind', { ...before, counter: 6 }, 'lost'],
    ['somebody lost it and it is ours again, further on', claimed(claimed(before, 'other'), 'me'), 'lost'],
    ['a leader of KCL has begun a hand-off', { ...before, owner: 'java', checkpointOwner: 'me' }, 'ours'],
    ['our renewal landed, then a hand-off began', { ...renewed(before), owner: 'java', checkpointOwner: 'me' }, 'ours'],
    ['it is handed over, further on', { ...renewed(renewed(before)), owner: 'java', checkpointOwner: 'me' }, 'lost'],
    ['it is to be ours, and somebody else has it', { ...renewed(before), checkpointOwner: 'java' }, 'lost'],
    ['a leader of KCL has assigned it to somebody else', { ...renewed(before), owner: 'java' }, 'lost'],
    ['a leader of KCL has assigned it to us again', renewed(before), 'ours'],
    ['the row is gone', undefined, 'gone']
  ]
  for (const [what, current, kind] of table) {
    it(`says ${kind} where ${what}`, () => {
      expect(judgeRefusal(before, 'me', current).kind).to.equal(kind)
    })
  }

  it('hands on the row as it is where it is ours', () => {
    const current = checkpointed(before, aPosition(9))
    expect(judgeRefusal(before, 'me', current)).to.deep.equal({ kind: 'ours', lease: current })
  })

  it('judges a claim in the same way: the row before it named nobody, or somebody else', () => {
    expect(judgeRefusal(aLease(), 'me', claimed(aLease(), 'me')).kind).to.equal('ours')
    const others = claimed(aLease(), 'other')
    expect(judgeRefusal(others, 'me', claimed(others, 'me')).kind).to.equal('ours')
    expect(judgeRefusal(others, 'me', renewed(others)).kind).to.equal('lost')
  })

  it('says who has it', () => {
    expect(judgeRefusal(before, 'me', claimed(before, 'other'))).to.deep.equal({
      kind: 'lost',
      because: 'other has it'
    })
  })
})
