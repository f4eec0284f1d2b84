// A record processor whose code lives somewhere else, in a thread or in another process, and can be gone although the worker
// goes on. What calls it asks here whether it is there.
import type { HandlerTimeoutError, ProcessorGoneError } from '../model/errors.ts'
import type { Lease } from '../model/lease.ts'
import type { ConsumedRecord, KinesisRecord } from '../model/record.ts'
import { RecordProcessor, type ShardPlace } from './record-processor.ts'

/** In whose call the place of a processor has ended: in one of its own, in one of another, or in nobody's, as far as is known. */
export type Blame = 'own' | 'another' | 'nobody'

/** Which shard a processor is about to serve, and how far that has come. */
export type ShardToEnter = ShardPlace & Pick<Lease, 'checkpoint'>

/**
 * A processor in a place of its own. Once the place is gone, every call but `initialize` and `leaseLost` rejects with
 * ProcessorGoneError: what it was given since its checkpoint is gone with it, and is delivered to the next one.
 */
export abstract class HostedProcessor extends RecordProcessor {
  /** Whether what the processor has returned from is done: it is a function, and has nothing to lose. */
  get keepsNothing(): boolean {
    return false
  }

  /** Why the processor is not there any more, and whose call that is the doing of. `undefined`: it is there. */
  abstract get gone(): { readonly error: ProcessorGoneError; readonly blame: Blame } | undefined

  /** Resolves once the place has come to the call that was made last; time counts from then. `undefined`: from the call on. */
  get begun(): Promise<void> | undefined {
    return undefined
  }

  /** Says what is delivered next, and what it was made from: that may be moved to the place, and is not read here any more. */
  takeFrom(_read: readonly KinesisRecord[], _batch: readonly ConsumedRecord[]): void {}

  /** Lets go of the batch that was processed last: it does not come again. */
  letGo(): void {}

  /** Records of the batch with all that they have, wherever that is by now. Rejects with ProcessorGoneError if it is lost. */
  async recover(records: readonly ConsumedRecord[]): Promise<readonly ConsumedRecord[]> {
    return records
  }

  /** Gets a place, if it has none. That can take a while; rejects with the reason of `signal` if that aborts first. */
  abstract enter(shard: ShardToEnter, signal: AbortSignal): Promise<void>

  /** Whether the call under way waits for the place, which the call of another processor has. */
  isHeldUp(): boolean {
    return false
  }

  /**
   * Ends the place with everything in it, because a call does not return though it has taken too long. What it has failed with:
   * `error`, or ProcessorGoneError where it may not have been its own doing.
   */
  abstract endPlace(error: HandlerTimeoutError): unknown

  /** Leaves the place. Nothing may be called any more. Resolves once nothing of this processor runs there. */
  abstract close(): void | Promise<void>
}
