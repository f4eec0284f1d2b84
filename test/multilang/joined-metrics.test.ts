import { expect } from 'chai'
import type { Dimensions, Metrics } from '../../src/metrics/metrics.ts'
import { joinedMetrics } from '../../src/multilang/joined-metrics.ts'

class Noting implements Metrics {
  readonly levels?: NonNullable<Metrics['levels']>
  readonly told: string[] = []
  flushes = 0
  failure: Error | undefined

  constructor(...levels: NonNullable<Metrics['levels']>) {
    if (levels.length > 0) this.levels = levels
  }

  count(name: string, value: number, { shard = 'worker' }: Dimensions): void {
    this.told.push(`count ${name} ${value} ${shard}`)
  }

  gauge(name: string, value: number, { shard = 'worker' }: Dimensions): void {
    this.told.push(`gauge ${name} ${value} ${shard}`)
  }

  time(name: string, value: number, { shard = 'worker' }: Dimensions): void {
    this.told.push(`time ${name} ${value} ${shard}`)
  }

  forget({ shard = 'worker' }: Dimensions): void {
    this.told.push(`forget ${shard}`)
  }

  async flush(): Promise<void> {
    this.flushes += 1
    if (this.failure !== undefined) throw this.failure
  }
}

const ABOUT = { application: 'a', stream: 's', worker: 'w' } as const
const OF_SHARD = { ...ABOUT, shard: 'shardId-1' } as const

describe('joinedMetrics', () => {
  it('is nothing of nothing, and the only one of one', () => {
    const one = new Noting()
    expect(joinedMetrics([])).to.equal(undefined)
    expect(joinedMetrics([one])).to.equal(one)
  })

  it('gives each what it asks for', () => {
    const [byDefault, both, shards] = [new Noting(), new Noting('worker', 'shard'), new Noting('shard')]
    const joined = joinedMetrics([byDefault, both, shards])
    expect([...(joined?.levels ?? [])].sort()).to.deep.equal(['shard', 'worker'])
    joined?.count('RecordsProcessed', 1, OF_SHARD)
    joined?.count('RecordsProcessed', 2, ABOUT)
    // Of this there is nothing but that of workers.
    joined?.gauge('CurrentLeases', 3, ABOUT)
    joined?.time('RecordProcessor.processRecords.Time', 4, OF_SHARD)
    joined?.forget?.(OF_SHARD)
    expect(byDefault.told).to.deep.equal(['count RecordsProcessed 2 worker', 'gauge CurrentLeases 3 worker'])
    expect(both.told).to.have.length(5)
    expect(shards.told).to.deep.equal([
      'count RecordsProcessed 1 shardId-1',
      'gauge CurrentLeases 3 worker',
      'time RecordProcessor.processRecords.Time 4 shardId-1',
      'forget shardId-1'
    ])
  })

  it('flushes all of them, also when one fails, and tells that', async () => {
    const [first, second] = [new Noting(), new Noting()]
    first.failure = new Error('away')
    const failed = await joinedMetrics([first, second])
      ?.flush?.()
      .catch(error => error)
    expect(failed).to.equal(first.failure)
    expect(second.flushes).to.equal(1)
  })
})
