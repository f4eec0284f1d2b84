import { expect } from 'chai'
import {
  encodeAction,
  encodeInitialize,
  encodeRecords,
  encodeReply,
  type SpokenRecord
} from '../../src/multilang/protocol-rules.ts'

const AT = '49590338271490256608559692538361571095921575989136588898'
const NOW_MS = 1_800_000_000_000

function aRecord(with_: Partial<SpokenRecord> = {}): SpokenRecord {
  const data = Buffer.from('hi')
  return {
    data,
    partitionKey: 'pk',
    sequenceNumber: AT,
    subSequenceNumber: 0,
    arrivedAtMs: 1_700_000_000_123,
    ...with_
  }
}

function lineOf(records: readonly SpokenRecord[], millisBehindLatest = 0, shardId?: string): string {
  return [...encodeRecords({ records, millisBehindLatest, nowMs: NOW_MS }, shardId)].join('')
}

describe('encodeInitialize', () => {
  for (const word of ['TRIM_HORIZON', 'LATEST', 'AT_TIMESTAMP', AT]) {
    it(`says where the shard begins: ${word}`, () => {
      const line = encodeInitialize('shardId-000000000001', { sequenceNumber: word, subSequenceNumber: 0 })
      expect(line).to.equal(
        `{"action":"initialize","shardId":"shardId-000000000001","sequenceNumber":"${word}","subSequenceNumber":0}\n`
      )
    })
  }
})

describe('encodeAction', () => {
  it('says what is to be done and nothing else', () => {
    expect(encodeAction('shutdownRequested')).to.equal('{"action":"shutdownRequested"}\n')
    expect(encodeAction('leaseLost')).to.equal('{"action":"leaseLost"}\n')
    expect(encodeAction('shardEnded')).to.equal('{"action":"shardEnded"}\n')
  })

  it('says which shard it is about to a child that serves several', () => {
    expect(encodeAction('leaseLost', 'a')).to.equal('{"action":"leaseLost","shardId":"a"}\n')
  })
})

describe('encodeReply', () => {
  it('writes out every null', () => {
    const stored = { sequenceNumber: AT, subSequenceNumber: 3, error: null }
    expect(encodeReply(stored)).to.equal(
      `{"action":"checkpoint","sequenceNumber":"${AT}","subSequenceNumber":3,"error":null}\n`
    )
    const refused = { sequenceNumber: null, subSequenceNumber: null, error: 'ShutdownException' }
    expect(encodeReply(refused)).to.equal(
      '{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":"ShutdownException"}\n'
    )
  })
})

describe('encodeRecords', () => {
  it('writes the properties in the order of KCL, an action in each record', () => {
    expect(lineOf([aRecord()])).to.equal(
      `{"action":"processRecords","records":[{"data":"aGk=","partitionKey":"pk","sequenceNumber":"${AT}",` +
        '"approximateArrivalTimestamp":1700000000123,"subSequenceNumber":0,"action":"record"}],"millisBehindLatest":0}\n'
    )
  })

  it('always gives numbers where a client would end at a null', () => {
    const [{ approximateArrivalTimestamp }] = JSON.parse(lineOf([aRecord({ arrivedAtMs: undefined })])).records
    expect(approximateArrivalTimestamp).to.equal(NOW_MS)
    expect(JSON.parse(lineOf([], 12.7)).millisBehindLatest).to.equal(12)
    expect(JSON.parse(lineOf([], Number.NaN)).millisBehindLatest).to.equal(0)
  })

  it('says the shard to a child that serves several', () => {
    expect(lineOf([], 0, 'a')).to.equal(
      '{"action":"processRecords","shardId":"a","records":[],"millisBehindLatest":0}\n'
    )
  })

  it('escapes everything above 0x7E, so that no encoding and no splitter of lines changes it', () => {
    const key = 'é \u2028 \u2029 \u007f \u0000 \n " \\ 😀 \ud800'
    const line = lineOf([aRecord({ partitionKey: key })])
    expect(line).to.match(/^[\x20-\x7e]*\n$/)
    expect(JSON.parse(line).records[0].partitionKey).to.equal(key)
    expect(line).to.include('\\u00e9 \\u2028 \\u2029 \\u007f')
  })

  it('hands a large line on in pieces, and loses nothing of it', () => {
    const data = Buffer.alloc(1_000_001, 'payload!')
    const records = Array.from({ length: 3 }, (_, index) =>
      aRecord({ data: data.subarray(index), subSequenceNumber: index })
    )
    const pieces = [...encodeRecords({ records, millisBehindLatest: 1, nowMs: NOW_MS })]
    expect(pieces.length).to.be.above(30)
    expect(Math.max(...pieces.map(piece => piece.length))).to.be.below(200_000)
    const read = JSON.parse(pieces.join('')).records as { data: string }[]
    const payloads = read.map(record => Buffer.from(record.data, 'base64'))
    expect(payloads.every((payload, index) => payload.equals(data.subarray(index)))).to.equal(true)
  })

  it('encodes a payload that is a part of larger memory, and one of no bytes', () => {
    const data = Buffer.from('..hi..').subarray(2, 4)
    expect(JSON.parse(lineOf([aRecord({ data })])).records[0].data).to.equal('aGk=')
    expect(JSON.parse(lineOf([aRecord({ data: new Uint8Array(0) })])).records[0].data).to.equal('')
  })
})
