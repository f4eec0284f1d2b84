import { expect } from 'chai'
import { ServiceError } from '../../src/model/errors.ts'
import type { KinesisRecord } from '../../src/model/record.ts'
import type { RecordsAnswer } from '../../src/model/records-answer.ts'
import type { ChildShard } from '../../src/model/shard.ts'
import { decodeJsonAnswer } from '../../src/wire/json-answer.ts'
import { childShardFrom } from '../../src/wire/records-answer.ts'
import { seeds } from '../support/seeds.ts'
import { Chance, inJson, randomAnswer } from './random-answers.ts'

function finish<T>(work: Generator<void, T, void>): T {
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}

function plain({ sequenceNumber, partitionKey, data, arrivedAtMs, encryptionType }: KinesisRecord): object {
  return { sequenceNumber, partitionKey, data: Buffer.from(data).toString('hex'), arrivedAtMs, encryptionType }
}

function plainAnswer({ records, memoryBytes, recordCount, lastSequenceNumber, ...rest }: RecordsAnswer): object {
  expect(memoryBytes).to.be.at.least(rest.bytes)
  // What is known before the records are made is true of them.
  expect(recordCount).to.equal(records.length)
  expect(lastSequenceNumber).to.equal(records.at(-1)?.sequenceNumber)
  return { records: records.map(plain), ...rest }
}

/** What JSON.parse and Buffer.from make of a body; undefined if they, or its types, refuse it. */
function reference(body: Buffer): object | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(body.toString())
  } catch {
    return undefined
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined
  const {
    Records,
    NextShardIterator: next,
    MillisBehindLatest: behind,
    ChildShards: children
  } = parsed as Record<string, unknown>
  const isTyped = (value: unknown, type: string): boolean =>
    value === undefined || value === null || typeof value === type
  if (!Array.isArray(Records) || !isTyped(next, 'string') || !isTyped(behind, 'number')) return undefined
  const shards = childrenIn(children)
  if (shards === undefined) return undefined
  const records: object[] = []
  let bytes = 0
  for (const record of Records as unknown[]) {
    const {
      SequenceNumber: number,
      PartitionKey: key,
      Data,
      ApproximateArrivalTimestamp: at,
      EncryptionType: how
    } = Object(record) as Record<string, unknown>
    if (typeof number !== 'string' || number === '' || !isTyped(key, 'string') || !isTyped(Data, 'string'))
      return undefined
    if (!isTyped(at, 'number') || !isTyped(how, 'string')) return undefined
    const base64 = (Data ?? '') as string
    if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(base64) || base64.replace(/=+$/, '').length % 4 === 1) return undefined
    if (base64.endsWith('=') && base64.length % 4 !== 0) return undefined
    const data = Buffer.from(base64, 'base64')
    bytes += data.length
    const arrivedAtMs = typeof at === 'number' ? Math.round(at * 1000) : undefined
    const encryptionType = how ? how : undefined
    records.push({
      sequenceNumber: number,
      partitionKey: key ?? '',
      data: data.toString('hex'),
      arrivedAtMs,
      encryptionType
    })
  }
  return {
    records,
    bytes,
    millisBehindLatest: behind ?? 0,
    ...(next ? { nextIterator: next } : {}),
    ...(shards.length > 0 && { childShards: shards })
  }
}

function childrenIn(children: unknown): ChildShard[] | undefined {
  if (children === undefined || children === null) return []
  try {
    return Array.isArray(children) ? children.map(childShardFrom) : undefined
  } catch {
    return undefined
  }
}

function decoded(body: Buffer): object | undefined {
  try {
    return plainAnswer(finish(decodeJsonAnswer(body)))
  } catch (error) {
    expect(error).to.be.instanceOf(ServiceError).with.property('retryable', true)
    return undefined
  }
}

describe('decodeJsonAnswer', () => {
  for (const seed of seeds(4)) {
    it(`reads what JSON.parse reads (SEED=${seed})`, () => {
      const chance = new Chance(seed)
      for (let round = 0; round < 300; round++) {
        const body = Buffer.from(inJson(randomAnswer(chance), chance))
        const expected = reference(body)
        expect(expected).not.to.equal(undefined)
        expect(decoded(body), `round ${round}`).to.deep.equal(expected)
      }
    })

    it(`reads and refuses damaged JSON as JSON.parse does (SEED=${seed})`, () => {
      const chance = new Chance(seed)
      for (let round = 0; round < 300; round++) {
        const text = inJson(randomAnswer(chance, 3), chance)
        for (let damage = 0; damage < 10; damage++) {
          const body = damaged(Buffer.from(text), chance)
          expect(decoded(body), `round ${round}`).to.deep.equal(reference(body))
        }
      }
    })
  }

  const ODD: readonly [title: string, body: string][] = [
    ['nothing', ''],
    ['no object', '[]'],
    ['a number', '7'],
    ['HTML', '<html>no such page</html>'],
    ['what breaks off', '{"Records":[{"SequenceNumber":"1","Data":"c2VjcmV0'],
    ['what follows the answer', '{"Records":[]}{}'],
    ['a comma too many', '{"Records":[],}'],
    ['a record without a sequence number', '{"Records":[{"Data":"c2VjcmV0"}]}'],
    ['a record that is null', '{"Records":[null]}'],
    ['records that are no list', '{"Records":{"0":1}}'],
    ['records that are null', '{"Records":null,"NextShardIterator":"next"}'],
    ['an empty object, which would be the end of a shard', '{}'],
    ['what else is in JSON', '{"message":"ok","NextShardIterator":null}'],
    ['a sequence number that is a number', '{"Records":[{"SequenceNumber":7}]}'],
    ['a payload that is not base64', '{"Records":[{"SequenceNumber":"1","Data":"secret*"}]}'],
    ['a payload that is not text', '{"Records":[{"SequenceNumber":"1","Data":{}}]}'],
    ['a time that is text', '{"Records":[{"SequenceNumber":"1","ApproximateArrivalTimestamp":"now"}]}'],
    ['a control character in a key', '{"Records":[{"SequenceNumber":"1","PartitionKey":"a\nb"}]}'],
    ['an iterator that is a number', '{"Records":[],"NextShardIterator":7}'],
    ['an iterator that is false', '{"Records":[],"NextShardIterator":false}'],
    ['children that are no list', '{"Records":[],"ChildShards":7}'],
    ['a hash key that is no number', '{"Records":[],"ChildShards":[{"HashKeyRange":{"StartingHashKey":"secret"}}]}'],
    ['numbers that are none', '{"Records":[{"SequenceNumber":"1","ApproximateArrivalTimestamp":01.5}]}'],
    ['nesting without end', `{"x":${'['.repeat(200_000)}`]
  ]
  for (const [title, body] of ODD) {
    it(`refuses ${title}, and quotes nothing of it`, () => {
      const error = (() => {
        try {
          return finish(decodeJsonAnswer(Buffer.from(body)))
        } catch (thrown) {
          return thrown
        }
      })()
      expect(error).to.be.instanceOf(ServiceError)
      expect(error).to.include({ kind: 'other', retryable: true })
      for (const secret of ['secret', 'c2Vj']) expect((error as Error).message).not.to.include(secret)
    })
  }

  const FORMS: readonly [title: string, body: string][] = [
    ['names in escapes', '{"Records":[{"\\u0053equenceNumber":"1","D\\u0061ta":"AAAA"}]}'],
    ['the list in escapes', '{"\\u0052ecords":[{"SequenceNumber":"1"}]}'],
    [
      'names that occur twice',
      '{"Records":[{"SequenceNumber":"1","SequenceNumber":"2","PartitionKey":"\\t","PartitionKey":"b"}]}'
    ],
    [
      'lists that occur twice',
      '{"Records":[{"SequenceNumber":"1"},{"SequenceNumber":"2"}],"Records":[{"SequenceNumber":"3"}]}'
    ],
    ['a key that is empty in the end', '{"Records":[{"SequenceNumber":"1","PartitionKey":"\\t","PartitionKey":""}]}'],
    [
      'nothing in place of values',
      '{"Records":[{"SequenceNumber":"1","Data":null,"PartitionKey":null,"EncryptionType":null}]}'
    ],
    [
      'nothing in place of everything',
      '{"Records":[],"NextShardIterator":null,"MillisBehindLatest":null,"ChildShards":null}'
    ],
    [
      'payloads of which one has the length of another, and a quotation mark before it',
      '{"Records":[{"SequenceNumber":"1","Data":"AAAAAAAAAAAAAAAAAAAA"},{"SequenceNumber":"2","Data":"AAAA","X":"yzuvw"}]}'
    ],
    [
      'times to less than a millisecond',
      '{"Records":[{"SequenceNumber":"1","ApproximateArrivalTimestamp":1700000000.1239}]}'
    ],
    ['times before 1970', '{"Records":[{"SequenceNumber":"1","ApproximateArrivalTimestamp":-1.5}]}'],
    ['times in whole seconds', '{"Records":[{"SequenceNumber":"1","ApproximateArrivalTimestamp":1700000000}]}'],
    ['the beginning of 1970', '{"Records":[{"SequenceNumber":"1","ApproximateArrivalTimestamp":0}]}'],
    ['a field that is called as what objects inherit', '{"Records":[],"__proto__":{"NextShardIterator":"odd"}}'],
    ['a list that is empty', '{"Records":[]}']
  ]
  for (const [title, body] of FORMS) {
    it(`reads ${title} as JSON.parse does`, () => {
      const bytes = Buffer.from(body)
      expect(reference(bytes)).not.to.equal(undefined)
      expect(decoded(bytes)).to.deep.equal(reference(bytes))
    })
  }

  it('keeps payloads in a memory of their own that has no more than them', () => {
    const chance = new Chance(2)
    const body = Buffer.from(inJson(randomAnswer(chance, 50), chance))
    const { records, bytes } = finish(decodeJsonAnswer(body))
    const memories = new Set(records.map(({ data }) => data.buffer))
    expect([...memories].map(memory => memory.byteLength)).to.deep.equal([bytes])
    expect(memories.has(body.buffer)).to.equal(false)
  })

  it('keeps nothing of the body', () => {
    const body = Buffer.from(
      inJson(
        { records: [{ SequenceNumber: '17', PartitionKey: 'a key', Data: Buffer.from('x') }], fields: {} },
        new Chance(3)
      )
    )
    const { records } = finish(decodeJsonAnswer(body))
    body.fill(0)
    expect(records.map(plain)).to.deep.equal([
      { sequenceNumber: '17', partitionKey: 'a key', data: '78', arrivedAtMs: undefined, encryptionType: undefined }
    ])
  })

  it('can be interrupted while it reads a large answer', () => {
    const Data = Buffer.alloc(100).toString('base64')
    const Records = Array.from({ length: 10_000 }, (_, index) => ({
      SequenceNumber: String(index),
      PartitionKey: 'key',
      Data
    }))
    const odd = Buffer.from(
      JSON.stringify({ Records, 'an \n escape': 1 }).replace('PartitionKey', 'Partition\\u004bey')
    )
    for (const body of [Buffer.from(JSON.stringify({ Records })), odd]) {
      const work = decodeJsonAnswer(body)
      let pauses = 0
      while (work.next().done !== true) pauses += 1
      expect(pauses).to.be.greaterThan(10)
    }
  })
})

function damaged(body: Buffer, chance: Chance): Buffer {
  const at = chance.below(body.length)
  switch (chance.below(4)) {
    case 0:
      return body.subarray(0, at)
    case 1:
      return Buffer.concat([body.subarray(0, at), body.subarray(at + 1 + chance.below(3))])
    case 2:
      return Buffer.concat([
        body.subarray(0, at),
        Buffer.from(chance.of(['"', '\\', ',', '}', '{', ' ', '0', '\u0000', 'null'])),
        body.subarray(at)
      ])
    default: {
      const copy = Buffer.from(body)
      copy[at] = chance.of([34, 92, 44, 58, 123, 125, 91, 93, 48, 45, 101, 195, 32, 0])
      return copy
    }
  }
}
