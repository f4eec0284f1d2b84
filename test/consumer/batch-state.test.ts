import { expect } from 'chai'
import {
  afterFailedCall,
  afterGivingUp,
  afterSuccess,
  type BatchState,
  beginBatch,
  bisected,
  firstBeyond
} from '../../src/consumer/batch-state.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { seeds } from '../support/seeds.ts'

function records(count: number): ConsumedRecord[] {
  return Array.from(
    { length: count },
    (_, index) => new ConsumedRecord({ sequenceNumber: String(index + 1), partitionKey: 'key', data: new Uint8Array() })
  )
}

function began(count: number): BatchState {
  return beginBatch(records(count)) ?? expect.fail('empty')
}

const numbersOf = (of: readonly ConsumedRecord[] = []): number[] =>
  of.map(({ sequenceNumber }) => Number(sequenceNumber))

describe('beginBatch', () => {
  it('calls everything at first, and has nothing to do without records', () => {
    expect(beginBatch([])).to.equal(undefined)
    const state = began(3)
    expect(numbersOf(state.call)).to.deep.equal([1, 2, 3])
    expect(firstBeyond(state)).to.equal(undefined)
    expect(afterSuccess(state)).to.equal(undefined)
  })
})

describe('afterFailedCall', () => {
  it('counts failures of the same records, and anew once some of them are settled', () => {
    const state = began(3)
    const once = afterFailedCall(state, state.call, { nowMs: 5, isNamed: false })
    expect(once).to.deep.include({ failures: 1, failedAtMs: 5 })
    const twice = afterFailedCall(once, once.call, { nowMs: 9, isNamed: false })
    expect(twice).to.deep.include({ failures: 2, failedAtMs: 5 })
    const left = afterFailedCall(twice, twice.call.slice(1), { nowMs: 12, isNamed: true })
    expect(left).to.deep.include({ failures: 1, failedAtMs: 12, isNamed: true })
    expect(numbersOf(left.call)).to.deep.equal([2, 3])
  })
})

describe('bisected', () => {
  it('calls the first half, suspects the other, and looks there once the first is good', () => {
    const half = bisected(began(5))
    expect([half.call, half.suspects, half.rest].map(numbersOf)).to.deep.equal([[1, 2], [3, 4, 5], []])
    const other = afterSuccess(half) ?? expect.fail('done')
    expect([other.call, other.suspects, other.rest].map(numbersOf)).to.deep.equal([[3], [4, 5], []])
    expect(other.isHalf).to.equal(true)
    expect(numbersOf([firstBeyond(other) ?? expect.fail('none')])).to.deep.equal([4])
  })

  it('suspects the other half no more once the first is bad', () => {
    const quarter = bisected(bisected(began(8)))
    expect([quarter.call, quarter.suspects, quarter.rest].map(numbersOf)).to.deep.equal([
      [1, 2],
      [3, 4],
      [5, 6, 7, 8]
    ])
  })
})

describe('afterGivingUp', () => {
  it('begins anew with everything that follows', () => {
    const next = afterGivingUp(bisected(bisected(began(4)))) ?? expect.fail('done')
    expect(next).to.deep.include({ failures: 0, isHalf: false })
    expect(numbersOf(next.call)).to.deep.equal([2, 3, 4])
  })
})

describe('the states of a batch', () => {
  it('settle every record once, in order, in 1 + log2 n + attempts calls for one bad record', () => {
    for (const seed of seeds(300)) {
      const random = seededRandom(seed)
      const count = 1 + Math.floor(random.next() * 120)
      const attempts = 1 + Math.floor(random.next() * 4)
      const bad = 1 + Math.floor(random.next() * count)
      const settled: number[] = []
      let calls = 0
      for (let state = beginBatch(records(count)); state !== undefined; ) {
        calls += 1
        const called = numbersOf(state.call)
        if (!called.includes(bad)) {
          settled.push(...called)
          state = afterSuccess(state)
          continue
        }
        const failed = afterFailedCall(state, state.call, { nowMs: 0, isNamed: false })
        const isAlone = called.length === 1
        const isOver = failed.isHalf || failed.failures >= (isAlone ? attempts : Math.max(1, attempts - 1))
        if (!isOver) state = failed
        else if (!isAlone) state = bisected(failed)
        else {
          settled.push(bad)
          state = afterGivingUp(failed)
        }
      }
      const expected = Array.from({ length: count }, (_, index) => index + 1)
      expect(settled, `SEED=${seed}`).to.deep.equal(expected)
      const most = 1 + Math.ceil(Math.log2(count)) + Math.max(2, attempts)
      expect(calls, `SEED=${seed}`).to.be.at.most(most)
    }
  })
})
