// Opens the retriever of a shard: by polling, or by fan-out with polling to fall back on. Holds what all the shards of a
// stream have in common: the paces, and the consumer of fan-out. The budget of bytes is that of the worker.
import type { FanOutPort } from '../kinesis/fan-out-port.ts'
import type { KinesisPort } from '../kinesis/kinesis-port.ts'
import { type ShardTracing, tracedFanOut, tracedKinesis } from '../kinesis/traced-ports.ts'
import { BugError } from '../model/errors.ts'
import type { Lease } from '../model/lease.ts'
import type { StartPosition } from '../model/start-position.ts'
import { ByteBudget } from '../retrieval/byte-budget.ts'
import { ActiveConsumer } from '../retrieval/fan-out-consumer.ts'
import { FallbackRetriever, type ReadListener } from '../retrieval/fan-out-fallback.ts'
import { FanOutRetriever } from '../retrieval/fan-out-retriever.ts'
import { PollingRetriever } from '../retrieval/polling-retriever.ts'
import { continuationOf, type ReadStart, startOf } from '../retrieval/read-rules.ts'
import type { RetrievalListener, Retriever } from '../retrieval/retriever.ts'
import { ShardPaces } from '../retrieval/shard-paces.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { ResolvedRetrieval } from './retrieval-options.ts'

/** How shards are to be read, and through which ports. */
export interface ShardRetrieversOptions {
  readonly retrieval: ResolvedRetrieval
  /** Where shards begin whose leases stand for it. */
  readonly startAt: StartPosition
  /** What records are buffered within: shared by all shards of the worker. */
  readonly budget: ByteBudget
  readonly kinesis: KinesisPort
  /** Needed for fan-out only. */
  readonly fanOut: FanOutPort | undefined
  /** Where the spans of a shard go. Absent: nothing is traced. */
  readonly tracingOf?: ((shardId: string) => ShardTracing) | undefined
  readonly clock: Clock
  readonly random: Random
}

/**
 * How much of the memory is for records. The rest is for what is there beside them: memory that answers were received into, kept
 * to be used again, and memory that is free but that the allocator has not given back.
 */
export const RECORDS_SHARE = 7 / 8

/** The budget of bytes of a worker, for all the shards that it reads. */
export function budgetOf({ maxBufferedBytes, maxShardBufferedBytes }: ResolvedRetrieval): ByteBudget {
  const maxBytes = Math.ceil(maxBufferedBytes * RECORDS_SHARE)
  return new ByteBudget({ maxBytes, maxShardBytes: Math.min(maxShardBufferedBytes, maxBytes) })
}

/** The retrievers of one stream. */
export class ShardRetrievers {
  readonly #parts: ShardRetrieversOptions
  readonly #paces: ShardPaces
  readonly #consumer: ActiveConsumer | undefined

  constructor(parts: ShardRetrieversOptions) {
    const { retrieval, fanOut, clock, random } = parts
    const { mode, consumer, ...pacing } = retrieval
    this.#parts = parts
    this.#paces = new ShardPaces({ ...pacing, clock, random })
    if (mode === 'fan-out' && fanOut) this.#consumer = new ActiveConsumer({ fanOut, consumer, clock, random })
  }

  /** A retriever for the shard of a lease, from its checkpoint on. To be closed. */
  open(lease: Lease, listener: RetrievalListener): Retriever {
    const { retrieval, startAt, clock, random } = this.#parts
    const begun = startOf(lease, startAt instanceof Date ? startAt : undefined)
    const start = retrieval.beginsByTime ? continuationOf(lease, begun) : begun
    const { shardId } = lease
    if (retrieval.mode === 'polling') return this.#poll(shardId, start, listener)
    if (retrieval.fallback === 'none') return this.#subscribe(shardId, start, listener, false)
    return new FallbackRetriever({
      start,
      fanOut: (from, told) => this.#subscribe(shardId, from, told, true),
      poll: (from, told) => this.#poll(shardId, from, told),
      clock,
      random,
      listener
    })
  }

  /** Ends what is still being asked for on behalf of all shards. */
  close(): void {
    this.#consumer?.close()
  }

  #poll(shardId: string, start: ReadStart, listener: ReadListener): Retriever {
    const { retrieval, budget, clock, random } = this.#parts
    const { maxRecords } = retrieval
    const kinesis = this.#kinesisFor(shardId)
    const pace = this.#paces.open(shardId)
    const allowance = budget.open()
    return new PollingRetriever({ kinesis, shardId, start, maxRecords, pace, allowance, clock, random, listener })
  }

  #subscribe(shardId: string, start: ReadStart, listener: ReadListener, givesUp: boolean): Retriever {
    const { fanOut, budget, tracingOf, clock, random } = this.#parts
    const consumer = this.#consumer
    if (fanOut === undefined || consumer === undefined) throw new BugError('Fan-out was not prepared')
    const allowance = budget.open()
    return new FanOutRetriever({
      fanOut: tracingOf === undefined ? fanOut : tracedFanOut(fanOut, tracingOf(shardId)),
      kinesis: this.#kinesisFor(shardId),
      consumer,
      shardId,
      start,
      allowance,
      givesUp,
      clock,
      random,
      listener
    })
  }

  #kinesisFor(shardId: string): KinesisPort {
    const { kinesis, tracingOf } = this.#parts
    return tracingOf === undefined ? kinesis : tracedKinesis(kinesis, tracingOf(shardId))
  }
}
