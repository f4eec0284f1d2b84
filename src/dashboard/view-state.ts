// What the page knows, as the frames that it was sent make it. The counterpart of difference-rules.ts.
import type {
  ChangeFrame,
  FleetEvent,
  FleetFacts,
  Frame,
  FullFrame,
  LagPoint,
  OperationRow,
  PageFacts,
  Patch,
  RowChanges,
  ShardRow,
  WorkerRow
} from './snapshot.ts'

/** How many events are kept. */
export const EVENTS = 500
/** How long the lag is kept. Milliseconds. */
export const HISTORY_MS = 30 * 60_000
/** How many points of it, in any case. */
const POINTS = 2_000

/** Everything that the page shows. */
export interface View {
  readonly page: PageFacts
  /** Absent: there has been no look yet. */
  readonly facts?: FleetFacts
  readonly workers: ReadonlyMap<string, WorkerRow>
  /** Ascending by id. */
  readonly shards: ReadonlyMap<string, ShardRow>
  readonly points: readonly LagPoint[]
  /** The newest last. */
  readonly events: readonly FleetEvent[]
  readonly operations: readonly OperationRow[]
  /** The shards that are not as they were one frame before; `all`: anything may be. */
  readonly changed: 'all' | ReadonlySet<string>
  /** Whether shards came or went, or changed who they are. */
  readonly isReshaped: boolean
}

/** What a page knows after one more frame. */
export function foldFrame(view: View | undefined, frame: Frame): View {
  if (frame.kind === 'full') return viewOf(frame)
  if (view === undefined) throw new TypeError('A change came before there was anything that could change')
  return changedBy(view, frame)
}

/** The points with more of them, and without those that are too old. */
export function withPoints(points: readonly LagPoint[], more: readonly LagPoint[]): readonly LagPoint[] {
  const all = [...points, ...more]
  const newest = all.at(-1)?.atMs ?? 0
  return all.filter(({ atMs }) => atMs > newest - HISTORY_MS).slice(-POINTS)
}

function viewOf({ page, snapshot, points, events, operations }: FullFrame): View {
  return {
    page,
    ...(snapshot !== undefined && { facts: snapshot.facts }),
    workers: new Map(snapshot?.workers.map(worker => [worker.id, worker])),
    shards: new Map(snapshot?.shards.map(shard => [shard.id, shard])),
    ...{ points, events, operations },
    ...{ changed: 'all', isReshaped: true }
  }
}

function changedBy(view: View, frame: ChangeFrame): View {
  const { facts, workers, shards, points = [], events = [], operations } = frame
  // A look after none: everything is new.
  const isFirst = view.facts === undefined && facts !== undefined
  const newFacts = facts === undefined ? view.facts : (patched(view.facts ?? {}, facts) as FleetFacts)
  return {
    page: view.page,
    ...(newFacts !== undefined && { facts: newFacts }),
    workers: withRows(view.workers, workers),
    shards: sorted(withRows(view.shards, shards), shards),
    points: withPoints(view.points, points),
    events: [...view.events, ...events].slice(-EVENTS),
    operations: operations ?? view.operations,
    changed: isFirst ? 'all' : new Set([...(shards?.put.map(({ id }) => id) ?? []), ...(shards?.gone ?? [])]),
    isReshaped: isFirst || isReshaping(view.shards, shards)
  }
}

function withRows<T extends { readonly id: string }>(
  rows: ReadonlyMap<string, T>,
  changes: RowChanges | undefined
): ReadonlyMap<string, T> {
  if (changes === undefined) return rows
  const after = new Map(rows)
  for (const id of changes.gone) after.delete(id)
  for (const row of changes.put) after.set(row.id, patched(after.get(row.id) ?? {}, row) as T)
  return after
}

function patched(before: object, patch: Patch): object {
  const after: Record<string, unknown> = { ...before }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete after[key]
    else after[key] = value
  }
  return after
}

/** Rows that are new stand at the end. */
function sorted(rows: ReadonlyMap<string, ShardRow>, changes: RowChanges | undefined): ReadonlyMap<string, ShardRow> {
  if (changes === undefined || !changes.put.some(row => 'state' in row && 'parents' in row)) return rows
  return new Map([...rows].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Whether the picture of the hash space has other parts now. */
function isReshaping(rows: ReadonlyMap<string, ShardRow>, changes: RowChanges | undefined): boolean {
  if (changes === undefined) return false
  if (changes.gone.length > 0) return true
  return changes.put.some(row => {
    const was = rows.get(row.id)
    if (was === undefined || 'range' in row || 'parents' in row || 'children' in row) return true
    return row.state !== undefined && (row.state === 'finished') !== (was.state === 'finished')
  })
}
