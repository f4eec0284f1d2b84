// Waits until leases that are on hold are let go of: their owners drain, checkpoint and release them, or are dead.
import { isSession, workerIdOf } from '../leases/session-id.ts'
import { OperationError } from '../model/errors.ts'
import { isFinished, type Lease } from '../model/lease.ts'
import { explained, type FleetContext, type OperationOptions, patiently } from './fleet-context.ts'
import { type PendingClaims, pendingClaims } from './pending-claim-rules.ts'
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

/** How an operation waits. */
export interface LettingGo extends OperationOptions {
  readonly timeoutMs: number
  /**
   * Version of the orders with which the leases are on hold. Given: claims that were under way then are waited for as well, so
   * that nobody has any of the leases any more, for as long as they are on hold.
   */
  readonly ordersVer?: number
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
  { timeoutMs, ordersVer, signal, onProgress }: LettingGo
): Promise<readonly Lease[]> {
  const { clock } = context
  const untilMs = clock.monotonicMs() + timeoutMs
  for (;;) {
    // Before the leases: what was claimed since then shows there.
    const claims = ordersVer === undefined ? NO_CLAIMS : await lookAtClaims(context, scope, ordersVer, signal)
    const leases = await listTable(context, signal)
    const owned = leases.filter(({ leaseKey, owner }) => owner !== undefined && isIn(scope, leaseKey))
    const unfinished = owned.filter(lease => !isFinished(lease))
    refuseForeigners(unfinished)
    const owners = new Set(unfinished.flatMap(({ owner = '' }) => owner))
    const call = await roll.look(owners, signal)
    await roll.certify(new Set([...owners, ...claims.claimants]), call, signal)
    const waiting = unfinished.filter(({ owner = '' }) => !call.gone.has(owner))
    const claimants = claims.claimants.filter(session => !call.gone.has(session))
    if (waiting.length === 0 && claimants.length === 0 && !claims.isLeaderBehind) return leases
    onProgress?.({ step: 'waiting', left: waiting.map(leftOf).sort((a, b) => (a.shardId < b.shardId ? -1 : 1)) })
    if (clock.monotonicMs() >= untilMs) throw notLetGo(waiting, claimants, timeoutMs)
    await clock.sleep(Math.min(LOOK_MS, Math.max(1, untilMs - clock.monotonicMs())), signal)
    signal?.throwIfAborted()
  }
}

const NO_CLAIMS: PendingClaims = { claimants: [], isLeaderBehind: false }

/** Who may still claim, by what the leader has written. */
async function lookAtClaims(
  { control, ...context }: FleetContext,
  scope: LeaseScope,
  ordersVer: number,
  signal: AbortSignal | undefined
): Promise<PendingClaims> {
  // In this order: what a session says of its mailbox is then of that which was read, or of a later one.
  const lock = await patiently(context, signal, () => control.leader({ consistent: true, ...(signal && { signal }) }))
  const mailboxes = await patiently(context, signal, () => control.mailboxes(signal))
  const members = await patiently(context, signal, () => control.members(signal))
  return pendingClaims({ lock, mailboxes, members, ordersVer, isWanted: leaseKey => isIn(scope, leaseKey) })
}

/** The lease table as it is, whatever is in it. @throws OperationError `no-such-table` */
export async function listTable(context: FleetContext, signal?: AbortSignal): Promise<readonly Lease[]> {
  const { store } = context
  const listing = patiently(context, signal, () => store.list({ consistent: true, signal }))
  const { leases } = await listing.catch(error => Promise.reject(explained(error, store.tableName, context)))
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

function notLetGo(waiting: readonly Lease[], claimants: readonly string[], timeoutMs: number): OperationError {
  const after = `Within ${Math.round(timeoutMs / 1_000)} s`
  const rest =
    'Nothing was changed. Handlers that do not return are waited for up to 30 s; workers older than this version take no orders at all'
  if (waiting.length === 0) {
    const whom = claimants.length > 0 ? claimants.slice(0, NAMED).map(workerIdOf).join(', ') : 'the leader'
    return new OperationError('not-let-go', `${after} ${whom} did not say that the order is carried out. ${rest}`)
  }
  const some = waiting.slice(0, NAMED).map(({ shardId, owner = '' }) => `${shardId} (${workerIdOf(owner)})`)
  const more = waiting.length > NAMED ? ` and ${waiting.length - NAMED} more` : ''
  return new OperationError('not-let-go', `${after} nobody let go of ${some.join(', ')}${more}. ${rest}`)
}
