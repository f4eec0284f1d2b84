// Makes the consumers of shards, and owns what they share: retrievers, room for de-aggregation, the circuit breaker, and the
// threads that their processors live in. Hands each consumer the parts of the worker that it needs, as functions.
import { ShardConsumer } from '../consumer/shard-consumer.ts'
import type { ShardListener } from '../consumer/shard-listener.ts'
import type { ShardTracing } from '../kinesis/traced-ports.ts'
import { DeaggregationRoom } from '../kpl/deaggregate.ts'
import type { Tenure } from '../leases/tenure.ts'
import { type BreakerChange, CircuitBreaker } from '../processor/circuit-breaker.ts'
import { LaneProcessor } from '../processor/lane-processor.ts'
import type { RecordProcessor } from '../processor/record-processor.ts'
import { type ThreadDeath, ThreadPool } from '../processor/thread-pool.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { ShardSyncer } from '../shards/shard-syncer.ts'
import type { ResolvedOptions } from './options.ts'
import type { OpenPorts } from './ports.ts'
import { ShardRetrievers } from './shard-retrievers.ts'

/** The parts of a worker that its consumers need, and who is told of what they share. */
export interface ConsumerFactoryOptions {
  readonly options: ResolvedOptions
  readonly ports: Pick<OpenPorts, 'kinesis' | 'fanOut'>
  readonly clock: Clock
  readonly random: Random
  readonly syncer: ShardSyncer
  readonly threadDied: (death: ThreadDeath) => void
  readonly breakerChanged: (change: BreakerChange) => void
}

/** Makes the consumers of one worker. */
export class ConsumerFactory {
  readonly #parts: ConsumerFactoryOptions
  readonly #retrievers: ShardRetrievers
  readonly #room = new DeaggregationRoom()
  readonly #pool: ThreadPool | undefined
  readonly #makeProcessor: () => RecordProcessor
  readonly #breaker: CircuitBreaker | undefined
  #openBreaker: { readonly failures: number; readonly error: unknown } | undefined
  readonly #tracingOf: ((shardId: string) => ShardTracing) | undefined

  constructor(parts: ConsumerFactoryOptions) {
    const { options, ports, clock, random, threadDied, breakerChanged } = parts
    this.#parts = parts
    this.#tracingOf = tracingOf(options, ports.kinesis.streamName)
    this.#retrievers = new ShardRetrievers({ options, ...ports, tracingOf: this.#tracingOf, clock, random })
    const { userCode, breaker } = options
    const onChange = (change: BreakerChange): void => {
      const { state, failures, error = this.#openBreaker?.error } = change
      this.#openBreaker = state === 'closed' ? undefined : { failures, error }
      breakerChanged(change)
    }
    if (breaker !== undefined) this.#breaker = new CircuitBreaker({ ...breaker, clock, onChange })
    if ('threads' in userCode) {
      const tracing = options.tracing?.threads
      const pool = new ThreadPool({ threads: userCode.threads, tracing, clock, random, died: threadDied })
      this.#pool = pool
      this.#makeProcessor = () => pool.processor()
    } else if ('lanes' in userCode) {
      const { lanes } = userCode
      this.#makeProcessor = () => new LaneProcessor(lanes)
    } else this.#makeProcessor = userCode.makeProcessor
  }

  /** What keeps all calls back: how many have failed in a row, and what with. `undefined`: nothing does. */
  get openBreaker(): { readonly failures: number; readonly error: Error | undefined } | undefined {
    if (this.#openBreaker === undefined) return undefined
    const { failures, error } = this.#openBreaker
    return { failures, error: error instanceof Error ? error : undefined }
  }

  /** How many bytes are held for records now. */
  get bufferedBytes(): number {
    return this.#retrievers.bufferedBytes
  }

  /** A consumer for the shard of a tenure. It does nothing before `run()`. */
  make(tenure: Tenure, listener: ShardListener): ShardConsumer {
    const { options, clock, random, syncer } = this.#parts
    const { failurePolicy, deadLetters, applicationName, stream } = options
    return new ShardConsumer({
      tenure,
      tracing: this.#tracingOf?.(tenure.shardId),
      clock,
      random,
      policy: failurePolicy,
      handlerTimeoutMs: options.handlerTimeoutMs,
      breaker: this.#breaker,
      deadLettering: {
        destination: deadLetters,
        stream: 'streamArn' in stream ? stream.streamArn : stream.streamName,
        applicationName
      },
      outOfRange: options.outOfRange,
      concurrency: options.concurrency,
      batch: options.batch,
      stallMs: options.stallMs,
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

/** Where the spans of a shard go, and what they are about. `undefined`: nobody wants any. */
function tracingOf(
  { tracing, applicationName: application, workerId: worker }: ResolvedOptions,
  stream: string
): ((shardId: string) => ShardTracing) | undefined {
  return tracing && (shardId => ({ to: tracing, facts: { application, stream, worker, shardId } }))
}
