// Whether a shard may be read: only once each of its parents has been. A parent without a lease usually means that it is
// done and was cleaned up; after a merge it can also mean that its row was lost, and then its records would be, too.
import { isFinished, type Lease } from '../model/lease.ts'
import type { Shard } from '../model/shard.ts'
import { shardGraph } from './shard-graph.ts'
import { hasBegun, isFirst, standingsOf } from './standing-rules.ts'

/** Whether the parents of a shard are done, so that it may be read. */
export type ParentsVerdict =
  | { readonly kind: 'finished' }
  | { readonly kind: 'unfinished'; readonly because: string }
  /** A parent has no lease, and only the listing tells what that means. */
  | { readonly kind: 'list-shards' }

/** `parents`: the leases that exist of the parents of `lease`, as they are now, by shard id. */
export function judgeParents(
  lease: Lease,
  parents: ReadonlyMap<string, Lease>,
  shards?: readonly Shard[]
): ParentsVerdict {
  const unfinished = [...parents.values()].find(parent => !isFinished(parent))
  if (unfinished !== undefined) return { kind: 'unfinished', because: `${unfinished.shardId} is still being read` }
  const absent = lease.parentShardIds.filter(id => !parents.has(id))
  // The lease of a split's child proves that its parent was read; that of a merged shard, that one of the two was.
  const provesAll = lease.parentShardIds.length < 2 || isFirst(lease) || hasBegun(lease)
  if (absent.length === 0 || provesAll) return { kind: 'finished' }
  if (shards === undefined) return { kind: 'list-shards' }
  const graph = shardGraph(shards)
  const standingOf = standingsOf({ graph, leases: new Map([...parents, [lease.shardId, lease]]) })
  const lost = absent.find(id => graph.byId.has(id) && standingOf(id) === 'lost')
  if (lost === undefined) return { kind: 'finished' }
  return { kind: 'unfinished', because: `the lease of ${lost} is missing, and nothing says that it has been read` }
}
