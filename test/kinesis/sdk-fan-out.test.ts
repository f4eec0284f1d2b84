import { KinesisClient } from '@aws-sdk/client-kinesis'
import { Sha256 } from '@smithy/core/checksum'
import { SignatureV4 } from '@smithy/signature-v4'
import { expect } from 'chai'
import { sdkFanOut } from '../../src/kinesis/sdk-fan-out.ts'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import * as faults from '../support/fan-out-server-faults.ts'
import { pollUntil } from '../support/poll.ts'
import { type FanOutWorld, FIRST, failureOf, fanOutWorld, STREAM, take, textsOf } from './fan-out-world.ts'

describe('sdkFanOut', () => {
  let world: FanOutWorld
  beforeEach(async () => {
    world = await fanOutWorld()
  })
  afterEach(() => world.close())

  describe('about consumers', () => {
    it('registers one, which becomes active, and finds it by name and by ARN', async () => {
      const { port } = world
      const registered = await port.registerConsumer('indexer')
      expect(registered).to.include({ consumerName: 'indexer', status: 'CREATING' })
      const byName = await pollUntil('the consumer to be active', async () => {
        const found = await port.describeConsumer({ consumerName: 'indexer' })
        return found.status === 'ACTIVE' && found
      })
      expect(byName).to.deep.equal({ ...registered, status: 'ACTIVE' })
      expect(await port.describeConsumer({ consumerArn: registered.consumerArn })).to.deep.equal(byName)
    })

    it('asks for the ARN of the stream once, and never if it was given', async () => {
      const names: string[] = []
      world.server.onRequest = (_, name) => names.push(name)
      for (const name of ['one', 'two']) await world.port.registerConsumer(name)
      const { streamArn } = await world.server.kinesis.port(STREAM).describeStream()
      const byArn = world.open({ stream: { streamArn } })
      expect(byArn.streamName).to.equal(STREAM)
      await byArn.describeConsumer({ consumerName: 'one' })
      expect(names).to.deep.equal([
        ...['DescribeStreamSummary', 'RegisterStreamConsumer', 'RegisterStreamConsumer'],
        'DescribeStreamConsumer'
      ])
    })

    it('says that there is one of that name, or none', async () => {
      const taken = await failureOf(world.port.registerConsumer('reader'))
      expect(taken).to.be.instanceOf(ServiceError)
      expect(taken).to.include({ kind: 'in-use', retryable: true })
      const unknown = await failureOf(world.port.describeConsumer({ consumerName: 'nobody' }))
      expect(unknown).to.include({ kind: 'not-found', retryable: false })
      expect(String(unknown)).to.include('DescribeStreamConsumer of stream orders: there is no such consumer')
    })

    it('rejects with the reason of a signal', async () => {
      const reason = new Error('enough')
      const signal = AbortSignal.abort(reason)
      expect(await failureOf(world.port.registerConsumer('x', { signal }))).to.equal(reason)
    })
  })

  describe('signs', () => {
    it('what it sends over HTTP/2, the host included', async () => {
      const sent: Record<string, string>[] = []
      world.server.onRequest = ({ headers }, name) => {
        if (name === 'SubscribeToShard') sent.push({ ...(headers as Record<string, string>) })
      }
      const body = { ConsumerARN: world.consumerArn, ShardId: FIRST, StartingPosition: { Type: 'TRIM_HORIZON' } }
      await world.subscribe()
      const [headers = {}] = sent
      const { region, credentials } = world.server.clientConfig()
      const [, signed = ''] = /SignedHeaders=([^,]+)/.exec(headers.authorization ?? '') ?? []
      const named = signed.split(';').map(name => [name, name === 'host' ? headers[':authority'] : headers[name]])
      const signer = new SignatureV4({ region, credentials, service: 'kinesis', sha256: Sha256 })
      const request = { method: 'POST', protocol: 'http:', hostname: '127.0.0.1', path: '/', query: {} }
      const again = await signer.sign(
        { ...request, headers: Object.fromEntries(named), body: JSON.stringify(body) },
        { signingDate: dateOf(headers['x-amz-date'] ?? '') }
      )
      expect(signed.split(';')).to.include('host')
      expect(again.headers.authorization).to.equal(headers.authorization)
    })

    it('by a clock that is set right by the date of a refusal', async () => {
      const dates: string[] = []
      world.server.onRequest = ({ headers }) => dates.push(String(headers['x-amz-date']))
      const serverDate = new Date(systemClock.epochMs() + 3_600_000).toUTCString()
      const refusal = faults.refused('InvalidSignatureException')
      world.server.faults.push({
        ...refusal,
        instead: it => it.refuse(400, 'InvalidSignatureException', '', serverDate)
      })
      const failure = await failureOf(world.subscribe())
      expect(failure).to.include({ kind: 'access-denied', retryable: true })
      await world.subscribe()
      const [before = 0, after = 0] = dates.map(date => dateOf(date).getTime())
      expect(after - before).to.be.within(3_590_000, 3_700_000)
    })
  })

  describe('delivers', () => {
    it('records in order, with everything that is known of them', async () => {
      const { sequenceNumber } = world.server.put(STREAM, FIRST, 'a', 'ключ')
      world.server.put(STREAM, FIRST, new Uint8Array(0))
      for await (const event of await world.subscribe()) {
        const [first, second] = event.records
        expect(event.continuationSequenceNumber).to.equal(second?.sequenceNumber)
        expect(first).to.include({ sequenceNumber, partitionKey: 'ключ' })
        expect(textsOf(event.records)).to.deep.equal(['a', ''])
        expect(first?.arrivedAtMs).to.be.a('number')
        break
      }
    })

    it('what is put while it waits', async () => {
      const events = await world.subscribe({ type: 'LATEST' })
      const taken = take(events, 2)
      await pollUntil('the subscription', () => world.server.subscriptions.size === 1)
      for (const letter of ['a', 'b']) world.server.put(STREAM, FIRST, letter)
      expect(await taken).to.deep.equal(['a', 'b'])
    })

    it('events without records, so that it is known how far the shard is', async () => {
      for await (const event of await world.subscribe()) {
        expect(event.records).to.deep.equal([])
        expect(event.continuationSequenceNumber).to.match(/^\d{56}$/)
        expect(event.millisBehindLatest).to.equal(0)
        break
      }
    })

    it('the children of a shard in its last event, and then ends', async () => {
      world.server.put(STREAM, FIRST, 'a')
      const children = world.server.split(STREAM, FIRST)
      const events = []
      for await (const event of await world.subscribe()) events.push(event)
      expect(events.flatMap(({ records }) => textsOf(records))).to.deep.equal(['a'])
      expect(events.at(-1)?.continuationSequenceNumber).to.equal(undefined)
      expect(events.at(-1)?.childShards?.map(({ shardId }) => shardId)).to.deep.equal(children)
      expect(events.at(-1)?.childShards?.map(({ parentShardIds }) => parentShardIds)).to.deep.equal([[FIRST], [FIRST]])
    })

    it('very large events', async () => {
      const large = new Uint8Array(1_000_000).fill(7)
      for (const _ of [1, 2]) world.server.put(STREAM, FIRST, large)
      for await (const { records } of await world.subscribe()) {
        expect(records.map(({ data }) => Buffer.compare(data, large))).to.deep.equal([0, 0])
        break
      }
    })

    it('events that come one byte at a time', async () => {
      world.server.put(STREAM, FIRST, 'a')
      world.server.faults.push(faults.dripping())
      expect(await take(await world.subscribe(), 1)).to.deep.equal(['a'])
    })

    it('from every kind of start', async () => {
      const put = ['a', 'b', 'c'].map(letter => world.server.put(STREAM, FIRST, letter))
      const sequenceNumber = put[1]?.sequenceNumber ?? ''
      const [first] = world.server.kinesis.records(STREAM, FIRST)
      const starts = [
        [{ type: 'AT_SEQUENCE_NUMBER', sequenceNumber } as const, ['b', 'c']],
        [{ type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber } as const, ['c']],
        [{ type: 'AT_TIMESTAMP', timestampMs: first?.arrivedAtMs ?? 0 } as const, ['a', 'b', 'c']]
      ] as const
      for (const [start, texts] of starts) {
        expect(await take(await world.subscribe(start), texts.length)).to.deep.equal(texts)
        await systemClock.sleep(60)
      }
    })
  })

  describe('refuses', () => {
    const cases = [
      [faults.refused('ResourceInUseException'), { kind: 'in-use', retryable: true }],
      [faults.refused('ResourceNotFoundException'), { kind: 'not-found', retryable: false }],
      [faults.refused('InvalidArgumentException'), { kind: 'invalid-argument', retryable: false }],
      [faults.refused('com.amazonaws.kinesis#AccessDeniedException'), { kind: 'access-denied', retryable: false }],
      [faults.refused('InternalFailure', 500), { kind: 'other', retryable: true }],
      [faults.refused(undefined, 503), { kind: 'other', retryable: true }],
      [faults.refused(undefined, 403), { kind: 'access-denied', retryable: false }],
      [faults.answeredInHtml(), { kind: 'other', retryable: false }],
      [faults.resetUnanswered(), { kind: 'other', retryable: true }],
      [faults.cutUnanswered(), { kind: 'other', retryable: true }]
    ] as const
    for (const [fault, expected] of cases) {
      it(`with ${expected.kind}, ${expected.retryable ? 'to be tried again' : 'for good'}: ${fault.name}`, async () => {
        world.server.faults.push(fault)
        const failure = await failureOf(world.subscribe())
        expect(failure).to.be.instanceOf(ServiceError)
        expect(failure).to.include(expected)
        expect(String(failure)).to.include('SubscribeToShard of shardId-000000000000 in stream orders: ')
      })
    }

    it('with a ThrottledError where it asks too often', async () => {
      for (const type of ['LimitExceededException', 'ThrottlingException']) {
        world.server.faults.push(faults.refused(type))
        expect(await failureOf(world.subscribe())).to.be.instanceOf(ThrottledError)
      }
    })

    it('in words about subscriptions', async () => {
      world.server.faults.push(faults.refused('ResourceInUseException'))
      expect(String(await failureOf(world.subscribe()))).to.include('less than five seconds old')
    })
  })

  describe('ends a subscription', () => {
    const cases = [
      [faults.exception('ResourceInUseException'), { kind: 'in-use', retryable: true }],
      [faults.exception('ResourceNotFoundException'), { kind: 'not-found', retryable: false }],
      [faults.exception('InternalFailureException'), { kind: 'other', retryable: true }],
      [faults.exception('KMSAccessDeniedException'), { kind: 'access-denied', retryable: false }],
      [faults.exception('KMSNotFoundException'), { kind: 'other', retryable: false }],
      [faults.errorOfNoKind('InternalError'), { kind: 'other', retryable: true }],
      [faults.reset(), { kind: 'other', retryable: true }],
      [faults.reset(0, 8), { kind: 'other', retryable: true }],
      [faults.cutMidway(), { kind: 'other', retryable: true }],
      [faults.goAwayWithError(), { kind: 'other', retryable: true }],
      [faults.damaged(), { kind: 'other', retryable: true }],
      [faults.damaged(0, 0), { kind: 'other', retryable: true }],
      [faults.truncated(), { kind: 'other', retryable: true }],
      [faults.nonsense('{}'), { kind: 'other', retryable: true }],
      [faults.nonsense('{"Records":['), { kind: 'other', retryable: true }]
    ] as const
    for (const [fault, expected] of cases) {
      it(`with ${expected.kind}, ${expected.retryable ? 'to be tried again' : 'for good'}: ${fault.name}`, async () => {
        world.server.put(STREAM, FIRST, 'a')
        world.server.faults.push({ ...fault, afterEvents: 1 })
        const events = (await world.subscribe())[Symbol.asyncIterator]()
        expect(textsOf((await events.next()).value?.records ?? [])).to.deep.equal(['a'])
        const failure = await failureOf(events.next())
        expect(failure).to.be.instanceOf(ServiceError)
        expect(failure).to.include(expected)
        expect(String(failure)).to.include('SubscribeToShard of shardId-000000000000 in stream orders: ')
        expect((await events.next()).done).to.equal(true)
      })
    }

    it('with a ThrottledError where the key of the stream is asked too often', async () => {
      world.server.faults.push(faults.exception('KMSThrottlingException'))
      expect(await failureOf(await world.subscribe())).to.be.instanceOf(ThrottledError)
    })

    it('without an error after five minutes, even if what was sent is read later', async () => {
      const short = await fanOutWorld({}, { subscriptionMs: 50 })
      try {
        for (const letter of ['a', 'b', 'c']) short.server.put(STREAM, FIRST, letter)
        const events = await short.subscribe()
        await pollUntil('the end of the subscription', () => short.server.subscriptions.size === 0)
        await systemClock.sleep(20)
        const texts: string[] = []
        for await (const { records } of events) texts.push(...textsOf(records))
        expect(texts).to.deep.equal(['a', 'b', 'c'])
      } finally {
        await short.close()
      }
    })
  })

  describe('lets go', () => {
    const untilFree = (): Promise<unknown> =>
      pollUntil('the server to see the end', () => world.server.subscriptions.size === 0)
    const only = () => [...world.server.subscriptions][0]

    it('of a subscription whose loop is left', async () => {
      world.server.put(STREAM, FIRST, 'a')
      const events = await world.subscribe()
      const subscription = only()
      expect(await take(events, 1)).to.deep.equal(['a'])
      await untilFree()
      expect(subscription?.resetCode).to.equal(8)
      expect(world.server.sessions).to.equal(1)
    })

    it('of one that is left while an event is awaited', async () => {
      const events = (await world.subscribe({ type: 'LATEST' }))[Symbol.asyncIterator]()
      await events.next()
      const [next, left] = await Promise.all([events.next(), events.return?.()])
      expect([next.done, left?.done]).to.deep.equal([true, true])
      await untilFree()
    })

    it('of one whose signal aborts, with its reason', async () => {
      const [stop, reason] = [new AbortController(), new Error('enough')]
      const events = (await world.subscribe({ type: 'LATEST' }, stop.signal))[Symbol.asyncIterator]()
      const next = failureOf(events.next().then(() => events.next()))
      stop.abort(reason)
      expect(await next).to.equal(reason)
      await untilFree()
    })

    it('of one whose signal aborts while nobody reads it', async () => {
      const [stop, reason] = [new AbortController(), new Error('enough')]
      const events = await world.subscribe({ type: 'LATEST' }, stop.signal)
      stop.abort(reason)
      await untilFree()
      expect(await failureOf(events)).to.equal(reason)
    })

    it('of one that does not stand yet', async () => {
      const [stop, reason] = [new AbortController(), new Error('enough')]
      world.server.faults.push(faults.unanswered())
      const subscribing = failureOf(world.subscribe({ type: 'LATEST' }, stop.signal))
      await pollUntil('the request', () => world.server.subscriptions.size === 1)
      stop.abort(reason)
      expect(await subscribing).to.equal(reason)
      await untilFree()
    })

    it('of everything when it is closed', async () => {
      const events = await world.subscribe({ type: 'LATEST' })
      world.port.close()
      const failure = await failureOf(events)
      expect(failure).to.be.instanceOf(ServiceError)
      expect(String(failure)).to.include('closed by us')
      await pollUntil('the connections to close', () => world.server.line.openConnections === 0)
    })

    it('but not of a client that it was given', () => {
      let destroyed = 0
      for (const isGiven of [true, false]) {
        const client = new KinesisClient(world.server.clientConfig())
        client.destroy = () => destroyed++
        const port = sdkFanOut({
          stream: { streamName: STREAM },
          client: isGiven ? client : world.server.clientConfig(),
          clock: systemClock
        })
        port.close()
      }
      expect(destroyed).to.equal(0)
    })
  })
})

function dateOf(amzDate: string): Date {
  return new Date(amzDate.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
}
