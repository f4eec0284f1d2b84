// Deletes what is left of the other side after a change between KCL and Millrace: records, an index and tables of KCL, or the items of
// the application in the control table; those of one that is gone, too. Never a lease, and never the control table, which may be that of others, too.
import type { KclRemains } from '../leases/kcl-estate.ts'
import { OperationError } from '../model/errors.ts'
import { explained, type FleetContext, patiently } from './fleet-context.ts'
import type { Leftovers } from './plan-migration.ts'
import { SessionRoll } from './session-roll.ts'

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
  if (!(await call(() => control.clear()))) throw cameBack('a worker of Millrace has started')
  return leftovers
}

const LOOK_MS = 1_000

/**
 * Deletes everything of an application in the control table, once nobody of it lives: sessions that were killed get their certificate,
 * where nobody else is there to write it.
 *
 * @throws OperationError `busy` if somebody still lives after `timeoutMs`, `no-such-table`
 */
export async function forgetApplication(
  context: FleetContext,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined }
): Promise<void> {
  const { clock, control } = context
  const untilMs = clock.monotonicMs() + timeoutMs
  const roll = new SessionRoll(context)
  for (;;) {
    const call = await roll
      .look([], signal)
      .catch(error => Promise.reject(explained(error, control.tableName, context)))
    await roll.certify(new Set(call.members.map(({ session }) => session)), call, signal)
    if (await patiently(context, signal, () => control.clear())) return
    const living = call.members.filter(({ dead }) => dead === undefined).map(({ workerId }) => workerId)
    if (clock.monotonicMs() >= untilMs) throw stillThere(living, context)
    await clock.sleep(LOOK_MS, signal)
    signal?.throwIfAborted()
  }
}

function stillThere(living: readonly string[], { applicationName }: FleetContext): OperationError {
  const who = living.length > 0 ? living.slice(0, 5).join(', ') : 'a worker that has just started'
  return new OperationError('busy', `Nothing was deleted: of ${applicationName} there is still ${who}. Stop it first`)
}

function cameBack(what: string): OperationError {
  return new OperationError(
    'changed-meanwhile',
    `Not everything that is left over was deleted: ${what}. Run it again once that is over`
  )
}
