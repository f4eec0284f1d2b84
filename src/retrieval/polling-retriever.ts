// Reads one shard with GetShardIterator and GetRecords. Owns the iterator and the place it stands for; decides nothing about
// pacing (shard-paces.ts) or about memory (byte-budget.ts), and knows nothing of leases or checkpoints.
import type { KinesisPort } from '../kinesis/kinesis-port.ts'
import { isRetryable, ServiceError, ThrottledError } from '../model/errors.ts'
import type { RecordsAnswer } from '../model/records-answer.ts'
import { unlessAborted } from '../runtime/abort.ts'
import { backoffMs } from '../runtime/backoff.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import {
  type AnswerHabits,
  expectedUserBytes,
  habitsAfter,
  habitsAfterTaking,
  NO_HABITS,
  planRead,
  readBytes,
  recordsPerAnswer,
  userRecordBytes
} from './budget-rules.ts'
import type { ByteAllowance, HeldBytes } from './byte-budget.ts'
import { limitAfterAnswer, limitAfterTimeout, type ReadStart, stepBackMs } from './read-rules.ts'
import type { RetrievalListener, Retrieved, Retriever } from './retriever.ts'
import type { ShardPace } from './shard-paces.ts'

/** Which shard to read, from where and how fast, and who is told of each read. */
export interface PollingRetrieverOptions {
  readonly kinesis: KinesisPort
  readonly shardId: string
  readonly start: ReadStart
  /** Kinesis records per read, 1 to 10,000. */
  readonly maxRecords: number
  /** How fast the shard may be read. Closed with the retriever. */
  readonly pace: ShardPace
  /** How much memory the shard may take. Closed with the retriever. */
  readonly allowance: ByteAllowance
  readonly clock: Clock
  readonly random: Random
  readonly listener: Pick<RetrievalListener, 'onRead' | 'onRetry'>
}

const RETRY = { firstMs: 250, maxMs: 10_000 }
/** Who is refused tries more often: others leave short gaps. */
const RETRY_REFUSED = { firstMs: 250, maxMs: 4_000 }
/** An iterator lives five minutes. One that may have expired by the time it arrives is not worth a call. Milliseconds. */
const ITERATOR_LIVES_MS = 290_000
/** Tries before a failure that should not pass is believed: credentials can be out of reach for a moment, for example. */
const HOPELESS_TRIES = 5
/** kinesalite names no children, and says only with the second answer after the last record that there will be no more. */
const DOUBTFUL_ANSWERS = 2

/** Reads one shard by asking again and again, at most one answer ahead of whoever takes them. */
export class PollingRetriever implements Retriever {
  readonly #options: PollingRetrieverOptions
  readonly #closing = new AbortController()
  #position: ReadStart
  #iterator: string | undefined
  /** When the iterator was given to us. Monotonic milliseconds. */
  #iteratorAtMs = 0
  /** How often GetRecords has refused an iterator since its last answer. */
  #refusals = 0
  /** How many records a read may ask for: fewer than was said where the line is slow. */
  #maxRecords: number
  /** How many records the read under way asks for. */
  #limit = 0
  #habits: AnswerHabits = NO_HABITS
  /** When everything in the shard had been read. Monotonic milliseconds; absent: there is more, as far as is known. */
  #tipAtMs: number | undefined
  /** How long before its start the shard is opened, because that lies in the future of the service. Milliseconds. */
  #earlierMs = 0
  /** An answer has said, without naming children, that the shard has ended: how many more may say so, and be believed. */
  #doubtfulAnswers = 0
  #lacksRoom = false
  /** What to report once everything read so far has been fetched. */
  #end: Retrieved | undefined
  /** The read under way, or done and not yet fetched. At most one. */
  #ahead: Promise<Retrieved> | undefined

  constructor(options: PollingRetrieverOptions) {
    this.#options = options
    this.#position = options.start
    this.#maxRecords = options.maxRecords
  }

  get lacksRoom(): boolean {
    return this.#lacksRoom
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
    // What was read and nobody has fetched: it is let go of as soon as it is there.
    this.#ahead?.then(
      retrieved => retrieved.kind === 'records' && retrieved.release(),
      () => {}
    )
    this.#ahead = undefined
    this.#options.allowance.close()
    this.#options.pace.close()
  }

  #read(): Promise<Retrieved> {
    const reading = this.#readOn()
    // Whoever calls next() sees the failure; a read ahead that nobody fetches any more must not be an unhandled one.
    reading.catch(() => {})
    return reading
  }

  async #readOn(): Promise<Retrieved> {
    const { pace, random, listener } = this.#options
    for (let failures = 0, hopeless = 0; this.#end === undefined; ) {
      await this.#sleep(pace.delayMs())
      const held = await this.#hold()
      try {
        const retrieved = this.#accept(await this.#readOnce(), held)
        failures = 0
        hopeless = 0
        if (retrieved !== undefined) return retrieved
      } catch (error) {
        held.release()
        this.#closing.signal.throwIfAborted()
        if (error instanceof ServiceError && error.kind === 'not-found') return { kind: 'end' }
        failures += 1
        if (this.#iterator !== undefined) this.#learnFrom(error)
        if (!this.#mayReadOn(error)) hopeless += 1
        if (hopeless === HOPELESS_TRIES) throw error
        const backoff = error instanceof ThrottledError ? RETRY_REFUSED : RETRY
        const retryInMs = Math.max(backoffMs(failures, backoff, random.next()), pace.delayMs())
        listener.onRetry(error, retryInMs, failures)
        await this.#sleep(retryInMs)
      }
    }
    return this.#end
  }

  /** Holds what the next read will take, as soon as there is room for it. That can be long: until the user's code is done. */
  async #hold(): Promise<HeldBytes> {
    const { allowance, pace, clock } = this.#options
    const { limit, bytes } = planRead(this.#habits, {
      maxRecords: this.#maxRecords,
      shareBytes: allowance.shareBytes,
      maxBytes: pace.maxBytes,
      sinceTipMs: this.#tipAtMs === undefined ? undefined : clock.monotonicMs() - this.#tipAtMs
    })
    this.#limit = limit
    this.#lacksRoom = true
    try {
      return await allowance.hold(bytes, this.#closing.signal)
    } finally {
      this.#lacksRoom = false
    }
  }

  /** What a failed read says about the next: it was too often, or too much. */
  #learnFrom(error: unknown): void {
    if (error instanceof ThrottledError) this.#options.pace.refused()
    const isTimeout = error instanceof ServiceError && error.kind === 'timeout'
    if (isTimeout) this.#maxRecords = limitAfterTimeout(recordsPerAnswer(this.#habits, this.#limit))
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
    const { kinesis, pace, clock } = this.#options
    const { signal } = this.#closing
    if (clock.monotonicMs() - this.#iteratorAtMs >= ITERATOR_LIVES_MS) this.#iterator = undefined
    if (this.#iterator === undefined) {
      this.#iterator = await this.#openIterator(signal)
      this.#iteratorAtMs = clock.monotonicMs()
    }
    pace.called()
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
  #accept(answer: RecordsAnswer, held: HeldBytes): Retrieved | undefined {
    const { clock, maxRecords, pace, listener } = this.#options
    const { bytes, millisBehindLatest, nextIterator, childShards } = answer
    const length = answer.recordCount ?? answer.records.length
    const takes = answer.memoryBytes ?? readBytes(bytes, length)
    held.resize(takes + expectedUserBytes(this.#habits, bytes))
    // Told before anything moves: if the telling fails, the same is read again rather than skipped.
    listener.onRead({ records: length, bytes, millisBehindLatest })
    const isBehind = millisBehindLatest > 0 || length >= this.#limit
    pace.answered({ records: length, bytes, isBehind })
    const nowMs = clock.monotonicMs()
    this.#refusals = 0
    this.#tipAtMs = isBehind ? undefined : nowMs
    this.#maxRecords = limitAfterAnswer(this.#maxRecords, maxRecords)
    this.#habits = habitsAfter(this.#habits, length, bytes)
    const newest = answer.lastSequenceNumber ?? answer.records.at(-1)?.sequenceNumber
    if (newest !== undefined) this.#position = { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: newest }
    this.#iterator = nextIterator
    this.#iteratorAtMs = nowMs
    if (nextIterator === undefined) this.#endedWith(childShards, length)
    else this.#doubtfulAnswers = length > 0 ? 0 : Math.max(0, this.#doubtfulAnswers - 1)
    if (newest !== undefined)
      return {
        kind: 'records',
        // Asked for, and so made, by whoever has them processed.
        get records() {
          return answer.records
        },
        bytes,
        millisBehindLatest,
        takenApart: userRecords => {
          this.#habits = habitsAfterTaking(this.#habits, bytes, userRecords)
          held.resize(takes + userRecordBytes(userRecords))
        },
        release: () => held.release()
      }
    held.release()
    return this.#end
  }

  /**
   * An answer says that the shard has ended. One that names no children may be no more than an odd answer: it is believed when
   * reads from the last position, with an iterator that was just opened, bring nothing and soon say so too.
   */
  #endedWith(childShards: RecordsAnswer['childShards'], records: number): void {
    const isCertain = (childShards ?? []).length > 0 || (this.#doubtfulAnswers > 0 && records === 0)
    this.#doubtfulAnswers = isCertain ? 0 : DOUBTFUL_ANSWERS
    if (isCertain) this.#end = { kind: 'end', ...(childShards && { childShards }) }
  }

  async #sleep(ms: number): Promise<void> {
    if (ms > 0) await this.#options.clock.sleep(ms, this.#closing.signal)
    this.#closing.signal.throwIfAborted()
  }
}
