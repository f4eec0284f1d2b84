// Decides which leases of finished shards can be removed from the table. A row is what tells others that the shard is
// done, so it stays until its children prove that.
import { isFinished, type Lease } from '../model/lease.ts'
import { listedChildIds, listedParentIds, type ShardGraph } from './shard-graph.ts'
import { hasBegun } from './standing-rules.ts'

/** A lease that nobody needs any more, and why not. */
export interface PlannedRemoval {
  readonly lease: Lease
  /** `children-started`: its children are being processed. `shard-expired`: Kinesis no longer lists the shard. */
  readonly why: 'children-started' | 'shard-expired'
}

/**
 * The finished leases that nobody needs any more, in the order of the table. Never the lease of a shard with a listed
 * child that has no lease. One generation at a time, the oldest first: while a parent has a lease, its children keep theirs.
 */
export function planLeaseCleanup(graph: ShardGraph, leases: ReadonlyMap<string, Lease>): PlannedRemoval[] {
  return [...leases.values()].filter(isFinished).flatMap(lease => {
    const why = reasonToRemove(lease, graph, leases)
    return why === undefined ? [] : [{ lease, why }]
  })
}

function reasonToRemove(
  lease: Lease,
  graph: ShardGraph,
  leases: ReadonlyMap<string, Lease>
): PlannedRemoval['why'] | undefined {
  const listedChildren = listedChildIds(graph, lease.shardId)
  if (listedChildren.some(id => !leases.has(id))) return undefined
  if (!graph.byId.has(lease.shardId)) return 'shard-expired'
  const children = lease.childShardIds.length > 0 ? lease.childShardIds : listedChildren
  const parents = new Set([...lease.parentShardIds, ...listedParentIds(graph, lease.shardId)])
  const isDone = children.length > 0 && children.every(id => isUnderWay(id, graph, leases))
  return isDone && ![...parents].some(id => leases.has(id)) ? 'children-started' : undefined
}

/** Whether a child is being processed, or was removed after it had been, so long ago that it is no longer listed. */
function isUnderWay(shardId: string, graph: ShardGraph, leases: ReadonlyMap<string, Lease>): boolean {
  const lease = leases.get(shardId)
  return lease === undefined ? !graph.byId.has(shardId) : hasBegun(lease)
}
