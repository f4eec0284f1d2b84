// The payments: made by seed, put into the stream, and added up here as well, to hold the database against.
import { setTimeout as sleep } from 'node:timers/promises'
import { aggregate } from 'millrace'
import type { RecordToPut, Stream } from '../demo/stream.ts'
import type { Payment } from './account-store.ts'
import type { Chance } from './chance.ts'

const ACCOUNTS = 100
const TICK_MS = 100
/** Into so many records a tick: of several payments of one account an aggregate is made. */
const MAX_PER_TICK = 400
const utf8 = new TextEncoder()

export class Traffic {
  readonly payments: Payment[] = []
  readonly #stream: Stream
  readonly #rate: number
  readonly #chance: Chance
  #isOver = false

  /** @param rate payments a second */
  constructor(stream: Stream, rate: number, chance: Chance) {
    this.#stream = stream
    this.#rate = rate
    this.#chance = chance
  }

  /** Puts payments until {@link end} is called. */
  async run(): Promise<void> {
    let owed = 0
    for (let beforeMs = performance.now(); !this.#isOver; ) {
      await sleep(TICK_MS)
      const nowMs = performance.now()
      owed += (this.#rate * (nowMs - beforeMs)) / 1_000
      beforeMs = nowMs
      const some = Math.min(Math.floor(owed), MAX_PER_TICK)
      owed -= some
      if (some > 0) await this.#put(Array.from({ length: some }, () => this.#next()))
    }
  }

  /** No more are put. */
  end(): void {
    this.#isOver = true
  }

  #next(): Payment {
    const account = `account-${String(this.#chance.below(ACCOUNTS)).padStart(3, '0')}`
    const payment = { id: this.payments.length, account, amount: 1 + this.#chance.below(10_000) }
    this.payments.push(payment)
    return payment
  }

  async #put(payments: readonly Payment[]): Promise<void> {
    const byAccount = grouped(payments)
    await this.#stream.put([...byAccount.values()].map(recordOf))
  }
}

function grouped(payments: readonly Payment[]): Map<string, Payment[]> {
  const groups = new Map<string, Payment[]>()
  for (const payment of payments) groups.set(payment.account, [...(groups.get(payment.account) ?? []), payment])
  return groups
}

function recordOf(payments: readonly Payment[]): RecordToPut {
  const records = payments.map(payment => ({
    partitionKey: payment.account,
    data: utf8.encode(JSON.stringify(payment))
  }))
  const [first] = records
  return first !== undefined && records.length === 1 ? first : aggregate(records)
}
