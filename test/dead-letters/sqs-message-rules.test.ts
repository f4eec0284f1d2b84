import { expect } from 'chai'
import { parseDeadLetter } from '../../src/dead-letters/letter-codec.ts'
import { messageOfLetter, regionOfQueue } from '../../src/dead-letters/sqs-message-rules.ts'
import { ServiceError } from '../../src/model/errors.ts'
import { aLetter, plain } from './letters.ts'

const QUEUE = 'https://sqs.eu-west-1.amazonaws.com/123456789012/letters'
const RULES = { queueUrl: QUEUE, maxMessageBytes: 1_048_576, groupBy: 'partitionKey' } as const
const FIFO = { ...RULES, queueUrl: `${QUEUE}.fifo` }

describe('messageOfLetter', () => {
  it('is the letter, and nothing else for a standard queue', () => {
    const message = messageOfLetter(aLetter(), RULES)
    expect(message).to.have.keys('bytes', 'body')
    expect(plain([parseDeadLetter(message.body)])).to.deep.equal(plain([aLetter()]))
    expect(message.bytes).to.equal(Buffer.byteLength(message.body))
  })

  it('counts bytes, not characters', () => {
    const { bytes, body } = messageOfLetter(aLetter({ partitionKey: 'ü' }), RULES)
    expect(bytes).to.equal(body.length + 1)
  })

  it('refuses a letter that is too large, and says where to', () => {
    const letter = aLetter({ data: Buffer.alloc(800_000) })
    expect(() => messageOfLetter(letter, RULES)).to.throw(
      ServiceError,
      /^The dead letter of 496\d+#0 of shardId-000000000000 has 106\d{4} bytes, and a message of https:\S+ at most 1048576: store dead letters in S3/
    )
  })

  it('groups by partition key or shard in a FIFO queue', () => {
    const group = (partitionKey: string, groupBy: 'partitionKey' | 'shard' = 'partitionKey') =>
      messageOfLetter(aLetter({ partitionKey }), { ...FIFO, groupBy }).groupId
    expect(group('customer-7')).to.equal('customer-7')
    expect(group('customer-7', 'shard')).to.equal('shardId-000000000000')
    for (const odd of ['two words', 'ü', '', 'x'.repeat(200)]) expect(group(odd)).to.match(/^[0-9a-f]{32}$/)
    expect(group('ü')).not.to.equal(group('ö'))
  })

  it('tells the same record from another in a FIFO queue', () => {
    const id = (with_: object) => messageOfLetter(aLetter(with_), FIFO).deduplicationId
    expect(id({ attempts: 3, givenUpAtMs: 9 })).to.equal(id({}))
    const others = [{ subSequenceNumber: 1 }, { sequenceNumber: '5' }, { shardId: 'shardId-1' }, { stream: 'x' }]
    expect(new Set([{}, ...others].map(id)).size).to.equal(5)
    expect(id({})).to.match(/^[0-9a-f]{32}$/)
  })
})

describe('regionOfQueue', () => {
  it('reads the region out of the URLs of AWS', () => {
    for (const [url, region] of [
      [QUEUE, 'eu-west-1'],
      ['https://sqs.cn-north-1.amazonaws.com.cn/1/q', 'cn-north-1'],
      ['https://sqs-fips.us-gov-west-1.amazonaws.com/1/q', 'us-gov-west-1'],
      ['https://sqs.us-east-1.api.aws/1/q', 'us-east-1'],
      ['http://localhost:9324/q', undefined]
    ]) {
      expect(regionOfQueue(url ?? '')).to.equal(region)
    }
  })
})
