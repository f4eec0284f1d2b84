// The SDK of OpenTelemetry with an exporter in memory, as a collector would receive the spans.
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor
} from '@opentelemetry/sdk-trace-base'
import { expect } from 'chai'
import { type OtelTracingOptions, otelTracing } from '../../src/metrics/otel-tracing.ts'
import { OptionError } from '../../src/model/errors.ts'
import { ConsumedRecord } from '../../src/model/record.ts'

const FACTS = { application: 'indexer', stream: 'orders', worker: 'w1', shardId: 'shard-0' }
const TRACES = ['0af7651916cd43dd8448eb211c80319c', '4bf92f3577b34da6a3ce929d0e0e4736']
const PARENT = 'b7ad6b7169203331'

/** A record whose payload is a trace, or anything else. */
function aRecord(number: number, payload: string): ConsumedRecord {
  const data = new TextEncoder().encode(payload)
  return new ConsumedRecord({ sequenceNumber: String(number), partitionKey: 'key', data })
}

describe('otelTracing', () => {
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  const tracer = provider.getTracer('test')
  const make = (options: OtelTracingOptions = {}) => otelTracing({ tracer, ...options })

  before(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  })
  after(() => {
    context.disable()
    propagation.disable()
  })
  beforeEach(() => exporter.reset())

  const spans = (): ReadableSpan[] => exporter.getFinishedSpans()
  const carrierOf = (record: ConsumedRecord) => {
    const { trace: id } = record.json<{ trace?: string }>()
    return id === undefined ? undefined : { traceparent: `00-${id}-${PARENT}-01` }
  }

  it('makes a span of a read, with what came of it', async () => {
    const result = { records: 3, bytes: 99, millisBehindLatest: 7 }
    const answer = await make().fetch(
      { ...FACTS, operation: 'GetRecords' },
      async () => 'answer',
      () => result
    )
    expect(answer).to.equal('answer')
    const [span] = spans()
    expect([span?.name, span?.kind]).to.deep.equal(['millrace fetch', SpanKind.CLIENT])
    expect(span?.attributes).to.deep.equal({
      'messaging.system': 'aws_kinesis',
      'messaging.destination.name': 'orders',
      'aws.kinesis.stream_name': 'orders',
      'aws.kinesis.shard.id': 'shard-0',
      'aws.kinesis.consumer.name': 'w1',
      'millrace.application': 'indexer',
      'aws.kinesis.operation': 'GetRecords',
      'messaging.batch.message_count': 3,
      'messaging.message.body.size': 99,
      'millrace.millis_behind_latest': 7
    })
  })

  it('makes a span of a call, with the spans of the call and its checkpoints inside', async () => {
    const tracing = make()
    const records = [aRecord(5, '{}'), aRecord(6, '{}')]
    await tracing.process({ ...FACTS, records, failures: 2 }, async () => {
      await new Promise(resolve => setImmediate(resolve))
      tracer.startSpan('mine').end()
      await tracing.checkpoint({ ...FACTS, position: '6' }, async () => {})
    })
    const [mine, checkpoint, process] = spans()
    expect([mine?.name, checkpoint?.name, process?.name]).to.deep.equal([
      ...['mine', 'millrace checkpoint', 'millrace process']
    ])
    const id = process?.spanContext().spanId
    expect([mine?.parentSpanContext?.spanId, checkpoint?.parentSpanContext?.spanId]).to.deep.equal([id, id])
    expect(process?.kind).to.equal(SpanKind.CONSUMER)
    expect(process?.attributes).to.deep.include({
      'messaging.batch.message_count': 2,
      'millrace.failures': 2,
      'millrace.first_sequence_number': '5'
    })
    expect(checkpoint?.attributes).to.deep.include({ 'millrace.position': '6' })
  })

  it('says how many records of a batch could not be decoded, if there are some', () => {
    const tracing = make()
    const facts = { ...FACTS, records: [aRecord(5, '{}')], failures: 0 }
    tracing.process({ ...facts, undecodable: 2 }, () => {})
    tracing.process(facts, () => {})
    const [some, none] = spans()
    expect(some?.attributes).to.include({ 'millrace.records.undecodable': 2 })
    expect(none?.attributes).to.not.have.property('millrace.records.undecodable')
  })

  it('continues the trace of a single record, and links to those of several', () => {
    const tracing = make({ carrierOf })
    const [one, two] = TRACES.map((id, number) => aRecord(number, JSON.stringify({ trace: id })))
    const call = (records: ConsumedRecord[]) => tracing.process({ ...FACTS, records, failures: 0 }, () => 'done')
    expect(call([one as ConsumedRecord])).to.equal('done')
    call([one as ConsumedRecord, aRecord(8, '{}'), aRecord(9, 'no JSON at all'), two as ConsumedRecord])
    call([aRecord(8, '{}')])
    const [single, several, without] = spans()
    expect([single?.spanContext().traceId, single?.parentSpanContext?.spanId]).to.deep.equal([TRACES[0], PARENT])
    expect(single?.links).to.deep.equal([])
    expect(several?.links.map(link => link.context.traceId)).to.deep.equal(TRACES)
    expect(several?.parentSpanContext).to.equal(undefined)
    expect([without?.links, without?.parentSpanContext]).to.deep.equal([[], undefined])
  })

  it('asks 32 records of a call at most', () => {
    let asked = 0
    const counting: OtelTracingOptions['carrierOf'] = () => {
      asked += 1
      return undefined
    }
    const records = Array.from({ length: 1_000 }, (_, number) => aRecord(number, '{}'))
    make({ carrierOf: counting }).process({ ...FACTS, records, failures: 0 }, () => {})
    expect(asked).to.equal(32)
  })

  it('says of what fails only its class, whether it throws or rejects, and passes it on', async () => {
    const tracing = make()
    const error = new RangeError('a secret of the payload')
    const facts = { ...FACTS, records: [aRecord(1, '{}')], failures: 0 }
    const throwing = (): void =>
      tracing.process(facts, () => {
        throw error
      })
    expect(throwing).to.throw(error)
    expect(await tracing.process(facts, () => Promise.reject(error)).catch(thrown => thrown)).to.equal(error)
    const reading = tracing.fetch(
      { ...FACTS, operation: 'GetRecords' },
      () => Promise.reject(error),
      () => ({})
    )
    expect(await reading.catch(thrown => thrown)).to.equal(error)
    expect(spans()).to.have.length(3)
    for (const { status, attributes, events } of spans()) {
      expect([status, attributes['error.type'], events]).to.deep.equal([
        { code: SpanStatusCode.ERROR },
        'RangeError',
        []
      ])
    }
  })

  it('uses the global tracer if it is given none, which does nothing where no SDK is set up', () => {
    trace.disable()
    const facts = { ...FACTS, records: [aRecord(1, '{}')], failures: 0 }
    expect(otelTracing().process(facts, () => 7)).to.equal(7)
    expect(spans()).to.deep.equal([])
  })

  it('refuses options that are not as they ought to be', () => {
    for (const [options, said] of [
      [{ tracer: {} }, /tracer/],
      [{ carrierOf: 'traceparent' }, /carrierOf: is "traceparent", expected a function/],
      [{ zzz: 1 }, /zzz/]
    ] as const) {
      expect(() => otelTracing(options as never)).to.throw(OptionError, said)
    }
  })
})
