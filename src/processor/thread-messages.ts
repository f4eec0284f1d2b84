// What the main thread and the threads of processors say to each other. Plain data.
import type { MessagePort } from 'node:worker_threads'
import type { ExtendedSequenceNumber } from '../model/sequence-number.ts'
import type { InitializeInput, ProcessRecordsInput } from './record-processor.ts'
import type { SentBatch } from './thread-batch.ts'
import type { SentError } from './thread-errors.ts'

/** A call of a processor. `batch`: records; or, if the thread has them from an earlier call, from which of them on. */
export type SentCall =
  | { readonly method: 'initialize'; readonly input: Omit<InitializeInput, 'signal'> }
  | {
      readonly method: 'processRecords'
      readonly input: Omit<ProcessRecordsInput, 'records' | 'checkpointer' | 'signal'>
      readonly batch: SentBatch | number
    }
  | {
      readonly method: 'shardEnded' | 'shutdownRequested' | 'leaseLost'
      readonly input: { readonly shardId: string }
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
  | { readonly kind: 'load'; readonly module: string; readonly aborts: MessagePort }
  | { readonly kind: 'call'; readonly call: number; readonly processor: number; readonly made: SentCall }
  | { readonly kind: 'answer'; readonly ask: number; readonly answer: CheckpointAnswer }
  /** The batch that the processor was given last does not come again. */
  | { readonly kind: 'let-go'; readonly processor: number }
  /** The processor is not called any more. */
  | { readonly kind: 'end'; readonly processor: number }

/** What a thread tells. */
export type FromThread =
  | { readonly kind: 'returned'; readonly call: number }
  | { readonly kind: 'threw'; readonly call: number; readonly error: SentError }
  | SentAsk
  /** The module is not what it has to be: the thread is of no use. */
  | { readonly kind: 'unusable'; readonly error: SentError }

/** The signal of a call has aborted. On a port of its own, which is looked at even while a handler does not return. */
export interface SentAbort {
  readonly call: number
  readonly reason: SentError
}
