// How what was read of a shard comes to be processed: the port between the life of a shard and the ways of delivering.
import type { ExtendedSequenceNumber } from '../model/sequence-number.ts'
import type { RetrievedRecords } from '../retrieval/retriever.ts'
import type { CallOutcome } from './user-call.ts'

/** Delivers what was read of one shard to one processor. Every outcome but `done` is told once nothing is under way any more. */
export interface ShardDelivery {
  /** Everything up to here was taken in: reading goes on after it. */
  readonly accepted: ExtendedSequenceNumber
  /** Aborts when something that nobody waited for has failed for good: {@link flush} says how. */
  readonly trouble: AbortSignal
  /** Takes in what was read, and gives its memory back once it is settled. Resolves when the next may be taken in. */
  accept(retrieved: RetrievedRecords): Promise<CallOutcome>
  /** Resolves when everything that was taken in is settled, and stored where that is not up to the user's code. */
  flush(): Promise<CallOutcome>
  /** Begins no more than it must, which is what lies before records that are settled or in calls. Resolves when that is done. */
  windDown(): Promise<void>
  /**
   * What is settled beyond the checkpoint although something before it is not, and is not to be delivered again; nothing where
   * the user's code may have kept it in memory.
   */
  settledAhead(): readonly ExtendedSequenceNumber[]
  /** Lets go of what was taken in and is not settled. */
  close(): void
}
