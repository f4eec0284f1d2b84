// One subscription to one shard: its events one at a time, until it ends, is dropped, or says nothing for too long.
import type { FanOutPort, SubscribeInput, SubscriptionEvent } from '../kinesis/fan-out-port.ts'
import { ServiceError } from '../model/errors.ts'
import { unlessAborted } from '../runtime/abort.ts'
import type { Clock } from '../runtime/clock.ts'

/** What a subscription is opened with. */
export interface OpenSubscriptionOptions {
  readonly fanOut: FanOutPort
  readonly input: Omit<SubscribeInput, 'signal'>
  readonly clock: Clock
  /** How long it may be silent while its next event is waited for. Milliseconds. */
  readonly silenceLimitMs: number
  /** Ends the opening, and afterwards the subscription. */
  readonly signal: AbortSignal
}

/** Subscribes. Resolves once the subscription stands; rejects as the port does. */
export async function openSubscription(options: OpenSubscriptionOptions): Promise<FanOutSubscription> {
  const { fanOut, input, signal } = options
  signal.throwIfAborted()
  const over = new AbortController()
  const forward = (): void => over.abort(signal.reason)
  const release = (): void => signal.removeEventListener('abort', forward)
  signal.addEventListener('abort', forward, { once: true })
  try {
    const events = await fanOut.subscribeToShard({ ...input, signal: over.signal })
    return new FanOutSubscription(events[Symbol.asyncIterator](), over, release, options)
  } catch (error) {
    release()
    throw error
  }
}

/** A subscription that stands. Made by {@link openSubscription}. */
export class FanOutSubscription {
  /** When it was made. Monotonic milliseconds. */
  readonly openedAtMs: number
  /** Whether it has brought an event. */
  hasSpoken = false
  readonly #events: AsyncIterator<SubscriptionEvent>
  readonly #over: AbortController
  readonly #release: () => void
  readonly #options: OpenSubscriptionOptions
  /** Since when an event is being waited for. Absent: none is, so that silence means nothing. */
  #waitingSinceMs: number | undefined

  constructor(
    events: AsyncIterator<SubscriptionEvent>,
    over: AbortController,
    release: () => void,
    options: OpenSubscriptionOptions
  ) {
    this.#events = events
    this.#over = over
    this.#release = release
    this.#options = options
    this.openedAtMs = options.clock.monotonicMs()
    void this.#watch()
  }

  /**
   * The next event; `undefined`: it has ended. Rejects with what ended it: the reason of the signal, an error of the service, or
   * ServiceError `timeout` where nothing came. One call at a time.
   */
  async next(): Promise<SubscriptionEvent | undefined> {
    this.#over.signal.throwIfAborted()
    this.#waitingSinceMs = this.#options.clock.monotonicMs()
    try {
      const { done, value } = await unlessAborted(this.#events.next(), this.#over.signal)
      if (done === true) return undefined
      this.hasSpoken = true
      return value
    } finally {
      this.#waitingSinceMs = undefined
    }
  }

  /** Ends it. What it may still send is not heard. */
  drop(): void {
    this.#end(new ServiceError('other', 'The subscription was dropped', { retryable: true }))
  }

  #end(why: Error): void {
    this.#release()
    this.#over.abort(why)
    // Between two events nobody would notice the signal.
    const ending = this.#events.return?.()
    ending?.catch(() => {})
  }

  /** One timer for many events: they come far more often than it is looked. */
  async #watch(): Promise<void> {
    const { clock, silenceLimitMs, input } = this.#options
    const { signal } = this.#over
    while (!signal.aborted) {
      const silentMs = this.#waitingSinceMs === undefined ? 0 : clock.monotonicMs() - this.#waitingSinceMs
      if (silentMs >= silenceLimitMs) {
        const message = `The subscription to ${input.shardId} has been silent for ${Math.round(silentMs)} ms`
        this.#end(new ServiceError('timeout', message, { retryable: true }))
      } else {
        await clock.sleep(silenceLimitMs - silentMs, signal)
      }
    }
  }
}
