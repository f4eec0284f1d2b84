import { expect } from 'chai'
import type { SubscriptionEvent } from '../../src/kinesis/fan-out-port.ts'
import { ServiceError } from '../../src/model/errors.ts'
import { openSubscription } from '../../src/retrieval/fan-out-subscription.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { rejectionOf, SHARD, TRIM_HORIZON, textsOf } from './fan-out-world.ts'

/** A subscription to a shard of which the events can be withheld. */
async function aSubscription(signal = new AbortController().signal) {
  const clock = new VirtualClock()
  const kinesis = new FakeKinesis({ clock })
  kinesis.createStream('orders')
  const port = kinesis.fanOut('orders')
  const { consumerArn } = await port.registerConsumer('counter')
  await clock.advance(1_000)
  const line = { isDead: false, returned: 0, signal: undefined as AbortSignal | undefined }
  const fanOut = {
    ...port,
    subscribeToShard: async (input: Parameters<typeof port.subscribeToShard>[0]) => {
      line.signal = input.signal
      const events = (await port.subscribeToShard(input))[Symbol.asyncIterator]()
      const next = (): Promise<IteratorResult<SubscriptionEvent>> =>
        line.isDead ? new Promise(() => {}) : events.next()
      const end = async (): Promise<IteratorResult<SubscriptionEvent>> => {
        line.returned += 1
        return { done: true, value: undefined }
      }
      return { [Symbol.asyncIterator]: () => ({ next, return: end }) }
    }
  }
  const input = { consumerArn, shardId: SHARD, start: TRIM_HORIZON }
  const open = () => openSubscription({ fanOut, input, clock, silenceLimitMs: 30_000, signal })
  return { clock, kinesis, line, open }
}

describe('openSubscription', () => {
  it('brings the events one by one, and undefined when it has ended', async () => {
    const { clock, kinesis, open } = await aSubscription()
    kinesis.put('orders', 'key', 'a')
    const subscription = await open()
    expect(subscription.openedAtMs).to.equal(1_000)
    expect(textsOf((await subscription.next())?.records ?? [])).to.equal('a')
    kinesis.split('orders', SHARD)
    const asking = subscription.next()
    await clock.advance(10)
    expect(await asking).to.have.property('childShards')
    expect(await subscription.next()).to.equal(undefined)
    subscription.drop()
    await clock.settle()
    expect(clock.sleeping).to.equal(0)
  })

  it('ends it when it is silent for too long while its event is waited for, and only then', async () => {
    const { clock, line, open } = await aSubscription()
    const subscription = await open()
    await clock.advance(200_000)
    const asking = subscription.next()
    await clock.advance(5_010)
    expect(await asking)
      .to.have.property('records')
      .that.has.length(0)
    line.isDead = true
    const failing = rejectionOf(subscription.next())
    await clock.advance(29_900)
    expect(line.signal?.aborted).to.equal(false)
    await clock.advance(200)
    expect(line.signal?.aborted).to.equal(true)
    expect(await failing)
      .to.be.instanceOf(ServiceError)
      .with.property('kind', 'timeout')
    expect(line.returned).to.equal(1)
    await clock.settle()
    expect(clock.sleeping).to.equal(0)
  })

  it('hears nothing any more of one that was dropped', async () => {
    const { clock, kinesis, line, open } = await aSubscription()
    const subscription = await open()
    const asking = rejectionOf(subscription.next())
    await clock.settle()
    subscription.drop()
    kinesis.put('orders', 'key', 'a')
    expect(await asking).to.have.property('message', 'The subscription was dropped')
    expect(await rejectionOf(subscription.next())).to.have.property('message', 'The subscription was dropped')
    expect([line.signal?.aborted, line.returned]).to.deep.equal([true, 1])
  })

  it('ends with its signal, before it stands and after', async () => {
    const stop = new AbortController()
    const { clock, line, open } = await aSubscription(stop.signal)
    const subscription = await open()
    const asking = rejectionOf(subscription.next())
    stop.abort(new Error('enough'))
    expect(await asking).to.have.property('message', 'enough')
    expect(line.signal?.aborted).to.equal(true)
    expect(await rejectionOf(open())).to.have.property('message', 'enough')
    await clock.settle()
    await clock.advance(5_000)
    expect(clock.sleeping).to.equal(0)
  })
})
