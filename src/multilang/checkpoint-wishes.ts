// Carries out the checkpoints that a child asks for, as KCL would: without a position, with one, with the place in an aggregated
// record, and at the end of a shard. Whether a position may be stored is judged by checkpoint/.
import type { Checkpointer } from '../checkpoint/checkpointer.ts'
import { CheckpointRefusedError } from '../model/errors.ts'
import { comparePositions, type ExtendedSequenceNumber, isSentinel, positionOf } from '../model/sequence-number.ts'
import type { CheckpointWish, Wishes } from './child-seat.ts'

/** How far a child has come. */
export interface ChildProgress {
  /** The checkpoint that it began with, which may be a word. */
  readonly began: ExtendedSequenceNumber
  /** The last record that it was given; `undefined`: none yet. */
  readonly delivered: ExtendedSequenceNumber | undefined
}

/** The wishes of a child during `shardEnded`. */
export interface EndWishes {
  readonly carryOut: Wishes
  /** Whether one of them was of the end of the shard, and is stored. The end itself is stored once the child has answered. */
  isEndStored(): boolean
}

/** Where there is nothing to checkpoint with: before the first record, and after the lease was lost. */
export async function refuseWishes(): Promise<void> {
  throw new CheckpointRefusedError('not-now', 'There is nothing to checkpoint with here')
}

/** Carries wishes out with the checkpointer of a call. */
export function checkpointWishes(checkpointer: Checkpointer, progress: ChildProgress): Wishes {
  return async wish => {
    const at = positionIn(wish)
    if (at === undefined) await checkpointAll(checkpointer, progress)
    else await checkpointAt(checkpointer, at, progress)
  }
}

/** The same for `shardEnded`, where the end of the shard counts as delivered. */
export function endWishes(checkpointer: Checkpointer, progress: ChildProgress): EndWishes {
  let isEndStored = false
  const carryOut: Wishes = async wish => {
    const at = positionIn(wish)
    const isEnd = at === undefined || isAtEnd(at, wish, progress)
    if (isEnd) await checkpointAll(checkpointer, progress)
    else await checkpointAt(checkpointer, at, progress)
    isEndStored ||= isEnd
  }
  return { carryOut, isEndStored: () => isEndStored }
}

/** The position that is named. KCL takes a sequence number alone for the first record of an aggregate. */
function positionIn({ sequenceNumber, subSequenceNumber }: CheckpointWish): ExtendedSequenceNumber | undefined {
  if (sequenceNumber === null) return undefined
  return { sequenceNumber, subSequenceNumber: subSequenceNumber ?? 0 }
}

/**
 * A call that was interrupted, because the session has lapsed or it took too long, may not checkpoint without a position: code
 * that looks at its signal may have returned early. A child has no signal; what it says is done is done.
 */
async function checkpointAll(checkpointer: Checkpointer, { delivered }: ChildProgress): Promise<void> {
  try {
    await checkpointer.checkpoint()
  } catch (error) {
    const isVoid = error instanceof CheckpointRefusedError && error.because === 'void'
    if (!isVoid || delivered === undefined) throw error
    await checkpointer.checkpoint(delivered)
  }
}

async function checkpointAt(
  checkpointer: Checkpointer,
  at: ExtendedSequenceNumber,
  { began, delivered }: ChildProgress
): Promise<void> {
  // A word is only good for what is stored already.
  const isStored = isSentinel(at.sequenceNumber) && delivered === undefined && isSame(at, began)
  if (!isStored) await checkpointer.checkpoint(at)
}

/** Whether a position is the last one of the shard. Clients that can say no more than a sequence number mean all of its records. */
function isAtEnd(at: ExtendedSequenceNumber, wish: CheckpointWish, { began, delivered }: ChildProgress): boolean {
  if (at.sequenceNumber === 'SHARD_END') return true
  const last = delivered ?? began
  return wish.subSequenceNumber === null ? at.sequenceNumber === last.sequenceNumber : isSame(at, last)
}

function isSame(a: ExtendedSequenceNumber, b: ExtendedSequenceNumber): boolean {
  try {
    return comparePositions(positionOf(a), b) === 0
  } catch {
    // It is no position at all.
    return false
  }
}
