// Makes the consumers of shards, and owns what they share, of whatever stream: the budget of bytes, room for de-aggregation,
// the circuit breaker, and the threads that their processors live in. Hands each consumer the parts of the worker that it needs, as functions.
import { ShardConsumer } from '../consumer/shard-consumer.ts'
import type { ShardListener } from '../consumer/shard-listener.ts'
import { DeaggregationRoom } from '../kpl/deaggregate.ts'
import type { Tenure } from '../leases/tenure.ts'
import { BugError, OptionError } from '../model/errors.ts'
import type { StreamNames } from '../model/stream-id.ts'
import { type BreakerChange, CircuitBreaker } from '../processor/circuit-breaker.ts'
import { LaneProcessor } from '../processor/lane-processor.ts'
import type { RecordProcessor } from '../processor/record-processor.ts'
import { type ThreadDeath, ThreadPool } from '../processor/thread-pool.ts'
import type { ByteBudget } from '../retrieval/byte-budget.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { ResolvedOptions } from './options.ts'
import { budgetOf } from './shard-retrievers.ts'
import type { UserCode } from './user-code-options.ts'
import type { WorkerStream } from './worker-stream.ts'

/** The parts of a worker that its consumers need, and who is told of what they share. */
export interface ConsumerFactoryOptions {
  readonly options: ResolvedOptions
  readonly clock: Clock
  readonly random: Random
  readonly threadDied: (death: ThreadDeath) => void
  readonly breakerChanged: (change: BreakerChange) => void
}

/** Makes the consumers of one worker. */
export class ConsumerFactory {
  readonly #parts: ConsumerFactoryOptions
  /** What records are buffered within. */
  readonly budget: ByteBudget
  readonly #room = new DeaggregationRoom()
  readonly #pool: ThreadPool | undefined
  readonly #breaker: CircuitBreaker | undefined
  #openBreaker: { readonly failures: number; readonly error: unknown } | undefined

  constructor(parts: ConsumerFactoryOptions) {
    const { options, clock, random, threadDied, breakerChanged } = parts
    this.#parts = parts
    this.budget = budgetOf(options.retrieval)
    const { userCode, breaker } = options
    const onChange = (change: BreakerChange): void => {
      const { state, failures, error = this.#openBreaker?.error } = change
      this.#openBreaker = state === 'closed' ? undefined : { failures, error }
      breakerChanged(change)
    }
    if (breaker !== undefined) this.#breaker = new CircuitBreaker({ ...breaker, clock, onChange })
    if (userCode !== undefined && 'threads' in userCode) {
      const tracing = options.tracing?.threads
      this.#pool = new ThreadPool({ threads: userCode.threads, tracing, clock, random, died: threadDied })
    }
  }

  /** What keeps all calls back: how many have failed in a row, and what with. `undefined`: nothing does. */
  get openBreaker(): { readonly failures: number; readonly error: Error | undefined } | undefined {
    if (this.#openBreaker === undefined) return undefined
    const { failures, error } = this.#openBreaker
    return { failures, error: error instanceof Error ? error : undefined }
  }

  /** How many bytes are held for records now. */
  get bufferedBytes(): number {
    return this.budget.heldBytes
  }

  /** A consumer for the shard of a tenure, which is one of `stream`. It does nothing before `run()`. */
  make(tenure: Tenure, stream: WorkerStream, listener: ShardListener): ShardConsumer {
    const { options, clock, random } = this.#parts
    const { failurePolicy, deadLetters, applicationName } = options
    const { syncer, names, settings } = stream
    return new ShardConsumer({
      tenure,
      stream: names,
      tracing: stream.tracingOf?.(tenure.shardId),
      clock,
      random,
      policy: failurePolicy,
      handlerTimeoutMs: options.handlerTimeoutMs,
      breaker: this.#breaker,
      deadLettering: {
        destination: deadLetters,
        stream: stream.reference,
        applicationName
      },
      outOfRange: options.outOfRange,
      decoding: options.decoding,
      concurrency: settings.code?.concurrency,
      batch: settings.code?.batch,
      stallMs: options.stallMs,
      room: this.#room,
      processor: () => this.#processorFor(settings.code?.userCode, names),
      parentsFinished: async (lease, signal) => {
        // Not the end of the worker: others may know what to do with it, or this one may be told.
        if (settings.code === undefined) throw nothingFor(names)
        return syncer.parentsFinished(lease, signal)
      },
      settleShardEnd: (lease, children, signal) => syncer.settleShardEnd(lease, children, signal),
      openRetriever: (lease, told) => stream.retrievers.open(lease, told),
      listener
    })
  }

  /** Lets go of what the consumers share, and ends the threads, whatever they are at. Resolves when they are gone. */
  async close(): Promise<void> {
    await this.#pool?.close()
  }

  #processorFor(code: UserCode | undefined, stream: StreamNames): RecordProcessor {
    if (code === undefined) throw nothingFor(stream)
    if ('lanes' in code) return new LaneProcessor(code.lanes)
    if ('makeProcessor' in code) return code.makeProcessor(stream)
    if (this.#pool === undefined) throw new BugError('Threads are for the code of all streams')
    return this.#pool.processor()
  }
}

function nothingFor({ streamName }: StreamNames): OptionError {
  return new OptionError('streams', `has nothing to process ${streamName} with, and neither is there a handler for all`)
}
