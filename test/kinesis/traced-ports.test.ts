import { expect } from 'chai'
import type { FanOutPort } from '../../src/kinesis/fan-out-port.ts'
import type { KinesisPort } from '../../src/kinesis/kinesis-port.ts'
import { tracedFanOut, tracedKinesis } from '../../src/kinesis/traced-ports.ts'
import type { Tracing } from '../../src/metrics/tracing.ts'

const facts = { application: 'indexer', stream: 'orders', worker: 'w1', shardId: 'shard-0' }
const ANSWER = { records: [], recordCount: 4, bytes: 40, millisBehindLatest: 9 }

function aTracing() {
  const spans: unknown[] = []
  const to: Tracing = {
    fetch: async (about, work, resultOf) => {
      const value = await work()
      spans.push([about, resultOf(value)])
      return value
    },
    process: (_, work) => work(),
    checkpoint: (_, work) => work()
  }
  return { spans, tracing: { to, facts } }
}

describe('tracedKinesis', () => {
  it('has a span around each GetRecords, with what it brought, and passes everything on', async () => {
    const { spans, tracing } = aTracing()
    const called: unknown[][] = []
    const note =
      (name: string) =>
      (...args: unknown[]): never => {
        called.push([name, ...args])
        return (name === 'getRecords' ? ANSWER : name) as never
      }
    const port: KinesisPort = {
      streamName: 'orders',
      ...{ describeStream: note('describeStream'), listShards: note('listShards'), close: note('close') },
      ...{ getShardIterator: note('getShardIterator'), getRecords: async (...args) => note('getRecords')(...args) }
    }
    const traced = tracedKinesis(port, tracing)
    expect(await traced.getRecords('iterator', { limit: 5 })).to.equal(ANSWER)
    expect(spans).to.deep.equal([
      [
        { ...facts, operation: 'GetRecords' },
        { records: 4, bytes: 40, millisBehindLatest: 9 }
      ]
    ])
    await traced.describeStream({})
    await traced.listShards({})
    await traced.getShardIterator('shard', { type: 'LATEST' }, {})
    traced.close()
    expect(called).to.deep.equal([
      ['getRecords', 'iterator', { limit: 5 }],
      ['describeStream', {}],
      ['listShards', {}],
      ['getShardIterator', 'shard', { type: 'LATEST' }, {}],
      ['close']
    ])
    expect([traced.streamName, spans.length]).to.deep.equal(['orders', 1])
  })
})

describe('tracedFanOut', () => {
  it('has a span around the beginning of a subscription, and passes everything on', async () => {
    const { spans, tracing } = aTracing()
    const called: string[] = []
    const note = (name: string) => (): never => void called.push(name) as never
    const port: FanOutPort = {
      streamName: 'orders',
      ...{ registerConsumer: note('register'), describeConsumer: note('describe'), close: note('close') },
      subscribeToShard: async () => note('subscribe')()
    }
    const traced = tracedFanOut(port, tracing)
    await traced.subscribeToShard({ consumerArn: 'arn', shardId: 'shard-0', start: { type: 'LATEST' } })
    await traced.registerConsumer('me')
    await traced.describeConsumer({ consumerName: 'me' })
    traced.close()
    expect(called).to.deep.equal(['subscribe', 'register', 'describe', 'close'])
    expect(spans).to.deep.equal([[{ ...facts, operation: 'SubscribeToShard' }, {}]])
  })
})
