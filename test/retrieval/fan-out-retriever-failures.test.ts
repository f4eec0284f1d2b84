// What a FanOutRetriever does when something goes wrong: R11 of the reference on KCL's behaviour among it, and
// seeded storms of faults.
import { expect } from 'chai'
import type { SubscriptionEvent } from '../../src/kinesis/fan-out-port.ts'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { type Random, seededRandom } from '../../src/runtime/random.ts'
import { Gate, gatedClock } from '../../src/testing/gate.ts'
import { seeds } from '../support/seeds.ts'
import {
  afterRecord,
  CONSUMER,
  FanOutWorld,
  OneShardBudget,
  rejectionOf,
  STREAM,
  TRIM_HORIZON,
  textsOf
} from './fan-out-world.ts'

const MINUTE = 60_000

const broken = (): ServiceError => new ServiceError('other', 'The connection broke', { retryable: true })
const inUse = (): ServiceError => new ServiceError('in-use', 'Somebody else has it', { retryable: true })
const timedOut = (): ServiceError => new ServiceError('timeout', 'no answer', { retryable: true })
const denied = (): ServiceError => new ServiceError('access-denied', 'allow it', { retryable: false })

/** Has the calls of SubscribeToShard fail with these errors, one after the other. */
function failSubscribing(world: FanOutWorld, ...errors: readonly Error[]): void {
  const left = [...errors]
  world.fault = ({ name }) => {
    const error = name === 'subscribeToShard' ? left.shift() : undefined
    if (error !== undefined) throw error
  }
}

describe('FanOutRetriever, when something fails', () => {
  for (const [name, error, withinMs] of [
    ['ResourceInUse', inUse(), 6_200],
    ['LimitExceeded', new ThrottledError('slow down'), 1_000],
    ['a time-out', timedOut(), 1_000],
    ['a reset', broken(), 1_000]
  ] as const) {
    it(`R11: goes on within seconds after ${name} when it subscribes`, async () => {
      const world = new FanOutWorld()
      await world.port.registerConsumer(CONSUMER)
      await world.clock.advance(1_000)
      failSubscribing(world, error)
      world.put('a')
      const beganAtMs = world.clock.monotonicMs()
      expect(await world.next()).to.equal('a')
      expect(world.clock.monotonicMs() - beganAtMs).to.be.at.most(withinMs)
      expect(world.retries.map(retry => retry.error)).to.deep.equal([error])
    })

    it(`R11: goes on within seconds after ${name} in the middle of a subscription`, async () => {
      let breaks = false
      const world = new FanOutWorld({
        changed: async function* (events) {
          for await (const event of events) {
            if (breaks) throw error
            yield event
          }
        }
      })
      const [a] = world.put('a')
      expect(await world.next()).to.equal('a')
      await world.clock.advance(10_000)
      breaks = true
      world.put('b')
      await world.clock.settle()
      breaks = false
      const beganAtMs = world.clock.monotonicMs()
      expect(await world.next()).to.equal('b')
      expect(world.clock.monotonicMs() - beganAtMs).to.be.at.most(withinMs)
      expect(world.starts().at(-1)).to.deep.equal(afterRecord(a))
      expect(world.retries).to.have.length(1)
    })
  }

  it('R11: subscribes once in five seconds at most while that is refused as in use', async () => {
    const world = new FanOutWorld()
    failSubscribing(world, ...Array.from({ length: 8 }, inUse))
    world.put('a')
    expect(await world.next()).to.equal('a')
    expect(world.gaps()).to.have.length(8)
    for (const gap of world.gaps()) expect(gap).to.be.within(5_000, 6_200)
    expect(new Set(world.gaps()).size, 'spread').to.be.greaterThan(4)
  })

  it('waits out the five seconds where a subscription breaks right after it was made', async () => {
    let breaks = 3
    const world = new FanOutWorld({ changed: events => (breaks-- > 0 ? brokenAtOnce() : events) })
    world.put('a')
    expect(await world.next()).to.equal('a')
    expect(world.gaps()).to.have.length(3)
    for (const gap of world.gaps()) expect(gap).to.be.within(5_000, 5_500)
    expect(
      world.retries.every(({ retryInMs }) => retryInMs > 5_000),
      'as it is told'
    ).to.equal(true)
  })

  it('waits longer and longer while nothing comes, and tells of each try', async () => {
    const world = new FanOutWorld()
    failSubscribing(world, ...Array.from({ length: 12 }, timedOut))
    world.put('a')
    expect(await world.next()).to.equal('a')
    expect(world.retries.map(({ failures }) => failures)).to.deep.equal(Array.from({ length: 12 }, (_, i) => i + 1))
    expect(world.gaps()[0]).to.be.within(250, 500)
    expect(world.gaps().at(-1)).to.be.within(7_500, 15_000)
    world.kinesis.disconnect(STREAM)
    world.put('b')
    expect(await world.next()).to.equal('b')
    expect(world.retries.at(-1), 'an event has come in between').to.include({ failures: 1 })
  })

  it('drops a subscription that is silent while it is listened to, and subscribes anew', async () => {
    let isFirst = true
    const world = new FanOutWorld({
      changed: events => {
        if (!isFirst) return events
        isFirst = false
        return { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }
      }
    })
    world.put('a')
    expect(await world.next()).to.equal('a')
    expect(world.gaps()[0]).to.be.within(30_000, 31_000)
    expect(world.retries[0]?.error).to.be.instanceOf(ServiceError).with.property('kind', 'timeout')
  })

  it('does not take it for silence when nobody listens', async () => {
    const world = new FanOutWorld({ budget: new OneShardBudget(10) })
    world.put('0123456789')
    const batch = await world.retrieved()
    world.put('abc')
    await world.clock.advance(4 * MINUTE)
    if (batch.kind === 'records') batch.release()
    expect(await world.next()).to.equal('abc')
    expect(world.starts()).to.have.length(1)
    expect(world.retries).to.deep.equal([])
  })

  it('R14: registers the consumer again when it was deleted, and goes on', async () => {
    const world = new FanOutWorld()
    const [a] = world.put('a')
    expect(await world.next()).to.equal('a')
    const { consumerArn } = await world.port.describeConsumer({ consumerName: CONSUMER })
    await world.port.deregisterConsumer(consumerArn)
    await world.clock.advance(10)
    world.put('b')
    expect(await world.next()).to.equal('b')
    expect(world.named('registerConsumer')).to.have.length(2)
    expect(world.starts().at(-1)).to.deep.equal(afterRecord(a))
  })

  it('takes a shard that does not exist, or not any more, for one that has ended', async () => {
    const world = new FanOutWorld()
    world.put('a')
    expect(await world.next()).to.equal('a')
    const gone = world.open(TRIM_HORIZON, { shardId: 'shardId-000000000007' })
    expect(await world.retrieved(gone)).to.deep.equal({ kind: 'end' })
    expect(world.named('registerConsumer'), 'the consumer is there').to.have.length(1)
    world.kinesis.deleteStream(STREAM)
    expect(await world.next()).to.equal('end')
  })

  it('moves its start back where that lies in the future of the service', async () => {
    const world = new FanOutWorld()
    const timestampMs = world.clock.epochMs() + 5_000
    const retriever = world.open({ type: 'AT_TIMESTAMP', timestampMs })
    expect(await world.nextWithin(4_000, retriever)).to.equal('nothing')
    world.put('a')
    expect(await world.next(retriever)).to.equal('a')
    const times = world.starts().map(start => (start?.type === 'AT_TIMESTAMP' ? start.timestampMs : undefined))
    expect(times.slice(0, 3)).to.deep.equal([timestampMs, timestampMs - 1_000, timestampMs - 2_000])
  })

  it('goes back to the last record where the number of an event without records is refused', async () => {
    const odd = '9'.repeat(56)
    const world = new FanOutWorld({
      changed: async function* (events) {
        for await (const event of events) {
          yield event.records.length > 0 ? event : { ...event, continuationSequenceNumber: odd }
        }
      }
    })
    const [a] = world.put('a')
    expect(await world.next()).to.equal('a')
    await world.clock.advance(10_000)
    world.kinesis.disconnect(STREAM)
    world.put('b')
    expect(await world.next()).to.equal('b')
    expect(world.starts().slice(1)).to.deep.equal([afterRecord(odd), afterRecord(a)])
    expect(world.retries.map(({ failures }) => failures)).to.deep.equal([1, 2])
  })

  describe('that gives up', () => {
    it('rejects when a failure that does not pass was seen three times, once what has come was fetched', async () => {
      const world = new FanOutWorld({ givesUp: true })
      world.put('a')
      expect(await world.next()).to.equal('a')
      world.put('b')
      await world.clock.advance(10)
      world.fault = ({ name }) => {
        if (name === 'subscribeToShard') throw denied()
      }
      world.kinesis.disconnect(STREAM)
      await world.clock.advance(10_000)
      expect(await world.next()).to.equal('b')
      expect(await rejectionOf(world.next())).to.have.property('kind', 'access-denied')
      expect(await rejectionOf(world.next()), 'and does not begin again').to.have.property('kind', 'access-denied')
      expect(world.named('subscribeToShard')).to.have.length(4)
      await world.clock.settle()
      expect(world.clock.sleeping).to.equal(0)
    })

    it('begins to count anew with each event', async () => {
      const world = new FanOutWorld({ givesUp: true })
      for (const text of ['a', 'b', 'c']) {
        await world.clock.advance(10_000)
        failSubscribing(world, denied(), denied())
        world.kinesis.disconnect(STREAM)
        world.put(text)
        expect(await world.next()).to.equal(text)
      }
      expect(world.retries.length).to.be.at.least(6)
    })

    it('rejects when nothing has worked for a minute', async () => {
      const world = new FanOutWorld({ givesUp: true })
      failSubscribing(world, ...Array.from({ length: 100 }, timedOut))
      expect(await rejectionOf(world.next())).to.have.property('kind', 'timeout')
      expect(world.clock.monotonicMs()).to.be.within(60_000, 80_000)
    })

    it('does not where an event comes every now and then', async () => {
      const world = new FanOutWorld({ givesUp: true })
      const asking = world.nextWithin(10 * MINUTE)
      for (let round = 0; round < 60; round++) {
        await world.clock.advance(9_900)
        world.kinesis.disconnect(STREAM)
      }
      expect(await asking).to.equal('nothing')
      expect(world.retries.length).to.be.within(58, 60)
    })

    it('tries for ever unless it is to give up', async () => {
      const world = new FanOutWorld()
      world.fault = ({ name }) => {
        if (name === 'subscribeToShard') throw denied()
      }
      expect(await world.nextWithin(60 * MINUTE)).to.equal('nothing')
      expect(world.named('subscribeToShard').length).to.be.within(240, 500)
      world.fault = () => {}
      world.put('a')
      expect(await world.next()).to.equal('a')
    })
  })

  it('survives 1,000 injected faults: no record lost, none delivered twice', async () => {
    for (const seed of seeds(2)) {
      const storm = new Storm(seed)
      await storm.run(1_000)
      expect(storm.delivered, `SEED=${seed}`).to.deep.equal(storm.expected)
      expect(storm.faults, `SEED=${seed}`).to.be.at.least(1_000)
    }
  })
})

/** A subscription that stands, and breaks before its first event. */
function brokenAtOnce(): AsyncIterable<SubscriptionEvent> {
  return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(broken()) }) }
}

/** A shard that is written to and read while everything goes wrong that can. */
class Storm {
  readonly expected: string[] = []
  readonly delivered: string[] = []
  faults = 0
  readonly #random: Random
  readonly #seed: number

  constructor(seed: number) {
    this.#seed = seed
    this.#random = seededRandom(seed)
  }

  async run(faults: number): Promise<void> {
    const gate = new Gate('reader')
    const world = new FanOutWorld({
      seed: this.#seed,
      budget: new OneShardBudget(2_000),
      changed: events => this.#troubled(events),
      clockOf: clock => gatedClock(clock, gate)
    })
    world.fault = ({ name }) => {
      if (name === 'deregisterConsumer' || this.#random.next() > 0.3) return
      this.faults += 1
      throw this.#pick([broken, inUse, timedOut, () => new ThrottledError('slow down')])()
    }
    const over = new AbortController()
    const reading = this.#read(world, over.signal)
    while (this.faults < faults) {
      this.#put(world)
      await world.clock.advance(this.#random.next() * 3_000)
      await this.#strike(world, gate)
    }
    world.fault = () => {}
    gate.open()
    const children = world.kinesis.split(STREAM, 'shardId-000000000000')
    await world.clock.advanceUntil(() => this.delivered.at(-1) === 'end', 30 * MINUTE)
    over.abort()
    await reading
    this.expected.push('end')
    if (children.length !== 2) throw new Error('it was not split')
  }

  async #read(world: FanOutWorld, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.delivered.at(-1) !== 'end') {
      const leaving = new AbortController()
      if (this.#random.next() < 0.2) void world.clock.sleep(2_000, leaving.signal).then(() => leaving.abort())
      try {
        const retrieved = await world.retriever.next(leaving.signal)
        if (retrieved.kind === 'end') return void this.delivered.push('end')
        this.delivered.push(...textsOf(retrieved.records).split(' '))
        const isSlow = this.#random.next() < 0.01
        await world.clock.sleep(isSlow ? 7 * MINUTE : this.#random.next() * 500)
        retrieved.release()
      } catch (error) {
        if (!leaving.signal.aborted) throw error
      }
      leaving.abort()
    }
  }

  #put(world: FanOutWorld): void {
    for (let count = Math.floor(this.#random.next() * 6); count > 0; count--) {
      const text = `${this.expected.length}-${'x'.repeat(Math.floor(this.#random.next() * 300))}`
      this.expected.push(text)
      world.put(text)
    }
  }

  /** Something beside the calls. */
  async #strike(world: FanOutWorld, gate: Gate): Promise<void> {
    const chance = this.#random.next()
    if (chance < 0.3) {
      this.faults += 1
      world.kinesis.disconnect(STREAM)
    } else if (chance < 0.32) {
      this.faults += 1
      const found = world.kinesis.fanOut(STREAM)
      const { consumerArn } = await found
        .describeConsumer({ consumerName: CONSUMER })
        .catch(() => ({ consumerArn: '' }))
      await found.deregisterConsumer(consumerArn).catch(() => {})
    } else if (chance < 0.34) {
      this.faults += 1
      gate.close()
      await world.clock.advance(this.#random.next() * 10 * MINUTE)
      gate.open()
    }
  }

  /** Events that break, hang, come twice or in halves. */
  async *#troubled(events: AsyncIterable<SubscriptionEvent>): AsyncGenerator<SubscriptionEvent, void, void> {
    let before: SubscriptionEvent | undefined
    for await (const event of events) {
      const chance = this.#random.next()
      if (chance < 0.12) this.faults += 1
      if (chance < 0.04) throw this.#pick([broken, inUse, timedOut])()
      if (chance < 0.06) await new Promise(() => {})
      if (chance < 0.12 && before !== undefined) yield { ...event, records: [...before.records, ...event.records] }
      yield event
      before = event
    }
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random.next() * items.length)] as T
  }
}
