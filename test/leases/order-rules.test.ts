import { expect } from 'chai'
import {
  covers,
  type Hold,
  NO_ORDERS,
  type Orders,
  rivalOf,
  sameOrders,
  withBeat,
  withHold,
  withMove,
  withoutHold,
  withoutOrders
} from '../../src/leases/order-rules.ts'

const aHold = (id: string, with_: Partial<Hold> = {}): Hold => ({
  ...{ id, why: 'a reset', by: 'ann', isKept: false, beat: 0, leases: ['a'] },
  ...with_
})
const aMove = (id: string, leaseKey: string, to = 'w1') => ({ id, leaseKey, to, by: 'ann' })

const some: Orders = { ver: 4, holds: [aHold('h1'), aHold('h2')], moves: [aMove('m1', 'a'), aMove('m2', 'b')] }

describe('covers', () => {
  it('is true of the leases that a hold names, or of all', () => {
    expect(['a', 'b', 'c'].filter(key => covers(aHold('h', { leases: ['a', 'c'] }), key))).to.deep.equal(['a', 'c'])
    expect(covers(aHold('h', { leases: 'all' }), 'whatever')).to.equal(true)
  })
})

describe('rivalOf', () => {
  const alone = (id: string, leases: Hold['leases'], isAlone = true): Hold => ({
    ...{ id, why: 'a reset', by: 'ann', isKept: false, beat: 0, leases },
    ...(isAlone && { isAlone })
  })
  const rival = (there: Hold, mine: Hold): string | undefined => rivalOf(withHold(NO_ORDERS, there), mine)?.id

  it('is who writes rows of one of the same leases', () => {
    expect(rival(alone('a', ['x', 'y']), alone('b', ['y']))).to.equal('a')
    expect(rival(alone('a', 'all'), alone('b', ['y']))).to.equal('a')
    expect(rival(alone('a', ['x']), alone('b', 'all'))).to.equal('a')
    expect(rival(alone('a', ['x']), alone('b', ['y']))).to.equal(undefined)
  })

  it('is neither who has them on hold for something else, nor oneself', () => {
    expect(rival(alone('a', 'all', false), alone('b', 'all'))).to.equal(undefined)
    expect(rival(alone('a', 'all'), alone('a', 'all'))).to.equal(undefined)
  })
})

describe('withHold', () => {
  it('adds one in the order of the ids, with its leases in order, and counts up the version', () => {
    const orders = withHold(some, aHold('h0', { leases: ['b', 'a', 'b'] }))
    expect(orders.ver).to.equal(5)
    expect(orders.holds.map(({ id }) => id)).to.deep.equal(['h0', 'h1', 'h2'])
    expect(orders.holds[0]?.leases).to.deep.equal(['a', 'b'])
    expect(orders.moves).to.equal(some.moves)
  })

  it('takes the place of one with the same id, and of that alone if it is about no lease', () => {
    expect(withHold(some, aHold('h2', { leases: 'all' })).holds.map(({ leases }) => leases)).to.deep.equal([
      ['a'],
      'all'
    ])
    expect(withHold(some, aHold('h2', { leases: [] })).holds.map(({ id }) => id)).to.deep.equal(['h1'])
  })
})

describe('withoutHold', () => {
  it('leaves out that one', () => {
    expect(withoutHold(some, 'h1')).to.deep.equal({ ...some, ver: 5, holds: [aHold('h2')] })
  })
})

describe('withBeat', () => {
  it('counts up the beat of one hold', () => {
    expect(withBeat(some, 'h2')).to.deep.equal({ ...some, ver: 5, holds: [aHold('h1'), aHold('h2', { beat: 1 })] })
  })
})

describe('withMove', () => {
  it('adds one in the order of the leases, in the place of another one of the same lease', () => {
    expect(withMove(some, aMove('m3', 'a', 'w2')).moves).to.deep.equal([aMove('m3', 'a', 'w2'), aMove('m2', 'b')])
    expect(withMove(some, aMove('m3', 'aa')).moves.map(({ id }) => id)).to.deep.equal(['m1', 'm3', 'm2'])
  })
})

describe('withoutOrders', () => {
  it('leaves out holds and moves by id', () => {
    expect(withoutOrders(some, new Set(['h2', 'm1', 'x']))).to.deep.equal({
      ver: 5,
      holds: [aHold('h1')],
      moves: [aMove('m2', 'b')]
    })
  })
})

describe('sameOrders', () => {
  it('holds only of the same version with the same orders, in whatever order their properties are', () => {
    const [hold] = some.holds
    const turned = Object.fromEntries(Object.entries(hold ?? {}).reverse()) as unknown as Hold
    expect(sameOrders(some, { ...some, holds: [turned, aHold('h2')] })).to.equal(true)
    expect(sameOrders(some, { ...some, ver: 5 })).to.equal(false)
    expect(sameOrders(some, withBeat({ ...some, ver: 3 }, 'h1'))).to.equal(false)
    expect(sameOrders(NO_ORDERS, { ...NO_ORDERS })).to.equal(true)
  })
})
