import { expect } from 'chai'
import type { FanOutConsumerReference } from '../../src/kinesis/fan-out-port.ts'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { ActiveConsumer } from '../../src/retrieval/fan-out-consumer.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { type FakeCall, FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { rejectionOf } from './fan-out-world.ts'

const NAME = 'counter'
const never = new AbortController().signal

/** A stream, and what calls are made to it. */
class ConsumerWorld {
  readonly clock = new VirtualClock()
  readonly kinesis = new FakeKinesis({ clock: this.clock })
  readonly port = this.kinesis.fanOut('orders')
  readonly names: string[] = []
  fault: (call: FakeCall) => void | Promise<void> = () => {}

  constructor() {
    this.kinesis.createStream('orders')
    this.kinesis.intercept = call => {
      this.names.push(call.name)
      return this.fault(call)
    }
  }

  worker(seed = 1, consumer: FanOutConsumerReference = { consumerName: NAME }): ActiveConsumer {
    return new ActiveConsumer({ fanOut: this.port, consumer, clock: this.clock, random: seededRandom(seed) })
  }

  /** A consumer that is active, registered by somebody else. */
  async registered(): Promise<string> {
    const { consumerArn } = await this.port.registerConsumer(NAME)
    await this.clock.advance(1_000)
    this.names.length = 0
    return consumerArn
  }

  /** Settled like `promise`; time passes until then. */
  async await<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const settle = (): void => {
      isSettled = true
    }
    promise.then(settle, settle)
    await this.clock.advanceUntil(() => isSettled)
    return promise
  }

  async status(consumerArn: string): Promise<string> {
    return (await this.port.describeConsumer({ consumerArn })).status
  }
}

describe('ActiveConsumer', () => {
  it('R14: uses one that is ACTIVE without waiting, and asks about it once', async () => {
    const world = new ConsumerWorld()
    const consumerArn = await world.registered()
    const consumer = world.worker()
    const startedMs = world.clock.monotonicMs()
    expect(await world.await(consumer.arn(never))).to.equal(consumerArn)
    expect(await world.await(consumer.arn(never))).to.equal(consumerArn)
    expect(world.clock.monotonicMs()).to.equal(startedMs)
    expect(world.names).to.deep.equal(['describeConsumer'])
  })

  it('R14: registers one where there is none, and waits until it is ACTIVE', async () => {
    const world = new ConsumerWorld()
    const consumerArn = await world.await(world.worker().arn(never))
    expect(await world.status(consumerArn)).to.equal('ACTIVE')
    expect(world.names.slice(0, 2)).to.deep.equal(['describeConsumer', 'registerConsumer'])
    expect(world.clock.monotonicMs()).to.be.within(900, 2_300)
  })

  it('R14: registers one only, however many workers and shards ask at once', async () => {
    const world = new ConsumerWorld()
    const workers = Array.from({ length: 20 }, (_, index) => world.worker(index))
    const asked = workers.flatMap(worker => Array.from({ length: 10 }, () => worker.arn(new AbortController().signal)))
    const arns = await world.await(Promise.all(asked))
    expect(new Set(arns).size).to.equal(1)
    expect(world.names.filter(name => name === 'registerConsumer')).to.have.length(20)
    expect(world.names.filter(name => name === 'describeConsumer').length).to.be.within(40, 80)
  })

  it('R14: registers it again when it was deleted', async () => {
    const world = new ConsumerWorld()
    const consumer = world.worker()
    const first = await world.await(consumer.arn(never))
    await world.port.deregisterConsumer(first)
    expect(await world.await(consumer.arn(never)), 'not doubted').to.equal(first)
    await world.clock.advance(5_000)
    consumer.doubt(first)
    const second = await world.await(consumer.arn(never))
    expect(second).to.not.equal(first)
    const { length } = world.names
    consumer.doubt(first)
    expect(await world.await(consumer.arn(never)), 'the doubt was about the other one').to.equal(second)
    expect(world.names).to.have.length(length)
    expect(await world.status(second)).to.equal('ACTIVE')
  })

  it('uses one that was given by its ARN without asking, and never registers it', async () => {
    const world = new ConsumerWorld()
    const consumerArn = await world.registered()
    const consumer = world.worker(1, { consumerArn })
    expect(await world.await(consumer.arn(never))).to.equal(consumerArn)
    expect(world.names).to.deep.equal([])
    consumer.doubt(consumerArn)
    expect(await world.await(consumer.arn(never))).to.equal(consumerArn)
    await world.port.deregisterConsumer(consumerArn)
    consumer.doubt(consumerArn)
    const error = await rejectionOf(world.await(consumer.arn(never)))
    expect(error).to.be.instanceOf(ServiceError).with.property('retryable', false)
    expect(String(error)).to.include('retrieval.consumerArn').and.include(consumerArn)
    expect(world.names).to.deep.equal(['describeConsumer', 'deregisterConsumer', 'describeConsumer'])
  })

  it('waits longer and longer while it is throttled', async () => {
    const world = new ConsumerWorld()
    let left = 4
    world.fault = () => {
      if (left-- > 0) throw new ThrottledError('slow down')
    }
    await world.await(world.worker().arn(never))
    expect(world.names.slice(0, 6)).to.deep.equal([...Array(5).fill('describeConsumer'), 'registerConsumer'])
    expect(world.clock.monotonicMs()).to.be.within(3_500, 11_000)
  })

  it('says what does not pass at once, and comes back less and less often', async () => {
    const world = new ConsumerWorld()
    world.fault = () => {
      throw new ServiceError('access-denied', 'allow kinesis:DescribeStreamConsumer', { retryable: false })
    }
    const consumer = world.worker()
    const startedMs = world.clock.monotonicMs()
    expect(await rejectionOf(world.await(consumer.arn(never)))).to.have.property('kind', 'access-denied')
    expect(world.clock.monotonicMs()).to.equal(startedMs)
    for (let shard = 0; shard < 100; shard++) await rejectionOf(world.await(consumer.arn(never)))
    expect(world.clock.monotonicMs()).to.be.greaterThan(700_000)
    expect(world.names).to.have.length(101)
    world.fault = () => {}
    await world.await(consumer.arn(never))
  })

  it('gives up one that does not become ACTIVE, or cannot be registered, for the time being', async () => {
    const creating = { consumerName: NAME, consumerArn: 'arn', status: 'CREATING', createdAtMs: 0 } as const
    for (const [found, expected] of [
      [creating, 'is CREATING'],
      [undefined, 'cannot be registered']
    ] as const) {
      const world = new ConsumerWorld()
      const { clock, port } = world
      const fanOut = {
        ...port,
        describeConsumer: async () => {
          if (found !== undefined) return found
          throw new ServiceError('not-found', 'none', { retryable: false })
        },
        registerConsumer: async () => {
          throw new ServiceError('in-use', 'as many as may be', { retryable: true })
        }
      }
      const consumer = new ActiveConsumer({ fanOut, consumer: { consumerName: NAME }, clock, random: seededRandom(1) })
      const error = await rejectionOf(world.await(consumer.arn(never)))
      expect(error).to.be.instanceOf(ServiceError).with.property('kind', 'in-use')
      expect(String(error)).to.include(expected).and.include('stream orders')
      expect(clock.monotonicMs()).to.be.within(30_000, 32_000)
    }
  })

  it('says so where there is no such stream', async () => {
    const world = new ConsumerWorld()
    world.kinesis.deleteStream('orders')
    expect(await rejectionOf(world.await(world.worker().arn(never)))).to.have.property('kind', 'not-found')
  })

  it('lets each who waits leave by its own signal, and goes on for the others', async () => {
    const world = new ConsumerWorld()
    const consumer = world.worker()
    const leaving = new AbortController()
    const left = rejectionOf(consumer.arn(leaving.signal))
    const stays = consumer.arn(never)
    leaving.abort(new Error('enough'))
    expect(await left).to.have.property('message', 'enough')
    expect(await world.await(stays)).to.include('/consumer/counter')
  })

  it('ends what is under way when it is closed', async () => {
    const world = new ConsumerWorld()
    const consumer = world.worker()
    const asking = rejectionOf(consumer.arn(never))
    await world.clock.settle()
    consumer.close()
    expect(await asking).to.be.instanceOf(ServiceError)
    await world.clock.settle()
    expect(world.clock.sleeping).to.equal(0)
  })
})
