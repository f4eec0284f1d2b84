// Which shards the table shows, in which order, and which of them there is room for.
import type { ShardRow, WorkerRow } from './snapshot.ts'
import { shortShard } from './wording-rules.ts'

/** What the table can be sorted by. */
export type SortKey = 'shard' | 'state' | 'owner' | 'lag' | 'range'

/** What somebody wants to see. */
export interface TableWish {
  /** Words that all have to be in what the row says, whatever their case. */
  readonly text: string
  readonly states: 'open' | 'all' | 'red' | ShardRow['state']
  readonly sort: SortKey
  readonly isDescending: boolean
}

/** What one sees first. */
export const FIRST_WISH: TableWish = { text: '', states: 'open', sort: 'shard', isDescending: false }

/** The rows, in order. */
export function chosenRows(
  shards: ReadonlyMap<string, ShardRow>,
  workers: ReadonlyMap<string, WorkerRow>,
  { text, states, sort, isDescending }: TableWish
): readonly ShardRow[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter(word => word !== '')
  const nameOf = (row: ShardRow): string => (row.owner === undefined ? '' : (workers.get(row.owner)?.name ?? row.owner))
  const chosen = [...shards.values()].filter(row => {
    return isOfState(row, states) && words.every(word => saysOf(row, nameOf(row)).includes(word))
  })
  // Shards come sorted by their ids.
  if (sort === 'shard') return isDescending ? chosen.reverse() : chosen
  const order = comparing(sort, nameOf)
  // What has no value stays at the end, and what is alike in the order of ids, either way.
  const decorated = chosen.map((row, at) => ({ row, at }))
  decorated.sort((a, b) => {
    const found = order(a.row, b.row)
    return (found.isFixed ? found.by : isDescending ? -found.by : found.by) || a.at - b.at
  })
  return decorated.map(({ row }) => row)
}

interface Comparison {
  readonly by: number
  readonly isFixed: boolean
}

function comparing(sort: SortKey, nameOf: (row: ShardRow) => string): (a: ShardRow, b: ShardRow) => Comparison {
  const values = (row: ShardRow): string | number | undefined => {
    switch (sort) {
      case 'lag':
        return row.lagMs
      case 'range':
        return row.range?.from
      case 'owner':
        return nameOf(row) || undefined
      case 'state':
        return `${row.isRed ? 0 : 1}${row.state}`
      default:
        return row.id
    }
  }
  return (a, b) => {
    const [first, second] = [values(a), values(b)]
    if (first === undefined || second === undefined) {
      return { by: Number(first === undefined) - Number(second === undefined), isFixed: true }
    }
    return { by: first < second ? -1 : first > second ? 1 : 0, isFixed: false }
  }
}

function isOfState({ state, isRed }: ShardRow, states: TableWish['states']): boolean {
  if (states === 'all') return true
  if (states === 'red') return isRed
  return states === 'open' ? state !== 'finished' : state === states
}

function saysOf({ id, state, heldFor = '', reason = '', movesTo = '' }: ShardRow, owner: string): string {
  return `${id} ${shortShard(id)} ${state} ${owner} ${heldFor} ${reason} ${movesTo}`.toLowerCase()
}

/** Which rows are drawn: those that can be seen, and a few more at each end. */
export function rowWindow(
  rows: number,
  { top, height, rowHeight }: { readonly top: number; readonly height: number; readonly rowHeight: number }
): { readonly from: number; readonly to: number } {
  const spare = 6
  const last = Math.max(0, rows - 1)
  const from = Math.min(last, Math.max(0, Math.floor(top / rowHeight) - spare))
  return { from, to: Math.min(rows, Math.ceil((top + height) / rowHeight) + spare) }
}
