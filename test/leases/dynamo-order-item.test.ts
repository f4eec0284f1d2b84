import { expect } from 'chai'
import { ordersItemOf, parseOrders } from '../../src/leases/dynamo-order-item.ts'
import { NO_ORDERS, type Orders, withHold, withMove } from '../../src/leases/order-rules.ts'

const hold = { id: 'h1', why: 'a reset', by: 'ann', isKept: false, beat: 3, leases: ['a', 'b'] }
const orders: Orders = withMove(withHold(NO_ORDERS, hold), { id: 'm1', leaseKey: 'c', to: 'w2', by: 'ann' })

describe('ordersItemOf', () => {
  it('is refused unless the version is that which was read', () => {
    expect(ordersItemOf(NO_ORDERS, orders)).to.deep.equal({
      sk: 'O',
      attributes: { ver: 2, orders: JSON.stringify({ holds: orders.holds, moves: orders.moves }) },
      condition: { ConditionExpression: 'attribute_not_exists(#ver)', ExpressionAttributeNames: { '#ver': 'ver' } }
    })
    const { condition } = ordersItemOf(orders, { ...orders, ver: 3 })
    expect(condition?.ConditionExpression).to.equal('#ver = :was_ver')
    expect(condition?.ExpressionAttributeValues).to.deep.equal({ ':was_ver': 2 })
  })
})

describe('parseOrders', () => {
  it('reads what was written', () => {
    const { attributes } = ordersItemOf(NO_ORDERS, orders)
    expect(parseOrders({ sk: 'O', ...attributes })).to.deep.equal({ kind: 'read', value: orders })
  })

  const broken: Record<string, Record<string, unknown>> = {
    'no version': { orders: '{}' },
    'no orders': { ver: 1 },
    'orders of another type': { ver: 1, orders: 7 },
    'no JSON': { ver: 1, orders: '{' },
    'nothing in it': { ver: 1, orders: 'null' },
    'a hold without leases': { ver: 1, orders: JSON.stringify({ holds: [{ ...hold, leases: undefined }], moves: [] }) },
    'a hold of a lease that is none': {
      ver: 1,
      orders: JSON.stringify({ holds: [{ ...hold, leases: [1] }], moves: [] })
    },
    'a hold that is alone in some way': {
      ver: 1,
      orders: JSON.stringify({ holds: [{ ...hold, isAlone: 'yes' }], moves: [] })
    },
    'a mode that there is not': {
      ver: 1,
      orders: JSON.stringify({ holds: [], moves: [], mode: { id: 'm', mode: 'both', by: 'ann' } })
    },
    'a move to nobody': {
      ver: 1,
      orders: JSON.stringify({ holds: [], moves: [{ id: 'm', leaseKey: 'c', by: 'ann' }] })
    }
  }
  for (const [what, item] of Object.entries(broken)) {
    it(`cannot read ${what}, and says so`, () => {
      const parsed = parseOrders({ sk: 'O', ...item })
      expect(parsed.kind).to.equal('unreadable')
      expect(parsed)
        .to.have.property('problem')
        .that.matches(/ver|orders/)
    })
  }
})
