import { expect } from 'chai'
import { laneKeyOf } from '../../src/consumer/lane-key.ts'
import { OptionError } from '../../src/model/errors.ts'
import { ConsumedRecord } from '../../src/model/record.ts'

const RECORD = new ConsumedRecord({ sequenceNumber: '7', partitionKey: 'customer', data: new Uint8Array() })

describe('laneKeyOf', () => {
  it('is the partition key, one for all, none, or what the user says', () => {
    expect(laneKeyOf(RECORD, 'key')).to.equal('customer')
    expect(laneKeyOf(RECORD, 'one')).to.equal('')
    expect(laneKeyOf(RECORD, 'none')).to.equal(undefined)
    expect(laneKeyOf(RECORD, ({ sequenceNumber }) => `at ${sequenceNumber}`)).to.equal('at 7')
  })

  it('is an error that names the record where the user says nothing that makes sense', () => {
    const cause = new Error('no idea')
    const threw = laneKeyOf(RECORD, () => {
      throw cause
    })
    expect(threw).to.be.instanceOf(OptionError)
    expect(threw).to.include({ message: 'Option concurrency.by: threw for 7: no idea', cause })
    for (const [returned, type] of [
      [undefined, 'undefined'],
      [3, 'number'],
      [Promise.resolve('late'), 'object']
    ] as const) {
      const error = laneKeyOf(RECORD, () => returned as unknown as string)
      expect(error).to.have.property('message', `Option concurrency.by: returned a ${type} for 7, expected a text`)
    }
  })
})
