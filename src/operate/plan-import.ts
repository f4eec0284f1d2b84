// What becomes of each row of the lease table when checkpoints are brought back that were exported before.
import { isFinished, type Lease, newLease, type StreamIdentity } from '../model/lease.ts'
import { isShardEnd, SHARD_END, TRIM_HORIZON } from '../model/sequence-number.ts'
import { parentsOf, type Shard } from '../model/shard.ts'
import { type ShardGraph, shardGraph } from '../shards/shard-graph.ts'
import type { CheckpointExport, ExportedLease } from './checkpoint-codec.ts'
import { begunAt, finishExpired, type RowReset } from './plan-reset.ts'

/** What an import is planned from. */
export interface ImportFacts {
  /** The whole listing. */
  readonly shards: readonly Shard[]
  /** The whole table. */
  readonly leases: readonly Lease[]
  readonly stream: StreamIdentity
  readonly exported: CheckpointExport
}

/**
 * The rows to write, the oldest shard first. A lease that came to be since, because a shard of the export has ended, begins at
 * the beginning of its shard, as it would when that ends again. Other leases that are not in the export stay as they are.
 */
export function planImport({ shards, leases, stream, exported }: ImportFacts): RowReset[] {
  const graph = shardGraph(shards)
  const rows = new Map(leases.map(lease => [lease.leaseKey, lease]))
  const wanted = new Map(exported.leases.map(lease => [lease.shardId, lease]))
  const expired = exported.leases.filter(({ shardId }) => !graph.byId.has(shardId))
  return [
    ...expired.flatMap(lease => importExpired(lease, rows.get(lease.shardId), graph)),
    ...graph.shards.flatMap(({ shardId }) => {
      const [row, lease] = [rows.get(shardId), wanted.get(shardId)]
      if (lease !== undefined) return [imported(lease, row, stream)]
      return row !== undefined && descends(shardId, wanted, graph) ? [fromItsBeginning(row)] : []
    })
  ]
}

function imported(exported: ExportedLease, row: Lease | undefined, stream: StreamIdentity): RowReset {
  const { shardId, sequenceNumber, subSequenceNumber, startTimestampMs, beganAtMs, hashKeyRange: range } = exported
  const { parentShardIds, childShardIds } = exported
  const checkpoint = { sequenceNumber, subSequenceNumber }
  const times = {
    ...(startTimestampMs !== undefined && { startTimestampMs }),
    ...(beganAtMs !== undefined && { beganAtMs })
  }
  if (row !== undefined) {
    const { startTimestampMs: _, beganAtMs: __, ...kept } = begunAt(row, checkpoint)
    return { before: row, after: { ...kept, ...times, childShardIds } }
  }
  const hashKeyRange = range && { start: BigInt(range.start), end: BigInt(range.end) }
  const lease = newLease({
    shardId,
    checkpoint,
    parentShardIds,
    stream,
    ...times,
    ...(hashKeyRange && { hashKeyRange })
  })
  return { after: { ...lease, childShardIds } }
}

/** There is nothing left in it to read. A row that says that it is done is made only where one is that says otherwise. */
function importExpired(exported: ExportedLease, row: Lease | undefined, graph: ShardGraph): RowReset[] {
  if (row === undefined || isFinished(row)) return []
  if (!isShardEnd(exported)) return finishExpired(row, graph)
  return [{ before: row, after: { ...begunAt(row, SHARD_END), childShardIds: exported.childShardIds } }]
}

function fromItsBeginning(row: Lease): RowReset {
  const { startTimestampMs: _, ...kept } = begunAt(row, TRIM_HORIZON)
  return { before: row, after: { ...kept, childShardIds: [] } }
}

/** Whether a shard continues one of the export, directly or not. */
function descends(shardId: string, wanted: ReadonlyMap<string, unknown>, graph: ShardGraph): boolean {
  const shard = graph.byId.get(shardId)
  const parents = shard === undefined ? [] : parentsOf(shard)
  return parents.some(parent => wanted.has(parent) || descends(parent, wanted, graph))
}
