import { expect } from 'chai'
import { ServiceError } from '../../src/model/errors.ts'
import { childShardFrom, hashKeyRangeFrom, recordsAnswer } from '../../src/wire/records-answer.ts'

describe('recordsAnswer', () => {
  for (const nothing of [undefined, null, '']) {
    it(`takes ${JSON.stringify(nothing) ?? 'a missing'} next iterator for the end`, () => {
      const answer = recordsAnswer([], 0, { NextShardIterator: nothing, MillisBehindLatest: null, ChildShards: [] })
      expect(answer).to.deep.equal({ records: [], bytes: 0, millisBehindLatest: 0 })
    })
  }

  it('turns the children into ours', () => {
    const ChildShards = [
      { ShardId: 'b', ParentShards: ['a'], HashKeyRange: { StartingHashKey: '1', EndingHashKey: '2' } }
    ]
    expect(recordsAnswer([], 0, { ChildShards }).childShards).to.deep.equal([
      { shardId: 'b', parentShardIds: ['a'], hashKeyRange: { start: 1n, end: 2n } }
    ])
  })

  it('refuses fields of another type, and quotes nothing of them', () => {
    for (const fields of [{ NextShardIterator: 7 }, { MillisBehindLatest: 'secret' }, { ChildShards: 'secret' }]) {
      expect(() => recordsAnswer([], 0, fields)).to.throw(ServiceError, /^the answer could not be read: (?!.*secret)/)
    }
  })
})

describe('childShardFrom', () => {
  it('takes what is missing for nothing', () => {
    expect(childShardFrom(null)).to.deep.equal({
      shardId: '',
      parentShardIds: [],
      hashKeyRange: { start: 0n, end: 0n }
    })
  })
})

describe('hashKeyRangeFrom', () => {
  it('refuses what is no number', () => {
    for (const key of ['', 'x', '-1', 7, {}]) {
      expect(() => hashKeyRangeFrom({ StartingHashKey: key })).to.throw(ServiceError, 'a hash key is not a number')
    }
  })
})
