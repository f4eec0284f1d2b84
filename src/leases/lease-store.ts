// What a lease table can do. Every write has a condition. A store for another database is one file that implements this
// and passes test/contracts/lease-store.contract.ts.
import type { Lease } from '../model/lease.ts'
import type { ControlStore } from './control-store.ts'

/** A row of the table that could not be read as a lease. It is left alone. */
export interface SkippedRow {
  /** Key of the row, or `?` where it has none. */
  readonly key: string
  /** Why it was skipped: `another-kind` is a row that is not a lease (normal in KCL tables), `malformed` a broken one. */
  readonly because: 'another-kind' | 'malformed'
  /** What is wrong with it, in words. */
  readonly problem: string
}

/** The whole table, as one scan found it. */
export interface LeaseListing {
  /** The rows that are leases, in no particular order. */
  readonly leases: readonly Lease[]
  /** The rows that are none, or cannot be read as one. */
  readonly skipped: readonly SkippedRow[]
}

/** The outcome of a conditional write. A refusal is normal, and says what the row is now. */
export type WriteOutcome =
  | { readonly kind: 'written' }
  | {
      readonly kind: 'refused'
      /** The row as it is; absent if there is none. */
      readonly current?: Lease
    }

/**
 * The lease table of one application.
 *
 * Every method rejects with {@link ThrottledError}, {@link ServiceError} (kind `not-found`: the table is gone; kind
 * `timeout`: the write may or may not have landed) or {@link TableMismatchError}, or with the reason of its signal once that
 * aborts, and with nothing else.
 */
export interface LeaseStore {
  /** What the table is called in messages. */
  readonly tableName: string

  /** The control items in the same place, for workers that are given no other. Absent: there is none. */
  readonly control?: ControlStore

  /**
   * Creates the table if it is missing, waits until it can be used, and checks that it is one of ours.
   *
   * @throws TableMismatchError if its key is not `leaseKey`.
   */
  prepare(signal?: AbortSignal): Promise<void>

  /**
   * Every lease, in no particular order. May be a little old (eventually consistent), unless `consistent`, which costs
   * twice as much; also then each row is as it was when the scan came by.
   */
  list(options?: { readonly consistent?: boolean; readonly signal?: AbortSignal | undefined }): Promise<LeaseListing>

  /** One lease as it is now (strongly consistent). `undefined` if there is none, or the row cannot be read as one. */
  get(leaseKey: string, signal?: AbortSignal): Promise<Lease | undefined>

  /** Writes a new row. Refused if there is one with that key. */
  create(lease: Lease): Promise<WriteOutcome>

  /**
   * Turns the row `before` into `after`. Refused unless owner, counter and checkpoint owner of the row are those of
   * `before`, so that whoever holds an old copy can never overwrite a newer one. Attributes that are equal in both, and
   * those this library does not know, are left as they are.
   */
  replace(before: Lease, after: Lease): Promise<WriteOutcome>

  /** Deletes the row. Refused unless owner and counter are those of `lease`. Written if the row is already gone. */
  remove(lease: Lease): Promise<WriteOutcome>
}
