import { expect } from 'chai'
import type { SubscriptionEvent } from '../../src/kinesis/fan-out-port.ts'
import type { IteratorStart } from '../../src/kinesis/kinesis-port.ts'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const FIRST = 'shardId-000000000000'
const TRIM_HORIZON: IteratorStart = { type: 'TRIM_HORIZON' }

/** A stream of one shard, and a consumer that is active. */
async function aConsumer(sendChildShards = true) {
  const clock = new VirtualClock()
  const kinesis = new FakeKinesis({ clock, sendChildShards })
  kinesis.createStream('orders')
  const port = kinesis.fanOut('orders')
  const { consumerArn } = await port.registerConsumer('counter')
  await clock.advance(1_000)
  return { clock, kinesis, port, consumerArn }
}

/** Everything that a subscription sends, as it comes; and how it ended. */
function listenTo(subscription: AsyncIterable<SubscriptionEvent>) {
  const heard = { events: [] as SubscriptionEvent[], end: undefined as unknown }
  void (async () => {
    try {
      for await (const event of subscription) heard.events.push(event)
      heard.end = 'ended'
    } catch (error) {
      heard.end = error
    }
  })()
  return heard
}

const texts = (events: readonly SubscriptionEvent[]): string[] =>
  events.flatMap(({ records }) => records.map(({ data }) => new TextDecoder().decode(data)))

function rejectionOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => expect.fail('did not fail'),
    (error: unknown) => error
  )
}

async function kindOf(call: Promise<unknown>): Promise<string> {
  const failure = await rejectionOf(call)
  expect(failure).to.be.instanceOf(ServiceError)
  return (failure as ServiceError).kind
}

describe('FakeFanOut', () => {
  describe('consumers', () => {
    it('are active a second after they were registered', async () => {
      const { clock, kinesis, port, consumerArn } = await aConsumer()
      expect(await port.describeConsumer({ consumerArn })).to.include({ consumerName: 'counter', status: 'ACTIVE' })
      const other = await port.registerConsumer('other')
      expect(other.status).to.equal('CREATING')
      const subscribing = port.subscribeToShard({ ...other, shardId: FIRST, start: TRIM_HORIZON })
      expect(await kindOf(subscribing)).to.equal('in-use')
      await clock.advance(1_000)
      expect((await port.describeConsumer(other)).status).to.equal('ACTIVE')
      kinesis.deleteStream('orders')
      expect(await kindOf(port.describeConsumer({ consumerArn }))).to.equal('not-found')
    })

    it('have names of their own, are twenty at most, and five at most that are being created', async () => {
      const { clock, port } = await aConsumer()
      expect(await kindOf(port.registerConsumer('counter'))).to.equal('in-use')
      for (let index = 1; index < 20; index++) {
        await port.registerConsumer(`c${index}`)
        if (index % 5 !== 0) continue
        const tooMany = await rejectionOf(port.registerConsumer('one too many'))
        expect(tooMany).to.be.instanceOf(ThrottledError)
        await clock.advance(1_000)
      }
      await clock.advance(1_000)
      const tooMany = await rejectionOf(port.registerConsumer('one too many'))
      expect(tooMany).to.be.instanceOf(ThrottledError).with.property('message', 'orders has 20 consumers already')
    })

    it('can be deregistered, which ends their subscriptions', async () => {
      const { clock, port, consumerArn } = await aConsumer()
      const heard = listenTo(await port.subscribeToShard({ consumerArn, shardId: FIRST, start: TRIM_HORIZON }))
      await clock.settle()
      await port.deregisterConsumer(consumerArn)
      await clock.settle()
      expect(heard.end).to.be.instanceOf(ServiceError).with.property('kind', 'not-found')
      expect(await kindOf(port.deregisterConsumer(consumerArn))).to.equal('not-found')
    })
  })

  describe('a subscription', () => {
    it('sends what is there and then what is put, each record once', async () => {
      const { clock, kinesis, port, consumerArn } = await aConsumer()
      kinesis.put('orders', 'key', 'a')
      const heard = listenTo(await port.subscribeToShard({ consumerArn, shardId: FIRST, start: TRIM_HORIZON }))
      await clock.advance(100)
      for (const text of ['b', 'c']) {
        kinesis.put('orders', 'key', text)
        await clock.advance(100)
      }
      expect(texts(heard.events)).to.deep.equal(['a', 'b', 'c'])
      expect(heard.events.every(({ millisBehindLatest }) => millisBehindLatest === 0)).to.equal(true)
    })

    it('begins where it is told to, and goes on after the continuation of an earlier one', async () => {
      const { clock, kinesis, port, consumerArn } = await aConsumer()
      const put = ['a', 'b', 'c'].map(text => kinesis.put('orders', 'key', text).sequenceNumber)
      const starts: [IteratorStart, string[]][] = [
        [{ type: 'AT_SEQUENCE_NUMBER', sequenceNumber: put[1] ?? '' }, ['b', 'c', 'd']],
        [{ type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: put[1] ?? '' }, ['c', 'd']],
        [{ type: 'LATEST' }, ['d']]
      ]
      const all = await Promise.all(
        starts.map(async ([start], index) => {
          const { consumerArn } = await port.registerConsumer(`c${index}`)
          await clock.advance(1_000)
          return listenTo(await port.subscribeToShard({ consumerArn, shardId: FIRST, start }))
        })
      )
      await clock.advance(10_000)
      kinesis.put('orders', 'key', 'd')
      await clock.advance(10)
      expect(all.map(({ events }) => texts(events))).to.deep.equal(starts.map(([, expected]) => expected))
      const sequenceNumber = all[2]?.events[0]?.continuationSequenceNumber ?? ''
      const start = { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber } as const
      const next = listenTo(await port.subscribeToShard({ consumerArn, shardId: FIRST, start }))
      await clock.advance(10)
      expect(texts(next.events)).to.deep.equal(['d'])
    })

    it('says something every five seconds, and ends after five minutes', async () => {
      const { clock, port, consumerArn } = await aConsumer()
      const heard = listenTo(await port.subscribeToShard({ consumerArn, shardId: FIRST, start: TRIM_HORIZON }))
      await clock.advance(299_999)
      expect(heard.events).to.have.length(59)
      expect(heard.end).to.equal(undefined)
      await clock.advance(1)
      expect(heard.end).to.equal('ended')
      expect(clock.sleeping).to.equal(0)
    })

    it('ends after the end of the shard, which names the children', async () => {
      for (const sendChildShards of [true, false]) {
        const { clock, kinesis, port, consumerArn } = await aConsumer(sendChildShards)
        const heard = listenTo(await port.subscribeToShard({ consumerArn, shardId: FIRST, start: TRIM_HORIZON }))
        kinesis.put('orders', 'key', 'a')
        const children = kinesis.split('orders', FIRST)
        await clock.advance(10)
        const last = heard.events.at(-1)
        expect(texts(heard.events)).to.deep.equal(['a'])
        expect(last).to.not.have.property('continuationSequenceNumber')
        expect(last?.childShards?.map(({ shardId }) => shardId)).to.deep.equal(sendChildShards ? children : undefined)
        expect(heard.end).to.equal('ended')
      }
    })

    it('is refused within five seconds of another one, and replaces it after that', async () => {
      const { clock, port, consumerArn } = await aConsumer()
      const input = { consumerArn, shardId: FIRST, start: TRIM_HORIZON }
      const first = listenTo(await port.subscribeToShard(input))
      await clock.advance(4_999)
      expect(await kindOf(port.subscribeToShard(input))).to.equal('in-use')
      await clock.advance(1)
      const second = listenTo(await port.subscribeToShard(input))
      await clock.advance(10)
      expect(first.end).to.be.instanceOf(ServiceError).with.property('kind', 'in-use')
      expect(second.end).to.equal(undefined)
    })

    it('is one for each consumer and shard', async () => {
      const { clock, kinesis, port, consumerArn } = await aConsumer()
      const other = await port.registerConsumer('other')
      await clock.advance(1_000)
      const all = await Promise.all(
        [consumerArn, other.consumerArn].map(async arn =>
          listenTo(await port.subscribeToShard({ consumerArn: arn, shardId: FIRST, start: TRIM_HORIZON }))
        )
      )
      kinesis.put('orders', 'key', 'a')
      await clock.advance(10)
      expect(all.map(({ events }) => texts(events))).to.deep.equal([['a'], ['a']])
    })

    it('ends with the reason of its signal, or when the connection breaks', async () => {
      const { clock, kinesis, port, consumerArn } = await aConsumer()
      const stop = new AbortController()
      const input = { consumerArn, shardId: FIRST, start: TRIM_HORIZON }
      const stopped = listenTo(await port.subscribeToShard({ ...input, signal: stop.signal }))
      await clock.settle()
      stop.abort(new Error('enough'))
      await clock.advance(5_000)
      expect(stopped.end).to.have.property('message', 'enough')
      const broken = listenTo(await port.subscribeToShard(input))
      await clock.settle()
      kinesis.disconnect('orders')
      await clock.settle()
      expect(broken.end).to.be.instanceOf(ServiceError).with.property('retryable', true)
    })

    it('sends no more than 2 MiB in a second', async () => {
      const { clock, kinesis, port, consumerArn } = await aConsumer()
      for (let index = 0; index < 5; index++) kinesis.put('orders', 'key', new Uint8Array(1024 * 1024))
      const heard = listenTo(await port.subscribeToShard({ consumerArn, shardId: FIRST, start: TRIM_HORIZON }))
      await clock.advance(999)
      expect(heard.events.map(({ records }) => records.length)).to.deep.equal([2])
      expect(heard.events[0]?.millisBehindLatest).to.be.greaterThan(0)
      await clock.advance(1_001)
      expect(heard.events.map(({ records }) => records.length)).to.deep.equal([2, 2, 1])
    })

    it('is refused for what does not exist', async () => {
      const { port, consumerArn } = await aConsumer()
      const input = { consumerArn, shardId: FIRST, start: TRIM_HORIZON }
      expect(await kindOf(port.subscribeToShard({ ...input, consumerArn: 'none' }))).to.equal('not-found')
      expect(await kindOf(port.subscribeToShard({ ...input, shardId: 'none' }))).to.equal('not-found')
      const start = { type: 'AT_SEQUENCE_NUMBER', sequenceNumber: '1' } as const
      expect(await kindOf(port.subscribeToShard({ ...input, start }))).to.equal('invalid-argument')
    })

    it('meets what intercepts calls', async () => {
      const { kinesis, port, consumerArn } = await aConsumer()
      kinesis.intercept = ({ name, shardId }) => {
        if (name === 'subscribeToShard') throw new ServiceError('other', `no ${shardId}`, { retryable: true })
      }
      const subscribing = port.subscribeToShard({ consumerArn, shardId: FIRST, start: TRIM_HORIZON })
      expect(await kindOf(subscribing)).to.equal('other')
    })
  })

  it('has 10,000 subscriptions at once', async () => {
    const clock = new VirtualClock(undefined, { settlingTurns: 1 })
    const kinesis = new FakeKinesis({ clock })
    kinesis.createStream('wide', 10_000)
    const port = kinesis.fanOut('wide')
    const { consumerArn } = await port.registerConsumer('counter')
    await clock.advance(1_000)
    const all = await Promise.all(
      kinesis
        .shards('wide')
        .map(async ({ shardId }) =>
          listenTo(await port.subscribeToShard({ consumerArn, shardId, start: TRIM_HORIZON }))
        )
    )
    for (let index = 0; index < 1_000; index++) kinesis.put('wide', `key ${index}`, String(index))
    await clock.advance(1_000)
    expect(new Set(all.flatMap(({ events }) => texts(events))).size).to.equal(1_000)
  })
})
