// What becomes of each row of the lease table when an application is to begin again somewhere: which are written, and which are
// missing. What the counter was is counted up by one, so that whoever still acts by the row as it was is refused.
import { isFinished, type Lease, newLease, released, type StreamIdentity } from '../model/lease.ts'
import { type ExtendedSequenceNumber, isShardEnd, LATEST, SHARD_END, TRIM_HORIZON } from '../model/sequence-number.ts'
import { isClosed, parentsOf, type Shard } from '../model/shard.ts'
import { initialCheckpoint } from '../model/start-position.ts'
import { byAge, listedChildIds, type ShardGraph, shardGraph } from '../shards/shard-graph.ts'

/** A place in one shard: everything up to that record, and it as well, counts as done. */
export interface AfterRecord {
  /** Sequence number of a Kinesis record of the shard: decimal digits. */
  readonly sequenceNumber: string
  /** Place of a user record within an aggregated one, from 0. Default 0, which is what a plain record has. */
  readonly subSequenceNumber?: number
}

/**
 * Where to begin again. `TRIM_HORIZON`: with the oldest records that there are. `LATEST`: with what arrives from now on. A Date:
 * with the first record that arrived then or later. A sequence number, of one shard: after that record.
 */
export type ResetPosition = 'TRIM_HORIZON' | 'LATEST' | Date | AfterRecord

/** What a reset is planned from. */
export interface ResetFacts {
  /** The whole listing, made after `nowMs`. */
  readonly shards: readonly Shard[]
  /** The whole table. */
  readonly leases: readonly Lease[]
  readonly stream: StreamIdentity
  readonly position: ResetPosition
  /** What "from now on" means, by the clock of the service. Epoch milliseconds. */
  readonly nowMs: number
  /** The shards to reset; `all`: every one that is listed or has a lease. */
  readonly only: 'all' | ReadonlySet<string>
}

/** One row to write. `before` absent: it is missing. */
export interface RowReset {
  readonly before?: Lease
  readonly after: Lease
}

/** The rows to write, the oldest shard first: a child must not find its parent done that is to be read again. */
export function planReset(facts: ResetFacts): RowReset[] {
  const { leases, only } = facts
  const graph = shardGraph(facts.shards)
  const rows = new Map(leases.map(lease => [lease.leaseKey, lease]))
  const isWanted = (shardId: string): boolean => only === 'all' || only.has(shardId)
  // Rows of shards that have expired come first: they are the oldest.
  const expired = leases.filter(({ shardId }) => isWanted(shardId) && !graph.byId.has(shardId))
  return [
    ...expired.flatMap(lease => finishExpired(lease, graph)),
    ...[...graph.shards].sort(byAge).flatMap(shard => {
      return isWanted(shard.shardId) ? resetListed(shard, rows.get(shard.shardId), facts, graph) : []
    })
  ]
}

/** The row of a shard that Kinesis has forgotten: nothing is left in it to read. None, if it says so already. */
export function finishExpired(lease: Lease, graph: ShardGraph): RowReset[] {
  if (isFinished(lease)) return []
  return [
    { before: lease, after: { ...begunAt(lease, SHARD_END), childShardIds: listedChildIds(graph, lease.shardId) } }
  ]
}

function resetListed(shard: Shard, lease: Lease | undefined, facts: ResetFacts, graph: ShardGraph): RowReset[] {
  const { position, nowMs, stream } = facts
  const isPassed = position === 'LATEST' && isClosed(shard)
  // No row says that it is done as well as one that says so.
  if (isPassed && lease === undefined) return []
  const { shardId, hashKeyRange } = shard
  const before =
    lease ??
    newLease({
      ...{ shardId, checkpoint: TRIM_HORIZON, parentShardIds: parentsOf(shard), stream },
      ...(hashKeyRange && { hashKeyRange })
    })
  const after =
    lease === undefined
      ? withBeginning(before, position, nowMs)
      : withBeginning(begunAt(before, before.checkpoint), position, nowMs)
  const row = isPassed ? { ...after, checkpoint: SHARD_END, childShardIds: listedChildIds(graph, shardId) } : after
  return [lease === undefined ? { after: row } : { before: lease, after: row }]
}

/** The lease with another checkpoint, without an owner, and without anything that depends on where it was. */
export function begunAt(lease: Lease, checkpoint: ExtendedSequenceNumber): Lease {
  const { pendingCheckpoint: _, ...kept } = released(lease)
  return { ...kept, checkpoint, ownerSwitchesSinceCheckpoint: 0 }
}

/** As a lease is that begins there. */
function withBeginning(lease: Lease, position: ResetPosition, nowMs: number): Lease {
  if (typeof position === 'object' && !(position instanceof Date)) {
    const { sequenceNumber, subSequenceNumber = 0 } = position
    return { ...lease, checkpoint: { sequenceNumber, subSequenceNumber }, childShardIds: [] }
  }
  const { startTimestampMs: _, beganAtMs: __, ...kept } = lease
  const begun = { ...kept, checkpoint: initialCheckpoint(position), childShardIds: [] }
  if (position === 'TRIM_HORIZON') return begun
  return { ...begun, startTimestampMs: position === 'LATEST' ? nowMs : position.getTime() }
}

/**
 * Whether a row says what was to be written, whoever owns it by now: a write whose answer was lost has landed, and its lease may
 * have been claimed since.
 */
export function hasBegunAt(row: Lease | undefined, after: Lease): boolean {
  if (row === undefined || row.counter < after.counter) return false
  const { checkpoint: is } = row
  const { checkpoint: wanted } = after
  const isSame = is.sequenceNumber === wanted.sequenceNumber && is.subSequenceNumber === wanted.subSequenceNumber
  return isSame && row.startTimestampMs === after.startTimestampMs && row.pendingCheckpoint === undefined
}

/** What a row begins with, for people: `LATEST`, `2026-01-01T00:00:00.000Z`, a sequence number. */
export function describeBeginning({
  checkpoint,
  startTimestampMs
}: Pick<Lease, 'checkpoint' | 'startTimestampMs'>): string {
  const { sequenceNumber, subSequenceNumber } = checkpoint
  const hasTime = sequenceNumber === 'AT_TIMESTAMP' && startTimestampMs !== undefined
  if (hasTime) return new Date(startTimestampMs).toISOString()
  if (isShardEnd(checkpoint) || sequenceNumber === LATEST.sequenceNumber || subSequenceNumber === 0)
    return sequenceNumber
  return `${sequenceNumber}#${subSequenceNumber}`
}
