// The records of one call in the thread that makes it: which of them are settled, said in memory that the main thread sees
// too, so that it knows even if the thread ends in the midst of the call; and which have failed.
import { OptionError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { type ExtendedSequenceNumber, positionOf } from '../model/sequence-number.ts'
import { namedRecord, type PartialFailure } from './failure-rules.ts'
import { receivedError, type SentError, sentError } from './thread-errors.ts'
import { setFlag } from './thread-memory.ts'

/** Notes which records of a call are settled. */
export class ThreadSettling {
  readonly #records: readonly ConsumedRecord[]
  readonly #settled: Uint8Array
  /** Where the next one is looked for first: most are settled in order. */
  #next = 0
  /** By position. Made when a record is settled out of order. */
  #indices: Map<string, number> | undefined
  #isOver = false

  /** @param settled shared memory, a byte for each record */
  constructor(records: readonly ConsumedRecord[], settled: Uint8Array) {
    this.#records = records
    this.#settled = settled
  }

  /**
   * Notes that a record is settled. Does nothing once the call is over.
   *
   * @throws OptionError if it is none of the call's
   */
  settle(position: ExtendedSequenceNumber): void {
    if (!this.#isOver) setFlag(this.#settled, this.#indexOf(position))
  }

  /** The call is over. The memory may be another call's from now on. */
  close(): void {
    this.#isOver = true
  }

  #indexOf(position: ExtendedSequenceNumber): number {
    if (this.#records[this.#next] === position) return this.#next++
    this.#indices ??= new Map(this.#records.map((record, index) => [keyOf(record), index]))
    const key = keyOf(Object(position))
    const index = this.#indices.get(key)
    if (index === undefined) throw new OptionError('settle', `names ${key}, expected a record of this call`)
    this.#next = index + 1
    return index
  }
}

/** What a result of `processRecords` names as failed, as it is sent. */
interface SentFailures {
  readonly failed: readonly (ExtendedSequenceNumber | { readonly record: ExtendedSequenceNumber; reason: SentError })[]
  /** Absent: no reason is said for all of them. */
  readonly reason?: SentError
}

/**
 * The positions of the records that a result of `processRecords` names as failed, with their reasons; `undefined` if it names
 * none.
 *
 * @throws OptionError if what it has is no list
 */
export function failedIn(result: unknown): SentFailures | undefined {
  const { failed, reason: common } = Object(result) as { readonly failed?: unknown; readonly reason?: unknown }
  if (failed === undefined) return undefined
  if (typeof Object(failed)[Symbol.iterator] !== 'function') {
    throw new OptionError('failed', 'in the result of the handler is not iterable, expected the records that failed')
  }
  const sent = Array.from(failed as PartialFailure['failed'], each => {
    const { record, reason } = namedRecord(each)
    const position = positionOf(Object(record))
    return reason === undefined ? position : { record: position, reason: sentError(reason) }
  })
  return { failed: sent, ...(common !== undefined && { reason: sentError(common) }) }
}

/** What was sent, as `processRecords` returns it. */
export function receivedFailures(sent: unknown): PartialFailure | undefined {
  if (sent === undefined) return undefined
  const { failed, reason } = sent as SentFailures
  return {
    failed: failed.map(each => ('record' in each ? { ...each, reason: receivedError(each.reason) } : each)),
    ...(reason !== undefined && { reason: receivedError(reason) })
  }
}

function keyOf({ sequenceNumber, subSequenceNumber }: ExtendedSequenceNumber): string {
  return `${String(sequenceNumber)}#${String(subSequenceNumber)}`
}
