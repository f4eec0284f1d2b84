// May this checkpoint be written? The only copy of the rule. SHARD_END is not a user's to write: the framework stores it
// once the processor has returned from shardEnded.
import {
  comparePositions,
  type ExtendedSequenceNumber,
  formatPosition,
  isPosition,
  isRecordPosition,
  isShardEnd
} from '../model/sequence-number.ts'

/** Between what a checkpoint may move: what is stored, and what the processor has been given. */
export interface CheckpointWindow {
  /** The checkpoint in the lease table. */
  readonly stored: ExtendedSequenceNumber
  /** The last position that the processor has been given. */
  readonly delivered: ExtendedSequenceNumber
}

/** What becomes of a wish to checkpoint. A refusal says why in a word, and in a sentence with the positions. */
export type CheckpointVerdict =
  | { readonly kind: 'write'; readonly position: ExtendedSequenceNumber }
  /** Nothing to write: this much is stored already. */
  | { readonly kind: 'stored' }
  | { readonly kind: 'refuse'; readonly because: 'malformed' | 'behind' | 'ahead'; readonly message: string }

/**
 * Judges a wish to checkpoint. Without `wish`: everything up to `upTo`, which later calls may already have passed.
 * A wish equal to the stored checkpoint, or made after the end of the shard, is granted without a write.
 */
export function judgeCheckpoint(
  window: CheckpointWindow,
  upTo: ExtendedSequenceNumber,
  wish: ExtendedSequenceNumber | undefined
): CheckpointVerdict {
  const { stored, delivered } = window
  if (isShardEnd(stored)) return { kind: 'stored' }
  if (wish === undefined) {
    return comparePositions(upTo, stored) > 0 ? { kind: 'write', position: upTo } : { kind: 'stored' }
  }
  // Kinesis takes a number with leading zeros for none, and the shard could never be opened there again.
  if (!isPosition(wish) || !isRecordPosition(wish) || /^0\d/.test(wish.sequenceNumber)) {
    return refuse('malformed', `Checkpoint ${show(wish)}: expected a record, or a sequence number in decimal digits`)
  }
  const againstStored = comparePositions(wish, stored)
  if (againstStored === 0) return { kind: 'stored' }
  if (againstStored < 0) {
    return refuse('behind', `Checkpoint ${show(wish)} is behind the stored checkpoint ${formatPosition(stored)}`)
  }
  if (comparePositions(wish, delivered) > 0) {
    return refuse('ahead', `Checkpoint ${show(wish)} is past the last delivered record ${formatPosition(delivered)}`)
  }
  return { kind: 'write', position: wish }
}

function refuse(because: 'malformed' | 'behind' | 'ahead', message: string): CheckpointVerdict {
  return { kind: 'refuse', because, message }
}

function show(position: ExtendedSequenceNumber): string {
  return `${String(position.sequenceNumber)}#${String(position.subSequenceNumber)}`
}
