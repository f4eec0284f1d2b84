// Which leases move so that everybody has its quota: only from above to below, so that no more than the excess moves, and
// an even fleet stays as it is.
import { canTake, give, type Holding, hasRoom, type Seat } from './plan-seating.ts'
import type { MoveReason } from './plan-standings.ts'

/** What is to be evened out. */
export interface BalanceFacts {
  readonly seats: readonly Seat[]
  /** How many leases each seat should have, in their order. */
  readonly quotas: readonly number[]
  /** The leases that may move. Of one seat, those that come first move first. */
  readonly movable: readonly Holding[]
  /** How many may move at most. */
  readonly atMost: number
  readonly nowMs: number
  readonly why: MoveReason
}

interface Side {
  readonly seat: Seat
  readonly quota: number
  /** Those that move first come last. */
  readonly movable: Holding[]
}

/** What evening out came to, or would. */
export interface BalanceOutcome {
  readonly moved: number
  /** Whether there is another move to make. */
  readonly more: boolean
  /** Whether somebody is above its quota and another below, be there a move or not. */
  readonly isUneven: boolean
}

/**
 * Moves leases, one at a time, from who has the most above its quota to who has the most below. Leases taken from a foreign
 * worker are said to be. With `atMost` 0 it only finds out.
 */
export function evenOut({ seats, quotas, movable, atMost, nowMs, why }: BalanceFacts): BalanceOutcome {
  const sides = new Map<Seat, Side>(
    seats.map((seat, index) => [seat, { seat, quota: quotas[index] ?? 0, movable: [] }])
  )
  for (const holding of movable.toReversed()) {
    if (holding.seat !== undefined) sides.get(holding.seat)?.movable.push(holding)
  }
  const donors = [...sides.values()].filter(({ seat, quota }) => seat.count > quota)
  const receivers = [...sides.values()].filter(({ seat, quota }) => lack(seat, quota) > 0)
  let moved = 0
  for (;;) {
    const donor = most(donors, ({ seat, quota }) => seat.count - quota)
    if (donor === undefined) return { moved, more: false, isUneven: isUneven(sides) }
    const move = findMove(donor, receivers)
    if (move === undefined) {
      donors.splice(donors.indexOf(donor), 1)
      continue
    }
    if (moved >= atMost) return { moved, more: true, isUneven: true }
    donor.movable.splice(move.index, 1)
    give(move.holding, move.receiver, donor.seat.isForeign ? 'foreign' : why, nowMs)
    moved++
  }
}

function isUneven(sides: ReadonlyMap<Seat, Side>): boolean {
  const isAbove = [...sides.values()].some(({ seat, quota }) => seat.count > quota)
  return isAbove && [...sides.values()].some(({ seat, quota }) => lack(seat, quota) > 0)
}

interface Move {
  readonly holding: Holding
  /** Where it stands among those of the donor. */
  readonly index: number
  readonly receiver: Seat
}

/** One lease of the donor for the neediest receiver that can take one. */
function findMove(donor: Side, receivers: readonly Side[]): Move | undefined {
  const refused = new Set<Side>()
  for (;;) {
    const receiver = most(receivers, side => (refused.has(side) ? 0 : lack(side.seat, side.quota)))
    if (receiver === undefined) return undefined
    const index = donor.movable.findLastIndex(holding => canTake(receiver.seat, holding))
    const holding = donor.movable[index]
    if (holding !== undefined) return { holding, index, receiver: receiver.seat }
    refused.add(receiver)
  }
}

/** How many more a seat should and can have. Nothing is given to those who may be dead. */
function lack(seat: Seat, quota: number): number {
  return hasRoom(seat) && !seat.isSuspect ? quota - seat.count : 0
}

/** The first of those with the highest value, if that is above 0. */
function most<T>(items: readonly T[], value: (item: T) => number): T | undefined {
  let best: T | undefined
  let highest = 0
  for (const item of items) {
    const its = value(item)
    if (its > highest) [best, highest] = [item, its]
  }
  return best
}
