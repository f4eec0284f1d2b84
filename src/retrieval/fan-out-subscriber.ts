// Keeps a shard subscribed to: makes the subscription that is listened to, has the next one take over before its time is up,
// and has the consumer looked for again where it was not found. Where a subscription begins is for its owner to say.
import type { FanOutPort, SubscriptionEvent } from '../kinesis/fan-out-port.ts'
import { ServiceError } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { ActiveConsumer } from './fan-out-consumer.ts'
import { isOfKind, renewAfterMs, SILENCE_LIMIT_MS, SUBSCRIBE_EVERY_MS, SUBSCRIPTION_MS } from './fan-out-rules.ts'
import { type FanOutSubscription, openSubscription } from './fan-out-subscription.ts'
import type { ReadStart } from './read-rules.ts'

/** What to subscribe to, with which consumer, and from where. */
export interface FanOutSubscriberOptions {
  readonly fanOut: FanOutPort
  /** Shared by all shards of the stream; not closed here. */
  readonly consumer: Pick<ActiveConsumer, 'arn' | 'doubt'>
  readonly shardId: string
  /** Where a subscription begins that is made now. */
  readonly start: () => ReadStart
  readonly clock: Clock
  readonly random: Random
  /** Ends everything. */
  readonly signal: AbortSignal
  /**
   * Told that the next subscription could not take over, and in how many milliseconds there has to be another one at the
   * latest. Nothing is missed until then: the one that stands goes on. Must not throw.
   */
  readonly onRenewalFailed: (error: unknown, retryInMs: number) => void
}

/** Brings the events of a shard, from one subscription after the other. */
export class FanOutSubscriber {
  readonly #options: FanOutSubscriberOptions
  #subscription: FanOutSubscription | undefined
  /** The next one on its way, while the one that stands is listened to. Never rejects. */
  #renewal: Promise<void> | undefined
  /** When the present one is to give way. Monotonic milliseconds. */
  #renewAtMs = Number.POSITIVE_INFINITY
  #openedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: FanOutSubscriberOptions) {
    this.#options = options
  }

  /** When the last subscription was made. Monotonic milliseconds; -Infinity: none was. */
  get openedAtMs(): number {
    return this.#openedAtMs
  }

  /** Whether there is a subscription. */
  get isSubscribed(): boolean {
    return this.#subscription !== undefined
  }

  /**
   * The next event; subscribes first, unless it is subscribed, but no sooner than the service allows. Where the next subscription
   * takes over, events that the last one brought may come again. `undefined`: the subscription has ended, as each does. Rejects
   * with what is in the way, or with the reason of the signal; it is not subscribed then. One call at a time.
   */
  async next(): Promise<SubscriptionEvent | undefined> {
    const { shardId, signal } = this.#options
    for (;;) {
      const subscription = await this.#subscribed()
      let failure: unknown
      try {
        const event = await subscription.next()
        if (event !== undefined) return event
        if (!subscription.hasSpoken) failure = endedInSilence(shardId)
      } catch (error) {
        failure = error
      }
      signal.throwIfAborted()
      // The service ends it, too, when the next one takes over, and may say so before we hear of the next one.
      await this.#renewal
      signal.throwIfAborted()
      if (this.#subscription !== subscription) continue
      this.drop()
      if (failure !== undefined) throw failure
      return undefined
    }
  }

  /** Ends the subscription. The next event is one of another. */
  drop(): void {
    this.#subscription?.drop()
    this.#subscription = undefined
  }

  async #subscribed(): Promise<FanOutSubscription> {
    const { clock, signal } = this.#options
    if (this.#subscription === undefined) {
      await this.#renewal
      const waitMs = this.#openedAtMs + SUBSCRIBE_EVERY_MS - clock.monotonicMs()
      if (waitMs > 0) await clock.sleep(waitMs, signal)
      signal.throwIfAborted()
      this.#subscription = await this.#open()
    } else if (clock.monotonicMs() >= this.#renewAtMs) {
      this.#renewAtMs = Number.POSITIVE_INFINITY
      this.#renewal = this.#renew(this.#subscription).finally(() => {
        this.#renewal = undefined
      })
    }
    return this.#subscription
  }

  /** Has the next subscription take over. Where that fails, the present one stays. */
  async #renew(present: FanOutSubscription): Promise<void> {
    const { clock, signal, onRenewalFailed } = this.#options
    try {
      const next = await this.#open()
      if (this.#subscription !== present) return next.drop()
      this.#subscription = next
      present.drop()
    } catch (error) {
      // In use: that is how it is where a subscription cannot be taken over. It ends, and then there can be another one.
      if (signal.aborted || isOfKind(error, 'in-use')) return
      onRenewalFailed(error, Math.max(0, present.openedAtMs + SUBSCRIPTION_MS - clock.monotonicMs()))
    }
  }

  /** Subscribes; once more where the consumer was not found, and another one is there in its place. */
  async #open(): Promise<FanOutSubscription> {
    const { fanOut, consumer, shardId, start, clock, random, signal } = this.#options
    const open = (consumerArn: string): Promise<FanOutSubscription> => {
      const input = { consumerArn, shardId, start: start() }
      return openSubscription({ fanOut, input, clock, silenceLimitMs: SILENCE_LIMIT_MS, signal })
    }
    const consumerArn = await consumer.arn(signal)
    const opened = await open(consumerArn).catch(async error => {
      if (!isOfKind(error, 'not-found')) throw error
      consumer.doubt(consumerArn)
      const foundArn = await consumer.arn(signal)
      if (foundArn === consumerArn) throw error
      return open(foundArn)
    })
    this.#openedAtMs = opened.openedAtMs
    this.#renewAtMs = opened.openedAtMs + renewAfterMs(random.next())
    return opened
  }
}

function endedInSilence(shardId: string): ServiceError {
  return new ServiceError('other', `The subscription to ${shardId} ended before its first event`, { retryable: true })
}
