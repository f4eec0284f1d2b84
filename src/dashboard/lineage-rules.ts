// Where shards came from: generations of them, the oldest first, and the links from parents to children.
import type { ShardRow } from './snapshot.ts'

/** A shard in its generation, in hundredths of the hash space. */
export interface LineagePlace {
  readonly shard: ShardRow
  readonly generation: number
  readonly left: number
  readonly width: number
}

/** A parent and a child of it. */
export interface LineageLink {
  readonly parent: LineagePlace
  readonly child: LineagePlace
}

/** The whole picture. */
export interface Lineage {
  readonly generations: readonly (readonly LineagePlace[])[]
  readonly links: readonly LineageLink[]
  /** Splits and merges that are known. */
  readonly splits: number
  readonly merges: number
  /** Generations that are not shown, because there are too many. */
  readonly hidden: number
}

/** How many generations are shown: the youngest. */
const GENERATIONS = 8

/** The lineage of shards, those that are finished included. Shards without a known range are left out. */
export function lineageOf(shards: ReadonlyMap<string, ShardRow>): Lineage {
  const depths = new Map<string, number>()
  for (const shard of shards.values()) depthOf(shard, shards, depths, new Set())
  const most = [...depths.values()].reduce((a, b) => Math.max(a, b), 0)
  const hidden = Math.max(0, most + 1 - GENERATIONS)
  const places = new Map<string, LineagePlace>()
  for (const shard of shards.values()) {
    const generation = (depths.get(shard.id) ?? 0) - hidden
    const { range } = shard
    if (range === undefined || generation < 0) continue
    places.set(shard.id, { shard, generation, left: range.from * 100, width: (range.to - range.from) * 100 })
  }
  const generations = Array.from({ length: most + 1 - hidden }, (_, generation) =>
    [...places.values()].filter(place => place.generation === generation).sort((a, b) => a.left - b.left)
  )
  const links = [...places.values()].flatMap(child =>
    child.shard.parents.flatMap(id => {
      const parent = places.get(id)
      return parent === undefined ? [] : [{ parent, child }]
    })
  )
  return { generations, links, ...countsOf(shards), hidden }
}

/** One more than the oldest of its parents that is known. A circle, which there should not be, ends where it began. */
function depthOf(
  shard: ShardRow,
  shards: ReadonlyMap<string, ShardRow>,
  known: Map<string, number>,
  path: Set<string>
): number {
  const before = known.get(shard.id)
  if (before !== undefined) return before
  path.add(shard.id)
  const parents = shard.parents.flatMap(id => (path.has(id) ? [] : (shards.get(id) ?? [])))
  const depth = parents.reduce((most, parent) => Math.max(most, depthOf(parent, shards, known, path) + 1), 0)
  path.delete(shard.id)
  known.set(shard.id, depth)
  return depth
}

function countsOf(shards: ReadonlyMap<string, ShardRow>): { readonly splits: number; readonly merges: number } {
  const parentsOfOne = new Map<string, number>()
  let merges = 0
  for (const { parents } of shards.values()) {
    const [parent] = parents
    if (parents.length > 1) merges += 1
    else if (parent !== undefined) parentsOfOne.set(parent, (parentsOfOne.get(parent) ?? 0) + 1)
  }
  return { splits: parentsOfOne.size, merges }
}
