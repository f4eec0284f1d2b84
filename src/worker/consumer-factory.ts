// Makes the consumer of a shard: hands it the parts of the worker that it needs, as functions.
import { ShardConsumer } from '../consumer/shard-consumer.ts'
import type { ShardListener } from '../consumer/shard-listener.ts'
import type { KinesisPort } from '../kinesis/kinesis-port.ts'
import type { Tenure } from '../leases/tenure.ts'
import { PollingRetriever } from '../retrieval/polling-retriever.ts'
import { startOf } from '../retrieval/read-rules.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { ShardSyncer } from '../shards/shard-syncer.ts'
import type { ResolvedOptions } from './options.ts'

/** What every consumer of a worker shares. */
export interface SharedParts {
  readonly options: ResolvedOptions
  readonly clock: Clock
  readonly random: Random
  readonly kinesis: KinesisPort
  readonly syncer: ShardSyncer
}

/** A consumer for the shard of a tenure. It does nothing before `run()`. */
export function makeShardConsumer(tenure: Tenure, shared: SharedParts, listener: ShardListener): ShardConsumer {
  const { options, clock, random, kinesis, syncer } = shared
  const { retrieval, startAt, failurePolicy, outOfRange, makeProcessor } = options
  return new ShardConsumer({
    tenure,
    clock,
    random,
    policy: failurePolicy,
    outOfRange,
    processor: makeProcessor,
    parentsFinished: (lease, signal) => syncer.parentsFinished(lease, signal),
    settleShardEnd: (lease, children, signal) => syncer.settleShardEnd(lease, children, signal),
    openRetriever: (lease, onRead, onRetry) =>
      new PollingRetriever({
        kinesis,
        shardId: lease.shardId,
        start: startOf(lease, startAt instanceof Date ? startAt : undefined),
        maxRecords: retrieval.maxRecords,
        idleMs: retrieval.idleMs,
        clock,
        random,
        onRead,
        onRetry
      }),
    listener
  })
}
