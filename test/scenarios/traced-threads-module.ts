// Code that runs in threads and makes spans of its own there, with an SDK of OpenTelemetry that it has set up itself.
import { workerData } from 'node:worker_threads'
import { context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base'
import type { Handler } from '../../src/index.ts'

/** What a thread says of one span. */
export interface SpanSaid {
  readonly traceId: string
  readonly parentSpanId: string | undefined
}

const { channel = 'none' } = Object(workerData) as { readonly channel?: string }

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
const tracer = new BasicTracerProvider().getTracer('thread')

export const handler: Handler = async (_, { checkpointer }) => {
  await Promise.resolve()
  const span = tracer.startSpan('mine')
  const { parentSpanContext } = span as unknown as { readonly parentSpanContext?: { readonly spanId: string } }
  const said: SpanSaid = { traceId: span.spanContext().traceId, parentSpanId: parentSpanContext?.spanId }
  span.end()
  const saying = new BroadcastChannel(channel)
  saying.postMessage(said)
  saying.close()
  await checkpointer.checkpoint()
}
