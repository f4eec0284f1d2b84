// What a shard consumer tells of its life. Plain data; nothing is decided here.
import type { ProcessorError } from '../model/errors.ts'
import type { LastResort } from '../processor/failure-rules.ts'
import type { ModeChange, ReadReport } from '../retrieval/retriever.ts'
import type { ShardState } from './shard-state.ts'

/** A batch that was processed without an error. */
export interface BatchReport {
  readonly records: number
  readonly bytes: number
  readonly millisBehindLatest: number
  readonly durationMs: number
}

/** Something that failed beside the user's code. */
export interface ShardFailure {
  /** What was being done: waiting for the parents, reading, settling the end of the shard, or giving the lease back. */
  readonly during: 'parents' | 'read' | 'end' | 'release'
  readonly error: unknown
  /** Absent: it is not tried again here, and the lease is given back, or expires. */
  readonly retryInMs?: number
  /** How often in a row it has failed. */
  readonly failures: number
}

/** What a consumer tells the worker. Nothing here may throw. */
export interface ShardListener {
  moved(from: ShardState, to: ShardState): void
  batchProcessed(batch: BatchReport): void
  processorFailed(error: ProcessorError, retryInMs: number | undefined): void
  gaveUp(error: ProcessorError, lastResort: LastResort): void
  failed(failure: ShardFailure): void
  read(report: ReadReport): void
  /** The shard is read in another way from here on. */
  modeChanged(change: ModeChange): void
  /** Aggregated records that are not as they ought to be. */
  oddRecords(counts: { outOfRange: number; corrupt: number }): void
  ended(childShardIds: readonly string[]): void
}
