// What can go wrong with a subscription, for the server of the tests to do to it.
import type { Random } from '../../src/runtime/random.ts'
import { jsonEventFrame } from './fan-out-server-frames.ts'
import type { ServerSubscription } from './fan-out-server-subscription.ts'

/** Something that goes wrong with one subscription. */
export interface Fault {
  readonly name: string
  /** What is done instead of answering. */
  readonly instead?: (subscription: ServerSubscription) => void | Promise<void>
  /** How many events are sent before it strikes. Default 0. */
  readonly afterEvents?: number
  /** What is done in the middle of it. */
  readonly strike?: (subscription: ServerSubscription) => unknown
  /** Whether it goes on after that. Default: it does not. */
  readonly goesOn?: boolean
}

const NO_ERROR = 0
const INTERNAL_ERROR = 2
const ENHANCE_YOUR_CALM = 11

/** Refused with an error of the service; without a type, by something on the way to it. */
export function refused(type?: string, status = 400): Fault {
  return { name: `refused: ${type ?? status}`, instead: subscription => subscription.refuse(status, type) }
}

/** Answered by something that is not Kinesis. */
export function answeredInHtml(): Fault {
  return { name: 'HTML', instead: subscription => subscription.answerInHtml() }
}

/** Never answered. */
export function unanswered(): Fault {
  return { name: 'unanswered', instead: subscription => subscription.untilOver() }
}

/** Reset before there is an answer. */
export function resetUnanswered(code = INTERNAL_ERROR): Fault {
  return { name: 'reset unanswered', instead: subscription => subscription.reset(code) }
}

/** The connection breaks before there is an answer. */
export function cutUnanswered(): Fault {
  return { name: 'cut unanswered', instead: subscription => subscription.cut() }
}

/** The connection goes dead before there is an answer. */
export function deadUnanswered(): Fault {
  const instead = (subscription: ServerSubscription): Promise<void> => {
    subscription.goDead()
    return subscription.untilOver()
  }
  return { name: 'dead unanswered', instead }
}

/** Ended by an exception. */
export function exception(type: string, afterEvents = 0): Fault {
  return { name: `exception ${type}`, afterEvents, strike: subscription => ended(subscription, s => s.exception(type)) }
}

/** Ended by an error that the API does not know. */
export function errorOfNoKind(code: string, afterEvents = 0): Fault {
  return { name: `error ${code}`, afterEvents, strike: subscription => ended(subscription, s => s.error(code)) }
}

/** Ended as after five minutes, but earlier. */
export function endedEarly(afterEvents = 0): Fault {
  return { name: 'ended early', afterEvents, strike: subscription => ended(subscription, () => {}) }
}

/** The session is asked to end, in peace: what there is on it goes on. */
export function goAwayInPeace(afterEvents = 0): Fault {
  return { name: 'GOAWAY in peace', afterEvents, strike: subscription => subscription.goAway(NO_ERROR), goesOn: true }
}

/** The session is ended with an error. */
export function goAwayWithError(afterEvents = 0, code = ENHANCE_YOUR_CALM): Fault {
  return { name: 'GOAWAY with an error', afterEvents, strike: subscription => subscription.goAway(code) }
}

/** The stream is reset. */
export function reset(afterEvents = 0, code = INTERNAL_ERROR): Fault {
  return { name: `reset ${code}`, afterEvents, strike: subscription => subscription.reset(code) }
}

/** The connection breaks in the middle of a message. */
export function cutMidway(afterEvents = 0): Fault {
  return {
    name: 'cut midway',
    afterEvents,
    strike: async subscription => {
      await subscription.write(someFrame().subarray(0, 100))
      await subscription.untilReceived()
      subscription.cut()
    }
  }
}

/** The connection goes dead: neither side hears anything of the other, and nobody is told. */
export function dead(afterEvents = 0): Fault {
  return {
    name: 'dead',
    afterEvents,
    strike: async subscription => {
      await subscription.untilReceived()
      subscription.goDead()
      await subscription.untilOver()
    }
  }
}

/** Nothing is sent any more, though the connection is well. */
export function silence(afterEvents = 0): Fault {
  return { name: 'silence', afterEvents, strike: subscription => subscription.untilOver() }
}

/** A message that was damaged on its way. `at`: which byte of it. */
export function damaged(afterEvents = 0, at = 200): Fault {
  return {
    name: `damaged at ${at}`,
    afterEvents,
    strike: subscription => {
      const bytes = someFrame()
      bytes[at] = (bytes[at] ?? 0) ^ 1
      return ended(subscription, s => s.write(bytes))
    }
  }
}

/** A message that is no event, though it is whole. */
export function nonsense(json: string, afterEvents = 0): Fault {
  return {
    name: 'nonsense',
    afterEvents,
    strike: subscription => ended(subscription, s => s.write(jsonEventFrame(json)))
  }
}

/** Ended in the middle of a message, as if that were its end. */
export function truncated(afterEvents = 0): Fault {
  return {
    name: 'truncated',
    afterEvents,
    strike: subscription => ended(subscription, s => s.write(someFrame().subarray(0, 100)))
  }
}

/** From here on, every byte comes alone. */
export function dripping(afterEvents = 0): Fault {
  return { name: 'dripping', afterEvents, strike: subscription => subscription.drip(), goesOn: true }
}

/** As many messages of `bytes` each as the client takes, without end; `counted` is told of each that was handed over. */
export function flood(bytes: number, counted: () => void): Fault {
  return {
    name: 'flood',
    strike: async subscription => {
      const bytesOfFrame = bigFrame(bytes)
      while (!subscription.signal.aborted) {
        await subscription.write(bytesOfFrame)
        counted()
      }
    }
  }
}

/** One of the faults that nothing is lost by and that do not take long, or none. */
export function quickFault(random: Random): Fault | undefined {
  const afterEvents = Math.floor(random.next() * 3)
  const makers: readonly (() => Fault | undefined)[] = [
    () => undefined,
    () => refused('ResourceInUseException'),
    () => refused('LimitExceededException'),
    () => refused('InternalFailure', 500),
    () => refused(undefined, 503),
    () => resetUnanswered(),
    () => cutUnanswered(),
    () => exception('InternalFailureException', afterEvents),
    () => exception('ResourceInUseException', afterEvents),
    () => errorOfNoKind('InternalError', afterEvents),
    () => endedEarly(afterEvents),
    () => goAwayInPeace(afterEvents),
    () => goAwayWithError(afterEvents),
    () => reset(afterEvents),
    () => cutMidway(afterEvents),
    () => damaged(afterEvents),
    () => damaged(afterEvents, 2),
    () => nonsense('{"Records":[{}]}', afterEvents),
    () => truncated(afterEvents),
    () => dripping(afterEvents)
  ]
  return makers[Math.floor(random.next() * makers.length)]?.()
}

async function ended(subscription: ServerSubscription, first: (it: ServerSubscription) => unknown): Promise<void> {
  await first(subscription)
  subscription.end()
}

function someFrame(): Uint8Array {
  return bigFrame(300)
}

/** An event with one record, whose number no test expects. */
function bigFrame(bytes: number): Uint8Array {
  const Data = Buffer.alloc(bytes, 7).toString('base64')
  const Records = [{ SequenceNumber: '1', PartitionKey: 'never', Data }]
  return jsonEventFrame(JSON.stringify({ Records, ContinuationSequenceNumber: '1', MillisBehindLatest: 0 }))
}
