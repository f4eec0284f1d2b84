import { expect } from 'chai'
import { pointsOf } from '../../src/dashboard/lag-history-rules.ts'

const report = (...lags: readonly (number | undefined)[]) => ({
  atMs: 0,
  shards: lags.map((lagMs, at) => ({ shardId: String(at), ...(lagMs !== undefined && { lagMs }) }))
})

describe('pointsOf', () => {
  it('is the highest and the median of what could be measured', () => {
    expect(pointsOf([], report(5, 1, undefined, 9), 100, 10)).to.deep.equal([{ atMs: 100, maxMs: 9, medianMs: 5 }])
    expect(pointsOf([], report(undefined), 100, 10)).to.deep.equal([{ atMs: 100, maxMs: null, medianMs: null }])
  })

  it('leaves a gap where nobody measured', () => {
    const before = [{ atMs: 100, maxMs: 1, medianMs: 1 }]
    expect(pointsOf(before, report(2), 130, 10)).to.have.length(1)
    expect(pointsOf(before, report(2), 131, 10)[0]).to.deep.equal({ atMs: 101, maxMs: null, medianMs: null })
  })
})
