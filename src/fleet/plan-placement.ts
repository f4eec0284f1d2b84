// Where open leases go: to the least loaded in relation to capacity, the newest generation first up to its fair share, and
// those not heard of lately last.
import { canTake, give, type Holding, hasRoom, type Seat } from './plan-seating.ts'
import type { MoveReason } from './plan-standings.ts'

/** A lease that is open, and why. */
export interface OpenLease {
  readonly holding: Holding
  readonly why: MoveReason
  /** The worker that it is held back for. */
  readonly heirOf?: string
}

/** A seat, and what it should cost at most before others come first. */
interface Candidate {
  readonly seat: Seat
  readonly share: number
}

/** What a cost may be off by, so that rounding errors do not decide. */
const TOLERANCE = 1e-9

/**
 * Gives the open leases to seats: those first that fewest can take, then in the order in which they come. `shares`: the fair
 * share of each seat, in the unit of cost. Returns the leases that nobody may take.
 */
export function placeOpen(
  open: readonly OpenLease[],
  seats: readonly Seat[],
  shares: readonly number[],
  nowMs: number
): Holding[] {
  const candidates = seats
    .map((seat, index) => ({ seat, share: shares[index] ?? 0 }))
    .filter(({ seat }) => hasRoom(seat))
    .sort(compare)
  const refusals = countRefusals(candidates)
  const refusedBy = ({ holding }: OpenLease): number => refusals.get(holding.leaseKey) ?? 0
  const unplaced: Holding[] = []
  for (const { holding, why, heirOf } of [...open].sort((a, b) => refusedBy(b) - refusedBy(a))) {
    const heir =
      heirOf === undefined ? -1 : candidates.findIndex(({ seat }) => seat.workerId === heirOf && canTake(seat, holding))
    const index = heir >= 0 ? heir : candidates.findIndex(({ seat }) => canTake(seat, holding))
    const [chosen] = index >= 0 ? candidates.splice(index, 1) : []
    if (chosen === undefined) {
      unplaced.push(holding)
      continue
    }
    give(holding, chosen.seat, why, nowMs)
    if (hasRoom(chosen.seat)) candidates.splice(positionOf(chosen, candidates), 0, chosen)
  }
  return unplaced
}

/** How many cannot take each lease now. */
function countRefusals(candidates: readonly Candidate[]): ReadonlyMap<string, number> {
  const refusals = new Map<string, number>()
  for (const { seat } of candidates) {
    for (const leaseKey of seat.avoid) refusals.set(leaseKey, (refusals.get(leaseKey) ?? 0) + 1)
  }
  return refusals
}

/** Where a candidate belongs in a list in order. */
function positionOf(candidate: Candidate, candidates: readonly Candidate[]): number {
  let from = 0
  let to = candidates.length
  while (from < to) {
    const middle = (from + to) >> 1
    const other = candidates[middle]
    if (other !== undefined && compare(other, candidate) < 0) from = middle + 1
    else to = middle
  }
  return from
}

function compare(a: Candidate, b: Candidate): number {
  if (a.seat.isSuspect !== b.seat.isSuspect) return a.seat.isSuspect ? 1 : -1
  const [isBelow, isOtherBelow] = [isBelowShare(a), isBelowShare(b)]
  if (isBelow !== isOtherBelow) return isBelow ? -1 : 1
  const byGeneration = b.seat.generation - a.seat.generation
  const byCost = costWithOneMore(a.seat) - costWithOneMore(b.seat)
  const byCount = a.seat.count / a.seat.capacity - b.seat.count / b.seat.capacity
  return (isBelow && byGeneration) || byCost || byCount || (a.seat.session < b.seat.session ? -1 : 1)
}

function isBelowShare({ seat, share }: Candidate): boolean {
  return seat.cost < share - TOLERANCE
}

/** Relative to capacity, with one more lease of average cost: of two that have nothing, the larger comes first. */
function costWithOneMore({ cost, capacity }: Seat): number {
  return (cost + 1) / capacity
}
