// What a write to the lease table is about, told from the row before and after it.
import { isFinished, type Lease } from '../model/lease.ts'
import { comparePositions } from '../model/sequence-number.ts'
import type { LeaseWriteKind } from './table-usage.ts'

/** One write to the lease table, at the moment at which the table carried it out or refused it. */
export interface LeaseWrite {
  /** What it is about. */
  readonly kind: LeaseWriteKind
  /** Key of the row; the same as the shard id. */
  readonly leaseKey: string
  /** The worker whose request it was. */
  readonly writer: string
  /** What the writer took the row to be; absent for a row that it created. */
  readonly expected?: Lease
  /** What it was; absent: there was none. */
  readonly before?: Lease
  /** What it is now; absent: there is none. */
  readonly after?: Lease
  /** Whether it was carried out. False: its condition was not met. */
  readonly isWritten: boolean
}

/** What turning `before` into `after` is about. */
export function leaseWriteKind(before: Lease, after: Lease): LeaseWriteKind {
  if (after.owner !== undefined && after.owner !== before.owner) return 'claim'
  if (after.owner === undefined && before.owner !== undefined) return isFinished(after) ? 'shard-end' : 'release'
  if (comparePositions(before.checkpoint, after.checkpoint) !== 0) return isFinished(after) ? 'shard-end' : 'checkpoint'
  if (before.pendingCheckpoint !== after.pendingCheckpoint && after.pendingCheckpoint !== undefined) return 'pending'
  return 'renewal'
}

/** Whether only the owner of a lease writes so, and the row has to be its own. */
export function isOwnersWrite({ kind, expected }: LeaseWrite): boolean {
  return kind !== 'create' && kind !== 'claim' && kind !== 'remove' && kind !== 'reset' && expected?.owner !== undefined
}
