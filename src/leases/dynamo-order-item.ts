// The orders as an item of the control table: their version, and all of them as one text, so that they are changed together
// or not at all. The attribute names live here and nowhere else.
import { AttributeReader, COUNT, shown, TEXT } from '../dynamo/dynamo-attribute.ts'
import { Expression, present } from '../dynamo/dynamo-expression.ts'
import type { ItemPut, Parsed, StoredItem } from './dynamo-control-item.ts'
import type { Hold, ModeOrder, MoveOrder, Orders } from './order-rules.ts'

/** The sort key of the orders. */
export const ORDERS_KEY = 'O'

/** The item of `after`; refused unless the version that stands is that of `before`. */
export function ordersItemOf(before: Orders, { ver, ...content }: Orders): ItemPut {
  const expression = new Expression()
  const unchanged = before.ver === 0 ? expression.absent('ver') : expression.are({ ver: before.ver })
  return {
    sk: ORDERS_KEY,
    attributes: present({ ver, orders: JSON.stringify(content) }),
    condition: expression.condition(unchanged)
  }
}

/** Reads the orders. */
export function parseOrders(item: StoredItem): Parsed<Orders> {
  const reader = new AttributeReader(item)
  const ver = reader.require('ver', COUNT)
  const text = reader.require('orders', TEXT)
  if (ver === undefined || text === undefined) return unreadable(reader.problems.join('; '))
  const { holds, moves, mode } = contentOf(text)
  if (!isListOf(holds, isHold) || !isListOf(moves, isMove) || (mode !== undefined && !isMode(mode)))
    return unreadable(`orders is ${shown(text)}, expected orders`)
  return { kind: 'read', value: { ver, holds, moves, ...(mode !== undefined && { mode }) } }
}

function unreadable(problem: string): Parsed<never> {
  return { kind: 'unreadable', sk: ORDERS_KEY, problem }
}

/** What a text says, if it is an object in JSON. */
function contentOf(text: string): { readonly [part in 'holds' | 'moves' | 'mode']?: unknown } {
  try {
    return Object(JSON.parse(text))
  } catch {
    return {}
  }
}

function isListOf<T>(value: unknown, isOne: (item: unknown) => item is T): value is readonly T[] {
  return Array.isArray(value) && value.every(isOne)
}

function isHold(value: unknown): value is Hold {
  const { id, why, by, isKept, beat, leases, isAlone } = Object(value) as Partial<Record<keyof Hold, unknown>>
  const isNamed = [id, why, by].every(isText)
  return (
    isNamed &&
    typeof isKept === 'boolean' &&
    (isAlone === undefined || typeof isAlone === 'boolean') &&
    Number.isSafeInteger(beat) &&
    (leases === 'all' || isListOf(leases, isText))
  )
}

function isMove(value: unknown): value is MoveOrder {
  const { id, leaseKey, to, by } = Object(value) as Partial<Record<keyof MoveOrder, unknown>>
  return [id, leaseKey, to, by].every(isText)
}

function isMode(value: unknown): value is ModeOrder {
  const { id, mode, by } = Object(value) as Partial<Record<keyof ModeOrder, unknown>>
  return [id, by].every(isText) && (mode === 'solo' || mode === 'mixed')
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}
