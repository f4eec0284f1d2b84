// Several places for metrics as one: each gets what it wants, and nothing of levels that it did not ask for.
import { type MetricLevel, type MetricName, specOf } from '../metrics/metric-table.ts'
import type { Dimensions, Metrics } from '../metrics/metrics.ts'

/** Metrics that go to all of these. `undefined` if there are none. */
export function joinedMetrics(all: readonly Metrics[]): Metrics | undefined {
  const [first, ...others] = all
  if (first === undefined || others.length === 0) return first
  const wanting = (name: MetricName, dimensions: Dimensions): readonly Metrics[] =>
    all.filter(metrics => isWanted(levelsOf(metrics), name, dimensions))
  return {
    levels: [...new Set(all.flatMap(levelsOf))],
    count(name, value, dimensions) {
      for (const metrics of wanting(name, dimensions)) metrics.count(name, value, dimensions)
    },
    gauge(name, value, dimensions) {
      for (const metrics of wanting(name, dimensions)) metrics.gauge(name, value, dimensions)
    },
    time(name, durationMs, dimensions) {
      for (const metrics of wanting(name, dimensions)) metrics.time(name, durationMs, dimensions)
    },
    forget(dimensions) {
      for (const metrics of all) if (levelsOf(metrics).includes('shard')) metrics.forget?.(dimensions)
    },
    async flush() {
      const outcomes = await Promise.allSettled(all.map(async metrics => metrics.flush?.()))
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    }
  }
}

/** A value of a shard is for who wants those; a sum over shards is not for who wants each; what only workers have is for everybody. */
function isWanted(levels: readonly MetricLevel[], name: MetricName, { shard }: Dimensions): boolean {
  if (shard !== undefined) return levels.includes('shard')
  return levels.includes('worker') || specOf(name).level === 'worker'
}

function levelsOf({ levels = ['worker'] }: Metrics): readonly MetricLevel[] {
  return levels
}
