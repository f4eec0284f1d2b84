// The worksheet of one plan: a seat for each owner that counts, and a holding for each lease that has or needs one. It
// changes while the plan is made, and nobody else sees it.
import type { Member } from '../leases/control-store.ts'
import type { MoveReason } from './plan-standings.ts'

/** One that can hold leases: an active session, or a foreign worker, which holds what it has and is given nothing. */
export interface Seat {
  readonly session: string
  readonly workerId: string
  readonly generation: number
  readonly capacity: number
  /** May be Infinity. */
  readonly maxLeases: number
  readonly avoid: ReadonlySet<string>
  readonly isForeign: boolean
  /** It has not been heard of lately. */
  readonly isSuspect: boolean
  /** How many leases it is to hold. */
  count: number
  /** What they cost it together. */
  cost: number
  /** How many it owns that it is not to hold: until it has let go of them they take up room. */
  leaving: number
}

/** One lease in the plan. */
export interface Holding {
  readonly leaseKey: string
  /** Living owner, or one of which it is not known. Absent: the lease can be claimed. */
  readonly owner: string | undefined
  /** What it costs whoever holds it. 1 on average. */
  readonly cost: number
  /** Kilobytes per second, as measured. Absent: not measured yet. */
  readonly load: number | undefined
  seat: Seat | undefined
  sinceMs: number
  /** The living owner that it moves away from. Absent: it does not move. */
  from: string | undefined
  /** Why this plan gave it to somebody. Absent: it did not. */
  why: MoveReason | undefined
}

/** The seat of an active session. */
export function seatOf(member: Member, isSuspect: boolean): Seat {
  const { session, workerId, generation, capacity, maxLeases = Number.POSITIVE_INFINITY } = member
  const avoid = new Set(member.avoid)
  const isForeign = false
  return {
    session,
    workerId,
    generation,
    capacity,
    maxLeases,
    avoid,
    isForeign,
    isSuspect,
    count: 0,
    cost: 0,
    leaving: 0
  }
}

/** The seat of a foreign worker. It counts like one of ours. */
export function foreignSeat(owner: string): Seat {
  return {
    session: owner,
    workerId: owner,
    generation: 0,
    capacity: 1,
    maxLeases: Number.POSITIVE_INFINITY,
    avoid: new Set(),
    isForeign: true,
    isSuspect: false,
    count: 0,
    cost: 0,
    leaving: 0
  }
}

/** A lease that nobody is to hold yet. */
export function newHolding(leaseKey: string, owner: string | undefined, cost: number, load?: number): Holding {
  const sinceMs = Number.NEGATIVE_INFINITY
  return { leaseKey, owner, cost, load, seat: undefined, sinceMs, from: undefined, why: undefined }
}

/** Puts a lease at another seat, or at none. The `leaving` of its owner has to count it while it is not at the owner's seat. */
export function place(holding: Holding, seat: Seat | undefined): void {
  const { seat: last, owner, cost } = holding
  if (last !== undefined) {
    last.count--
    last.cost -= cost
    if (owner === last.session) last.leaving++
  }
  if (seat !== undefined) {
    seat.count++
    seat.cost += cost
    if (owner === seat.session) seat.leaving--
  }
  holding.seat = seat
}

/** Gives a lease to a seat as a decision of this plan. */
export function give(holding: Holding, seat: Seat, why: MoveReason, nowMs: number): void {
  place(holding, seat)
  holding.sinceMs = nowMs
  holding.from = holding.owner === seat.session ? undefined : holding.owner
  holding.why = why
}

/** Whether a seat has room for one more lease. */
export function hasRoom(seat: Seat): boolean {
  return !seat.isForeign && seat.count + seat.leaving < seat.maxLeases
}

/** Whether a lease that its session does not own can be given to a seat. */
export function canTake(seat: Seat, { leaseKey }: Holding): boolean {
  return hasRoom(seat) && !seat.avoid.has(leaseKey)
}
