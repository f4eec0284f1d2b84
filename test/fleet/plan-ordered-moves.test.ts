import { expect } from 'chai'
import { giveAsOrdered } from '../../src/fleet/plan-ordered-moves.ts'
import type { OpenLease } from '../../src/fleet/plan-placement.ts'
import { foreignSeat, type Holding, newHolding, place, type Seat, seatOf } from '../../src/fleet/plan-seating.ts'
import { aMember, session } from './fleet-model.ts'

const NOW_MS = 1_000
const [A, B] = [session('a'), session('b')]

function ordered(seats: readonly Seat[], holdings: readonly Holding[], to: string, open: readonly OpenLease[] = []) {
  const moves = new Map([['x', to]])
  return giveAsOrdered({ seats, holdings, open, moves, nowMs: NOW_MS })
}

/** A lease that its owner has, at the owner's seat. */
function heldBy(seat: Seat): Holding {
  const holding = newHolding('x', seat.session, 1)
  seat.leaving = 1
  place(holding, seat)
  return holding
}

describe('giveAsOrdered', () => {
  it('moves a lease from its owner to the worker, and no other', () => {
    const [a, b] = [seatOf(aMember('a'), false), seatOf(aMember('b'), false)]
    const [holding, other] = [heldBy(a), newHolding('y', undefined, 1)]
    ordered([a, b], [holding, other], 'b')
    expect(holding).to.include({ seat: b, from: A, sinceMs: NOW_MS, why: 'ordered' })
    expect(other.seat).to.equal(undefined)
    expect(a).to.include({ count: 0, leaving: 1 })
    expect(b).to.include({ count: 1 })
  })

  it('gives an open lease, which is open no more', () => {
    const b = seatOf(aMember('b'), false)
    const [x, y] = [newHolding('x', undefined, 1), newHolding('y', undefined, 1)]
    const open = [x, y].map(holding => ({ holding, why: 'orphan' as const }))
    expect(ordered([b], [x, y], 'b', open)).to.deep.equal([open[1]])
    expect(x).to.include({ seat: b, from: undefined })
  })

  it('leaves it with the worker that has it, or that it is on its way to', () => {
    const b = seatOf(aMember('b'), false)
    const holding = heldBy(b)
    ordered([b], [holding], 'b')
    expect(holding.why).to.equal(undefined)
  })

  it('calls back to its owner what is on its way to another worker, even if that has no room for more', () => {
    const [a, b] = [seatOf(aMember('a', { maxLeases: 1 }), false), seatOf(aMember('b'), false)]
    const holding = heldBy(a)
    place(holding, b)
    holding.from = A
    ordered([a, b], [holding], 'a')
    expect(holding).to.include({ seat: a, from: undefined, why: 'ordered' })
    expect(a).to.include({ count: 1, leaving: 0 })
  })

  it('takes the newest generation of several sessions of one worker', () => {
    const old = seatOf(aMember('b', { session: session('b', 1), generation: 1 }), false)
    const young = seatOf(aMember('b', { session: session('b', 2), generation: 2 }), false)
    const holding = newHolding('x', undefined, 1)
    ordered([young, old], [holding], 'b')
    expect(holding.seat).to.equal(young)
  })

  const unable: Record<string, Seat> = {
    'is not there': seatOf(aMember('c'), false),
    'has no room': seatOf(aMember('b', { maxLeases: 0 }), false),
    'cannot take it now': seatOf(aMember('b', { avoid: ['x'] }), false),
    'has not been heard of': seatOf(aMember('b'), true),
    'is of another kind': { ...foreignSeat(B), workerId: 'b' }
  }
  for (const [why, seat] of Object.entries(unable)) {
    it(`leaves it where it is if the worker ${why}`, () => {
      const holding = newHolding('x', undefined, 1)
      const open = [{ holding, why: 'orphan' as const }]
      expect(ordered([seat], [holding], 'b', open)).to.deep.equal(open)
      expect(holding.seat).to.equal(undefined)
    })
  }
})
