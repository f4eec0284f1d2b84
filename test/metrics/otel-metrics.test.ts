// The SDK of OpenTelemetry with an exporter in memory, as a collector would receive it.
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader
} from '@opentelemetry/sdk-metrics'
import { expect } from 'chai'
import { specOf } from '../../src/metrics/metric-table.ts'
import { otelMetrics } from '../../src/metrics/otel-metrics.ts'
import { OptionError } from '../../src/model/errors.ts'
import { NAMES, reportAll, SHARD, WORKER } from './sample.ts'

const UNITS = { Count: '1', Bytes: 'By', Milliseconds: 'ms', None: '{USD}' }

describe('otelMetrics', () => {
  let exporter: InMemoryMetricExporter
  let provider: MeterProvider

  beforeEach(() => {
    exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
    provider = new MeterProvider({ readers: [reader] })
  })
  afterEach(() => provider.shutdown())

  const received = async (): Promise<MetricData[]> => {
    exporter.reset()
    await provider.forceFlush()
    return exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics)
      .flatMap(({ metrics }) => metrics)
  }
  const make = (level?: 'worker' | 'shard') =>
    otelMetrics({ meter: provider.getMeter('test'), ...(level && { level }) })

  it('has every metric there is received by its name, with its unit and what it means', async () => {
    const metrics = make()
    expect(metrics.levels).to.deep.equal(['shard'])
    reportAll(metrics)
    const data = await received()
    expect(
      data.map(({ descriptor }) => [descriptor.name, descriptor.unit, descriptor.description]).sort()
    ).to.deep.equal(
      NAMES.map(name => specOf(name))
        .map(({ otel, unit, meaning }) => [otel, UNITS[unit], meaning])
        .sort()
    )
    for (const { descriptor, dataPoints } of data) {
      expect(dataPoints, descriptor.name).to.have.length(1)
      const value = dataPoints[0]?.value as number | { sum: number }
      expect(typeof value === 'number' ? value : value.sum, descriptor.name).to.equal(2_000)
    }
  })

  it('has the attributes of KCL, for each shard by itself', async () => {
    const metrics = make()
    metrics.count('RecordsProcessed', 5, SHARD)
    metrics.count('RecordsProcessed', 2, { ...SHARD, shard: 'shard-1' })
    metrics.count('RecordsProcessed', 1, SHARD)
    const [{ dataPoints = [] } = {}] = await received()
    expect(dataPoints.map(({ value }) => value)).to.deep.equal([6, 2])
    expect(dataPoints[0]?.attributes).to.deep.equal({
      'millrace.application': 'indexer',
      'aws.kinesis.stream_name': 'orders',
      'aws.kinesis.consumer.name': 'w1',
      'aws.kinesis.shard.id': 'shard-0'
    })
  })

  it('has gauges that fall to 0 when their shard has left', async () => {
    const metrics = make()
    const other = { ...SHARD, shard: 'shard-1' }
    metrics.gauge('MillisBehindLatest', 5, SHARD)
    metrics.gauge('MillisBehindLatest', 7, other)
    metrics.gauge('MillisBehindLatest', 9, other)
    metrics.gauge('CurrentLeases', 2, WORKER)
    const values = async () => (await received()).map(({ dataPoints }) => dataPoints.map(({ value }) => value))
    expect(await values()).to.deep.equal([[5, 9], [2]])
    metrics.forget?.(SHARD)
    // Twice: an SDK that adds up goes on with what it saw last.
    for (let i = 0; i < 2; i++) expect(await values()).to.deep.equal([[0, 9], [2]])
    metrics.gauge('MillisBehindLatest', 6, SHARD)
    expect(await values()).to.deep.equal([[6, 9], [2]])
  })

  it('uses the global meter if it is given none, which does nothing where no SDK is set up', () => {
    const metrics = otelMetrics()
    reportAll(metrics)
    metrics.forget?.(SHARD)
  })

  it('refuses options that are not as they ought to be', () => {
    for (const [options, said] of [
      [{ meter: {} }, /meter/],
      [{ level: 'fleet' }, /level/],
      [{ zzz: 1 }, /zzz/]
    ] as const) {
      expect(() => otelMetrics(options as never)).to.throw(OptionError, said)
    }
    expect(make('worker').levels).to.deep.equal(['worker'])
  })
})
