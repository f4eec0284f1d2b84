import { expect } from 'chai'
import {
  isHeld,
  NO_ORDERS_SEEN,
  type OrderWatch,
  ordersInForce,
  ordersThatAreOver,
  watchOrders
} from '../../src/fleet/plan-orders.ts'
import { HOLD_LAPSE_MS, type Hold, MOVE_LAPSE_MS, NO_ORDERS, type Orders } from '../../src/leases/order-rules.ts'
import { SHARD_END } from '../../src/model/sequence-number.ts'
import { aLease, shardId } from '../support/builders.ts'
import { aMember, session } from './fleet-model.ts'

const STEP_MS = 6_000
const [S0, S1, S2] = [shardId(0), shardId(1), shardId(2)]

const aHold = (id: string, with_: Partial<Hold> = {}): Hold => ({
  ...{ id, why: 'a reset', by: 'ann', isKept: false, beat: 0, leases: [S0] },
  ...with_
})
const aMove = (id: string, leaseKey: string, to: string) => ({ id, leaseKey, to, by: 'ann' })

/** A leader that has read these orders, one after another, `everyMs` milliseconds apart. */
function watched(reads: readonly Orders[], everyMs = 3_000, before: OrderWatch = NO_ORDERS_SEEN): OrderWatch {
  return reads.reduce((watch, orders, index) => {
    return watchOrders(watch, orders, before.atMs + (index + 1) * everyMs, STEP_MS)
  }, before)
}

const times = (orders: Orders, count: number): Orders[] => Array.from({ length: count }, () => orders)

describe('watchOrders', () => {
  const orders: Orders = { ver: 1, holds: [aHold('h')], moves: [aMove('m', S1, 'a')] }

  it('concludes nothing from the first sight, and then adds up how long an order has stood still', () => {
    expect(watched([orders]).sightings.get('h')).to.deep.equal({ beat: 0, stillMs: 0 })
    expect(watched(times(orders, 4)).sightings.get('h')?.stillMs).to.equal(9_000)
    expect(watched(times(orders, 4)).sightings.get('m')?.stillMs).to.equal(9_000)
  })

  it('begins anew with each beat', () => {
    const beaten: Orders = { ...orders, ver: 2, holds: [aHold('h', { beat: 1 })] }
    expect(watched([...times(orders, 4), beaten]).sightings.get('h')).to.deep.equal({ beat: 1, stillMs: 0 })
    expect(watched([...times(orders, 4), beaten]).sightings.get('m')?.stillMs, 'a move has none').to.equal(12_000)
  })

  it('has not watched while it was asleep', () => {
    expect(watched(times(orders, 2), 3_600_000).sightings.get('h')?.stillMs).to.equal(STEP_MS)
  })

  it('goes on with the newer orders where a read is old', () => {
    const { orders: known, sightings } = watched([{ ...NO_ORDERS, ver: 2 }, orders])
    expect(known.ver).to.equal(2)
    expect(sightings.size).to.equal(0)
  })
})

describe('ordersInForce', () => {
  it('are what all holds and moves say together', () => {
    const holds = [aHold('h1', { leases: [S0] }), aHold('h2', { leases: [S0, S2], isKept: true })]
    const inForce = ordersInForce(watched([{ ver: 1, holds, moves: [aMove('m', S1, 'a')] }]))
    expect([S0, S1, S2].filter(leaseKey => isHeld(inForce, leaseKey))).to.deep.equal([S0, S2])
    expect([...inForce.moves]).to.deep.equal([[S1, 'a']])
  })

  it('hold every lease if one of the holds is about all', () => {
    const holds = [aHold('h1'), aHold('h2', { leases: 'all' })]
    expect(isHeld(ordersInForce(watched([{ ver: 1, holds, moves: [] }])), 'yet to come')).to.equal(true)
  })

  it('leave out holds that nobody has beaten for a minute, unless they are kept', () => {
    const holds = [aHold('h1', { leases: 'all' }), aHold('h2', { leases: [S2], isKept: true })]
    const reads = times({ ver: 1, holds, moves: [] }, HOLD_LAPSE_MS / 3_000)
    expect(ordersInForce(watched(reads)).held, 'one read before').to.equal('all')
    const later = ordersInForce(watched([...reads, ...times(reads[0] ?? NO_ORDERS, 1)]))
    expect(later.held).to.deep.equal(new Set([S2]))
  })

  it('leave out moves that could not be made for five minutes', () => {
    const orders: Orders = { ver: 1, holds: [], moves: [aMove('m', S1, 'a')] }
    const reads = times(orders, MOVE_LAPSE_MS / 3_000)
    expect(ordersInForce(watched(reads)).moves.size).to.equal(1)
    expect(ordersInForce(watched([...reads, orders])).moves.size).to.equal(0)
  })
})

describe('ordersThatAreOver', () => {
  const over = (orders: Partial<Orders>, owner?: string, reads = 1): string[] => {
    const row = aLease({ leaseKey: S0, shardId: S0, ...(owner !== undefined && { owner }) })
    const done = aLease({ leaseKey: S1, shardId: S1, checkpoint: SHARD_END })
    const members = [aMember('a'), aMember('b'), aMember('c', { state: 'DRAINING' })]
    const watch = watched(times({ ver: 1, holds: [], moves: [], ...orders }, reads))
    return [...ordersThatAreOver(watch, [row, done], members)]
  }

  it('are moves that have been made', () => {
    const moves = [aMove('m', S0, 'a')]
    expect(over({ moves })).to.deep.equal([])
    expect(over({ moves }, session('b'))).to.deep.equal([])
    expect(over({ moves }, session('a', 7))).to.deep.equal(['m'])
    expect(over({ moves }, 'a'), 'a worker of another kind').to.deep.equal([])
  })

  it('are moves that never can be: no lease, a finished one, no worker, or one that stops', () => {
    const moves = [aMove('m1', S2, 'a'), aMove('m2', S1, 'a'), aMove('m3', S0, 'x'), aMove('m4', S0, 'c')]
    expect(over({ moves })).to.deep.equal(['m1', 'm2', 'm3', 'm4'])
  })

  it('are orders that have lapsed', () => {
    const orders = { holds: [aHold('h1'), aHold('h2', { isKept: true })], moves: [aMove('m', S0, 'a')] }
    expect(over(orders, undefined, 22)).to.deep.equal(['h1'])
    expect(over(orders, undefined, 102)).to.deep.equal(['h1', 'm'])
  })
})
