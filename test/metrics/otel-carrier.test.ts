import { context, createTraceState, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { expect } from 'chai'
import { carrierOfActiveSpan, within } from '../../src/metrics/otel-carrier.ts'

const SPAN = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 }

describe('a span on its way to another thread', () => {
  before(() => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()))
  after(() => context.disable())

  it('is known by its traceparent and tracestate, without a propagator', () => {
    expect(carrierOfActiveSpan()).to.equal(undefined)
    const span = { ...SPAN, traceState: createTraceState('a=b') }
    const carrier = context.with(trace.setSpanContext(ROOT_CONTEXT, span), carrierOfActiveSpan)
    expect(carrier).to.deep.equal({ traceparent: `00-${SPAN.traceId}-${SPAN.spanId}-01`, tracestate: 'a=b' })
  })

  it('is the active one over there, as long as the work takes', async () => {
    const carrier = { traceparent: `00-${SPAN.traceId}-${SPAN.spanId}-01`, tracestate: 'a=b' }
    const active = () => trace.getSpanContext(context.active())
    const found = await within(carrier, async () => {
      await Promise.resolve()
      return active()
    })
    expect(found).to.deep.include({ ...SPAN, isRemote: true })
    expect(found?.traceState?.serialize()).to.equal('a=b')
    expect(active()).to.equal(undefined)
  })

  it('is left out if what it is known by makes no sense', () => {
    for (const traceparent of ['', 'nonsense', '00-short-short-01']) {
      expect(within({ traceparent }, () => trace.getSpanContext(context.active()))).to.equal(undefined)
    }
    expect(within({}, () => 'done')).to.equal('done')
  })
})
