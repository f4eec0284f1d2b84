// What of a batch is still to be settled, and what is called next: all of it, what has failed, or halves of it until the bad
// record stands alone. The only place that says so.
import type { ConsumedRecord } from '../model/record.ts'

/** A batch on its way to being settled. Everything before {@link call} is settled. */
export interface BatchState {
  /** What the next call is given, or the last one was: in order, never empty. */
  readonly call: readonly ConsumedRecord[]
  /** The other records of those among which one is known to be bad; they follow {@link call}. */
  readonly suspects: readonly ConsumedRecord[]
  /** Records of which nothing is known; they follow the suspects. */
  readonly rest: readonly ConsumedRecord[]
  /** How many calls in a row have failed with the records of {@link call}, and settled none of them. */
  readonly failures: number
  /** When the first of those failed. Monotonic milliseconds. */
  readonly failedAtMs: number | undefined
  /** Whether {@link call} is a part of records that have used up their attempts: it has one, and its last record stands alone. */
  readonly isHalf: boolean
  /** Whether the user's code named these records as the ones that failed, so that nothing is to be looked for. */
  readonly isNamed: boolean
}

/** The state of records of which nothing is known; `undefined` if there are none. */
export function beginBatch(records: readonly ConsumedRecord[]): BatchState | undefined {
  if (records.length === 0) return undefined
  return { call: records, suspects: [], rest: [], failures: 0, failedAtMs: undefined, isHalf: false, isNamed: false }
}

/** What follows a call that has settled all it was given. `undefined`: the batch is settled. */
export function afterSuccess({ suspects, rest }: BatchState): BatchState | undefined {
  return suspects.length > 0 ? searchIn(suspects, rest) : beginBatch(rest)
}

/** The same call again, for what of it is `left`: some may have been settled before it failed. */
export function afterFailedCall(
  state: BatchState,
  left: readonly ConsumedRecord[],
  how: { readonly nowMs: number; readonly isNamed: boolean }
): BatchState {
  const isProgress = left.length < state.call.length
  return {
    ...state,
    call: left,
    failures: isProgress ? 1 : state.failures + 1,
    failedAtMs: isProgress ? how.nowMs : (state.failedAtMs ?? how.nowMs),
    isNamed: how.isNamed
  }
}

/** Looks for the bad record in the first half of what has just failed; the other half is as unknown as the rest. */
export function bisected({ call, suspects, rest }: BatchState): BatchState {
  return searchIn(call, suspects.length === 0 ? rest : [...suspects, ...rest])
}

/** What follows once the records of the last call were given up. What was with them begins anew. */
export function afterGivingUp({ suspects, rest }: BatchState): BatchState | undefined {
  return beginBatch([...suspects, ...rest])
}

/** Has the records of the call from `at` on, which is above 0, wait until those before are settled. */
export function cutBefore(state: BatchState, at: number): BatchState {
  const { call, suspects, rest } = state
  return { ...state, call: call.slice(0, at), suspects: [], rest: [...call.slice(at), ...suspects, ...rest] }
}

/** The first record that is not settled and not in the call; everything before it will be settled if the call is. */
export function firstBeyond({ suspects, rest }: BatchState): ConsumedRecord | undefined {
  return suspects[0] ?? rest[0]
}

/** One of `suspects` is bad: what is called is their first half, or the only one. */
function searchIn(suspects: readonly ConsumedRecord[], rest: readonly ConsumedRecord[]): BatchState {
  const half = suspects.length === 1 ? 1 : suspects.length >> 1
  return {
    call: suspects.slice(0, half),
    suspects: suspects.slice(half),
    rest,
    failures: 0,
    failedAtMs: undefined,
    isHalf: true,
    isNamed: false
  }
}
