// Chooses how a shard is delivered: each answer as a batch, batches of a size of their own, or in lanes side by side.
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { AnswerDelivery } from './answer-delivery.ts'
import type { AnswerUnpacker } from './answer-unpacker.ts'
import type { BatchCalls } from './batch-calls.ts'
import type { BatchSettings, ConcurrencySettings } from './delivery-options.ts'
import { LaneDelivery } from './lane-delivery.ts'
import type { ProcessorCalls } from './processor-calls.ts'
import { ProgressWriter } from './progress-writer.ts'
import type { ShardDelivery } from './shard-delivery.ts'
import type { ShardListener } from './shard-listener.ts'

/** How records are delivered, and with what. */
export interface DeliveryOptions {
  /** Absent: one batch after another. */
  readonly concurrency: ConcurrencySettings | undefined
  /** Absent: what an answer brings is a batch, or, with concurrency, what is there of a key. */
  readonly batch: BatchSettings | undefined
  readonly calls: ProcessorCalls
  readonly batches: BatchCalls
  readonly unpacker: AnswerUnpacker
  /** Aborts when nothing new is to begin. */
  readonly interrupt: AbortSignal
  /** Aborts when what is under way is to be given up too. */
  readonly giveUp: AbortSignal
  readonly clock: Clock
  readonly random: Random
  readonly listener: Pick<ShardListener, 'batchProcessed' | 'failed'>
}

/** How long a position that moves is left alone before it is stored. Milliseconds. */
const STORE_EVERY_MS = 1_000
/** Batches of a size of their own: so many records may wait for more, unless a batch may be larger than half of it. */
const QUEUED_RECORDS = 20_000

const UNLIMITED: BatchSettings = {
  maxRecords: Number.POSITIVE_INFINITY,
  maxBytes: Number.POSITIVE_INFINITY,
  windowMs: 0
}

/** Opens the way in which a shard is delivered, from where its processor has come to. */
export function openDelivery(options: DeliveryOptions): ShardDelivery {
  const { concurrency, batch, calls, batches, unpacker, interrupt, giveUp, clock, listener } = options
  if (concurrency !== undefined) return openLanes(options, concurrency)
  return batch === undefined
    ? new AnswerDelivery({ calls, batches, unpacker, interrupt, giveUp, clock, listener })
    : openBatches(options, batch)
}

function openBatches(options: DeliveryOptions, batch: BatchSettings): ShardDelivery {
  const { calls, batches, unpacker, clock, listener } = options
  const { maxRecords } = batch
  return new LaneDelivery({
    ...options,
    perShard: 1,
    by: 'one',
    maxInFlight: Number.isFinite(maxRecords) ? Math.max(QUEUED_RECORDS, 2 * maxRecords) : QUEUED_RECORDS,
    limits: batch,
    from: calls.progress.settled,
    makeWriter: undefined,
    keepsNothing: calls.keepsNothing,
    unpack: (retrieved, accepted) => unpacker.unpack(retrieved, accepted),
    beforehand: retrieved => unpacker.beforehand(retrieved),
    progressed: position => calls.progress.settle(position),
    answerSettled: () => {},
    settleBatch: async call => {
      const startedMs = clock.monotonicMs()
      const { records, millisBehindLatest } = call
      // Before they are processed: in a thread, their payloads may go there.
      const bytes = records.reduce((sum, { byteLength }) => sum + byteLength, 0)
      const outcome = await batches.settle(call)
      calls.hosted?.letGo()
      if (outcome.kind === 'done') {
        const durationMs = clock.monotonicMs() - startedMs
        listener.batchProcessed({ records: records.length, bytes, millisBehindLatest, durationMs })
      }
      return outcome
    }
  })
}

function openLanes(options: DeliveryOptions, { perShard, by, maxInFlight }: ConcurrencySettings): ShardDelivery {
  const { calls, batches, unpacker, batch, clock, random, listener } = options
  const { progress } = calls
  const limits = batch ?? UNLIMITED
  return new LaneDelivery({
    ...options,
    perShard,
    by,
    maxInFlight,
    limits: { ...limits, maxRecords: Math.min(limits.maxRecords, calls.recordsPerCall) },
    from: progress.settled,
    keepsNothing: true,
    makeWriter: (mark, stored) =>
      new ProgressWriter({
        mark,
        write: position => progress.checkpointer(position).checkpoint(),
        failed: (error, failures, retryInMs) => listener.failed({ during: 'checkpoint', error, failures, retryInMs }),
        stored,
        intervalMs: STORE_EVERY_MS,
        clock,
        random
      }),
    unpack: (retrieved, accepted) => unpacker.unpack(retrieved, accepted),
    beforehand: retrieved => unpacker.beforehand(retrieved),
    progressed: position => progress.settle(position),
    answerSettled: report => listener.batchProcessed(report),
    settleBatch: call => batches.settle(call)
  })
}
