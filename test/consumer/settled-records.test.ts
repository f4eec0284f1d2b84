import { expect } from 'chai'
import { SettledRecords } from '../../src/consumer/settled-records.ts'
import { FailedRecordsError, OptionError, ProcessorGoneError } from '../../src/model/errors.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import type { ExtendedSequenceNumber } from '../../src/model/sequence-number.ts'
import type { ProcessRecordsOutcome } from '../../src/processor/record-processor.ts'
import { aPosition } from '../support/builders.ts'

function aCall(count = 4, stored = 0) {
  const records = Array.from(
    { length: count },
    (_, index) => new ConsumedRecord({ sequenceNumber: String(index + 1), partitionKey: 'k', data: new Uint8Array() })
  )
  const checkpointed = { upTo: stored }
  const settled = new SettledRecords(records, {
    isStored: ({ sequenceNumber }) => Number(sequenceNumber) <= checkpointed.upTo
  })
  return { records, settled, checkpointed }
}

const numbers = (of: readonly ExtendedSequenceNumber[]): number[] =>
  of.map(({ sequenceNumber }) => Number(sequenceNumber))

describe('SettledRecords', () => {
  it('has all of them open until some are settled or checkpointed', () => {
    const { records, settled, checkpointed } = aCall()
    expect(settled.open()).to.equal(records)
    settled.settle(aPosition(3))
    settled.settle(aPosition(3))
    expect(numbers(settled.open())).to.deep.equal([1, 2, 4])
    checkpointed.upTo = 1
    expect(numbers(settled.open())).to.deep.equal([2, 4])
  })

  it('settles only records of the call, and says which it was given otherwise', () => {
    const { settled } = aCall()
    for (const [wrong, shown] of [
      [aPosition(9), '9#0'],
      [aPosition(1, 1), '1#1'],
      [undefined, 'something of type undefined'],
      [null, 'something of type null']
    ] as const) {
      expect(() => settled.settle(wrong as ExtendedSequenceNumber))
        .to.throw(OptionError)
        .with.property('message', `Option settle: names ${shown}, expected a record of this call`)
    }
  })

  it('is done with all of them when a call returns', () => {
    for (const value of [undefined, { failed: [] }, {} as ProcessRecordsOutcome, 'odd' as never, null as never]) {
      const { records, settled } = aCall()
      const judgement = settled.judge({ kind: 'done', value })
      expect(judgement).to.deep.equal({ kind: 'done', done: records, failed: [], isNamed: false })
      expect(settled.failureIn(value)).to.equal(undefined)
    }
  })

  it('has failed with what a call names, in order, but for what it settled all the same', () => {
    const { settled } = aCall()
    settled.settle(aPosition(2))
    const judgement = settled.judge({ kind: 'done', value: { failed: [aPosition(4), aPosition(2), aPosition(1)] } })
    expect(judgement).to.include({ kind: 'failed', isNamed: true })
    expect([numbers(judgement.failed), numbers(judgement.done)]).to.deep.equal([
      [1, 4],
      [2, 3]
    ])
    expect(judgement).to.have.property('cause').that.is.instanceOf(FailedRecordsError)
  })

  it('reads the failed ones once, for a list may be one that can be read only once', () => {
    const { records, settled } = aCall(2)
    const value = { failed: records.values() }
    expect(settled.failureIn(value)).to.be.instanceOf(FailedRecordsError)
    expect(settled.judge({ kind: 'done', value })).to.deep.include({ kind: 'failed', failed: records })
  })

  it('takes a call for one that has failed at once only if everything that was left is named', () => {
    const { settled } = aCall(3)
    expect(settled.failureIn({ failed: [aPosition(1)] })).to.equal(undefined)
    const { settled: other } = aCall(3)
    other.settle(aPosition(1))
    expect(other.failureIn({ failed: [aPosition(3), aPosition(2)] })).to.be.instanceOf(FailedRecordsError)
  })

  it('has failed with everything where the failed ones make no sense', () => {
    for (const [failed, message] of [
      [5, 'Option failed: in the result of the handler is not iterable, expected the records that failed'],
      [[aPosition(77)], 'Option failed: names 77#0, expected a record of this call'],
      [[null], 'Option failed: names something of type null, expected a record of this call'],
      [['1'], 'Option failed: names something of type string, expected a record of this call']
    ] as const) {
      const { records, settled } = aCall()
      const value = { failed } as unknown as ProcessRecordsOutcome
      const judgement = settled.judge({ kind: 'done', value })
      expect(judgement).to.deep.include({ kind: 'failed', failed: records, done: [], isNamed: false })
      expect(judgement).to.have.nested.property('cause.message', message)
      expect(settled.failureIn(value)).to.have.property('message', message)
    }
  })

  it('has failed with what is open when a call throws, and is done if nothing is', () => {
    const { settled, checkpointed } = aCall()
    checkpointed.upTo = 1
    settled.settle(aPosition(3))
    const cause = new Error('boom')
    const judgement = settled.judge({ kind: 'failed', cause })
    expect(judgement).to.include({ kind: 'failed', cause, isNamed: false })
    expect([numbers(judgement.failed), numbers(judgement.done)]).to.deep.equal([
      [2, 4],
      [1, 3]
    ])
    settled.settle(aPosition(2))
    settled.settle(aPosition(4))
    expect(settled.judge({ kind: 'failed', cause }).kind).to.equal('done')
  })

  it('passes on that a call was interrupted, or its processor gone', () => {
    const { records, settled } = aCall()
    expect(settled.judge({ kind: 'interrupted' })).to.deep.include({ kind: 'interrupted', failed: records, done: [] })
    const cause = new ProcessorGoneError('shard', 'it exited')
    expect(settled.judge({ kind: 'gone', cause })).to.deep.include({ kind: 'gone', cause, failed: records })
  })
})
