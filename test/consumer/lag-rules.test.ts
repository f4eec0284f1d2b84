import { expect } from 'chai'
import { type LagFacts, lagOf } from '../../src/consumer/lag-rules.ts'

const NOW = 1_000_000

function lag(facts: Partial<LagFacts>): [behind: number, oldest: number] {
  const idle = { nowEpochMs: NOW, oldestArrivedAtMs: undefined, toldMs: 0, sinceToldMs: 0 }
  const { millisBehindLatest, oldestUnsettledMs } = lagOf({ ...idle, ...facts })
  return [millisBehindLatest, oldestUnsettledMs]
}

describe('lagOf', () => {
  it('is what Kinesis said, while that is new and nothing is unsettled', () => {
    expect(lag({})).to.deep.equal([0, 0])
    expect(lag({ toldMs: 7_000, sinceToldMs: 6_000 })).to.deep.equal([7_000, 0])
  })

  it('is the age of the oldest record that is not settled, where that is more', () => {
    expect(lag({ oldestArrivedAtMs: NOW - 90_000 })).to.deep.equal([90_000, 90_000])
    expect(lag({ oldestArrivedAtMs: NOW - 3_000, toldMs: 20_000 })).to.deep.equal([20_000, 3_000])
  })

  it('grows by a second each second once Kinesis has said nothing for ten', () => {
    expect(lag({ sinceToldMs: 10_000 })).to.deep.equal([0, 0])
    expect(lag({ sinceToldMs: 75_000 })).to.deep.equal([65_000, 0])
    expect(lag({ toldMs: undefined, sinceToldMs: 75_000 })).to.deep.equal([65_000, 0])
    expect(lag({ toldMs: 5_000, sinceToldMs: 75_000 })).to.deep.equal([70_000, 0])
  })

  it('is never negative, though the clock of this machine is behind that of Kinesis', () => {
    expect(lag({ oldestArrivedAtMs: NOW + 5_000 })).to.deep.equal([0, 0])
  })
})
