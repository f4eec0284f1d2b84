// A lease: one row of the lease table, which says who reads a shard and how far it has come. Immutable; every change is
// a copy. Each copy that an owner writes counts the lease counter up by one: that counter is the fencing token.
import type { HashKeyRange } from './hash-key-range.ts'
import { type ExtendedSequenceNumber, isShardEnd, SHARD_END } from './sequence-number.ts'
import { leaseKeyOf, type StreamIdentity } from './stream-id.ts'

export type { StreamIdentity } from './stream-id.ts'

/** A checkpoint that was prepared but not yet made: the first half of a two-phase commit of the application's own. */
export interface PendingCheckpoint {
  /** Everything up to here is done once the commit is. */
  readonly position: ExtendedSequenceNumber
  /** Whatever the application needs to finish its commit. Bytes. */
  readonly state?: Uint8Array
}

/** One row of the lease table: who reads a shard, and how far it has come. */
export interface Lease {
  /** Key of the row: the shard id; in a table that several streams share, their id before it. */
  readonly leaseKey: string
  /** The shard that is read by whoever holds the lease. */
  readonly shardId: string
  /** In a table that several streams share: which of them, `account:name:creationEpoch`. Absent in the table of one stream. */
  readonly streamId?: string
  /** The session that holds the lease. Absent: nobody does. */
  readonly owner?: string
  /** The fencing token: every owner's write tests it and counts it up by one. */
  readonly counter: number
  /** Everything up to here is done; or the word that says where to begin. */
  readonly checkpoint: ExtendedSequenceNumber
  /** A checkpoint that was prepared and is not made yet. Absent: there is none. */
  readonly pendingCheckpoint?: PendingCheckpoint
  /** How often the owner has changed since the last checkpoint. Informational. */
  readonly ownerSwitchesSinceCheckpoint: number
  /** The shards that this one continues, which have to be finished first. None, one or two. */
  readonly parentShardIds: readonly string[]
  /** The shards that continue this one. Empty until it is finished. */
  readonly childShardIds: readonly string[]
  /** The hash keys of the shard. Absent in rows of old versions of KCL. */
  readonly hashKeyRange?: HashKeyRange
  /** KCL 3.x: the worker that still processes while `owner` already names the next one. */
  readonly checkpointOwner?: string
  /** KCL 3.x: how much is read of the shard, in kilobytes per second. Absent: nobody has measured it. */
  readonly throughputKBps?: number
  /** Which stream the lease was created for. Absent in rows that KCL created. */
  readonly stream?: StreamIdentity
  /** Epoch milliseconds from which to read while the checkpoint is LATEST or AT_TIMESTAMP. */
  readonly startTimestampMs?: number
  /** In a lease that continues others: the start of those that the application began with. Epoch milliseconds. */
  readonly beganAtMs?: number
}

/** What a new lease needs; everything else begins empty. */
export type NewLease = Pick<Lease, 'shardId' | 'checkpoint'> &
  Partial<Pick<Lease, 'streamId' | 'parentShardIds' | 'hashKeyRange' | 'stream' | 'startTimestampMs' | 'beganAtMs'>>

/** A lease that nobody holds yet. Its key follows from the shard and the stream id. */
export function newLease(from: NewLease): Lease {
  return {
    leaseKey: leaseKeyOf(from.streamId, from.shardId),
    counter: 0,
    ownerSwitchesSinceCheckpoint: 0,
    parentShardIds: [],
    childShardIds: [],
    ...from
  }
}

/** The key of the lease of another shard of the same stream. Parents and children of a lease are named by shard ids. */
export function siblingKey({ streamId }: Pick<Lease, 'streamId'>, shardId: string): string {
  return leaseKeyOf(streamId, shardId)
}

/** The lease once `owner` has claimed it. A hand-off mark is gone. */
export function claimed(lease: Lease, owner: string): Lease {
  const { checkpointOwner: _, ...kept } = lease
  const switched = lease.owner !== undefined && lease.owner !== owner
  return {
    ...kept,
    owner,
    counter: lease.counter + 1,
    ownerSwitchesSinceCheckpoint: lease.ownerSwitchesSinceCheckpoint + (switched ? 1 : 0)
  }
}

/**
 * The lease with a time for LATEST. KCL writes none: there it means when the shard is opened, so that opening it later, or
 * again, skips what came before. A lease that has a time, or begins elsewhere, is returned as it is.
 */
export function pinned(lease: Lease, nowMs: number): Lease {
  const isUnpinned = lease.checkpoint.sequenceNumber === 'LATEST' && lease.startTimestampMs === undefined
  return isUnpinned ? { ...lease, startTimestampMs: nowMs } : lease
}

/** The lease with one more sign of life from its owner. */
export function renewed(lease: Lease): Lease {
  return { ...lease, counter: lease.counter + 1 }
}

/** The lease with a new checkpoint; a pending one is settled by it. */
export function checkpointed(lease: Lease, checkpoint: ExtendedSequenceNumber): Lease {
  const { pendingCheckpoint: _, ...kept } = lease
  return { ...kept, checkpoint, counter: lease.counter + 1, ownerSwitchesSinceCheckpoint: 0 }
}

/** The lease with a prepared checkpoint, which replaces an earlier prepared one. */
export function prepared(lease: Lease, pendingCheckpoint: PendingCheckpoint): Lease {
  return { ...lease, pendingCheckpoint, counter: lease.counter + 1 }
}

/**
 * Who processes the shard. While a leader of KCL 3.x has a lease handed over, that is the one that `checkpointOwner` names:
 * `owner` is the next one, which does nothing yet. Absent: nobody does.
 */
export function actualOwner({ owner, checkpointOwner }: Pick<Lease, 'owner' | 'checkpointOwner'>): string | undefined {
  return checkpointOwner ?? owner
}

/** The lease with who processes it as its owner, as if no hand-off had begun. For those who look at leases, and write none. */
export function asProcessed(lease: Lease): Lease {
  const { checkpointOwner, ...kept } = lease
  return checkpointOwner === undefined ? lease : { ...kept, owner: checkpointOwner }
}

/** The lease with nobody holding it. */
export function released(lease: Lease): Lease {
  const { owner: _, checkpointOwner: __, ...kept } = lease
  return { ...kept, counter: lease.counter + 1 }
}

/** The lease as the one that processes it lets go: released, or, while it is being handed over, with the owner that is next. */
export function givenBack(lease: Lease): Lease {
  const { owner, checkpointOwner } = lease
  const isHandedOver = owner !== undefined && checkpointOwner !== undefined && owner !== checkpointOwner
  return isHandedOver ? { ...released(lease), owner } : released(lease)
}

/** The lease with a last checkpoint, and given back as by {@link givenBack}, in one change, so that no successor can start before it. */
export function checkpointedAndReleased(lease: Lease, checkpoint: ExtendedSequenceNumber): Lease {
  return { ...givenBack(checkpointed(lease, checkpoint)), counter: lease.counter + 1 }
}

/** The lease of a shard in which everything is processed, continued by `childShardIds`, and given back as by {@link givenBack}. */
export function finished(lease: Lease, childShardIds: readonly string[]): Lease {
  return { ...checkpointedAndReleased(lease, SHARD_END), childShardIds }
}

/**
 * Since when the application has been reading, as far as its leases say, in epoch milliseconds. Leases of later generations
 * keep it, because those that it began with are removed one day. Those that KCL wrote do not know: a time in them is that of
 * our first claim.
 */
export function beginningOf(leases: Iterable<Lease>): number | undefined {
  const ours = [...leases].filter(lease => lease.stream !== undefined)
  const times = ours.flatMap(lease => lease.startTimestampMs ?? lease.beganAtMs ?? [])
  return times.length === 0 ? undefined : times.reduce((a, b) => Math.min(a, b))
}

/** Whether everything in the shard has been processed. */
export function isFinished(lease: Lease): boolean {
  return isShardEnd(lease.checkpoint)
}
