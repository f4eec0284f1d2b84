import { expect } from 'chai'
import { LeaderOrders } from '../../src/fleet/leader-orders.ts'
import { memoryControlStore } from '../../src/leases/memory-control-store.ts'
import {
  type Hold,
  NO_ORDERS,
  type Orders,
  withBeat,
  withHold,
  withMove,
  withoutHold
} from '../../src/leases/order-rules.ts'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aMember, session, someLeases } from './fleet-model.ts'

const HOLD: Hold = { id: 'h', why: 'a reset', by: 'ann', isKept: false, beat: 0, leases: 'all' }

async function aLeader() {
  const clock = new VirtualClock()
  const control = memoryControlStore()
  const orders = new LeaderOrders({ control, clock, maxStepMs: 6_000 })
  return { clock, control, orders }
}

describe('LeaderOrders', () => {
  it('says with each look whether others are in force than before', async () => {
    const { control, orders } = await aLeader()
    expect(await orders.look()).to.equal(false)
    const held = withHold(NO_ORDERS, HOLD)
    await control.replaceOrders(NO_ORDERS, held)
    expect(await orders.look()).to.equal(true)
    expect(orders.inForce.held).to.equal('all')
    await control.replaceOrders(held, withBeat(held, 'h'))
    expect(await orders.look(), 'a beat changes nothing').to.equal(false)
    await control.replaceOrders(withBeat(held, 'h'), withoutHold(withBeat(held, 'h'), 'h'))
    expect(await orders.look()).to.equal(true)
    expect(orders.inForce.held).to.deep.equal(new Set())
  })

  it('goes on with what it knows while the orders cannot be read or written, and fails only for good', async () => {
    const { clock, control } = await aLeader()
    let error: Error | undefined
    const failing = {
      orders: async () => (error === undefined ? control.orders() : Promise.reject(error)),
      replaceOrders: async (before: Orders, after: Orders) =>
        error === undefined ? control.replaceOrders(before, after) : Promise.reject(error)
    }
    const orders = new LeaderOrders({ control: failing, clock, maxStepMs: 6_000 })
    await control.replaceOrders(
      NO_ORDERS,
      withMove(withHold(NO_ORDERS, HOLD), { id: 'm', leaseKey: 'x', to: 'b', by: 'ann' })
    )
    expect(await orders.look()).to.equal(true)
    error = new ThrottledError('slowly')
    expect(await orders.look()).to.equal(false)
    expect(orders.inForce.held).to.equal('all')
    await orders.tidy([], [])
    error = new ServiceError('access-denied', 'no', { retryable: false })
    expect(await orders.look().catch((thrown: unknown) => thrown)).to.equal(error)
  })

  it('begins with what stands now, and does not begin without', async () => {
    const { clock, control } = await aLeader()
    const asked: unknown[] = []
    let error: Error | undefined = new ThrottledError('slowly')
    const orders = new LeaderOrders({
      clock,
      maxStepMs: 6_000,
      control: {
        ...control,
        orders: async options => {
          asked.push(options?.consistent ?? false)
          return error === undefined ? control.orders() : Promise.reject(error)
        }
      }
    })
    expect(await orders.look().catch((thrown: unknown) => thrown)).to.equal(error)
    error = undefined
    await orders.look()
    await orders.look()
    expect(asked).to.deep.equal([true, true, false])
  })

  it('takes out a hold that has lapsed, so that the next leader does not begin with it', async () => {
    const { clock, control, orders } = await aLeader()
    await control.replaceOrders(NO_ORDERS, withHold(NO_ORDERS, HOLD))
    const changes: boolean[] = []
    for (let atMs = 0; atMs <= 60_000; atMs += 3_000) {
      changes.push(await orders.look())
      await orders.tidy([], [])
      await clock.advance(3_000)
    }
    expect(changes.filter(isChange => isChange)).to.have.length(2)
    expect(changes.at(-1)).to.equal(true)
    expect(await control.orders()).to.deep.equal({ ver: 2, holds: [], moves: [] })
  })

  it('takes out a move that was made, unless somebody has changed the orders meanwhile', async () => {
    const { control, orders } = await aLeader()
    const [lease] = someLeases(1, () => session('b'))
    const leases = lease === undefined ? [] : [lease]
    const move = { id: 'm', leaseKey: lease?.leaseKey ?? '', to: 'b', by: 'ann' }
    const first = withMove(NO_ORDERS, move)
    await control.replaceOrders(NO_ORDERS, first)
    await orders.look()
    const second = withHold(first, HOLD)
    await control.replaceOrders(first, second)
    await orders.tidy(leases, [aMember('b')])
    expect(await control.orders()).to.deep.equal(second)
    await orders.look()
    await orders.tidy(leases, [aMember('b')])
    expect(await control.orders()).to.deep.equal({ ...second, ver: 3, moves: [] })
  })
})
