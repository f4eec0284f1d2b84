import { expect } from 'chai'
import { backoffMs } from '../../src/runtime/backoff.ts'

const policy = { firstMs: 100, maxMs: 1_000 }

describe('backoffMs', () => {
  it('doubles up to its maximum and leaves half of it to chance', () => {
    const most = [1, 2, 3, 4, 5, 6, 1_000_000].map(failures => backoffMs(failures, policy, 1))
    expect(most).to.deep.equal([100, 200, 400, 800, 1_000, 1_000, 1_000])
    const least = [1, 2, 3, 4, 5].map(failures => backoffMs(failures, policy, 0))
    expect(least).to.deep.equal([50, 100, 200, 400, 500])
  })

  it('waits not at all where the first delay is 0', () => {
    expect(backoffMs(9, { firstMs: 0, maxMs: 1_000 }, 0.5)).to.equal(0)
  })
})
