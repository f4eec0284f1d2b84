// Values of every metric there is, for the tests of backends.
import { METRICS, type MetricName, type MetricNameOf, specOf } from '../../src/metrics/metric-table.ts'
import type { Dimensions, Metrics } from '../../src/metrics/metrics.ts'

export const NAMES = Object.keys(METRICS) as readonly MetricName[]
export const WORKER: Dimensions = { application: 'indexer', stream: 'orders', worker: 'w1' }
export const SHARD: Dimensions = { ...WORKER, shard: 'shard-0' }

/** The dimensions that a metric has. */
export function dimensionsFor(name: MetricName): Dimensions {
  const { level, by = [] } = specOf(name)
  const details = { service: 'dynamodb', operation: 'UpdateItem' } as const
  const base = level === 'shard' ? SHARD : WORKER
  return by.length === 0 ? base : { ...base, ...Object.fromEntries(by.map(each => [each, details[each]])) }
}

/** Reports 2,000 of everything. */
export function reportAll(metrics: Metrics, dimensionsOf = dimensionsFor): void {
  for (const name of NAMES) {
    const dimensions = dimensionsOf(name)
    const { kind } = specOf(name)
    if (kind === 'counter') metrics.count(name as MetricNameOf<'counter'>, 2_000, dimensions)
    else if (kind === 'gauge') metrics.gauge(name as MetricNameOf<'gauge'>, 2_000, dimensions)
    else metrics.time(name as MetricNameOf<'timer'>, 2_000, dimensions)
  }
}
