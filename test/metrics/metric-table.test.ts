// The table of metrics: what is promised of its names, and that docs/metrics.md says the same.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { METRICS, type MetricName, specOf } from '../../src/metrics/metric-table.ts'
import { ROOT } from '../support/source-files.ts'
import { NAMES } from './sample.ts'

/** What KCL calls these, with the unit that it gives them: the rest are ours. */
const OF_KCL: Readonly<Record<string, string>> = {
  MillisBehindLatest: 'Milliseconds',
  RecordsProcessed: 'Count',
  DataBytesProcessed: 'Bytes',
  'RecordProcessor.processRecords.Time': 'Milliseconds',
  'UpdateLease.Time': 'Milliseconds',
  'KinesisDataFetcher.getRecords.Time': 'Milliseconds',
  CurrentLeases: 'Count',
  TakenLeases: 'Count',
  LostLeases: 'Count',
  'LeaderDecider:IsLeader': 'Count',
  TotalLeases: 'Count',
  NumWorkers: 'Count',
  LeaseSpillover: 'Count'
}

describe('METRICS', () => {
  it('has the names and units of KCL for what means the same there', () => {
    const kcl = NAMES.filter(name => specOf(name).isKcl)
    expect(Object.fromEntries(kcl.map(name => [name, specOf(name).unit]))).to.deep.equal(OF_KCL)
  })

  it('has no name twice, and names as each backend likes them', () => {
    for (const of of ['otel', 'prometheus'] as const) {
      const names = NAMES.map(name => specOf(name)[of])
      expect(new Set(names).size, of).to.equal(names.length)
    }
    for (const name of NAMES) {
      const { kind, unit, otel, prometheus, isKcl } = specOf(name)
      expect(prometheus, name).to.match(/^millrace_[a-z0-9_]+$/)
      expect(prometheus.endsWith('_total'), name).to.equal(kind === 'counter')
      if (unit === 'Milliseconds') expect(prometheus, name).to.match(/_seconds$/)
      if (unit === 'Bytes') expect(prometheus, name).to.match(/_bytes(_total)?$/)
      expect(otel, name).to.match(isKcl ? /^aws\.kinesis\.client\.[a-z0-9_.]+$/ : /^millrace\.[a-z0-9_.]+$/)
      expect(name.length).to.be.below(256)
    }
  })

  it('says of each gauge of shards what it is for the worker', () => {
    for (const name of NAMES) {
      const { kind, across } = specOf(name)
      expect(across !== undefined, name).to.equal(kind === 'gauge')
    }
  })

  it('is what docs/metrics.md says, row by row', () => {
    const page = readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8')
    const rows = page.split('\n').filter(line => /^\| `[^`]+`( ◇)? \| (counter|gauge|timer)/.test(line))
    expect(rows).to.deep.equal(NAMES.map(rowOf))
  })
})

function rowOf(name: MetricName): string {
  const { kind, unit, level, by = [], across, otel, prometheus, meaning } = specOf(name)
  const isKcl = specOf(name).isKcl ? ' ◇' : ''
  const adding = kind === 'gauge' && level === 'shard' ? ` (${across})` : ''
  const cells = [
    `\`${name}\`${isKcl}`,
    `${kind}${adding}`,
    unit === 'None' ? 'USD' : unit,
    [level, ...by].join(', '),
    `\`${otel}\``,
    `\`${prometheus}\``,
    meaning
  ]
  return `| ${cells.join(' | ')} |`
}

describe('specOf', () => {
  it('is the row of the table', () => {
    expect(specOf('RecordsRead')).to.equal(METRICS.RecordsRead)
  })
})
