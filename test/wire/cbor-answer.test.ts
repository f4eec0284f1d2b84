import { expect } from 'chai'
import type { RecordsAnswer } from '../../src/model/records-answer.ts'
import { decodeCborAnswer } from '../../src/wire/cbor-answer.ts'
import { childShardFrom } from '../../src/wire/records-answer.ts'
import { seeds } from '../support/seeds.ts'
import { type CborForm, Chance, cborOf, doubleOf, inCbor, type MadeAnswer, randomAnswer } from './random-answers.ts'

function decoded(body: Buffer): RecordsAnswer | undefined {
  const work = decodeCborAnswer(body)
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}

function plain(answer: RecordsAnswer | undefined): object | undefined {
  if (answer === undefined) return undefined
  const records = answer.records.map(({ sequenceNumber, partitionKey, data, arrivedAtMs, encryptionType }) => ({
    sequenceNumber,
    partitionKey,
    data: Buffer.from(data).toString('hex'),
    arrivedAtMs,
    encryptionType
  }))
  const { memoryBytes, recordCount, lastSequenceNumber, ...rest } = answer
  expect(memoryBytes).to.be.at.least(rest.bytes)
  expect(recordCount).to.equal(records.length)
  expect(lastSequenceNumber).to.equal(records.at(-1)?.sequenceNumber)
  return { ...rest, records }
}

function expected({ records, fields }: MadeAnswer): object {
  const {
    NextShardIterator: next,
    MillisBehindLatest: behind,
    ChildShards: children
  } = fields as Record<string, unknown>
  return {
    records: records.map(({ SequenceNumber, PartitionKey, Data, arrivedAtMs, EncryptionType }) => ({
      sequenceNumber: SequenceNumber,
      // Text is UTF-8 here.
      partitionKey: Buffer.from(PartitionKey).toString(),
      data: Data.toString('hex'),
      arrivedAtMs,
      encryptionType: EncryptionType
    })),
    bytes: records.reduce((sum, { Data }) => sum + Data.length, 0),
    millisBehindLatest: behind,
    ...(next ? { nextIterator: next } : {}),
    ...(Array.isArray(children) && { childShards: children.map(childShardFrom) })
  }
}

const ONE: MadeAnswer = {
  records: [{ SequenceNumber: '17', PartitionKey: 'key', Data: Buffer.from('abc'), arrivedAtMs: 1_700_000_000_123 }],
  fields: { MillisBehindLatest: 0, NextShardIterator: 'next' }
}

describe('decodeCborAnswer', () => {
  for (const seed of seeds(3)) {
    it(`reads what the service writes (SEED=${seed})`, () => {
      const chance = new Chance(seed)
      for (let round = 0; round < 200; round++) {
        const answer = randomAnswer(chance)
        expect(plain(decoded(inCbor(answer, { indefinite: chance.below(2) === 0 })))).to.deep.equal(expected(answer))
      }
    })

    it(`never throws on damaged bytes (SEED=${seed})`, () => {
      const chance = new Chance(seed)
      for (let round = 0; round < 2_000; round++) {
        const body = inCbor(randomAnswer(chance, 3), { indefinite: chance.below(2) === 0 })
        const at = chance.below(body.length)
        if (chance.below(2) === 0) decoded(body.subarray(0, at))
        else {
          body[at] = chance.below(256)
          plain(decoded(body))
        }
      }
    })
  }

  const TIMES: readonly [title: string, timeOf: (ms: number) => Buffer][] = [
    ['milliseconds', cborOf],
    ['milliseconds in floating point', doubleOf],
    ['seconds', ms => doubleOf(ms / 1000)],
    ['seconds with the tag of times', ms => Buffer.concat([Buffer.from([0xc1]), doubleOf(ms / 1000)])],
    ['milliseconds with the tag of times', ms => Buffer.concat([Buffer.from([0xc1]), cborOf(ms)])]
  ]
  for (const [title, timeOf] of TIMES) {
    it(`reads times in ${title}`, () => {
      expect(decoded(inCbor(ONE, { timeOf }))?.records[0]?.arrivedAtMs).to.equal(1_700_000_000_123)
    })
  }

  const ODD: readonly [title: string, form: CborForm][] = [
    ['payloads in text', { dataOf: data => cborOf(data.toString('base64')) }],
    ['payloads in pieces', { dataOf: data => Buffer.concat([Buffer.from([0x5f]), cborOf(data), Buffer.from([0xff])]) }],
    ['times in text', { timeOf: ms => cborOf(String(ms)) }]
  ]
  for (const [title, form] of ODD) {
    it(`does not guess at ${title}`, () => {
      expect(decoded(inCbor(ONE, form))).to.equal(undefined)
    })
  }

  it('does not guess at a name whose length is written in another form', () => {
    const body = inCbor(ONE)
    const at = body.indexOf('\x64Data', 'latin1')
    const other = Buffer.concat([body.subarray(0, at), Buffer.from([0x78, 4]), body.subarray(at + 1)])
    expect(decoded(other)).to.equal(undefined)
  })

  it('does not take JSON, nothing, or what is followed by something', () => {
    for (const body of [
      Buffer.from('{"Records":[]}'),
      Buffer.alloc(0),
      Buffer.concat([inCbor(ONE), Buffer.from([0])])
    ]) {
      expect(decoded(body)).to.equal(undefined)
    }
  })

  it('does not take an answer without records, or with an odd iterator, for the end of a shard', () => {
    for (const fields of [
      {},
      { Records: null },
      { message: 'ok', NextShardIterator: null },
      { Records: [], NextShardIterator: 7 },
      { Records: [], NextShardIterator: Buffer.from('next') },
      { Records: [], NextShardIterator: false }
    ]) {
      expect(decoded(cborOf(fields)), JSON.stringify(fields)).to.equal(undefined)
    }
    expect(decoded(cborOf({ Records: [], NextShardIterator: null }))).to.have.property('millisBehindLatest', 0)
  })

  it('takes a field that is called as what objects inherit for any other', () => {
    const body = Buffer.concat([
      Buffer.from([0xa2]),
      ...[cborOf('Records'), cborOf([]), cborOf('__proto__'), cborOf({ NextShardIterator: 'odd' })]
    ])
    expect(decoded(body)).not.to.equal(undefined)
    expect(decoded(body)).not.to.have.property('nextIterator')
  })

  it('does not take a record without a sequence number', () => {
    expect(
      decoded(inCbor({ ...ONE, records: [{ SequenceNumber: '', PartitionKey: 'k', Data: Buffer.alloc(1) }] }))
    ).to.equal(undefined)
  })

  it('passes over fields that it does not know', () => {
    const body = cborOf({
      New: [{ a: 1 }],
      Records: [{ SequenceNumber: '1', New: { b: [2] }, Data: Buffer.from('x') }]
    })
    expect(plain(decoded(body))).to.have.property('bytes', 1)
  })

  it('hands payloads on without a copy, and keys that outlive them', () => {
    const body = inCbor(ONE)
    const record = decoded(body)?.records[0]
    expect(record?.data.buffer).to.equal(body.buffer)
    body.fill(0)
    expect(record?.partitionKey).to.equal('key')
    expect(record?.sequenceNumber).to.equal('17')
  })
})
