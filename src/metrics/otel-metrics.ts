// Metrics through the API of OpenTelemetry: whichever SDK the application has set up receives them.
import type { Attributes, Counter, Histogram, Meter } from '@opentelemetry/api'
import { checkOptions } from '../model/option-rules.ts'
import { peerPackage } from '../model/peer-package.ts'
import { type MetricName, type MetricUnit, specOf } from './metric-table.ts'
import type { Dimensions, Metrics } from './metrics.ts'
import { checkLevel, checkMethods } from './option-rules.ts'
import load, { type Package } from './otel-package.cts'

export type { Dimensions, Metrics } from './metrics.ts'

const otel = peerPackage<Package>('millrace/metrics/otel', '@opentelemetry/api', load)

/** Which meter, and what of. */
export interface OtelMetricsOptions {
  /** The meter that the instruments are of. Default: one called `millrace`, of the global provider. */
  readonly meter?: Meter
  /** Of what there are metrics: of each `shard` (default), or of the `worker` only. */
  readonly level?: 'worker' | 'shard'
}

/** What is to be read as 0 once, because its shard has left: SDKs that add up would go on with the value that they saw last. */
const GONE = Number.NEGATIVE_INFINITY

/** The units of OpenTelemetry, which are those of UCUM. */
const UNITS: Readonly<Record<MetricUnit, string>> = { Count: '1', Bytes: 'By', Milliseconds: 'ms', None: '{USD}' }

/**
 * Metrics through the API of OpenTelemetry: counters, histograms, and gauges that are read when the SDK collects.
 *
 * @throws OptionError
 */
export function otelMetrics(options: OtelMetricsOptions = {}): Metrics {
  checkOptions(options, ['meter', 'level'])
  const { meter = otel.metrics.getMeter('millrace') } = options
  checkMethods(
    'meter',
    meter,
    ['createCounter', 'createHistogram', 'createObservableGauge'],
    'a meter of OpenTelemetry'
  )
  return new OtelMetrics(meter, checkLevel(options.level, 'shard'))
}

class OtelMetrics implements Metrics {
  readonly levels: NonNullable<Metrics['levels']>
  readonly #meter: Meter
  readonly #counters = new Map<MetricName, Counter>()
  readonly #histograms = new Map<MetricName, Histogram>()
  readonly #gauges = new Map<MetricName, Map<Attributes, number>>()
  readonly #attributes = new WeakMap<Dimensions, Attributes>()

  constructor(meter: Meter, level: 'worker' | 'shard') {
    this.#meter = meter
    this.levels = [level]
  }

  count(name: MetricName, value: number, dimensions: Dimensions): void {
    const counter = this.#counters.get(name) ?? this.#meter.createCounter(specOf(name).otel, aboutOf(name))
    this.#counters.set(name, counter)
    counter.add(value, this.#attributesOf(dimensions))
  }

  gauge(name: MetricName, value: number, dimensions: Dimensions): void {
    const values = this.#gauges.get(name) ?? this.#observed(name)
    values.set(this.#attributesOf(dimensions), value)
  }

  time(name: MetricName, durationMs: number, dimensions: Dimensions): void {
    const histogram = this.#histograms.get(name) ?? this.#meter.createHistogram(specOf(name).otel, aboutOf(name))
    this.#histograms.set(name, histogram)
    histogram.record(durationMs, this.#attributesOf(dimensions))
  }

  forget(dimensions: Dimensions): void {
    const attributes = this.#attributesOf(dimensions)
    for (const values of this.#gauges.values()) if (values.has(attributes)) values.set(attributes, GONE)
  }

  #observed(name: MetricName): Map<Attributes, number> {
    const values = new Map<Attributes, number>()
    this.#gauges.set(name, values)
    this.#meter.createObservableGauge(specOf(name).otel, aboutOf(name)).addCallback(result => {
      for (const [attributes, value] of values) {
        result.observe(value === GONE ? 0 : value, attributes)
        if (value === GONE) values.delete(attributes)
      }
    })
    return values
  }

  #attributesOf(dimensions: Dimensions): Attributes {
    const known = this.#attributes.get(dimensions)
    if (known !== undefined) return known
    const made = otelAttributes(dimensions)
    this.#attributes.set(dimensions, made)
    return made
  }
}

/** Dimensions as attributes, by the names that KCL gives them. */
function otelAttributes({ application, stream, worker, shard, service, operation }: Dimensions): Attributes {
  return {
    'millrace.application': application,
    'aws.kinesis.stream_name': stream,
    'aws.kinesis.consumer.name': worker,
    ...(shard !== undefined && { 'aws.kinesis.shard.id': shard }),
    ...(service !== undefined && { 'millrace.service': service }),
    ...(operation !== undefined && { 'aws.kinesis.operation': operation })
  }
}

function aboutOf(name: MetricName): { readonly unit: string; readonly description: string } {
  const { unit, meaning } = specOf(name)
  return { unit: UNITS[unit], description: meaning }
}
