import { expect } from 'chai'
import { decodePayloads, scanJsonAnswer } from '../../src/wire/json-records.ts'
import { RecordTable } from '../../src/wire/record-table.ts'
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

describe('decodePayloads', () => {
  const body = Buffer.from('"YWJj" "ZGU=" "no base64!"')

  it('puts payloads one after the other into a memory of their own, and says where they are', () => {
    const table = new RecordTable()
    for (const [at, length] of [
      [1, 4],
      [8, 4]
    ] as const) {
      table.begin()
      table.dataIsAt(at, length)
    }
    expect(finish(decodePayloads(table, body))?.toString()).to.equal('abcde')
    expect([0, 1].map(index => [table.dataAt(index), table.dataLength(index)])).to.deep.equal([
      [0, 3],
      [3, 2]
    ])
  })

  it('refuses what is not base64', () => {
    const table = new RecordTable()
    table.begin()
    table.dataIsAt(15, 10)
    expect(finish(decodePayloads(table, body))).to.equal(undefined)
  })
})
