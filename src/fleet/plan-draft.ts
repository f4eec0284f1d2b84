// The beginning of a plan: how each lease stands, at whose seat, and which are open. Decides nothing but what follows from
// ownership, the plan before, and hard limits.

import type { FleetMode, LeaseLoads } from '../leases/control-store.ts'
import { isSession } from '../leases/session-id.ts'
import { isFinished, type Lease } from '../model/lease.ts'
import type { BalanceStrategy, FleetSettings } from './fleet-settings.ts'
import { isHeld, type OrdersInForce } from './plan-orders.ts'
import type { OpenLease } from './plan-placement.ts'
import { foreignSeat, type Holding, newHolding, place, type Seat, seatOf } from './plan-seating.ts'
import {
  type Assignment,
  type Assignments,
  callRoll,
  judgeStanding,
  type Roll,
  type RollFacts,
  type Standing
} from './plan-standings.ts'
import { meanLoad } from './plan-weights.ts'

/** What a leader sees. Durations in milliseconds, as far as it watched. */
export interface FleetFacts extends Omit<RollFacts, 'mode' | 'restartGraceMs'> {
  /** Monotonic milliseconds of the leader. */
  readonly nowMs: number
  /** Living sessions that have not been heard of lately: the last to be given anything. Absent: none. */
  readonly suspects?: ReadonlySet<string>
  /** The whole table, read after `members`. */
  readonly leases: readonly Lease[]
  /** What was planned before, or inherited. */
  readonly assignments: Assignments
  /** How long the active sessions have been the same. */
  readonly quietMs: number
  /** How long two generations have been alive. */
  readonly deployMs: number
  /** How long this leader has been leading: its first plan may wait. */
  readonly waitedMs: number
  /** What the leases carry, in kilobytes per second. Used by the strategy `weight`. */
  readonly loads?: LeaseLoads
  /** What an operator has ordered. Absent: nothing. */
  readonly orders?: OrdersInForce
}

/** What a leader plans by. */
export interface PlanSettings extends FleetSettings {
  readonly strategy: BalanceStrategy
  readonly mode: FleetMode
  /** Mixed mode: leases that nobody has are placed, and nothing else. Absent: everything is done. */
  readonly isInterim?: boolean
}

/** The worksheet of a plan. Leases ascending by key. */
export interface Draft {
  /** Ours ascending, then those of foreign workers, which there are in mixed mode. */
  readonly seats: readonly Seat[]
  /** Every lease that has a seat, or needs one. */
  readonly holdings: readonly Holding[]
  /** Those that need one. */
  readonly open: readonly OpenLease[]
  /** What stays with a session that has no seat, until more is known. */
  readonly kept: ReadonlyMap<string, Assignment>
  /** Foreign owners. Ascending. */
  readonly foreign: readonly string[]
  readonly roll: Roll
  /** By what leases are evened out. `nothing`: they are all idle. */
  readonly measure: BalanceStrategy | 'nothing'
}

/** Makes the worksheet. `readable`: the leases that can be read. Those on hold are left out: they go to nobody. */
export function draftPlan(facts: FleetFacts, readable: readonly Lease[], settings: PlanSettings): Draft {
  const { assignments, leases, loads, members, suspects, orders } = facts
  const roll = callRoll({ ...facts, mode: settings.mode, restartGraceMs: settings.restartGraceMs })
  const seats = new Map<string, Seat>()
  for (const member of [...members].sort((a, b) => (a.session < b.session ? -1 : 1))) {
    if (member.state === 'ACTIVE') seats.set(member.session, seatOf(member, suspects?.has(member.session) === true))
  }
  const foreign = new Set<string>()
  for (const { owner } of leases.filter(lease => !isFinished(lease))) {
    const seat = owner === undefined ? undefined : seats.get(owner)
    if (seat !== undefined) seat.leaving++
    if (owner !== undefined && !isSession(owner)) foreign.add(owner)
  }
  const { measure, costOf } = costs(readable, loads, settings.strategy)
  const draft = { holdings: [] as Holding[], open: [] as OpenLease[], kept: new Map<string, Assignment>() }
  for (const lease of [...readable].sort((a, b) => (a.leaseKey < b.leaseKey ? -1 : 1))) {
    const { leaseKey, owner } = lease
    if (orders !== undefined && isHeld(orders, leaseKey)) continue
    const standing = judgeStanding(lease, assignments.get(leaseKey), roll)
    if (standing.kind === 'keeps') {
      draft.kept.set(leaseKey, standing.assignment)
      continue
    }
    if (standing.kind === 'foreign' && settings.mode === 'solo') continue
    const isClaimable = owner === undefined || roll.what(owner) === 'gone'
    const holding = newHolding(leaseKey, isClaimable ? undefined : owner, costOf(leaseKey), loads?.[leaseKey])
    draft.holdings.push(holding)
    seatHolding(holding, standing, seats, draft.open)
  }
  openAboveLimits(draft, seats, assignments)
  return { ...draft, seats: [...seats.values()], foreign: [...foreign].sort(), roll, measure }
}

/** Puts a lease where it stands. */
function seatHolding(holding: Holding, standing: Standing, seats: Map<string, Seat>, open: OpenLease[]): void {
  if (standing.kind === 'open') {
    const { why, heirOf } = standing
    open.push(heirOf === undefined ? { holding, why } : { holding, why, heirOf })
  } else if (standing.kind === 'foreign') {
    const seat = seats.get(standing.owner) ?? foreignSeat(standing.owner)
    seats.set(standing.owner, seat)
    place(holding, seat)
  } else {
    const { to, sinceMs, from } = standing.assignment
    place(holding, seats.get(to))
    holding.sinceMs = sinceMs
    holding.from = from
  }
}

/**
 * Opens what a session has beyond its `maxLeases`: first what it does not own yet, then what it took on its own, then the
 * latest. What was on its way to it stays with an owner that is active.
 */
function openAboveLimits(
  { holdings, open }: { readonly holdings: readonly Holding[]; readonly open: OpenLease[] },
  seats: ReadonlyMap<string, Seat>,
  assignments: Assignments
): void {
  for (const seat of seats.values()) {
    if (seat.count <= seat.maxLeases) continue
    const rank = ({ leaseKey, owner }: Holding): number => {
      if (owner !== seat.session) return 0
      return assignments.get(leaseKey)?.to === seat.session ? 2 : 1
    }
    const first = holdings
      .filter(holding => holding.seat === seat)
      .sort((a, b) => rank(a) - rank(b) || compareTimes(b.sinceMs, a.sinceMs) || (a.leaseKey > b.leaseKey ? -1 : 1))
    for (const holding of first.slice(0, seat.count - seat.maxLeases)) {
      const owner = holding.owner === undefined ? undefined : seats.get(holding.owner)
      const isBack = owner !== undefined && owner !== seat && owner.count < owner.maxLeases
      place(holding, isBack ? owner : undefined)
      holding.from = undefined
      if (!isBack) open.push({ holding, why: 'limit' })
    }
  }
}

/** Like a difference, but of times that may be -Infinity. */
function compareTimes(a: number, b: number): number {
  return a === b ? 0 : a - b
}

/**
 * What each lease costs its holder, 1 on average. By weight, a lease costs something even if it is idle, so that idle ones
 * are spread as well; what was not measured yet costs as much as the mean.
 */
function costs(
  readable: readonly Lease[],
  loads: LeaseLoads | undefined,
  strategy: BalanceStrategy
): { readonly measure: Draft['measure']; readonly costOf: (leaseKey: string) => number } {
  const known = readable.flatMap(({ leaseKey }) => loads?.[leaseKey] ?? [])
  if (strategy === 'count' || known.length === 0) return { measure: 'count', costOf: () => 1 }
  const mean = meanLoad(known)
  if (mean === 0) return { measure: 'nothing', costOf: () => 1 }
  const costOf = (leaseKey: string): number => ((loads?.[leaseKey] ?? mean) / mean + IDLE_COST) / (1 + IDLE_COST)
  return { measure: 'weight', costOf }
}

/** What a lease costs that carries nothing, in parts of what the average lease carries. */
const IDLE_COST = 0.1
