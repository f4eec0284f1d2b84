// Reads one shard by enhanced fan-out. Owns the subscription, the place at which the next one begins, and what has come and
// was not fetched yet; fan-out-rules.ts decides. Knows nothing of leases or checkpoints.
//
// What has come is never thrown away: the next subscription begins after it, and it is handed on first. So a subscription may
// end, break or be taken over at any time, and each record is handed on once.
import type { FanOutPort, SubscriptionEvent } from '../kinesis/fan-out-port.ts'
import { ServiceError } from '../model/errors.ts'
import type { KinesisRecord } from '../model/record.ts'
import { unlessAborted } from '../runtime/abort.ts'
import type { Clock } from '../runtime/clock.ts'
import { deferred } from '../runtime/deferred.ts'
import type { Random } from '../runtime/random.ts'
import { readBytes } from './budget-rules.ts'
import type { ByteAllowance, HeldBytes } from './byte-budget.ts'
import type { ActiveConsumer } from './fan-out-consumer.ts'
import {
  expectedBytes,
  isFanOutFailing,
  isOfKind,
  isStartRefused,
  largestLately,
  MAX_BATCH_RECORDS,
  movedBack,
  newerThan,
  passesByItself,
  payloadBytes,
  positionAfter,
  renewAfterMs,
  resubscribeDelayMs,
  SILENCE_LIMIT_MS,
  SUBSCRIBE_EVERY_MS,
  startAfter
} from './fan-out-rules.ts'
import { type FanOutSubscription, openSubscription } from './fan-out-subscription.ts'
import { type ReadStart, stepBackMs } from './read-rules.ts'
import type { RetrievalListener, Retrieved, Retriever } from './retriever.ts'

/** Which shard to read, from where, with which consumer, and who is told of it. */
export interface FanOutRetrieverOptions {
  readonly fanOut: FanOutPort
  /** Shared by all shards of the stream; not closed here. */
  readonly consumer: Pick<ActiveConsumer, 'arn' | 'doubt'>
  readonly shardId: string
  readonly start: ReadStart
  /** The part of this shard in the budget. Closed with the retriever. */
  readonly allowance: ByteAllowance
  /**
   * Whether `next()` rejects once fan-out does not work: when a failure that does not pass was seen three times, or nothing
   * has worked for a minute. Otherwise it is tried again for ever.
   */
  readonly givesUp: boolean
  readonly clock: Clock
  readonly random: Random
  /** Told of events and of failures. A change of mode is for others to tell. */
  readonly listener: Pick<RetrievalListener, 'onRead' | 'onRetry'>
}

/** What came with one event. */
interface Arrived {
  readonly records: readonly KinesisRecord[]
  readonly bytes: number
  readonly millisBehindLatest: number
  readonly held: HeldBytes
}

/** Reads one shard by having its records pushed, as far ahead as the budget lets it. */
export class FanOutRetriever implements Retriever {
  readonly #options: FanOutRetrieverOptions
  readonly #closing = new AbortController()
  /** What has come and was not fetched yet, in order. */
  #arrived: Arrived[] = []
  /** Settled with the next thing that `next()` may wait for. */
  #news = deferred()
  #isReading = false
  #failure: unknown
  #end: Extract<Retrieved, { kind: 'end' }> | undefined
  /** Where the next subscription begins: after everything that has come. */
  #position: ReadStart
  /** The same, by the last record alone: that of an event without records may be refused. */
  #recordPosition: ReadStart
  /** Number of the last record that has come. */
  #newest: string | undefined
  /** How long before its start the shard is opened, because that lies in the future of the service. Milliseconds. */
  #earlierMs = 0
  #subscription: FanOutSubscription | undefined
  /** When it gives way to another one. Monotonic milliseconds. */
  #renewAtMs = Number.POSITIVE_INFINITY
  /** When the last subscription was made. Monotonic milliseconds. */
  #openedAtMs = Number.NEGATIVE_INFINITY
  #largestLately: number | undefined
  #failures = 0
  #hopeless = 0
  /** Since when there has been none that brought an event. Monotonic milliseconds; absent: there is one. */
  #withoutSinceMs: number | undefined

  constructor(options: FanOutRetrieverOptions) {
    const { start } = options
    this.#options = options
    this.#position = start
    this.#recordPosition = start
    if (start.type === 'AFTER_SEQUENCE_NUMBER') this.#newest = start.sequenceNumber
  }

  async next(signal: AbortSignal): Promise<Retrieved> {
    for (;;) {
      signal.throwIfAborted()
      this.#closing.signal.throwIfAborted()
      if (this.#arrived.length > 0) return this.#handOn()
      if (this.#failure !== undefined) throw this.#failure
      if (this.#end !== undefined) return this.#end
      if (!this.#isReading) void this.#readAhead()
      await unlessAborted(this.#news.promise, signal)
    }
  }

  continueAfterEnd(): void {
    this.#end = undefined
  }

  close(): void {
    this.#closing.abort(new ServiceError('other', 'The retriever was closed', { retryable: false }))
    this.#drop()
    for (const { held } of this.#arrived) held.release()
    this.#arrived = []
    this.#options.allowance.close()
    this.#tell()
  }

  /** Everything that has come: a handler that is slower than small events come is given many of them at once. */
  #handOn(): Retrieved {
    let count = 0
    let records = 0
    for (const arrived of this.#arrived) {
      records += arrived.records.length
      if (count > 0 && records > MAX_BATCH_RECORDS) break
      count += 1
    }
    const taken = this.#arrived.splice(0, count)
    const [first, ...others] = taken as [Arrived, ...Arrived[]]
    return {
      kind: 'records',
      records: others.length === 0 ? first.records : taken.flatMap(arrived => arrived.records),
      bytes: taken.reduce((sum, { bytes }) => sum + bytes, 0),
      millisBehindLatest: (others.at(-1) ?? first).millisBehindLatest,
      release: () => {
        for (const { held } of taken) held.release()
      }
    }
  }

  /** Takes event after event, each once there is room for it, until the end of the shard or until it is given up. */
  async #readAhead(): Promise<void> {
    const { allowance } = this.#options
    this.#isReading = true
    try {
      while (this.#end === undefined) {
        const expected = expectedBytes(this.#largestLately, allowance.shareBytes)
        const held = await allowance.hold(expected, this.#closing.signal)
        try {
          this.#take(await this.#receive(), held)
        } catch (error) {
          held.release()
          throw error
        }
        this.#tell()
      }
    } catch (error) {
      this.#failure = error
    } finally {
      this.#drop()
      this.#isReading = false
      this.#tell()
    }
  }

  /** Takes an event in. From record to record, only here the position moves. `undefined`: the shard is gone. */
  #take(event: SubscriptionEvent | undefined, held: HeldBytes): void {
    this.#closing.signal.throwIfAborted()
    if (event === undefined) {
      held.release()
      this.#end = { kind: 'end' }
      return
    }
    const { millisBehindLatest, childShards } = event
    const records = newerThan(this.#newest, event.records)
    const bytes = payloadBytes(records)
    this.#options.listener.onRead({ records: records.length, bytes, millisBehindLatest })
    const takes = readBytes(bytes, records.length)
    this.#largestLately = largestLately(this.#largestLately, takes)
    this.#position = positionAfter(this.#position, event)
    const newest = records.at(-1)?.sequenceNumber
    if (newest === undefined) {
      held.release()
    } else {
      this.#newest = newest
      this.#recordPosition = startAfter(newest)
      held.resize(takes)
      this.#arrived.push({ records, bytes, millisBehindLatest, held })
    }
    if (event.continuationSequenceNumber !== undefined) return
    this.#end = { kind: 'end', ...(childShards && childShards.length > 0 && { childShards }) }
  }

  /** The next event, however many subscriptions that takes; `undefined`: there is no such shard any more. */
  async #receive(): Promise<SubscriptionEvent | undefined> {
    for (;;) {
      try {
        const subscription = await this.#subscribed()
        if (subscription === undefined) return undefined
        const event = await subscription.next()
        if (event !== undefined) {
          this.#failures = 0
          this.#hopeless = 0
          this.#withoutSinceMs = undefined
          return event
        }
        this.#drop()
      } catch (error) {
        this.#closing.signal.throwIfAborted()
        this.#drop()
        await this.#waitAfter(error)
      }
    }
  }

  /** The subscription to listen to now. One that grows old gives way to another one; it stays if there cannot be any yet. */
  async #subscribed(): Promise<FanOutSubscription | undefined> {
    const { clock } = this.#options
    const present = this.#subscription
    const nowMs = clock.monotonicMs()
    if (present === undefined) {
      this.#withoutSinceMs ??= nowMs
      await this.#sleep(this.#openedAtMs + SUBSCRIBE_EVERY_MS - nowMs)
      return this.#subscribe()
    }
    if (nowMs < this.#renewAtMs) return present
    this.#renewAtMs = Number.POSITIVE_INFINITY
    try {
      const next = await this.#subscribe()
      if (next === undefined) return present
      present.drop()
      return next
    } catch {
      this.#closing.signal.throwIfAborted()
      return present
    }
  }

  /** Subscribes at the position. `undefined`: there is no such shard. */
  async #subscribe(): Promise<FanOutSubscription | undefined> {
    const { fanOut, consumer, shardId, clock, random } = this.#options
    const { signal } = this.#closing
    for (let doubted: string | undefined; ; ) {
      const consumerArn = await this.#arn(consumer)
      // The consumer has been found again: then it is the shard that does not exist.
      if (consumerArn === undefined || consumerArn === doubted) return undefined
      try {
        const input = { consumerArn, shardId, start: movedBack(this.#position, this.#earlierMs) }
        const opened = await openSubscription({ fanOut, input, clock, silenceLimitMs: SILENCE_LIMIT_MS, signal })
        this.#subscription = opened
        this.#openedAtMs = opened.openedAtMs
        this.#renewAtMs = opened.openedAtMs + renewAfterMs(random.next())
        return opened
      } catch (error) {
        if (!isOfKind(error, 'not-found')) throw error
        doubted = consumerArn
        consumer.doubt(consumerArn)
      }
    }
  }

  /** `undefined`: there is no such stream. */
  async #arn(consumer: FanOutRetrieverOptions['consumer']): Promise<string | undefined> {
    try {
      return await consumer.arn(this.#closing.signal)
    } catch (error) {
      if (isOfKind(error, 'not-found')) return undefined
      throw error
    }
  }

  async #waitAfter(error: unknown): Promise<void> {
    const { clock, random, listener, givesUp } = this.#options
    const nowMs = clock.monotonicMs()
    this.#failures += 1
    if (!this.#mayReadOn(error)) this.#hopeless += 1
    const trouble = {
      failures: this.#failures,
      hopeless: this.#hopeless,
      forMs: nowMs - (this.#withoutSinceMs ?? nowMs)
    }
    if (givesUp && isFanOutFailing(trouble)) throw error
    const retryInMs = resubscribeDelayMs(error, this.#failures, nowMs - this.#openedAtMs, random.next())
    listener.onRetry(error, retryInMs, this.#failures)
    await this.#sleep(retryInMs)
  }

  /** Whether a failure passes; makes ready for the next try. */
  #mayReadOn(error: unknown): boolean {
    if (passesByItself(error)) return true
    if (!isStartRefused(error)) return false
    if (this.#position !== this.#recordPosition) {
      this.#position = this.#recordPosition
      return true
    }
    // By the clock of the service this time is still to come: the clock it was taken from is ahead.
    const isFuture = this.#position.type === 'AT_TIMESTAMP'
    if (isFuture) this.#earlierMs = stepBackMs(this.#earlierMs)
    return isFuture
  }

  #drop(): void {
    this.#subscription?.drop()
    this.#subscription = undefined
  }

  #tell(): void {
    const { resolve } = this.#news
    this.#news = deferred()
    resolve()
  }

  async #sleep(ms: number): Promise<void> {
    if (ms > 0) await this.#options.clock.sleep(ms, this.#closing.signal)
    this.#closing.signal.throwIfAborted()
  }
}
