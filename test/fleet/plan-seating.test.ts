import { expect } from 'chai'
import { canTake, foreignSeat, give, hasRoom, newHolding, place, seatOf } from '../../src/fleet/plan-seating.ts'
import { aMember, session } from './fleet-model.ts'

describe('seatOf', () => {
  it('is empty, and has no limit unless the member has one', () => {
    expect(seatOf(aMember('a', { capacity: 2, avoid: ['x'] }), true)).to.deep.equal({
      session: session('a'),
      workerId: 'a',
      generation: 1,
      capacity: 2,
      maxLeases: Number.POSITIVE_INFINITY,
      avoid: new Set(['x']),
      isForeign: false,
      isSuspect: true,
      count: 0,
      cost: 0,
      leaving: 0
    })
    expect(seatOf(aMember('a', { maxLeases: 3 }), false).maxLeases).to.equal(3)
  })
})

describe('place', () => {
  it('counts what each seat is to hold, and what it costs', () => {
    const [a, b] = [seatOf(aMember('a'), false), seatOf(aMember('b'), false)]
    const holding = newHolding('x', undefined, 1.5)
    place(holding, a)
    expect(a).to.include({ count: 1, cost: 1.5, leaving: 0 })
    place(holding, b)
    expect(a).to.include({ count: 0, cost: 0, leaving: 0 })
    expect(b).to.include({ count: 1, cost: 1.5 })
    place(holding, undefined)
    expect(b).to.include({ count: 0, cost: 0 })
    expect(holding.seat).to.equal(undefined)
  })

  it('counts what an owner is not to hold any more as leaving, for as long as it is elsewhere', () => {
    const [a, b] = [seatOf(aMember('a'), false), seatOf(aMember('b'), false)]
    a.leaving = 1
    const holding = newHolding('x', session('a'), 1)
    place(holding, a)
    expect(a.leaving).to.equal(0)
    place(holding, b)
    expect(a.leaving).to.equal(1)
    expect(b.leaving).to.equal(0)
  })
})

describe('give', () => {
  it('remembers since when, why, and who has to let go', () => {
    const b = seatOf(aMember('b'), false)
    const holding = newHolding('x', session('a'), 1, 40)
    give(holding, b, 'balance', 77)
    expect(holding).to.include({ seat: b, sinceMs: 77, why: 'balance', from: session('a'), load: 40 })
    const free = newHolding('y', undefined, 1)
    give(free, b, 'orphan', 78)
    expect(free.from).to.equal(undefined)
  })
})

describe('canTake', () => {
  it('keeps to the limit, counting what is still to be let go of', () => {
    const a = seatOf(aMember('a', { maxLeases: 2 }), false)
    place(newHolding('x', undefined, 1), a)
    expect(hasRoom(a)).to.equal(true)
    a.leaving = 1
    expect(hasRoom(a)).to.equal(false)
    expect(canTake(a, newHolding('y', undefined, 1))).to.equal(false)
  })

  it('refuses what the session cannot take now, and gives nothing to foreign workers', () => {
    const a = seatOf(aMember('a', { avoid: ['x'] }), false)
    expect(canTake(a, newHolding('x', undefined, 1))).to.equal(false)
    expect(canTake(a, newHolding('y', undefined, 1))).to.equal(true)
    expect(canTake(foreignSeat('java'), newHolding('y', undefined, 1))).to.equal(false)
  })
})
