// Which records of one call are settled: those that the user's code says so of while it runs, those that it has checkpointed,
// and, once it has returned, all but those it names as failed.
import { FailedRecordsError, OptionError, type ProcessorGoneError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import type { ExtendedSequenceNumber } from '../model/sequence-number.ts'
import { namedRecord, type PartialFailure } from '../processor/failure-rules.ts'
import type { ProcessRecordsOutcome } from '../processor/record-processor.ts'
import type { Attempt } from './user-call.ts'

/** What a call has come to. `failed`: the records that are not settled, in order. `done`: those that are. */
export type CallJudgement = {
  readonly done: readonly ConsumedRecord[]
  readonly failed: readonly ConsumedRecord[]
  /** Whether the user's code named the failed ones. */
  readonly isNamed: boolean
} & (
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly cause: unknown }
  | { readonly kind: 'interrupted'; readonly cause?: unknown }
  | { readonly kind: 'gone'; readonly cause: ProcessorGoneError }
)

/** Knows what is checkpointed. */
export interface Checkpointed {
  isStored(record: ConsumedRecord): boolean
}

/** What a result names as failed: the index of each, with the reason if there is one; or why it cannot be read. */
type ReadList =
  | { readonly failed: readonly (readonly [index: number, reason: unknown])[] }
  | { readonly failed?: undefined; readonly error: unknown }

/** The records of one call, and which of them are settled. */
export class SettledRecords {
  readonly #records: readonly ConsumedRecord[]
  readonly #checkpointed: Checkpointed
  /** By position. Made when the first record is settled on its own. */
  #indices: Map<string, number> | undefined
  /** By index. Made when the first record is settled on its own. */
  #settled: Set<number> | undefined
  /** What was read from a result: its list may be one that can be read only once. */
  #read: (ReadList & { readonly result: ProcessRecordsOutcome }) | undefined

  constructor(records: readonly ConsumedRecord[], checkpointed: Checkpointed) {
    this.#records = records
    this.#checkpointed = checkpointed
  }

  /**
   * Notes that one record is settled.
   *
   * @throws OptionError if it is none of the call's
   */
  settle(position: ExtendedSequenceNumber): void {
    const index = this.#indexOf(position, 'settle')
    this.#settled ??= new Set()
    this.#settled.add(index)
  }

  /** The records that are not settled yet. */
  open(): readonly ConsumedRecord[] {
    const first = this.#records[0]
    // Checkpoints come in order: if the first record is not stored, none is.
    const isUntouched = this.#settled === undefined && first !== undefined && !this.#checkpointed.isStored(first)
    if (isUntouched) return this.#records
    return this.#records.filter((record, index) => !this.#isSettled(index) && !this.#checkpointed.isStored(record))
  }

  #isSettled(index: number): boolean {
    return this.#settled?.has(index) === true
  }

  /** What a call has failed with although it has returned: it names all that was left as failed, or cannot be made sense of. */
  failureIn(result: ProcessRecordsOutcome): unknown {
    try {
      const { size } = this.#named(result)
      return size > 0 && size >= this.open().length ? this.#errorOf(result) : undefined
    } catch (cause) {
      return cause
    }
  }

  /** What the call has come to, once nobody waits for it any more. */
  judge(attempt: Attempt<ProcessRecordsOutcome>): CallJudgement {
    if (attempt.kind === 'done') {
      if (attempt.value === undefined) return { kind: 'done', done: this.#records, failed: [], isNamed: false }
      try {
        const named = this.#named(attempt.value)
        if (named.size === 0) return { kind: 'done', done: this.#records, failed: [], isNamed: false }
        const failed = this.#records.filter((_, index) => named.has(index))
        const done = this.#records.filter((_, index) => !named.has(index))
        return { kind: 'failed', cause: this.#errorOf(attempt.value), done, failed, isNamed: true }
      } catch (cause) {
        return this.#asFailed({ kind: 'failed', cause })
      }
    }
    return this.#asFailed(attempt)
  }

  #asFailed(attempt: Exclude<Attempt<unknown>, { kind: 'done' }>): CallJudgement {
    const failed = this.open()
    // It settled everything, and then it failed: there is nothing left to call it for.
    if (failed.length === 0) return { kind: 'done', done: this.#records, failed, isNamed: false }
    const open = new Set(failed)
    const done = failed === this.#records ? [] : this.#records.filter(record => !open.has(record))
    return { ...attempt, done, failed, isNamed: false }
  }

  #errorOf(result: ProcessRecordsOutcome): FailedRecordsError {
    const named = this.#named(result)
    const said = [...named].filter(([, reason]) => reason !== undefined)
    const reasons = new Map(said.map(([index, reason]) => [keyOf(this.#records[index] as ConsumedRecord), reason]))
    return new FailedRecordsError(named.size, this.#records.length, reasons)
  }

  /** Which records the result names as failed, and why, but for those that are settled all the same. */
  #named(result: ProcessRecordsOutcome): ReadonlyMap<number, unknown> {
    const failed: unknown = typeof result === 'object' && result !== null ? result.failed : undefined
    if (failed === undefined) return new Map()
    if (typeof (failed as Partial<Iterable<unknown>> | null)?.[Symbol.iterator] !== 'function') {
      throw new OptionError('failed', 'in the result of the handler is not iterable, expected the records that failed')
    }
    if (this.#read?.result !== result) this.#read = { ...this.#readList(result as PartialFailure), result }
    if (this.#read.failed === undefined) throw this.#read.error
    return new Map(this.#read.failed.filter(([index]) => !this.#isSettled(index)))
  }

  #readList({ failed, reason: common }: PartialFailure): ReadList {
    try {
      const named = [...failed].map(namedRecord)
      return { failed: named.map(({ record, reason }) => [this.#indexOf(record, 'failed'), reason ?? common]) }
    } catch (error) {
      return { error }
    }
  }

  #indexOf(position: ExtendedSequenceNumber | undefined, what: string): number {
    this.#indices ??= new Map(this.#records.map((record, index) => [keyOf(record), index]))
    const index = this.#indices.get(keyOf(Object(position)))
    if (index !== undefined) return index
    const isPosition = typeof Object(position).sequenceNumber === 'string'
    const named = isPosition
      ? keyOf(Object(position))
      : `something of type ${position === null ? 'null' : typeof position}`
    throw new OptionError(what, `names ${named}, expected a record of this call`)
  }
}

function keyOf({ sequenceNumber, subSequenceNumber }: ExtendedSequenceNumber): string {
  return `${String(sequenceNumber)}#${String(subSequenceNumber)}`
}
