// The hash space as a picture: which part of which row each shard takes. What overlaps, because parents are still being read beside
// their children, lies in layers; what does not fit into one line with parts that can be seen is broken into several, as text is.
import type { RangeShape, ShardRow } from './snapshot.ts'

/** A part of a row that one shard takes, or nobody. In hundredths of the row. */
export interface RangePiece {
  /** Absent: a hole. */
  readonly shard?: ShardRow
  readonly left: number
  readonly width: number
}

/** A line of the picture. */
export interface RangeLine {
  /** Where it begins and ends in the hash space: from 0 to 1. */
  readonly from: number
  readonly to: number
  /** One for each generation that is read there; the youngest last. */
  readonly layers: readonly (readonly RangePiece[])[]
}

/** How many shards a line has at most, about. */
const IN_A_LINE = 64
const LINES = 16

/** The lines of the picture. `shards` in any order; those that are finished are left out. */
export function rangeLines(shards: Iterable<ShardRow>, holes: readonly RangeShape[]): RangeLine[] {
  const read = [...shards].filter(({ state, range }) => state !== 'finished' && range !== undefined)
  const layers = layersOf(read)
  const most = layers.reduce((size, layer) => Math.max(size, layer.length), 0)
  const lines = most <= IN_A_LINE ? 1 : Math.min(LINES, 2 ** Math.ceil(Math.log2(most / IN_A_LINE)))
  return Array.from({ length: lines }, (_, index) => {
    const [from, to] = [index / lines, (index + 1) / lines]
    const cut = layers.map(layer => layer.flatMap(shard => pieceOf(shard.range, from, to, shard)))
    const gaps = holes.flatMap(hole => pieceOf(hole, from, to))
    const [first = [], ...others] = cut
    return { from, to, layers: [[...first, ...gaps], ...others].filter((layer, at) => layer.length > 0 || at === 0) }
  })
}

/** Shards that do not overlap share a layer. Those whose parents are still read lie below these. */
function layersOf(shards: readonly ShardRow[]): ShardRow[][] {
  const ids = new Set(shards.map(({ id }) => id))
  const isYoung = ({ parents }: ShardRow): boolean => parents.some(id => ids.has(id))
  return [...layered(shards.filter(shard => !isYoung(shard))), ...layered(shards.filter(isYoung))]
}

function layered(shards: readonly ShardRow[]): ShardRow[][] {
  const layers: ShardRow[][] = []
  for (const shard of [...shards].sort((a, b) => fromOf(a) - fromOf(b))) {
    const layer = layers.find(others => (others.at(-1)?.range?.to ?? 0) <= fromOf(shard))
    if (layer === undefined) layers.push([shard])
    else layer.push(shard)
  }
  return layers
}

function fromOf({ range }: ShardRow): number {
  return range?.from ?? 0
}

function pieceOf(range: RangeShape | undefined, from: number, to: number, shard?: ShardRow): RangePiece[] {
  if (range === undefined) return []
  const [left, right] = [Math.max(range.from, from), Math.min(range.to, to)]
  if (right <= left) return []
  const share = 100 / (to - from)
  const piece = { left: (left - from) * share, width: (right - left) * share }
  return [shard === undefined ? piece : { ...piece, shard }]
}

/** Where a part of the hash space begins, as its first hexadecimal digits: `0x4000…`. */
export function hashPlace(place: number): string {
  return `0x${Math.min(0xffff, Math.round(place * 0x10000))
    .toString(16)
    .padStart(4, '0')}…`
}

/** Whether a part of a line has room for a text. `width` in hundredths of a line that is about a thousand pixels long. */
export function hasRoom(text: string, width: number): boolean {
  return width >= Math.max(2.4, 0.75 * text.length + 0.6)
}
