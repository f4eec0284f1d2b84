// What somebody who operates a worker receives: the page of metrics over HTTP, and, at a stand-in of a collector of OpenTelemetry,
// what the real SDK exports. Compared with what docs/metrics.md promises. And that nothing else is called.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { KinesisClient } from '@aws-sdk/client-kinesis'
import { context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { expect } from 'chai'
import {
  type ConsumedRecord,
  memoryLeaseStore,
  serveHealth,
  silentLogger,
  Worker,
  type WorkerOptions
} from '../../src/index.ts'
import { otelMetrics } from '../../src/metrics/otel-metrics.ts'
import { otelTracing } from '../../src/metrics/otel-tracing.ts'
import { prometheusMetrics } from '../../src/metrics/prometheus-metrics.ts'
import { reportAll } from '../metrics/sample.ts'
import { sharedDynalite, sharedKinesalite } from '../support/emulators.ts'
import { pollUntil } from '../support/poll.ts'
import { ROOT, sourceFiles } from '../support/source-files.ts'
import { createStream, putRecords, uniqueName } from '../support/streams.ts'
import type { SpanSaid } from './traced-threads-module.ts'

/** The cells of each row of the table that begins with this head, without their backquotes. */
function tableOf(head: string): string[][] {
  const text = readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8')
  const [, rows = ''] = text.split(`\n${head}`)
  const table = rows.slice(0, rows.indexOf('\n\n')).split('\n').slice(2)
  return table.map(row => row.split('|').map(cell => cell.trim().replaceAll('`', '')))
}

const METRICS = tableOf('| metric | kind |')
const ATTRIBUTES = tableOf('| dimension | CloudWatch, EMF |').map(row => row[3] ?? '')
const SPANS = tableOf('| span | kind |')

/** What is received by name, and with which attributes. */
interface Received {
  readonly unit?: string
  readonly attributes: Set<string>
}

interface Attributed {
  readonly attributes?: readonly { readonly key: string }[]
}

/** A collector that takes JSON of OTLP over HTTP. */
class Collector {
  readonly metrics = new Map<string, Received>()
  readonly spans = new Map<string, Received>()
  readonly #server: Server

  constructor() {
    this.#server = createServer(async (request, response) => {
      const parts: Buffer[] = []
      for await (const part of request) parts.push(part as Buffer)
      const body = JSON.parse(Buffer.concat(parts).toString('utf8')) as object
      if (request.url === '/v1/metrics') this.#takeMetrics(body)
      if (request.url === '/v1/traces') this.#takeSpans(body)
      response.setHeader('content-type', 'application/json').end('{}')
    })
  }

  async listen(): Promise<string> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  #takeMetrics(body: object): void {
    const found = deep(body, 'metrics') as { readonly name: string; readonly unit: string }[]
    for (const metric of found) {
      const points = deep(metric, 'dataPoints') as Attributed[]
      note(this.metrics, metric.name, points, metric.unit)
    }
  }

  #takeSpans(body: object): void {
    for (const span of deep(body, 'spans') as (Attributed & { name: string })[]) note(this.spans, span.name, [span])
  }
}

/** Everything in lists of this name, however deep. */
function deep(value: unknown, name: string): unknown[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, each]) =>
    key === name && Array.isArray(each) ? (each as unknown[]) : deep(each, name)
  )
}

function note(to: Map<string, Received>, name: string, of: readonly Attributed[], unit?: string): void {
  const known = to.get(name) ?? { attributes: new Set<string>(), ...(unit !== undefined && { unit }) }
  for (const { attributes = [] } of of) for (const { key } of attributes) known.attributes.add(key)
  to.set(name, known)
}

/** Runs a worker on the emulators until it has processed ten records, or as said; then does what is to be done while it runs. */
async function withWorker(
  options: Partial<WorkerOptions>,
  during: (worker: Worker) => Promise<void> = async () => {},
  expected = 10
): Promise<void> {
  const [kinesis, dynamodb] = await Promise.all([sharedKinesalite(), sharedDynalite()])
  const client = new KinesisClient(kinesis.clientConfig())
  let processed = 0
  try {
    const streamName = await createStream(client, 1)
    const records = Array.from({ length: 10 }, (_, i) => ({ partitionKey: `key-${i}`, data: 'x' }))
    await putRecords(client, streamName, records)
    const worker = new Worker({
      ...{ streamName, applicationName: uniqueName('app'), startAt: 'TRIM_HORIZON', logger: silentLogger },
      ...{ kinesis: kinesis.clientConfig(), dynamodb: dynamodb.clientConfig() },
      leases: { controlTableName: uniqueName('control') },
      handler: (given: readonly unknown[]) => {
        processed += given.length
      },
      ...options
    } as WorkerOptions)
    await worker.start()
    if (!('threads' in options)) await pollUntil('the records are processed', () => processed === expected)
    await during(worker)
    await worker.stop()
  } finally {
    client.destroy()
  }
}

describe('somebody who operates a worker', function () {
  this.timeout(40_000)

  it('gets a page at /metrics that has every name of the table, and no other', async () => {
    const metrics = prometheusMetrics()
    await withWorker({ metrics }, async worker => {
      await using endpoint = await serveHealth(worker, { port: 0, metrics })
      const response = await fetch(`${endpoint.url}/metrics`)
      expect(response.status).to.equal(200)
      expect(response.headers.get('content-type')).to.match(/^text\/plain; version=0\.0\.4/)
      const page = await response.text()
      const names = [...page.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)
      expect(names).to.have.members(METRICS.map(row => row[6]))
      expect(names).to.have.length.above(40)
      // They count as processed once the handler has returned, which may be after it was seen to have them.
      const processed = /^millrace_records_processed_total\{.*shard="shardId-000000000000".*\} 10$/m
      await pollUntil('ten records are counted', async () => processed.test(await (await fetch(response.url)).text()))
    })
  })

  it('gets, at a collector of OpenTelemetry, metrics and spans with the names and attributes of the tables', async () => {
    const collector = new Collector()
    const url = await collector.listen()
    const reader = new PeriodicExportingMetricReader({
      exporter: new OTLPMetricExporter({ url: `${url}/v1/metrics` }),
      exportIntervalMillis: 3_600_000
    })
    const meters = new MeterProvider({ readers: [reader] })
    const exporter = new OTLPTraceExporter({ url: `${url}/v1/traces` })
    const tracers = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    try {
      const metrics = otelMetrics({ meter: meters.getMeter('millrace') })
      const tracing = otelTracing({ tracer: tracers.getTracer('millrace') })
      const decode = ({ partitionKey }: ConsumedRecord): void => {
        if (partitionKey === 'key-5') throw new TypeError('it is none')
      }
      await withWorker({ metrics, tracing, decode, onDecodeError: 'skip' }, undefined, 9)
      await Promise.all([meters.forceFlush(), tracers.forceFlush()])
      const documented = METRICS.map(row => row[5])
      const ofWorker = [...collector.metrics.keys()]
      expect(documented).to.include.members(ofWorker)
      expect(ofWorker).to.include.members([
        'aws.kinesis.client.records_processed',
        'aws.kinesis.client.update_lease.duration',
        'millrace.requests',
        'millrace.cost'
      ])
      // What does not happen in ten seconds.
      reportAll(metrics)
      await meters.forceFlush()
      expect([...collector.metrics.keys()]).to.have.members(documented)
      const units: Readonly<Record<string, string>> = { Count: '1', Bytes: 'By', Milliseconds: 'ms', USD: '{USD}' }
      for (const row of METRICS) expect(collector.metrics.get(row[5] ?? '')?.unit, row[5]).to.equal(units[row[3] ?? ''])
      const seen = [...collector.metrics.values()].flatMap(({ attributes }) => [...attributes])
      expect([...new Set(seen)]).to.have.members(ATTRIBUTES)

      expect([...collector.spans.keys()]).to.have.members(SPANS.map(row => row[1]))
      for (const [, name = '', , , attributes = ''] of SPANS) {
        for (const attribute of attributes.split(', ')) {
          expect([...(collector.spans.get(name)?.attributes ?? [])], name).to.include(attribute)
        }
      }
    } finally {
      context.disable()
      await Promise.all([meters.shutdown(), tracers.shutdown()])
      collector.close()
    }
  })

  it('sees the spans of code that lives in threads inside of its call, and its checkpoints, too', async () => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    const exporter = new InMemorySpanExporter()
    const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
    const data = { channel: uniqueName('spans') }
    const channel = new BroadcastChannel(data.channel)
    const said: SpanSaid[] = []
    channel.onmessage = event => void said.push((event as { data: SpanSaid }).data)
    try {
      await withWorker(
        {
          handler: undefined,
          threads: { module: new URL('traced-threads-module.ts', import.meta.url), count: 1, data },
          tracing: otelTracing({ tracer: provider.getTracer('test') }),
          leases: { store: memoryLeaseStore(), controlTableName: uniqueName('control') }
        } as Partial<WorkerOptions>,
        async () => {
          const isThere = (name: string): boolean => exporter.getFinishedSpans().some(span => span.name === name)
          await pollUntil('the spans are there', () => said.length > 0 && isThere('millrace process'), 20_000)
        }
      )
    } finally {
      context.disable()
      channel.close()
    }
    const spans = exporter.getFinishedSpans()
    const calls = spans.filter(({ name }) => name === 'millrace process').map(span => span.spanContext())
    const isInCall = ({ traceId, parentSpanId }: SpanSaid): boolean =>
      calls.some(call => call.traceId === traceId && call.spanId === parentSpanId)
    expect(said.filter(each => !isInCall(each))).to.deep.equal([])
    const checkpoints = spans.filter(({ name }) => name === 'millrace checkpoint')
    const parents = checkpoints.map(({ parentSpanContext }) => parentSpanContext?.spanId)
    expect(parents.some(parent => calls.some(({ spanId }) => spanId === parent))).to.equal(true)
  })

  it('has nothing called but Kinesis and DynamoDB, by default', async () => {
    const ports = new Set<number | undefined>()
    const onSocket = (message: unknown): void => {
      const { socket } = message as { socket: Socket }
      socket.once('connect', () => ports.add(socket.remotePort))
    }
    subscribe('net.client.socket', onSocket)
    try {
      await withWorker({})
    } finally {
      unsubscribe('net.client.socket', onSocket)
    }
    const emulators = await Promise.all([sharedKinesalite(), sharedDynalite()])
    const expected = await Promise.all(
      emulators.map(async each => {
        const { endpoint } = each.clientConfig() as { endpoint: string }
        return Number(new URL(endpoint).port)
      })
    )
    expect([...ports]).to.have.members(expected)
  })

  it('has nothing loaded for metrics and spans by importing the package', () => {
    const files = new Map(sourceFiles().map(file => [`src/${file.path}`, file]))
    const reached = new Set<string>()
    const visit = (target: string): void => {
      if (reached.has(target)) return
      reached.add(target)
      for (const each of files.get(target)?.imports ?? []) if (!each.isType) visit(each.target)
    }
    visit('src/index.ts')
    expect(reached).to.include('src/worker/worker.ts')
    const heavy = [...reached].filter(each =>
      /cloudwatch-metrics|otel-|prometheus-metrics|client-cloudwatch/.test(each)
    )
    expect(heavy).to.deep.equal([])
    expect([...reached].filter(each => /^(@opentelemetry|prom-client)/.test(each))).to.deep.equal([])
  })
})
