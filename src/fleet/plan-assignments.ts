// Who is to hold which lease: what the leader plans from what it sees. Owners that live keep what they have; what nobody has
// is placed at once; what is uneven moves only while nothing else is going on. Two leaders that see the same plan the same.

import { readableLeases } from '../leases/claim-rules.ts'
import type { Mailbox, Member } from '../leases/control-store.ts'
import { isSession } from '../leases/session-id.ts'
import { isFinished, type Lease } from '../model/lease.ts'
import { type BalanceOutcome, evenOut } from './plan-balance.ts'
import { type Draft, draftPlan, type FleetFacts, type PlanSettings } from './plan-draft.ts'
import { giveAsOrdered } from './plan-ordered-moves.ts'
import { placeOpen } from './plan-placement.ts'
import { type LeasePartaker, planQuotas, planShares } from './plan-quotas.ts'
import type { Holding, Seat } from './plan-seating.ts'
import type { Assignment, Assignments, MoveReason } from './plan-standings.ts'
import { evenOutWeights } from './plan-weights.ts'

export type { FleetFacts, PlanSettings } from './plan-draft.ts'
export type { Assignment, Assignments, MoveReason } from './plan-standings.ts'

/** A lease that is given to a session. */
export interface LeaseMove {
  readonly leaseKey: string
  /** The living owner that has to let go of it. Absent: nobody has. */
  readonly from?: string
  readonly to: string
  readonly why: MoveReason
}

/** What a plan was decided by. */
export type PlanReason =
  | 'no-members' /** no session is active: nothing can be given to anybody */
  | 'cold-start' /** nobody has anything yet, and the fleet is still assembling */
  | 'settling' /** leases are to move for balance, once membership has been quiet for long enough */
  | 'deployment' /** leases are to move for balance, once the deployment under way is over */
  | 'balancing' /** leases are moving for balance */
  | 'balanced' /** nothing is to move */
  | 'kcl-assigns' /** mixed mode: a leader of KCL 3.x does, or may soon */

/** Who is to hold what from now on, and why. */
export interface AssignmentPlan {
  /** To be passed to the next plan. */
  readonly assignments: Assignments
  /** What this plan gave to somebody. Ascending by lease key. */
  readonly moves: readonly LeaseMove[]
  /** Leases that could be read and that nobody may take: `maxLeases`, `avoid`, or nobody is active. Ascending. */
  readonly unassigned: readonly string[]
  /** Leases that could be read and are held back: for the first plan, or for a worker that restarts. Ascending. */
  readonly waiting: readonly string[]
  /** How many leases are on their way: a living owner has to let go of them. */
  readonly moving: number
  /** Foreign owners of leases. In solo mode there should be none. Ascending. */
  readonly foreign: readonly string[]
  /** Active sessions. */
  readonly members: number
  /** How many leases each of them should have. */
  readonly targets: ReadonlyMap<string, number>
  readonly why: PlanReason
  /** When to plan again although nothing else has happened, in milliseconds. Absent: time alone changes nothing. */
  readonly againInMs?: number
}

/**
 * What a new leader begins with: the mailboxes in force, and the owners it finds. A mailbox of a living session wins over
 * the owner, because the move is under way; where a lease is listed by several, that of the newest term, then one of another
 * session than the owner. `members`: every session that has an item, dead or alive.
 */
export function inheritAssignments(
  mailboxes: readonly Mailbox[],
  leases: readonly Lease[],
  members: readonly Member[]
): Assignments {
  const living = new Set(members.filter(({ dead }) => dead === undefined).map(({ session }) => session))
  const restarting = new Set(members.filter(({ state }) => state === 'RESTARTING').map(({ session }) => session))
  const newestFirst = [...mailboxes].sort((a, b) => b.term - a.term || (a.session < b.session ? -1 : 1))
  const listedBy = new Map<string, Mailbox[]>()
  for (const mailbox of newestFirst) {
    for (const leaseKey of mailbox.leases) listedBy.set(leaseKey, [...(listedBy.get(leaseKey) ?? []), mailbox])
  }
  const assignments = new Map<string, Assignment>()
  for (const { leaseKey, owner } of leases.filter(lease => !isFinished(lease))) {
    const listing = listedBy.get(leaseKey) ?? []
    const isForeign = owner !== undefined && !isSession(owner)
    const open = listing.filter(({ session, steal }) => living.has(session) && (!isForeign || steal.includes(leaseKey)))
    const newest = open.filter(({ term }) => term === open[0]?.term)
    const heldBack = owner === undefined ? listing.find(({ session }) => restarting.has(session)) : undefined
    const to = (newest.find(({ session }) => session !== owner) ?? newest[0] ?? heldBack)?.session
    const isMoving = owner !== undefined && owner !== to && (isForeign || living.has(owner))
    const sinceMs = Number.NEGATIVE_INFINITY
    if (to !== undefined) assignments.set(leaseKey, isMoving ? { to, sinceMs, from: owner } : { to, sinceMs })
    else if (owner !== undefined && !isForeign) assignments.set(leaseKey, { to: owner, sinceMs })
  }
  return assignments
}

/**
 * Plans once. Only leases that can be read are assigned. A fleet in which nobody has anything waits until membership has been
 * quiet for `settleMs`, at most `settleMaxMs`, so that workers that start together share from the beginning; a single worker
 * waits for `hurryMs` only. Who joins it then gets at once what it has not come to claim yet, and the rest by balance.
 */
export function planAssignments(facts: FleetFacts, settings: PlanSettings): AssignmentPlan {
  const readable = readableLeases(facts.leases)
  const draft = draftPlan(facts, readable, settings)
  const { seats, holdings, open, kept, roll, foreign } = draft
  const ours = seats.filter(({ isForeign }) => !isForeign)
  const members = ours.length
  const settlingMs = isCold(facts, readable) && members > 0 ? firstPlanInMs(facts, settings) : 0
  if (settlingMs > 0) {
    const waiting = open.map(({ holding }) => holding.leaseKey)
    const nothing = { assignments: new Map(), moves: [], unassigned: [], moving: 0, targets: new Map() }
    return { ...nothing, foreign, members, waiting, why: 'cold-start', againInMs: settlingMs }
  }

  const moves = facts.orders?.moves ?? new Map<string, string>()
  const stillOpen = giveAsOrdered({ seats, holdings, open, moves, nowMs: facts.nowMs })
  const heaviestFirst = [...stillOpen].sort((a, b) => b.holding.cost - a.holding.cost)
  const unplaced = placeOpen(heaviestFirst, seats, sharesOf({ ...draft, open: stillOpen }), facts.nowMs)
  const { why, againInMs } = rebalance(draft, facts, settings)
  const heldBack = [...kept].filter(([, { to }]) => roll.what(to) === 'restarting')
  const restartInMs = restartOverInMs(new Set(heldBack.map(([, { to }]) => to)), facts, settings)
  const nextMs = Math.min(againInMs, restartInMs, hasUndecided(draft) ? settings.heartbeatMs : Number.POSITIVE_INFINITY)
  const quotas = planQuotas(seats.map(asPartaker))
  return {
    assignments: assignmentsOf(draft),
    moves: holdings.flatMap(moveOf),
    unassigned: unplaced.map(({ leaseKey }) => leaseKey).sort(),
    waiting: heldBack.map(([leaseKey]) => leaseKey),
    moving: holdings.filter(isMoving).length,
    foreign,
    members,
    targets: new Map(ours.map(({ session }, index) => [session, quotas[index] ?? 0])),
    why: members === 0 ? 'no-members' : why,
    ...(Number.isFinite(nextMs) ? { againInMs: nextMs } : {})
  }
}

/** Whether nobody has anything yet, nor is to have, nor ever had since these sessions began: after a hold they need not assemble. */
function isCold({ assignments, leases, members }: FleetFacts, readable: readonly Lease[]): boolean {
  if (assignments.size > 0 || readable.length === 0 || members.some(({ applied }) => applied > 0)) return false
  return leases.every(lease => lease.owner === undefined || isFinished(lease))
}

function firstPlanInMs({ members, quietMs, waitedMs }: FleetFacts, settings: PlanSettings): number {
  const aloneMs = members.length === 1 ? settings.hurryMs - waitedMs : Number.POSITIVE_INFINITY
  return Math.max(0, Math.min(settings.settleMs - quietMs, settings.settleMaxMs - waitedMs, aloneMs))
}

/** When the first of these sessions has been waited for long enough. Infinity: none of them has stopped yet. */
function restartOverInMs(
  sessions: ReadonlySet<string>,
  { gone }: FleetFacts,
  { restartGraceMs }: PlanSettings
): number {
  return Math.min(...gone.filter(({ session }) => sessions.has(session)).map(({ forMs }) => restartGraceMs - forMs))
}

/** Whether some owner is neither alive nor known to be dead: time will tell. */
function hasUndecided({ holdings, kept, roll }: Draft): boolean {
  const isUndecided = (owner: string | undefined): boolean => owner !== undefined && roll.what(owner) === 'undecided'
  return [...kept.values()].some(({ to }) => isUndecided(to)) || holdings.some(({ owner }) => isUndecided(owner))
}

/** A foreign worker has no more than what it has: what it should have on top is not ours to give. */
function asPartaker({ session, capacity, maxLeases, count, isForeign }: Seat): LeasePartaker {
  return { session, capacity, count, limit: isForeign ? count : maxLeases }
}

/** What each seat should cost once everything is placed. */
function sharesOf({ seats, open }: Draft): number[] {
  const total = [...seats, ...open.map(({ holding }) => holding)].reduce((sum, { cost }) => sum + cost, 0)
  const limitOf = ({ isForeign, cost, maxLeases }: Seat): number => (isForeign ? cost : maxLeases)
  return planShares(
    seats.map(seat => ({ capacity: seat.capacity, limit: limitOf(seat) })),
    total
  )
}

interface Outcome extends BalanceOutcome {
  /** When time makes another one possible. Infinity: it does not. */
  readonly againInMs: number
}

/** Moves what is to move, as far as it may now. */
function rebalance(
  draft: Draft,
  facts: FleetFacts,
  settings: PlanSettings
): { readonly why: PlanReason; readonly againInMs: number } {
  const { measure, holdings } = draft
  if (settings.isInterim === true) return { why: 'kcl-assigns', againInMs: Number.POSITIVE_INFINITY }
  if (measure === 'nothing') return { why: 'balanced', againInMs: Number.POSITIVE_INFINITY }
  if (measure === 'count') spreadUnclaimed(draft, facts, settings)
  const quietInMs = Math.max(0, settings.rebalanceDelayMs - facts.quietMs)
  const isDeploying = new Set(facts.members.map(({ generation }) => generation)).size > 1
  const deployedInMs = isDeploying ? Math.max(0, settings.deployHoldMs - facts.deployMs) : 0
  const waitMs = Math.max(quietInMs, deployedInMs)

  const moving = holdings.filter(isMoving).length
  const atOnce = Math.max(FEW_AT_ONCE, Math.floor(settings.maxMoveFraction * holdings.length))
  const atMost = waitMs > 0 ? 0 : Math.max(0, atOnce - moving)
  const { moved, more, isUneven, againInMs } =
    measure === 'count' ? balanceCounts(draft, facts, atMost) : balanceWeights(draft, facts, settings, atMost)
  // What is on its way may not move on yet: when it has arrived it may have to.
  const isUnfinished = more || (isUneven && moving > 0)
  if (isUnfinished && waitMs > 0)
    return { why: deployedInMs > quietInMs ? 'deployment' : 'settling', againInMs: waitMs }
  if (isUnfinished) return { why: 'balancing', againInMs: settings.heartbeatMs }
  return { why: moved > 0 ? 'balancing' : 'balanced', againInMs }
}

/**
 * Evens out what is claimed last by who has far more to claim than it can at once, whatever else is going on: nobody has to
 * let go of it, so that it costs nothing. Claims go by key; those next in line are probably under way.
 */
function spreadUnclaimed({ seats, holdings }: Draft, { nowMs }: FleetFacts, { claimsAtOnce }: PlanSettings): void {
  const unclaimed = new Map<Seat, Holding[]>(seats.map(seat => [seat, []]))
  for (const holding of holdings) {
    if (holding.seat !== undefined && holding.owner === undefined && isSettled(holding)) {
      unclaimed.get(holding.seat)?.push(holding)
    }
  }
  const movable = [...unclaimed.values()].flatMap(ofOne => ofOne.slice(claimsAtOnce).reverse())
  if (movable.length === 0) return
  const quotas = planQuotas(seats.map(asPartaker))
  evenOut({ seats, quotas, movable, atMost: Number.POSITIVE_INFINITY, nowMs, why: 'unclaimed' })
}

/** Those that nobody has to let go of move first, then those that have stayed the longest. */
function balanceCounts({ seats, holdings }: Draft, { nowMs }: FleetFacts, atMost: number): Outcome {
  const rank = ({ owner }: Holding): number => (owner === undefined ? 0 : 1)
  const movable = holdings
    .filter(isSettled)
    .sort((a, b) => rank(a) - rank(b) || (a.sinceMs === b.sinceMs ? 0 : a.sinceMs - b.sinceMs))
  const quotas = planQuotas(seats.map(asPartaker))
  const outcome = evenOut({ seats, quotas, movable, atMost, nowMs, why: 'balance' })
  return { ...outcome, againInMs: Number.POSITIVE_INFINITY }
}

function balanceWeights(
  { seats, holdings }: Draft,
  facts: FleetFacts,
  settings: PlanSettings,
  atMost: number
): Outcome {
  const coolInMs = ({ sinceMs }: Holding): number => sinceMs + COOL_DURATIONS * settings.durationMs - facts.nowMs
  const mayMove = (holding: Holding): boolean => isSettled(holding) && coolInMs(holding) <= 0
  const outcome = evenOutWeights({ seats, holdings, mayMove, atMost, nowMs: facts.nowMs })
  const cooling = outcome.isUneven ? holdings.map(coolInMs).filter(inMs => inMs > 0) : []
  return { ...outcome, againInMs: cooling.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY) }
}

/** So many leases may be on the move at once in a small fleet, too. One by one, who joins would wait for long. */
const FEW_AT_ONCE = 4

/** For how many lease durations a lease that was given to somebody does not move for its weight. */
const COOL_DURATIONS = 6

function isMoving({ from }: Holding): boolean {
  return from !== undefined
}

/** Whether a lease does not move, and was not given to anybody by this plan. */
function isSettled(holding: Holding): boolean {
  return holding.seat !== undefined && holding.why === undefined && !isMoving(holding)
}

/** Ascending by lease key. A lease that stays with a foreign worker is assigned to nobody. */
function assignmentsOf({ holdings, kept }: Draft): Assignments {
  const assignments = [...kept]
  for (const { leaseKey, seat, sinceMs, from } of holdings) {
    if (seat === undefined || seat.isForeign) continue
    const to = seat.session
    assignments.push([leaseKey, from === undefined ? { to, sinceMs } : { to, sinceMs, from }])
  }
  return new Map(assignments.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function moveOf({ leaseKey, seat, from, why }: Holding): LeaseMove[] {
  if (seat === undefined || why === undefined) return []
  return [from === undefined ? { leaseKey, to: seat.session, why } : { leaseKey, from, to: seat.session, why }]
}
