import { expect } from 'chai'
import { afterFailure, type FailurePolicy } from '../../src/processor/failure-rules.ts'

const policy: FailurePolicy = { attempts: 3, lastResort: 'halt', backoff: { firstMs: 100, maxMs: 150 } }

describe('afterFailure', () => {
  it('says again with a growing delay until the attempts are used up', () => {
    expect([1, 2, 3, 4].map(attempt => afterFailure(attempt, policy, 1))).to.deep.equal([
      { kind: 'again', inMs: 100 },
      { kind: 'again', inMs: 150 },
      { kind: 'give-up', lastResort: 'halt' },
      { kind: 'give-up', lastResort: 'halt' }
    ])
  })

  it('gives up at once with a single attempt, and never with Infinity', () => {
    expect(afterFailure(1, { ...policy, attempts: 1, lastResort: 'stop' }, 0)).to.deep.equal({
      kind: 'give-up',
      lastResort: 'stop'
    })
    expect(afterFailure(1e9, { ...policy, attempts: Number.POSITIVE_INFINITY }, 0).kind).to.equal('again')
  })
})
