import { inspect } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import { aggregate } from '../../src/kpl/aggregate.ts'
import { deaggregate } from '../../src/kpl/deaggregate.ts'
import { type AggregateMembers, ConsumedRecord, type KinesisRecord } from '../../src/model/record.ts'

const aRecord = (data: Uint8Array) =>
  new ConsumedRecord({ sequenceNumber: '1', subSequenceNumber: 0, partitionKey: 'k', data, aggregated: false })

describe('ConsumedRecord', () => {
  it('reads its payload as text, a byte order mark and invalid bytes included', () => {
    expect(aRecord(Buffer.from('\uFEFFgrün 😀')).text()).to.equal('\uFEFFgrün 😀')
    expect(aRecord(Buffer.from([0x61, 0xff])).text()).to.equal('a\uFFFD')
    expect(aRecord(new Uint8Array()).text()).to.equal('')
  })

  it('reads its payload as JSON, or says that it is none', () => {
    expect(aRecord(Buffer.from('{"a":[1]}')).json()).to.deep.equal({ a: [1] })
    expect(() => aRecord(Buffer.from('{')).json()).to.throw(SyntaxError)
  })

  it('tells a byte of its payload', () => {
    const record = aRecord(Uint8Array.of(5, 6))
    expect([record.byteAt(0), record.byteAt(1), record.byteAt(2)]).to.deep.equal([5, 6, undefined])
  })

  it('copies itself off the buffer it is a view on', () => {
    const whole = Buffer.from('abcdef')
    const record = aRecord(whole.subarray(2, 4))
    const copy = record.copy()
    whole.fill(0)
    expect(copy).to.be.instanceOf(ConsumedRecord)
    expect([copy.text(), copy.data.buffer.byteLength, record.data[0]]).to.deep.equal(['cd', 2, 0])
  })

  describe('out of an aggregate', () => {
    it('has what its Kinesis record has, and asks for the rest when it is asked', () => {
      const { record, asked } = aMember()
      expect(asked).to.deep.equal([])
      expect([
        record.sequenceNumber,
        record.subSequenceNumber,
        record.arrivedAtMs,
        record.encryptionType
      ]).to.deep.equal(['7', 3, 1_700_000_000_000, 'KMS'])
      expect([record.aggregated, record.byteLength, asked]).to.deep.equal([true, 6, ['byteLength 3']])
      expect([record.partitionKey, record.explicitHashKey]).to.deep.equal(['key', '42'])
      expect(asked.slice(1)).to.deep.equal(['partitionKey 3', 'explicitHashKey 3'])
    })

    it('makes a view of its data each time, on the same bytes', () => {
      const { record, asked } = aMember()
      const { data } = record
      expect(record.data.buffer).to.equal(data.buffer)
      expect(record.data).to.deep.equal(data)
      expect(asked).to.deep.equal(['data 3', 'data 3', 'data 3'])
    })

    it('does without its aggregate once it is copied', () => {
      const { record, asked } = aMember()
      const copy = record.copy()
      const askedBefore = asked.length
      expect(copy.toJSON()).to.deep.equal(record.toJSON())
      expect(copy.data.buffer.byteLength).to.equal(6)
      expect(asked.slice(askedBefore).filter(what => what.startsWith('partitionKey'))).to.have.length(1)
    })
  })

  it('keeps neither the response nor the text of other keys alive in a copy', async function () {
    this.timeout(20_000)
    const collect = gc()
    const users = Array.from({ length: 2_000 }, (_, i) => ({
      partitionKey: `a key of more than twelve characters, ${i}`,
      data: new Uint8Array(200)
    }))
    let kinesisRecord: KinesisRecord | undefined = { sequenceNumber: '7', ...aggregate(users) }
    const response = new WeakRef(kinesisRecord.data.buffer)
    let records: ConsumedRecord[] | undefined = deaggregate([kinesisRecord]).records
    const copies = records.slice(0, 3).map(record => record.copy())
    const keys = records.map(record => record.partitionKey)
    expect([keys.length, copies[2]?.partitionKey]).to.deep.equal([2_000, 'a key of more than twelve characters, 2'])
    kinesisRecord = undefined
    records = undefined
    // A WeakRef is kept until the end of the turn in which it was looked at.
    await new Promise(resolve => setImmediate(resolve))
    collect()
    expect(response.deref()).to.equal(undefined)
    expect(copies.map(copy => copy.data.length)).to.deep.equal([200, 200, 200])
  })

  it('shows everything but its payload in a log', () => {
    const { record } = aMember()
    const shown = inspect(record)
    expect(shown).to.match(/^ConsumedRecord \{/)
    for (const part of ["sequenceNumber: '7'", 'subSequenceNumber: 3', "partitionKey: 'key'", 'byteLength: 6']) {
      expect(shown).to.include(part)
    }
    for (const text of [
      shown,
      inspect([record], { depth: 9 }),
      inspect(aRecord(Buffer.from('secret')), { showHidden: true })
    ]) {
      expect(text).to.not.include('secret')
      expect(text).to.not.include('73')
    }
  })

  it('is all of it in JSON, the payload in base64', () => {
    expect(JSON.parse(JSON.stringify(aMember().record))).to.deep.equal({
      sequenceNumber: '7',
      subSequenceNumber: 3,
      partitionKey: 'key',
      explicitHashKey: '42',
      arrivedAtMs: 1_700_000_000_000,
      encryptionType: 'KMS',
      aggregated: true,
      data: Buffer.from('secret').toString('base64')
    })
    expect(aRecord(Buffer.from('x')).toJSON()).to.deep.equal({
      sequenceNumber: '1',
      subSequenceNumber: 0,
      partitionKey: 'k',
      aggregated: false,
      data: 'eA=='
    })
  })

  it('has nothing that a spread would copy', () => {
    const { record, asked } = aMember()
    expect({ ...record }).to.deep.equal({})
    expect(asked).to.deep.equal([])
  })
})

/** A record of an aggregate, and what has been asked of that. */
function aMember(): { record: ConsumedRecord; asked: string[] } {
  const asked: string[] = []
  const ask = <T>(what: string, answer: T): T => {
    asked.push(what)
    return answer
  }
  const members: AggregateMembers = {
    partitionKeyOf: member => ask(`partitionKey ${member}`, 'key'),
    explicitHashKeyOf: member => ask(`explicitHashKey ${member}`, '42'),
    dataOf: member => ask(`data ${member}`, Buffer.from('a secret in a buffer').subarray(2, 8)),
    byteLengthOf: member => ask(`byteLength ${member}`, 6)
  }
  const kinesisRecord = {
    sequenceNumber: '7',
    partitionKey: 'a',
    data: new Uint8Array(20),
    arrivedAtMs: 1_700_000_000_000,
    encryptionType: 'KMS'
  }
  return { record: new ConsumedRecord(kinesisRecord, members, 3), asked }
}

/** Collects garbage, without a flag for the whole process. */
function gc(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}
