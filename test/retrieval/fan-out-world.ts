// One shard read by a FanOutRetriever in virtual time, what passes between them, and what can go wrong.
import type { FanOutConsumerReference, FanOutPort, SubscriptionEvent } from '../../src/kinesis/fan-out-port.ts'
import type { IteratorStart } from '../../src/kinesis/kinesis-port.ts'
import { ServiceError } from '../../src/model/errors.ts'
import type { KinesisRecord } from '../../src/model/record.ts'
import type { ByteAllowance, HeldBytes } from '../../src/retrieval/byte-budget.ts'
import { ActiveConsumer } from '../../src/retrieval/fan-out-consumer.ts'
import { FanOutRetriever, type FanOutRetrieverOptions } from '../../src/retrieval/fan-out-retriever.ts'
import type { ReadStart } from '../../src/retrieval/read-rules.ts'
import type { ReadReport, Retrieved, Retriever } from '../../src/retrieval/retriever.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { type FakeCall, type FakeFanOutPort, FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { shardId } from '../support/builders.ts'

export const STREAM = 'orders'
export const SHARD = shardId(0)
export const CONSUMER = 'counter'
export const TRIM_HORIZON: ReadStart = { type: 'TRIM_HORIZON' }

/** A budget of one shard, that grants in order what fits into `maxBytes`, or one request if nothing is held. */
export class OneShardBudget implements ByteAllowance {
  readonly shareBytes: number
  heldBytes = 0
  mostBytes = 0
  isClosed = false
  readonly #waiting: { bytes: number; grant: () => void }[] = []

  constructor(maxBytes = 8 * 1024 * 1024) {
    this.shareBytes = maxBytes
  }

  async hold(bytes: number, signal: AbortSignal): Promise<HeldBytes> {
    signal.throwIfAborted()
    if (!this.#fits(bytes)) {
      await new Promise<void>((resolve, reject) => {
        const abort = (): void => reject(signal.reason)
        signal.addEventListener('abort', abort, { once: true })
        const grant = (): void => {
          signal.removeEventListener('abort', abort)
          resolve()
        }
        this.#waiting.push({ bytes, grant })
      })
    }
    return this.#held(bytes)
  }

  close(): void {
    this.isClosed = true
  }

  #fits(bytes: number): boolean {
    return this.heldBytes === 0 || this.heldBytes + bytes <= this.shareBytes
  }

  #held(granted: number): HeldBytes {
    let bytes = 0
    const resize = (to: number): void => {
      this.heldBytes += to - bytes
      bytes = to
      this.mostBytes = Math.max(this.mostBytes, this.heldBytes)
      while (this.#waiting[0] && this.#fits(this.#waiting[0].bytes)) this.#waiting.shift()?.grant()
    }
    resize(granted)
    return {
      get bytes() {
        return bytes
      },
      resize,
      release: () => resize(0)
    }
  }
}

/** What a world of fan-out is made with. */
export interface FanOutWorldOptions {
  readonly start?: ReadStart
  readonly consumer?: FanOutConsumerReference
  readonly budget?: OneShardBudget
  readonly sendChildShards?: boolean
  readonly seed?: number
  readonly givesUp?: boolean
  /** What becomes of the events of a subscription on their way. */
  readonly changed?: (events: AsyncIterable<SubscriptionEvent>) => AsyncIterable<SubscriptionEvent>
  /** Time as the process of the retriever has it. */
  readonly clockOf?: (clock: VirtualClock) => Clock
}

/** A stream of one shard and a retriever of it. */
export class FanOutWorld {
  readonly clock = new VirtualClock(undefined, { settlingTurns: 2 })
  readonly kinesis: FakeKinesis
  readonly port: FakeFanOutPort
  readonly calls: (FakeCall & { atMs: number })[] = []
  readonly reports: ReadReport[] = []
  readonly retries: { error: unknown; retryInMs: number; failures: number; atMs: number }[] = []
  /** When subscriptions were accepted, where they cannot be taken over. */
  readonly accepted: number[] = []
  readonly budget: OneShardBudget
  readonly consumer: ActiveConsumer
  readonly retriever: FanOutRetriever
  /** What a call meets before it is carried out. */
  fault: (call: FakeCall) => void | Promise<void> = () => {}
  readonly #options: FanOutWorldOptions
  readonly #fanOut: FanOutPort

  constructor(options: FanOutWorldOptions = {}) {
    const { consumer = { consumerName: CONSUMER }, budget = new OneShardBudget(), sendChildShards = true } = options
    const { changed = events => events } = options
    this.#options = options
    this.budget = budget
    this.kinesis = new FakeKinesis({ clock: this.clock, sendChildShards })
    this.kinesis.createStream(STREAM)
    this.kinesis.intercept = call => {
      this.calls.push({ ...call, atMs: this.clock.monotonicMs() })
      return this.fault(call)
    }
    this.port = this.kinesis.fanOut(STREAM)
    this.#fanOut = { ...this.port, subscribeToShard: async input => changed(await this.port.subscribeToShard(input)) }
    const random = seededRandom(options.seed ?? 1)
    this.consumer = new ActiveConsumer({ fanOut: this.#fanOut, consumer, clock: this.clock, random })
    this.retriever = this.open(options.start, { allowance: budget })
  }

  /** One more retriever of the shard. */
  open(start: ReadStart = TRIM_HORIZON, options: Partial<FanOutRetrieverOptions> = {}): FanOutRetriever {
    const { clockOf = (clock: VirtualClock): Clock => clock, seed = 1, givesUp = false } = this.#options
    return new FanOutRetriever({
      fanOut: this.#fanOut,
      consumer: this.consumer,
      kinesis: this.kinesis.port(STREAM),
      shardId: SHARD,
      start,
      allowance: new OneShardBudget(),
      givesUp,
      clock: clockOf(this.clock),
      random: seededRandom(seed),
      listener: {
        onRead: report => this.reports.push(report),
        onRetry: (error, retryInMs, failures) =>
          this.retries.push({ error, retryInMs, failures, atMs: this.clock.monotonicMs() })
      },
      ...options
    })
  }

  put(...texts: readonly string[]): string[] {
    return texts.map(text => this.kinesis.put(STREAM, 'key', text).sequenceNumber)
  }

  /** What comes next; time passes until something does. */
  async retrieved(retriever: Retriever = this.retriever, signal = new AbortController().signal): Promise<Retrieved> {
    let outcome: { value: Retrieved } | { error: unknown } | undefined
    retriever.next(signal).then(
      value => {
        outcome = { value }
      },
      error => {
        outcome = { error }
      }
    )
    await this.clock.advanceUntil(() => outcome !== undefined)
    if (outcome === undefined || 'error' in outcome) throw outcome?.error
    return outcome.value
  }

  /** The texts of what comes next, or `end`. Given back to the budget at once. */
  async next(retriever?: Retriever, signal?: AbortSignal): Promise<string> {
    const retrieved = await this.retrieved(retriever, signal)
    if (retrieved.kind === 'end') return 'end'
    retrieved.release()
    return textsOf(retrieved.records)
  }

  /** What comes within `ms` milliseconds, as texts; `nothing`: nothing does. */
  async nextWithin(ms: number, retriever: Retriever = this.retriever): Promise<string> {
    const over = new AbortController()
    let text: string | undefined
    const asking = retriever.next(over.signal).then(retrieved => {
      text = retrieved.kind === 'end' ? 'end' : textsOf(retrieved.records)
      if (retrieved.kind === 'records') retrieved.release()
    })
    asking.catch(() => {})
    await this.clock.advance(ms, () => text !== undefined)
    over.abort(new Error('nothing came'))
    await this.clock.settle()
    return text ?? 'nothing'
  }

  /** Has a subscription refused while another one stands, even if that is old. As some emulators do, and the service does not. */
  forbidTakeOver(): void {
    let standsUntilMs = 0
    this.fault = ({ name }) => {
      if (name !== 'subscribeToShard') return
      const nowMs = this.clock.monotonicMs()
      if (nowMs < standsUntilMs) throw new ServiceError('in-use', 'there is a subscription', { retryable: true })
      standsUntilMs = nowMs + 300_000
      this.accepted.push(nowMs)
    }
  }

  /** The calls of one name. */
  named(name: FakeCall['name']): (FakeCall & { atMs: number })[] {
    return this.calls.filter(call => call.name === name)
  }

  /** Where the subscriptions began, in order. */
  starts(): (IteratorStart | undefined)[] {
    return this.named('subscribeToShard').map(({ start }) => start)
  }

  /** How far apart the calls of SubscribeToShard were. Milliseconds. */
  gaps(): number[] {
    const times = this.named('subscribeToShard').map(({ atMs }) => atMs)
    return times.slice(1).map((atMs, index) => atMs - (times[index] ?? 0))
  }
}

export function afterRecord(sequenceNumber: string | undefined): IteratorStart {
  return { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: sequenceNumber ?? 'none' }
}

export function textsOf(records: readonly KinesisRecord[]): string {
  return records.map(({ data }) => new TextDecoder().decode(data)).join(' ')
}

/** What a promise is rejected with. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  const none = Symbol('none')
  const error = await promise.then(
    () => none,
    (error: unknown) => error
  )
  if (error === none) throw new Error('It did not reject')
  return error
}
