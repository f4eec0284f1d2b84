import { expect } from 'chai'
import { emfMetrics } from '../../src/metrics/emf-metrics.ts'
import { specOf } from '../../src/metrics/metric-table.ts'
import { OptionError } from '../../src/model/errors.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { NAMES, reportAll, SHARD, WORKER } from './sample.ts'

interface EmfLine {
  readonly _aws: {
    readonly Timestamp: number
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string
      readonly Dimensions: readonly (readonly string[])[]
      readonly Metrics: readonly { readonly Name: string; readonly Unit: string }[]
    }[]
  }
  readonly [member: string]: unknown
}

function anEmf(options: Partial<Parameters<typeof emfMetrics>[0]> = {}) {
  const clock = new VirtualClock()
  const written: string[] = []
  const metrics = emfMetrics({ to: { write: line => written.push(line) }, clock, ...options })
  const flush = async (): Promise<EmfLine[]> => {
    await metrics.flush?.()
    return written.splice(0).map(line => JSON.parse(line))
  }
  return { clock, metrics, written, flush }
}

describe('emfMetrics', () => {
  it('writes every metric there is, with its unit, as lines that CloudWatch makes metrics of', async () => {
    const { clock, metrics, flush } = anEmf()
    reportAll(metrics)
    const lines = await flush()
    const found = new Map<string, string>()
    for (const line of lines) {
      expect(line._aws.Timestamp).to.equal(clock.epochMs())
      expect(line.WorkerIdentifier).to.equal('w1')
      const [directive, ...others] = line._aws.CloudWatchMetrics
      expect(others).to.deep.equal([])
      expect(directive?.Namespace).to.equal('Millrace')
      expect(directive?.Metrics.length).to.be.within(1, 100)
      for (const name of directive?.Dimensions.flat() ?? []) expect(line[name], name).to.be.a('string')
      for (const { Name, Unit } of directive?.Metrics ?? []) {
        found.set(Name, Unit)
        expect([line[Name]].flat(), Name).to.deep.equal([2_000])
      }
    }
    expect(found).to.deep.equal(new Map(NAMES.map(name => [name, specOf(name).unit])))
  })

  it('writes a line for each thing, with its dimensions', async () => {
    const { metrics, flush } = anEmf({ namespace: 'Team', level: 'shard' })
    expect(metrics.levels).to.deep.equal(['worker', 'shard'])
    metrics.count('RecordsProcessed', 5, WORKER)
    metrics.count('RecordsProcessed', 5, SHARD)
    metrics.count('Requests', 1, { ...WORKER, service: 'kinesis', operation: 'GetRecords' })
    const lines = await flush()
    expect(lines.map(line => line._aws.CloudWatchMetrics[0]?.Dimensions)).to.deep.equal([
      [['ApplicationName', 'StreamName']],
      [['ApplicationName', 'StreamName', 'ShardId']],
      [['ApplicationName', 'StreamName', 'Service', 'Operation']]
    ])
    expect(lines[1]).to.deep.include({ ApplicationName: 'indexer', StreamName: 'orders', ShardId: 'shard-0' })
    expect(lines[2]).to.deep.include({ Service: 'kinesis', Operation: 'GetRecords', Requests: 1 })
    expect(lines[0]?._aws.CloudWatchMetrics[0]?.Namespace).to.equal('Team')
  })

  it('writes whole lines, and none when there is nothing to say', async () => {
    const { metrics, written } = anEmf()
    await metrics.flush?.()
    expect(written).to.deep.equal([])
    metrics.count('RecordsProcessed', 5, WORKER)
    await metrics.flush?.()
    await metrics.flush?.()
    expect(written).to.have.length(1)
    expect(written[0]).to.match(/^\{[^\n]*\}\n$/)
  })

  it('writes at most 100 durations at once, spread like all of them', async () => {
    const { metrics, flush } = anEmf()
    for (let i = 0; i < 5_000; i++) metrics.time('UpdateLease.Time', i < 4_500 ? 10 : 900, SHARD)
    metrics.time('UpdateLease.Time', 1, SHARD)
    const [line] = await flush()
    const values = line?.['UpdateLease.Time'] as number[]
    expect(values).to.have.length(100)
    expect([values[0], values[50], values[99]]).to.deep.equal([1, 10, 900])
    expect(values.filter(value => value === 900).length).to.be.within(9, 11)
  })

  it('refuses options that are not as they ought to be', () => {
    for (const [options, said] of [
      [undefined, /options/],
      [{}, /to: is missing, expected something to write lines to/],
      [{ to: process.stdout, level: 'fleet' }, /level/],
      [{ to: process.stdout, namespace: '' }, /namespace/],
      [{ to: process.stdout, zzz: 1 }, /zzz/]
    ] as const) {
      expect(() => emfMetrics(options as never)).to.throw(OptionError, said)
    }
  })
})
