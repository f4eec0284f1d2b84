// What the orders of an operator come to, as one leader sees them: which leases nobody is to have, which are to go where, and
// which orders are over. Folds the reads of the orders, so that an order whose giver is gone is found out by standing still.

import type { Member } from '../leases/control-store.ts'
import { HOLD_LAPSE_MS, MOVE_LAPSE_MS, type ModeOrder, NO_ORDERS, type Orders } from '../leases/order-rules.ts'
import { isSession, workerIdOf } from '../leases/session-id.ts'
import { isFinished, type Lease } from '../model/lease.ts'

/** One order as a leader has watched it. */
interface OrderSighting {
  readonly beat: number
  /** How long its beat has stood still, as far as this leader watched. Milliseconds. */
  readonly stillMs: number
}

/** The orders as a leader has watched them. A value: each read makes another one. */
export interface OrderWatch {
  /** When they were last read, in monotonic milliseconds. */
  readonly atMs: number
  /** The newest that were read. */
  readonly orders: Orders
  /** By id. */
  readonly sightings: ReadonlyMap<string, OrderSighting>
}

/** What a leader has seen before it first reads the orders. */
export const NO_ORDERS_SEEN: OrderWatch = { atMs: 0, orders: NO_ORDERS, sightings: new Map() }

/** The orders that the leader plans by. */
export interface OrdersInForce {
  /** Leases to be given to nobody; `all`: every one. */
  readonly held: 'all' | ReadonlySet<string>
  /** Ids of the workers that leases are to go to, by lease key. */
  readonly moves: ReadonlyMap<string, string>
  /** Absent: none is ordered. */
  readonly mode?: ModeOrder
}

/**
 * The watch after another read of the orders. An old read changes nothing: there was a newer one before. The time since the
 * read before counts for at most `maxStepMs`: a leader that was itself asleep has not been watching.
 */
export function watchOrders(before: OrderWatch, read: Orders, nowMs: number, maxStepMs: number): OrderWatch {
  const stepMs = Math.min(Math.max(0, nowMs - before.atMs), maxStepMs)
  const orders = read.ver < before.orders.ver ? before.orders : read
  const sightings = new Map<string, OrderSighting>()
  const beats = [
    ...orders.holds.map(({ id, beat }) => [id, beat] as const),
    ...orders.moves.map(({ id }) => [id, 0] as const)
  ]
  for (const [id, beat] of beats) {
    const last = before.sightings.get(id)
    const isStill = last !== undefined && last.beat === beat
    sightings.set(id, { beat, stillMs: isStill ? last.stillMs + stepMs : 0 })
  }
  return { atMs: nowMs, orders, sightings }
}

/** The orders that have not lapsed. */
export function ordersInForce(watch: OrderWatch): OrdersInForce {
  const { holds, moves, mode } = watch.orders
  const lapsed = lapsedOrders(watch)
  const standing = holds.filter(({ id }) => !lapsed.has(id))
  const isAll = standing.some(({ leases }) => leases === 'all')
  const open = moves.filter(({ id }) => !lapsed.has(id))
  return {
    held: isAll ? 'all' : new Set(standing.flatMap(({ leases }) => leases)),
    moves: new Map(open.map(({ leaseKey, to }) => [leaseKey, to])),
    ...(mode !== undefined && { mode })
  }
}

/** Whether a lease is to be given to nobody. */
export function isHeld({ held }: OrdersInForce, leaseKey: string): boolean {
  return held === 'all' || held.has(leaseKey)
}

/**
 * Ids of the orders that are over: those that have lapsed, and moves that have been made, or never can be: there is no such
 * lease to read, or no such worker is active. `members`: the living; `leases`: read after the orders.
 */
export function ordersThatAreOver(
  watch: OrderWatch,
  leases: readonly Lease[],
  members: readonly Member[]
): ReadonlySet<string> {
  const active = new Set(members.filter(({ state }) => state === 'ACTIVE').map(({ workerId }) => workerId))
  const rows = new Map(leases.map(lease => [lease.leaseKey, lease]))
  const isOver = (leaseKey: string, to: string): boolean => {
    const lease = rows.get(leaseKey)
    if (lease === undefined || isFinished(lease) || !active.has(to)) return true
    return lease.owner !== undefined && isSession(lease.owner) && workerIdOf(lease.owner) === to
  }
  const over = watch.orders.moves.filter(({ leaseKey, to }) => isOver(leaseKey, to))
  return new Set([...lapsedOrders(watch), ...over.map(({ id }) => id)])
}

function lapsedOrders({ orders, sightings }: OrderWatch): Set<string> {
  const isStillFor = (id: string, ms: number): boolean => (sightings.get(id)?.stillMs ?? 0) >= ms
  const holds = orders.holds.filter(({ id, isKept }) => !isKept && isStillFor(id, HOLD_LAPSE_MS))
  const moves = orders.moves.filter(({ id }) => isStillFor(id, MOVE_LAPSE_MS))
  return new Set([...holds, ...moves].map(({ id }) => id))
}
