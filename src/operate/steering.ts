// Steers who reads what: has leases given back, keeps them from everybody for a while, sends them to a certain worker.
import type { Member } from '../leases/control-store.ts'
import { covers, type Hold, type Orders, withHold, withMove, withoutOrders } from '../leases/order-rules.ts'
import { isSession, workerIdOf } from '../leases/session-id.ts'
import { OperationError } from '../model/errors.ts'
import { isFinished, type Lease, released } from '../model/lease.ts'
import { forEachOf } from '../shards/sync-context.ts'
import { type FleetContext, type OperationOptions, patiently } from './fleet-context.ts'
import { isIn, type LeaseScope, type LettingGo, refuseForeigners, whenLetGo } from './letting-go.ts'
import { SessionRoll } from './session-roll.ts'
import { listLeases } from './shared-table.ts'
import { changeOrders, newOrderId, readOrders, whileHeld } from './standing-orders.ts'

/** An operation whose options are checked. */
export type BoundedOperation = OperationOptions & { readonly timeoutMs: number }

/** A lease that was given back, and by whom. */
export interface GivenBack {
  readonly shardId: string
  /** The session that had it. */
  readonly owner: string
}

const LOOK_MS = 1_000

/**
 * Has leases drained and given back; then they are given out again. Those of dead sessions are taken from them.
 *
 * @throws OperationError `not-let-go`, `no-such-lease`, or `foreign-workers`
 */
export async function releaseLeases(
  context: FleetContext,
  scope: LeaseScope,
  operation: BoundedOperation
): Promise<GivenBack[]> {
  const before = await leasesIn(context, scope, operation.signal)
  refuseForeigners(before)
  const owned = before.flatMap(({ shardId, owner }) => (owner === undefined ? [] : [{ shardId, owner }]))
  const leases = scope === 'all' ? scope : [...scope]
  try {
    await whileHeld(context, { leases, why: 'a release' }, operation, () => letGo(context, scope, operation))
  } catch (error) {
    throw told(error, operation, 'Interrupted a release: what was given back so far is given out again')
  }
  return owned.sort((a, b) => (a.shardId < b.shardId ? -1 : 1))
}

/**
 * Keeps leases from everybody until {@link resumeLeases}. Resolves when they are let go of.
 *
 * @throws OperationError `not-let-go`, or `interrupted`, and then the leases are not on hold; `no-such-lease`, or `foreign-workers`
 */
export async function pauseLeases(
  context: FleetContext,
  scope: LeaseScope,
  { why, ...operation }: BoundedOperation & { readonly why: string }
): Promise<Hold> {
  const { signal } = operation
  refuseForeigners(await leasesIn(context, scope, signal))
  const id = newOrderId(context, 'pause')
  const leases = scope === 'all' ? scope : [...scope].sort()
  const hold: Hold = { id, why, by: context.by, isKept: true, beat: 0, leases }
  const { ver } = await changeOrders(context, orders => withHold(orders, hold), signal)
  try {
    await letGo(context, scope, { ...operation, ordersVer: ver })
    return hold
  } catch (error) {
    await changeOrders(context, orders => withoutOrders(orders, new Set([id])))
    throw told(error, operation, 'Interrupted a pause: nothing is paused')
  }
}

/** Ends pauses, those of some leases or all. Returns the keys of the leases that are paused no more; `all`, if every one was. */
export async function resumeLeases(
  context: FleetContext,
  scope: LeaseScope,
  signal?: AbortSignal
): Promise<'all' | readonly string[]> {
  let resumed: 'all' | readonly string[] = []
  const known = scope === 'all' ? [] : (await listLeases(context, signal)).map(({ leaseKey }) => leaseKey)
  await changeOrders(
    context,
    orders => {
      const paused = orders.holds.filter(({ isKept }) => isKept)
      const isAll = scope === 'all' && paused.some(({ leases }) => leases === 'all')
      const keys = new Set(paused.flatMap(({ leases }) => (leases === 'all' ? known : leases)))
      resumed = isAll ? 'all' : [...keys].filter(key => isIn(scope, key)).sort()
      return resumed.length === 0 ? orders : withoutPauses(orders, scope, known)
    },
    signal
  )
  return resumed
}

/** What is left of a pause of every lease is one of all the others that there are: their children come only after them. */
function withoutPauses(orders: Orders, scope: LeaseScope, known: readonly string[]): Orders {
  let after = orders
  for (const hold of orders.holds.filter(({ isKept }) => isKept)) {
    const keys = hold.leases === 'all' ? known : hold.leases
    after = withHold(after, { ...hold, leases: keys.filter(key => !isIn(scope, key)) })
  }
  return { ...after, ver: orders.ver + 1 }
}

/**
 * Sends a lease to a worker. Resolves when it has it; at once, if it has it already.
 *
 * @throws OperationError `no-such-lease`, `no-such-worker`, `cannot-take`, `foreign-workers`; `not-arrived` after `timeoutMs`,
 *   and then it is not to go there any more
 */
export async function moveLease(
  context: FleetContext,
  leaseKey: string,
  workerId: string,
  operation: BoundedOperation
): Promise<{ readonly shardId: string; readonly from?: string; readonly to: string }> {
  const { signal, timeoutMs, onProgress } = operation
  const { clock, by } = context
  const leases = await listLeases(context, signal)
  const [lease] = pick(leases, new Set([leaseKey]))
  if (lease === undefined || isFinished(lease)) throw noSuchLease([leaseKey])
  refuseForeigners(leases.filter(each => !isFinished(each)))
  const from = lease.owner === undefined ? {} : { from: lease.owner }
  if (isOf(lease, workerId)) return { shardId: lease.shardId, ...from, to: workerId }
  const members = await patiently(context, signal, () => context.control.members(signal))
  checkTarget(members, leases, lease, workerId)
  refuseHeld(await readOrders(context, signal), leaseKey)

  const id = newOrderId(context, 'move')
  await changeOrders(context, orders => withMove(orders, { id, leaseKey, to: workerId, by }), signal)
  const untilMs = clock.monotonicMs() + timeoutMs
  try {
    while (!signal?.aborted && clock.monotonicMs() < untilMs) {
      await clock.sleep(LOOK_MS, signal)
      const row = await patiently(context, signal, () => context.store.get(leaseKey, signal))
      if (row !== undefined && isOf(row, workerId)) return { shardId: lease.shardId, ...from, to: workerId }
      const owner = row?.owner
      onProgress?.({ step: 'waiting', left: [{ shardId: lease.shardId, ...(owner !== undefined && { owner }) }] })
    }
    signal?.throwIfAborted()
    throw new OperationError(
      'not-arrived',
      `${lease.shardId} has not come to ${workerId} within ${Math.round(timeoutMs / 1_000)} s, and is not to go there any more`
    )
  } catch (error) {
    throw told(error, operation, `Interrupted a move: ${lease.shardId} is not to go to ${workerId} any more`)
  } finally {
    const isThere = ({ moves }: Orders): boolean => moves.some(move => move.id === id)
    // Where this fails, the leader finds that the move is made, or that it cannot be.
    await changeOrders(context, orders => (isThere(orders) ? withoutOrders(orders, new Set([id])) : orders)).catch(
      () => undefined
    )
  }
}

/** What is left of an operation that was asked to end; other errors stay as they are. */
function told(error: unknown, { signal }: OperationOptions, interrupted: string): unknown {
  return signal?.aborted === true ? new OperationError('interrupted', interrupted, { cause: error }) : error
}

/** Waits until leases are let go of, and takes those of the dead from them. */
async function letGo(context: FleetContext, scope: LeaseScope, operation: LettingGo): Promise<void> {
  const leases = await whenLetGo(context, scope, new SessionRoll(context), operation)
  const left = leases.filter(lease => lease.owner !== undefined && isIn(scope, lease.leaseKey) && !isFinished(lease))
  // Somebody who has claimed it since lives, and will let go of it, too.
  await forEachOf(left, lease =>
    patiently(context, operation.signal, () => context.store.replace(lease, released(lease)))
  )
  operation.onProgress?.({ step: 'done', left: [] })
}

/** The unfinished leases in a scope. @throws OperationError `no-such-lease` */
async function leasesIn(context: FleetContext, scope: LeaseScope, signal?: AbortSignal): Promise<readonly Lease[]> {
  const unfinished = (await listLeases(context, signal)).filter(lease => !isFinished(lease))
  return pick(unfinished, scope)
}

function pick(leases: readonly Lease[], scope: LeaseScope): readonly Lease[] {
  if (scope === 'all') return leases
  const found = leases.filter(({ leaseKey }) => scope.has(leaseKey))
  const keys = new Set(found.map(({ leaseKey }) => leaseKey))
  const missing = [...scope].filter(key => !keys.has(key))
  if (missing.length > 0) throw noSuchLease(missing)
  return found
}

function noSuchLease(missing: readonly string[]): OperationError {
  return new OperationError(
    'no-such-lease',
    `There is no lease to read for ${missing.join(', ')}: no such shard, or it is finished`
  )
}

function checkTarget(members: readonly Member[], leases: readonly Lease[], lease: Lease, workerId: string): void {
  const living = members.filter(({ dead }) => dead === undefined)
  const sessions = living.filter(member => member.workerId === workerId && member.state === 'ACTIVE')
  const [session] = sessions
  if (session === undefined) {
    const ids = [...new Set(living.map(member => member.workerId))].sort()
    throw new OperationError('no-such-worker', `${workerId} is not at work. There are: ${ids.join(', ') || 'none'}`)
  }
  const held = leases.filter(each => isOf(each, workerId)).length
  const { maxLeases = Number.POSITIVE_INFINITY } = session
  if (sessions.length === 1 && held >= maxLeases) {
    throw new OperationError('cannot-take', `${workerId} has ${held} leases, and takes ${maxLeases} at most`)
  }
  if (sessions.every(({ avoid }) => avoid.includes(lease.leaseKey))) {
    throw new OperationError(
      'cannot-take',
      `${workerId} cannot read ${lease.shardId} now: it failed there a moment ago`
    )
  }
}

function refuseHeld({ holds }: Orders, leaseKey: string): void {
  const hold = holds.find(one => covers(one, leaseKey))
  if (hold === undefined) return
  throw new OperationError('cannot-take', `${leaseKey} is on hold for ${hold.why}, by ${hold.by}`)
}

function isOf({ owner }: Lease, workerId: string): boolean {
  return owner !== undefined && isSession(owner) && workerIdOf(owner) === workerId
}
