// The ports of Kinesis with every call told of: to count them, and to know how long they take. Made only where somebody counts.
import type { CallListener } from '../metrics/request-meter.ts'
import { ThrottledError } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { FanOutPort } from './fan-out-port.ts'
import type { KinesisPort, StreamDescription } from './kinesis-port.ts'

/** Who is told, and how time is measured. */
export interface CallCounting {
  readonly clock: Clock
  readonly told: CallListener
}

/**
 * The port with its calls counted. A listing of shards counts once, however many pages it has; so does a read that was tried in
 * two encodings.
 */
export function countedKinesis(
  port: KinesisPort,
  counting: CallCounting & { readonly described: (stream: StreamDescription) => void }
): KinesisPort {
  const counted = countedBy(counting)
  return {
    streamName: port.streamName,
    describeStream: async options => {
      const stream = await counted('DescribeStreamSummary', () => port.describeStream(options))
      counting.described(stream)
      return stream
    },
    listShards: options => counted('ListShards', () => port.listShards(options)),
    getShardIterator: (shardId, start, options) =>
      counted('GetShardIterator', () => port.getShardIterator(shardId, start, options)),
    getRecords: (iterator, options) => counted('GetRecords', () => port.getRecords(iterator, options)),
    close: () => port.close()
  }
}

/** The port of enhanced fan-out with its calls counted; not the events of a subscription. */
export function countedFanOut(port: FanOutPort, counting: CallCounting): FanOutPort {
  const counted = countedBy(counting)
  return {
    streamName: port.streamName,
    registerConsumer: (name, options) => counted('RegisterStreamConsumer', () => port.registerConsumer(name, options)),
    describeConsumer: (of, options) => counted('DescribeStreamConsumer', () => port.describeConsumer(of, options)),
    subscribeToShard: input => counted('SubscribeToShard', () => port.subscribeToShard(input)),
    close: () => port.close()
  }
}

function countedBy({ clock, told }: CallCounting) {
  return async <T>(operation: string, call: () => Promise<T>): Promise<T> => {
    const startedMs = clock.monotonicMs()
    try {
      const answer = await call()
      told({ service: 'kinesis', operation, durationMs: clock.monotonicMs() - startedMs })
      return answer
    } catch (error) {
      told({ service: 'kinesis', operation, outcome: error instanceof ThrottledError ? 'throttled' : 'failed' })
      throw error
    }
  }
}
