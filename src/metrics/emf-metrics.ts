// Metrics as lines of the embedded metric format of CloudWatch: where logs are taken to CloudWatch anyway, there are metrics
// without a call. One line a flush for each thing that there are values of.

import { checkOptions } from '../model/option-rules.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { cloudWatchDimensions, levelsOf, type ReportedLevel } from './cloudwatch-names.ts'
import { type Gathered, type GatheredValue, MetricBuffer } from './metric-buffer.ts'
import { specOf } from './metric-table.ts'
import type { Metrics } from './metrics.ts'
import { checkLevel, checkMethods, checkNamespace } from './option-rules.ts'

/** What metrics are written to. `process.stdout` fits, and any other writable stream. */
export interface LineWriter {
  /** Writes one line, which ends with a line feed. */
  write(line: string): unknown
}

/** Where the lines go, and what they say. */
export interface EmfMetricsOptions {
  /** What the lines are written to, such as `process.stdout`. */
  readonly to: LineWriter
  /** Namespace of the metrics in CloudWatch. 1 to 255 characters; default `Millrace`. */
  readonly namespace?: string
  /** Of what there are metrics: of the `worker` (default), or of each `shard` as well. CloudWatch takes money for each. */
  readonly level?: ReportedLevel
  /** Where the time of a line comes from. Default: the system. For tests. */
  readonly clock?: Clock
}

/** So many metrics and values fit into a line. */
const METRICS_PER_LINE = 100
const VALUES_PER_METRIC = 100

/**
 * Metrics as lines of JSON that CloudWatch Logs makes metrics of. Counted are the values since the last line. Of more than 100
 * durations in a line there are 100 that are spread like all of them.
 *
 * @throws OptionError
 */
export function emfMetrics(options: EmfMetricsOptions): Metrics {
  checkOptions(options, ['to', 'namespace', 'level', 'clock'])
  const { to, clock = systemClock } = options
  checkMethods('to', to, ['write'], 'something to write lines to, such as process.stdout')
  const namespace = checkNamespace(options.namespace)
  const levels = levelsOf(checkLevel(options.level, 'worker'))
  const buffer = new MetricBuffer()
  return {
    levels,
    count: (name, value, dimensions) => buffer.count(name, value, dimensions),
    gauge: (name, value, dimensions) => buffer.gauge(name, value, dimensions),
    time: (name, durationMs, dimensions) => buffer.time(name, durationMs, dimensions),
    async flush() {
      const timestampMs = clock.epochMs()
      for (const gathered of buffer.take()) {
        for (const line of linesOf(gathered, namespace, timestampMs)) to.write(`${line}\n`)
      }
    }
  }
}

function linesOf({ dimensions, values }: Gathered, namespace: string, timestampMs: number): string[] {
  const named = cloudWatchDimensions(dimensions)
  const lines: string[] = []
  for (let from = 0; from < values.length; from += METRICS_PER_LINE) {
    const some = values.slice(from, from + METRICS_PER_LINE)
    const metrics = some.map(({ name }) => ({ Name: name, Unit: specOf(name).unit }))
    const directive = { Namespace: namespace, Dimensions: [Object.keys(named)], Metrics: metrics }
    const head = { _aws: { Timestamp: timestampMs, CloudWatchMetrics: [directive] }, ...named }
    const members = Object.fromEntries(some.map(value => [value.name, memberOf(value)]))
    lines.push(JSON.stringify({ ...head, WorkerIdentifier: dimensions.worker, ...members }))
  }
  return lines
}

function memberOf(value: GatheredValue): number | number[] {
  return 'value' in value ? value.value : spreadLike(value.counts)
}

/** At most 100 values: all of them, or those at even distances in the order of all. */
function spreadLike(counts: ReadonlyMap<number, number>): number[] {
  const all = [...counts].flatMap(([value, count]) => Array.from({ length: count }, () => value))
  if (all.length <= VALUES_PER_METRIC) return all
  const step = (all.length - 1) / (VALUES_PER_METRIC - 1)
  return Array.from({ length: VALUES_PER_METRIC }, (_, i) => all[Math.round(i * step)] as number)
}
