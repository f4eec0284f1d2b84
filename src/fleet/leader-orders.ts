// The orders of an operator, as the leader reads them with each turn, and takes out those that are over.
import type { ControlStore, Member } from '../leases/control-store.ts'
import { withoutOrders } from '../leases/order-rules.ts'
import { isRetryable } from '../model/errors.ts'
import type { Lease } from '../model/lease.ts'
import type { Clock } from '../runtime/clock.ts'
import {
  NO_ORDERS_SEEN,
  type OrdersInForce,
  type OrderWatch,
  ordersInForce,
  ordersThatAreOver,
  watchOrders
} from './plan-orders.ts'

/** What orders are read with. */
export interface LeaderOrdersOptions {
  readonly control: Pick<ControlStore, 'orders' | 'replaceOrders'>
  readonly clock: Clock
  /** The time between two reads counts for at most so many milliseconds. */
  readonly maxStepMs: number
}

/** The orders as one leader sees them, for one term. */
export class LeaderOrders {
  readonly #options: LeaderOrdersOptions
  #watch: OrderWatch = NO_ORDERS_SEEN
  #inForce: OrdersInForce = ordersInForce(NO_ORDERS_SEEN)
  #hasRead = false

  constructor(options: LeaderOrdersOptions) {
    this.#options = options
  }

  /** Version of the orders to plan by. 0: there has never been any. */
  get ver(): number {
    return this.#watch.orders.ver
  }

  /** The orders to plan by. */
  get inForce(): OrdersInForce {
    return this.#inForce
  }

  /**
   * Reads them. Says whether others are in force than before: the leases have to be looked at then. Where they cannot be read
   * for now, those that are known stay in force: a fleet has to be led all the same. Whoever knows none yet does not lead
   * without: what the leader before kept from everybody would be given out.
   */
  async look(): Promise<boolean> {
    const { control, clock, maxStepMs } = this.#options
    const orders = this.#hasRead
      ? await control.orders().catch(unlessHopeless)
      : await control.orders({ consistent: true })
    if (orders === undefined) return false
    this.#hasRead = true
    this.#watch = watchOrders(this.#watch, orders, clock.monotonicMs(), maxStepMs)
    const before = textOf(this.#inForce)
    this.#inForce = ordersInForce(this.#watch)
    return textOf(this.#inForce) !== before
  }

  /**
   * Takes out those that are over. Whoever has changed them meanwhile goes first: then the next turn sees. `members`: the
   * living; `leases`: read after the last look.
   */
  async tidy(leases: readonly Lease[], members: readonly Member[]): Promise<void> {
    const { orders } = this.#watch
    const over = ordersThatAreOver(this.#watch, leases, members)
    if (over.size === 0) return
    await this.#options.control.replaceOrders(orders, withoutOrders(orders, over)).catch(unlessHopeless)
  }
}

function unlessHopeless(error: unknown): undefined {
  if (!isRetryable(error)) throw error
  return undefined
}

function textOf({ held, moves, mode }: OrdersInForce): string {
  return JSON.stringify([held === 'all' ? held : [...held].sort(), [...moves], mode?.id])
}
