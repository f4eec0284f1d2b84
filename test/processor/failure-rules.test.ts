import { expect } from 'chai'
import { afterFailure, type FailurePolicy } from '../../src/processor/failure-rules.ts'

const policy: FailurePolicy = { attempts: 4, lastResort: 'halt', backoff: { firstMs: 100, maxMs: 300 } }

describe('afterFailure', () => {
  it('tries again after a growing delay, and gives up after the last attempt', () => {
    expect([1, 2, 3, 4, 5].map(attempt => afterFailure(attempt, policy, 0.5))).to.deep.equal([
      { kind: 'again', inMs: 75 },
      { kind: 'again', inMs: 150 },
      { kind: 'again', inMs: 225 },
      { kind: 'give-up', lastResort: 'halt' },
      { kind: 'give-up', lastResort: 'halt' }
    ])
  })

  it('gives up at once where there is one attempt', () => {
    expect(afterFailure(1, { ...policy, attempts: 1, lastResort: 'stop' }, 0)).to.deep.equal({
      kind: 'give-up',
      lastResort: 'stop'
    })
  })

  it('never gives up where attempts have no end', () => {
    const endless = { ...policy, attempts: Number.POSITIVE_INFINITY }
    expect(afterFailure(1e9, endless, 0.999)).to.deep.include({ kind: 'again' })
  })
})
