import { expect } from 'chai'
import { z } from 'zod'
import {
  type GlueSchemaRegistryOptions,
  glueSchemaRegistry
} from '../../src/glue-schema-registry/glue-schema-registry.ts'
import { aggregate } from '../../src/kpl/aggregate.ts'
import { DeaggregationRoom, Deaggregator } from '../../src/kpl/deaggregate.ts'
import { OptionError, RecordUndecodableError } from '../../src/model/errors.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import { aRecord, recordOf, StubGlue, VECTORS, type Vector, vector, withHeader } from './registry.ts'

const ID = '11111111-2222-3333-4444-555555555555'

function aDecoder<Value = unknown>(options: GlueSchemaRegistryOptions<Value> = {}, stub = new StubGlue()) {
  return glueSchemaRegistry<Value>({ client: stub.client, ...options })
}

/** Why a record cannot be decoded. */
async function refusal(record: ConsumedRecord, options: GlueSchemaRegistryOptions = {}, stub?: StubGlue) {
  try {
    await aDecoder(options, stub).decode(record)
  } catch (error) {
    expect(error).to.be.instanceOf(RecordUndecodableError)
    return error as RecordUndecodableError
  }
  throw new Error('Not refused')
}

const ORDER = { orderId: 'o-1', cents: 9_007_199_254_740_991 }
const DIGEST = [0, 255, 16]

/** What each vector was made of. */
const EXPECTED: Readonly<Record<string, unknown>> = {
  'AVRO an order': {
    ...ORDER,
    cents: 9_007_199_254_740_990,
    note: 'ring twice',
    state: 'PAID',
    tags: ['new', 'gift'],
    weights: { box: 1.5 },
    digest: DIGEST
  },
  'JSON an order': { orderId: 'o-1', cents: 1250 },
  'PROTOBUF an order': {
    ...ORDER,
    lines: [{ sku: 's-1', cents: 700 }],
    state: 'PAID',
    itemWeights: { box: 1.5 },
    digest: DIGEST,
    card: 'visa'
  },
  'PROTOBUF a line': { sku: 's-2', cents: -1 },
  'PROTOBUF a gift': { to: 'Ada' },
  'PROTOBUF a zebra': { name: 'Zoe' },
  'PROTOBUF an address': { city: 'Ulm' }
}

/** With bytes as arrays, and no classes. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value]
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]))
}

describe('glueSchemaRegistry', () => {
  for (const each of VECTORS) {
    it(`decodes ${each.name} of Java's serializer in ${each.format}${each.compressed ? ', compressed' : ''}`, async () => {
      expect(plain(await aDecoder().decode(recordOf(each)))).to.deep.equal(EXPECTED[`${each.format} ${each.name}`])
    })
  }

  it('decodes at once what it has the schema of, and asks for that once', async () => {
    const stub = new StubGlue()
    const decoder = aDecoder({}, stub)
    const [one, other] = [recordOf(vector('JSON')), recordOf(vector('JSON', 'an order', true))]
    const both = [decoder.decode(one), decoder.decode(other)]
    expect(await Promise.all(both)).to.deep.equal([EXPECTED['JSON an order'], EXPECTED['JSON an order']])
    expect(decoder.decode(one)).to.deep.equal(EXPECTED['JSON an order'])
    expect(stub.asked).to.deep.equal([vector('JSON').schemaVersionId])
  })

  it('takes user records out of an aggregate, each with a header of its own', async () => {
    const payloads = [vector('JSON'), vector('AVRO'), vector('PROTOBUF', 'an order', true)]
    const records = payloads.map(({ record }) => ({ partitionKey: 'key', data: Buffer.from(record, 'base64') }))
    const { partitionKey, data } = aggregate(records)
    const whole = new ConsumedRecord({ sequenceNumber: '1', partitionKey, data })
    const { records: members } = new Deaggregator({ outOfRange: 'deliver' }, new DeaggregationRoom()).deaggregate([
      whole
    ])
    const decoder = aDecoder()
    const decoded = await Promise.all([...members].map(member => decoder.decode(member)))
    expect(decoded.map(plain)).to.deep.equal(
      ['JSON an order', 'AVRO an order', 'PROTOBUF an order'].map(name => EXPECTED[name])
    )
  })

  it('says of records without a header so, or has them decoded in another way', async () => {
    for (const data of ['', 'no', '{"orderId":"o-1"}', Buffer.alloc(18, 3), Buffer.from([4, ...Buffer.alloc(30)])]) {
      const record = aRecord(data)
      expect((await refusal(record)).reason).to.equal('no-header')
      expect(await aDecoder({ withoutHeader: each => each.byteLength }).decode(record)).to.equal(record.byteLength)
    }
    const schema = z.object({ orderId: z.string() })
    expect(await aDecoder({ withoutHeader: schema }).decode(aRecord('{"orderId":"o-1"}'))).to.deep.equal({
      orderId: 'o-1'
    })
  })

  it('judges what was decoded by a schema, whose type it has', async () => {
    const schema = z.object({ orderId: z.string(), cents: z.number().max(1_000) })
    const decoder = aDecoder({ schema: schema.omit({ cents: true }) })
    const value: { orderId: string } = await decoder.decode(recordOf(vector('JSON')))
    expect(value).to.deep.equal({ orderId: 'o-1' })
    const error = await refusal(recordOf(vector('JSON')), { schema })
    expect(error).to.include({ reason: 'schema-mismatch' })
    expect(error.message).to.match(/does not fit the schema: 1 issue at cents$/)
  })

  it('bounds what a payload inflates to', async () => {
    const bomb = aRecord(withHeader(vector('JSON').schemaVersionId, Buffer.alloc(1_000_000, ' '), true))
    const error = await refusal(bomb, { maxBytes: 100_000 })
    expect(error.reason).to.equal('too-large')
    expect(error.message).to.match(/its 9\d\d bytes inflate to more than maxBytes, which is 100000/)
    expect((await refusal(bomb)).reason).to.equal('not-json')
    const broken = Buffer.concat([withHeader(ID, '').fill(5, 1, 2), Buffer.from('none')])
    expect(
      (await refusal(aRecord(broken), {}, new StubGlue({ [ID]: { DataFormat: 'JSON', SchemaDefinition: '{}' } })))
        .reason
    ).to.equal('not-zlib')
  })

  it('reads Avro as a schema of the reader has it', async () => {
    const readerSchema = {
      type: 'record',
      name: 'Order',
      namespace: 'shop',
      fields: [
        { name: 'orderId', type: 'string' },
        { name: 'currency', type: 'string', default: 'EUR' }
      ]
    }
    for (const given of [readerSchema, JSON.stringify(readerSchema)]) {
      const value = await aDecoder({ readerSchema: given }).decode(recordOf(vector('AVRO')))
      expect(plain(value)).to.deep.equal({ orderId: 'o-1', currency: 'EUR' })
    }
    const other = { ...readerSchema, fields: [{ name: 'price', type: 'string' }] }
    expect((await refusal(recordOf(vector('AVRO')), { readerSchema: other })).reason).to.equal('schema-mismatch')
  })

  it('takes numbers of 64 bits as they are asked for, and never rounds one', async () => {
    const avro = { DataFormat: 'AVRO', SchemaDefinition: '"long"' }
    const protobuf = {
      DataFormat: 'PROTOBUF',
      SchemaDefinition: 'message A { required uint64 n = 1; map<int64, int64> m = 2; }'
    }
    const [long, message] = ['8080808080808020', '0008ffffffffffffffffff01']
    const stub = new StubGlue({ [ID]: avro, [ID.replaceAll('1', '9')]: protobuf })
    const records = [
      aRecord(withHeader(ID, Buffer.from(long, 'hex'))),
      aRecord(withHeader(ID.replaceAll('1', '9'), Buffer.from(message, 'hex')))
    ]
    for (const record of records) {
      const error = await refusal(record, {}, stub)
      expect(error.reason).to.equal('inexact-number')
      expect(error.message).to.match(/option longs: 'bigint'/)
    }
    const [first, second] = await Promise.all(records.map(each => aDecoder({ longs: 'bigint' }, stub).decode(each)))
    expect(first).to.equal(2n ** 53n)
    expect(second).to.deep.equal({ n: 2n ** 64n - 1n, m: {} })
  })

  it('names fields as the schema does, where that is asked for', async () => {
    const value = await aDecoder({ fieldNames: 'as-written' }).decode(recordOf(vector('PROTOBUF')))
    expect(value)
      .to.include({ order_id: 'o-1' })
      .and.deep.include({ item_weights: { box: 1.5 } })
  })

  it('counts maps that a schema does not show the entries of, and imports what comes with Protocol Buffers', async () => {
    const SchemaDefinition = `syntax = "proto3"; package shop; import "google/protobuf/timestamp.proto";
      message B { map<int64, string> names_by_id = 1; google.protobuf.Timestamp at = 2; optional int32 n = 3; int32 m = 4; message Z {} }`
    const stub = new StubGlue({ [ID]: { DataFormat: 'PROTOBUF', SchemaDefinition } })
    const payload = Buffer.from('000a0708ff01120266661204080710ff', 'hex')
    const good = Buffer.from('000a0708ff011202666612020807', 'hex')
    const value = await aDecoder({}, stub).decode(aRecord(withHeader(ID, good)))
    expect(value).to.deep.equal({ namesById: { 255: 'ff' }, at: { seconds: 7, nanos: 0 }, m: 0 })
    // shop.B, shop.B.NamesByIdEntry, shop.B.Z: the second is no message that is sent.
    expect(await aDecoder({}, stub).decode(aRecord(withHeader(ID, Buffer.from([2]))))).to.deep.equal({})
    for (const data of [payload, Buffer.from([1]), Buffer.from([3]), Buffer.from([255]), Buffer.alloc(0)]) {
      expect((await refusal(aRecord(withHeader(ID, data)), {}, stub)).reason).to.equal('bad-payload')
    }
  })

  it('says what is wrong with a payload, or a schema, and quotes nothing of it', async () => {
    const stub = new StubGlue({
      [ID]: { DataFormat: 'AVRO', SchemaDefinition: 'none' },
      [ID.replaceAll('1', '8')]: { DataFormat: 'PROTOBUF', SchemaDefinition: 'message {' },
      [ID.replaceAll('1', '7')]: { DataFormat: 'CSV', SchemaDefinition: 'a,b' },
      [ID.replaceAll('1', '6')]: { DataFormat: 'PROTOBUF', SchemaDefinition: 'import "other.proto"; message A {}' },
      [ID.replaceAll('1', '5')]: {}
    })
    const cut = ({ record }: Vector): ConsumedRecord => aRecord(Buffer.from(record, 'base64').subarray(0, 25))
    const reasons: string[] = []
    for (const record of [
      ...[ID, ID.replaceAll('1', '8'), ID.replaceAll('1', '7'), ID.replaceAll('1', '6'), ID.replaceAll('1', '5')].map(
        id => aRecord(withHeader(id, 'secret'))
      ),
      ...[vector('AVRO'), vector('JSON'), vector('PROTOBUF')].map(cut)
    ]) {
      const { reason, message, sequenceNumber } = await refusal(record, {}, stub)
      reasons.push(reason)
      expect(sequenceNumber).to.equal('7')
      expect(message).to.not.match(/secret|o-1/)
    }
    expect(reasons).to.deep.equal([
      ...['bad-schema', 'bad-schema', 'bad-schema', 'bad-schema', 'unknown-schema'],
      ...['bad-payload', 'not-json', 'bad-payload']
    ])
  })

  it('refuses options that make no sense', () => {
    const bad: readonly (readonly [object, RegExp])[] = [
      [{ regoin: 'x' }, /regoin: is not known/],
      [{ maxBytes: 1 }, /maxBytes: is 1, expected a whole number from 1024/],
      [{ maxSchemas: 0 }, /maxSchemas/],
      [{ unknownForMs: -1 }, /unknownForMs/],
      [{ requestTimeoutMs: 'soon' }, /requestTimeoutMs: is "soon"/],
      [{ longs: 'long' }, /longs: is "long", expected 'number' or 'bigint'/],
      [{ fieldNames: 'snake' }, /fieldNames/],
      [{ withoutHeader: 'pass' }, /withoutHeader: is "pass"/],
      [{ schema: () => {} }, /schema: is a function, expected a schema/],
      [{ readerSchema: 7 }, /readerSchema: is 7/]
    ]
    for (const [options, message] of bad) expect(() => aDecoder(options)).to.throw(OptionError, message)
  })

  it('says that a schema of the reader is none once it is needed', async () => {
    const decoder = aDecoder({ readerSchema: { type: 'no such type' } })
    const error = await Promise.resolve(decoder.decode(recordOf(vector('AVRO')))).then(
      () => new Error('Not refused'),
      (thrown: Error) => thrown
    )
    expect(error).to.be.instanceOf(OptionError)
    expect(error.message).to.match(/^Option readerSchema: is no schema of Avro/)
  })
})
