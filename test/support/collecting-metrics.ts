// Metrics that are kept, for tests to look at: the sums of counters, where gauges stand, how long things took.
import type { MetricLevel, MetricName } from '../../src/metrics/metric-table.ts'
import type { Dimensions, Metrics } from '../../src/metrics/metrics.ts'

/** What of the dimensions a value is kept under, such as `shardId-000000000000` or `dynamodb UpdateItem`; '' for the worker. */
function keyOf(name: MetricName, { service, operation, shard }: Dimensions): string {
  return [name, service, operation, shard].filter(part => part !== undefined).join(' ')
}

export class CollectingMetrics implements Metrics {
  readonly levels: readonly MetricLevel[]
  readonly counts = new Map<string, number>()
  readonly gauges = new Map<string, number>()
  readonly durations = new Map<string, number[]>()
  readonly forgotten: string[] = []
  readonly dimensions = new Set<Dimensions>()
  calls = 0
  flushes = 0
  /** Put a function here that throws. */
  trouble: (() => void) | undefined

  constructor(...levels: readonly MetricLevel[]) {
    this.levels = levels
  }

  count(name: MetricName, value: number, dimensions: Dimensions): void {
    const key = this.#note(name, dimensions)
    this.counts.set(key, (this.counts.get(key) ?? 0) + value)
  }

  gauge(name: MetricName, value: number, dimensions: Dimensions): void {
    this.gauges.set(this.#note(name, dimensions), value)
  }

  time(name: MetricName, durationMs: number, dimensions: Dimensions): void {
    const key = this.#note(name, dimensions)
    this.durations.set(key, [...(this.durations.get(key) ?? []), durationMs])
  }

  forget(dimensions: Dimensions): void {
    this.forgotten.push(dimensions.shard ?? '')
    for (const key of [...this.gauges.keys()]) if (key.endsWith(` ${dimensions.shard}`)) this.gauges.delete(key)
  }

  async flush(): Promise<void> {
    this.flushes += 1
    this.trouble?.()
  }

  #note(name: MetricName, dimensions: Dimensions): string {
    this.calls += 1
    this.trouble?.()
    this.dimensions.add(dimensions)
    return keyOf(name, dimensions)
  }
}
