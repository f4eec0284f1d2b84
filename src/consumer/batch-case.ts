// What is known of records whose processor is gone, while they are read again: how often they have failed, which of them are
// suspected, or that they are to be given up. By position, for another read may bring more of them at once, or fewer.
import type { ConsumedRecord } from '../model/record.ts'
import { comparePositions, type ExtendedSequenceNumber, formatPosition, positionOf } from '../model/sequence-number.ts'
import type { GivingUp } from '../processor/failure-rules.ts'
import type { BatchState } from './batch-state.ts'

/** That records are to be given up, and why. */
export interface Sentence {
  readonly how: GivingUp
  /** What the last call with them has failed with. */
  readonly cause: unknown
  /** How many calls with them have failed. */
  readonly attempts: number
}

/** What is known of records that are to be read again. */
export interface BatchCase extends Pick<BatchState, 'failures' | 'failedAtMs' | 'isHalf' | 'isNamed'> {
  /** Those that are called next. */
  readonly call: ReadonlySet<string>
  /** Those that are called after them, while a bad one is looked for. */
  readonly suspects: ReadonlySet<string>
  /** The last of those that are called next. */
  readonly last: ExtendedSequenceNumber
  /** How many calls have failed with them. */
  readonly failedCalls: number
  /** Absent: they are called. */
  readonly sentence?: Sentence | undefined
}

/** A case that was taken up again, as far as its records are there. */
export interface ReopenedCase {
  readonly state: BatchState
  /** What is known of records that are not in the call of `state`, but are still to come. */
  readonly left: BatchCase | undefined
  /** Whether the call of `state` is of records of the case. */
  readonly isMet: boolean
}

/** Whether nothing is known of the records that are called next. */
export function isFresh({ failures, isHalf, isNamed, suspects }: BatchState): boolean {
  return failures === 0 && !isHalf && !isNamed && suspects.length === 0
}

/** What is known of the records of a batch; `undefined`: nothing. `failedCalls`: how many have failed with those called next. */
export function caseOf(state: BatchState, failedCalls: number, sentence?: Sentence): BatchCase | undefined {
  if (isFresh(state) && sentence === undefined) return undefined
  const { call, suspects, failures, failedAtMs, isHalf, isNamed } = state
  const last = positionOf(call.at(-1) as ConsumedRecord)
  const [called, suspected] = [new Set(call.map(formatPosition)), new Set(suspects.map(formatPosition))]
  return { call: called, suspects: suspected, last, failures, failedAtMs, isHalf, isNamed, failedCalls, sentence }
}

/** Takes a case up again with records of which nothing else is known. What comes before those of the case is called first. */
export function reopened(state: BatchState, known: BatchCase): ReopenedCase {
  const { call, rest } = state
  const isOfCase = (record: ConsumedRecord): boolean => known.call.has(formatPosition(record))
  const at = call.findIndex(isOfCase)
  if (at === -1) {
    // Nobody waits for records that do not come any more.
    const isPast = comparePositions(call.at(-1) as ConsumedRecord, known.last) >= 0
    return { state, left: isPast ? undefined : known, isMet: false }
  }
  if (at > 0)
    return {
      state: { ...state, call: call.slice(0, at), rest: [...call.slice(at), ...rest] },
      left: known,
      isMet: false
    }
  const taken = rowOf(call, isOfCase)
  const left = new Set(known.call)
  for (const record of taken) left.delete(formatPosition(record))
  const others = call.slice(taken.length)
  const suspects = left.size > 0 ? [] : rowOf(others, record => known.suspects.has(formatPosition(record)))
  const { failures, failedAtMs, isHalf, isNamed } = known
  return {
    state: {
      ...{ failures, failedAtMs, isHalf, isNamed },
      call: taken,
      suspects,
      rest: [...others.slice(suspects.length), ...rest]
    },
    left: left.size > 0 ? { ...known, call: left } : undefined,
    isMet: true
  }
}

/** The first records, as far as each of them is one. */
function rowOf(
  records: readonly ConsumedRecord[],
  isOne: (record: ConsumedRecord) => boolean
): readonly ConsumedRecord[] {
  const end = records.findIndex(record => !isOne(record))
  return end === -1 ? records : records.slice(0, end)
}
