// What a shard consumer tells of its life. Plain data; nothing is decided here.
import type { UndecodableAction } from '../decoding/undecodable-rules.ts'
import type { ProcessorError, RecordUndecodableError } from '../model/errors.ts'
import type { ExtendedSequenceNumber } from '../model/sequence-number.ts'
import type { FailureAction, GivingUp, LastResort } from '../processor/failure-rules.ts'
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
  /**
   * What was being done: waiting for the parents, reading, storing a checkpoint that is the framework's to make, settling the
   * end of the shard, or giving the lease back.
   */
  readonly during: 'parents' | 'read' | 'checkpoint' | 'end' | 'release'
  readonly error: unknown
  /** Absent: it is not tried again here, and the lease is given back, or expires. */
  readonly retryInMs?: number
  /** How often in a row it has failed. */
  readonly failures: number
}

/** Records that were given up: their dead letters are stored, or they were skipped by name. */
export interface GivenUpReport {
  readonly records: number
  readonly how: GivingUp
  /** What the last call with them threw, or that they are too old. */
  readonly error: unknown
  readonly first: ExtendedSequenceNumber
  readonly last: ExtendedSequenceNumber
}

/** Records of one batch that could not be decoded, for the same reason. */
export interface UndecodableReport {
  readonly records: number
  /** In one word. */
  readonly reason: string
  readonly action: UndecodableAction
  /** Of the first of them. */
  readonly error: RecordUndecodableError
  readonly first: ExtendedSequenceNumber
  readonly last: ExtendedSequenceNumber
}

/**
 * What a shard that stands still is waiting for: an `answer` of Kinesis; one that is not that it is asked too often
 * (`throttling`); a call of the user's code (`processor`), or one that does not fail (`failures`); room in `memory`; `dead-letters`
 * or a `checkpoint` to be stored.
 */
export type StallCause = 'answer' | 'throttling' | 'processor' | 'failures' | 'memory' | 'dead-letters' | 'checkpoint'

/** What is done about a shard that stands still: it is told of, read anew, or its lease is given back. */
export type StallAction = 'report' | 'restart' | 'release'

/** A shard that makes no progress. */
export interface StallReport {
  readonly waitingFor: StallCause
  /** Milliseconds. */
  readonly forMs: number
  readonly action: StallAction
}

/** What a consumer tells the worker. Nothing here may throw. */
export interface ShardListener {
  moved(from: ShardState, to: ShardState): void
  batchProcessed(batch: BatchReport): void
  /** `action`: what follows. */
  processorFailed(error: ProcessorError, retryInMs: number | undefined, action: FailureAction): void
  /** The shard goes no further: `error` is of the processor, or of a destination that stores no dead letters. */
  gaveUp(error: Error, lastResort: LastResort): void
  gaveUpRecords(given: GivenUpReport): void
  undecodable(report: UndecodableReport): void
  /** A dead letter could not be stored. `retryInMs` absent: it is not tried again. */
  deadLetterFailed(error: unknown, retryInMs: number | undefined): void
  stalled(stall: StallReport): void
  /** There is progress again, after the shard was told to stand still. */
  progressed(): void
  /** The user paused the shard: nothing is delivered. */
  paused(): void
  resumed(): void
  failed(failure: ShardFailure): void
  read(report: ReadReport): void
  /** The shard is read in another way from here on. */
  modeChanged(change: ModeChange): void
  /** Aggregated records that are not as they ought to be. */
  oddRecords(counts: { outOfRange: number; corrupt: number }): void
  /** So many user records were read again and not delivered: they were settled before. */
  suppressed(records: number): void
  /** A checkpoint is stored; that took so long. Milliseconds. */
  checkpointed(position: ExtendedSequenceNumber, durationMs: number): void
  ended(childShardIds: readonly string[]): void
}
