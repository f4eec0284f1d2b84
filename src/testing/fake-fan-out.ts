// Enhanced fan-out of the fake Kinesis: registered consumers, and subscriptions that push what is put into a shard. Like
// the service, it keeps a subscription for five minutes at most, and one for each consumer and shard.
import type {
  FanOutConsumer,
  FanOutConsumerReference,
  SubscribeInput,
  SubscriptionEvent
} from '../kinesis/fan-out-port.ts'
import type { IteratorStart } from '../kinesis/kinesis-port.ts'
import { ServiceError, ThrottledError } from '../model/errors.ts'
import { isClosed } from '../model/shard.ts'
import type { Clock } from '../runtime/clock.ts'
import { following } from './fake-iterator.ts'
import { type FakeShard, type FakeStream, firstIndexFrom, upToCaps } from './fake-stream.ts'

/** What the consumers of one fake have in common. */
export interface FakeFanOutOptions {
  readonly clock: Clock
  /** Whether the last event of a shard names its children. */
  readonly sendChildShards: boolean
  /** The lowest sequence number that a subscription with this start is to be sent. Throws what Kinesis would refuse. */
  readonly firstNumber: (stream: FakeStream, shardId: string, start: IteratorStart) => string
}

const CREATION_MS = 1_000
const SUBSCRIPTION_MS = 300_000
const TAKE_OVER_AFTER_MS = 5_000
const SILENCE_MS = 5_000
const MAX_CONSUMERS = 20
const MAX_CREATING = 5
const MAX_EVENT_RECORDS = 10_000
const BYTES_PER_SECOND = 2 * 1024 * 1024

interface Registered {
  readonly consumerName: string
  readonly consumerArn: string
  readonly createdAtMs: number
  readonly activeAtMs: number
  readonly stream: FakeStream
  /** By shard. */
  readonly subscriptions: Map<string, Subscription>
}

/** The consumers of every stream of a fake, and their subscriptions. */
export class FakeFanOut {
  readonly #options: FakeFanOutOptions
  readonly #consumers = new Map<string, Registered>()

  constructor(options: FakeFanOutOptions) {
    this.#options = options
  }

  /**
   * Registers a consumer.
   *
   * @throws ServiceError `in-use` if there is one of that name
   * @throws ThrottledError if there are 20 already, or if 5 are being created, which the service calls LimitExceeded
   */
  register(stream: FakeStream, consumerName: string): FanOutConsumer {
    const siblings = this.list(stream)
    if (siblings.some(sibling => sibling.consumerName === consumerName)) {
      throw new ServiceError('in-use', `Consumer ${consumerName} of ${stream.name} exists already`, { retryable: true })
    }
    if (siblings.length >= MAX_CONSUMERS) {
      throw new ThrottledError(`${stream.name} has ${siblings.length} consumers already`)
    }
    if (siblings.filter(({ status }) => status === 'CREATING').length >= MAX_CREATING) {
      throw new ThrottledError(`${MAX_CREATING} consumers of ${stream.name} are being created already`)
    }
    const { clock } = this.#options
    const createdAtMs = clock.epochMs()
    const consumerArn = `${stream.arn}/consumer/${consumerName}:${Math.floor(createdAtMs / 1000)}`
    const activeAtMs = clock.monotonicMs() + CREATION_MS
    this.#consumers.set(consumerArn, {
      ...{ consumerName, consumerArn, createdAtMs, activeAtMs, stream },
      subscriptions: new Map()
    })
    return this.describe(stream, { consumerArn })
  }

  /** @throws ServiceError `not-found` */
  describe(stream: FakeStream, consumer: FanOutConsumerReference): FanOutConsumer {
    const isMeant = (it: Registered): boolean =>
      'consumerArn' in consumer
        ? it.consumerArn === consumer.consumerArn
        : it.stream === stream && it.consumerName === consumer.consumerName
    const found = [...this.#consumers.values()].find(isMeant)
    const wanted = 'consumerArn' in consumer ? consumer.consumerArn : `${consumer.consumerName} of ${stream.name}`
    if (found === undefined) throw noConsumer(wanted)
    const { consumerName, consumerArn, createdAtMs, activeAtMs } = found
    const status = activeAtMs <= this.#options.clock.monotonicMs() ? 'ACTIVE' : 'CREATING'
    return { consumerName, consumerArn, status, createdAtMs }
  }

  /** The consumers of a stream, in the order in which they were registered. */
  list(stream: FakeStream): FanOutConsumer[] {
    const ofStream = [...this.#consumers.values()].filter(consumer => consumer.stream === stream)
    return ofStream.map(({ consumerArn }) => this.describe(stream, { consumerArn }))
  }

  /** Takes a consumer away and ends its subscriptions. @throws ServiceError `not-found` */
  deregister(consumerArn: string): void {
    const { consumerName, subscriptions } = this.#registered(consumerArn)
    this.#consumers.delete(consumerArn)
    const error = new ServiceError('not-found', `Consumer ${consumerName} was deregistered`, { retryable: false })
    for (const subscription of subscriptions.values()) subscription.end(error)
  }

  /**
   * Begins a subscription. One that the consumer has of that shard ends with `in-use`, if it is five seconds old or more.
   *
   * @throws ServiceError `in-use` if the consumer is not active yet, or has subscribed to the shard within five seconds;
   *   `not-found` if there is no such consumer or shard; `invalid-argument` if the start is refused
   */
  subscribe({ consumerArn, shardId, start, signal }: SubscribeInput): AsyncIterable<SubscriptionEvent> {
    const { clock, firstNumber, sendChildShards } = this.#options
    const { consumerName, stream, activeAtMs, subscriptions } = this.#registered(consumerArn)
    if (activeAtMs > clock.monotonicMs()) throw inUse(`Consumer ${consumerName} is being created`)
    const source = stream.shard(shardId)
    const before = subscriptions.get(shardId)
    if (before !== undefined && clock.monotonicMs() - before.begunAtMs < TAKE_OVER_AFTER_MS) {
      throw inUse(`Consumer ${consumerName} has subscribed to ${shardId} less than five seconds ago`)
    }
    const from = firstNumber(stream, shardId, start)
    before?.end(inUse(`Another subscription of consumer ${consumerName} to ${shardId} replaces this one`))
    const subscription = new Subscription({ clock, sendChildShards, stream, source, from, signal })
    subscriptions.set(shardId, subscription)
    return subscription
  }

  /** Breaks the connection of every subscription to a shard, or to every shard, of a stream. */
  disconnect(stream: FakeStream, shardId?: string): void {
    const error = new ServiceError('other', 'The connection was closed', { retryable: true })
    for (const consumer of this.#consumers.values()) {
      if (consumer.stream !== stream) continue
      for (const [ofShard, subscription] of consumer.subscriptions) {
        if (shardId === undefined || ofShard === shardId) subscription.end(error)
      }
    }
  }

  #registered(consumerArn: string): Registered {
    const consumer = this.#consumers.get(consumerArn)
    if (consumer !== undefined) return consumer
    throw noConsumer(consumerArn)
  }
}

interface SubscriptionOptions {
  readonly clock: Clock
  readonly sendChildShards: boolean
  readonly stream: FakeStream
  readonly source: FakeShard
  readonly from: string
  readonly signal: AbortSignal | undefined
}

/** One subscription. Sends only what is asked for: a slow reader keeps nothing in memory but the shard itself. */
class Subscription implements AsyncIterable<SubscriptionEvent> {
  readonly begunAtMs: number
  readonly #options: SubscriptionOptions
  #from: string
  #error: Error | undefined
  /** Cuts short the wait for something to send. */
  #wake = new AbortController()

  constructor(options: SubscriptionOptions) {
    this.#options = options
    this.#from = options.from
    this.begunAtMs = options.clock.monotonicMs()
  }

  /** Ends it with an error, which whoever iterates gets next. */
  end(error: Error): void {
    this.#error ??= error
    this.#wake.abort()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SubscriptionEvent, void, void> {
    const { clock, source, signal } = this.#options
    const endsAtMs = this.begunAtMs + SUBSCRIPTION_MS
    const rouse = (): void => this.#wake.abort()
    source.watchers.add(rouse)
    signal?.addEventListener('abort', rouse, { once: true })
    try {
      for (let saidAtMs = clock.monotonicMs(); ; ) {
        this.#wake = new AbortController()
        this.#throwIfOver()
        const nowMs = clock.monotonicMs()
        if (nowMs >= endsAtMs) return
        const event = this.#next()
        const isSilent = event.records.length === 0 && event.continuationSequenceNumber !== undefined
        if (isSilent && nowMs - saidAtMs < SILENCE_MS) {
          await clock.sleep(Math.min(saidAtMs + SILENCE_MS, endsAtMs) - nowMs, this.#wake.signal)
          continue
        }
        saidAtMs = nowMs
        yield event
        if (event.continuationSequenceNumber === undefined) return
        const bytes = event.records.reduce((sum, { data }) => sum + data.length, 0)
        if (bytes > 0) await clock.sleep((bytes / BYTES_PER_SECOND) * 1000, signal)
      }
    } finally {
      source.watchers.delete(rouse)
      signal?.removeEventListener('abort', rouse)
    }
  }

  #throwIfOver(): void {
    this.#options.signal?.throwIfAborted()
    if (this.#error !== undefined) throw this.#error
  }

  /** What there is to send now. */
  #next(): SubscriptionEvent {
    const { clock, stream, source, sendChildShards } = this.#options
    const { shardId } = source.shard
    stream.shard(shardId)
    const first = firstIndexFrom(source.records, this.#from)
    const records = upToCaps(source.records, first, { maxRecords: MAX_EVENT_RECORDS, maxBytes: BYTES_PER_SECOND })
    const last = records.at(-1)
    if (last !== undefined) this.#from = following(last.sequenceNumber)
    const isAtTip = first + records.length >= source.records.length
    const behindMs = isAtTip || last === undefined ? 0 : Math.max(1, clock.epochMs() - last.arrivedAtMs)
    if (isAtTip && isClosed(source.shard)) {
      const childShards = sendChildShards ? stream.childrenOf(shardId) : []
      return { records, millisBehindLatest: behindMs, ...(childShards.length > 0 && { childShards }) }
    }
    const continuationSequenceNumber = last?.sequenceNumber ?? stream.newest(shardId)
    return { records, millisBehindLatest: behindMs, continuationSequenceNumber }
  }
}

function noConsumer(which: string): ServiceError {
  return new ServiceError('not-found', `Consumer ${which} does not exist`, { retryable: false })
}

function inUse(message: string): ServiceError {
  return new ServiceError('in-use', message, { retryable: true })
}
