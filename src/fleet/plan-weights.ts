// Which leases move so that everybody carries as much as its capacity says. Each move lowers the sum over all seats of
// load² / capacity, which is lowest when loads are in proportion to capacities; so the moves come to an end.
import type { BalanceOutcome } from './plan-balance.ts'
import { canTake, give, type Holding, hasRoom, type Seat } from './plan-seating.ts'

/** What is to be evened out. */
export interface WeightFacts {
  readonly seats: readonly Seat[]
  /** Every lease that has a seat. */
  readonly holdings: readonly Holding[]
  /** Whether a lease may move now, apart from what it carries. */
  readonly mayMove: (holding: Holding) => boolean
  /** How many may move at most. */
  readonly atMost: number
  readonly nowMs: number
}

/** A lease that carries less than this part of the mean is idle: it does not move for its weight. */
const IDLE_SHARE = 0.01
/** Who carries less than this times the mean is left alone, so that loads that go up and down move nothing. */
const SLACK = 1.1

interface Side {
  readonly seat: Seat
  load: number
  /** Those that may move and carry something. */
  readonly movable: Holding[]
}

/** The mean of loads, in kilobytes per second; 0 if there are none, or everything is idle. */
export function meanLoad(loads: readonly number[]): number {
  return loads.length === 0 ? 0 : loads.reduce((sum, load) => sum + load, 0) / loads.length
}

/**
 * Moves leases from who carries the most to who carries the least. With `atMost` 0 it only finds out. Uneven: somebody carries
 * too much.
 */
export function evenOutWeights(facts: WeightFacts): BalanceOutcome {
  const sides = sidesOf(facts)
  const level = sumOf(sides, ({ load }) => load) / sumOf(sides, ({ seat }) => seat.capacity)
  const isTooMuch = (side: Side): boolean => density(side) > SLACK * level
  const donors = sides.filter(side => isTooMuch(side))
  let moved = 0
  while (donors.length > 0) {
    const donor = donors.reduce((a, b) => (density(b) > density(a) ? b : a))
    const move = isTooMuch(donor) ? bestMove(donor, sides) : undefined
    if (move === undefined) {
      donors.splice(donors.indexOf(donor), 1)
      continue
    }
    if (moved >= facts.atMost) return { moved, more: true, isUneven: true }
    carryOut(move, donor, facts.nowMs)
    moved++
  }
  return { moved, more: false, isUneven: sides.some(isTooMuch) }
}

/** Leases that were not measured yet count as much as the mean, and stay where they are. */
function sidesOf({ seats, holdings, mayMove }: WeightFacts): Side[] {
  const mean = meanLoad(holdings.flatMap(({ load }) => load ?? []))
  const sides = new Map<Seat, Side>(seats.map(seat => [seat, { seat, load: 0, movable: [] }]))
  for (const holding of holdings) {
    const side = holding.seat === undefined ? undefined : sides.get(holding.seat)
    if (side === undefined) continue
    const { load } = holding
    side.load += load ?? mean
    if (load !== undefined && load > 0 && load >= IDLE_SHARE * mean && mayMove(holding)) side.movable.push(holding)
  }
  return [...sides.values()]
}

interface Move {
  readonly holding: Holding
  readonly load: number
  readonly receiver: Side
}

/** The move away from a donor that lowers the sum the most, to the least loaded that can take one that lowers it at all. */
function bestMove(donor: Side, sides: readonly Side[]): Move | undefined {
  const refused = new Set([donor])
  for (;;) {
    let receiver: Side | undefined
    for (const side of sides) {
      if (refused.has(side) || !hasRoom(side.seat) || side.seat.isSuspect) continue
      if (receiver === undefined || density(side) < density(receiver)) receiver = side
    }
    if (receiver === undefined) return undefined
    const holding = bestFor(donor, receiver)
    if (holding !== undefined) return { holding, load: holding.load ?? 0, receiver }
    refused.add(receiver)
  }
}

function carryOut({ holding, load, receiver }: Move, donor: Side, nowMs: number): void {
  give(holding, receiver.seat, donor.seat.isForeign ? 'foreign' : 'weight', nowMs)
  donor.movable.splice(donor.movable.indexOf(holding), 1)
  donor.load -= load
  receiver.load += load
}

/**
 * The lease whose move lowers the sum the most: in load, the nearest to what would make both sides equal; of two, the smaller.
 * One that would only have the two sides change places is left where it is.
 */
function bestFor(donor: Side, receiver: Side): Holding | undefined {
  const bothSides = 1 / donor.seat.capacity + 1 / receiver.seat.capacity
  const ideal = (density(donor) - density(receiver)) / bothSides
  let best: Holding | undefined
  let bestDistance = ideal * (1 - MARGIN)
  for (const holding of donor.movable) {
    const load = holding.load ?? 0
    const distance = Math.abs(load - ideal)
    const isBetter = distance < bestDistance || (distance === bestDistance && load < (best?.load ?? 0))
    if (isBetter && load <= OVERSHOOT * ideal && canTake(receiver.seat, holding)) {
      best = holding
      bestDistance = distance
    }
  }
  return best
}

/** A move has to lower the sum by more than rounding errors could. */
const MARGIN = 1e-6
/** How much more may move than what would make both sides equal. From twice as much on the sum rises. */
const OVERSHOOT = 1.5

function density({ load, seat }: Side): number {
  return load / seat.capacity
}

function sumOf<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((sum, item) => sum + value(item), 0)
}
