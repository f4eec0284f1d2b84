// Decides what follows when a shard seems to have been read to its end: which leases its children get, or why it has not
// ended after all. The children's leases come first, then the parent's SHARD_END: in between, nothing can be lost.
import { findHoles, type HashKeyRange, rangesOverlap } from '../model/hash-key-range.ts'
import { beginningOf, type Lease, newLease, type StreamIdentity } from '../model/lease.ts'
import { TRIM_HORIZON } from '../model/sequence-number.ts'
import { type ChildShard, childrenOf, isClosed, type Shard } from '../model/shard.ts'
import { formatRange, shardGraph } from './shard-graph.ts'
import { standingsOf } from './standing-rules.ts'

/** What is known about a shard that seems to have been read to its end. */
export interface ShardEndFacts {
  /** The lease of the shard that seems to have ended. */
  readonly lease: Lease
  /** The children, as the last answer of GetRecords named them. */
  readonly children?: readonly ChildShard[]
  /** The whole listing, if it was asked for. */
  readonly shards?: readonly Shard[]
  /** Existing leases by shard id: of the children and of their other parents at least. */
  readonly leases: ReadonlyMap<string, Lease>
  readonly stream: StreamIdentity
}

/** What to do about a shard that seems to have ended. */
export type ShardEndPlan =
  /** Nobody said which children there are, or what became of another parent: the listing knows. */
  | { readonly kind: 'list-shards' }
  /** The answer cannot be taken for the end. Read on from the same position, or ask again later. */
  | { readonly kind: 'not-ended'; readonly because: string }
  /** The lease of another parent of a merge is missing. It must be repaired first, or the child would start too early. */
  | { readonly kind: 'sync-first'; readonly because: string }
  /** Create these leases, then write SHARD_END with these children. */
  | { readonly kind: 'end'; readonly create: readonly Lease[]; readonly childShardIds: readonly string[] }

/**
 * Decides whether it has ended, and which leases its children lack then. Asks for the listing at most once: with
 * `shards` among the facts it decides.
 */
export function planShardEnd(facts: ShardEndFacts): ShardEndPlan {
  const { lease, children = [], shards, leases, stream } = facts
  const { shardId } = lease
  if (children.length === 0 && shards === undefined) return { kind: 'list-shards' }
  const shard = shards?.find(each => each.shardId === shardId)
  if (shard !== undefined && !isClosed(shard)) return { kind: 'not-ended', because: `${shardId} is still open` }
  if (shard?.isLast) return { kind: 'end', create: [], childShardIds: [] }
  const found = children.length > 0 || shards === undefined ? children : childrenOf(shardId, shards)
  const hasExpired = shards !== undefined && shard === undefined
  const flaw = hasExpired && children.length === 0 ? undefined : flawIn(found, shardId, shard ?? lease)
  if (flaw !== undefined) return { kind: 'not-ended', because: flaw }
  const beganAtMs = beginningOf([lease, ...leases.values()])
  return (
    judgeOtherParents(facts, found) ?? {
      kind: 'end',
      create: found
        .filter(child => !leases.has(child.shardId))
        .map(({ hashKeyRange, parentShardIds, shardId }) =>
          newLease({
            shardId,
            checkpoint: TRIM_HORIZON,
            parentShardIds,
            ...(hashKeyRange && { hashKeyRange }),
            stream,
            ...(lease.streamId !== undefined && { streamId: lease.streamId }),
            ...(beganAtMs !== undefined && { beganAtMs })
          })
        ),
      childShardIds: found.map(child => child.shardId)
    }
  )
}

/**
 * What is wrong with the children named for a shard. Kinesis has been seen to send answers that were cut short: an end
 * without children, or children without parents. Such an end is not one.
 */
function flawIn(
  children: readonly ChildShard[],
  shardId: string,
  parent: { readonly hashKeyRange?: HashKeyRange }
): string | undefined {
  if (children.length === 0) return `${shardId} is closed, but no child of it is listed yet`
  const stray = children.find(child => !child.parentShardIds.includes(shardId))
  if (stray !== undefined) return `${stray.shardId} is named as a child of ${shardId}, but does not say so itself`
  const ranges = children.flatMap(child => child.hashKeyRange ?? [])
  // A stream that is not cut by hash keys: there a shard is continued by any number of others, and nothing else tells.
  if (ranges.length === 0) return undefined
  const [only] = children
  const range = parent.hashKeyRange
  const holes = findHoles(ranges).filter(hole => range && rangesOverlap(hole, range))
  if (holes.length > 0) {
    const named = children.map(child => child.shardId).join(', ')
    return `of the children of ${shardId}, ${named} alone leave out the hash keys ${holes.map(formatRange).join(', ')}`
  }
  if (children.length === 1 && only?.parentShardIds.length === 1) {
    return `${only.shardId} is the only child of ${shardId}, but names no other shard that it was merged from`
  }
  return undefined
}

/** Whether the other parent of a merge has a lease, or had one that is done with. `undefined`: nothing is in the way. */
function judgeOtherParents(
  { lease, leases, shards }: ShardEndFacts,
  children: readonly ChildShard[]
): ShardEndPlan | undefined {
  const others = children.flatMap(child => child.parentShardIds).filter(id => id !== lease.shardId && !leases.has(id))
  if (others.length === 0) return undefined
  if (shards === undefined) return { kind: 'list-shards' }
  const graph = shardGraph(shards)
  // This lease is being read, whatever a table read a moment ago says.
  const standingOf = standingsOf({ graph, leases: new Map([...leases, [lease.shardId, lease]]) })
  const missing = others.find(id => graph.byId.has(id) && ['unknown', 'lost'].includes(standingOf(id)))
  if (missing === undefined) return undefined
  const because = `${lease.shardId} was merged with ${missing}, which has no lease and has not been read`
  return { kind: 'sync-first', because }
}
