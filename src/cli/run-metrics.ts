// What `millrace run` serves at /metrics: the metrics of the module, or Prometheus where its client is installed.
import type { Metrics } from '../metrics/metrics.ts'
import type { MetricsSource } from '../serving/health-endpoint.ts'

/** Where a worker's metrics go, and what of that can be served. */
export interface RunMetrics {
  readonly metrics?: Metrics
  readonly served?: MetricsSource
}

/**
 * The metrics of a worker whose health is served. Those that the module gives stay; without any there are those of Prometheus, if
 * `prom-client` is installed, and otherwise none.
 *
 * @param given the option `metrics` of the module
 */
export async function runMetrics(
  given: unknown,
  load: () => Promise<{ readonly prometheusMetrics: () => Metrics & MetricsSource }> = () =>
    import('../metrics/prometheus-metrics.ts')
): Promise<RunMetrics> {
  if (given !== undefined) return isServable(given) ? { served: given } : {}
  try {
    const metrics = (await load()).prometheusMetrics()
    return { metrics, served: metrics }
  } catch {
    return {} // It is an optional peer: without it there is no /metrics.
  }
}

function isServable(metrics: unknown): metrics is MetricsSource {
  const { contentType, text } = Object(metrics) as Partial<MetricsSource>
  return typeof contentType === 'string' && typeof text === 'function'
}
