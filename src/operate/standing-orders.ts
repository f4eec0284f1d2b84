// Gives orders to the leader and takes them back: each change is made of the orders as they are, and again if somebody else was
// faster. A hold for a piece of work beats while that is under way, so that it lapses if this process is no more.
import {
  HOLD_LAPSE_MS,
  type Hold,
  type Orders,
  rivalOf,
  withBeat,
  withHold,
  withoutHold
} from '../leases/order-rules.ts'
import { OperationError } from '../model/errors.ts'
import { backoffMs } from '../runtime/backoff.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'
import { randomWord } from '../runtime/random.ts'
import { explained, type FleetContext, type OperationOptions, patiently } from './fleet-context.ts'

/** Between two beats of a hold. Milliseconds; it lapses after a minute without one. */
const BEAT_MS = 10_000
/** Between two looks at who goes first. Milliseconds. */
const LOOK_MS = 1_000
/** How often others may be faster in a row before it is given up. */
const ATTEMPTS = 20
const BACKOFF = { firstMs: 50, maxMs: 2_000 }

/** What a piece of work is done under. */
export interface StandingHold {
  /**
   * Makes sure that it stands. Returns how often it had lapsed so far, because this process stood still: then others may have
   * done anything meanwhile.
   *
   * @throws OperationError `changed-meanwhile` if somebody else writes rows of these leases now
   */
  confirm(): Promise<number>
}

/** A name for an order that no other has. */
export function newOrderId({ random }: FleetContext, what: string): string {
  return `${what}-${randomWord(8, random)}`
}

/** The orders as they are. @throws OperationError `no-such-table` */
export function readOrders(context: FleetContext, signal?: AbortSignal): Promise<Orders> {
  const { control } = context
  return patiently(context, signal, () => control.orders({ consistent: true, ...(signal && { signal }) })).catch(
    error => Promise.reject(explained(error, control.tableName, context))
  )
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
    signal?.throwIfAborted()
  }
  throw new OperationError('changed-meanwhile', `Somebody else changes the orders in ${control.tableName} all the time`)
}

/**
 * Does a piece of work while leases are on hold, and lets go of them afterwards, whatever came of it. If that cannot be
 * written, the hold lapses a minute later. One that is alone waits until nobody else has such a hold on any of these leases.
 *
 * @throws OperationError `busy` if somebody else has for longer than `timeoutMs`
 */
export async function whileHeld<T>(
  context: FleetContext,
  { leases, why, isAlone = false }: Pick<Hold, 'leases' | 'why' | 'isAlone'>,
  operation: OperationOptions & { readonly timeoutMs: number },
  work: (hold: StandingHold) => Promise<T>
): Promise<T> {
  const id = newOrderId(context, 'hold')
  const hold: Hold = { id, why, by: context.by, isKept: false, beat: 0, leases, ...(isAlone && { isAlone }) }
  const isThere = ({ holds }: Orders): boolean => holds.some(one => one.id === id)
  let lapses = 0
  // One that has lapsed, because this process stood still, is put back, unless it is too late for that.
  const keep = async (): Promise<number> => {
    let isLapsed = false
    let rival: Hold | undefined
    await changeOrders(context, orders => {
      isLapsed = !isThere(orders)
      if (!isLapsed) return withBeat(orders, id)
      rival = isAlone ? rivalOf(orders, hold) : undefined
      return rival === undefined ? withHold(orders, hold) : orders
    })
    if (isLapsed) lapses += 1
    if (rival !== undefined) throw overtaken(rival)
    return lapses
  }
  const { signal } = operation
  let beating: Loop | undefined
  try {
    if (isAlone) await queue(context, hold, operation)
    else await changeOrders(context, orders => withHold(orders, hold), signal)
    beating = startLoop({
      clock: context.clock,
      run: async () => void (await keep()),
      delayMs: () => BEAT_MS,
      runAtOnce: false,
      // Six beats may be missed: the next one is tried in any case.
      onError: () => {}
    })
    return await work({ confirm: keep })
  } finally {
    await beating?.stop()
    await changeOrders(context, orders => (isThere(orders) ? withoutHold(orders, id) : orders)).catch(() => undefined)
  }
}

/** Gives the order once nobody else stands in the way. Whoever does and has not been heard of for as long as a hold lives is gone. */
async function queue(
  context: FleetContext,
  hold: Hold,
  { timeoutMs, signal, onProgress }: OperationOptions & { readonly timeoutMs: number }
): Promise<void> {
  const { clock } = context
  const untilMs = clock.monotonicMs() + timeoutMs
  let watched: { readonly rival: Hold; readonly sinceMs: number } | undefined
  for (;;) {
    const nowMs = clock.monotonicMs()
    const silent = watched !== undefined && nowMs - watched.sinceMs >= HOLD_LAPSE_MS ? watched.rival : undefined
    let rival: Hold | undefined
    await changeOrders(
      context,
      orders => {
        const isGone = silent !== undefined && orders.holds.some(({ id, beat }) => isSame({ id, beat }, silent))
        const others = isGone ? withoutHold(orders, silent.id) : orders
        rival = rivalOf(others, hold)
        return rival === undefined ? withHold(others, hold) : orders
      },
      signal
    )
    if (rival === undefined) return
    if (watched === undefined || !isSame(watched.rival, rival)) watched = { rival, sinceMs: nowMs }
    if (nowMs >= untilMs) throw busy(rival, timeoutMs)
    onProgress?.({ step: 'queueing', left: [], behind: `${rival.why} by ${rival.by}` })
    await clock.sleep(Math.min(LOOK_MS, Math.max(1, untilMs - nowMs)), signal)
    signal?.throwIfAborted()
  }
}

function isSame(one: Pick<Hold, 'id' | 'beat'>, other: Pick<Hold, 'id' | 'beat'>): boolean {
  return one.id === other.id && one.beat === other.beat
}

function busy({ why, by }: Hold, timeoutMs: number): OperationError {
  const after = `${Math.round(timeoutMs / 1_000)} s`
  const message = `After ${after} ${why} by ${by} is still under way, and only one at a time writes rows. Nothing was changed`
  return new OperationError('busy', `${message}. Ask ${by}, or wait longer`)
}

function overtaken({ why, by }: Hold): OperationError {
  const message = `This process stood still for a minute, and ${why} by ${by} is under way now. Some rows may be written already`
  return new OperationError('changed-meanwhile', `${message}. Decide which of the two you want, and run that again`)
}
