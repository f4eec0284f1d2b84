import { expect } from 'chai'
import { ConsumedRecord } from '../../src/model/record.ts'
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

  it('has records that make a view of their payload each time, and know its length and its bytes without', () => {
    const table = new RecordTable()
    table.begin()
    table.dataIsAt(1, 2)
    const [record] = table.decoded(Buffer.from('abc')).records
    expect(record).to.be.instanceOf(ConsumedRecord)
    const { data, byteLength, byteAt, aggregated, subSequenceNumber } = record as ConsumedRecord
    expect([Buffer.from(data).toString(), byteLength, aggregated, subSequenceNumber]).to.deep.equal(['bc', 2, false, 0])
    expect(record?.data).not.to.equal(data)
    expect(record?.data.buffer).to.equal(data.buffer)
    expect([0, 1, 2, -1].map(index => byteAt.call(record, index))).to.deep.equal([98, 99, undefined, undefined])
  })

  it('makes its records anew each time that they are asked for', () => {
    const table = new RecordTable()
    table.begin()
    const decoded = table.decoded(Buffer.alloc(0))
    expect(decoded.records).not.to.equal(decoded.records)
    expect(decoded.records).to.have.length(1)
  })

  it('takes many records at once, behind those that there are', () => {
    const table = new RecordTable()
    table.begin()
    table.numberIsAt(take(table, 0, 2))
    const at = table.texts.length
    table.add(
      Int32Array.of(at, 2, at + 2, 1, 0, 3, at + 3, 1, at + 4, 0, 1, 1),
      Float64Array.of(5, 6),
      Buffer.from('42k7')
    )
    table.encryptedWith('KMS', 2)
    const records = table.decoded(Buffer.from('abc')).records as ConsumedRecord[]
    expect(table.count).to.equal(3)
    expect(records.map(record => [record.sequenceNumber, record.partitionKey, record.text()])).to.deep.equal([
      ['17', '', ''],
      ['42', 'k', 'abc'],
      ['7', '', 'b']
    ])
    expect(records.map(({ arrivedAtMs }) => arrivedAtMs)).to.deep.equal([undefined, 5, 6])
    expect(records.map(({ encryptionType }) => encryptionType)).to.deep.equal([undefined, undefined, 'KMS'])
    expect([...table.rowsAt(2, 1)]).to.deep.equal([at + 3, 1, at + 4, 0, 1, 1])
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

  it('has empty payloads once they have gone to another thread', () => {
    const table = new RecordTable()
    table.begin()
    table.dataIsAt(0, 3)
    const memory = new ArrayBuffer(3)
    const [record] = table.decoded(Buffer.from(memory)).records
    structuredClone(memory, { transfer: [memory] })
    expect(record?.data).to.have.length(0)
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
