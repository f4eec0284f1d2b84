import { expect } from 'chai'
import { type BatchCase, caseOf, isFresh, reopened, type Sentence } from '../../src/consumer/batch-case.ts'
import { afterFailedCall, afterSuccess, type BatchState, beginBatch, bisected } from '../../src/consumer/batch-state.ts'
import { ConsumedRecord } from '../../src/model/record.ts'

const SENTENCE: Sentence = { how: 'dead-letter', cause: new Error('bad'), attempts: 3 }

function records(...numbers: readonly number[]): ConsumedRecord[] {
  return numbers.map(number => {
    const of = { sequenceNumber: String(number), subSequenceNumber: 0, partitionKey: 'key' }
    return new ConsumedRecord({ ...of, data: new Uint8Array(), aggregated: false })
  })
}

/** Records of which nothing is known. */
function fresh(...numbers: readonly number[]): BatchState {
  return beginBatch(records(...numbers)) as BatchState
}

/** The same records after a call that has failed with all, or with some, of them. */
function failed(state: BatchState, left = state.call, isNamed = false): BatchState {
  return afterFailedCall(state, left, { nowMs: 7, isNamed })
}

function numbersOf({ call, suspects, rest }: BatchState): number[][] {
  return [call, suspects, rest].map(part => part.map(({ sequenceNumber }) => Number(sequenceNumber)))
}

/** What is known, once it was asserted that something is. */
function known(state: BatchState, failedCalls = 1, sentence?: Sentence): BatchCase {
  const found = caseOf(state, failedCalls, sentence)
  if (found === undefined) throw new Error('nothing is known')
  return found
}

describe('caseOf', () => {
  it('is nothing where nothing is known of the records but that they are there', () => {
    expect(caseOf(fresh(1, 2), 0)).to.equal(undefined)
    expect(caseOf(fresh(1, 2), 0, SENTENCE)).to.have.property('sentence', SENTENCE)
    expect(isFresh(failed(fresh(1, 2)))).to.equal(false)
  })
})

describe('reopened', () => {
  it('goes on as before where the same records come again', () => {
    for (const state of [
      failed(fresh(1, 2, 3, 4)),
      bisected(failed(fresh(1, 2, 3, 4, 5))),
      failed(bisected(failed(fresh(1, 2, 3))))
    ]) {
      const again = reopened(fresh(...numbersOf(state).flat()), known(state))
      expect(again).to.include({ left: undefined, isMet: true })
      expect(numbersOf(again.state)).to.deep.equal(numbersOf(state))
      const { failures, failedAtMs, isHalf, isNamed } = state
      expect(again.state).to.include({ failures, failedAtMs, isHalf, isNamed })
    }
  })

  it('calls what comes before the records of the case first, and by itself', () => {
    const before = reopened(fresh(1, 2, 3, 4, 5), known(failed(fresh(3, 4))))
    expect([numbersOf(before.state), before.isMet]).to.deep.equal([[[1, 2], [], [3, 4, 5]], false])
    expect(isFresh(before.state)).to.equal(true)
    expect(reopened(before.state, before.left as BatchCase).state).to.equal(before.state)
    const then = reopened(afterSuccess(before.state) as BatchState, before.left as BatchCase)
    expect([numbersOf(then.state), then.isMet, then.state.failures]).to.deep.equal([[[3, 4], [], [5]], true, 1])
  })

  it('waits for the records of the case that a read does not bring', () => {
    const state = bisected(failed(fresh(1, 2, 3, 4, 5, 6, 7, 8)))
    const first = reopened(fresh(1, 2, 3), known(state))
    expect([numbersOf(first.state), first.state.isHalf]).to.deep.equal([[[1, 2, 3], [], []], true])
    const second = reopened(fresh(4, 5, 6), first.left as BatchCase)
    expect([numbersOf(second.state), second.left]).to.deep.equal([[[4], [5, 6], []], undefined])
    const none = reopened(fresh(1, 2), known(failed(fresh(5, 6))))
    expect([none.isMet, none.left?.failures]).to.deep.equal([false, 1])
  })

  it('takes up records that were named one row at a time, so that none is overtaken', () => {
    const named = known(failed(fresh(1, 2, 3, 4, 5), records(2, 4), true))
    const first = reopened(fresh(2, 3, 4, 5), named)
    expect([numbersOf(first.state), first.state.isNamed]).to.deep.equal([[[2], [], [3, 4, 5]], true])
    const second = reopened(afterSuccess(first.state) as BatchState, first.left as BatchCase)
    expect(numbersOf(second.state)).to.deep.equal([[3], [], [4, 5]])
    const third = reopened(afterSuccess(second.state) as BatchState, second.left as BatchCase)
    expect([numbersOf(third.state), third.isMet, third.left]).to.deep.equal([[[4], [], [5]], true, undefined])
  })

  it('forgets records that have not come and are past', () => {
    const past = reopened(fresh(6, 7), known(failed(fresh(3, 4)), 1, SENTENCE))
    expect([past.isMet, past.left]).to.deep.equal([false, undefined])
    expect(reopened(fresh(4, 5), known(failed(fresh(3, 4)))).left?.call).to.deep.equal(new Set(['3']))
  })
})
