// The shards of one listing and how they descend from each other. Pure lookups, and the check that a listing is whole.
import { findHoles, type HashKeyRange } from '../model/hash-key-range.ts'
import { compareSequenceNumbers } from '../model/sequence-number.ts'
import { isClosed, parentsOf, type RangedShard, type Shard } from '../model/shard.ts'

/** A listing, ready for lookups. */
export interface ShardGraph {
  /** Oldest first: by starting sequence number, then by id. */
  readonly shards: readonly Shard[]
  readonly byId: ReadonlyMap<string, Shard>
  /** The listed children of every shard that has some, also of parents that are no longer listed. */
  readonly childIds: ReadonlyMap<string, readonly string[]>
}

/** Puts a listing in order. */
export function shardGraph(shards: readonly Shard[]): ShardGraph {
  const ordered = [...shards].sort(byAge)
  const childIds = new Map<string, string[]>()
  for (const shard of ordered) {
    for (const parent of parentsOf(shard)) childIds.set(parent, [...(childIds.get(parent) ?? []), shard.shardId])
  }
  return { shards: ordered, byId: new Map(ordered.map(shard => [shard.shardId, shard])), childIds }
}

/** Orders shards from the oldest to the youngest. Parents come before their children. */
export function byAge(a: Shard, b: Shard): number {
  const age = compareSequenceNumbers(a.startingSequenceNumber, b.startingSequenceNumber)
  return age || (a.shardId < b.shardId ? -1 : a.shardId > b.shardId ? 1 : 0)
}

/** The parents of a shard that are still listed. None if the shard itself is not listed. */
export function listedParentIds(graph: ShardGraph, shardId: string): string[] {
  const shard = graph.byId.get(shardId)
  return shard === undefined ? [] : parentsOf(shard).filter(id => graph.byId.has(id))
}

/** The listed shards that continue a shard, which need not be listed itself. None while it is open. */
export function listedChildIds(graph: ShardGraph, shardId: string): readonly string[] {
  return graph.childIds.get(shardId) ?? []
}

/** Every listed shard from which one of `shardIds` descends; not those themselves, unless one descends from another. */
export function ancestorsOf(graph: ShardGraph, shardIds: Iterable<string>): Set<string> {
  const ancestors = new Set<string>()
  const open = [...shardIds]
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    for (const parent of listedParentIds(graph, id)) {
      if (!ancestors.has(parent)) open.push(parent)
      ancestors.add(parent)
    }
  }
  return ancestors
}

/** A shard, its parents, and the children of all of these with their parents: what a decision about its lease rests on. */
export function relativesOf(graph: ShardGraph, shardId: string): string[] {
  const parentIds = (id: string): string[] => parentsOf(graph.byId.get(id) ?? {})
  const line = [shardId, ...parentIds(shardId)]
  const children = line.flatMap(id => listedChildIds(graph, id))
  return [...new Set([...line, ...children, ...children.flatMap(parentIds)])]
}

/** Whether something may be decided from a listing. `because` names the shards or the hash keys that do not fit. */
export type ListingVerdict =
  | { readonly kind: 'consistent' }
  | { readonly kind: 'inconsistent'; readonly because: string }

/**
 * The open shards of a whole listing cover every hash key once. A listing that was read while the stream was being
 * resharded may show a child that is open beside its open parent, or neither of them.
 */
export function judgeListing(shards: readonly Shard[]): ListingVerdict {
  if (!isCutByKeys(shards)) return { kind: 'consistent' }
  return judgeTiling(shards.filter(shard => !isClosed(shard)))
}

/** Whether the stream is cut by hash keys, so that they tell whether a listing is whole. That of a DynamoDB table is not. */
export function isCutByKeys(shards: readonly Shard[]): shards is readonly RangedShard[] {
  return shards.every(shard => shard.hashKeyRange !== undefined)
}

/** Whether shards cover every hash key once, if the stream is cut by those. */
export function judgeTiling(shards: readonly Shard[]): ListingVerdict {
  if (!isCutByKeys(shards)) return { kind: 'consistent' }
  const problem = overlapIn(shards) ?? holeIn(shards)
  return problem === undefined ? { kind: 'consistent' } : { kind: 'inconsistent', because: problem }
}

function overlapIn(shards: readonly RangedShard[]): string | undefined {
  const ordered = [...shards].sort((a, b) => Number(a.hashKeyRange.start - b.hashKeyRange.start))
  // Against the one that reaches furthest so far, which need not be the neighbour: a parent spans all its children.
  let reaching = ordered[0]
  for (const shard of ordered.slice(1)) {
    if (reaching === undefined) break
    if (shard.hashKeyRange.start <= reaching.hashKeyRange.end) {
      const [a, b] = [reaching, shard].map(each => `${each.shardId} (${formatRange(each.hashKeyRange)})`)
      return `${a} and ${b} cover the same hash keys`
    }
    if (shard.hashKeyRange.end > reaching.hashKeyRange.end) reaching = shard
  }
  return undefined
}

function holeIn(shards: readonly RangedShard[]): string | undefined {
  const holes = findHoles(shards.map(shard => shard.hashKeyRange))
  if (holes.length === 0) return undefined
  const ids = shards.map(shard => shard.shardId).sort()
  const among = ids.length > 10 ? `${ids.slice(0, 10).join(', ')} and ${ids.length - 10} more` : ids.join(', ')
  return `no shard covers the hash keys ${holes.map(formatRange).join(', ')} (looked at: ${among || 'none'})`
}

/** A range as people read it: both ends in decimal. */
export function formatRange(range: HashKeyRange): string {
  return `${range.start}..${range.end}`
}
