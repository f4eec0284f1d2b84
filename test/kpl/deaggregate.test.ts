import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { aggregate, type UserRecord } from '../../src/kpl/aggregate.ts'
import { DeaggregationRoom, Deaggregator, deaggregate } from '../../src/kpl/deaggregate.ts'
import { hashKeyOf } from '../../src/kpl/hash-key.ts'
import { MAX_HASH_KEY } from '../../src/model/hash-key-range.ts'
import type { ConsumedRecord, KinesisRecord } from '../../src/model/record.ts'
import { type Random, seededRandom } from '../../src/runtime/random.ts'
import { seedOr } from '../support/seeds.ts'
import { decodePlainly, type PlainRecord } from './plain-decoder.ts'
import { deaggregateVector, inNotation, isWhole, recordOf, vectors } from './vectors.ts'

const KCL = { outOfRange: 'drop-aggregate', corrupt: 'kcl' } as const

/** Optional vectors with another result than the KCL's, and why. */
const NOT_AS_IN_KCL: Readonly<Record<string, string>> = {
  'ix-pk-index-2^32': 'the KCL cuts an index to 32 bits and reads the wrong entry; here it is out of range',
  'eh-arabic-digits': 'an explicit hash key is ASCII digits here',
  'u8-surrogate': 'WHATWG decoding gives one replacement character a byte, Java one for the three'
}

const SEED = seedOr(20_240)

describe('deaggregate', () => {
  describe('with the options of the KCL', () => {
    for (const vector of vectors.filter(({ name }) => NOT_AS_IN_KCL[name] === undefined)) {
      it(`does what the KCL does: ${vector.name}`, () => {
        expect(inNotation(vector, deaggregateVector(vector, KCL).records)).to.deep.equal(vector.expected)
      })
    }

    for (const [name, reason] of Object.entries(NOT_AS_IN_KCL)) {
      it(`differs from the KCL: ${name}, because ${reason}`, () => {
        const vector = vectors.find(candidate => candidate.name === name)
        if (vector === undefined) throw new Error(`no vector ${name}`)
        expect(vector.optional).to.equal(true)
        expect(inNotation(vector, deaggregateVector(vector, KCL).records)).to.not.deep.equal(vector.expected)
      })
    }
  })

  describe('by default', () => {
    for (const vector of vectors) {
      it(`loses nothing: ${vector.name}`, () => {
        const { data } = recordOf(vector)
        const { records } = deaggregateVector(vector)
        const got = inNotation(vector, records)
        if (got === 'passthrough') return
        const members = decodePlainly(data.subarray(4, -16))
        expect(records.map(contentOf)).to.deep.equal(members.map(contentOf))
        expect(records.map(record => record.subSequenceNumber)).to.deep.equal(members.map((_, i) => i))
      })
    }

    it('delivers an aggregate with a broken index whole, and counts it', () => {
      for (const vector of vectors.filter(({ name }) => name.startsWith('ix-'))) {
        const { records, corrupt, last } = deaggregateVector(vector)
        expect(inNotation(vector, records), vector.name).to.equal('passthrough')
        expect({ corrupt, last }, vector.name).to.deep.equal({
          corrupt: 1,
          last: { sequenceNumber: '7', subSequenceNumber: 0 }
        })
      }
    })

    it('delivers records of other shards, and counts them', () => {
      const kinesisRecord = aggregateOf(['a', 'b', 'c', 'd'])
      const outside = hashKeyOf('c')
      const hashKeyRange =
        outside > MAX_HASH_KEY / 2n ? { start: 0n, end: outside - 1n } : { start: outside + 1n, end: MAX_HASH_KEY }
      const expected = ['a', 'b', 'c', 'd'].filter(
        key => hashKeyOf(key) < hashKeyRange.start || hashKeyOf(key) > hashKeyRange.end
      )
      const result = deaggregate([kinesisRecord], { hashKeyRange })
      expect(result.records.map(record => record.partitionKey)).to.deep.equal(['a', 'b', 'c', 'd'])
      expect(result.outOfRange).to.equal(expected.length).and.to.be.at.least(1)
    })

    it('delivers a record whose explicit hash key is outside the hash space, and counts it', () => {
      for (const vector of vectors.filter(({ name }) =>
        ['eh-2^128', 'eh-negative', 'eh-negative-second'].includes(name)
      )) {
        const result = deaggregateVector(vector)
        expect(result.outOfRange, vector.name).to.equal(1)
        expect(result.corrupt, vector.name).to.equal(0)
        expect(
          result.records.every(record => record.aggregated),
          vector.name
        ).to.equal(true)
      }
    })
  })

  describe('when records are out of range', () => {
    // MD5: a = 0cc1…, b = 92eb…, c = 4a8a…, d = 8277…
    const lowerHalf = { start: 0n, end: MAX_HASH_KEY / 2n }
    const place = ({ partitionKey, subSequenceNumber }: ConsumedRecord) => `${partitionKey}${subSequenceNumber}`

    it('leaves out those only and keeps the sub-sequence numbers of the others, with drop-record', () => {
      const result = deaggregate([aggregateOf(['a', 'b', 'c', 'd'])], {
        outOfRange: 'drop-record',
        hashKeyRange: lowerHalf
      })
      expect(result.records.map(place)).to.deep.equal(['a0', 'c2'])
      expect(result.outOfRange).to.equal(2)
      expect(result.last).to.deep.equal({ sequenceNumber: '7', subSequenceNumber: 3 })
    })

    it('leaves out the whole aggregate and no other, with drop-aggregate', () => {
      const records = [aggregateOf(['a', 'c'], '1'), aggregateOf(['a', 'b', 'd'], '2'), aggregateOf(['c', 'a'], '3')]
      const result = deaggregate(records, { outOfRange: 'drop-aggregate', hashKeyRange: lowerHalf })
      expect(result.records.map(record => `${record.sequenceNumber}:${place(record)}`)).to.deep.equal([
        '1:a0',
        '1:c1',
        '3:c0',
        '3:a1'
      ])
      expect(result.outOfRange).to.equal(2)
    })

    it('advances last past an aggregate of which nothing is delivered', () => {
      const result = deaggregate([aggregateOf(['b', 'd', 'b'])], {
        outOfRange: 'drop-aggregate',
        hashKeyRange: lowerHalf
      })
      expect(result.records).to.deep.equal([])
      expect(result.last).to.deep.equal({ sequenceNumber: '7', subSequenceNumber: 2 })
    })

    it('never applies the range to a record that is no aggregate', () => {
      const plain = { sequenceNumber: '7', partitionKey: 'b', data: Uint8Array.of(1) }
      const result = deaggregate([plain], { outOfRange: 'drop-record', hashKeyRange: lowerHalf })
      expect(result.records).to.have.length(1)
      expect(result.outOfRange).to.equal(0)
    })
  })

  it('puts last at the last user record', () => {
    const plain = { sequenceNumber: '9', partitionKey: 'k', data: Uint8Array.of(1) }
    const tablesOnly = vectors.find(({ name }) => name === 'wf-tables-only')
    if (tablesOnly === undefined) throw new Error('no vector wf-tables-only')
    expect(deaggregate([])).to.deep.equal({ records: [], outOfRange: 0, corrupt: 0 })
    expect(deaggregate([aggregateOf(['a', 'b', 'c'])]).last).to.deep.equal({
      sequenceNumber: '7',
      subSequenceNumber: 2
    })
    expect(deaggregate([aggregateOf(['a', 'b']), plain]).last).to.deep.equal({
      sequenceNumber: '9',
      subSequenceNumber: 0
    })
    expect(deaggregate([recordOf(tablesOnly)]).last).to.deep.equal({ sequenceNumber: '7', subSequenceNumber: 0 })
  })

  it('gives each user record the arrival time and encryption of its Kinesis record', () => {
    const stamped = { ...aggregateOf(['a', 'b']), arrivedAtMs: 1_700_000_000_000, encryptionType: 'KMS' }
    const { records } = deaggregate([stamped, { ...stamped, data: Uint8Array.of(1) }])
    expect(records.map(record => [record.arrivedAtMs, record.encryptionType, record.aggregated])).to.deep.equal([
      [1_700_000_000_000, 'KMS', true],
      [1_700_000_000_000, 'KMS', true],
      [1_700_000_000_000, 'KMS', false]
    ])
  })

  it('delivers views on the data it is given, wherever in a buffer they are', () => {
    const { data, ...rest } = aggregateOf(['a', 'b'])
    const buffer = new Uint8Array(data.length + 10)
    buffer.set(data, 7)
    const { records } = deaggregate([{ ...rest, data: buffer.subarray(7, 7 + data.length) }])
    expect(records.map(record => record.text())).to.deep.equal(['0', '1'])
    expect(records.every(record => record.data.buffer === buffer.buffer)).to.equal(true)
  })

  it('delivers a record of no bytes', () => {
    const { records } = deaggregate([{ sequenceNumber: '7', partitionKey: 'k', data: new Uint8Array() }])
    expect(records.map(record => [record.data.length, record.aggregated])).to.deep.equal([[0, false]])
  })

  it('takes an aggregate of 10 MiB apart, of many records or of few', () => {
    for (const size of [0, 1000, 5_000_000]) {
      const count = Math.floor((10 * 1024 * 1024) / (size + 28))
      const users = Array.from({ length: count }, (_, i) => ({
        partitionKey: `key-${i}`,
        data: new Uint8Array(size).fill(i)
      }))
      const { records } = deaggregate([{ sequenceNumber: '7', ...aggregate(users) }])
      expect(records.length).to.equal(count)
      const wrong = records.findIndex(
        (record, i) =>
          record.partitionKey !== `key-${i}` ||
          record.data.length !== size ||
          (size > 0 && record.data.at(-1) !== (i & 0xff))
      )
      expect(wrong, `${count} records of ${size} bytes`).to.equal(-1)
    }
  })

  it('takes several aggregates of a batch apart, in the order of the batch, between other records', () => {
    const plain = { sequenceNumber: '3', partitionKey: 'k', data: Uint8Array.of(1) }
    const damaged = { ...aggregateOf(['x', 'y'], '4') }
    damaged.data.fill(0, 10, 11)
    const batch = [
      aggregateOf(['a', 'b'], '1'),
      aggregateOf(['c', 'd', 'e'], '2'),
      plain,
      damaged,
      aggregateOf(['f', 'g'], '5')
    ]
    const { records, last } = new Deaggregator().deaggregate(batch)
    expect(
      records.map(record => `${record.sequenceNumber}#${record.subSequenceNumber} ${record.partitionKey}`)
    ).to.deep.equal(['1#0 a', '1#1 b', '2#0 c', '2#1 d', '2#2 e', '3#0 k', '4#0 a', '5#0 f', '5#1 g'])
    expect(last).to.deep.equal({ sequenceNumber: '5', subSequenceNumber: 1 })
  })

  it('shares a room between shards, and keeps what it delivered as it was', () => {
    const room = new DeaggregationRoom()
    const lower = new Deaggregator(
      { hashKeyRange: { start: 0n, end: MAX_HASH_KEY / 2n }, outOfRange: 'drop-record' },
      room
    )
    const upper = new Deaggregator(
      { hashKeyRange: { start: MAX_HASH_KEY / 2n + 1n, end: MAX_HASH_KEY }, outOfRange: 'drop-record' },
      room
    )
    const keys = Array.from({ length: 3000 }, (_, i) => `partition key ${i}`)
    const isLower = (key: string) => hashKeyOf(key) <= MAX_HASH_KEY / 2n
    const first = lower.deaggregate([aggregateOf(keys, '1'), aggregateOf(keys.slice(0, 5), '2')])
    const second = upper.deaggregate([aggregateOf(keys.slice().reverse(), '3')])
    expect(first.records.map(record => record.partitionKey)).to.deep.equal(
      [...keys, ...keys.slice(0, 5)].filter(isLower)
    )
    expect(second.records.map(record => record.partitionKey)).to.deep.equal(keys.filter(key => !isLower(key)).reverse())
    expect(first.records.every(record => record.text() === String(record.subSequenceNumber))).to.equal(true)
    expect(first.outOfRange + first.records.length).to.equal(3005)
  })

  it('reads the data of a Kinesis record once before it delivers it', () => {
    let reads = 0
    const { data, ...rest } = aggregateOf(['a', 'b'])
    const kinesisRecord = {
      ...rest,
      get data() {
        reads++
        return data.slice()
      }
    }
    expect(deaggregate([kinesisRecord]).records.map(record => record.text())).to.deep.equal(['0', '1'])
    expect(reads).to.equal(1)
  })

  it('does not take what follows a key for a part of its last character', () => {
    // A key that ends with half a character, and behind it a tag whose first byte would be the other half.
    const halfKey = [0x0a, 2, 0x61, 0xc3]
    const message = Uint8Array.from([...halfKey, 0x8a, 0x00, 1, 0x62, 0x1a, 4, 8, 0, 0x1a, 0])
    const hash = hashKeyOf('a\ufffd')
    const options = { hashKeyRange: { start: hash, end: hash } }
    const result = new Deaggregator(options).deaggregate([signed(message)])
    expect(result.records.map(record => record.partitionKey)).to.deep.equal(['a\ufffd'])
    expect(result.outOfRange).to.equal(0)
  })

  it('gets over an explicit hash key of millions of digits in time', () => {
    for (const text of ['9'.repeat(5_000_000), `${'0'.repeat(5_000_000)}x`, `-${'0'.repeat(5_000_000)}`]) {
      const message = concat([
        field(0x0a, Buffer.from('k')),
        field(0x12, Buffer.from(text)),
        field(0x1a, Uint8Array.of(8, 0, 16, 0, 0x1a, 0))
      ])
      expect(deaggregate([signed(message)]).records).to.have.length(1)
    }
  })

  describe('of damaged aggregates', () => {
    it('delivers the Kinesis record as it is when a byte of it changed or its end is missing', () => {
      const random = seededRandom(SEED)
      for (let i = 0; i < 3000; i++) {
        const intact = aggregateOf(Array.from({ length: 2 + (i % 20) }, (_, k) => `key-${k % 5}`))
        const data = intact.data.slice(0, i % 3 === 0 ? int(random, intact.data.length) : undefined)
        if (data.length === intact.data.length) mutate(data, random)
        const damaged = { ...intact, data }
        const { records } = deaggregate([damaged])
        expect(
          records.length === 1 && isWhole(records[0] as ConsumedRecord, damaged),
          `SEED=${SEED}, round ${i}`
        ).to.equal(true)
      }
    })

    it('agrees with a plain decoder on messages that changed before they were signed', function () {
      // A machine that is busy with other things takes its time for so many.
      this.timeout(60_000)
      const random = seededRandom(SEED)
      const messages = vectors
        .filter(({ name, data }) => /^(wf|eh|u8)-/.test(name) && data.length < 150)
        .map(vector => recordOf(vector).data.subarray(4, -16))
      const outcomes = { whole: 0, apart: 0 }
      for (let i = 0; i < 20_000; i++) {
        const message = messages[i % messages.length]?.slice() ?? new Uint8Array()
        for (let n = int(random, 4); n >= 0; n--) mutate(message, random)
        const kinesisRecord = signed(message)
        const { records } = deaggregate([kinesisRecord])
        const members = plainlyOrNot(message)
        outcomes[members === undefined ? 'whole' : 'apart']++
        const because = `SEED=${SEED}, round ${i}: ${Buffer.from(message).toString('hex')}`
        if (members === undefined)
          expect(records.length === 1 && isWhole(records[0] as ConsumedRecord, kinesisRecord), because).to.equal(true)
        else expect(records.map(contentOf), because).to.deep.equal(members.map(contentOf))
      }
      expect(Math.min(outcomes.whole, outcomes.apart), JSON.stringify(outcomes)).to.be.above(1000)
    })
  })
})

/** An aggregate of records with these keys; the data of each is its place. */
function aggregateOf(keys: readonly string[], sequenceNumber = '7'): KinesisRecord {
  const users: UserRecord[] = keys.map((partitionKey, i) => ({ partitionKey, data: Buffer.from(String(i)) }))
  const { partitionKey, data } = aggregate(users)
  return { sequenceNumber, partitionKey, data }
}

function signed(message: Uint8Array): KinesisRecord {
  const magic = Uint8Array.of(0xf3, 0x89, 0x9a, 0xc2)
  const digest = createHash('md5').update(message).digest()
  return { sequenceNumber: '7', partitionKey: 'a', data: concat([magic, message, digest]) }
}

function field(tag: number, content: Uint8Array): Uint8Array {
  const length: number[] = []
  let rest = content.length
  for (; rest > 0x7f; rest >>>= 7) length.push((rest & 0x7f) | 0x80)
  return concat([Uint8Array.of(tag, ...length, rest), content])
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts))
}

function contentOf({ partitionKey, explicitHashKey, data }: PlainRecord): string {
  return JSON.stringify([partitionKey, explicitHashKey ?? null, Buffer.from(data).toString('hex')])
}

function plainlyOrNot(message: Uint8Array): PlainRecord[] | undefined {
  try {
    return decodePlainly(message)
  } catch {
    return undefined
  }
}

function int(random: Random, below: number): number {
  return Math.floor(random.next() * below)
}

function mutate(bytes: Uint8Array, random: Random): void {
  const at = int(random, bytes.length)
  bytes[at] = (bytes[at] as number) ^ (1 + int(random, 255))
}
