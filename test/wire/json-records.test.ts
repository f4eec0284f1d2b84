import { expect } from 'chai'
import { scanJsonAnswer } from '../../src/wire/json-records.ts'
import { Chance, randomAnswer } from './random-answers.ts'

function finish<T>(work: Generator<void, T, void>): T {
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}

describe('scanJsonAnswer', () => {
  it('finds its way through what the service writes, without JSON.parse for the whole', () => {
    for (let seed = 1; seed < 20; seed++) {
      const { records, fields } = randomAnswer(new Chance(seed), 100)
      const Records = records.map(({ Data, arrivedAtMs = 1_700_000_000_123, ...rest }) => ({
        ...rest,
        ApproximateArrivalTimestamp: arrivedAtMs / 1000,
        Data: Data.toString('base64')
      }))
      const scanned = finish(scanJsonAnswer(Buffer.from(JSON.stringify({ Records, ...fields }))))
      expect(scanned?.table.count).to.equal(records.length)
      expect(scanned?.fields).to.deep.equal(fields)
    }
  })

  it('leaves what is written in another way to JSON.parse', () => {
    for (const body of [
      '',
      '[]',
      '{"Records":null}',
      '{"Records":[{"\\u0044ata":"","SequenceNumber":"1"}]}',
      '{"Records":[{}]}'
    ]) {
      expect(finish(scanJsonAnswer(Buffer.from(body)))).to.equal(undefined)
    }
  })
})
