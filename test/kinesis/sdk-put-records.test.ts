import { GetRecordsCommand, GetShardIteratorCommand, KinesisClient } from '@aws-sdk/client-kinesis'
import { expect } from 'chai'
import { sdkPutRecords } from '../../src/kinesis/sdk-put-records.ts'
import { type ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { sharedKinesalite } from '../support/emulators.ts'
import { createStream } from '../support/streams.ts'
import { refusal, ScriptedServer } from './scripted-server.ts'

const RECORD = { partitionKey: 'k', data: Buffer.from('payload') }

describe('sdkPutRecords', () => {
  let server: ScriptedServer
  const port = (stream: { streamName: string } | { streamArn: string } = { streamName: 'orders' }, timeout?: number) =>
    sdkPutRecords({
      ...{ stream, clock: systemClock, requestTimeoutMs: timeout },
      client: {
        region: 'us-east-1',
        endpoint: server.endpoint,
        credentials: { accessKeyId: 'test', secretAccessKey: 'test' }
      }
    })
  const asked = () => JSON.parse(String(server.requests.at(-1)?.body))

  beforeEach(async () => {
    server = new ScriptedServer()
    await server.listen()
    server.answer = () => ({ body: '{"FailedRecordCount":0,"Records":[{"SequenceNumber":"1","ShardId":"s"}]}' })
  })
  afterEach(() => server.close())

  it('puts records with their keys into a stream by name or by ARN', async () => {
    const byName = port()
    expect(await byName.putRecords([{ ...RECORD, explicitHashKey: '5' }])).to.deep.equal([undefined])
    expect(asked()).to.deep.equal({
      StreamName: 'orders',
      Records: [{ Data: 'cGF5bG9hZA==', PartitionKey: 'k', ExplicitHashKey: '5' }]
    })
    const streamArn = 'arn:aws:kinesis:us-east-1:123456789012:stream/orders'
    await port({ streamArn }).putRecords([RECORD])
    expect(asked()).to.deep.equal({ StreamARN: streamArn, Records: [{ Data: 'cGF5bG9hZA==', PartitionKey: 'k' }] })
    expect(byName.streamName).to.equal('orders')
    byName.close()
  })

  it('says of each record what went wrong with it', async () => {
    const records = [
      { SequenceNumber: '1', ShardId: 's' },
      { ErrorCode: 'ProvisionedThroughputExceededException', ErrorMessage: 'rate exceeded' },
      { ErrorCode: 'InternalFailure', ErrorMessage: 'internal' },
      { ErrorCode: 'KMSAccessDeniedException', ErrorMessage: 'no key' }
    ]
    server.answer = () => ({ body: JSON.stringify({ FailedRecordCount: 3, Records: records }) })
    const [fine, slow, fault, denied, missing] = await port().putRecords(Array(5).fill(RECORD))
    expect(fine).to.equal(undefined)
    expect(slow).to.be.instanceOf(ThrottledError)
    expect([fault, denied, missing].map(error => error?.retryable)).to.deep.equal([true, false, true])
    expect((denied as ServiceError).kind).to.equal('access-denied')
    expect(fault?.message).to.equal(
      'PutRecords of stream orders: Kinesis had a fault of its own (InternalFailure: internal)'
    )
  })

  it('rejects with our errors if the whole call fails', async () => {
    const failure = (): Promise<ServiceError> =>
      port()
        .putRecords([RECORD])
        .then(
          () => expect.fail('did not reject'),
          error => error
        )
    server.answer = () => refusal(400, 'ResourceNotFoundException')
    expect((await failure()).kind).to.equal('not-found')
    server.answer = () => refusal(400, 'ValidationException')
    expect((await failure()).kind).to.equal('invalid-argument')
    server.answer = () => refusal(500, 'InternalFailure')
    expect((await failure()).retryable).to.equal(true)
  })

  it('waits for an answer only so long, and no longer than the signal allows', async () => {
    server.answer = () => new Promise(() => {})
    const late = await port({ streamName: 'orders' }, 100)
      .putRecords([RECORD])
      .catch(error => error)
    expect(late.message).to.equal('PutRecords of stream orders: there was no answer within 100 ms')
    const controller = new AbortController()
    const reason = new Error('the lease is lost')
    server.answer = () => {
      controller.abort(reason)
      return new Promise(() => {})
    }
    expect(
      await port()
        .putRecords([RECORD], { signal: controller.signal })
        .catch(error => error)
    ).to.equal(reason)
  })

  it('puts what can be read from kinesalite', async function () {
    this.timeout(30_000)
    const emulator = await sharedKinesalite()
    const client = new KinesisClient(emulator.clientConfig())
    const streamName = await createStream(client)
    const real = sdkPutRecords({ stream: { streamName }, client, clock: systemClock })
    await real.putRecords([RECORD, { ...RECORD, partitionKey: 'ü', explicitHashKey: '0' }])
    const shard = {
      StreamName: streamName,
      ShardId: 'shardId-000000000000',
      ShardIteratorType: 'TRIM_HORIZON'
    } as const
    const { ShardIterator } = await client.send(new GetShardIteratorCommand(shard))
    const { Records = [] } = await client.send(new GetRecordsCommand({ ShardIterator }))
    expect(Records.map(({ PartitionKey, Data }) => [PartitionKey, String(Buffer.from(Data ?? []))])).to.deep.equal([
      ['k', 'payload'],
      ['ü', 'payload']
    ])
    real.close()
    await client.send(new GetShardIteratorCommand(shard))
    client.destroy()
  })
})
