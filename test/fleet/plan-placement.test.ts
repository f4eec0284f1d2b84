import { expect } from 'chai'
import { placeOpen } from '../../src/fleet/plan-placement.ts'
import { planShares } from '../../src/fleet/plan-quotas.ts'
import { foreignSeat, newHolding, place, type Seat, seatOf } from '../../src/fleet/plan-seating.ts'
import type { Member } from '../../src/leases/control-store.ts'
import { aMember } from './fleet-model.ts'

/** Who gets how many of `count` leases, if each member has as many as said. */
function placed(
  members: readonly (Member & { readonly has?: number; readonly isSuspect?: boolean })[],
  count: number,
  { costs = [] as number[], heirOf = undefined as string | undefined } = {}
): { counts: Record<string, number>; unplaced: string[]; seats: Seat[] } {
  const seats = members.map(member => {
    const seat = seatOf(member, member.isSuspect === true)
    for (let i = member.has ?? 0; i > 0; i--) place(newHolding(`${member.workerId} ${i}`, member.session, 0), seat)
    seat.leaving = 0
    seat.cost = member.has ?? 0
    return seat
  })
  const before = new Map(seats.map(seat => [seat, seat.count]))
  const open = Array.from({ length: count }, (_, i) => {
    const holding = newHolding(`x${i}`, undefined, costs[i] ?? 1)
    return heirOf === undefined ? { holding, why: 'orphan' as const } : { holding, why: 'restarted' as const, heirOf }
  })
  const total = [...seats, ...open.map(({ holding }) => holding)].reduce((sum, { cost }) => sum + cost, 0)
  const shares = planShares(
    seats.map(({ capacity, maxLeases }) => ({ capacity, limit: maxLeases })),
    total
  )
  const unplaced = placeOpen(open, seats, shares, 5)
  const counts = Object.fromEntries(seats.map(seat => [seat.workerId, seat.count - (before.get(seat) ?? 0)]))
  return { counts, unplaced: unplaced.map(({ leaseKey }) => leaseKey), seats }
}

describe('placeOpen', () => {
  it('gives to the least loaded, ties in the order of sessions', () => {
    expect(placed([{ ...aMember('a'), has: 3 }, { ...aMember('b'), has: 1 }, aMember('c')], 3).counts).to.deep.equal({
      a: 0,
      b: 1,
      c: 2
    })
    expect(placed([aMember('a'), aMember('b')], 3).counts).to.deep.equal({ a: 2, b: 1 })
  })

  it('gives in proportion to capacity', () => {
    expect(placed([aMember('a'), aMember('b', { capacity: 3 })], 8).counts).to.deep.equal({ a: 2, b: 6 })
    expect(placed([aMember('a'), aMember('b', { capacity: 3 })], 1).counts).to.deep.equal({ a: 0, b: 1 })
  })

  it('fills the newest generation first, up to its fair share, and then the least loaded of all', () => {
    const next = aMember('n', { generation: 2 })
    expect(placed([{ ...aMember('a'), has: 2 }, { ...aMember('b'), has: 2 }, next], 2).counts).to.deep.equal({
      a: 0,
      b: 0,
      n: 2
    })
    expect(placed([aMember('a'), aMember('b'), next], 6).counts).to.deep.equal({ a: 2, b: 2, n: 2 })
    const full = { ...next, has: 20 }
    expect(placed([{ ...aMember('a'), has: 20 }, { ...aMember('b'), has: 17 }, full], 2).counts).to.deep.equal({
      a: 0,
      b: 2,
      n: 0
    })
  })

  it('gives to those not heard of lately only what nobody else can take', () => {
    const silent = { ...aMember('a'), isSuspect: true }
    expect(placed([silent, { ...aMember('b'), has: 9 }], 3).counts).to.deep.equal({ a: 0, b: 3 })
    expect(placed([silent, aMember('b', { maxLeases: 2 })], 3).counts).to.deep.equal({ a: 1, b: 2 })
  })

  it('exceeds no limit, places first what fewest can take, and says what nobody may', () => {
    const { counts, unplaced } = placed(
      [aMember('a', { maxLeases: 2 }), aMember('b', { avoid: ['x0', 'x3', 'x4'] })],
      6
    )
    expect(counts).to.deep.equal({ a: 2, b: 3 })
    expect(unplaced).to.deep.equal(['x4'])
    expect(placed([], 2).unplaced).to.deep.equal(['x0', 'x1'])
  })

  it('gives nothing to foreign workers', () => {
    const seat = foreignSeat('java')
    expect(placeOpen([{ holding: newHolding('x', undefined, 1), why: 'orphan' }], [seat], [9], 5)).to.have.length(1)
    expect(seat.count).to.equal(0)
  })

  it('gives what is held back for a worker to that worker, as far as it has room', () => {
    const heir = aMember('b', { maxLeases: 12 })
    expect(placed([aMember('a'), { ...heir, has: 9 }], 3, { heirOf: 'b' }).counts).to.deep.equal({ a: 0, b: 3 })
    expect(placed([aMember('a'), { ...heir, has: 11 }], 3, { heirOf: 'b' }).counts).to.deep.equal({ a: 2, b: 1 })
    expect(placed([aMember('a')], 1, { heirOf: 'b' }).counts).to.deep.equal({ a: 1 })
  })

  it('evens out what leases cost, not how many there are', () => {
    const { counts, seats } = placed([aMember('a'), aMember('b')], 5, { costs: [4, 1, 1, 1, 1] })
    expect(counts).to.deep.equal({ a: 1, b: 4 })
    expect(seats.map(({ cost }) => cost)).to.deep.equal([4, 4])
  })
})
