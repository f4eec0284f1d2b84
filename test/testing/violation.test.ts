import { expect } from 'chai'
import { describeViolation, SimulationError, type Violation } from '../../src/testing/violation.ts'

const VIOLATION: Violation = {
  kind: 'zombie-write',
  message: 'w1 wrote',
  atMs: 12_345,
  seed: 7,
  shardId: 'shard',
  log: ['one line', 'another']
}

describe('describeViolation', () => {
  it('says what, when, how to see it again, and what came before', () => {
    expect(describeViolation(VIOLATION).split('\n')).to.deep.equal([
      'zombie-write after 12.345 s: w1 wrote',
      'Replay: SEED=7',
      'What happened before:',
      'one line',
      'another'
    ])
    expect(describeViolation({ ...VIOLATION, log: [] }, 'npm test').split('\n')).to.have.length(2)
  })
})

describe('SimulationError', () => {
  it('carries the violation, and describes it', () => {
    const error = new SimulationError(VIOLATION, 'npm run simulate -- --seed 7')
    expect(error.violation).to.equal(VIOLATION)
    expect(error.name).to.equal('SimulationError')
    expect(error.message).to.include('npm run simulate -- --seed 7').and.include('one line')
  })
})
