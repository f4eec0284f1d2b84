// What of KCL 3.x's coordination concerns a worker that shares a lease table with it: the items in which a Java fleet says how
// it is coordinated, and those in which a worker says that it can be given leases. What follows from them: kcl-rules.ts.

/**
 * Which version of its own protocol a Java fleet is at (the item `Migration3.0`): `2X` and `INIT` take leases from one
 * another as KCL 2.x does, `UPGRADE_FROM_2X` too, but counts who is ready; the others have a leader that assigns them.
 */
export type KclVersion = 'INIT' | 'UPGRADE_FROM_2X' | '2X' | '3X_WITH_ROLLBACK' | '3X'

/** How far a Java fleet is in moving its items into the lease table (the item `TableMigration3.5`). */
export type KclTableMigration = 'UNKNOWN' | 'INIT' | 'DEPLOYED' | 'PENDING' | 'COMPLETE'

/** Where items are that are no leases: in the lease table (KCL 3.5), or in two tables of their own (3.0 to 3.4). */
export type KclPlace = 'lease-table' | 'legacy-tables'

/** The lock of the leader of a Java fleet. */
export interface KclLock {
  /** The worker that leads. */
  readonly owner: string
  /** Changes with each sign of life, about every 30 s. */
  readonly version: string
  /** When that worker last published its metrics, in epoch seconds by its own clock. Absent: it has none. */
  readonly ownerSeenAtS?: number
}

/** What a Java fleet says of itself, as read at one time. */
export interface KclSighting {
  /** Whether there is a coordinator table of KCL 3.0 to 3.4. */
  readonly hasLegacyTables: boolean
  /** Absent: it says nothing, as KCL 2.x does. */
  readonly version?: KclVersion
  /** Absent: no migration has begun. */
  readonly tableMigration?: KclTableMigration
  /** Absent: nobody has it. */
  readonly lock?: KclLock
  /** During a migration, whether Java workers have lately published their metrics in the lease table. */
  readonly isLeaseTableInUse?: boolean
}

/**
 * The coordination of a Java fleet on one lease table. Rejects like a {@link LeaseStore}: with ThrottledError or ServiceError,
 * or with the reason of its signal, and with nothing else. A table that does not exist is no error to a read.
 */
export interface KclCoordination {
  /** What the Java fleet says of itself, as it is now. `nowS`: epoch seconds, against which signs of life are held. */
  read(nowS: number, signal?: AbortSignal): Promise<KclSighting>

  /**
   * Says that a session is there and can be given leases, as a worker without a metric of its own. To be repeated at least
   * every 30 s: after a minute it counts as gone. `nowS`: epoch seconds, which Java workers hold against their clocks. `isFull`:
   * it is there, and can be given nothing more. Default false.
   */
  publish(session: string, place: KclPlace, nowS: number, isFull?: boolean): Promise<void>

  /** Takes that back, so that nothing is given to the session any more. */
  withdraw(session: string, place: KclPlace): Promise<void>

  /**
   * The keys of the leases whose rows name a session as owner. May be a little old. `undefined`: the table has no index
   * for that, or not yet.
   */
  assigned(session: string, signal?: AbortSignal): Promise<string[] | undefined>
}
