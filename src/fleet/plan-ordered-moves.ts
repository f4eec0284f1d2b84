// Which leases go to a certain worker because an operator has ordered it, whatever balance would say.
import type { OpenLease } from './plan-placement.ts'
import { canTake, give, type Holding, type Seat } from './plan-seating.ts'

/** A worksheet, as far as it matters here. */
export interface OrderedMoveFacts {
  readonly seats: readonly Seat[]
  readonly holdings: readonly Holding[]
  readonly open: readonly OpenLease[]
  /** Ids of workers, by lease key. */
  readonly moves: ReadonlyMap<string, string>
  readonly nowMs: number
}

/**
 * Gives leases to the workers that they are ordered to go to, as far as these are there and can take them; of several
 * sessions of one worker, to that of the newest generation. Returns the leases that are still open.
 */
export function giveAsOrdered({ seats, holdings, open, moves, nowMs }: OrderedMoveFacts): readonly OpenLease[] {
  if (moves.size === 0) return open
  const given = new Set<Holding>()
  for (const holding of holdings) {
    const workerId = moves.get(holding.leaseKey)
    const seat = workerId === undefined ? undefined : seatOfWorker(seats, workerId)
    if (seat === undefined || holding.seat === seat || !isFree(seat, holding)) continue
    give(holding, seat, 'ordered', nowMs)
    given.add(holding)
  }
  return open.filter(({ holding }) => !given.has(holding))
}

function seatOfWorker(seats: readonly Seat[], workerId: string): Seat | undefined {
  const its = seats.filter(seat => seat.workerId === workerId && !seat.isForeign && !seat.isSuspect)
  return its.reduce<Seat | undefined>((a, b) => (a === undefined || b.generation >= a.generation ? b : a), undefined)
}

/** What the worker still owns, because it has not let go of it yet, takes up no more room. */
function isFree(seat: Seat, holding: Holding): boolean {
  return holding.owner === seat.session || canTake(seat, holding)
}
