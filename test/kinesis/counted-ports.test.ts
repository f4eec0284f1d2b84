import { expect } from 'chai'
import { countedFanOut, countedKinesis } from '../../src/kinesis/counted-ports.ts'
import type { FanOutPort } from '../../src/kinesis/fan-out-port.ts'
import type { KinesisPort } from '../../src/kinesis/kinesis-port.ts'
import type { ServiceCall } from '../../src/metrics/request-meter.ts'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

/** A port whose methods note what they are called with, and answer so. */
function aPort<Port>(names: readonly string[], answer: (name: string) => Promise<unknown>) {
  const called: unknown[][] = []
  const methods = names.map(name => [
    name,
    (...args: unknown[]) => {
      called.push([name, ...args])
      return answer(name)
    }
  ])
  return { called, port: { streamName: 'orders', ...Object.fromEntries(methods) } as Port }
}

describe('countedKinesis', () => {
  const names = ['describeStream', 'listShards', 'getShardIterator', 'getRecords', 'close']

  it('passes everything on, and tells of each call, with how long it took', async () => {
    const clock = new VirtualClock()
    const told: ServiceCall[] = []
    const described: unknown[] = []
    const { called, port } = aPort<KinesisPort>(names, async name => {
      await clock.sleep(20)
      return { name }
    })
    const counting = {
      clock,
      told: (call: ServiceCall) => told.push(call),
      described: (it: unknown) => described.push(it)
    }
    const counted = countedKinesis(port, counting)
    const { signal } = new AbortController()
    const calling = async (): Promise<unknown[]> => [
      await counted.describeStream({ signal }),
      await counted.listShards({ signal }),
      await counted.getShardIterator('shard', { type: 'LATEST' }, { signal }),
      await counted.getRecords('iterator', { limit: 5, signal })
    ]
    const answers = calling()
    await clock.advance(100)
    expect(await answers).to.deep.equal(names.slice(0, 4).map(name => ({ name })))
    counted.close()
    expect(called).to.deep.equal([
      ['describeStream', { signal }],
      ['listShards', { signal }],
      ['getShardIterator', 'shard', { type: 'LATEST' }, { signal }],
      ['getRecords', 'iterator', { limit: 5, signal }],
      ['close']
    ])
    const operations = ['DescribeStreamSummary', 'ListShards', 'GetShardIterator', 'GetRecords']
    expect(told).to.deep.equal(operations.map(operation => ({ service: 'kinesis', operation, durationMs: 20 })))
    expect(described).to.deep.equal([{ name: 'describeStream' }])
    expect(counted.streamName).to.equal('orders')
  })

  it('tells how a call failed, and passes the error on', async () => {
    const told: ServiceCall[] = []
    let error: Error = new ThrottledError('slowly')
    const { port } = aPort<KinesisPort>(names, async () => {
      throw error
    })
    const counting = { clock: new VirtualClock(), told: (call: ServiceCall) => told.push(call), described: () => {} }
    const counted = countedKinesis(port, counting)
    expect(await counted.getRecords('i', { limit: 1 }).catch(thrown => thrown)).to.equal(error)
    error = new ServiceError('timeout', 'late', { retryable: true })
    expect(await counted.listShards().catch(thrown => thrown)).to.equal(error)
    expect(told).to.deep.equal([
      { service: 'kinesis', operation: 'GetRecords', outcome: 'throttled' },
      { service: 'kinesis', operation: 'ListShards', outcome: 'failed' }
    ])
  })
})

describe('countedFanOut', () => {
  it('passes everything on, and tells of each call', async () => {
    const told: string[] = []
    const names = ['registerConsumer', 'describeConsumer', 'subscribeToShard', 'close']
    const { called, port } = aPort<FanOutPort>(names, async name => name)
    const counted = countedFanOut(port, { clock: new VirtualClock(), told: ({ operation }) => told.push(operation) })
    const input = { consumerArn: 'arn', shardId: 'shard', start: { type: 'LATEST' } } as const
    const answers: unknown[] = [
      await counted.registerConsumer('me', {}),
      await counted.describeConsumer({ consumerName: 'me' }, {}),
      await counted.subscribeToShard(input)
    ]
    counted.close()
    expect(answers).to.deep.equal(names.slice(0, 3))
    expect(told).to.deep.equal(['RegisterStreamConsumer', 'DescribeStreamConsumer', 'SubscribeToShard'])
    expect(called).to.deep.equal([
      ['registerConsumer', 'me', {}],
      ['describeConsumer', { consumerName: 'me' }, {}],
      ['subscribeToShard', input],
      ['close']
    ])
  })
})
