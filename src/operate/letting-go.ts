// Waits until leases that are on hold are let go of: their owners drain, checkpoint and release them, or are dead.
import { isSession, workerIdOf } from '../leases/session-id.ts'
import { OperationError } from '../model/errors.ts'
import { isFinished, type Lease } from '../model/lease.ts'
import { type FleetContext, type OperationOptions, patiently } from './fleet-context.ts'
import type { SessionRoll } from './session-roll.ts'

/** Keys of leases, or every one that there is. */
export type LeaseScope = 'all' | ReadonlySet<string>

const LOOK_MS = 1_000
/** How many shards a message names. */
const NAMED = 5

/** Whether a scope has a lease in it. */
export function isIn(scope: LeaseScope, leaseKey: string): boolean {
  return scope === 'all' || scope.has(leaseKey)
}

/**
 * Resolves with the whole lease table once no living session owns any of the leases in `scope`.
 *
 * @throws OperationError `not-let-go` after `timeoutMs`; `foreign-workers` if workers of another kind own some of them
 */
export async function whenLetGo(
  context: FleetContext,
  scope: LeaseScope,
  roll: SessionRoll,
  { timeoutMs, signal, onProgress }: OperationOptions & { readonly timeoutMs: number }
): Promise<readonly Lease[]> {
  const { clock } = context
  const untilMs = clock.monotonicMs() + timeoutMs
  for (;;) {
    const leases = await listLeases(context, signal)
    const owned = leases.filter(({ leaseKey, owner }) => owner !== undefined && isIn(scope, leaseKey))
    const unfinished = owned.filter(lease => !isFinished(lease))
    refuseForeigners(unfinished)
    const owners = new Set(unfinished.flatMap(({ owner = '' }) => owner))
    const call = await roll.look(owners, signal)
    await roll.certify(owners, call, signal)
    const waiting = unfinished.filter(({ owner = '' }) => !call.gone.has(owner))
    if (waiting.length === 0) return leases
    onProgress?.({ step: 'waiting', left: waiting.map(leftOf).sort((a, b) => (a.shardId < b.shardId ? -1 : 1)) })
    if (clock.monotonicMs() >= untilMs) throw notLetGo(waiting, timeoutMs)
    await clock.sleep(Math.min(LOOK_MS, Math.max(1, untilMs - clock.monotonicMs())), signal)
    signal?.throwIfAborted()
  }
}

/** The lease table as it is. */
export async function listLeases(context: FleetContext, signal?: AbortSignal): Promise<readonly Lease[]> {
  const { leases } = await patiently(context, signal, () => context.store.list({ consistent: true, signal }))
  return leases
}

/** Leases of workers of another kind stay as they are: these take no orders, and a row written under them is lost. */
export function refuseForeigners(leases: readonly Lease[]): void {
  const foreign = leases.filter(({ owner }) => owner !== undefined && !isSession(owner))
  const [first] = foreign
  if (first === undefined) return
  const owners = new Set(foreign.map(({ owner }) => owner))
  throw new OperationError(
    'foreign-workers',
    `${foreign.length} leases, such as that of ${first.shardId}, belong to ${owners.size} workers that are not of Millrace, ` +
      `such as ${first.owner}. They take no orders: stop them first`
  )
}

function leftOf({ shardId, owner }: Lease): { readonly shardId: string; readonly owner?: string } {
  return owner === undefined ? { shardId } : { shardId, owner }
}

function notLetGo(waiting: readonly Lease[], timeoutMs: number): OperationError {
  const some = waiting.slice(0, NAMED).map(({ shardId, owner = '' }) => `${shardId} (${workerIdOf(owner)})`)
  const more = waiting.length > NAMED ? ` and ${waiting.length - NAMED} more` : ''
  return new OperationError(
    'not-let-go',
    `Within ${Math.round(timeoutMs / 1_000)} s nobody let go of ${some.join(', ')}${more}. Nothing was changed. Handlers that ` +
      'do not return are waited for up to 30 s; workers older than this version take no orders at all'
  )
}
