import { expect } from 'chai'
import type { SubscribeInput, SubscriptionEvent } from '../../src/kinesis/fan-out-port.ts'
import { ServiceError } from '../../src/model/errors.ts'
import { FanOutSubscriber } from '../../src/retrieval/fan-out-subscriber.ts'
import type { ReadStart } from '../../src/retrieval/read-rules.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { rejectionOf, SHARD, TRIM_HORIZON } from './fan-out-world.ts'

const AGE_TO_RENEW_MS = 290_000

const throttled = (): ServiceError => new ServiceError('other', 'not now', { retryable: true })
const inUse = (): ServiceError => new ServiceError('in-use', 'replaced by another one', { retryable: true })
const notFound = (): ServiceError => new ServiceError('not-found', 'no such consumer', { retryable: false })

/** A subscription of which the test says what it sends. */
class Line {
  readonly input: SubscribeInput
  readonly #waiting: ((result: Promise<IteratorResult<SubscriptionEvent>>) => void)[] = []
  readonly #sent: Promise<IteratorResult<SubscriptionEvent>>[] = []

  constructor(input: SubscribeInput) {
    this.input = input
  }

  get isDropped(): boolean {
    return this.input.signal?.aborted === true
  }

  send(continuationSequenceNumber: string): void {
    const value = { records: [], millisBehindLatest: 0, continuationSequenceNumber }
    this.#put(Promise.resolve({ done: false, value }))
  }

  end(): void {
    this.#put(Promise.resolve({ done: true, value: undefined }))
  }

  break(error: Error): void {
    this.#put(Promise.reject(error))
  }

  events(): AsyncIterable<SubscriptionEvent> {
    const next = (): Promise<IteratorResult<SubscriptionEvent>> =>
      this.#sent.shift() ?? new Promise(resolve => this.#waiting.push(resolve))
    return { [Symbol.asyncIterator]: () => ({ next }) }
  }

  #put(result: Promise<IteratorResult<SubscriptionEvent>>): void {
    result.catch(() => {})
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#sent.push(result)
    else waiting(result)
  }
}

function aSubscriber() {
  const clock = new VirtualClock()
  const closing = new AbortController()
  const lines: Line[] = []
  const world = {
    clock,
    closing,
    lines,
    calls: 0,
    start: TRIM_HORIZON as ReadStart,
    arns: ['arn-1'],
    doubted: [] as string[],
    renewalFailures: [] as { error: unknown; retryInMs: number }[],
    /** What a call meets. */
    met: async (_call: number): Promise<void> => {}
  }
  const subscriber = new FanOutSubscriber({
    fanOut: {
      streamName: 'orders',
      registerConsumer: () => Promise.reject(throttled()),
      describeConsumer: () => Promise.reject(throttled()),
      subscribeToShard: async input => {
        world.calls += 1
        await world.met(world.calls)
        const line = new Line(input)
        lines.push(line)
        return line.events()
      },
      close: () => {}
    },
    consumer: {
      arn: async () => world.arns[0] as string,
      doubt: arn => {
        world.doubted.push(arn)
        if (world.arns.length > 1) world.arns.shift()
      }
    },
    shardId: SHARD,
    start: () => world.start,
    clock,
    random: seededRandom(1),
    signal: closing.signal,
    onRenewalFailed: (error, retryInMs) => world.renewalFailures.push({ error, retryInMs })
  })
  /** The continuation of the next event; `end`: the subscription has ended. */
  const next = async (): Promise<string> => {
    const event = await subscriber.next()
    return event === undefined ? 'end' : (event.continuationSequenceNumber ?? 'last')
  }
  /** One that is old enough to give way. */
  const age = async (): Promise<Line> => {
    const asking = next()
    await clock.settle()
    lines[0]?.send('1')
    expect(await asking).to.equal('1')
    await clock.advance(AGE_TO_RENEW_MS)
    return lines[0] as Line
  }
  return Object.assign(world, { subscriber, next, age })
}

describe('FanOutSubscriber', () => {
  it('subscribes where it is told to begin, and again once a subscription has ended, no sooner than it may', async () => {
    const world = aSubscriber()
    expect(world.subscriber).to.include({ isSubscribed: false, openedAtMs: Number.NEGATIVE_INFINITY })
    const asking = world.next()
    await world.clock.settle()
    expect(world.subscriber.isSubscribed).to.equal(true)
    world.lines[0]?.send('1')
    world.lines[0]?.end()
    expect([await asking, await world.next()]).to.deep.equal(['1', 'end'])
    expect(world.subscriber.isSubscribed).to.equal(false)
    world.start = { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: '1' }
    const askingAgain = world.next()
    await world.clock.advance(6_000)
    world.lines[1]?.send('2')
    expect(await askingAgain).to.equal('2')
    expect(world.lines.map(({ input }) => input.start)).to.deep.equal([TRIM_HORIZON, world.start])
    expect(world.subscriber.openedAtMs).to.be.within(5_000, 5_500)
  })

  it('rejects where a subscription ends before its first event, and where it breaks', async () => {
    const world = aSubscriber()
    for (const [index, happens] of [(line: Line) => line.end(), (line: Line) => line.break(throttled())].entries()) {
      const asking = rejectionOf(world.next())
      await world.clock.advance(6_000)
      happens(world.lines[index] as Line)
      expect(await asking).to.include({ kind: 'other', retryable: true })
      expect(world.subscriber.isSubscribed).to.equal(false)
    }
  })

  it('goes on taking from a subscription while the next one is on its way', async () => {
    const world = aSubscriber()
    const old = await world.age()
    let answer = (): void => {}
    world.met = () =>
      new Promise(resolve => {
        answer = resolve
      })
    for (const text of ['2', '3', '4']) old.send(text)
    expect([await world.next(), await world.next(), await world.next()]).to.deep.equal(['2', '3', '4'])
    expect(world.calls, 'one at a time').to.equal(2)
    const asking = world.next()
    await world.clock.settle()
    answer()
    await world.clock.settle()
    expect(old.isDropped).to.equal(true)
    world.lines[1]?.send('5')
    expect(await asking, 'of the next one, though the old one was waited for').to.equal('5')
  })

  it('does not take it for a failure that the service ends a subscription for the next one', async () => {
    const world = aSubscriber()
    const old = await world.age()
    world.met = async () => {
      old.break(inUse())
      await world.clock.sleep(1_000)
    }
    const asking = world.next()
    await world.clock.advance(2_000)
    world.lines[1]?.send('2')
    expect(await asking).to.equal('2')
    expect(world.renewalFailures).to.deep.equal([])
  })

  it('tells of a next one that failed, stays with the present one, and does not try again before that has ended', async () => {
    const world = aSubscriber()
    const old = await world.age()
    world.met = () => Promise.reject(throttled())
    old.send('2')
    old.send('3')
    expect([await world.next(), await world.next()]).to.deep.equal(['2', '3'])
    expect(world.renewalFailures.map(({ error }) => String(error))).to.deep.equal(['ServiceError: not now'])
    expect(world.renewalFailures[0]?.retryInMs).to.be.within(9_000, 10_000)
    expect(world.calls).to.equal(2)
    world.met = async () => {}
    old.end()
    expect(await world.next()).to.equal('end')
    const asking = world.next()
    await world.clock.settle()
    world.lines[1]?.send('4')
    expect(await asking).to.equal('4')
  })

  it('does not tell of it where a subscription cannot be taken over: that is no trouble', async () => {
    const world = aSubscriber()
    const old = await world.age()
    world.met = () => Promise.reject(inUse())
    old.send('2')
    old.send('3')
    expect([await world.next(), await world.next()]).to.deep.equal(['2', '3'])
    expect(world.renewalFailures).to.deep.equal([])
  })

  it('drops a next one that comes when nobody wants it any more', async () => {
    const world = aSubscriber()
    const old = await world.age()
    let answer = (): void => {}
    world.met = () =>
      new Promise(resolve => {
        answer = resolve
      })
    old.send('2')
    expect(await world.next()).to.equal('2')
    world.subscriber.drop()
    answer()
    await world.clock.settle()
    expect(world.lines.map(({ isDropped }) => isDropped)).to.deep.equal([true, true])
    expect(world.subscriber.isSubscribed).to.equal(false)
  })

  it('subscribes with the consumer that is there in place of one that is not found', async () => {
    const world = aSubscriber()
    world.arns = ['arn-1', 'arn-2']
    world.met = async call => {
      if (call === 1) throw notFound()
    }
    const asking = world.next()
    await world.clock.settle()
    world.lines[0]?.send('1')
    expect(await asking).to.equal('1')
    expect(world.lines.map(({ input }) => input.consumerArn)).to.deep.equal(['arn-2'])
  })

  it('rejects where it is the same one again', async () => {
    const world = aSubscriber()
    world.met = () => Promise.reject(notFound())
    expect(await rejectionOf(world.next())).to.include({ kind: 'not-found', message: 'no such consumer' })
    expect(world).to.deep.include({ calls: 1, doubted: ['arn-1'] })
  })

  it('ends everything with its signal', async () => {
    const world = aSubscriber()
    const old = await world.age()
    world.met = async () => {
      await world.clock.sleep(1_000)
    }
    const asking = rejectionOf(world.next())
    await world.clock.settle()
    world.closing.abort(new Error('enough'))
    world.subscriber.drop()
    expect(await asking).to.have.property('message', 'enough')
    await world.clock.advance(2_000)
    expect([old, ...world.lines].every(({ isDropped }) => isDropped)).to.equal(true)
    expect(world.renewalFailures).to.deep.equal([])
    expect(world.clock.sleeping).to.equal(0)
  })
})
