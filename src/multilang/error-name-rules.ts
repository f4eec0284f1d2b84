// What a child hears of a checkpoint that was not stored: the name of the class that KCL would have thrown, because that is what
// its processors tell apart.
import {
  CheckpointRefusedError,
  LeaseLostError,
  ServiceError,
  ThrottledError,
  WorkerStoppedError
} from '../model/errors.ts'

/** Checkpoints are not allowed now: there is no checkpointer, or the table is not there. */
export const NOT_NOW = 'InvalidStateException'
/** The position is none, or not between what is stored and what was delivered. */
export const OUT_OF_RANGE = 'IllegalArgumentException'

/** The name of the class of KCL that an error would be. */
export function errorNameOf(error: unknown): string {
  if (error instanceof LeaseLostError || error instanceof WorkerStoppedError) return 'ShutdownException'
  if (error instanceof ThrottledError) return 'ThrottlingException'
  if (error instanceof CheckpointRefusedError) {
    return ['behind', 'ahead', 'malformed'].includes(error.because) ? OUT_OF_RANGE : NOT_NOW
  }
  if (error instanceof ServiceError) {
    return error.kind === 'not-found' ? NOT_NOW : 'KinesisClientLibDependencyException'
  }
  return error instanceof Error ? error.name : 'RuntimeException'
}
