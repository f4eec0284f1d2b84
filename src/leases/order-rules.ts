// The orders of an operator to the leader: leases that nobody is to have for now, leases that are to go to a certain worker, and
// whether the fleet is to be ready for workers of another kind.
// Values, and each change as another value with the next version. A wish like any plan: ownership in the lease table is the truth.

/** Leases that the leader gives to nobody: whoever has one drains it, checkpoints and releases it. */
export interface Hold {
  /** Tells it from every other hold. */
  readonly id: string
  /** What it is for, in words. */
  readonly why: string
  /** Who gave the order, in words. */
  readonly by: string
  /** Whether it stands until it is taken back. Otherwise it lapses once `beat` has stood still for a minute. */
  readonly isKept: boolean
  /** Counted up by whoever gave the order, for as long as that is at work. */
  readonly beat: number
  /** Keys of the leases, ascending; `all`: every lease, those that are yet to come included. */
  readonly leases: 'all' | readonly string[]
  /** Whether rows are written under it, which nobody else may do at the same time. Absent: they are not. */
  readonly isAlone?: boolean
}

/** A lease that is to go to a certain worker, once. After that it is balanced like any other. */
export interface MoveOrder {
  /** Tells it from every other move. */
  readonly id: string
  readonly leaseKey: string
  /** Id of the worker. */
  readonly to: string
  /** Who gave the order, in words. */
  readonly by: string
}

/**
 * The mode that the fleet is to be in, until another order. `mixed`: also while no worker of another kind is seen. `solo`: as soon
 * as none owns a lease, whatever the options of the workers say.
 */
export interface ModeOrder {
  /** Tells it from every other order. */
  readonly id: string
  readonly mode: 'solo' | 'mixed'
  /** Who gave the order, in words. */
  readonly by: string
}

/** Every order of one application that stands. */
export interface Orders {
  /** Counts up with each change. 0: there has never been an order. */
  readonly ver: number
  /** Absent: the leader decides, by what it sees and by its options. */
  readonly mode?: ModeOrder
  /** Ascending by id. */
  readonly holds: readonly Hold[]
  /** One a lease at most. Ascending by lease key. */
  readonly moves: readonly MoveOrder[]
}

/** What stands before the first order. */
export const NO_ORDERS: Orders = { ver: 0, holds: [], moves: [] }

/** A hold that is not kept lapses when its beat has stood still for so long, by the clock of the leader. Milliseconds. */
export const HOLD_LAPSE_MS = 60_000

/** A move that could not be made for so long, by the clock of the leader, is dropped. Milliseconds. */
export const MOVE_LAPSE_MS = 300_000

/** Whether a hold is about a lease. */
export function covers({ leases }: Hold, leaseKey: string): boolean {
  return leases === 'all' || leases.includes(leaseKey)
}

/** The hold of somebody else who writes rows of some of these leases. */
export function rivalOf({ holds }: Orders, { id, leases }: Pick<Hold, 'id' | 'leases'>): Hold | undefined {
  const isShared = (hold: Hold): boolean =>
    leases === 'all' ? hold.leases.length > 0 : leases.some(leaseKey => covers(hold, leaseKey))
  return holds.find(hold => hold.isAlone === true && hold.id !== id && isShared(hold))
}

/** The orders with one more hold, or with another one of the same id. A hold of no lease is none. */
export function withHold(orders: Orders, hold: Hold): Orders {
  const others = withoutHold(orders, hold.id)
  if (hold.leases.length === 0) return others
  const leases = hold.leases === 'all' ? hold.leases : [...new Set(hold.leases)].sort()
  return { ...others, holds: [...others.holds, { ...hold, leases }].sort((a, b) => (a.id < b.id ? -1 : 1)) }
}

/** The orders without that hold. */
export function withoutHold(orders: Orders, id: string): Orders {
  return { ...orders, ver: orders.ver + 1, holds: orders.holds.filter(hold => hold.id !== id) }
}

/** The orders with one more beat of a hold, as a sign that it is still needed. */
export function withBeat(orders: Orders, id: string): Orders {
  const beaten = orders.holds.map(hold => (hold.id === id ? { ...hold, beat: hold.beat + 1 } : hold))
  return { ...orders, ver: orders.ver + 1, holds: beaten }
}

/** The orders with one more move, in the place of another one of the same lease. */
export function withMove(orders: Orders, move: MoveOrder): Orders {
  const others = orders.moves.filter(({ leaseKey }) => leaseKey !== move.leaseKey)
  const moves = [...others, move].sort((a, b) => (a.leaseKey < b.leaseKey ? -1 : 1))
  return { ...orders, ver: orders.ver + 1, moves }
}

/** The orders with another mode. */
export function withMode(orders: Orders, mode: ModeOrder): Orders {
  return { ...orders, ver: orders.ver + 1, mode }
}

/** The orders without those of these ids, holds or moves. The mode stays. */
export function withoutOrders(orders: Orders, ids: ReadonlySet<string>): Orders {
  return {
    ...orders,
    ver: orders.ver + 1,
    holds: orders.holds.filter(({ id }) => !ids.has(id)),
    moves: orders.moves.filter(({ id }) => !ids.has(id))
  }
}

/** Whether two values are the same orders. Ids are of one order only, so that what is the same was written by the same hand. */
export function sameOrders(a: Orders, b: Orders): boolean {
  return a.ver === b.ver && JSON.stringify(shape(a)) === JSON.stringify(shape(b))
}

/** With the properties in a fixed order. */
function shape({ holds, moves, mode }: Orders): unknown {
  return [
    mode === undefined ? null : [mode.id, mode.mode, mode.by],
    holds.map(({ id, why, by, isKept, beat, leases, isAlone }) => [
      id,
      why,
      by,
      isKept,
      beat,
      leases,
      isAlone ?? false
    ]),
    moves.map(({ id, leaseKey, to, by }) => [id, leaseKey, to, by])
  ]
}
