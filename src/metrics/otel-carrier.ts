// A span of OpenTelemetry on its way to another thread: what it is known by, in the words of the W3C, whichever propagator the
// application has; and, over there, being inside of it. Loaded in threads as well.
import type { SpanContext } from '@opentelemetry/api'
import { peerPackage } from '../model/peer-package.ts'
import load, { type Package } from './otel-package.cts'
import type { TraceCarrier, WithinTrace } from './tracing.ts'

const { context, createTraceState, propagation, ROOT_CONTEXT, trace } = peerPackage<Package>(
  'millrace/tracing/otel',
  '@opentelemetry/api',
  load
)

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

/** What the active span is known by, with the baggage and whatever else propagators carry. `undefined`: none is active. */
export function carrierOfActiveSpan(): TraceCarrier | undefined {
  const span = trace.getSpanContext(context.active())
  if (span === undefined || !trace.isSpanContextValid(span)) return undefined
  const carrier: Record<string, string> = {}
  propagation.inject(context.active(), carrier)
  const { traceId, spanId, traceFlags, traceState } = span
  carrier.traceparent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
  const state = traceState?.serialize()
  if (state) carrier.tracestate = state
  return carrier
}

/** Does `work` inside of the span that is known by `carrier`, where the thread has a context manager of OpenTelemetry. */
export const within: WithinTrace = (carrier, work) => {
  const span = spanContextOf(carrier)
  if (span === undefined) return work()
  const carried = propagation.extract(ROOT_CONTEXT, carrier)
  return context.with(trace.setSpanContext(carried, span), work)
}

function spanContextOf({ traceparent = '', tracestate }: TraceCarrier): SpanContext | undefined {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent) ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  const traceState = tracestate === undefined ? undefined : createTraceState(tracestate)
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true, ...(traceState && { traceState }) }
}
