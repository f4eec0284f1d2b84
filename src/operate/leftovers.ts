// Deletes what is left of the other side after a change between KCL and Millrace: records, an index and tables of KCL, or the items of
// the application in the control table. Never a lease, and never the control table, which may be that of others, too.
import type { KclRemains } from '../leases/kcl-estate.ts'
import { OperationError } from '../model/errors.ts'
import { type FleetContext, patiently } from './fleet-context.ts'
import type { Leftovers } from './plan-migration.ts'

/** Whether there is nothing to delete. */
export function isMissingLeftover({ items, tables, index, control }: Leftovers): boolean {
  return items.length === 0 && tables.length === 0 && index === undefined && !control
}

/**
 * Deletes it, and says what is deleted. Once the index is being deleted, that takes DynamoDB some minutes.
 *
 * @throws OperationError `changed-meanwhile` if somebody has come back and uses it
 */
export async function removeLeftovers(
  context: FleetContext,
  leftovers: Leftovers,
  remains: KclRemains | undefined,
  signal?: AbortSignal
): Promise<Leftovers> {
  const { kcl, control } = context
  const call = <T>(work: () => Promise<T>): Promise<T> => patiently(context, signal, work)
  if (kcl !== undefined) {
    const wanted = new Set(leftovers.items.map(({ table, key }) => `${table}/${key}`))
    for (const item of remains?.items.filter(({ table, key }) => wanted.has(`${table}/${key}`)) ?? []) {
      if (!(await call(() => kcl.removeItem(item, signal)))) throw cameBack(`${item.key} in ${item.table} has changed`)
    }
    if (leftovers.index !== undefined) await call(() => kcl.removeIndex(signal))
    for (const table of leftovers.tables) await call(() => kcl.removeTable(table, signal))
  }
  if (!leftovers.control) return leftovers
  const cleared = control.clear && (await call(async () => control.clear?.()))
  if (cleared === false) throw cameBack('a worker of Millrace has started')
  return { ...leftovers, control: cleared === true }
}

function cameBack(what: string): OperationError {
  return new OperationError(
    'changed-meanwhile',
    `Not everything that is left over was deleted: ${what}. Run it again once that is over`
  )
}
