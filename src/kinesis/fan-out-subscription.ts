// One subscription: the messages of its event stream as events, each read when it is asked for.
import { EventStreamFrames, type EventStreamMessage } from './event-stream-frames.ts'
import { broken, type PulledBody } from './fan-out-body.ts'
import { decodeEvent } from './fan-out-events.ts'
import type { SubscriptionEvent } from './fan-out-port.ts'

/** What a subscription is made of. */
export interface SubscriptionOptions {
  readonly body: PulledBody
  /** Carries the work of decoding so many bytes out when it is its turn. */
  readonly inTurn: (work: Generator<void, SubscriptionEvent, void>, bytes: number) => Promise<SubscriptionEvent>
  /** What the service means that sends an exception of this type instead of an event, and with it JSON or a text. */
  readonly faultOf: (type: string | undefined, said: Uint8Array | string | undefined) => Error
  /** What to throw for an error. */
  readonly errorOf: (error: unknown) => unknown
}

/**
 * The events of a subscription. Nothing is read that was not asked for, but for what the stream below keeps. Leaving the loop
 * ends the subscription, even while the next event is awaited.
 */
export function subscriptionTo(options: SubscriptionOptions): AsyncIterable<SubscriptionEvent> {
  const events = eventsIn(options)
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => events.next(),
      return: () => {
        // Without this, it would wait for the event that is awaited.
        options.body.cancel()
        return events.return()
      }
    })
  }
}

async function* eventsIn(options: SubscriptionOptions): AsyncGenerator<SubscriptionEvent, void, void> {
  const { body, inTurn, faultOf, errorOf } = options
  const frames = new EventStreamFrames()
  try {
    for (;;) {
      const message = frames.next()
      if (message !== undefined) {
        const { payload } = message
        if (isEvent(message, faultOf)) yield await inTurn(decodeEvent(payload), payload.length)
        continue
      }
      const bytes = await body.read()
      if (bytes !== undefined) frames.feed(bytes)
      else if (frames.isMidway && !body.isCancelled) throw broken()
      else return
    }
  } catch (error) {
    throw errorOf(error)
  } finally {
    body.cancel()
  }
}

/** Whether there is an event in a message. Throws what else the service may say. */
function isEvent({ header, payload }: EventStreamMessage, faultOf: SubscriptionOptions['faultOf']): boolean {
  switch (header(':message-type')) {
    case 'event':
      // There is also the initial response, which says nothing, and what may be added to the protocol one day.
      return header(':event-type') === 'SubscribeToShardEvent'
    case 'exception':
      throw faultOf(header(':exception-type'), payload)
    default:
      throw faultOf(header(':error-code'), header(':error-message'))
  }
}
