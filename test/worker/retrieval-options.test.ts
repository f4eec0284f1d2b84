import { getHeapStatistics } from 'node:v8'
import { expect } from 'chai'
import { OptionError, type RetrievalOptions } from '../../src/index.ts'
import { resolveRetrieval } from '../../src/worker/retrieval-options.ts'

const CONSUMER_ARN = 'arn:aws:kinesis:eu-central-1:123456789012:stream/orders/consumer/indexer:1700000000'
const MIB = 1_048_576

function errorOf(given: unknown): OptionError {
  try {
    resolveRetrieval(given as RetrievalOptions, 'indexer')
  } catch (error) {
    expect(error).to.be.instanceOf(OptionError)
    return error as OptionError
  }
  throw new Error(`Not refused: ${JSON.stringify(given)}`)
}

/** Options, the name that is refused, how the message shows the value, what it says was expected. */
const WRONG: readonly (readonly [object, string, string, string])[] = [
  [{ mode: 'push' }, 'mode', '"push"', "'polling' or 'fan-out'"],
  [{ maxRecords: 0 }, 'maxRecords', '0', 'from 1 to 10,000'],
  [{ maxRecords: 10_001 }, 'maxRecords', '10001', 'from 1 to 10,000'],
  [{ maxRecords: 1.5 }, 'maxRecords', '1.5', 'whole number'],
  [{ maxRecords: '5' }, 'maxRecords', '"5"', 'whole number'],
  [{ idleMs: 199 }, 'idleMs', '199', '200 to 60,000 milliseconds'],
  [{ idleMs: 60_001 }, 'idleMs', '60001', '200 to 60,000 milliseconds'],
  [{ requestTimeoutMs: 999 }, 'requestTimeoutMs', '999', '1,000 to 120,000 milliseconds'],
  [{ requestTimeoutMs: Number.NaN }, 'requestTimeoutMs', 'NaN', '1,000 to 120,000 milliseconds'],
  [{ otherApplications: -1 }, 'otherApplications', '-1', 'from 0 to 4'],
  [{ otherApplications: 5 }, 'otherApplications', '5', 'from 0 to 4'],
  [{ wire: 'xml' }, 'wire', '"xml"', "'json' or 'cbor'"],
  [{ maxBufferedBytes: MIB - 1 }, 'maxBufferedBytes', '1048575', '1,048,576 to 1,099,511,627,776 bytes'],
  [
    { maxBufferedBytes: 2 * MIB, maxShardBufferedBytes: 3 * MIB },
    'maxShardBufferedBytes',
    '3145728',
    '2,097,152 bytes'
  ],
  [{ mode: 'fan-out', consumerName: 'a b' }, 'consumerName', '"a b"', '1 to 128'],
  [{ mode: 'fan-out', consumerName: '' }, 'consumerName', '""', '1 to 128'],
  [{ mode: 'fan-out', consumerArn: 'arn:aws:kinesis' }, 'consumerArn', '"arn:aws:kinesis"', 'stream consumer'],
  [{ mode: 'fan-out', consumerName: 'a', consumerArn: CONSUMER_ARN }, 'consumerName', '"a"', 'one of the two'],
  [{ mode: 'fan-out', fallback: 'stop' }, 'fallback', '"stop"', "'polling' or 'none'"],
  [{ consumerName: 'indexer' }, 'consumerName', '"indexer"', "beside mode 'fan-out'"],
  [{ mode: 'polling', consumerArn: CONSUMER_ARN }, 'consumerArn', '"arn:aws:kinesis:', "beside mode 'fan-out'"],
  [{ fallback: 'none' }, 'fallback', '"none"', "beside mode 'fan-out'"]
]

describe('resolveRetrieval', () => {
  for (const [given, name, shown, expected] of WRONG) {
    it(`refuses ${name}: ${shown}, and says what was expected: ${expected}`, () => {
      const error = errorOf(given)
      expect(error.option).to.equal(`retrieval.${name}`)
      expect(error.message).to.include(shown).and.include(expected)
    })
  }

  it('polls by default, and buffers a quarter of the limit of the heap', () => {
    expect(resolveRetrieval(undefined, 'indexer')).to.deep.equal({
      mode: 'polling',
      consumer: { consumerName: 'indexer' },
      fallback: 'polling',
      maxRecords: 10_000,
      idleMs: 250,
      requestTimeoutMs: 10_000,
      otherApplications: 0,
      wire: 'json',
      maxBufferedBytes: Math.floor(getHeapStatistics().heap_size_limit / 4),
      maxShardBufferedBytes: 32 * MIB
    })
  })

  it('lets one shard hold no more than the worker may', () => {
    const { maxShardBufferedBytes } = resolveRetrieval({ maxBufferedBytes: 5 * MIB }, 'indexer')
    expect(maxShardBufferedBytes).to.equal(5 * MIB)
  })

  it('takes a consumer by name or by ARN, and names it like the application by default', () => {
    const consumerOf = (given: RetrievalOptions) => resolveRetrieval(given, 'indexer').consumer
    expect(consumerOf({ mode: 'fan-out' })).to.deep.equal({ consumerName: 'indexer' })
    expect(consumerOf({ mode: 'fan-out', consumerName: 'other' })).to.deep.equal({ consumerName: 'other' })
    expect(consumerOf({ mode: 'fan-out', consumerArn: CONSUMER_ARN })).to.deep.equal({ consumerArn: CONSUMER_ARN })
  })

  it('asks for a consumer name where that of the application is too long for one', () => {
    const long = 'x'.repeat(129)
    expect(resolveRetrieval(undefined, long).mode).to.equal('polling')
    expect(() => resolveRetrieval({ mode: 'fan-out' }, long)).to.throw(OptionError, 'retrieval.consumerName')
    expect(resolveRetrieval({ mode: 'fan-out', consumerName: 'short' }, long).mode).to.equal('fan-out')
  })
})
