// Reads one shard with GetShardIterator and GetRecords. Owns the iterator and the place it stands for; decides nothing
// about pacing (read-rules.ts) and knows nothing of leases or checkpoints.
import type { KinesisPort, RecordsAnswer } from '../kinesis/kinesis-port.ts'
import { isRetryable, ServiceError } from '../model/errors.ts'
import { unlessAborted } from '../runtime/abort.ts'
import { backoffMs } from '../runtime/backoff.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import {
  afterRead,
  limitAfterAnswer,
  limitAfterTimeout,
  NO_DEBT,
  type ReadDebt,
  type ReadStart,
  readDelayMs,
  stepBackMs
} from './read-rules.ts'
import type { ReadReport, Retrieved, Retriever } from './retriever.ts'

/** Which shard to read, from where and how fast, and who is told of each read. */
export interface PollingRetrieverOptions {
  readonly kinesis: KinesisPort
  readonly shardId: string
  readonly start: ReadStart
  /** Kinesis records per read, 1 to 10,000. */
  readonly maxRecords: number
  /** Wait between reads at the tip of the shard. Milliseconds. */
  readonly idleMs: number
  readonly clock: Clock
  readonly random: Random
  readonly onRead: (report: ReadReport) => void
  /** A read failed in a way that passes; it is tried again in `retryInMs` milliseconds. */
  readonly onRetry: (error: unknown, retryInMs: number, failures: number) => void
}

const RETRY = { firstMs: 250, maxMs: 10_000 }
/** Tries before a failure that should not pass is believed: credentials can be out of reach for a moment, for example. */
const HOPELESS_TRIES = 5

/** Reads one shard by asking again and again, at most one answer ahead of whoever takes them. */
export class PollingRetriever implements Retriever {
  readonly #options: PollingRetrieverOptions
  readonly #closing = new AbortController()
  #position: ReadStart
  #iterator: string | undefined
  #debt: ReadDebt = NO_DEBT
  /** How often GetRecords has refused an iterator since its last answer. */
  #refusals = 0
  /** How many records the next read asks for. */
  #limit: number
  /** How long before its start the shard is opened, because that lies in the future of the service. Milliseconds. */
  #earlierMs = 0
  /** What to report once everything read so far has been fetched. */
  #end: Retrieved | undefined
  #last: { isBehind: boolean; atMs: number } | undefined
  /** The read under way, or done and not yet fetched. At most one: that bounds what is held in memory. */
  #ahead: Promise<Retrieved> | undefined

  constructor(options: PollingRetrieverOptions) {
    this.#options = options
    this.#position = options.start
    this.#limit = options.maxRecords
  }

  async next(signal: AbortSignal): Promise<Retrieved> {
    signal.throwIfAborted()
    this.#ahead ??= this.#read()
    const retrieved = await unlessAborted(this.#ahead, signal)
    this.#ahead = retrieved.kind === 'records' ? this.#read() : undefined
    return retrieved
  }

  continueAfterEnd(): void {
    this.#iterator = undefined
    this.#end = undefined
    this.#ahead = undefined
  }

  close(): void {
    this.#closing.abort(new ServiceError('other', 'The retriever was closed', { retryable: false }))
  }

  #read(): Promise<Retrieved> {
    const reading = this.#readOn()
    // Whoever calls next() sees the failure; a read ahead that nobody fetches any more must not be an unhandled one.
    reading.catch(() => {})
    return reading
  }

  async #readOn(): Promise<Retrieved> {
    const { clock, idleMs, random, onRetry } = this.#options
    for (let failures = 0, hopeless = 0; this.#end === undefined; ) {
      const nowMs = clock.monotonicMs()
      const last = this.#last && { isBehind: this.#last.isBehind, agoMs: nowMs - this.#last.atMs }
      await this.#sleep(readDelayMs(this.#debt, last, idleMs, nowMs))
      try {
        const retrieved = this.#accept(await this.#readOnce())
        failures = 0
        hopeless = 0
        if (retrieved !== undefined) return retrieved
      } catch (error) {
        this.#closing.signal.throwIfAborted()
        if (error instanceof ServiceError && error.kind === 'not-found') return { kind: 'end' }
        failures += 1
        if (this.#iterator !== undefined && isTimeout(error)) this.#limit = limitAfterTimeout(this.#limit)
        if (!this.#mayReadOn(error)) hopeless += 1
        if (hopeless === HOPELESS_TRIES) throw error
        const retryInMs = backoffMs(failures, RETRY, random.next())
        onRetry(error, retryInMs, failures)
        await this.#sleep(retryInMs)
      }
    }
    return this.#end
  }

  /** Whether a failure passes; makes ready for the next try. */
  #mayReadOn(error: unknown): boolean {
    if (isRetryable(error)) return true
    if (!(error instanceof ServiceError)) return false
    if (this.#iterator !== undefined) {
      // An iterator lives five minutes; the position it stood for is still known.
      const isRefused = error.kind === 'invalid-argument' && ++this.#refusals < HOPELESS_TRIES
      const isStale = error.kind === 'expired-iterator' || isRefused
      if (isStale) this.#iterator = undefined
      return isStale
    }
    // By the clock of the service this time is still to come: the clock it was taken from is ahead.
    const isFuture = error.kind === 'invalid-argument' && this.#position.type === 'AT_TIMESTAMP'
    if (isFuture) this.#earlierMs = stepBackMs(this.#earlierMs)
    return isFuture
  }

  async #readOnce(): Promise<RecordsAnswer> {
    const { kinesis, clock } = this.#options
    const { signal } = this.#closing
    this.#iterator ??= await this.#openIterator(signal)
    // Even a read that fails counts: the service may have counted it.
    this.#debt = afterRead(this.#debt, 0, clock.monotonicMs())
    return kinesis.getRecords(this.#iterator, { limit: this.#limit, signal })
  }

  async #openIterator(signal: AbortSignal): Promise<string> {
    const { kinesis, shardId } = this.#options
    const position = this.#position
    const start: ReadStart =
      position.type === 'AT_TIMESTAMP'
        ? { ...position, timestampMs: Math.max(0, position.timestampMs - this.#earlierMs) }
        : position
    return kinesis.getShardIterator(shardId, start, { signal })
  }

  /** Takes an answer in. From record to record, only here the position moves; `undefined`: nothing to hand on yet. */
  #accept(answer: RecordsAnswer): Retrieved | undefined {
    const { clock, maxRecords, onRead } = this.#options
    const limit = this.#limit
    const { records, millisBehindLatest, nextIterator, childShards } = answer
    const bytes = records.reduce((sum, record) => sum + record.data.length + record.partitionKey.length, 0)
    // Told before anything moves: if the telling fails, the same is read again rather than skipped.
    onRead({ records: records.length, bytes, millisBehindLatest })
    const nowMs = clock.monotonicMs()
    this.#refusals = 0
    this.#debt = { ...this.#debt, bytes: this.#debt.bytes + bytes }
    this.#last = { isBehind: millisBehindLatest > 0 || records.length >= limit, atMs: nowMs }
    this.#limit = limitAfterAnswer(limit, maxRecords)
    const newest = records.at(-1)
    if (newest) this.#position = { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: newest.sequenceNumber }
    this.#iterator = nextIterator
    if (nextIterator === undefined) this.#end = { kind: 'end', ...(childShards && { childShards }) }
    return newest === undefined ? this.#end : { kind: 'records', records, millisBehindLatest }
  }

  async #sleep(ms: number): Promise<void> {
    if (ms > 0) await this.#options.clock.sleep(ms, this.#closing.signal)
    this.#closing.signal.throwIfAborted()
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof ServiceError && error.kind === 'timeout'
}
