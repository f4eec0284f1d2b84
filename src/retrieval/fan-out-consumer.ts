// The consumer of enhanced fan-out that a worker subscribes with: found by name or registered, when it is first needed, and
// again when it turns out to be gone. One for all shards of a stream.
import type { FanOutConsumer, FanOutConsumerReference, FanOutPort } from '../kinesis/fan-out-port.ts'
import { ServiceError } from '../model/errors.ts'
import { unlessAborted } from '../runtime/abort.ts'
import { backoffMs } from '../runtime/backoff.ts'
import type { Clock } from '../runtime/clock.ts'
import { jittered, type Random } from '../runtime/random.ts'
import { retry } from '../runtime/retry.ts'
import { isOfKind } from './fan-out-rules.ts'

/** Which consumer it is, and where. */
export interface ActiveConsumerOptions {
  readonly fanOut: FanOutPort
  /** By its name: it is registered unless there is one. By its ARN: it never is. */
  readonly consumer: FanOutConsumerReference
  readonly clock: Clock
  readonly random: Random
}

const LOOK_EVERY_MS = 1_000
const ACTIVE_WITHIN_MS = 30_000
const CALL_RETRY = { attempts: 5, backoff: { firstMs: 500, maxMs: 5_000 } }
const RUN_BACKOFF = { firstMs: 1_000, maxMs: 15_000 }

/** The consumer that all shards of a worker are subscribed to with. */
export class ActiveConsumer {
  readonly #options: ActiveConsumerOptions
  readonly #closing = new AbortController()
  #arn: string | undefined
  /** The run under way, which everybody waits for who asks meanwhile. */
  #looking: Promise<string> | undefined
  #failures = 0
  /** Monotonic milliseconds. */
  #notBeforeMs = 0

  constructor(options: ActiveConsumerOptions) {
    this.#options = options
    const { consumer } = options
    if ('consumerArn' in consumer) this.#arn = consumer.consumerArn
  }

  /**
   * The ARN to subscribe with; waits until the consumer is active. One that was given is not asked about before it is doubted.
   * Rejects with the reason of `signal`, or with what failed: ServiceError `not-found` where there is no such stream,
   * one that is not retryable where the consumer that was given by its ARN does not exist. The next call tries again, after a while.
   */
  async arn(signal: AbortSignal): Promise<string> {
    signal.throwIfAborted()
    if (this.#arn !== undefined) return this.#arn
    this.#looking ??= this.#look()
    return unlessAborted(this.#looking, signal)
  }

  /** Says that a subscription with this ARN was refused as if there were no such consumer: it is looked for again. */
  doubt(arn: string): void {
    if (this.#arn === arn) this.#arn = undefined
  }

  /** Ends what is under way. */
  close(): void {
    this.#closing.abort(new ServiceError('other', 'The worker is done with its consumer', { retryable: false }))
  }

  #look(): Promise<string> {
    const run = this.#lookOnce().finally(() => {
      this.#looking = undefined
    })
    // Those who wait see the failure; they may all have left.
    run.catch(() => {})
    return run
  }

  async #lookOnce(): Promise<string> {
    const { clock, random } = this.#options
    await this.#sleep(this.#notBeforeMs - clock.monotonicMs())
    try {
      this.#arn = await this.#find()
      this.#failures = 0
      return this.#arn
    } catch (error) {
      this.#failures += 1
      this.#notBeforeMs = clock.monotonicMs() + backoffMs(this.#failures, RUN_BACKOFF, random.next())
      throw error
    }
  }

  async #find(): Promise<string> {
    const { clock, random } = this.#options
    const untilMs = clock.monotonicMs() + ACTIVE_WITHIN_MS
    for (;;) {
      const found = (await this.#described()) ?? (await this.#registered())
      if (found?.status === 'ACTIVE') return found.consumerArn
      if (clock.monotonicMs() >= untilMs) throw this.#tooSlow(found)
      await this.#sleep(jittered(LOOK_EVERY_MS, random))
    }
  }

  /** The consumer as it is now; `undefined`: there is none, or none any more. */
  async #described(): Promise<FanOutConsumer | undefined> {
    const { fanOut, consumer } = this.#options
    return this.#call(async options => {
      try {
        return await fanOut.describeConsumer(consumer, options)
      } catch (error) {
        if (isOfKind(error, 'not-found')) return undefined
        throw error
      }
    })
  }

  /** The consumer as registered just now; `undefined`: somebody else was faster, or there are as many as may be. */
  async #registered(): Promise<FanOutConsumer | undefined> {
    const { fanOut, consumer } = this.#options
    if ('consumerArn' in consumer) {
      const message = `Option retrieval.consumerArn: there is no consumer ${consumer.consumerArn} (any more)`
      throw new ServiceError('other', message, { retryable: false })
    }
    return this.#call(async options => {
      try {
        return await fanOut.registerConsumer(consumer.consumerName, options)
      } catch (error) {
        if (isOfKind(error, 'in-use')) return undefined
        throw error
      }
    })
  }

  #call<T>(work: (options: { readonly signal: AbortSignal }) => Promise<T>): Promise<T> {
    const { clock, random } = this.#options
    const { signal } = this.#closing
    return retry(() => work({ signal }), CALL_RETRY, { clock, random, signal })
  }

  #tooSlow(found: FanOutConsumer | undefined): ServiceError {
    const { fanOut, consumer } = this.#options
    const name = 'consumerName' in consumer ? consumer.consumerName : consumer.consumerArn
    const problem =
      found === undefined
        ? 'cannot be registered; the stream may have as many consumers as it can have'
        : `is ${found.status} and has not become ACTIVE within ${ACTIVE_WITHIN_MS} ms`
    const message = `Consumer ${name} of stream ${fanOut.streamName} ${problem}`
    return new ServiceError('in-use', message, { retryable: true })
  }

  async #sleep(ms: number): Promise<void> {
    if (ms > 0) await this.#options.clock.sleep(ms, this.#closing.signal)
    this.#closing.signal.throwIfAborted()
  }
}
