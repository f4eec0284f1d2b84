// The page that Prometheus asks for, as prom-client writes it.
import { expect } from 'chai'
import { Gauge, Registry } from 'prom-client'
import { specOf } from '../../src/metrics/metric-table.ts'
import { prometheusMetrics } from '../../src/metrics/prometheus-metrics.ts'
import { OptionError } from '../../src/model/errors.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { NAMES, reportAll, SHARD, WORKER } from './sample.ts'

const TYPES = { counter: 'counter', gauge: 'gauge', timer: 'histogram' }

/** The lines with values whose name begins like this. */
function linesOf(text: string, name: string): string[] {
  return text.split('\n').filter(line => line.startsWith(name) && !line.startsWith('#'))
}

describe('prometheusMetrics', () => {
  it('shows every metric there is by its name, with its kind and what it means', async () => {
    const metrics = prometheusMetrics()
    reportAll(metrics)
    const text = await metrics.text()
    expect(metrics.contentType).to.match(/^text\/plain; version=0\.0\.4/)
    const shown = Array.from(text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\w+)$/gm), ([, ...parts]) => parts)
    expect(shown.sort()).to.deep.equal(
      NAMES.map(name => specOf(name))
        .map(({ prometheus, meaning, kind }) => [prometheus, meaning, TYPES[kind]])
        .sort()
    )
    for (const name of NAMES) {
      const { prometheus, kind, unit } = specOf(name)
      const value = unit === 'Milliseconds' ? 2 : 2_000
      const [line] = linesOf(text, kind === 'timer' ? `${prometheus}_sum` : `${prometheus}{`)
      expect(line?.split(' ').at(-1), name).to.equal(String(value))
    }
  })

  it('has labels for the shard, the service and the call', async () => {
    const metrics = prometheusMetrics()
    metrics.count('RecordsProcessed', 5, SHARD)
    metrics.count('Requests', 1, { ...WORKER, service: 'kinesis', operation: 'GetRecords' })
    const text = await metrics.text()
    const about = 'application="indexer",stream="orders",worker="w1"'
    expect(linesOf(text, 'millrace_')).to.deep.equal([
      `millrace_records_processed_total{${about},shard="shard-0"} 5`,
      `millrace_requests_total{${about},service="kinesis",operation="GetRecords"} 1`
    ])
  })

  it('forgets the gauges of a shard that has left at once, and its counters ten minutes later', async () => {
    const clock = new VirtualClock()
    const metrics = prometheusMetrics({ clock })
    const other = { ...SHARD, shard: 'shard-1' }
    for (const dimensions of [SHARD, other]) {
      metrics.gauge('MillisBehindLatest', 5, dimensions)
      metrics.count('RecordsProcessed', 5, dimensions)
    }
    metrics.gauge('CurrentLeases', 2, WORKER)
    const left = async (): Promise<number[]> => {
      await metrics.flush?.()
      const text = await metrics.text()
      const names = ['millrace_behind_latest_seconds', 'millrace_records_processed_total', 'millrace_current_leases']
      return names.map(name => linesOf(text, name).length)
    }
    metrics.forget?.(SHARD)
    expect(await left()).to.deep.equal([1, 2, 1])
    await clock.advance(599_000)
    expect(await left()).to.deep.equal([1, 2, 1])
    await clock.advance(1_000)
    expect(await left()).to.deep.equal([1, 1, 1])
  })

  it('keeps the counters of a shard that has come back', async () => {
    const clock = new VirtualClock()
    const metrics = prometheusMetrics({ clock })
    metrics.count('RecordsProcessed', 5, SHARD)
    metrics.forget?.(SHARD)
    await clock.advance(300_000)
    metrics.count('RecordsProcessed', 5, { ...SHARD })
    await clock.advance(600_000)
    await metrics.flush?.()
    expect(linesOf(await metrics.text(), 'millrace_')[0]).to.match(/ 10$/)
  })

  it('shares the metrics of a registry with other workers, and the page with other metrics', async () => {
    const registry = new Registry()
    new Gauge({ name: 'mine', help: 'mine', registers: [registry] }).set(1)
    const [first, second] = [prometheusMetrics({ registry }), prometheusMetrics({ registry })]
    first.count('RecordsProcessed', 5, SHARD)
    second.count('RecordsProcessed', 7, { ...SHARD, worker: 'w2' })
    const text = await first.text()
    expect(linesOf(text, 'millrace_records_processed_total')).to.have.length(2)
    expect(linesOf(text, 'mine')).to.deep.equal(['mine 1'])
  })

  it('has no label of the shard where only the worker is wanted', async () => {
    const metrics = prometheusMetrics({ level: 'worker' })
    expect(metrics.levels).to.deep.equal(['worker'])
    metrics.gauge('MillisBehindLatest', 1_500, WORKER)
    expect(linesOf(await metrics.text(), 'millrace_')).to.deep.equal([
      'millrace_behind_latest_seconds{application="indexer",stream="orders",worker="w1"} 1.5'
    ])
  })

  it('refuses options that are not as they ought to be', () => {
    for (const [options, said] of [
      [{ registry: {} }, /registry/],
      [{ level: 'fleet' }, /level/],
      [{ zzz: 1 }, /zzz/]
    ] as const) {
      expect(() => prometheusMetrics(options as never)).to.throw(OptionError, said)
    }
  })
})
