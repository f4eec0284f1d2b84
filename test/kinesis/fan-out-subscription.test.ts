import { PassThrough } from 'node:stream'
import { expect } from 'chai'
import { PulledBody } from '../../src/kinesis/fan-out-body.ts'
import type { SubscriptionEvent } from '../../src/kinesis/fan-out-port.ts'
import { subscriptionTo } from '../../src/kinesis/fan-out-subscription.ts'
import { FanOutWatchdog } from '../../src/kinesis/fan-out-watchdog.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { eventFrame, exceptionFrame, frame, initialResponse } from '../support/fan-out-server-frames.ts'

function anEvent(sequenceNumber: string): SubscriptionEvent {
  return { records: [], continuationSequenceNumber: sequenceNumber, millisBehindLatest: 0 }
}

/** A subscription whose stream has these bytes; `decoded` counts the events that were decoded. */
function subscriptionWith(bytes: readonly Uint8Array[], { ends = true } = {}) {
  const stream = new PassThrough()
  for (const piece of bytes) stream.write(piece)
  if (ends) stream.end()
  const seen = { decoded: 0, brokenOff: 0 }
  const body = new PulledBody({
    stream,
    breakOff: () => seen.brokenOff++,
    isWhole: () => true,
    watchdog: new FanOutWatchdog(new VirtualClock(), 20_000),
    idleMs: 20_000,
    signal: new AbortController().signal
  })
  const subscription = subscriptionTo({
    body,
    inTurn: async work => {
      seen.decoded++
      for (;;) {
        const step = work.next()
        if (step.done === true) return step.value
      }
    },
    faultOf: (type, said) =>
      new Error(`${type}: ${said instanceof Uint8Array ? new TextDecoder().decode(said) : said}`),
    errorOf: error => ({ wrapped: error })
  })
  return { subscription, seen }
}

async function numbersIn(events: AsyncIterable<SubscriptionEvent>): Promise<(string | undefined)[]> {
  const numbers: (string | undefined)[] = []
  for await (const { continuationSequenceNumber } of events) numbers.push(continuationSequenceNumber)
  return numbers
}

describe('subscriptionTo', () => {
  it('gives the events, and ends with the stream', async () => {
    const { subscription, seen } = subscriptionWith([
      initialResponse(),
      ...['1', '2', '3'].map(anEvent).map(eventFrame)
    ])
    expect(await numbersIn(subscription)).to.deep.equal(['1', '2', '3'])
    expect(seen.brokenOff).to.equal(0)
  })

  it('passes over events that it does not know', async () => {
    const odd = frame({ ':message-type': 'event', ':event-type': 'SomethingNew' }, 'not even JSON')
    const { subscription } = subscriptionWith([odd, eventFrame(anEvent('1')), odd])
    expect(await numbersIn(subscription)).to.deep.equal(['1'])
  })

  it('decodes one event for each that is asked for', async () => {
    const { subscription, seen } = subscriptionWith(['1', '2', '3'].map(anEvent).map(eventFrame))
    const events = subscription[Symbol.asyncIterator]()
    expect(seen.decoded).to.equal(0)
    await events.next()
    expect(seen.decoded).to.equal(1)
    await events.next()
    expect(seen.decoded).to.equal(2)
  })

  it('answers who asks several times at once in order', async () => {
    const { subscription } = subscriptionWith(['1', '2'].map(anEvent).map(eventFrame))
    const events = subscription[Symbol.asyncIterator]()
    const answers = await Promise.all([events.next(), events.next(), events.next()])
    expect(answers.map(({ value }) => value?.continuationSequenceNumber)).to.deep.equal(['1', '2', undefined])
  })

  it('throws what the service says, in the words it is told to use, and breaks off', async () => {
    const { subscription, seen } = subscriptionWith([exceptionFrame('InUse', 'words')], { ends: false })
    const failure = await numbersIn(subscription).catch((error: unknown) => error)
    expect(String((failure as { wrapped: unknown }).wrapped)).to.equal('Error: InUse: {"message":"words"}')
    expect(seen.brokenOff).to.equal(1)
  })

  it('breaks off when it is left, even while an event is awaited', async () => {
    const { subscription, seen } = subscriptionWith([initialResponse()], { ends: false })
    const events = subscription[Symbol.asyncIterator]()
    const waiting = events.next()
    await events.return?.()
    expect((await waiting).done).to.equal(true)
    expect(seen.brokenOff).to.equal(1)
  })

  it('fails where the stream ends in the middle of a message', async () => {
    const { subscription } = subscriptionWith([initialResponse().subarray(0, 20)])
    const failure = await numbersIn(subscription).catch((error: unknown) => error)
    expect(String((failure as { wrapped: unknown }).wrapped)).to.include('the connection broke')
  })
})
