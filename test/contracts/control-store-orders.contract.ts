// What every control store keeps to about the orders of operators.
import { expect } from 'chai'
import { type Hold, NO_ORDERS, withHold, withMode, withMove, withoutHold } from '../../src/leases/order-rules.ts'
import { aReport, rejectionOf, type Stores } from './control-store-world.ts'

const HOLD: Hold = { id: 'h1', why: 'a reset', by: 'ann', isKept: false, beat: 0, leases: ['shard-1', 'shard-2'] }
const MOVE = { id: 'm1', leaseKey: 'shard-3', to: 'worker-2', by: 'ann' }

/** The part of the contract that is about orders. */
export function describeOrders(stores: Stores): void {
  describe('orders', () => {
    it('are none before the first one', async () => {
      const { store } = stores()
      expect(await store.orders()).to.deep.equal(NO_ORDERS)
      expect(await store.orders({ consistent: true })).to.deep.equal(NO_ORDERS)
    })

    it('are replaced as a whole, with everything they say', async () => {
      const { store, sameItems } = stores()
      const first = withHold(NO_ORDERS, HOLD)
      expect(await store.replaceOrders(NO_ORDERS, first)).to.equal(true)
      expect(await sameItems.orders({ consistent: true })).to.deep.equal(first)
      const second = withHold(withMove(first, MOVE), { ...HOLD, id: 'h0', leases: 'all', isKept: true, beat: 7 })
      expect(await sameItems.replaceOrders(first, second)).to.equal(true)
      expect(await store.orders({ consistent: true })).to.deep.equal(second)
      const third = withoutHold(second, 'h1')
      expect(await store.replaceOrders(second, third)).to.equal(true)
      expect((await store.orders({ consistent: true })).holds.map(({ id }) => id)).to.deep.equal(['h0'])
    })

    it('keep the mode that is ordered, beside everything else', async () => {
      const { store, sameItems } = stores()
      const mode = { id: 'mode-1', mode: 'mixed', by: 'ann' } as const
      const first = withMode(NO_ORDERS, mode)
      expect(await store.replaceOrders(NO_ORDERS, first)).to.equal(true)
      const second = withHold(first, HOLD)
      expect(await sameItems.replaceOrders(first, second)).to.equal(true)
      expect(await store.orders({ consistent: true })).to.deep.equal({
        ...withHold(NO_ORDERS, HOLD),
        ver: second.ver,
        mode
      })
      expect(await store.replaceOrders(second, withMode(second, { ...mode, mode: 'solo' }))).to.equal(true)
      expect((await sameItems.orders({ consistent: true })).mode?.mode).to.equal('solo')
    })

    it('are replaced by one of two who have read the same', async () => {
      const { store, sameItems } = stores()
      expect(await store.replaceOrders(NO_ORDERS, withHold(NO_ORDERS, HOLD))).to.equal(true)
      expect(await sameItems.replaceOrders(NO_ORDERS, withMove(NO_ORDERS, MOVE))).to.equal(false)
      expect(await sameItems.replaceOrders({ ...NO_ORDERS, ver: 7 }, { ...NO_ORDERS, ver: 8 })).to.equal(false)
      expect(await store.orders({ consistent: true })).to.deep.equal(withHold(NO_ORDERS, HOLD))
    })

    it('are replaced, too, if exactly these are there already: an answer was lost', async () => {
      const { store } = stores()
      const orders = withHold(NO_ORDERS, HOLD)
      await store.replaceOrders(NO_ORDERS, orders)
      expect(await store.replaceOrders(NO_ORDERS, orders)).to.equal(true)
      const others = withHold(NO_ORDERS, { ...HOLD, by: 'bob' })
      expect(await store.replaceOrders(NO_ORDERS, others)).to.equal(false)
    })

    it('are of one application, and nothing else that it has', async () => {
      const { store, otherApplication } = stores()
      await store.join(aReport('worker-1/x7k2'))
      await store.replaceOrders(NO_ORDERS, withHold(NO_ORDERS, HOLD))
      expect(await otherApplication.orders({ consistent: true })).to.deep.equal(NO_ORDERS)
      expect(await store.members()).to.have.length(1)
      expect(await store.mailboxes()).to.deep.equal([])
    })

    it('reject with the reason of a signal that has aborted', async () => {
      const reason = new Error('stopping')
      expect(await rejectionOf(stores().store.orders({ signal: AbortSignal.abort(reason) }))).to.equal(reason)
    })
  })
}
