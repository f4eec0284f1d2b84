import { expect } from 'chai'
import { backoffMs } from '../../src/runtime/backoff.ts'

const backoff = { firstMs: 100, maxMs: 1_000 }

describe('backoffMs', () => {
  it('doubles up to the most, and keeps half of it at least', () => {
    expect([1, 2, 3, 4, 5, 6].map(failures => backoffMs(failures, backoff, 0))).to.deep.equal([
      50, 100, 200, 400, 500, 500
    ])
    expect([1, 2, 5].map(failures => backoffMs(failures, backoff, 1))).to.deep.equal([100, 200, 1_000])
  })

  it('is a whole number of milliseconds', () => {
    expect(backoffMs(1, backoff, 0.333)).to.equal(67)
  })

  it('waits not at all where the first delay is 0', () => {
    expect(backoffMs(5, { firstMs: 0, maxMs: 1_000 }, 0.9)).to.equal(0)
  })

  it('stays finite after any number of failures', () => {
    for (const failures of [0, 31, 1_100, Number.MAX_SAFE_INTEGER]) {
      expect(backoffMs(failures, backoff, 0.5)).to.be.within(50, 1_000)
    }
    expect(backoffMs(5_000, { firstMs: 1, maxMs: Number.POSITIVE_INFINITY }, 0)).to.equal(2 ** 29)
  })
})
