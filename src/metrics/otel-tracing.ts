// Spans through the API of OpenTelemetry. The context that a producer put into a record is found by a hook, since nobody knows
// where in a record it is.
import type { Attributes, Context, Link, Span, Tracer } from '@opentelemetry/api'
import { OptionError } from '../model/errors.ts'
import { checkOptions, shown } from '../model/option-rules.ts'
import { peerPackage } from '../model/peer-package.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { checkMethods } from './option-rules.ts'
import { carrierOfActiveSpan } from './otel-carrier.ts'
import load, { type Package } from './otel-package.cts'
import type {
  CheckpointFacts,
  FetchFacts,
  FetchResult,
  ProcessFacts,
  SpanFacts,
  ThreadTracing,
  TraceCarrier,
  Tracing
} from './tracing.ts'

export type * from './tracing.ts'

const { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } = peerPackage<Package>(
  'millrace/tracing/otel',
  '@opentelemetry/api',
  load
)

/** Which tracer, and where the context is in a record. */
export interface OtelTracingOptions {
  /** The tracer that makes the spans. Default: one called `millrace`, of the global provider. */
  readonly tracer?: Tracer
  /**
   * Finds what a producer put into a record to be traced by, such as `{ traceparent }`; `undefined`: nothing. What it throws
   * counts as nothing. Called for the first 32 records of a call. Default: records carry nothing.
   */
  readonly carrierOf?: (record: ConsumedRecord) => TraceCarrier | undefined
}

/** A span links to the spans of so many records at most. */
const LINKS = 32

/**
 * Spans `millrace fetch`, `millrace process` and `millrace checkpoint`. A span of one record continues the trace of that; one of
 * several is linked to theirs.
 *
 * @throws OptionError
 */
export function otelTracing(options: OtelTracingOptions = {}): Tracing {
  checkOptions(options, ['tracer', 'carrierOf'])
  const { tracer = trace.getTracer('millrace'), carrierOf } = options
  checkMethods('tracer', tracer, ['startSpan'], 'a tracer of OpenTelemetry')
  if (carrierOf !== undefined && typeof carrierOf !== 'function') {
    throw new OptionError('carrierOf', `is ${shown(carrierOf)}, expected a function`)
  }
  return new OtelTracing(tracer, carrierOf)
}

class OtelTracing implements Tracing {
  readonly threads: ThreadTracing = { carrier: carrierOfActiveSpan, module: besideThisModule() }
  readonly #tracer: Tracer
  readonly #carrierOf: OtelTracingOptions['carrierOf']

  constructor(tracer: Tracer, carrierOf: OtelTracingOptions['carrierOf']) {
    this.#tracer = tracer
    this.#carrierOf = carrierOf
  }

  fetch<T>(facts: FetchFacts, work: () => Promise<T>, resultOf: (value: T) => FetchResult): Promise<T> {
    const attributes = { ...attributesOf(facts), 'aws.kinesis.operation': facts.operation }
    const span = this.#tracer.startSpan('millrace fetch', { kind: SpanKind.CLIENT, attributes }, ROOT_CONTEXT)
    const noted = async (): Promise<T> => {
      const value = await work()
      const { records, bytes, millisBehindLatest } = resultOf(value)
      if (records !== undefined) span.setAttribute('messaging.batch.message_count', records)
      if (bytes !== undefined) span.setAttribute('messaging.message.body.size', bytes)
      if (millisBehindLatest !== undefined) span.setAttribute('millrace.millis_behind_latest', millisBehindLatest)
      return value
    }
    return inside(span, ROOT_CONTEXT, noted)
  }

  process<T>(facts: ProcessFacts, work: () => T): T {
    const { records, failures, undecodable } = facts
    const [first] = records
    const contexts = this.#contextsOf(records)
    const parent = records.length === 1 ? (contexts[0] ?? ROOT_CONTEXT) : ROOT_CONTEXT
    const links = records.length === 1 ? [] : contexts.flatMap(each => linkTo(each))
    const attributes = {
      ...attributesOf(facts),
      'messaging.operation.type': 'process',
      'messaging.batch.message_count': records.length,
      'millrace.failures': failures,
      ...(undecodable !== undefined && { 'millrace.records.undecodable': undecodable }),
      ...(first && { 'millrace.first_sequence_number': first.sequenceNumber })
    }
    const span = this.#tracer.startSpan('millrace process', { kind: SpanKind.CONSUMER, attributes, links }, parent)
    return inside(span, parent, work)
  }

  checkpoint(facts: CheckpointFacts, work: () => Promise<void>): Promise<void> {
    const parent = context.active()
    const attributes = { ...attributesOf(facts), 'millrace.position': facts.position }
    const span = this.#tracer.startSpan('millrace checkpoint', { kind: SpanKind.CLIENT, attributes }, parent)
    return inside(span, parent, work)
  }

  #contextsOf(records: readonly ConsumedRecord[]): Context[] {
    const carrierOf = this.#carrierOf
    if (carrierOf === undefined) return []
    return records.slice(0, LINKS).flatMap(record => {
      try {
        const carrier = carrierOf(record)
        return carrier === undefined ? [] : [propagation.extract(ROOT_CONTEXT, carrier)]
      } catch {
        // A record that is not as the hook expects it is processed all the same.
        return []
      }
    })
  }
}

function linkTo(of: Context): Link[] {
  const spanContext = trace.getSpanContext(of)
  return spanContext === undefined ? [] : [{ context: spanContext }]
}

function attributesOf({ application, stream, worker, shardId }: SpanFacts): Attributes {
  return {
    'messaging.system': 'aws_kinesis',
    'messaging.destination.name': stream,
    'aws.kinesis.stream_name': stream,
    'aws.kinesis.shard.id': shardId,
    'aws.kinesis.consumer.name': worker,
    'millrace.application': application
  }
}

// The extension is that of the running code: compiled, or the source itself.
function besideThisModule(): URL {
  const [extension = '.js'] = /\.\w+$/.exec(import.meta.url) ?? []
  return new URL(`./otel-carrier${extension}`, import.meta.url)
}

/** Does `work` with the span as the active one, and ends it when that is done. */
function inside<T>(span: Span, parent: Context, work: () => T): T {
  const failed = (error: unknown): void => {
    span.setStatus({ code: SpanStatusCode.ERROR })
    // Its class, not its words: those may quote a payload.
    span.setAttribute('error.type', error instanceof Error ? error.constructor.name : typeof error)
    span.end()
  }
  let outcome: T
  try {
    outcome = context.with(trace.setSpan(parent, span), work)
  } catch (error) {
    failed(error)
    throw error
  }
  if (!(outcome instanceof Promise)) {
    span.end()
    return outcome
  }
  outcome.then(() => span.end(), failed)
  return outcome
}
