// The class that users subclass: five methods, one of which they must write. What calls them is consumer/.
import type { Checkpointer } from '../checkpoint/checkpointer.ts'
import { OptionError } from '../model/errors.ts'
import type { PendingCheckpoint } from '../model/lease.ts'
import type { ConsumedRecord } from '../model/record.ts'
import type { ExtendedSequenceNumber } from '../model/sequence-number.ts'
import type { StreamNames } from '../model/stream-id.ts'
import type { PartialFailure } from './failure-rules.ts'

/** Which shard a call is about, and of which stream: the shards of two streams have the same ids. */
export interface ShardPlace extends StreamNames {
  /** Id of the shard. */
  readonly shardId: string
}

/** What `loadCheckpoint` is told. */
export interface LoadCheckpointInput extends StreamNames {
  /** The shard that is about to be read. */
  readonly shardId: string
  /** The checkpoint in the lease table: a position, or the word that says where to begin, such as `TRIM_HORIZON`. */
  readonly checkpoint: ExtendedSequenceNumber
  /** See {@link InitializeInput.fencingToken}. To be stored before the position is read, in the same transaction. */
  readonly fencingToken: number
  /** Aborts when the shard is given up: the lease was lost, or the worker stops waiting. */
  readonly signal: AbortSignal
}

/** What `saveCheckpoint` is given. */
export interface SaveCheckpointInput extends StreamNames {
  /** The shard that the position is in. */
  readonly shardId: string
  /** Everything up to and including here is done once this is saved. */
  readonly position: ExtendedSequenceNumber
  /**
   * What was saved before: what `loadCheckpoint` returned, or the position of the last save. If the store says something else,
   * an earlier save landed after all, and this one has to be refused.
   */
  readonly previous: ExtendedSequenceNumber | undefined
  /** See {@link InitializeInput.fencingToken}. If the store knows a higher one, this save has to be refused. */
  readonly fencingToken: number
  /** Aborts when the shard is given up: the lease was lost, or the worker stops waiting. */
  readonly signal: AbortSignal
}

/** What `initialize` is told: which shard this is, and how far it has come. */
export interface InitializeInput extends StreamNames {
  /** The shard that this instance serves. */
  readonly shardId: string
  /** Sequence number of the last record that was checkpointed; `undefined` if none was. Reading begins after it. */
  readonly checkpoint: string | undefined
  /** Place of that record inside an aggregated Kinesis record; 0 for a plain one. */
  readonly subSequenceNumber: number
  /**
   * Grows with every claim of the lease, whoever claims it, and stays the same for as long as this worker holds it. A store
   * that refuses what comes with a lower token than the highest it has seen refuses every earlier owner. A whole number from
   * 1, no higher than `Number.MAX_SAFE_INTEGER`. It begins anew if somebody deletes the row of the lease.
   */
  readonly fencingToken: number
  /** A checkpoint that an earlier owner prepared but did not make. */
  readonly pendingCheckpoint: PendingCheckpoint | undefined
  /** Aborts when the shard is given up: the lease was lost, or the worker stops waiting. Good for as long as the processor lives. */
  readonly signal: AbortSignal
}

/** What `processRecords` is given: a batch, and what to say that it is done with. */
export interface ProcessRecordsInput<Value = unknown> extends StreamNames {
  /** The shard that the records are from. */
  readonly shardId: string
  /** In the order of the shard; never empty. */
  readonly records: readonly ConsumedRecord<Value>[]
  /** Says how far this processor has come. Its bare `checkpoint()` means this batch. */
  readonly checkpointer: Checkpointer
  /** How far these records are behind the tip of the shard, in milliseconds, when they were read. */
  readonly millisBehindLatest: number
  /** How often in a row these records have failed before; 0 the first time. */
  readonly failures: number
  /**
   * Settles one record of this call: if the call fails later, it is not delivered again. It is checkpointed with what comes
   * before it. Does nothing once the call is over.
   *
   * @throws OptionError if it is none of {@link records}
   */
  readonly settle: (record: ExtendedSequenceNumber) => void
  /** The same as in {@link InitializeInput.fencingToken}. */
  readonly fencingToken: number
  /**
   * Aborts when the lease is lost, when the worker cannot prove for now that it has it, or when the worker stops waiting for
   * this call; good for this call only. Whoever has the lease then gets the records again, after what was checkpointed by
   * record: this processor, if the worker has it still.
   */
  readonly signal: AbortSignal
}

/** What `processRecords` returns: nothing, or the records that have failed. */
export type ProcessRecordsOutcome =
  // biome-ignore lint/suspicious/noConfusingVoidType: a method that returns nothing fits
  void | PartialFailure

/** What `leaseLost` is told. There is no checkpointer in it, because it could only refuse. */
export interface LeaseLostInput extends StreamNames {
  /** The shard that was given up. */
  readonly shardId: string
}

/** What `shardEnded` is given. */
export interface ShardEndedInput extends StreamNames {
  /** The shard that has come to its end. */
  readonly shardId: string
  /** Its bare `checkpoint()` means everything in the shard. */
  readonly checkpointer: Checkpointer
  /** Aborts when the lease is lost or, for now, not proved (then the call is made again), or the worker stops waiting for it. */
  readonly signal: AbortSignal
}

/** What `shutdownRequested` is given. */
export interface ShutdownRequestedInput extends StreamNames {
  /** The shard that is about to be given back. */
  readonly shardId: string
  /** Its bare `checkpoint()` means everything that was processed without an error. */
  readonly checkpointer: Checkpointer
  /** Aborts when the lease is lost or, for now, not proved (then the call is made again), or the worker stops waiting for it. */
  readonly signal: AbortSignal
}

/**
 * Processes the records of one shard. One instance serves one shard while this worker holds its lease; its methods are
 * never called at the same time. A method that throws is called again after a delay (option `onProcessorError`), with the
 * same records; when the attempts are used up, the shard is halted: nothing is skipped, and other shards go on.
 * `shutdownRequested` is called three times at most, within about a second, because somebody waits for the shard; after that
 * the lease is given back and `leaseLost` is called.
 *
 * Order of calls: `initialize`, `processRecords` any number of times, then one of `shardEnded`, `shutdownRequested` or
 * `leaseLost`. `Value` is what option `decode` makes of payloads.
 */
export abstract class RecordProcessor<Value = unknown> {
  /**
   * For checkpoints that are stored with the application's own data; there is none by default. Called before `initialize`, and
   * again before a call that failed is made again. Stores the token, so that nothing of an earlier owner is taken any more,
   * and then reads what `saveCheckpoint` has saved last, or an own transaction of `processRecords`. Reading begins after it.
   *
   * @returns the position; `undefined` if nothing is saved, and reading begins at the checkpoint in the lease table
   * @throws LeaseLostError if the store knows a higher token
   */
  loadCheckpoint?(input: LoadCheckpointInput): Promise<ExtendedSequenceNumber | undefined>

  /**
   * For checkpoints that are stored with the application's own data; there is none by default. Called by
   * `checkpointer.checkpoint()`, before the lease table is written: commits the position together with what was made of the
   * records, in one transaction, if no higher token and no other position than `previous` is stored. When it throws, nothing is
   * written to the lease table, `checkpoint()` rejects with the same error, and whether it was saved is asked of `loadCheckpoint`.
   *
   * @throws LeaseLostError if the store knows a higher token
   */
  saveCheckpoint?(input: SaveCheckpointInput): Promise<void>

  /** Called first, before any record. Does nothing by default. */
  initialize(_input: InitializeInput): void | Promise<void> {}

  /**
   * Processes a batch. Returning does not checkpoint: call `checkpointer.checkpoint()` when what was given is done. Where only
   * some of the records have failed, return those: the others are settled, and these are delivered again.
   */
  abstract processRecords(input: ProcessRecordsInput<Value>): ProcessRecordsOutcome | Promise<ProcessRecordsOutcome>

  /** Another worker has the shard, or may have: nothing may be checkpointed any more. Does nothing by default. */
  leaseLost(_input: LeaseLostInput): void | Promise<void> {}

  /**
   * Every record of the shard has been processed. Checkpoints by default; the framework marks the shard as finished once
   * this returns, so that its children can start even if an override forgets to checkpoint.
   */
  async shardEnded(input: ShardEndedInput): Promise<void> {
    await input.checkpointer.checkpoint()
  }

  /**
   * The worker is stopping, or hands the shard to another one: the last chance to flush and to checkpoint. Checkpoints
   * everything that was processed without an error by default.
   */
  async shutdownRequested(input: ShutdownRequestedInput): Promise<void> {
    await input.checkpointer.checkpoint()
  }
}

const METHODS = ['initialize', 'processRecords', 'leaseLost', 'shardEnded', 'shutdownRequested'] as const

/**
 * What a user's factory made, if it is a processor.
 *
 * @throws OptionError if it lacks a method, as something made without `new`, or a promise, does; or saves positions that it
 *   does not load
 */
export function asProcessor(made: RecordProcessor): RecordProcessor {
  const missing = METHODS.find(method => typeof Object(made)[method] !== 'function')
  if (missing === undefined) {
    if (made.saveCheckpoint === undefined || made.loadCheckpoint !== undefined) return made
    throw new OptionError('processor', 'made something with saveCheckpoint and without loadCheckpoint, expected both')
  }
  const problem = `made something without the method ${missing}, expected an instance of a subclass of RecordProcessor`
  throw new OptionError('processor', problem)
}
