import { expect } from 'chai'
import { foreignSeat, type Holding, newHolding, place, type Seat, seatOf } from '../../src/fleet/plan-seating.ts'
import { evenOutWeights, meanLoad } from '../../src/fleet/plan-weights.ts'
import { aMember } from './fleet-model.ts'

/** Puts leases with these loads at a seat, named after it: a0, a1, … */
function filled(seat: Seat, loads: readonly (number | undefined)[]): Holding[] {
  return loads.map((load, i) => {
    const holding = newHolding(`${seat.workerId}${i}`, seat.session, 1, load)
    seat.leaving++
    place(holding, seat)
    return holding
  })
}

const rest = { mayMove: () => true, atMost: 100, nowMs: 5 }

function keysAt(seat: Seat, holdings: readonly Holding[]): string[] {
  return holdings.filter(holding => holding.seat === seat).map(({ leaseKey }) => leaseKey)
}

describe('meanLoad', () => {
  it('is 0 of nothing', () => {
    expect(meanLoad([])).to.equal(0)
    expect(meanLoad([0, 4, 5])).to.equal(3)
  })
})

describe('evenOutWeights', () => {
  it('moves the lease that evens out the most', () => {
    const [a, b] = [seatOf(aMember('a'), false), seatOf(aMember('b'), false)]
    const holdings = [...filled(a, [50, 30, 10, 5]), ...filled(b, [35])]
    expect(evenOutWeights({ ...rest, seats: [a, b], holdings })).to.deep.equal({
      moved: 1,
      more: false,
      isUneven: false
    })
    expect(keysAt(b, holdings)).to.deep.equal(['a1', 'b0'])
    expect(holdings[1]).to.include({ why: 'weight', sinceMs: 5, from: a.session })
  })

  it('leaves loads alone that differ by less than a tenth', () => {
    const [a, b] = [seatOf(aMember('a'), false), seatOf(aMember('b'), false)]
    const holdings = [...filled(a, [50, 4]), ...filled(b, [46])]
    expect(evenOutWeights({ ...rest, seats: [a, b], holdings })).to.deep.equal({
      moved: 0,
      more: false,
      isUneven: false
    })
  })

  it('has a hot lease where it is, and moves what is beside it', () => {
    const [a, b] = [seatOf(aMember('a'), false), seatOf(aMember('b'), false)]
    const holdings = [...filled(a, [500, 20, 20]), ...filled(b, [20])]
    expect(evenOutWeights({ ...rest, seats: [a, b], holdings })).to.deep.equal({
      moved: 2,
      more: false,
      isUneven: true
    })
    expect(keysAt(a, holdings)).to.deep.equal(['a0'])
  })

  it('moves no idle leases, and none that were not measured', () => {
    const [a, b] = [seatOf(aMember('a'), false), seatOf(aMember('b'), false)]
    const holdings = [...filled(a, [50, 50, 0, 0.2, undefined]), ...filled(b, [0])]
    expect(evenOutWeights({ ...rest, seats: [a, b], holdings }).moved).to.equal(1)
    expect(keysAt(b, holdings)).to.deep.equal(['a0', 'b0'])
    const idle = [...filled(a, [0, 0, 0])]
    expect(evenOutWeights({ ...rest, seats: [a, b], holdings: idle })).to.deep.equal({
      moved: 0,
      more: false,
      isUneven: false
    })
  })

  it('carries in proportion to capacity', () => {
    const [a, b] = [seatOf(aMember('a'), false), seatOf(aMember('b', { capacity: 3 }), false)]
    const holdings = filled(a, [10, 10, 10, 10, 10, 10, 10, 10])
    evenOutWeights({ ...rest, seats: [a, b], holdings })
    expect([a.count, b.count]).to.deep.equal([2, 6])
  })

  it('moves no more than it may, and says that there is more', () => {
    const [a, b] = [seatOf(aMember('a'), false), seatOf(aMember('b'), false)]
    const holdings = filled(a, [10, 10, 10, 10])
    expect(evenOutWeights({ ...rest, seats: [a, b], holdings, atMost: 0 })).to.deep.equal({
      moved: 0,
      more: true,
      isUneven: true
    })
    expect(b.count).to.equal(0)
    expect(evenOutWeights({ ...rest, seats: [a, b], holdings, atMost: 1 })).to.deep.equal({
      moved: 1,
      more: true,
      isUneven: true
    })
    const cooling = { ...rest, seats: [a, b], holdings, mayMove: () => false }
    expect(evenOutWeights(cooling)).to.deep.equal({ moved: 0, more: false, isUneven: true })
  })

  it('gives nobody what it cannot take: full, avoiding, not heard of lately, or foreign', () => {
    const a = seatOf(aMember('a'), false)
    const full = seatOf(aMember('b', { maxLeases: 0 }), false)
    const suspect = seatOf(aMember('c'), true)
    const avoiding = seatOf(aMember('d', { avoid: ['a0', 'a1'] }), false)
    const java = foreignSeat('java')
    const holdings = [...filled(a, [10, 10, 10, 10])]
    const seats = [a, full, suspect, avoiding, java]
    expect(evenOutWeights({ ...rest, seats, holdings }).moved).to.equal(2)
    expect(keysAt(avoiding, holdings)).to.deep.equal(['a2', 'a3'])
  })

  it('takes from a foreign worker, and says so', () => {
    const [a, java] = [seatOf(aMember('a'), false), foreignSeat('java')]
    const holdings = filled(java, [10, 10])
    evenOutWeights({ ...rest, seats: [a, java], holdings })
    expect(holdings.flatMap(({ why }) => why ?? [])).to.deep.equal(['foreign'])
  })
})
