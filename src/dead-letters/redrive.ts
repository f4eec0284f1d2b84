// Processes dead letters again: from where they are kept, to a function or back into a stream.
import { asDecodeFunction, type Decode } from '../decoding/decoder.ts'
import { asUndecodable } from '../decoding/undecodable-rules.ts'
import { OptionError } from '../model/errors.ts'
import { checkOptions, shown } from '../model/option-rules.ts'
import { ConsumedRecord } from '../model/record.ts'
import type { DeadLetter } from '../processor/dead-letter.ts'
import { openStream, STREAM_OPTIONS, type StreamTarget } from './kinesis-dead-letters.ts'
import { asSource, type DeadLetterSource, type FoundLetter } from './letter-source.ts'
import { checkNumber } from './option-rules.ts'
import { type CallPorts, SYSTEM_PORTS } from './service-call.ts'
import { StreamRedriver } from './stream-redriver.ts'

/** A letter, and what its payload was decoded to. */
export interface DecodedLetter<Value = unknown> extends DeadLetter {
  /** What `decode` has made of the payload; `undefined` without one. */
  readonly value: Value
}

/** What a letter is handed to. It is done with once this returns or resolves, and kept if it throws or rejects. */
export type RedriveCallback<Value = unknown> = (
  letter: DecodedLetter<Value>,
  options: { readonly signal: AbortSignal }
) => void | Promise<void>

/** A letter that was kept because something failed. */
export interface RedriveFailure {
  /** Where it was found, such as `line 3 of letters.jsonl`. */
  readonly at: string
  /** Absent if it could not be read. */
  readonly letter?: DeadLetter
  /** What was thrown. */
  readonly error: unknown
}

/** Options of {@link redriveDeadLetters}. */
export interface RedriveOptions<Value = unknown> {
  /** Where the letters are: `readFileDeadLetters(path)` and its like, or any sequence of letters. */
  readonly from: DeadLetterSource | AsyncIterable<DeadLetter> | Iterable<DeadLetter>
  /**
   * Makes `letter.value` of a letter before it is handed to a function: what option `decode` of a worker is. A letter that cannot be
   * decoded is kept, and reported. Default: `value` is `undefined`.
   */
  readonly decode?: Decode<Value>
  /**
   * What each letter is handed to: a function, or a stream by name or ARN, into which the payload is put with the partition key and
   * the explicit hash key that it had.
   */
  readonly to: RedriveCallback<Value> | StreamTarget
  /** Which letters are meant; the others are kept. Default: all. */
  readonly filter?: (letter: DeadLetter) => boolean | Promise<boolean>
  /**
   * How many letters are handled at a time. 1 to 1,000; default 1, which keeps the order in which they are found. For a stream,
   * letters that are handled together are put together.
   */
  readonly concurrency?: number
  /** Ends after so many letters that are meant. At least 1; default: none is too many. */
  readonly limit?: number
  /** Whether letters are only counted: none is handed on, all are kept. Default: false. */
  readonly dryRun?: boolean
  /** Aborts when no more letters are to be begun. Those that were are waited for. */
  readonly signal?: AbortSignal
  /** Told of each letter that was kept because something failed. */
  readonly onFailure?: (failure: RedriveFailure) => void
}

const REDRIVE_OPTIONS: readonly string[] = [
  ...['from', 'to', 'filter', 'concurrency', 'limit', 'dryRun', 'signal', 'onFailure', 'decode']
]

/** How many letters became what. */
export interface RedriveReport {
  /** Found in the source: the sum of the other three. */
  readonly read: number
  /** Handed on, and done with. In a dry run: those that would be. */
  readonly redriven: number
  /** Kept because the filter does not mean them. */
  readonly skipped: number
  /**
   * Kept because they could not be read, or the filter or what they were handed to failed. Also one that was handed on but could not
   * be removed from where it was: it will be found again.
   */
  readonly failed: number
}

/**
 * Hands on every letter of a source. Those that are done with are removed, if the source does that; a letter that fails is kept and
 * reported, and the others go on. A letter may be handed on more than once: if the process ends before it is removed.
 *
 * @throws OptionError if an option is out of its range; what the source rejects with if it cannot be read; what
 * `onFailure` throws.
 */
export async function redriveDeadLetters<Value>(
  options: RedriveOptions<Value>,
  ports: CallPorts = SYSTEM_PORTS
): Promise<RedriveReport> {
  checkOptions(options, REDRIVE_OPTIONS)
  const { from, to, decode, signal = new AbortController().signal } = options
  const concurrency = checkNumber('concurrency', options.concurrency, { min: 1, max: 1_000, byDefault: 1 })
  const unlimited = Number.POSITIVE_INFINITY
  const limit = checkNumber('limit', options.limit, { min: 1, max: unlimited, byDefault: unlimited })
  if (typeof Object(from).letters !== 'function' && !isIterable(from)) {
    throw new OptionError('from', `is ${shown(from)}, expected a source such as readFileDeadLetters(path)`)
  }
  if (typeof Object(signal).addEventListener !== 'function')
    throw new OptionError('signal', `is ${shown(signal)}, expected an AbortSignal`)
  const { deliver, close } = targetOf(to as RedriveCallback | StreamTarget, decode, ports)
  try {
    const work = { deliver, signal, options, concurrency, limit }
    return await new Redrive(asSource(from).letters({ signal }), work).run()
  } finally {
    close()
  }
}

type Deliver = (letter: DeadLetter, options: { readonly signal: AbortSignal }) => void | Promise<void>

interface Target {
  readonly deliver: Deliver
  readonly close: () => void
}

function targetOf(to: RedriveCallback | StreamTarget, decode: Decode<unknown> | undefined, ports: CallPorts): Target {
  if (typeof to === 'function') return { deliver: decoded(to, decode), close: () => {} }
  if (typeof to !== 'object' || to === null) {
    throw new OptionError(
      'to',
      `is ${shown(to)}, expected a function of a letter, or a stream by streamName or streamArn`
    )
  }
  checkOptions(to, STREAM_OPTIONS)
  if (decode !== undefined) {
    throw new OptionError('decode', 'is given beside a stream, into which payloads are put as they are')
  }
  const port = openStream(to, ports)
  const stream = new StreamRedriver(port, ports)
  return { deliver: (letter, { signal }) => stream.deliver(letter, signal), close: () => port.close() }
}

function decoded(to: RedriveCallback, decode: Decode<unknown> | undefined): Deliver {
  if (decode === undefined) return (letter, options) => to(letter as DecodedLetter, options)
  const decodeRecord = asDecodeFunction('decode', decode)
  return async (letter, options) => {
    const record = recordOf(letter)
    let value: unknown
    try {
      value = await decodeRecord(record)
    } catch (cause) {
      throw asUndecodable(record, cause) ?? cause
    }
    await to({ ...letter, value }, options)
  }
}

/** The record that a letter was made of. */
function recordOf(letter: DeadLetter): ConsumedRecord {
  const { sequenceNumber, subSequenceNumber, partitionKey, explicitHashKey, data, arrivedAtMs } = letter
  return new ConsumedRecord({
    ...{ sequenceNumber, subSequenceNumber, partitionKey, data },
    ...(explicitHashKey !== undefined && { explicitHashKey }),
    ...(arrivedAtMs !== undefined && { arrivedAtMs }),
    // Only aggregates have such records.
    aggregated: subSequenceNumber > 0 || explicitHashKey !== undefined
  })
}

function isIterable(value: unknown): boolean {
  const { [Symbol.iterator]: sync, [Symbol.asyncIterator]: async } = Object(value)
  return typeof value === 'object' && (typeof sync === 'function' || typeof async === 'function')
}

interface Work {
  readonly deliver: Deliver
  readonly signal: AbortSignal
  readonly options: Omit<RedriveOptions, 'to' | 'decode'>
  readonly concurrency: number
  readonly limit: number
}

type Outcome = 'redriven' | 'skipped' | 'failed'

class Redrive {
  readonly #found: AsyncGenerator<FoundLetter, void, undefined>
  readonly #work: Work
  readonly #counts: Record<Outcome, number> = { redriven: 0, skipped: 0, failed: 0 }
  readonly #running = new Set<Promise<void>>()
  /** How many letters that are meant have been begun. */
  #begun = 0
  /** What `onFailure` threw. */
  readonly #thrown: unknown[] = []

  constructor(found: AsyncGenerator<FoundLetter, void, undefined>, work: Work) {
    this.#found = found
    this.#work = work
  }

  async run(): Promise<RedriveReport> {
    const { signal, concurrency, limit } = this.#work
    try {
      while (!signal.aborted && this.#begun < limit && this.#thrown.length === 0) {
        const { value: found, done } = await this.#found.next()
        if (done === true) break
        await this.#begin(found)
        if (this.#running.size >= concurrency) await Promise.race(this.#running)
      }
    } finally {
      await Promise.all(this.#running)
      await this.#found.return()
    }
    if (this.#thrown.length > 0) throw this.#thrown[0]
    const { redriven, skipped, failed } = this.#counts
    return { read: redriven + skipped + failed, redriven, skipped, failed }
  }

  /** Begins to handle what was found, once it is known whether it is meant. Never rejects. */
  async #begin(found: FoundLetter): Promise<void> {
    const { filter = () => true } = this.#work.options
    if (found.letter === undefined) return this.#settle(found, 'failed', found.error)
    try {
      if (!(await filter(found.letter))) return this.#settle(found, 'skipped')
    } catch (error) {
      return this.#settle(found, 'failed', error)
    }
    this.#begun += 1
    const running = this.#handle(found, found.letter).finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  async #handle(found: FoundLetter, letter: DeadLetter): Promise<void> {
    const { deliver, signal, options } = this.#work
    try {
      if (options.dryRun !== true) await deliver(letter, { signal })
    } catch (error) {
      return this.#settle(found, 'failed', error)
    }
    await this.#settle(found, 'redriven')
  }

  async #settle(found: FoundLetter, outcome: Outcome, error?: unknown): Promise<void> {
    let reached = outcome
    let because = error
    try {
      await found.settle(outcome === 'redriven' && this.#work.options.dryRun !== true)
    } catch (notRemoved) {
      if (outcome === 'redriven') [reached, because] = ['failed', notRemoved]
    }
    this.#counts[reached] += 1
    if (reached !== 'failed') return
    const { at, letter } = found
    try {
      this.#work.options.onFailure?.({ at, ...(letter !== undefined && { letter }), error: because })
    } catch (thrown) {
      this.#thrown.push(thrown)
    }
  }
}
