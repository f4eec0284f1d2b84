// What KCL keeps beside its leases: rows of its own in the lease table, two tables of versions 3.0 to 3.4, and the index of
// 3.x. The port through which an operator sees it, and takes away what nobody needs any more.

/** What a record of KCL is. */
export type KclItemKind =
  | 'leader' /** the lock of its leader */
  | 'worker-metrics' /** what one worker says of its load */
  | 'client-version' /** whether the fleet works as 2.x or as 3.x */
  | 'table-migration' /** whether the two other tables are still in use */
  | 'stream' /** a stream that it knows */

/** A record of KCL that is no lease. */
export interface KclItem {
  /** The table that it is in. */
  readonly table: string
  readonly key: string
  readonly kind: KclItemKind
  /** Changes as long as whoever writes it lives: of a leader its newest heartbeat, of a worker when it last told its load. Absent: it does not live. */
  readonly pulse?: string
  /** Of a `client-version`, such as `CLIENT_VERSION_3X`; of a `table-migration`, such as `TABLE_MIGRATION_STATUS_COMPLETE`. */
  readonly state?: string
  /** Of a worker or a leader, the id of the worker. */
  readonly worker?: string
}

/** What leases show of the KCL that wrote them. */
export interface KclLeaseTraces {
  /** Keys of leases that several streams share a table with, as KCL's multi-stream mode writes them. Ascending. */
  readonly multiStream: readonly string[]
  /** Keys of leases without what KCL 2.x cannot do without: it stops reading the whole table at one of them. Ascending. */
  readonly incomplete: readonly string[]
  /** Rows that are neither leases nor records of KCL, by key. Ascending. */
  readonly strange: readonly string[]
}

/** The index of KCL 3.x on the lease table. */
export interface KclIndex {
  readonly name: string
  /** Such as `ACTIVE`. */
  readonly status: string
}

/** Everything that was found. */
export interface KclRemains {
  readonly items: readonly KclItem[]
  readonly traces: KclLeaseTraces
  /** Absent: there is none. */
  readonly index?: KclIndex
  /** Names of the other tables that there are. */
  readonly tables: readonly string[]
  /** Names of the other tables that may not be looked into. */
  readonly closed: readonly string[]
}

/**
 * What KCL keeps beside its leases. Rejects like a {@link LeaseStore}. Never touches a lease.
 */
export interface KclEstate {
  /** Looks for everything. Other tables that may not be read are named in `closed`. */
  look(signal?: AbortSignal): Promise<KclRemains>
  /** Deletes a record. Refused (false) if it is another by now, or has turned into a lease. */
  removeItem(item: KclItem, signal?: AbortSignal): Promise<boolean>
  /** Begins to delete the index. Done, too, if there is none. */
  removeIndex(signal?: AbortSignal): Promise<void>
  /** Deletes one of the other tables. Done, too, if there is none. @throws BugError for any other */
  removeTable(name: string, signal?: AbortSignal): Promise<void>
}
