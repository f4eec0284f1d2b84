// What the owner of a lease, and the plan so far, say about who is to hold it: it stays, it waits until something is known
// for certain, it is a foreign worker's, or it is open for somebody else.

import type { FleetMode, Member } from '../leases/control-store.ts'
import { isSession } from '../leases/session-id.ts'
import type { Lease } from '../model/lease.ts'
import type { GoneSession } from './member-watch.ts'

/** Who is to hold a lease. */
export interface Assignment {
  /** The session that is to hold it. */
  readonly to: string
  /** Since when, in monotonic milliseconds of the leader. -Infinity: it was found so. */
  readonly sinceMs: number
  /** The living owner that it moves away from, while it moves. */
  readonly from?: string
}

/** Who is to hold what, by lease key. A value, carried from plan to plan. */
export type Assignments = ReadonlyMap<string, Assignment>

/** Why a lease is given to somebody. */
export type MoveReason =
  | 'orphan' /** nobody has it */
  | 'restarted' /** its worker has restarted and is back */
  | 'drained' /** its owner is stopping */
  | 'limit' /** its holder has more than its `maxLeases` */
  | 'avoided' /** who was to hold it cannot take it now */
  | 'unclaimed' /** who was to hold it has more to claim than its share */
  | 'balance' /** by the number of leases */
  | 'weight' /** by what they carry */
  | 'foreign' /** a foreign worker has more than its share */
  | 'ordered' /** an operator wants it so */

/** How one lease stands. `keeps`: with its session, living or not, until something is known for certain. */
export type Standing =
  | { readonly kind: 'stays' | 'keeps'; readonly assignment: Assignment }
  | { readonly kind: 'foreign'; readonly owner: string }
  | { readonly kind: 'open'; readonly why: MoveReason; readonly heirOf?: string }

/** What an owner, or a session that is to hold something, is. `restarting`: its worker is expected back. */
export type Standpoint = 'active' | 'draining' | 'restarting' | 'gone' | 'foreign' | 'undecided'

/** Who is who. */
export interface Roll {
  /** Active sessions. Leases are given to no others. */
  readonly active: ReadonlyMap<string, Member>
  /** Ids of the workers that have an active session. */
  readonly workerIds: ReadonlySet<string>
  what(id: string): Standpoint
  workerIdOf(session: string): string | undefined
}

/** What a roll is called from. */
export interface RollFacts {
  readonly mode: FleetMode
  /** Living sessions. */
  readonly members: readonly Member[]
  /** Dead sessions whose leases may be claimed. */
  readonly gone: readonly GoneSession[]
  /** Foreign owners of leases. `silent`: the counters of their leases stand still. */
  readonly foreign: ReadonlyMap<string, { readonly silent: boolean }>
  /** How long the leases of a session that said it restarts are held back. Milliseconds. */
  readonly restartGraceMs: number
}

/** Makes the roll. An owner is undecided if it is a session that is neither alive nor known to be dead. */
export function callRoll({ mode, members, gone, foreign, restartGraceMs }: RollFacts): Roll {
  const living = new Map(members.map(member => [member.session, member]))
  const dead = new Map(gone.map(session => [session.session, session]))
  const active = new Map([...living].filter(([, { state }]) => state === 'ACTIVE'))
  const what = (id: string): Standpoint => {
    const state = living.get(id)?.state
    if (state !== undefined) return state === 'ACTIVE' ? 'active' : state === 'DRAINING' ? 'draining' : 'restarting'
    const death = dead.get(id)
    if (death !== undefined) return death.wasRestarting && death.forMs < restartGraceMs ? 'restarting' : 'gone'
    if (isSession(id)) return 'undecided'
    return mode === 'mixed' && foreign.get(id)?.silent === true ? 'gone' : 'foreign'
  }
  return {
    active,
    workerIds: new Set([...active.values()].map(({ workerId }) => workerId)),
    what,
    workerIdOf: session => (living.get(session) ?? dead.get(session))?.workerId
  }
}

/**
 * Judges one lease. Ownership is the truth and a plan is a wish: where an active session owns a lease that no plan moves
 * away from it, the plan follows.
 */
export function judgeStanding({ leaseKey, owner }: Lease, before: Assignment | undefined, roll: Roll): Standing {
  const holder = before === undefined ? undefined : roll.active.get(before.to)
  if (before !== undefined && holder !== undefined) {
    const { to, sinceMs, from } = before
    if (owner === to) return { kind: 'stays', assignment: from === undefined ? before : { to, sinceMs } }
    if (!holder.avoid.includes(leaseKey) && mayStillCome(owner, from, roll)) {
      return { kind: 'stays', assignment: withFrom(before, owner, roll) }
    }
  }
  if (owner !== undefined) return judgeOwned(owner, before, roll)
  if (before === undefined) return { kind: 'open', why: 'orphan' }
  switch (roll.what(before.to)) {
    case 'active':
      return { kind: 'open', why: 'avoided' }
    case 'draining':
      return { kind: 'open', why: 'drained' }
    case 'restarting':
      return heldBack(before.to, before, roll)
    default:
      return { kind: 'open', why: 'orphan' }
  }
}

/** Whether a lease can still get from its owner to the one that is to hold it. */
function mayStillCome(owner: string | undefined, from: string | undefined, roll: Roll): boolean {
  if (owner === undefined || owner === from) return true
  const what = roll.what(owner)
  return what !== 'active' && what !== 'foreign'
}

/** The assignment with the owner that has to let go, as long as there is one. */
function withFrom(before: Assignment, owner: string | undefined, roll: Roll): Assignment {
  const { to, sinceMs } = before
  if (owner === undefined || owner === before.from) return before
  return roll.what(owner) === 'gone' ? { to, sinceMs } : { to, sinceMs, from: owner }
}

function judgeOwned(owner: string, before: Assignment | undefined, roll: Roll): Standing {
  const found = { to: owner, sinceMs: before?.to === owner ? before.sinceMs : Number.NEGATIVE_INFINITY }
  switch (roll.what(owner)) {
    case 'active':
      return { kind: 'stays', assignment: found }
    case 'foreign':
      return { kind: 'foreign', owner }
    case 'undecided':
      return { kind: 'keeps', assignment: found }
    case 'restarting':
      return heldBack(owner, found, roll)
    case 'draining':
      return { kind: 'open', why: 'drained' }
    case 'gone':
      return { kind: 'open', why: 'orphan' }
  }
}

function heldBack(session: string, assignment: Assignment, roll: Roll): Standing {
  const workerId = roll.workerIdOf(session)
  const isBack = workerId !== undefined && roll.workerIds.has(workerId)
  return isBack ? { kind: 'open', why: 'restarted', heirOf: workerId } : { kind: 'keeps', assignment }
}
