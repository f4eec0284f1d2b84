// Makes the consumers of shards, and owns what they share: retrievers, room for de-aggregation, and the threads that their
// processors live in. Hands each consumer the parts of the worker that it needs, as functions.
import { ShardConsumer } from '../consumer/shard-consumer.ts'
import type { ShardListener } from '../consumer/shard-listener.ts'
import { DeaggregationRoom } from '../kpl/deaggregate.ts'
import type { Tenure } from '../leases/tenure.ts'
import type { RecordProcessor } from '../processor/record-processor.ts'
import { type ThreadDeath, ThreadPool } from '../processor/thread-pool.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { ShardSyncer } from '../shards/shard-syncer.ts'
import type { ResolvedOptions } from './options.ts'
import type { OpenPorts } from './ports.ts'
import { ShardRetrievers } from './shard-retrievers.ts'

/** The parts of a worker that its consumers need, and who is told of threads that end. */
export interface ConsumerFactoryOptions {
  readonly options: ResolvedOptions
  readonly ports: Pick<OpenPorts, 'kinesis' | 'fanOut'>
  readonly clock: Clock
  readonly random: Random
  readonly syncer: ShardSyncer
  readonly threadDied: (death: ThreadDeath) => void
}

/** Makes the consumers of one worker. */
export class ConsumerFactory {
  readonly #parts: ConsumerFactoryOptions
  readonly #retrievers: ShardRetrievers
  readonly #room = new DeaggregationRoom()
  readonly #pool: ThreadPool | undefined
  readonly #makeProcessor: () => RecordProcessor

  constructor(parts: ConsumerFactoryOptions) {
    const { options, ports, clock, random, threadDied } = parts
    this.#parts = parts
    this.#retrievers = new ShardRetrievers({ options, ...ports, clock, random })
    const { userCode } = options
    if ('threads' in userCode) {
      const pool = new ThreadPool({ threads: userCode.threads, clock, random, died: threadDied })
      this.#pool = pool
      this.#makeProcessor = () => pool.processor()
    } else this.#makeProcessor = userCode.makeProcessor
  }

  /** A consumer for the shard of a tenure. It does nothing before `run()`. */
  make(tenure: Tenure, listener: ShardListener): ShardConsumer {
    const { options, clock, random, syncer } = this.#parts
    const { failurePolicy, outOfRange } = options
    return new ShardConsumer({
      tenure,
      clock,
      random,
      policy: failurePolicy,
      outOfRange,
      room: this.#room,
      processor: this.#makeProcessor,
      parentsFinished: (lease, signal) => syncer.parentsFinished(lease, signal),
      settleShardEnd: (lease, children, signal) => syncer.settleShardEnd(lease, children, signal),
      openRetriever: (lease, told) => this.#retrievers.open(lease, told),
      listener
    })
  }

  /** Lets go of what the consumers share, and ends the threads, whatever they are at. Resolves when they are gone. */
  async close(): Promise<void> {
    this.#retrievers.close()
    await this.#pool?.close()
  }
}
