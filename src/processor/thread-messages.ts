// What the main thread and the threads of processors say to each other. Plain data.
import type { MessagePort } from 'node:worker_threads'
import type { TraceCarrier } from '../metrics/tracing.ts'
import type { ExtendedSequenceNumber } from '../model/sequence-number.ts'
import type {
  InitializeInput,
  LoadCheckpointInput,
  ProcessRecordsInput,
  SaveCheckpointInput,
  ShardPlace
} from './record-processor.ts'
import type { SentBatch } from './thread-batch.ts'
import type { SentError } from './thread-errors.ts'

/** Some of the records of a batch: where each row of them begins and ends. */
export type Picked = Int32Array

/**
 * A call of a processor. `make`, `decode` and `recover` are for the thread itself: to make it, to decode records for it, and to
 * give records back.
 */
export type SentCall =
  | { readonly method: 'make' }
  | { readonly method: 'initialize'; readonly input: Omit<InitializeInput, 'signal'> }
  | { readonly method: 'loadCheckpoint'; readonly input: Omit<LoadCheckpointInput, 'signal'> }
  | { readonly method: 'saveCheckpoint'; readonly input: Omit<SaveCheckpointInput, 'signal'> }
  | {
      readonly method: 'processRecords'
      readonly input: Omit<ProcessRecordsInput, 'records' | 'checkpointer' | 'signal' | 'settle'>
      /** Absent: the thread has it from an earlier call. */
      readonly batch?: SentBatch
      /** Absent: all of the batch. */
      readonly picked?: Picked
      /** Shared memory, a byte for each record of the call: 1 once it is settled. */
      readonly settled: Uint8Array
      /** What the span is known by that the call is inside of. Absent: it is in none. */
      readonly trace?: TraceCarrier
    }
  | {
      readonly method: 'decode'
      /** As of `processRecords`. */
      readonly batch?: SentBatch
      readonly picked?: Picked
    }
  | { readonly method: 'recover'; readonly picked: Picked }
  | {
      readonly method: 'shardEnded' | 'shutdownRequested' | 'leaseLost'
      readonly input: ShardPlace
    }

/** What is known of a processor once it is made. */
export interface Traits {
  /** It is a handler: what it has returned from is done, and it has nothing to lose. */
  readonly keepsNothing: boolean
  /** Whether its module says how records are decoded. */
  readonly decodes: boolean
  /** Whether it has `loadCheckpoint`, and `saveCheckpoint`. */
  readonly loads: boolean
  readonly saves: boolean
}

/** What a checkpointer is asked for. `make`: the checkpoint that was prepared by the ask of that number. */
export type CheckpointWish =
  | { readonly kind: 'checkpoint'; readonly at?: ExtendedSequenceNumber }
  | { readonly kind: 'prepare'; readonly at?: ExtendedSequenceNumber; readonly state?: Uint8Array }
  | { readonly kind: 'make'; readonly prepared: number }

/** What became of a wish. `position`: where the checkpoint is that was prepared. */
export type CheckpointAnswer =
  | { readonly kind: 'granted'; readonly position?: ExtendedSequenceNumber }
  | { readonly kind: 'refused'; readonly error: SentError }

/** A wish to checkpoint, by a call of a processor. */
export interface SentAsk {
  readonly kind: 'ask'
  readonly ask: number
  readonly processor: number
  readonly shardId: string
  readonly call: number
  readonly wish: CheckpointWish
}

/** What a thread is told. `load` is the first message; calls count up. */
export type ToThread =
  | {
      readonly kind: 'load'
      readonly module: string
      /** A module that continues traces. Absent: nobody traces. */
      readonly tracing?: string
      readonly aborts: MessagePort
      readonly notes: Int32Array
    }
  | {
      readonly kind: 'call'
      readonly call: number
      readonly processor: number
      readonly made: SentCall
      /** Whether the thread is to say when it begins with the call: there are others before it. */
      readonly waits: boolean
    }
  | { readonly kind: 'ping'; readonly ping: number }
  | { readonly kind: 'answer'; readonly ask: number; readonly answer: CheckpointAnswer }
  /** The batch that the processor was given last does not come again. */
  | { readonly kind: 'let-go'; readonly processor: number }
  /** The processor is not called any more. */
  | { readonly kind: 'end'; readonly processor: number }

/** What a thread tells. */
export type FromThread =
  | { readonly kind: 'begun'; readonly call: number }
  | { readonly kind: 'returned'; readonly call: number; readonly value?: unknown }
  | { readonly kind: 'threw'; readonly call: number; readonly error: SentError }
  | SentAsk
  /** The module is not what it has to be: the thread is of no use. */
  | { readonly kind: 'unusable'; readonly error: SentError }

/** The signal of a call has aborted. On a port of its own, which is looked at even while a handler does not return. */
export interface SentAbort {
  readonly call: number
  readonly reason: SentError
}
