// What is stored beside a checkpoint once windows were closed by the clock: up to where everything is in closed windows. It
// cannot be told from the records, for what closed the windows is that none came.
import type { PendingCheckpoint } from '../model/lease.ts'
import { comparePositions, type ExtendedSequenceNumber, isPosition } from '../model/sequence-number.ts'

/** Up to where everything is in closed windows. */
export interface ClosedMemo {
  /** Records up to here are in closed windows, or were late. */
  readonly handled: ExtendedSequenceNumber
  /** Windows that end here or before are closed. Epoch milliseconds. */
  readonly closedToMs: number
}

/** Tells it from what others store beside a checkpoint. */
const KIND = 'millrace/windows'

/** The bytes to store; without a memo they say nothing. */
export function encodeMemo(memo: ClosedMemo | undefined): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ kind: KIND, ...memo }))
}

/** The memo beside a checkpoint, if there is one that goes further than that. */
export function memoIn(
  pending: PendingCheckpoint | undefined,
  stored: ExtendedSequenceNumber | undefined
): ClosedMemo | undefined {
  const memo = decoded(pending?.state)
  if (memo === undefined || (stored !== undefined && comparePositions(memo.handled, stored) < 0)) return undefined
  return memo
}

function decoded(state: Uint8Array | undefined): ClosedMemo | undefined {
  if (state === undefined) return undefined
  try {
    const { kind, handled, closedToMs } = JSON.parse(new TextDecoder().decode(state))
    if (kind !== KIND || typeof closedToMs !== 'number' || !isPosition(handled)) return undefined
    return { handled, closedToMs }
  } catch {
    return undefined // somebody else's
  }
}
