import { expect } from 'chai'
import { batchesOf } from '../../src/dead-letters/batch-rules.ts'

describe('batchesOf', () => {
  const sizes = (bytes: number[], limits: { maxCount: number; maxBytes: number }): number[][] =>
    batchesOf(
      bytes.map(n => ({ bytes: n })),
      limits
    ).map(batch => batch.map(({ bytes: n }) => n))

  it('fills each batch up to the count and the bytes, in order', () => {
    expect(sizes([1, 1, 1, 1, 1], { maxCount: 2, maxBytes: 10 })).to.deep.equal([[1, 1], [1, 1], [1]])
    expect(sizes([4, 6, 1, 5, 5], { maxCount: 9, maxBytes: 10 })).to.deep.equal([[4, 6], [1, 5], [5]])
  })

  it('leaves an entry alone that is larger than a batch', () => {
    expect(sizes([1, 50, 2, 3], { maxCount: 9, maxBytes: 10 })).to.deep.equal([[1], [50], [2, 3]])
  })

  it('makes nothing of nothing', () => {
    expect(sizes([], { maxCount: 1, maxBytes: 1 })).to.deep.equal([])
  })
})
