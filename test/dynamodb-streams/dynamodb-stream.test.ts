import { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams'
import { expect } from 'chai'
import { dynamodbStream } from '../../src/dynamodb-streams/dynamodb-stream.ts'
import { Worker, type WorkerOptions } from '../../src/index.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { systemRandom } from '../../src/runtime/random.ts'
import { FakeTable } from '../../src/testing/fake-table.ts'

const context = { clock: systemClock, random: systemRandom, requestTimeoutMs: 10_000, lost: () => {} }

describe('dynamodbStream', () => {
  it('is called like the table, and is read 1,000 records at a time, once a second', () => {
    const streamArn = 'arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2026-05-20T20:51:10.252'
    for (const source of [dynamodbStream({ tableName: 'orders' }), dynamodbStream({ streamArn })]) {
      expect(source.streamName).to.equal('orders')
      expect(source.traits).to.include({ maxRecords: 1_000, idleMs: 1_000, beginsByTime: true })
    }
  })

  it('checks what it is given', () => {
    const of =
      (...given: readonly unknown[]) =>
      () =>
        dynamodbStream(...(given as [never]))
    expect(of({ table: 'orders' })).to.throw('Option table: is not known; expected one of tableName, streamArn')
    expect(of('orders')).to.throw('Option stream: is "orders", expected an object')
    expect(of({ tableName: 'orders' }, { client: 'x' })).to.throw(
      'Option client: is "x", expected a DynamoDBStreamsClient'
    )
    expect(of({ tableName: 'orders' }, { region: 'x' })).to.throw('Option region: is not known')
  })

  it('uses a client that is given as it is, and leaves it open', async () => {
    const table = new FakeTable({ tableName: 'orders' })
    const client = new DynamoDBStreamsClient(table.clientConfig)
    let destroyed = 0
    client.destroy = () => {
      destroyed += 1
    }
    const port = dynamodbStream({ tableName: 'orders' }, { client }).open(context)
    await port.describeStream()
    port.close()
    expect(destroyed).to.equal(0)
  })

  it('is called in the region of the ARN, unless the client has another', async () => {
    const hosts: string[] = []
    const requestHandler = {
      ...new FakeTable({ tableName: 'orders' }).clientConfig.requestHandler,
      handle: ({ hostname }: { readonly hostname: string }) => {
        hosts.push(hostname)
        return Promise.reject(new Error('that is enough'))
      }
    }
    const credentials = { accessKeyId: 'a', secretAccessKey: 'b' }
    const streamArn = 'arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2026-05-20T20:51:10.252'
    for (const region of [{}, { region: 'us-west-2' }]) {
      const client = { requestHandler, credentials, maxAttempts: 1, ...region } as never
      await dynamodbStream({ streamArn }, { client })
        .open(context)
        .describeStream()
        .catch(() => {})
    }
    expect(hosts[0]).to.include('eu-west-1')
    expect(hosts[1]).to.include('us-west-2')
  })

  describe('as the source of a worker', () => {
    const source = dynamodbStream({ tableName: 'orders' })
    const made = (options: object) => () =>
      new Worker({ source, applicationName: 'app', handler: () => {}, ...options } as unknown as WorkerOptions)

    it('stands alone: beside no other stream, and no client of Kinesis', () => {
      expect(made({})).not.to.throw()
      expect(made({ streamName: 'x' })).to.throw('Option streamName: is "x" beside source, expected one of the two')
      expect(made({ streamArn: 'x' })).to.throw('Option streamArn: is "x" beside source')
      expect(made({ kinesis: {} })).to.throw('Option kinesis: is an object beside source')
      expect(made({ source: 'orders' })).to.throw('Option source: is "orders", expected the stream of another service')
    })

    it('has no fan-out, and no larger reads than the service', () => {
      expect(made({ retrieval: { mode: 'fan-out' } })).to.throw("Option retrieval.mode: is 'fan-out' beside source")
      expect(made({ retrieval: { maxRecords: 1_001 } })).to.throw('Option retrieval.maxRecords: is 1001')
      expect(made({ retrieval: { maxRecords: 1_000, idleMs: 200 } })).not.to.throw()
    })
  })
})
