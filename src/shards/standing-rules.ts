// What the lease table says about a shard: whether it is being read, has been read, or was never looked at. Most of it
// is inference, because the rows of shards that are done are removed.
import { isFinished, type Lease } from '../model/lease.ts'
import { parentsOf } from '../model/shard.ts'
import { listedChildIds, type ShardGraph } from './shard-graph.ts'

/**
 * Where the application stands with a shard.
 *
 * - `reading`: it has a lease that is not finished.
 * - `passed`: everything in it has been processed; its lease is finished, or was finished and is gone.
 * - `lost`: it had a lease, which vanished before anything proves that it was finished.
 * - `before`: it lies before the point at which the application began to read.
 * - `unknown`: nothing says that the application ever had to do with it.
 */
export type Standing = 'reading' | 'passed' | 'lost' | 'before' | 'unknown'

/** What the standing of a shard is inferred from. */
export interface StandingFacts {
  readonly graph: ShardGraph
  /** By shard id. */
  readonly leases: ReadonlyMap<string, Lease>
  /** Shards known to have been closed before the application began to read. */
  readonly closedBeforeIds?: ReadonlySet<string>
}

/** The standing of every shard, computed when asked for. */
export function standingsOf(facts: StandingFacts): (shardId: string) => Standing {
  const known = new Map<string, Standing>()
  const standingOf = (shardId: string): Standing => {
    const found = known.get(shardId)
    if (found !== undefined) return found
    known.set(shardId, 'unknown') // so that a listing with a cycle ends, too
    const standing = infer(shardId, facts, standingOf)
    known.set(shardId, standing)
    return standing
  }
  return standingOf
}

function infer(shardId: string, facts: StandingFacts, standingOf: (shardId: string) => Standing): Standing {
  const lease = facts.leases.get(shardId)
  if (lease !== undefined) return isFinished(lease) ? 'passed' : 'reading'
  const evidence = new Set(
    listedChildIds(facts.graph, shardId).map(child => {
      const childLease = facts.leases.get(child)
      if (childLease !== undefined) return evidenceOf(childLease, child, facts.graph)
      const standing = standingOf(child)
      return standing === 'lost' ? evidenceOf(undefined, child, facts.graph) : standing
    })
  )
  // That the application began with one child says more than that another is done: what it began with is done one day, too.
  for (const standing of ['lost', 'before', 'passed'] as const) if (evidence.has(standing)) return standing
  return facts.closedBeforeIds?.has(shardId) ? 'before' : 'unknown'
}

/**
 * What the lease of a child tells about a parent without one; `lease` is absent if it was lost, too. The lease of a child
 * is created when a parent has been read to its end, unless the application began with the child. After a merge that was
 * one of two parents, and whose row is missing before the child is being read may have been the other: it was not cleaned
 * up, because that comes later.
 */
function evidenceOf(lease: Lease | undefined, childId: string, graph: ShardGraph): Standing {
  if (lease !== undefined && isFirst(lease)) return 'before'
  if (lease !== undefined && hasBegun(lease)) return 'passed'
  return parentsOf(graph.byId.get(childId) ?? {}).length < 2 ? 'passed' : 'lost'
}

/** Whether the application began with this lease, rather than coming to it from a parent. */
export function isFirst(lease: Lease): boolean {
  const { sequenceNumber } = lease.checkpoint
  return lease.startTimestampMs !== undefined || sequenceNumber === 'LATEST' || sequenceNumber === 'AT_TIMESTAMP'
}

/** Whether a checkpoint shows that the shard is being processed, and so that its parents are done. LATEST counts, as in KCL. */
export function hasBegun(lease: Lease): boolean {
  const { sequenceNumber } = lease.checkpoint
  return sequenceNumber !== 'TRIM_HORIZON' && sequenceNumber !== 'AT_TIMESTAMP'
}
