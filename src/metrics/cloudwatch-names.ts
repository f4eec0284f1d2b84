// What things are called in CloudWatch, whichever way metrics get there.
import type { MetricLevel } from './metric-table.ts'
import type { Dimensions } from './metrics.ts'

/** Of what metrics are reported: of the `worker`, or of each `shard` too. */
export type ReportedLevel = 'worker' | 'shard'

/** CloudWatch adds nothing up over a dimension, so what is wanted of the worker is sent beside what is of its shards. */
export function levelsOf(level: ReportedLevel): readonly MetricLevel[] {
  return level === 'shard' ? ['worker', 'shard'] : ['worker']
}

/** The dimensions in CloudWatch. Without the worker: those come and go, and each would be a metric of its own. */
export function cloudWatchDimensions(dimensions: Dimensions): Readonly<Record<string, string>> {
  const { application, stream, shard, service, operation } = dimensions
  return {
    ApplicationName: application,
    StreamName: stream,
    ...(shard !== undefined && { ShardId: shard }),
    ...(service !== undefined && { Service: service }),
    ...(operation !== undefined && { Operation: operation })
  }
}
