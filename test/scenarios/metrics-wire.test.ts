// A whole worker on the emulators, as somebody who operates it sees it: the page of Prometheus, lines for CloudWatch, spans.

import { KinesisClient } from '@aws-sdk/client-kinesis'
import { context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { expect } from 'chai'
import { silentLogger, Worker, type WorkerOptions } from '../../src/index.ts'
import { otelTracing } from '../../src/metrics/otel-tracing.ts'
import { prometheusMetrics } from '../../src/metrics/prometheus-metrics.ts'
import { sharedDynalite, sharedKinesalite } from '../support/emulators.ts'
import { pollUntil } from '../support/poll.ts'
import { createStream, putRecords, uniqueName } from '../support/streams.ts'

/** Runs a worker until it has processed ten records, and stops it. */
async function processTen(options: Pick<WorkerOptions, 'metrics' | 'tracing'>): Promise<void> {
  const [kinesis, dynamodb] = await Promise.all([sharedKinesalite(), sharedDynalite()])
  const client = new KinesisClient(kinesis.clientConfig())
  let processed = 0
  try {
    const streamName = await createStream(client, 1)
    await putRecords(
      client,
      streamName,
      Array.from({ length: 10 }, (_, i) => ({ partitionKey: `key-${i}`, data: 'x' }))
    )
    const worker = new Worker({
      ...{ streamName, applicationName: uniqueName('app'), startAt: 'TRIM_HORIZON', logger: silentLogger },
      ...{ kinesis: kinesis.clientConfig(), dynamodb: dynamodb.clientConfig() },
      leases: { controlTableName: uniqueName('control') },
      handler: records => {
        processed += records.length
      },
      ...options
    })
    await worker.start()
    await pollUntil('ten records are processed', () => processed === 10)
    await worker.stop()
  } finally {
    client.destroy()
  }
}

describe('a worker that is watched, on the emulators', function () {
  this.timeout(40_000)

  it('shows Prometheus what it has processed, and what it has asked of the services', async () => {
    const metrics = prometheusMetrics()
    await processTen({ metrics })
    const text = await metrics.text()
    const sumOf = (name: string, ...labels: string[]): number => {
      const lines = text
        .split('\n')
        .filter(line => line.startsWith(name) && labels.every(label => line.includes(label)))
      return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
    }
    expect(sumOf('millrace_records_processed_total{')).to.equal(10)
    expect(sumOf('millrace_processed_bytes_total{')).to.equal(10)
    expect(sumOf('millrace_taken_leases_total{')).to.equal(1)
    expect(sumOf('millrace_requests_total{', 'service="kinesis"', 'operation="GetRecords"')).to.be.above(0)
    expect(sumOf('millrace_requests_total{', 'service="dynamodb"', 'operation="UpdateItem"')).to.be.above(2)
    expect(sumOf('millrace_write_units_total{')).to.be.above(3)
    expect(sumOf('millrace_estimated_cost_dollars_total{', 'service="dynamodb"')).to.be.within(1e-7, 1e-3)
    expect(sumOf('millrace_checkpoint_duration_seconds_count{')).to.be.above(0)
    expect(sumOf('millrace_get_records_duration_seconds_count{')).to.be.above(0)
    expect(sumOf('millrace_failed_requests_total{', 'service="kinesis"')).to.be.below(2)
  })

  it('has spans of reads, of calls, and of checkpoints in them', async () => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    const exporter = new InMemorySpanExporter()
    const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
    try {
      await processTen({ tracing: otelTracing({ tracer: provider.getTracer('test') }) })
    } finally {
      context.disable()
    }
    const spans = exporter.getFinishedSpans()
    const named = (name: string) => spans.filter(span => span.name === `millrace ${name}`)
    const sum = (name: string): number =>
      named(name).reduce((count, { attributes }) => count + Number(attributes['messaging.batch.message_count'] ?? 0), 0)
    expect([sum('fetch'), sum('process')]).to.deep.equal([10, 10])
    expect(named('checkpoint').length).to.be.above(0)
    for (const { attributes } of spans) expect(attributes['aws.kinesis.shard.id']).to.equal('shardId-000000000000')
  })
})
