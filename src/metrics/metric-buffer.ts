// Gathers values until they are sent: counters added up, the newest of each gauge, and of durations how often there was which.
import type { MetricName, MetricNameOf } from './metric-table.ts'
import type { Dimensions } from './metrics.ts'

/** What was gathered of one metric of one thing. */
export type GatheredValue =
  | { readonly name: MetricName; readonly value: number }
  /** How often there was which value, to two digits. Ascending. */
  | { readonly name: MetricName; readonly counts: ReadonlyMap<number, number> }

/** What was gathered of one thing. */
export interface Gathered {
  readonly dimensions: Dimensions
  readonly values: readonly GatheredValue[]
}

interface Things {
  readonly dimensions: Dimensions
  readonly numbers: Map<MetricName, number>
  readonly durations: Map<MetricName, Map<number, number>>
}

/** Values that wait to be sent. */
export class MetricBuffer {
  readonly #things = new Map<string, Things>()
  /** Dimensions are the same objects each time. */
  readonly #keys = new WeakMap<Dimensions, string>()

  count(name: MetricNameOf<'counter'>, value: number, dimensions: Dimensions): void {
    const { numbers } = this.#of(dimensions)
    numbers.set(name, (numbers.get(name) ?? 0) + value)
  }

  gauge(name: MetricNameOf<'gauge'>, value: number, dimensions: Dimensions): void {
    this.#of(dimensions).numbers.set(name, value)
  }

  time(name: MetricNameOf<'timer'>, durationMs: number, dimensions: Dimensions): void {
    const { durations } = this.#of(dimensions)
    const counts = durations.get(name) ?? new Map<number, number>()
    const rounded = toTwoDigits(durationMs)
    durations.set(name, counts.set(rounded, (counts.get(rounded) ?? 0) + 1))
  }

  /** What was gathered since the last time. */
  take(): Gathered[] {
    const taken = Array.from(this.#things.values(), ({ dimensions, numbers, durations }) => ({
      dimensions,
      values: [
        ...Array.from(numbers, ([name, value]) => ({ name, value })),
        ...Array.from(durations, ([name, counts]) => ({ name, counts: new Map([...counts].sort(([a], [b]) => a - b)) }))
      ]
    }))
    this.#things.clear()
    return taken
  }

  #of(dimensions: Dimensions): Things {
    const key = this.#keyOf(dimensions)
    const known = this.#things.get(key)
    if (known !== undefined) return known
    const made = { dimensions, numbers: new Map<MetricName, number>(), durations: new Map() }
    this.#things.set(key, made)
    return made
  }

  #keyOf(dimensions: Dimensions): string {
    const known = this.#keys.get(dimensions)
    if (known !== undefined) return known
    const { application, stream, worker, shard, service, operation } = dimensions
    const key = JSON.stringify([application, stream, worker, shard, service, operation])
    this.#keys.set(dimensions, key)
    return key
  }
}

/** So that there are few different ones: 12.3456 is 12, 1234 is 1200. Below a millisecond, to a tenth. */
function toTwoDigits(value: number): number {
  if (value < 1) return Math.round(Math.max(0, value) * 10) / 10
  return Number(value.toPrecision(2))
}
