import { expect } from 'chai'
import { ConsumedRecord } from '../../src/model/record.ts'
import type { RecordsAnswer } from '../../src/model/records-answer.ts'
import { decodeJsonAnswer } from '../../src/wire/json-answer.ts'
import { RecordScanner } from '../../src/wire/record-scanner.ts'
import { RecordTable } from '../../src/wire/record-table.ts'
import { seeds } from '../support/seeds.ts'
import { Chance } from './random-answers.ts'

function finish<T>(work: Generator<void, T, void>): T {
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}

/** What a body is decoded to, or why it is not. */
function outcome(body: Buffer, scanner?: RecordScanner): unknown {
  let answer: RecordsAnswer
  try {
    answer = finish(decodeJsonAnswer(body, scanner))
  } catch (error) {
    return String(error)
  }
  const { records, ...rest } = answer
  return { ...rest, records: records.map(record => new ConsumedRecord(record).toJSON()) }
}

/** A field, as the service may write it, and now and then not. */
function fieldIn(chance: Chance, name: string, index: number): string {
  switch (name) {
    case 'Data': {
      const size = chance.below(40) === 0 ? 90_000 + chance.below(50_000) : chance.below(chance.of([4, 40, 400, 4_000]))
      const text = chance
        .bytes(Math.min(size, 64))
        .toString('latin1')
        .repeat(Math.ceil(size / 64))
      const base64 = Buffer.from(text, 'latin1').toString('base64')
      return `"Data":"${chance.below(60) === 0 ? base64.replace(/=+$/, '') : base64}"`
    }
    case 'PartitionKey':
      return `"PartitionKey":${JSON.stringify(chance.of(['k', 'a key of more than sixteen bytes', '', 'ключ', '🦭 seal', 'x'.repeat(chance.below(256)), chance.below(20) === 0 ? 'a"b' : 'é']))}`
    case 'SequenceNumber':
      return `"SequenceNumber":"${'4'.repeat(chance.of([56, 56, 56, 1, 15, 16, 17]))}${index}"`
    case 'EncryptionType':
      return `"EncryptionType":${chance.of(['"KMS"', '"NONE"', '"KMS"', chance.below(20) === 0 ? '"OTHER"' : '"KMS"'])}`
    default:
      return `"ApproximateArrivalTimestamp":${chance.of([
        '1732645000.123',
        '1.732645000123E9',
        '1732645000',
        '1732645000.1',
        '1.7E9',
        '1.732645E+9',
        '0.5',
        '12345678901234.123456',
        '-1',
        '1732645000.1234'
      ])}`
  }
}

function bodyIn(chance: Chance, count: number): Buffer {
  const names = ['Data', 'PartitionKey', 'SequenceNumber', 'ApproximateArrivalTimestamp']
  if (chance.below(2) === 0) names.push('EncryptionType')
  const records = Array.from({ length: count }, (_, index) => {
    const own = chance.below(30) === 0 ? names.slice(chance.below(3)) : [...names]
    if (chance.below(60) === 0) own.push(chance.of(names))
    if (chance.below(30) === 0) own.sort()
    const space = chance.below(40) === 0 ? ' ' : ''
    return `{${space}${own.map(name => fieldIn(chance, name, index)).join(`,${space}`)}}`
  })
  return Buffer.from(`{"MillisBehindLatest":7,"Records":[${records.join(',')}],"NextShardIterator":"next"}`)
}

describe('RecordScanner', () => {
  it('makes the same of an answer as is made without it, however that is written', () => {
    const scanner = new RecordScanner(0)
    for (const seed of seeds(60)) {
      const body = bodyIn(new Chance(seed), 1 + (seed % 3) * 150)
      expect(outcome(body, scanner), `SEED=${seed}`).to.deep.equal(outcome(body))
    }
  })

  it('makes the same of an answer that is damaged, or breaks off', () => {
    const scanner = new RecordScanner(0)
    for (const seed of seeds(1_500)) {
      const chance = new Chance(seed)
      let body = bodyIn(chance, 1 + chance.below(6))
      for (let count = chance.below(3); count > 0; count--) {
        body[chance.below(body.length)] = chance.of([34, 92, 44, 123, 125, 61, 45, 95, 0, 31, 128, chance.below(256)])
      }
      if (chance.below(3) === 0) body = body.subarray(0, chance.below(body.length))
      expect(outcome(body, scanner), `SEED=${seed}`).to.deep.equal(outcome(body))
    }
  })

  it('takes records across the ends of what it looks at at once', () => {
    const record = (index: number, size: number) =>
      `{"ApproximateArrivalTimestamp":1.7E9,"Data":"${'QUJD'.repeat(size)}","PartitionKey":"key","SequenceNumber":"${index}"}`
    for (const size of [0, 1, 5, 1_000, 32_700, 32_740, 40_000]) {
      const body = Buffer.from(
        `[${Array.from({ length: 3_000 / (1 + size / 40) + 4 }, (_, i) => record(i + 1, size)).join(',')}]`
      )
      const table = new RecordTable()
      const scanner = new RecordScanner(0)
      let at = 1
      for (let to = scanner.scan(body, at, table); to > at; to = scanner.scan(body, at, table)) at = to + 1
      if (size > 32_740) expect(table.count).to.equal(0)
      else expect([at, table.count]).to.deep.equal([body.length, Math.floor(3_000 / (1 + size / 40)) + 4])
    }
  })

  it('takes no record where there is no WebAssembly, or none that knows vectors', () => {
    const scanner = new RecordScanner(0, () => new Uint8Array(8))
    const body = bodyIn(new Chance(1), 100)
    expect(scanner.scan(body, body.indexOf('[') + 1, new RecordTable())).to.equal(body.indexOf('[') + 1)
    expect(outcome(body, scanner)).to.deep.equal(outcome(body))
  })
})
