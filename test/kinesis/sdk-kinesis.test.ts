import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { KinesisClient } from '@aws-sdk/client-kinesis'
import { expect } from 'chai'
import type { KinesisPort } from '../../src/kinesis/kinesis-port.ts'
import { type StreamReference, sdkKinesis } from '../../src/kinesis/sdk-kinesis.ts'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { type Clock, systemClock } from '../../src/runtime/clock.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { memoryOf } from '../../src/wire/records-answer.ts'

const ARN = 'arn:aws:kinesis:eu-west-3:123456789012:stream/orders'
const BY_NAME: StreamReference = { streamName: 'orders' }
const BY_ARN: StreamReference = { streamArn: ARN }

interface Call {
  readonly name: string
  readonly input: Record<string, unknown>
}

type Send = (call: Call, options: { abortSignal: AbortSignal }) => unknown

/** A port on a client that answers as `send` does, and the calls that reach it. */
function onStub(send: Send, stream: StreamReference = BY_NAME, requestTimeoutMs?: number) {
  const calls: Call[] = []
  const clock = new VirtualClock()
  const client = {
    destroyed: false,
    async send(command: { input: Record<string, unknown> }, options: { abortSignal: AbortSignal }) {
      const call = { name: command.constructor.name, input: command.input }
      calls.push(call)
      return send(call, options)
    },
    destroy(): void {
      client.destroyed = true
    }
  }
  const port = sdkKinesis({
    stream,
    client: client as unknown as KinesisClient,
    clock,
    ...(requestTimeoutMs !== undefined && { requestTimeoutMs })
  })
  return { port, calls, clock, client }
}

async function makeEveryCall(port: KinesisPort): Promise<void> {
  await port.describeStream()
  await port.listShards()
  await port.getShardIterator('shardId-000000000000', { type: 'LATEST' })
  await port.getRecords('an-iterator', { limit: 100 })
}

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => expect.fail('did not fail'),
    (error: unknown) => error
  )
}

function sdkError(name: string, fields: object = {}): Error {
  return Object.assign(new Error('words of the service'), { name }, fields)
}

describe('sdkKinesis', () => {
  describe('names the stream', () => {
    it('by name, in every call that takes one', async () => {
      const { port, calls } = onStub(() => ({ Records: [] }))
      await makeEveryCall(port)
      expect(port.streamName).to.equal('orders')
      expect(calls).to.deep.equal([
        { name: 'DescribeStreamSummaryCommand', input: { StreamName: 'orders' } },
        { name: 'ListShardsCommand', input: { StreamName: 'orders' } },
        {
          name: 'GetShardIteratorCommand',
          input: { StreamName: 'orders', ShardId: 'shardId-000000000000', ShardIteratorType: 'LATEST' }
        },
        { name: 'GetRecordsCommand', input: { ShardIterator: 'an-iterator', Limit: 100 } }
      ])
    })

    it('by ARN, in every call', async () => {
      const { port, calls } = onStub(() => ({ Records: [] }), BY_ARN)
      await makeEveryCall(port)
      expect(port.streamName).to.equal('orders')
      expect(calls.map(({ input }) => input.StreamARN)).to.deep.equal([ARN, ARN, ARN, ARN])
      expect(calls.filter(({ input }) => 'StreamName' in input)).to.deep.equal([])
    })
  })

  describe('listShards', () => {
    const pages: Send = ({ input }) => ({
      Shards: [{ ShardId: `after ${input.NextToken ?? 'nothing'}` }],
      NextToken: input.NextToken === undefined ? 'one' : input.NextToken === 'one' ? 'two' : null
    })

    it('asks for the pages after the first by their token alone', async () => {
      const { port, calls } = onStub(pages)
      const shards = await port.listShards({ filter: { type: 'AT_TIMESTAMP', timestampMs: 5_000 } })
      expect(shards.map(({ shardId }) => shardId)).to.deep.equal(['after nothing', 'after one', 'after two'])
      expect(calls.map(({ input }) => input)).to.deep.equal([
        { StreamName: 'orders', ShardFilter: { Type: 'AT_TIMESTAMP', Timestamp: new Date(5_000) } },
        { NextToken: 'one' },
        { NextToken: 'two' }
      ])
    })

    it('says the ARN beside the token', async () => {
      const { port, calls } = onStub(pages, BY_ARN)
      await port.listShards()
      expect(calls.at(-1)?.input).to.deep.equal({ NextToken: 'two', StreamARN: ARN })
    })
  })

  describe('getRecords', () => {
    it('hands payloads on without a copy', async () => {
      const Data = new Uint8Array(new ArrayBuffer(100), 10, 20)
      const record = { SequenceNumber: '7', PartitionKey: 'key', Data, ApproximateArrivalTimestamp: new Date(1_234) }
      const { port } = onStub(() => ({ Records: [record], MillisBehindLatest: 5, NextShardIterator: 'next' }))
      const answer = await port.getRecords('an-iterator', { limit: 1 })
      expect(answer).to.deep.equal({
        records: [{ sequenceNumber: '7', partitionKey: 'key', data: Data, arrivedAtMs: 1_234 }],
        recordCount: 1,
        lastSequenceNumber: '7',
        bytes: 20,
        memoryBytes: memoryOf(1, 100, 4),
        millisBehindLatest: 5,
        nextIterator: 'next'
      })
      expect(answer.records[0]?.data).to.equal(Data)
    })

    for (const nothing of [undefined, null, '']) {
      it(`takes ${JSON.stringify(nothing) ?? 'a missing'} next iterator for the end`, async () => {
        const { port } = onStub(() => ({ Records: [], NextShardIterator: nothing }))
        const answer = await port.getRecords('an-iterator', { limit: 1 })
        const nothingRead = { records: [], recordCount: 0, bytes: 0, memoryBytes: memoryOf(0, 0, 0) }
        expect(answer).to.deep.equal({ ...nothingRead, millisBehindLatest: 0 })
      })
    }

    it('takes an answer without records for a failure that passes, rather than for the end', async () => {
      for (const answer of [{}, { Records: null }, { Records: [], NextShardIterator: 7 }]) {
        const { port } = onStub(() => answer)
        expect(await failureOf(port.getRecords('an-iterator', { limit: 1 }))).to.include({
          kind: 'other',
          retryable: true
        })
      }
    })

    it('turns the children into ours', async () => {
      const child = {
        ShardId: 'shardId-000000000001',
        ParentShards: ['shardId-000000000000'],
        HashKeyRange: { StartingHashKey: '0', EndingHashKey: '340282366920938463463374607431768211455' }
      }
      const { port } = onStub(() => ({ Records: [], ChildShards: [child] }))
      expect((await port.getRecords('an-iterator', { limit: 1 })).childShards).to.deep.equal([
        {
          shardId: 'shardId-000000000001',
          parentShardIds: ['shardId-000000000000'],
          hashKeyRange: { start: 0n, end: 2n ** 128n - 1n }
        }
      ])
    })
  })

  it('rounds the time of creation down to seconds', async () => {
    const { port } = onStub(() => ({
      StreamDescriptionSummary: { StreamCreationTimestamp: new Date(1_700_000_000_999) }
    }))
    expect((await port.describeStream()).creationEpoch).to.equal(1_700_000_000)
  })

  describe('turns failures into ours', () => {
    const table: [failure: Error, expected: object][] = [
      [sdkError('ProvisionedThroughputExceededException'), { code: 'THROTTLED', retryable: true }],
      [sdkError('LimitExceededException'), { code: 'THROTTLED', retryable: true }],
      [sdkError('ThrottlingException'), { code: 'THROTTLED', retryable: true }],
      [sdkError('KMSThrottlingException'), { code: 'THROTTLED', retryable: true }],
      [sdkError('Unknown', { $metadata: { httpStatusCode: 429 } }), { code: 'THROTTLED', retryable: true }],
      [sdkError('Unknown', { $metadata: { httpStatusCode: 408 } }), { kind: 'timeout', retryable: true }],
      [sdkError('ResourceNotFoundException'), { kind: 'not-found', retryable: false }],
      [sdkError('ExpiredIteratorException'), { kind: 'expired-iterator', retryable: false }],
      [sdkError('InvalidArgumentException'), { kind: 'invalid-argument', retryable: false }],
      [sdkError('ValidationException'), { kind: 'invalid-argument', retryable: false }],
      [sdkError('ResourceInUseException'), { kind: 'in-use', retryable: true }],
      [sdkError('AccessDeniedException'), { kind: 'access-denied', retryable: false }],
      [sdkError('Unknown', { $metadata: { httpStatusCode: 403 } }), { kind: 'access-denied', retryable: false }],
      [sdkError('KMSAccessDeniedException'), { kind: 'access-denied', retryable: false }],
      [sdkError('UnrecognizedClientException'), { kind: 'access-denied', retryable: false }],
      [sdkError('CredentialsProviderError'), { kind: 'access-denied', retryable: false }],
      [sdkError('ExpiredTokenException'), { kind: 'access-denied', retryable: true }],
      [sdkError('TimeoutError'), { kind: 'timeout', retryable: true }],
      [
        sdkError('InternalFailureException', { $metadata: { httpStatusCode: 500 } }),
        { kind: 'other', retryable: true }
      ],
      [sdkError('Unknown', { $metadata: { httpStatusCode: 503 } }), { kind: 'other', retryable: true }],
      [sdkError('Unknown', { $metadata: { httpStatusCode: 404 } }), { kind: 'other', retryable: false }],
      [sdkError('Error', { code: 'ECONNRESET' }), { kind: 'other', retryable: true }],
      [sdkError('Error', { code: 'ENOTFOUND' }), { kind: 'other', retryable: true }],
      ...['EPROTO', 'HPE_INVALID_CONSTANT', 'ECANCELED', 'ENOBUFS', 'ERR_STREAM_DESTROYED', 'ERR_HTTP2_STREAM_CANCEL']
        .concat(['ERR_HTTP2_GOAWAY_SESSION', 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE'])
        .map((code): [Error, object] => [sdkError('Error', { code }), { kind: 'other', retryable: true }]),
      // A connection that was closed while nobody used it; for the SDK a timeout.
      [sdkError('TimeoutError', { code: 'ECONNRESET' }), { kind: 'other', retryable: true }],
      [sdkError('TimeoutError', { code: 'ETIMEDOUT' }), { kind: 'timeout', retryable: true }],
      [sdkError('Error', { code: 'CERT_HAS_EXPIRED' }), { kind: 'other', retryable: false }],
      [sdkError('SomethingNewException', { $metadata: { httpStatusCode: 400 } }), { kind: 'other', retryable: false }]
    ]
    for (const [failure, expected] of table) {
      const { code, $metadata } = failure as { code?: string; $metadata?: { httpStatusCode: number } }
      const title = [failure.name, code, $metadata?.httpStatusCode].filter(part => part !== undefined).join(' ')
      it(`${title} into ${JSON.stringify(expected)}`, async () => {
        const { port } = onStub(() => {
          throw failure
        })
        const thrown = await failureOf(port.getShardIterator('shardId-000000000007', { type: 'LATEST' }))
        expect(thrown).to.include({ cause: failure, ...expected })
        expect(thrown).to.satisfy((error: unknown) => error instanceof ThrottledError || error instanceof ServiceError)
        for (const word of ['GetShardIterator', 'shardId-000000000007', 'orders', 'words of the service']) {
          expect((thrown as Error).message).to.include(word)
        }
      })
    }

    it('and says which permission is missing', async () => {
      const { port } = onStub(() => {
        throw sdkError('AccessDeniedException')
      })
      expect(await failureOf(port.listShards()))
        .to.have.property('message')
        .that.includes('kinesis:ListShards')
    })

    it('and says how to trust a certificate', async () => {
      for (const code of ['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'ERR_TLS_CERT_ALTNAME_INVALID']) {
        const { port } = onStub(() => {
          throw sdkError('Error', { code })
        })
        expect(await failureOf(port.describeStream()))
          .to.have.property('message')
          .that.includes('NODE_EXTRA_CA_CERTS')
      }
    })

    it('and says where to look if what answers is not Kinesis', async () => {
      const { port } = onStub(() => {
        throw sdkError('Unknown', { $metadata: { httpStatusCode: 404 } })
      })
      expect(await failureOf(port.describeStream()))
        .to.have.property('message')
        .that.includes('endpoint')
    })

    it('and quotes nothing of an answer that cannot be read', async () => {
      const { port } = onStub(() => JSON.parse('secret payload'))
      const failure = await failureOf(port.getRecords('an-iterator', { limit: 1 }))
      expect(failure).to.include({ kind: 'other', retryable: true })
      expect((failure as Error).message).not.to.include('secret')
      expect(failure).not.to.have.property('cause')
    })

    it('and says where a region is missing', async () => {
      const { port } = onStub(() => {
        throw new Error('Region is missing')
      })
      expect(await failureOf(port.describeStream()))
        .to.include({ kind: 'other', retryable: false })
        .with.property('message')
        .that.includes('AWS_REGION')
    })
  })

  describe('stops waiting', () => {
    it('at the deadline, and aborts the request', async () => {
      let seen: AbortSignal | undefined
      const hang: Send = (_, { abortSignal }) => {
        seen = abortSignal
        return new Promise(() => {})
      }
      const { port, clock } = onStub(hang, BY_NAME, 500)
      const failing = failureOf(port.listShards())
      await clock.advance(499)
      expect(seen?.aborted).to.equal(false)
      await clock.advance(1)
      expect(await failing).to.include({ kind: 'timeout', retryable: true })
      expect(await failing)
        .to.have.property('message')
        .that.includes('ListShards of stream orders')
      expect(seen?.aborted).to.equal(true)
    })

    it('when its signal aborts, with the reason of the signal', async () => {
      const stop = new AbortController()
      const { port, clock } = onStub(() => new Promise(() => {}))
      const failing = failureOf(port.getRecords('an-iterator', { limit: 1, signal: stop.signal }))
      stop.abort(new Error('stopping'))
      expect(await failing).to.have.property('message', 'stopping')
      expect(clock.sleeping).to.equal(0)
    })

    it('after 10 seconds if nothing else is asked for', async () => {
      const { port, clock } = onStub(() => new Promise(() => {}))
      const failing = failureOf(port.describeStream())
      await clock.advance(10_000)
      expect(await failing)
        .to.have.property('message')
        .that.includes('within 10000 ms')
    })
  })

  it('does not destroy a client that it was given', () => {
    const { port, client } = onStub(() => ({}))
    port.close()
    expect(client.destroyed).to.equal(false)
  })

  describe('with a client of its own', () => {
    let server: Server
    let endpoint: string
    let connections: number
    let authorizations: string[]
    let answer: { status: number; body: string }
    let isHanging: boolean
    let isClosing: boolean

    beforeEach(async () => {
      connections = 0
      authorizations = []
      isHanging = false
      isClosing = false
      answer = { status: 200, body: '{"Records":[],"NextShardIterator":"next","MillisBehindLatest":0}' }
      server = createServer((request, response) => {
        authorizations.push(request.headers.authorization ?? '')
        request.resume().on('end', () => {
          if (isClosing) return void response.destroy()
          if (isHanging) return
          response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.1' }).end(answer.body)
        })
      })
      server.on('connection', () => connections++)
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
      endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    })

    afterEach(async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    })

    const ownClient = (stream: StreamReference, region?: string, clock: Clock = systemClock) =>
      sdkKinesis({
        stream,
        clock,
        client: {
          endpoint,
          credentials: { accessKeyId: 'AKID', secretAccessKey: 'secret' },
          ...(region !== undefined && { region })
        }
      })

    it('reuses its connection', async () => {
      const port = ownClient(BY_NAME, 'us-east-1')
      for (let read = 0; read < 30; read++) await port.getRecords('an-iterator', { limit: 1 })
      port.close()
      expect(connections).to.equal(1)
    })

    it('opens as many connections as there are shards, and no more', async () => {
      const port = ownClient(BY_NAME, 'us-east-1')
      port.expectShards(4)
      const reads = Array.from({ length: 1_000 }, () => port.getRecords('an-iterator', { limit: 1 }))
      expect((await Promise.all(reads)).map(({ nextIterator }) => nextIterator)).to.have.length(1_000)
      port.close()
      expect(connections).to.equal(4)
    })

    it('opens no more for all calls together where there are ten shards or more', async () => {
      const port = ownClient(BY_NAME, 'us-east-1')
      port.expectShards(10)
      const opened = Array.from({ length: 30 }, () =>
        port.getShardIterator('shardId-000000000000', { type: 'TRIM_HORIZON' })
      )
      const reads = Array.from({ length: 300 }, () => port.getRecords('an-iterator', { limit: 1 }))
      await Promise.all([...opened, ...reads, port.listShards()])
      port.close()
      expect(connections).to.equal(10)
    })

    it('keeps no other call waiting behind a read that hangs, and begins reads that wait when more shards come', async () => {
      const port = ownClient(BY_NAME, 'us-east-1')
      port.expectShards(1)
      isHanging = true
      const stop = new AbortController()
      const hanging = failureOf(port.getRecords('an-iterator', { limit: 1, signal: stop.signal }))
      while (authorizations.length === 0) await new Promise(resolve => setImmediate(resolve))
      isHanging = false
      await port.listShards()
      let isWaiting = true
      const waiting = port.getRecords('an-iterator', { limit: 1 }).finally(() => {
        isWaiting = false
      })
      await port.listShards()
      expect(isWaiting).to.equal(true)
      port.expectShards(2)
      expect((await waiting).nextIterator).to.equal('next')
      stop.abort(new Error('enough'))
      expect(await hanging).to.have.property('message', 'enough')
      port.close()
    })

    it('does the same where the client is traced, so that GetRecords goes through it', async () => {
      const port = ownClient(BY_NAME, 'us-east-1')
      const { prototype } = KinesisClient
      const { send } = prototype
      prototype.send = function (this: KinesisClient, ...given: unknown[]) {
        return (send as (...all: unknown[]) => unknown).apply(this, given)
      } as typeof send
      try {
        port.expectShards(2)
        await Promise.all(Array.from({ length: 30 }, () => port.getRecords('an-iterator', { limit: 1 })))
        expect(connections).to.be.at.most(4)
      } finally {
        Reflect.deleteProperty(prototype, 'send')
      }
      port.close()
    })

    it('takes a connection that was closed while it was idle for a failure that passes', async () => {
      const port = ownClient(BY_NAME, 'us-east-1')
      await port.getRecords('an-iterator', { limit: 1 })
      isClosing = true
      expect(await failureOf(port.getRecords('an-iterator', { limit: 1 }))).to.include({
        kind: 'other',
        retryable: true
      })
      isClosing = false
      await port.getRecords('an-iterator', { limit: 1 })
      port.close()
    })

    it('does not count decoding as waiting for an answer', async () => {
      const Data = Buffer.alloc(1_000).toString('base64')
      // Long enough for slices of their own, and short enough to be received as it comes.
      const Records = Array.from({ length: 40 }, (_, index) => ({ SequenceNumber: `${index}`, Data }))
      answer = { status: 200, body: JSON.stringify({ Records }) }
      const clock = new VirtualClock()
      // Whenever decoding lets the event loop run, more time passes than a call may take.
      const slow: Clock = {
        epochMs: () => systemClock.epochMs(),
        monotonicMs: () => systemClock.monotonicMs() * 1_000,
        sleep: (ms, signal) => (ms === 0 ? clock.advance(20_000) : clock.sleep(ms, signal))
      }
      const port = ownClient(BY_NAME, 'us-east-1', slow)
      expect((await port.getRecords('an-iterator', { limit: 1 })).records).to.have.length(40)
      expect(clock.monotonicMs()).to.be.at.least(20_000)
      port.close()
    })

    it('takes the region of the ARN if there is no other', async () => {
      for (const port of [ownClient(BY_ARN), ownClient(BY_ARN, 'us-west-2')]) {
        await port.getRecords('an-iterator', { limit: 1 })
        port.close()
      }
      expect(authorizations[0]).to.include('/eu-west-3/kinesis/')
      expect(authorizations[1]).to.include('/us-west-2/kinesis/')
    })

    it('makes one attempt', async () => {
      answer = { status: 500, body: '{"__type":"InternalFailureException"}' }
      const port = ownClient(BY_NAME, 'us-east-1')
      expect(await failureOf(port.getRecords('an-iterator', { limit: 1 }))).to.include({
        kind: 'other',
        retryable: true
      })
      port.close()
      expect(authorizations).to.have.length(1)
    })

    it('can read the errors of the service', async () => {
      answer = { status: 400, body: '{"__type":"ExpiredIteratorException","message":"Iterator expired."}' }
      const port = ownClient(BY_NAME, 'us-east-1')
      const failure = await failureOf(port.getRecords('an-iterator', { limit: 1 }))
      expect(failure)
        .to.include({ kind: 'expired-iterator' })
        .with.property('message')
        .that.includes('Iterator expired.')
      port.close()
    })

    it('takes an answer that breaks off for a failure that passes', async () => {
      answer = { status: 200, body: '{"Records":[{"Data":"c2VjcmV0' }
      const port = ownClient(BY_NAME, 'us-east-1')
      const failure = await failureOf(port.getRecords('an-iterator', { limit: 1 }))
      expect(failure).to.include({ kind: 'other', retryable: true })
      expect((failure as Error).message).not.to.include('c2VjcmV0')
      port.close()
    })

    it('takes a refused connection for a failure that passes', async () => {
      const port = ownClient(BY_NAME, 'us-east-1')
      await new Promise(resolve => server.close(resolve))
      expect(await failureOf(port.describeStream())).to.include({ kind: 'other', retryable: true })
      port.close()
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    })
  })
})
