// How workers are marked wherever they are shown: by a colour with a pattern, and their name.
import type { ShardRow, WorkerRow } from '../dashboard/snapshot.ts'
import type { View } from '../dashboard/view-state.ts'
import { duration, hasLag, STATE_WORDS, shortShard } from '../dashboard/wording-rules.ts'
import { make } from './dom.ts'
import type { TooltipLine } from './tooltip.ts'

/** The classes of what is coloured for a worker. */
export function slotClass(worker: WorkerRow | undefined): string {
  return worker === undefined ? 'slot-none' : `slot-${worker.slot}`
}

/** A small field in the colour of a worker. */
export function swatch(): HTMLElement {
  return make('span', { class: 'swatch slot-none', attributes: { 'aria-hidden': 'true' } })
}

/** The worker that has a shard. */
export function ownerOf({ owner }: ShardRow, { workers }: Pick<View, 'workers'>): WorkerRow | undefined {
  return owner === undefined ? undefined : workers.get(owner)
}

/** What is told about a shard. */
export function shardLines(shard: ShardRow, view: Pick<View, 'workers'>): TooltipLine[] {
  const { state, heldFor, movesTo, reason, lagProblem, range, parents, children } = shard
  const lines: (readonly [string, string | undefined])[] = [
    ['State', STATE_WORDS[state] ?? state],
    ['Owner', shard.owner === undefined ? undefined : (ownerOf(shard, view)?.name ?? shard.owner)],
    ['Lag', hasLag(shard) ? duration(shard.lagMs) : lagProblem && `not measured: ${lagProblem}`],
    ['Checkpoint', shard.checkpoint],
    ['Hash keys', range && share(range.to - range.from)],
    ['Parents', parents.length === 0 ? undefined : parents.map(shortShard).join(', ')],
    ['Children', children.length === 0 ? undefined : children.map(shortShard).join(', ')],
    ['On hold', heldFor],
    ['Moves to', movesTo],
    ['Red', reason]
  ]
  return lines.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
}

function share(part: number): string {
  return `${(part * 100).toFixed(part < 0.01 ? 2 : 1)} % of all`
}
