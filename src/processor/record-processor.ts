// The class that users subclass: five methods, one of which they must write. What calls them is consumer/.
import type { Checkpointer } from '../checkpoint/checkpointer.ts'
import { OptionError } from '../model/errors.ts'
import type { PendingCheckpoint } from '../model/lease.ts'
import type { ConsumedRecord } from '../model/record.ts'

/** What `initialize` is told: which shard this is, and how far it has come. */
export interface InitializeInput {
  /** The shard that this instance serves. */
  readonly shardId: string
  /** Sequence number of the last record that was checkpointed; `undefined` if none was. Reading begins after it. */
  readonly checkpoint: string | undefined
  /** Place of that record inside an aggregated Kinesis record; 0 for a plain one. */
  readonly subSequenceNumber: number
  /** A checkpoint that an earlier owner prepared but did not make. */
  readonly pendingCheckpoint: PendingCheckpoint | undefined
  /** Aborts when the shard is given up: the lease was lost, or the worker stops waiting. Good for as long as the processor lives. */
  readonly signal: AbortSignal
}

/** What `processRecords` is given: a batch, and what to say that it is done with. */
export interface ProcessRecordsInput {
  /** The shard that the records are from. */
  readonly shardId: string
  /** In the order of the shard; never empty. */
  readonly records: readonly ConsumedRecord[]
  /** Says how far this processor has come. Its bare `checkpoint()` means this batch. */
  readonly checkpointer: Checkpointer
  /** How far these records are behind the tip of the shard, in milliseconds, when they were read. */
  readonly millisBehindLatest: number
  /** How often in a row this batch has failed before; 0 the first time. */
  readonly failures: number
  /**
   * Aborts when the lease is lost, when the worker cannot prove for now that it has it, or when the worker stops waiting for
   * this call; good for this call only. Whoever has the lease then gets the records again, after what was checkpointed by
   * record: this processor, if the worker has it still.
   */
  readonly signal: AbortSignal
}

/** What `leaseLost` is told. There is no checkpointer in it, because it could only refuse. */
export interface LeaseLostInput {
  /** The shard that was given up. */
  readonly shardId: string
}

/** What `shardEnded` is given. */
export interface ShardEndedInput {
  /** The shard that has come to its end. */
  readonly shardId: string
  /** Its bare `checkpoint()` means everything in the shard. */
  readonly checkpointer: Checkpointer
  /** Aborts when the lease is lost or, for now, not proved (then the call is made again), or the worker stops waiting for it. */
  readonly signal: AbortSignal
}

/** What `shutdownRequested` is given. */
export interface ShutdownRequestedInput {
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
 * `leaseLost`.
 */
export abstract class RecordProcessor {
  /** Called first, before any record. Does nothing by default. */
  initialize(_input: InitializeInput): void | Promise<void> {}

  /**
   * Processes a batch. Returning does not checkpoint: call `checkpointer.checkpoint()` when what was given is done.
   */
  abstract processRecords(input: ProcessRecordsInput): void | Promise<void>

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
 * @throws OptionError if it lacks a method, as something made without `new`, or a promise, does
 */
export function asProcessor(made: RecordProcessor): RecordProcessor {
  const missing = METHODS.find(method => typeof Object(made)[method] !== 'function')
  if (missing === undefined) return made
  const problem = `made something without the method ${missing}, expected an instance of a subclass of RecordProcessor`
  throw new OptionError('processor', problem)
}
