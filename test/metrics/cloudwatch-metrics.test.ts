// The real client of CloudWatch, with a request handler that keeps what is sent.
import { gunzipSync } from 'node:zlib'
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch'
import { expect } from 'chai'
import { type CloudWatchMetricsOptions, cloudWatchMetrics } from '../../src/metrics/cloudwatch-metrics.ts'
import { specOf } from '../../src/metrics/metric-table.ts'
import { OptionError } from '../../src/model/errors.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { NAMES, reportAll, SHARD, WORKER } from './sample.ts'

interface SentDatum {
  readonly MetricName: string
  readonly Unit: string
  readonly Timestamp: number
  readonly Dimensions: readonly { readonly Name: string; readonly Value: string }[]
  readonly Value?: number
  readonly Values?: readonly number[]
  readonly Counts?: readonly number[]
}

interface SentCall {
  readonly Namespace: string
  readonly MetricData: readonly SentDatum[]
}

const SETTINGS = { region: 'us-east-1', credentials: { accessKeyId: 'stub', secretAccessKey: 'stub' } }

function aCloudWatch(options: CloudWatchMetricsOptions = {}, answer = async (): Promise<number> => 200) {
  const clock = new VirtualClock()
  const sent: SentCall[] = []
  let destroyed = 0
  const requestHandler = {
    handle: async ({ headers, body }: { headers: Record<string, string>; body: Uint8Array }): Promise<unknown> => {
      const bytes = Buffer.from(body)
      const isPacked = headers['content-encoding'] === 'gzip'
      sent.push(JSON.parse((isPacked ? gunzipSync(bytes) : bytes).toString()))
      return { response: { statusCode: await answer(), headers: {}, body: new Uint8Array() } }
    },
    destroy: () => void destroyed++
  }
  const config = { ...SETTINGS, maxAttempts: 1, requestHandler } as never
  const metrics = cloudWatchMetrics({ client: new CloudWatchClient(config), clock, ...options })
  return { clock, sent, metrics, config, destroyed: () => destroyed }
}

describe('cloudWatchMetrics', () => {
  it('sends every metric there is, with its unit', async () => {
    const { clock, sent, metrics } = aCloudWatch()
    reportAll(metrics)
    await metrics.flush?.()
    const data = sent.flatMap(({ MetricData }) => MetricData)
    const units = new Map(data.map(({ MetricName, Unit }) => [MetricName, Unit]))
    expect(units).to.deep.equal(new Map(NAMES.map(name => [name, specOf(name).unit])))
    for (const { MetricName, Value, Values, Counts, Timestamp } of data) {
      expect(Value === undefined ? [Values, Counts] : Value, MetricName).to.deep.equal(
        Value === undefined ? [[2_000], [1]] : 2_000
      )
      expect(Timestamp).to.equal(clock.epochMs() / 1_000)
    }
    expect(sent.map(({ Namespace }) => Namespace)).to.deep.equal(['Millrace'])
  })

  it('sends what is of the worker beside what is of its shards, and nothing twice', async () => {
    const { sent, metrics } = aCloudWatch({ namespace: 'Team', level: 'shard' })
    expect(metrics.levels).to.deep.equal(['worker', 'shard'])
    metrics.count('RecordsProcessed', 5, WORKER)
    metrics.count('RecordsProcessed', 2, SHARD)
    metrics.count('RecordsProcessed', 3, SHARD)
    await metrics.flush?.()
    await metrics.flush?.()
    const [{ Namespace, MetricData } = { Namespace: '', MetricData: [] }, ...others] = sent
    expect([Namespace, others]).to.deep.equal(['Team', []])
    expect(MetricData.map(({ Value }) => Value)).to.deep.equal([5, 5])
    expect(MetricData[1]?.Dimensions).to.deep.equal([
      { Name: 'ApplicationName', Value: 'indexer' },
      { Name: 'StreamName', Value: 'orders' },
      { Name: 'ShardId', Value: 'shard-0' }
    ])
  })

  it('keeps to what a call and a metric may have', async () => {
    const { sent, metrics } = aCloudWatch({ level: 'shard' })
    for (let i = 0; i < 1_200; i++) metrics.count('RecordsProcessed', 1, { ...WORKER, shard: `shard-${i}` })
    for (let i = 1; i <= 90; i++) {
      for (const scale of [1, 10, 100]) metrics.time('UpdateLease.Time', (i + 9) * scale, SHARD)
    }
    await metrics.flush?.()
    const sizes = sent.map(({ MetricData }) => MetricData.length)
    expect(sizes).to.deep.equal([500, 500, 202])
    const times = sent.flatMap(({ MetricData }) => MetricData.filter(({ Values }) => Values !== undefined))
    expect(times.map(({ Values }) => Values?.length)).to.deep.equal([150, 120])
    expect(times.flatMap(({ Counts = [] }) => Counts).reduce((a, b) => a + b)).to.equal(270)
  })

  it('rejects when CloudWatch refuses, or does not answer in five seconds, and forgets what it could not send', async () => {
    const { sent, metrics } = aCloudWatch({}, async () => 400)
    metrics.count('RecordsProcessed', 5, WORKER)
    const refused = await metrics.flush?.().catch(error => error)
    expect(refused).to.be.an('error')
    await metrics.flush?.()
    expect(sent).to.have.length(1)
    const silent = aCloudWatch({}, () => new Promise(() => {}))
    silent.metrics.count('RecordsProcessed', 5, WORKER)
    const waiting = silent.metrics.flush?.().catch(error => error)
    await silent.clock.advance(5_000)
    expect(await waiting).to.have.property('message', 'PutMetricData took longer than 5000 ms')
  })

  it('calls nothing when there is nothing to say', async () => {
    const { sent, metrics } = aCloudWatch()
    await metrics.flush?.()
    expect(sent).to.deep.equal([])
  })

  it('lets go of a client of its own, and leaves one that was given', () => {
    const given = aCloudWatch()
    given.metrics.close()
    expect(given.destroyed()).to.equal(0)
    cloudWatchMetrics({ client: given.config }).close()
    expect(given.destroyed()).to.equal(1)
  })

  it('refuses options that are not as they ought to be', () => {
    expect(() => cloudWatchMetrics({ level: 'fleet' } as never)).to.throw(OptionError, /level/)
    expect(() => cloudWatchMetrics({ zzz: 1 } as never)).to.throw(OptionError, /zzz/)
  })
})
