import { expect } from 'chai'
import { ServiceError } from '../../src/model/errors.ts'
import {
  childShardFrom,
  hashKeyRangeFrom,
  madeRecords,
  memoryOf,
  recordsAnswer
} from '../../src/wire/records-answer.ts'

const NONE = madeRecords([], { bytes: 0, memoryBytes: 2_048 })

describe('recordsAnswer', () => {
  for (const nothing of [undefined, null, '']) {
    it(`takes ${JSON.stringify(nothing) ?? 'a missing'} next iterator for the end`, () => {
      const answer = recordsAnswer(NONE, { NextShardIterator: nothing, MillisBehindLatest: null, ChildShards: [] })
      expect({ ...answer }).to.deep.equal({
        records: [],
        recordCount: 0,
        bytes: 0,
        memoryBytes: 2_048,
        millisBehindLatest: 0
      })
    })
  }

  it('turns the children into ours', () => {
    const ChildShards = [
      { ShardId: 'b', ParentShards: ['a'], HashKeyRange: { StartingHashKey: '1', EndingHashKey: '2' } }
    ]
    expect(recordsAnswer(NONE, { ChildShards }).childShards).to.deep.equal([
      { shardId: 'b', parentShardIds: ['a'], hashKeyRange: { start: 1n, end: 2n } }
    ])
  })

  it('refuses fields of another type, and quotes nothing of them', () => {
    for (const fields of [{ NextShardIterator: 7 }, { MillisBehindLatest: 'secret' }, { ChildShards: 'secret' }]) {
      expect(() => recordsAnswer(NONE, fields)).to.throw(ServiceError, /^the answer could not be read: (?!.*secret)/)
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

describe('memoryOf', () => {
  it('counts the memory of payloads, texts twice, and what is around each record', () => {
    expect(memoryOf(0, 0, 0)).to.be.within(1, 4_096)
    expect(memoryOf(10, 5_000, 600) - memoryOf(0, 0, 0)).to.be.within(
      5_000 + 1_200 + 10 * 200,
      5_000 + 1_200 + 10 * 400
    )
  })
})
