// What goes wrong in a run of fan-out faults, how likely, and how often it really did: with one subscription, with a
// connection, and with all of them at once.
import type { Random } from '../../src/runtime/random.ts'
import type { FanOutServer } from '../support/fan-out-server.ts'
import {
  answeredInHtml,
  cutMidway,
  cutUnanswered,
  damaged,
  dead,
  deadUnanswered,
  dripping,
  endedEarly,
  errorOfNoKind,
  exception,
  type Fault,
  goAwayInPeace,
  goAwayWithError,
  nonsense,
  refused,
  reset,
  resetUnanswered,
  silence,
  truncated,
  unanswered
} from '../support/fan-out-server-faults.ts'

/** How likely, compared with the others, and what it is. */
type Kind = readonly [weight: number, make: (afterEvents: number) => Fault]

/** What takes down other subscriptions as well comes less often, and so does what takes ten seconds or more to notice. */
const KINDS: readonly Kind[] = [
  [8, () => refused('ResourceInUseException')],
  [8, () => refused('LimitExceededException')],
  [8, () => refused('InternalFailure', 500)],
  [8, () => refused(undefined, 503)],
  [2, () => refused('ResourceNotFoundException')],
  [2, () => refused('InvalidArgumentException')],
  [1, () => refused('AccessDeniedException')],
  [2, () => answeredInHtml()],
  [8, () => resetUnanswered()],
  [8, after => exception('InternalFailureException', after)],
  [8, after => exception('ResourceInUseException', after)],
  [8, after => exception('ResourceNotFoundException', after)],
  [8, after => errorOfNoKind('InternalError', after)],
  [8, after => endedEarly(after)],
  [8, after => reset(after)],
  [8, after => damaged(after)],
  [8, after => damaged(after, 2)],
  [8, after => nonsense('{"Records":[{}]}', after)],
  [8, after => truncated(after)],
  [8, after => dripping(after)],
  [4, after => goAwayInPeace(after)],
  [2, after => goAwayWithError(after)],
  [2, () => cutUnanswered()],
  [2, after => cutMidway(after)],
  [1, () => unanswered()],
  [1, () => deadUnanswered()],
  [1, after => dead(after)],
  [1, after => silence(after)]
]

/** How many subscriptions there are for each that nothing goes wrong with. */
const SPARED_EVERY = 12

/** Everything at once, by name. */
const DISASTERS: Readonly<Record<string, (server: FanOutServer, streamName: string) => unknown>> = {
  'every connection cut': server => server.line.cut(),
  'every connection dead': server => server.line.goDead(),
  'every session asked to end': server => server.goAway(),
  'every session ended with an error': server => server.goAway(2),
  'every subscription ended by the service': ({ kinesis }, streamName) => kinesis.disconnect(streamName),
  'the consumer deleted': async ({ kinesis }, streamName) => {
    const port = kinesis.fanOut(streamName)
    const { consumerArn } = await port.describeConsumer({ consumerName: CONSUMER })
    await port.deregisterConsumer(consumerArn)
  }
}

/** What the consumer is called that is deleted now and then. */
export const CONSUMER = 'reader'

/** Draws faults, and counts those that were met. */
export class FaultDice {
  /** By name. */
  readonly met = new Map<string, number>()
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  /** How many were met. */
  get count(): number {
    return [...this.met.values()].reduce((sum, times) => sum + times, 0)
  }

  /** The names of those that can be met. */
  static names(): string[] {
    return [...KINDS.map(([, make]) => make(0).name), ...Object.keys(DISASTERS)]
  }

  /** What goes wrong with the next subscription. */
  draw(): Fault | undefined {
    if (this.#below(SPARED_EVERY) === 0) return undefined
    const sum = KINDS.reduce((total, [weight]) => total + weight, 0)
    let left = this.#random.next() * sum
    const kind = KINDS.find(([weight]) => {
      left -= weight
      return left < 0
    })
    const fault = kind?.[1](this.#below(3))
    return fault && this.#counted(fault)
  }

  /** Has something happen to all subscriptions at once. */
  async strikeAll(server: FanOutServer, streamName: string): Promise<void> {
    const disasters = Object.entries(DISASTERS)
    const [name, strike] = disasters[this.#below(disasters.length)] ?? []
    if (name === undefined || strike === undefined) return
    // The consumer may not be there at this moment, and what is not there cannot be deleted.
    const isDone = await Promise.resolve(strike(server, streamName)).then(
      () => true,
      () => false
    )
    if (isDone) this.#note(name)
  }

  /** The same fault, counted when it strikes: the subscription may end before, because of another one. */
  #counted(fault: Fault): Fault {
    const { name, instead, strike } = fault
    return {
      ...fault,
      ...(instead && {
        instead: subscription => {
          this.#note(name)
          return instead(subscription)
        }
      }),
      ...(strike && {
        strike: subscription => {
          if (!subscription.signal.aborted) this.#note(name)
          return strike(subscription)
        }
      })
    }
  }

  #note(name: string): void {
    this.met.set(name, (this.met.get(name) ?? 0) + 1)
  }

  #below(limit: number): number {
    return Math.floor(this.#random.next() * limit)
  }
}
