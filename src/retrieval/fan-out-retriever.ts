// Reads one shard by enhanced fan-out. Owns the place at which the next subscription begins, and what has come and was not
// fetched yet; fan-out-rules.ts decides, fan-out-subscriber.ts subscribes. Knows nothing of leases or checkpoints.
//
// What has come is never thrown away: the next subscription begins after it, and it is handed on first. So a subscription may
// end, break or be taken over at any time, and each record is handed on once.
import type { FanOutPort, SubscriptionEvent } from '../kinesis/fan-out-port.ts'
import type { KinesisPort } from '../kinesis/kinesis-port.ts'
import { isRetryable, messageOf, ServiceError } from '../model/errors.ts'
import type { KinesisRecord } from '../model/record.ts'
import { unlessAborted } from '../runtime/abort.ts'
import type { Clock } from '../runtime/clock.ts'
import { deferred } from '../runtime/deferred.ts'
import type { Random } from '../runtime/random.ts'
import { readBytes, userRecordBytes } from './budget-rules.ts'
import type { ByteAllowance, HeldBytes } from './byte-budget.ts'
import type { ActiveConsumer } from './fan-out-consumer.ts'
import {
  endIn,
  expectedBytes,
  isFanOutFailing,
  isOfKind,
  isStartRefused,
  largestLately,
  MAX_BATCH_RECORDS,
  movedBack,
  newerThan,
  payloadBytes,
  positionAfter,
  resubscribeDelayMs,
  startAfter
} from './fan-out-rules.ts'
import { FanOutSubscriber } from './fan-out-subscriber.ts'
import { type ReadStart, stepBackMs } from './read-rules.ts'
import type { RetrievalListener, Retrieved, Retriever } from './retriever.ts'

/** Which shard to read, from where, with which consumer, and who is told of it. */
export interface FanOutRetrieverOptions {
  readonly fanOut: FanOutPort
  /** Shared by all shards of the stream; not closed here. */
  readonly consumer: Pick<ActiveConsumer, 'arn' | 'doubt'>
  /**
   * Asked whether there is such a shard: SubscribeToShard does not say whether it is that which it has not found, or the
   * consumer. Whoever believes the former of it skips what is unread.
   */
  readonly kinesis: Pick<KinesisPort, 'getShardIterator'>
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
  #lacksRoom = false
  #failure: unknown
  #end: Extract<Retrieved, { kind: 'end' }> | undefined
  /** Whether the last event said that everything was sent, in a way that another one has to confirm. */
  #isEndSaid = false
  /** Where the next subscription begins: after everything that has come. */
  #position: ReadStart
  /** The same, by the last record alone: that of an event without records may be refused. */
  #recordPosition: ReadStart
  /** Number of the last record that has come. */
  #newest: string | undefined
  /** How long before its start the shard is opened, because that lies in the future of the service. Milliseconds. */
  #earlierMs = 0
  readonly #subscriber: FanOutSubscriber
  #largestLately: number | undefined
  #failures = 0
  #hopeless = 0
  /** Since when there has been none that brought an event. Monotonic milliseconds; absent: there is one. */
  #withoutSinceMs: number | undefined

  constructor(options: FanOutRetrieverOptions) {
    const { start, fanOut, consumer, shardId, clock, random, listener } = options
    this.#options = options
    this.#subscriber = new FanOutSubscriber({
      fanOut,
      consumer,
      shardId,
      start: () => movedBack(this.#position, this.#earlierMs),
      clock,
      random,
      signal: this.#closing.signal,
      onRenewalFailed: (error, retryInMs) => listener.onRetry(error, retryInMs, 1)
    })
    this.#position = start
    this.#recordPosition = start
    if (start.type === 'AFTER_SEQUENCE_NUMBER') this.#newest = start.sequenceNumber
  }

  get lacksRoom(): boolean {
    return this.#lacksRoom
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
    this.#isEndSaid = false
  }

  close(): void {
    this.#closing.abort(new ServiceError('other', 'The retriever was closed', { retryable: false }))
    this.#subscriber.drop()
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
      takenApart: userRecords => {
        // Whoever holds the first holds all of them.
        first.held.resize(first.held.bytes + userRecordBytes(userRecords))
      },
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
        this.#lacksRoom = true
        const held = await allowance.hold(expected, this.#closing.signal)
        this.#lacksRoom = false
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
      this.#subscriber.drop()
      this.#isReading = false
      this.#lacksRoom = false
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
    this.#position = positionAfter(this.#position, { ...event, records })
    const newest = records.at(-1)?.sequenceNumber
    if (newest === undefined) {
      held.release()
    } else {
      this.#newest = newest
      this.#recordPosition = startAfter(newest)
      held.resize(takes)
      this.#arrived.push({ records, bytes, millisBehindLatest, held })
    }
    const end = endIn(event, records.length, this.#isEndSaid)
    this.#isEndSaid = end === 'said'
    if (end === 'said') this.#subscriber.drop()
    if (end === 'certain') this.#end = { kind: 'end', ...(childShards && childShards.length > 0 && { childShards }) }
  }

  /** The next event, however many subscriptions that takes; `undefined`: there is no such shard any more. */
  async #receive(): Promise<SubscriptionEvent | undefined> {
    const { clock } = this.#options
    for (;;) {
      if (!this.#subscriber.isSubscribed) this.#withoutSinceMs ??= clock.monotonicMs()
      try {
        const event = await this.#subscriber.next()
        if (event === undefined) continue
        this.#failures = 0
        this.#hopeless = 0
        this.#withoutSinceMs = undefined
        return event
      } catch (error) {
        this.#closing.signal.throwIfAborted()
        const failure = isOfKind(error, 'not-found') ? await this.#notFound(error) : error
        if (failure === undefined) return undefined
        await this.#waitAfter(failure)
      }
    }
  }

  /** What failed when something was not found; `undefined`: it is the shard that does not exist. */
  async #notFound(error: unknown): Promise<unknown> {
    const { kinesis, shardId } = this.#options
    const { signal } = this.#closing
    try {
      await kinesis.getShardIterator(shardId, { type: 'TRIM_HORIZON' }, { signal })
      return error
    } catch (unknown) {
      signal.throwIfAborted()
      if (isOfKind(unknown, 'not-found')) return undefined
      const message = `${messageOf(error)}; whether the shard exists could not be asked: ${messageOf(unknown)}`
      return new ServiceError('not-found', message, { retryable: false, cause: error })
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
    const retryInMs = resubscribeDelayMs(error, this.#failures, nowMs - this.#subscriber.openedAtMs, random.next())
    listener.onRetry(error, retryInMs, this.#failures)
    await this.#sleep(retryInMs)
  }

  /** Whether a failure passes; makes ready for the next try. */
  #mayReadOn(error: unknown): boolean {
    if (isRetryable(error)) return true
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
