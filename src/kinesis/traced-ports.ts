// The ports of Kinesis for one shard with a span around each read. Made only where somebody traces.
import type { SpanFacts, Tracing } from '../metrics/tracing.ts'
import type { RecordsAnswer } from '../model/records-answer.ts'
import type { FanOutPort } from './fan-out-port.ts'
import type { KinesisPort } from './kinesis-port.ts'

/** Where spans go, and what they are about. */
export interface ShardTracing {
  readonly to: Tracing
  readonly facts: SpanFacts
}

/** The port with its calls of GetRecords traced. */
export function tracedKinesis(port: KinesisPort, { to, facts }: ShardTracing): KinesisPort {
  return {
    streamName: port.streamName,
    describeStream: options => port.describeStream(options),
    listShards: options => port.listShards(options),
    getShardIterator: (shardId, start, options) => port.getShardIterator(shardId, start, options),
    getRecords: (iterator, options) =>
      to.fetch({ ...facts, operation: 'GetRecords' }, () => port.getRecords(iterator, options), resultOf),
    close: () => port.close()
  }
}

/** The port with the beginnings of its subscriptions traced. */
export function tracedFanOut(port: FanOutPort, { to, facts }: ShardTracing): FanOutPort {
  return {
    streamName: port.streamName,
    registerConsumer: (name, options) => port.registerConsumer(name, options),
    describeConsumer: (consumer, options) => port.describeConsumer(consumer, options),
    subscribeToShard: input =>
      to.fetch(
        { ...facts, operation: 'SubscribeToShard' },
        () => port.subscribeToShard(input),
        () => ({})
      ),
    close: () => port.close()
  }
}

function resultOf({ recordCount, records, bytes, millisBehindLatest }: RecordsAnswer) {
  return { records: recordCount ?? records.length, bytes, millisBehindLatest }
}
