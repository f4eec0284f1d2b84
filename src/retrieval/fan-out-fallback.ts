// Reads one shard by enhanced fan-out while that works, and by polling while it does not. Owns the place up to which records
// were handed on: whoever takes over begins there, so that a change loses nothing and repeats nothing.
import { ServiceError } from '../model/errors.ts'
import { unlessAborted, withSignal } from '../runtime/abort.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import {
  added,
  newerThan,
  payloadBytes,
  type ReadAmount,
  retryFanOutInMs,
  startAfter,
  without
} from './fan-out-rules.ts'
import { FanOutTrial, release } from './fan-out-trial.ts'
import type { ReadStart } from './read-rules.ts'
import type { RetrievalListener, Retrieved, Retriever } from './retriever.ts'

/** Who is told of reads and failures. */
export type ReadListener = Pick<RetrievalListener, 'onRead' | 'onRetry'>

/** How a shard is read in either way, and from where. */
export interface FallbackRetrieverOptions {
  readonly start: ReadStart
  /** Reads by fan-out. Its `next()` has to reject once that does not work. */
  readonly fanOut: (start: ReadStart, listener: ReadListener) => Retriever
  /** Reads by polling. */
  readonly poll: (start: ReadStart, listener: ReadListener) => Retriever
  readonly clock: Clock
  readonly random: Random
  readonly listener: RetrievalListener
}

const NOTHING: ReadAmount = { records: 0, bytes: 0 }

/**
 * Reads one shard by fan-out, or, where that does not work, by polling. Fan-out is tried again after a few minutes, and then
 * less and less often, beside the polling: the change back comes with its first event, and no record waits for it.
 */
export class FallbackRetriever implements Retriever {
  readonly #options: FallbackRetrieverOptions
  readonly #closing = new AbortController()
  /** After what was handed on; at first, where reading began. */
  #position: ReadStart
  /** Number of the last record that was handed on. */
  #newest: string | undefined
  #current: Retriever
  #isPolling = false
  /** What the current one was asked for before it became that. */
  #asked: Promise<Retrieved> | undefined
  /** Fan-out, once it has brought an event while the shard was polled. */
  #working: FanOutTrial | undefined
  /** Aborts when there is such a trial. */
  #works = new AbortController()
  /** What the polling under way has read. */
  #polled = NOTHING
  /** How much of that was handed on. */
  #accepted = NOTHING
  /** How much of that was, when the last trial began: it brings everything after that. */
  #acceptedBefore = NOTHING
  /** How often in a row fan-out was given up. */
  #timesGivenUp = 0

  constructor(options: FallbackRetrieverOptions) {
    const { start, fanOut, listener } = options
    this.#options = options
    this.#position = start
    if (start.type === 'AFTER_SEQUENCE_NUMBER') this.#newest = start.sequenceNumber
    this.#current = fanOut(start, {
      onRead: report => {
        this.#timesGivenUp = 0
        listener.onRead(report)
      },
      onRetry: (error, retryInMs, failures) => listener.onRetry(error, retryInMs, failures)
    })
  }

  get lacksRoom(): boolean {
    return this.#current.lacksRoom === true
  }

  async next(signal: AbortSignal): Promise<Retrieved> {
    for (;;) {
      signal.throwIfAborted()
      this.#closing.signal.throwIfAborted()
      if (this.#working !== undefined) this.#changeBack(this.#working)
      try {
        const retrieved = this.#accept(await this.#ask(signal))
        if (retrieved !== undefined) return retrieved
      } catch (error) {
        signal.throwIfAborted()
        this.#closing.signal.throwIfAborted()
        if (this.#working !== undefined) continue
        if (this.#isPolling) throw error
        this.#fallBack(error)
      }
    }
  }

  continueAfterEnd(): void {
    this.#current.continueAfterEnd()
  }

  close(): void {
    this.#closing.abort(new ServiceError('other', 'The retriever was closed', { retryable: false }))
    this.#working?.close()
    this.#current.close()
    release(this.#asked)
  }

  async #ask(signal: AbortSignal): Promise<Retrieved> {
    const asked = this.#asked
    if (asked === undefined && !this.#isPolling) return this.#current.next(signal)
    if (asked === undefined) return withSignal([signal, this.#works.signal], either => this.#current.next(either))
    try {
      const retrieved = await unlessAborted(asked, signal)
      this.#asked = undefined
      return retrieved
    } catch (error) {
      if (!signal.aborted) this.#asked = undefined
      throw error
    }
  }

  /** From record to record, only here the position moves. `undefined`: nothing of it is new. */
  #accept(retrieved: Retrieved): Retrieved | undefined {
    if (retrieved.kind === 'end') return retrieved
    if (this.#isPolling) {
      this.#accepted = added(this.#accepted, { records: retrieved.records.length, bytes: retrieved.bytes })
    }
    const records = newerThan(this.#newest, retrieved.records)
    const newest = records.at(-1)?.sequenceNumber
    if (newest === undefined) {
      retrieved.release()
      return undefined
    }
    this.#newest = newest
    this.#position = startAfter(newest)
    if (records === retrieved.records) return retrieved
    return { ...retrieved, records, bytes: payloadBytes(records) }
  }

  #fallBack(error: unknown): void {
    const { poll, listener, random } = this.#options
    this.#current.close()
    this.#polled = NOTHING
    this.#accepted = NOTHING
    this.#current = poll(this.#position, {
      onRead: report => {
        this.#polled = added(this.#polled, report)
        listener.onRead(report)
      },
      onRetry: (error, retryInMs, failures) => listener.onRetry(error, retryInMs, failures)
    })
    this.#isPolling = true
    this.#timesGivenUp += 1
    const retryInMs = retryFanOutInMs(this.#timesGivenUp, random.next())
    listener.onModeChange({ mode: 'polling', error, retryInMs })
    void this.#tryIn(retryInMs)
  }

  #changeBack(trial: FanOutTrial): void {
    this.#working = undefined
    this.#works = new AbortController()
    this.#current.close()
    this.#current = trial.retriever
    this.#asked = trial.first
    this.#isPolling = false
    this.#timesGivenUp = 0
    this.#options.listener.onModeChange({ mode: 'fan-out' })
    trial.takeOver(without(this.#polled, this.#acceptedBefore))
  }

  /** Tries fan-out again and again, beside the polling, until it has brought an event. */
  async #tryIn(ms: number): Promise<void> {
    const { clock, random, listener } = this.#options
    for (let inMs = ms; ; ) {
      await clock.sleep(inMs, this.#closing.signal)
      if (this.#closing.signal.aborted) return
      const failure = await this.#try()
      if (failure === undefined || this.#closing.signal.aborted) return
      this.#timesGivenUp += 1
      inMs = retryFanOutInMs(this.#timesGivenUp, random.next())
      listener.onRetry(failure.error, inMs, this.#timesGivenUp)
    }
  }

  /** Resolves once an event has come, or with what made fan-out impossible before any did. */
  async #try(): Promise<{ readonly error: unknown } | undefined> {
    const { fanOut, listener } = this.#options
    const { signal } = this.#closing
    this.#acceptedBefore = this.#accepted
    const trial = new FanOutTrial({ open: told => fanOut(this.#position, told), signal, listener })
    try {
      await trial.proof
      signal.throwIfAborted()
    } catch (error) {
      trial.close()
      return { error }
    }
    this.#working = trial
    this.#works.abort()
    return undefined
  }
}
