import { expect } from 'chai'
import { MetricBuffer } from '../../src/metrics/metric-buffer.ts'
import { SHARD, WORKER } from './sample.ts'

/** What was taken, with distributions as pairs. */
function plain(buffer: MetricBuffer): unknown[] {
  return buffer
    .take()
    .map(({ dimensions, values }) => [
      dimensions.shard ?? '',
      ...values.map(value => ('counts' in value ? [value.name, [...value.counts]] : [value.name, value.value]))
    ])
}

describe('MetricBuffer', () => {
  it('adds counters up, keeps the newest of a gauge, and counts durations, of each thing by itself', () => {
    const buffer = new MetricBuffer()
    buffer.count('RecordsRead', 2, SHARD)
    buffer.count('RecordsRead', 3, { ...SHARD })
    buffer.gauge('MillisBehindLatest', 9, SHARD)
    buffer.gauge('MillisBehindLatest', 7, SHARD)
    for (const ms of [30, 5, 30]) buffer.time('UpdateLease.Time', ms, WORKER)
    expect(plain(buffer)).to.deep.equal([
      ['shard-0', ['RecordsRead', 5], ['MillisBehindLatest', 7]],
      [
        '',
        [
          'UpdateLease.Time',
          [
            [5, 1],
            [30, 2]
          ]
        ]
      ]
    ])
  })

  it('begins anew once its values were taken', () => {
    const buffer = new MetricBuffer()
    buffer.count('RecordsRead', 2, SHARD)
    buffer.take()
    expect(buffer.take()).to.deep.equal([])
    buffer.count('RecordsRead', 1, SHARD)
    expect(plain(buffer)).to.deep.equal([['shard-0', ['RecordsRead', 1]]])
  })

  it('knows durations to two digits, so that there are few different ones', () => {
    const buffer = new MetricBuffer()
    for (const ms of [-1, 0, 0.04, 0.26, 1.04, 12.345, 1_234, 1_249, 98_765]) buffer.time('UpdateLease.Time', ms, SHARD)
    const [{ values = [] } = {}] = buffer.take()
    const [value] = values
    expect(value && 'counts' in value && [...value.counts.keys()]).to.deep.equal([0, 0.3, 1, 12, 1_200, 99_000])
  })
})
