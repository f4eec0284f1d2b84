import { expect } from 'chai'
import type { ShardHealth } from '../../src/worker/health-rules.ts'
import { troublesOf } from '../../src/worker/trouble-rules.ts'

const green = (shardId: string): ShardHealth => ({
  shardId,
  streamName: 'orders',
  color: 'green',
  state: 'processing',
  paused: false
})
const red = (shardId: string, reason: string): ShardHealth => ({ ...green(shardId), color: 'red', reason })

describe('troublesOf', () => {
  it('is nothing while all is green', () => {
    expect(troublesOf([])).to.equal(undefined)
    expect(troublesOf([green('a'), green('b')])).to.equal(undefined)
  })

  it('is what the red ones are red for', () => {
    const reasons = { b: 'stalled: no answer' }
    expect(troublesOf([red('b', 'stalled: no answer'), green('a')])).to.deep.equal({ count: 1, reasons })
  })

  it('says of what was thrown what it is called, and never what it says', () => {
    const halted = { ...red('a', 'halted: bad card 4111'), state: 'halted' as const }
    const named = troublesOf([{ ...halted, haltedBy: 'ProcessorError, caused by TypeError' }])
    expect(named?.reasons.a).to.equal('halted by TypeError')
    expect(troublesOf([halted])?.reasons.a).to.equal('halted by failures of its processor')
  })

  it('tells of ten, in order, and how many there are', () => {
    const { count, reasons = {} } = troublesOf(Array.from({ length: 30 }, (_, i) => red(`s-${30 - i}`, 'x'))) ?? {}
    expect(count).to.equal(30)
    expect(Object.keys(reasons)).to.have.length(10)
    expect(Object.keys(reasons)).to.deep.equal([...Object.keys(reasons)].sort())
  })

  it('tells it in one line of 60 characters, and never in none', () => {
    const { reasons = {} } = troublesOf([red('a', `stalled: ${'x\n'.repeat(100)}`), red('b', '')]) ?? {}
    expect(reasons.a)
      .to.match(/^stalled: x x .*…$/)
      .and.have.length(60)
    expect(reasons.b).to.equal('red')
  })
})
