// The calls of enhanced fan-out, in our own types: consumers that are registered with a stream, and subscriptions that push
// what is put into a shard. `sdk-fan-out.ts` carries them out; the testing kit has them in memory.
//
// Every method rejects with ThrottledError or ServiceError, or with the reason of its signal once that aborts, and with
// nothing else; so does what is iterated.
import type { KinesisRecord } from '../model/record.ts'
import type { ChildShard } from '../model/shard.ts'
import type { CallOptions, IteratorStart } from './kinesis-port.ts'

/** A consumer of enhanced fan-out. It can be subscribed with while it is `ACTIVE`, which takes a while after it was registered. */
export interface FanOutConsumer {
  /** What it was registered as. */
  readonly consumerName: string
  /** What it is subscribed with. */
  readonly consumerArn: string
  /** Whether it can be subscribed with. */
  readonly status: 'CREATING' | 'ACTIVE' | 'DELETING'
  /** Epoch milliseconds. */
  readonly createdAtMs: number
}

/** A consumer by its name, of the stream of the port, or by its ARN. */
export type FanOutConsumerReference = { readonly consumerName: string } | { readonly consumerArn: string }

/** One event of a subscription. There are some without records, too: every five seconds at least something is sent. */
export interface SubscriptionEvent {
  /** In the order of the shard. */
  readonly records: readonly KinesisRecord[]
  /** Where the next subscription begins, after this number. Absent: the shard is closed and everything in it was sent. */
  readonly continuationSequenceNumber?: string
  /** How far the records are behind the tip of the shard, in milliseconds. */
  readonly millisBehindLatest: number
  /** The shards that continue this one, in its last event. */
  readonly childShards?: readonly ChildShard[]
}

/** What a subscription begins with: whose it is, of what, and where it begins. */
export interface SubscribeInput {
  /** The consumer. */
  readonly consumerArn: string
  /** The shard. */
  readonly shardId: string
  /** Where it begins. */
  readonly start: IteratorStart
  /** Ends the subscription when it aborts; what iterates then gets the reason. */
  readonly signal?: AbortSignal | undefined
}

/** The calls of enhanced fan-out for one stream. Which one, by name or by ARN, the implementation knows. */
export interface FanOutPort {
  /** What the stream is called in messages: its name. */
  readonly streamName: string
  /** RegisterStreamConsumer. ServiceError `in-use` if there is one of that name, or if there are as many as may be. */
  registerConsumer(consumerName: string, options?: CallOptions): Promise<FanOutConsumer>
  /** DescribeStreamConsumer. ServiceError `not-found` if there is none. */
  describeConsumer(consumer: FanOutConsumerReference, options?: CallOptions): Promise<FanOutConsumer>
  /**
   * SubscribeToShard. Resolves once the subscription stands. It pushes for five minutes at most and then ends without an
   * error. Nothing is taken from the connection that has not been asked for: who does not iterate slows the sender down.
   * Leaving the loop ends the subscription. ServiceError `in-use` if the consumer is not active yet, or has subscribed to
   * the shard within five seconds; `not-found` if there is no such consumer or shard; `invalid-argument` if the start is
   * refused.
   */
  subscribeToShard(input: SubscribeInput): Promise<AsyncIterable<SubscriptionEvent>>
  /** Lets connections go. Nothing may be called after it. */
  close(): void
}
