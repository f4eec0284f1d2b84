import { expect } from 'chai'
import { seedOr } from '../support/seeds.ts'
import { fuzz } from './fuzz-deaggregate.ts'

const SEED = seedOr(20_242)
const CASES = 8_000

describe('deaggregate and the plain decoder', () => {
  it('agree on random batches, whatever is wrong with them', function () {
    this.timeout(60_000)
    const report = fuzz(CASES, SEED)
    // Enough of everything, or the comparison says little.
    expect(report.whole, `SEED=${SEED}`).to.be.above(0.2 * CASES)
    expect(report.members, `SEED=${SEED}`).to.be.above(CASES)
    expect(report.outOfRange, `SEED=${SEED}`).to.be.above(0.2 * CASES)
    expect(report.corrupt, `SEED=${SEED}`).to.be.above(0.05 * CASES)
  })
})
