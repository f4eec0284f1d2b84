import { expect } from 'chai'
import { following, readIterator, writeIterator } from '../../src/testing/fake-iterator.ts'

const POSITION = { streamName: 'orders', incarnation: 3, shardId: 'shardId-000000000007', from: '4900', madeAtMs: 12.5 }

describe('readIterator', () => {
  it('reads what writeIterator wrote', () => {
    expect(readIterator(writeIterator(POSITION))).to.deep.equal(POSITION)
  })

  it('takes nothing else for an iterator', () => {
    for (const text of ['', 'AAAA', writeIterator(POSITION).slice(1), writeIterator({ ...POSITION, shardId: '' })]) {
      expect(readIterator(text)).to.equal(undefined)
    }
  })
})

describe('following', () => {
  it('is the next number, however long the number is', () => {
    expect(following('49000000010000000000000000000000000000001004000000000999')).to.equal(
      '49000000010000000000000000000000000000001004000000001000'
    )
  })
})
