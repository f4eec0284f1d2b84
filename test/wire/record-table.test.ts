import { expect } from 'chai'
import { RecordTable } from '../../src/wire/record-table.ts'

const source = Buffer.from('17 key ключ')
const view = new DataView(source.buffer, source.byteOffset, source.length)

function take(table: RecordTable, from: number, to: number): number {
  const at = table.texts.length
  table.texts.take(view, from, to)
  return at
}

describe('RecordTable', () => {
  it('makes records of what was said about them', () => {
    const table = new RecordTable()
    table.begin()
    table.numberIsAt(take(table, 0, 2))
    table.keyIsAt(take(table, 3, 6))
    table.dataIsAt(1, 3)
    table.arrivedAt(1_234)
    table.encryptedWith('KMS')
    table.begin()
    table.numberIsAt(take(table, 0, 1))
    table.keyIsAt(take(table, 7, source.length))
    table.begin()
    table.keyIs('tab\t')
    const data = Buffer.from('.abc.').subarray(1)
    const records = table.decoded(data).records
    expect(records.map(({ sequenceNumber, partitionKey }) => [sequenceNumber, partitionKey])).to.deep.equal([
      ['17', 'key'],
      ['1', 'ключ'],
      ['', 'tab\t']
    ])
    expect(records.map(record => Buffer.from(record.data).toString())).to.deep.equal(['bc.', '', ''])
    expect(records.map(({ arrivedAtMs, encryptionType }) => [arrivedAtMs, encryptionType])).to.deep.equal([
      [1_234, 'KMS'],
      [undefined, undefined],
      [undefined, undefined]
    ])
    expect(table.dataBytes()).to.equal(3)
  })

  it('goes by what was said last', () => {
    const table = new RecordTable()
    table.begin()
    for (const [from, to] of [
      [3, 6],
      [0, 2]
    ] as const) {
      table.keyIs('other')
      table.numberIsAt(take(table, from, to))
      table.keyIsAt(take(table, from, to))
    }
    const [record] = table.decoded(Buffer.alloc(0)).records
    expect([record?.sequenceNumber, record?.partitionKey]).to.deep.equal(['17', '17'])
  })

  it('has one payload and one key for each record, however often it is asked', () => {
    const table = new RecordTable()
    table.begin()
    table.dataIsAt(0, 2)
    const [record] = table.decoded(Buffer.from('abc')).records
    expect(record?.data).to.equal(record?.data)
  })

  it('keeps keys and numbers where the payloads go to another thread', () => {
    const table = new RecordTable()
    table.begin()
    table.numberIsAt(take(table, 0, 2))
    const memory = new ArrayBuffer(3)
    const [record] = table.decoded(Buffer.from(memory)).records
    structuredClone(memory, { transfer: [memory] })
    expect(record?.sequenceNumber).to.equal('17')
  })

  it('holds 10,000 records and more', () => {
    const table = new RecordTable()
    for (let index = 0; index < 10_001; index++) {
      table.begin()
      if (index === 0) table.expect(5_000)
      table.numberIsAt(take(table, 0, 2))
      table.dataIsAt(index % 3, 1)
    }
    const records = table.decoded(Buffer.from('abc')).records
    expect(records.map(({ data }) => data[0])).to.deep.equal(records.map((_, index) => 97 + (index % 3)))
    expect(records.at(-1)?.sequenceNumber).to.equal('17')
  })

  it('counts what the records keep: all of the memory that the payloads are in, and texts', () => {
    const table = new RecordTable()
    const empty = table.decoded(Buffer.alloc(0)).memoryBytes
    table.begin()
    table.numberIsAt(take(table, 0, 2))
    const memory = Buffer.from(new ArrayBuffer(10_000), 0, 3)
    expect(table.decoded(memory).memoryBytes - empty).to.be.within(10_000 + 200, 10_000 + 600)
  })
})
