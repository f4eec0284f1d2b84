// What is not as it was between two snapshots: what a page is sent that has the first of them.
import type { ChangeFrame, Patch, RowChanges, Snapshot } from './snapshot.ts'

/** What has changed. Nothing in it: nothing has. */
export function differenceOf(before: Snapshot, after: Snapshot): Pick<ChangeFrame, 'facts' | 'workers' | 'shards'> {
  const facts = patchOf(before.facts, after.facts)
  const workers = rowChanges(before.workers, after.workers)
  const shards = rowChanges(before.shards, after.shards)
  return {
    ...(facts !== undefined && { facts }),
    ...(workers !== undefined && { workers }),
    ...(shards !== undefined && { shards })
  }
}

interface Row {
  readonly id: string
}

function rowChanges(before: readonly Row[], after: readonly Row[]): RowChanges | undefined {
  const known = new Map(before.map(row => [row.id, row]))
  const ids = new Set(after.map(({ id }) => id))
  const put = after.flatMap(row => {
    const was = known.get(row.id)
    if (was === undefined) return [{ ...row }]
    const patch = patchOf(was, row)
    return patch === undefined ? [] : [{ ...patch, id: row.id }]
  })
  const gone = before.flatMap(({ id }) => (ids.has(id) ? [] : [id]))
  return put.length + gone.length === 0 ? undefined : { put, gone }
}

function patchOf(before: object, after: object): Patch | undefined {
  const [was, is] = [before as Patch, after as Patch]
  const patch: Record<string, unknown> = {}
  for (const key of Object.keys(is)) if (!isSame(was[key], is[key])) patch[key] = is[key]
  for (const key of Object.keys(was)) if (is[key] === undefined && was[key] !== undefined) patch[key] = null
  return Object.keys(patch).length === 0 ? undefined : patch
}

/** Members are plain values, or small lists and objects of them whose members come in the same order. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true
  return typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b)
}
