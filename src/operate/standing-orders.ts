// Gives orders to the leader and takes them back: each change is made of the orders as they are, and again if somebody else was
// faster. A hold for a piece of work beats while that is under way, so that it lapses if this process is no more.
import { type Hold, type Orders, withBeat, withHold, withoutHold } from '../leases/order-rules.ts'
import { OperationError } from '../model/errors.ts'
import { backoffMs } from '../runtime/backoff.ts'
import { startLoop } from '../runtime/loop.ts'
import { randomWord } from '../runtime/random.ts'
import { type FleetContext, patiently } from './fleet-context.ts'

/** Between two beats of a hold. Milliseconds; it lapses after a minute without one. */
const BEAT_MS = 10_000
/** How often others may be faster in a row before it is given up. */
const ATTEMPTS = 20
const BACKOFF = { firstMs: 50, maxMs: 2_000 }

/** A name for an order that no other has. */
export function newOrderId({ random }: FleetContext, what: string): string {
  return `${what}-${randomWord(8, random)}`
}

/** The orders as they are. */
export function readOrders(context: FleetContext, signal?: AbortSignal): Promise<Orders> {
  return patiently(context, signal, () => context.control.orders({ consistent: true, ...(signal && { signal }) }))
}

/**
 * Changes the orders. `change` is asked again, with the orders as they are then, for as long as others are faster.
 *
 * @throws OperationError `changed-meanwhile` if they are twenty times in a row
 */
export async function changeOrders(
  context: FleetContext,
  change: (orders: Orders) => Orders,
  signal?: AbortSignal
): Promise<Orders> {
  const { clock, random, control } = context
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const before = await readOrders(context, signal)
    const after = change(before)
    if (after === before) return before
    if (await patiently(context, signal, () => control.replaceOrders(before, after))) return after
    await clock.sleep(backoffMs(attempt, BACKOFF, random.next()), signal)
  }
  throw new OperationError('changed-meanwhile', `Somebody else changes the orders in ${control.tableName} all the time`)
}

/**
 * Does a piece of work while leases are on hold, and lets go of them afterwards, whatever came of it. If that cannot be
 * written, the hold lapses a minute later.
 */
export async function whileHeld<T>(
  context: FleetContext,
  { leases, why }: Pick<Hold, 'leases' | 'why'>,
  signal: AbortSignal | undefined,
  work: () => Promise<T>
): Promise<T> {
  const id = newOrderId(context, 'hold')
  const hold: Hold = { id, why, by: context.by, isKept: false, beat: 0, leases }
  const isThere = ({ holds }: Orders): boolean => holds.some(one => one.id === id)
  await changeOrders(context, orders => withHold(orders, hold), signal)
  const beating = startLoop({
    clock: context.clock,
    // One that has lapsed, because this process stood still, is put back.
    run: async () => {
      await changeOrders(context, orders => (isThere(orders) ? withBeat(orders, id) : withHold(orders, hold)))
    },
    delayMs: () => BEAT_MS,
    runAtOnce: false,
    // Six beats may be missed: the next one is tried in any case.
    onError: () => {}
  })
  try {
    return await work()
  } finally {
    await beating.stop()
    await changeOrders(context, orders => (isThere(orders) ? withoutHold(orders, id) : orders)).catch(() => undefined)
  }
}
