import { expect } from 'chai'
import { OptionError } from '../../src/model/errors.ts'
import type { ConsumedRecord } from '../../src/model/record.ts'
import { failedIn, ThreadSettling } from '../../src/processor/thread-settling.ts'
import { aBatch } from './thread-world.ts'

describe('ThreadSettling', () => {
  const { records } = aBatch('a', 'b', 'c', 'd')
  const at = (index: number): ConsumedRecord => records[index] as ConsumedRecord

  it('notes records in any order, by themselves or by position, however often', () => {
    const settled = new Uint8Array(4)
    const settling = new ThreadSettling(records, settled)
    for (const index of [0, 1]) settling.settle(at(index))
    settling.settle({ sequenceNumber: '4', subSequenceNumber: 0 })
    settling.settle(at(0))
    expect([...settled]).to.deep.equal([1, 1, 0, 1])
  })

  it('refuses what is no record of the call', () => {
    const settling = new ThreadSettling(records.slice(1), new Uint8Array(3))
    for (const odd of [at(0), { sequenceNumber: '2', subSequenceNumber: 1 }, undefined, 'b']) {
      expect(() => settling.settle(odd as never)).to.throw(OptionError, /^Option settle: names .*, expected a record/)
    }
  })

  it('notes nothing once the call is over', () => {
    const settled = new Uint8Array(4)
    const settling = new ThreadSettling(records, settled)
    settling.close()
    settling.settle(at(0))
    expect([...settled]).to.deep.equal([0, 0, 0, 0])
  })
})

describe('failedIn', () => {
  it('is nothing where nothing is named', () => {
    for (const result of [undefined, null, 7, 'text', {}, { failed: undefined }])
      expect(failedIn(result)).to.equal(undefined)
  })

  it('is the positions of what is named, whatever else that has', () => {
    const { records } = aBatch('a', 'b')
    function* some() {
      yield* records
    }
    const positions = ['1', '2'].map(sequenceNumber => ({ sequenceNumber, subSequenceNumber: 0 }))
    expect(failedIn({ failed: some() })).to.deep.equal({ failed: positions })
  })

  it('refuses what is no list', () => {
    for (const failed of [7, null, {}]) expect(() => failedIn({ failed })).to.throw(OptionError, /is not iterable/)
  })
})
