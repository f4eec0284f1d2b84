// How much is read of one shard, as KCL 3.x measures it: its leader balances leases by that, and takes workers whose leases say
// nothing for workers without any load.
import type { Clock } from '../runtime/clock.ts'

/** The weight of the newest measurement against those before. */
const NEWEST_SHARE = 0.5
/** A measurement over less time is none. Milliseconds. */
const SHORTEST_MS = 3_000
const DECIMALS = 1e6

/** Measures between one value that was stored and the next. */
export class ThroughputMeter {
  readonly #clock: Clock
  #bytes = 0
  #sinceMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#sinceMs = clock.monotonicMs()
  }

  /** Notes that `bytes` were read. */
  note(bytes: number): void {
    this.#bytes += bytes
  }

  /** Kilobytes per second, smoothed with the value stored so far, `before`. `undefined`: it is too soon for another one. */
  measure(before: number | undefined): number | undefined {
    const forMs = this.#clock.monotonicMs() - this.#sinceMs
    if (forMs < SHORTEST_MS) return undefined
    const newest = this.#bytes / 1_024 / (forMs / 1_000)
    const smoothed = before === undefined ? newest : before + (newest - before) * NEWEST_SHARE
    return Math.round(smoothed * DECIMALS) / DECIMALS
  }

  /** Begins anew: what was measured is stored, with these bytes in it. */
  stored(): void {
    this.#bytes = 0
    this.#sinceMs = this.#clock.monotonicMs()
  }
}
