// Metrics for Prometheus, in a registry of prom-client. Nothing is sent: whoever asks is answered with a text.
import type { Counter, Gauge, Histogram, Metric, Registry } from 'prom-client'
import { checkOptions } from '../model/option-rules.ts'
import { peerPackage } from '../model/peer-package.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { METRICS, type MetricName, specOf } from './metric-table.ts'
import type { Dimensions, Metrics } from './metrics.ts'
import { checkLevel, checkMethods } from './option-rules.ts'
import load, { type Package } from './prometheus-package.cts'

export type { Dimensions, Metrics } from './metrics.ts'

const prom = peerPackage<Package>('millrace/metrics/prometheus', 'prom-client', load)

/** Which registry, and what of. */
export interface PrometheusMetricsOptions {
  /** The registry that the metrics are put into, such as the `register` of `prom-client`. Default: one of their own. */
  readonly registry?: Registry
  /** Of what there are metrics: of each `shard` (default), or of the `worker` only. */
  readonly level?: 'worker' | 'shard'
  /** For tests. Default: the system. */
  readonly clock?: Clock
}

/** Metrics for Prometheus, and the page that it asks for. */
export interface PrometheusMetrics extends Metrics {
  /** What the text is, for the `Content-Type` of an answer. */
  readonly contentType: string
  /** Everything in the registry, in the format of Prometheus. */
  text(): Promise<string>
}

/** The upper ends of histograms. Seconds. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
/** So long the counters of a shard that is gone are still there to be read. Milliseconds. */
const KEPT_MS = 600_000

/**
 * Metrics for Prometheus. Those of a shard that has left the worker are gone with it: gauges at once, counters ten minutes later.
 *
 * @throws OptionError
 */
export function prometheusMetrics(options: PrometheusMetricsOptions = {}): PrometheusMetrics {
  checkOptions(options, ['registry', 'level', 'clock'])
  const { registry = new prom.Registry(), clock = systemClock } = options
  checkMethods('registry', registry, ['getSingleMetric', 'metrics'], 'a registry of prom-client')
  return new RegistryMetrics(registry, checkLevel(options.level, 'shard'), clock)
}

type Labels = Record<string, string>

class RegistryMetrics implements PrometheusMetrics {
  readonly levels: NonNullable<Metrics['levels']>
  readonly #registry: Registry
  readonly #clock: Clock
  readonly #made = new Map<MetricName, Metric>()
  readonly #labels = new WeakMap<Dimensions, Labels>()
  /** Shards that have left the worker, and when that was. Monotonic milliseconds. */
  readonly #gone = new Map<string, { readonly labels: Labels; readonly atMs: number }>()

  constructor(registry: Registry, level: 'worker' | 'shard', clock: Clock) {
    this.#registry = registry
    this.#clock = clock
    this.levels = [level]
    // What has not happened yet is on the page by its name: an alert can be written before.
    for (const name of Object.keys(METRICS) as MetricName[]) this.#register(name)
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }

  count(name: MetricName, value: number, dimensions: Dimensions): void {
    const counter = this.#metric(name, about => new prom.Counter(about)) as Counter
    counter.inc(this.#labelsOf(dimensions), this.#inUnit(name, value))
  }

  gauge(name: MetricName, value: number, dimensions: Dimensions): void {
    const gauge = this.#metric(name, about => new prom.Gauge(about)) as Gauge
    gauge.set(this.#labelsOf(dimensions), this.#inUnit(name, value))
  }

  time(name: MetricName, durationMs: number, dimensions: Dimensions): void {
    const histogram = this.#metric(name, about => new prom.Histogram({ ...about, buckets: BUCKETS })) as Histogram
    histogram.observe(this.#labelsOf(dimensions), this.#inUnit(name, durationMs))
  }

  forget(dimensions: Dimensions): void {
    const labels = this.#labelsOf(dimensions)
    for (const [name, metric] of this.#made)
      if (specOf(name).kind === 'gauge' && this.#hasShards(name)) metric.remove(labels)
    this.#gone.set(JSON.stringify(labels), { labels, atMs: this.#clock.monotonicMs() })
  }

  async flush(): Promise<void> {
    const nowMs = this.#clock.monotonicMs()
    for (const [key, { labels, atMs }] of this.#gone) {
      if (nowMs - atMs < KEPT_MS) continue
      this.#gone.delete(key)
      for (const [name, metric] of this.#made) if (this.#hasShards(name)) metric.remove(labels)
    }
  }

  #metric(name: MetricName, make: (about: { name: string; help: string; labelNames: string[] }) => Metric): Metric {
    const known = this.#made.get(name)
    if (known !== undefined) return known
    const { prometheus, meaning, by = [] } = specOf(name)
    const labelNames = ['application', 'stream', 'worker', ...(this.#hasShards(name) ? ['shard'] : []), ...by]
    // Of another worker in this process, perhaps.
    const metric =
      this.#registry.getSingleMetric(prometheus) ??
      make({ name: prometheus, help: meaning, labelNames, ...{ registers: [this.#registry] } })
    this.#made.set(name, metric)
    return metric
  }

  #register(name: MetricName): void {
    const { kind } = specOf(name)
    if (kind === 'counter') this.#metric(name, about => new prom.Counter(about))
    else if (kind === 'gauge') this.#metric(name, about => new prom.Gauge(about))
    else this.#metric(name, about => new prom.Histogram({ ...about, buckets: BUCKETS }))
  }

  #hasShards(name: MetricName): boolean {
    return this.levels.includes('shard') && specOf(name).level === 'shard'
  }

  #inUnit(name: MetricName, value: number): number {
    return specOf(name).unit === 'Milliseconds' ? value / 1_000 : value
  }

  #labelsOf(dimensions: Dimensions): Labels {
    const { shard } = dimensions
    const known = this.#labels.get(dimensions)
    const labels = known ?? { ...dimensions }
    if (known === undefined) this.#labels.set(dimensions, labels)
    // It is back.
    if (shard !== undefined && this.#gone.size > 0) this.#gone.delete(JSON.stringify(labels))
    return labels
  }
}
