// Metrics by PutMetricData of CloudWatch: sent every ten seconds, added up before.
import type { CloudWatchClient, CloudWatchClientConfig, MetricDatum } from '@aws-sdk/client-cloudwatch'
import { ServiceError } from '../model/errors.ts'
import { checkOptions } from '../model/option-rules.ts'
import { peerPackage } from '../model/peer-package.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { withDeadline } from '../runtime/deadline.ts'
import { cloudWatchDimensions, levelsOf, type ReportedLevel } from './cloudwatch-names.ts'
import load, { type Package } from './cloudwatch-package.cts'
import { type Gathered, type GatheredValue, MetricBuffer } from './metric-buffer.ts'
import { specOf } from './metric-table.ts'
import type { Metrics } from './metrics.ts'
import { checkLevel, checkNamespace } from './option-rules.ts'

export type { Dimensions, Metrics } from './metrics.ts'

const cloudwatch = peerPackage<Package>('millrace/metrics/cloudwatch', '@aws-sdk/client-cloudwatch', load)

/** How CloudWatch is reached, and what it is sent. */
export interface CloudWatchMetricsOptions {
  /** A client of the AWS SDK to use as it is, or what to configure one with. Default: what the environment says. */
  readonly client?: CloudWatchClient | CloudWatchClientConfig
  /** Namespace of the metrics. 1 to 255 characters; default `Millrace`. */
  readonly namespace?: string
  /** Of what there are metrics: of the `worker` (default), or of each `shard` as well. CloudWatch takes money for each. */
  readonly level?: ReportedLevel
  /** Where the time of the values comes from. Default: the system. For tests. */
  readonly clock?: Clock
}

/** Metrics in CloudWatch, and the client that sends them. */
export interface CloudWatchMetrics extends Metrics {
  /** Lets the connections of the client go, unless that was given. To be called when the workers have stopped. */
  close(): void
}

/** What PutMetricData takes at most, but for the values: 1,000 metrics, of 1 MB. */
const METRICS_PER_CALL = 500
const VALUES_PER_METRIC = 150
/** How long one call may take, retries of the SDK included. Milliseconds. */
const CALL_MS = 5_000

/**
 * Metrics by PutMetricData. What cannot be sent is lost: the worker logs that, and goes on. Takes the permission
 * `cloudwatch:PutMetricData`.
 *
 * @throws OptionError
 */
export function cloudWatchMetrics(options: CloudWatchMetricsOptions = {}): CloudWatchMetrics {
  checkOptions(options, ['client', 'namespace', 'level', 'clock'])
  const { client: given, clock = systemClock } = options
  const namespace = checkNamespace(options.namespace)
  const levels = levelsOf(checkLevel(options.level, 'worker'))
  const isOurs = !isClient(given)
  const client = isClient(given) ? given : new cloudwatch.CloudWatchClient(given ?? {})
  const buffer = new MetricBuffer()
  const send = (MetricData: MetricDatum[]): Promise<unknown> => {
    const late = (): ServiceError =>
      new ServiceError('timeout', `PutMetricData took longer than ${CALL_MS} ms`, { retryable: true })
    const command = new cloudwatch.PutMetricDataCommand({ Namespace: namespace, MetricData })
    return withDeadline(clock, CALL_MS, undefined, abortSignal => client.send(command, { abortSignal }), late)
  }
  return {
    levels,
    count: (name, value, dimensions) => buffer.count(name, value, dimensions),
    gauge: (name, value, dimensions) => buffer.gauge(name, value, dimensions),
    time: (name, durationMs, dimensions) => buffer.time(name, durationMs, dimensions),
    async flush() {
      const timestamp = new Date(clock.epochMs())
      const data = buffer.take().flatMap(gathered => dataOf(gathered, timestamp))
      for (let from = 0; from < data.length; from += METRICS_PER_CALL) {
        await send(data.slice(from, from + METRICS_PER_CALL))
      }
    },
    close() {
      if (isOurs) client.destroy()
    }
  }
}

function dataOf({ dimensions, values }: Gathered, Timestamp: Date): MetricDatum[] {
  const named = Object.entries(cloudWatchDimensions(dimensions)).map(([Name, Value]) => ({ Name, Value }))
  return values.flatMap(value => {
    const about = { MetricName: value.name, Dimensions: named, Timestamp, Unit: specOf(value.name).unit }
    return partsOf(value).map(part => ({ ...about, ...part }))
  })
}

function partsOf(value: GatheredValue): Pick<MetricDatum, 'Value' | 'Values' | 'Counts'>[] {
  if ('value' in value) return [{ Value: value.value }]
  const [all, counts] = [[...value.counts.keys()], [...value.counts.values()]]
  const parts: Pick<MetricDatum, 'Values' | 'Counts'>[] = []
  for (let from = 0; from < all.length; from += VALUES_PER_METRIC) {
    const to = from + VALUES_PER_METRIC
    parts.push({ Values: all.slice(from, to), Counts: counts.slice(from, to) })
  }
  return parts
}

function isClient(given: CloudWatchMetricsOptions['client']): given is CloudWatchClient {
  return given !== undefined && 'send' in given && typeof given.send === 'function'
}
