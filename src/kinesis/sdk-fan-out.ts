// Enhanced fan-out over the AWS SDK. What is rare, the SDK does: finding the endpoint, signing, registering. The five minutes
// of a subscription run over connections of our own, because the SDK opens one for every call and reads ahead without bound.
import {
  type ConsumerDescription,
  DescribeStreamConsumerCommand,
  DescribeStreamSummaryCommand,
  RegisterStreamConsumerCommand,
  type SubscribeToShardCommandInput
} from '@aws-sdk/client-kinesis'
import type { Clock } from '../runtime/clock.ts'
import { withDeadline } from '../runtime/deadline.ts'
import { DecodeTurns } from './decode-turns.ts'
import { Http1Wire } from './fan-out-http1.ts'
import type {
  FanOutConsumer,
  FanOutConsumerReference,
  FanOutPort,
  SubscribeInput,
  SubscriptionEvent
} from './fan-out-port.ts'
import { subscriptionTo } from './fan-out-subscription.ts'
import { FanOutWatchdog } from './fan-out-watchdog.ts'
import type { FanOutWire } from './fan-out-wire.ts'
import type { TlsOptions } from './http2-session.ts'
import { Http2Wire } from './http2-wire.ts'
import type { CallOptions } from './kinesis-port.ts'
import { type ClientInUse, clientInUse, type KinesisClientOption, type StreamReference } from './sdk-client.ts'
import { fanOutErrorOf, faultInStream } from './sdk-fan-out-errors.ts'
import { sendSubscribe } from './sdk-fan-out-request.ts'
import { type FailedCall, kinesisTimeout } from './sdk-kinesis-errors.ts'
import { startingPosition, streamNameOf } from './sdk-parameters.ts'

/** Which stream to call, through which client, and how long to wait. */
export interface SdkFanOutOptions {
  readonly stream: StreamReference
  /**
   * Absent: a client of our own with what the environment says. A client given here is not destroyed by `close()`. What it
   * sends requests with, such as a proxy, does not carry subscriptions.
   */
  readonly client?: KinesisClientOption | undefined
  readonly clock: Clock
  /** How long one call may take; for a subscription: until it stands. Milliseconds; default 10,000. */
  readonly requestTimeoutMs?: number
  /**
   * How subscriptions are carried: by HTTP/2 (`true`), or by HTTP/1.1 (`false`), which the service misdelivers over. Default:
   * HTTP/2 where the endpoint begins with `https:`, HTTP/1.1 elsewhere, for emulators.
   */
  readonly http2?: boolean | undefined
  /** Subscriptions per HTTP/2 session at most; fewer where the service says so. Default 100. */
  readonly streamsPerSession?: number
  /** How much of each subscription may be under way that nobody has asked for yet. Bytes; default 524,288. */
  readonly windowBytes?: number
  /** How long connecting may take. Milliseconds; default 5,000. */
  readonly connectTimeoutMs?: number
  /** How long a subscription waits for bytes; the service sends something every 5 seconds. Milliseconds; default 20,000. */
  readonly idleTimeoutMs?: number
  /** How often to ask whether the other side of a connection is there. Milliseconds; default 15,000. */
  readonly pingEveryMs?: number
  /** How long it may take to answer that. Milliseconds; default 10,000. */
  readonly pingTimeoutMs?: number
  /** How TLS is spoken for subscriptions, where it is not as Node.js does by default. */
  readonly tls?: TlsOptions | undefined
}

/** The port of enhanced fan-out for one stream. */
export function sdkFanOut(options: SdkFanOutOptions): FanOutPort {
  return new SdkFanOut(options)
}

class SdkFanOut implements FanOutPort {
  readonly streamName: string
  readonly #options: SdkFanOutOptions
  readonly #client: ClientInUse
  readonly #turns: DecodeTurns
  readonly #requestTimeoutMs: number
  readonly #http1: FanOutWire
  readonly #http2: FanOutWire
  #streamArn: string | undefined

  constructor(options: SdkFanOutOptions) {
    const { stream, client, clock, requestTimeoutMs = 10_000, idleTimeoutMs: idleMs = 20_000, tls } = options
    const { streamsPerSession = 100, connectTimeoutMs = 5_000, pingEveryMs = 15_000, pingTimeoutMs = 10_000 } = options
    const { windowBytes = 524_288 } = options
    this.#options = options
    this.#streamArn = 'streamArn' in stream ? stream.streamArn : undefined
    this.streamName = streamNameOf(stream)
    this.#client = clientInUse(client, stream)
    this.#turns = new DecodeTurns(clock)
    this.#requestTimeoutMs = requestTimeoutMs
    const watchdog = new FanOutWatchdog(clock, Math.min(connectTimeoutMs, idleMs, pingEveryMs, pingTimeoutMs))
    const limits = { maxStreams: streamsPerSession, connectTimeoutMs, pingEveryMs, pingTimeoutMs, idleMs, windowBytes }
    this.#http1 = new Http1Wire({ watchdog, idleMs })
    this.#http2 = new Http2Wire({ watchdog, limits, tls })
  }

  async registerConsumer(consumerName: string, options: CallOptions = {}): Promise<FanOutConsumer> {
    const StreamARN = await this.#arn(options)
    const { Consumer } = await this.#call('RegisterStreamConsumer', options, abortSignal =>
      this.#client.client.send(new RegisterStreamConsumerCommand({ StreamARN, ConsumerName: consumerName }), {
        abortSignal
      })
    )
    return consumerFrom(Consumer)
  }

  async describeConsumer(consumer: FanOutConsumerReference, options: CallOptions = {}): Promise<FanOutConsumer> {
    const input =
      'consumerArn' in consumer
        ? { ConsumerARN: consumer.consumerArn }
        : { StreamARN: await this.#arn(options), ConsumerName: consumer.consumerName }
    const { ConsumerDescription } = await this.#call('DescribeStreamConsumer', options, abortSignal =>
      this.#client.client.send(new DescribeStreamConsumerCommand(input), { abortSignal })
    )
    return consumerFrom(ConsumerDescription)
  }

  async subscribeToShard(input: SubscribeInput): Promise<AsyncIterable<SubscriptionEvent>> {
    const { shardId, signal } = input
    const call: FailedCall = { name: 'SubscribeToShard', streamName: this.streamName, shardId }
    const { body } = await this.#call(call.name, { signal, shardId }, opening =>
      sendSubscribe(this.#client.client, parametersOf(input), origin => this.#wireTo(origin), opening)
    )
    body.follow(signal)
    return subscriptionTo({
      body,
      inTurn: (work, bytes) => this.#turns.run(work, { bytes, signal }),
      faultOf: faultInStream,
      errorOf: error => (signal?.aborted && error === signal.reason ? error : fanOutErrorOf(error, call))
    })
  }

  close(): void {
    this.#http1.close()
    this.#http2.close()
    this.#client.destroy()
  }

  #wireTo(origin: string): FanOutWire {
    return (this.#options.http2 ?? origin.startsWith('https:')) ? this.#http2 : this.#http1
  }

  /** The calls about consumers take no name of a stream. */
  async #arn(options: CallOptions): Promise<string> {
    if (this.#streamArn !== undefined) return this.#streamArn
    const { StreamDescriptionSummary } = await this.#call('DescribeStreamSummary', options, abortSignal =>
      this.#client.client.send(new DescribeStreamSummaryCommand({ StreamName: this.streamName }), { abortSignal })
    )
    const arn = StreamDescriptionSummary?.StreamARN ?? ''
    this.#streamArn = arn === '' ? undefined : arn
    return arn
  }

  /** One call: bounded in time, and with its failure in our words. */
  #call<T>(
    name: string,
    { signal, shardId }: CallOptions & { shardId?: string },
    work: (signal: AbortSignal) => Promise<T>
  ): Promise<T> {
    const call = { name, streamName: this.streamName, shardId }
    return withDeadline(
      this.#options.clock,
      this.#requestTimeoutMs,
      signal,
      async own => {
        try {
          return await work(own)
        } catch (error) {
          throw fanOutErrorOf(error, call)
        }
      },
      () => kinesisTimeout(call, this.#requestTimeoutMs)
    )
  }
}

function parametersOf({ consumerArn, shardId, start }: SubscribeInput): SubscribeToShardCommandInput {
  return { ConsumerARN: consumerArn, ShardId: shardId, StartingPosition: startingPosition(start) }
}

/** A consumer as the API describes it. */
export function consumerFrom(described: Partial<ConsumerDescription> | undefined): FanOutConsumer {
  const {
    ConsumerName = '',
    ConsumerARN = '',
    ConsumerStatus = 'CREATING',
    ConsumerCreationTimestamp
  } = described ?? {}
  return {
    consumerName: ConsumerName,
    consumerArn: ConsumerARN,
    status: ConsumerStatus,
    createdAtMs: ConsumerCreationTimestamp?.getTime() ?? 0
  }
}
