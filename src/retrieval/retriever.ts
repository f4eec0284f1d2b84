// Where a shard consumer gets its records from.
import type { KinesisRecord } from '../model/record.ts'
import type { ChildShard } from '../model/shard.ts'

/** Records that were read, and the memory that they take. */
export interface RetrievedRecords {
  readonly kind: 'records'
  /** In the order of the shard; never empty. */
  readonly records: readonly KinesisRecord[]
  /** How long their payloads are together. Bytes. */
  readonly bytes: number
  readonly millisBehindLatest: number
  /** Says how many user records were made of them: those take memory too, until all is released. To be called at most once. */
  readonly takenApart: (userRecords: number) => void
  /** Gives back the bytes that the records take of the budget of the worker. To be called once they are settled, or given up. */
  readonly release: () => void
}

/** What one read brought. */
export type Retrieved =
  | RetrievedRecords
  /** Everything in the shard has been read, as far as the service says. Children only where it names them. */
  | { readonly kind: 'end'; readonly childShards?: readonly ChildShard[] }

/** Reads one shard, from a position, in order. Reads ahead as far as the budget of the worker lets it. */
export interface Retriever {
  /**
   * The next records, or the end. Rejects with the reason of `signal` if that aborts first (what was being read is kept
   * for the next call), or with the ServiceError that makes reading on pointless.
   */
  next(signal: AbortSignal): Promise<Retrieved>
  /** Whether reading waits for room in the budget of the worker. Absent: it does not say. */
  readonly lacksRoom?: boolean
  /** The end that was reported was none: go on reading from the last position. */
  continueAfterEnd(): void
  /** Lets go of everything that was not handed on, and gives back what it holds of the budget for it. */
  close(): void
}

/** What a retriever tells about its work, for lag and for health. */
export interface ReadReport {
  readonly records: number
  readonly bytes: number
  readonly millisBehindLatest: number
}

/** How a shard is read: by asking again and again, or by having it pushed. */
export type RetrievalMode = 'polling' | 'fan-out'

/** A change in how a shard is read, and why. */
export interface ModeChange {
  readonly mode: RetrievalMode
  /** What made fan-out impossible. Absent: it is possible again. */
  readonly error?: unknown
  /** When fan-out is tried again, in milliseconds. Absent: it is in use, or never tried again. */
  readonly retryInMs?: number
}

/** Who is told what a retriever does. Nothing here may throw. */
export interface RetrievalListener {
  /** A read was answered, or an event came. */
  onRead(report: ReadReport): void
  /** Something failed in a way that passes; it is tried again in `retryInMs` milliseconds. */
  onRetry(error: unknown, retryInMs: number, failures: number): void
  /** The shard is read in another way from here on. */
  onModeChange(change: ModeChange): void
}
