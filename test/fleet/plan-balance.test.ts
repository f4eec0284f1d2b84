import { expect } from 'chai'
import { evenOut } from '../../src/fleet/plan-balance.ts'
import { foreignSeat, type Holding, newHolding, place, type Seat, seatOf } from '../../src/fleet/plan-seating.ts'
import { aMember, session } from './fleet-model.ts'

/** Puts `count` leases at a seat, named after it: a0, a1, … */
function filled(seat: Seat, count: number): Holding[] {
  const name = seat.workerId
  return Array.from({ length: count }, (_, i) => {
    const holding = newHolding(`${name}${i}`, seat.session, 1)
    seat.leaving++
    place(holding, seat)
    return holding
  })
}

function seatsOf(...ids: string[]): Seat[] {
  return ids.map(id => seatOf(aMember(id), false))
}

const rest = { atMost: 100, nowMs: 5, why: 'balance' } as const

describe('evenOut', () => {
  it('moves only from above to below a quota, those first that come first', () => {
    const seats = seatsOf('a', 'b', 'c')
    const counts = [5, 2, 1]
    const holdings = seats.flatMap((seat, i) => filled(seat, counts[i] ?? 0))
    expect(evenOut({ ...rest, seats, quotas: [3, 3, 2], movable: holdings })).to.deep.equal({
      moved: 2,
      more: false,
      isUneven: false
    })
    const moved = holdings.filter(({ why }) => why !== undefined)
    expect(moved.map(({ leaseKey, from, seat, sinceMs }) => [leaseKey, from, seat?.workerId, sinceMs])).to.deep.equal([
      ['a0', session('a'), 'b', 5],
      ['a1', session('a'), 'c', 5]
    ])
    expect(seats.map(({ count, leaving }) => [count, leaving])).to.deep.equal([
      [3, 2],
      [3, 0],
      [2, 0]
    ])
  })

  it('takes from who has the most above, for who has the most below', () => {
    const seats = seatsOf('a', 'b', 'c', 'd')
    const counts = [4, 6, 0, 2]
    const holdings = seats.flatMap((seat, i) => filled(seat, counts[i] ?? 0))
    const outcome = evenOut({ ...rest, seats, quotas: [3, 3, 3, 3], movable: holdings, atMost: 2 })
    expect(outcome).to.deep.equal({ moved: 2, more: true, isUneven: true })
    expect(seats.map(({ count }) => count)).to.deep.equal([4, 4, 2, 2])
  })

  it('only finds out what is to move if nothing may', () => {
    const seats = seatsOf('a', 'b')
    const holdings = filled(seats[0] as Seat, 4)
    expect(evenOut({ ...rest, seats, quotas: [2, 2], movable: holdings, atMost: 0 })).to.deep.equal({
      moved: 0,
      more: true,
      isUneven: true
    })
    expect(evenOut({ ...rest, seats, quotas: [4, 0], movable: holdings, atMost: 0 })).to.deep.equal({
      moved: 0,
      more: false,
      isUneven: false
    })
    expect(evenOut({ ...rest, seats, quotas: [2, 2], movable: [], atMost: 0 })).to.deep.equal({
      moved: 0,
      more: false,
      isUneven: true
    })
  })

  it('gives nobody what it cannot take: full, avoiding, or not heard of lately', () => {
    const a = seatOf(aMember('a'), false)
    const full = seatOf(aMember('b', { maxLeases: 1 }), false)
    const avoiding = seatOf(aMember('c', { avoid: ['a0', 'a1', 'a2'] }), false)
    const suspect = seatOf(aMember('d'), true)
    const holdings = [...filled(a, 8), ...filled(full, 1)]
    evenOut({ ...rest, seats: [a, full, avoiding, suspect], quotas: [2, 3, 2, 2], movable: holdings })
    expect([a, full, avoiding, suspect].map(({ count }) => count)).to.deep.equal([6, 1, 2, 0])
    expect(avoiding.count).to.equal(2)
    expect(holdings.filter(({ why }) => why !== undefined).map(({ leaseKey }) => leaseKey)).to.deep.equal(['a3', 'a4'])
  })

  it('goes on with the next receiver if the neediest avoids everything there is', () => {
    const a = seatOf(aMember('a'), false)
    const avoiding = seatOf(aMember('b', { avoid: ['a0', 'a1', 'a2', 'a3'] }), false)
    const c = seatOf(aMember('c'), false)
    const outcome = evenOut({ ...rest, seats: [a, avoiding, c], quotas: [1, 2, 1], movable: filled(a, 4) })
    expect(outcome).to.deep.equal({ moved: 1, more: false, isUneven: true })
    expect(c.count).to.equal(1)
  })

  it('says of leases of a foreign worker that they are, and gives it none', () => {
    const [java, idle, a] = [foreignSeat('java'), foreignSeat('other'), seatOf(aMember('a'), false)]
    const holdings = filled(java, 4)
    evenOut({ ...rest, seats: [a, java, idle], quotas: [2, 1, 1], movable: holdings })
    expect(holdings.flatMap(({ why }) => why ?? [])).to.deep.equal(['foreign', 'foreign'])
    expect(idle.count).to.equal(0)
  })
})
