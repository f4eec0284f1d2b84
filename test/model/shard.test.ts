import { expect } from 'chai'
import { childrenOf, isClosed, parentsOf } from '../../src/model/shard.ts'
import { aShard } from '../support/builders.ts'

const child = aShard({ shardId: 'c', parentShardId: 'a', adjacentParentShardId: 'b' })

describe('parentsOf', () => {
  it('names none, one after a split, two after a merge', () => {
    expect(parentsOf(aShard())).to.deep.equal([])
    expect(parentsOf(aShard({ parentShardId: 'a' }))).to.deep.equal(['a'])
    expect(parentsOf(child)).to.deep.equal(['a', 'b'])
  })
})

describe('childrenOf', () => {
  it('finds a child by each of its parents', () => {
    const { hashKeyRange } = child
    for (const parent of ['a', 'b']) {
      expect(childrenOf(parent, [aShard(), child])).to.deep.equal([
        { shardId: 'c', parentShardIds: ['a', 'b'], hashKeyRange }
      ])
    }
    expect(childrenOf('c', [child])).to.deep.equal([])
  })
})

describe('isClosed', () => {
  it('asks whether the shard says where it ends', () => {
    expect(isClosed(aShard())).to.equal(false)
    expect(isClosed(aShard({ endingSequenceNumber: '9' }))).to.equal(true)
  })
})
