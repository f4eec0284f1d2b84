// Where a shard consumer gets its records from.
import type { KinesisRecord } from '../model/record.ts'
import type { ChildShard } from '../model/shard.ts'

/** What one read brought. */
export type Retrieved =
  | {
      readonly kind: 'records'
      /** In the order of the shard; never empty. */
      readonly records: readonly KinesisRecord[]
      readonly millisBehindLatest: number
    }
  /** Everything in the shard has been read, as far as the service says. Children only where it names them. */
  | { readonly kind: 'end'; readonly childShards?: readonly ChildShard[] }

/** Reads one shard, from a position, in order. Reads ahead by at most one answer. */
export interface Retriever {
  /**
   * The next records, or the end. Rejects with the reason of `signal` if that aborts first (what was being read is kept
   * for the next call), or with the ServiceError that makes reading on pointless.
   */
  next(signal: AbortSignal): Promise<Retrieved>
  /** The end that was reported was none: go on reading from the last position. */
  continueAfterEnd(): void
  /** Lets go of everything. */
  close(): void
}

/** What a retriever tells about its work, for lag and for health. */
export interface ReadReport {
  readonly records: number
  readonly bytes: number
  readonly millisBehindLatest: number
}
