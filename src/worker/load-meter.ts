// How much each lease carries, in kilobytes per second: what was read of its shard, smoothed over some minutes.
import type { LeaseLoads } from '../leases/control-store.ts'
import type { Clock } from '../runtime/clock.ts'

/** The weight of the newest measurement against what was smoothed before. */
const NEWEST_SHARE = 0.3

/** Measures between one {@link measure} and the next. */
export class LoadMeter {
  readonly #clock: Clock
  readonly #bytes = new Map<string, number>()
  #smoothed: ReadonlyMap<string, number> = new Map()
  #sinceMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#sinceMs = clock.monotonicMs()
  }

  /** Notes that `bytes` were read for a lease. */
  note(leaseKey: string, bytes: number): void {
    this.#bytes.set(leaseKey, (this.#bytes.get(leaseKey) ?? 0) + bytes)
  }

  /** What each of the leases held carries. Forgets the others. */
  measure(held: readonly string[]): LeaseLoads {
    const nowMs = this.#clock.monotonicMs()
    const seconds = Math.max(0.001, (nowMs - this.#sinceMs) / 1_000)
    const measured = held.map((leaseKey): [string, number] => {
      const newest = (this.#bytes.get(leaseKey) ?? 0) / 1_024 / seconds
      const before = this.#smoothed.get(leaseKey)
      const smoothed = before === undefined ? newest : before + (newest - before) * NEWEST_SHARE
      return [leaseKey, Math.round(smoothed * 100) / 100]
    })
    this.#smoothed = new Map(measured)
    this.#bytes.clear()
    this.#sinceMs = nowMs
    return Object.fromEntries(measured)
  }
}
