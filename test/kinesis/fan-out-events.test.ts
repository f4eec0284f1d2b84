import { expect } from 'chai'
import { decodeEvent } from '../../src/kinesis/fan-out-events.ts'
import type { SubscriptionEvent } from '../../src/kinesis/fan-out-port.ts'
import { ServiceError } from '../../src/model/errors.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { seeds } from '../support/seeds.ts'

function decoded(json: string): SubscriptionEvent {
  const work = decodeEvent(new TextEncoder().encode(json))
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}

function plain({ records, ...event }: SubscriptionEvent): object {
  const plainRecords = records.map(({ sequenceNumber, partitionKey, data, arrivedAtMs, encryptionType }) => ({
    ...{ sequenceNumber, partitionKey, data: Buffer.from(data).toString('latin1'), arrivedAtMs, encryptionType }
  }))
  return { ...event, records: plainRecords }
}

const RECORD = {
  SequenceNumber: '7',
  PartitionKey: 'key',
  Data: 'aGVsbG8=',
  ApproximateArrivalTimestamp: 1_700_000_000.123
}
const HELLO = { sequenceNumber: '7', partitionKey: 'key', data: 'hello', arrivedAtMs: 1_700_000_000_123 }
const EVENT = { Records: [RECORD], ContinuationSequenceNumber: '7', MillisBehindLatest: 5 }

describe('decodeEvent', () => {
  it('decodes what the service sends', () => {
    expect(plain(decoded(JSON.stringify(EVENT)))).to.deep.equal({
      records: [{ ...HELLO, encryptionType: undefined }],
      continuationSequenceNumber: '7',
      millisBehindLatest: 5
    })
  })

  it('decodes it in any order, with any spaces, and with escapes', () => {
    const { Records, ...others } = EVENT
    const expected = plain(decoded(JSON.stringify(EVENT)))
    expect(plain(decoded(JSON.stringify({ ...others, Records }, null, 2)))).to.deep.equal(expected)
    expect(plain(decoded(JSON.stringify(EVENT).replace('key', '\\u006bey')))).to.deep.equal(expected)
  })

  it('names the children of a shard that ends', () => {
    const HashKeyRange = { StartingHashKey: '0', EndingHashKey: '340282366920938463463374607431768211455' }
    const ChildShards = [{ ShardId: 'b', ParentShards: ['a'], HashKeyRange }]
    expect(decoded(JSON.stringify({ Records: [], MillisBehindLatest: 0, ChildShards }))).to.deep.equal({
      records: [],
      millisBehindLatest: 0,
      childShards: [{ shardId: 'b', parentShardIds: ['a'], hashKeyRange: { start: 0n, end: 2n ** 128n - 1n } }]
    })
  })

  it('takes null for nothing', () => {
    const json = '{"Records":[],"ContinuationSequenceNumber":null,"MillisBehindLatest":null,"ChildShards":null}'
    expect(decoded(json)).to.deep.equal({ records: [], millisBehindLatest: 0 })
  })

  it('puts the data of all records into one buffer of their own', () => {
    const Records = ['YQ==', 'YmI=', '', 'Y2Nj'].map(Data => ({ ...RECORD, Data }))
    for (const odd of ['', '\\u006b']) {
      const json = JSON.stringify({ ...EVENT, Records }).replace('"key"', `"${odd}ey"`)
      const { records } = decoded(json)
      expect(new Set(records.map(({ data }) => data.buffer)).size).to.equal(1)
      expect(records[0]?.data.buffer.byteLength).to.equal(6)
    }
  })

  it('does not take for the end of a shard, or for anything, what is no event', () => {
    const nonsense = ['', '{', '[]', '7', 'null', '{}', '{"Records":null}', '{"Records":7}', '{"message":"secret"}']
    const odd = ['"ContinuationSequenceNumber":7', '"ContinuationSequenceNumber":false', '"MillisBehindLatest":"0"']
    nonsense.push('{"ContinuationSequenceNumber":"7"}', ...[...odd, '"ChildShards":7'].map(x => `{"Records":[],${x}}`))
    for (const json of [...nonsense, '{"Records":[{}]}', '{"Records":[{"Data":"secret"}]}', '{"Records":[null]}']) {
      try {
        decoded(json)
        expect.fail(`${json} passed`)
      } catch (error) {
        expect(error, json).to.be.instanceOf(ServiceError)
        expect(error).to.include({ kind: 'other', retryable: true })
        expect(String(error)).not.to.include('secret')
      }
    }
  })

  it('refuses payloads that are not base64, as for answers', () => {
    for (const data of ['"YWJj!!ZGVm"', '"YWJj\\nZGVm"', '"Y"', '17', '"Y==="']) {
      const json = JSON.stringify(EVENT).replace('"aGVsbG8="', data)
      expect(() => decoded(json), data).to.throw(ServiceError, 'the answer could not be read')
    }
  })

  it('decodes random events as JSON.parse does', () => {
    for (const seed of seeds(100)) {
      const random = seededRandom(seed)
      const Records = Array.from({ length: Math.floor(random.next() * 5) }, (_, index) => ({
        SequenceNumber: String(index + 1),
        PartitionKey: ['key', 'ключ', '🦭', '"quoted"\n'][Math.floor(random.next() * 4)],
        Data: Buffer.from(Array.from({ length: Math.floor(random.next() * 9) }, () => random.next() * 256)).toString(
          'base64'
        ),
        ...(random.next() < 0.5 && { ApproximateArrivalTimestamp: Math.floor(random.next() * 1e12) / 1000 }),
        ...(random.next() < 0.5 && { EncryptionType: random.next() < 0.5 ? 'KMS' : 'NONE' })
      }))
      const event = decoded(JSON.stringify({ ...EVENT, Records }))
      expect(plain(event), `SEED=${seed}`).to.deep.equal({
        continuationSequenceNumber: '7',
        millisBehindLatest: 5,
        records: Records.map(({ SequenceNumber, PartitionKey, Data, ...others }) => ({
          sequenceNumber: SequenceNumber,
          partitionKey: PartitionKey,
          data: Buffer.from(Data, 'base64').toString('latin1'),
          arrivedAtMs: others.ApproximateArrivalTimestamp && Math.round(others.ApproximateArrivalTimestamp * 1000),
          encryptionType: others.EncryptionType
        }))
      })
    }
  })
})
