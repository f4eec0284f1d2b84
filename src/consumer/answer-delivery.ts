// Delivers each answer as one batch, one after another: the default, and the fastest.
import type { ConsumedRecord } from '../model/record.ts'
import { comparePositions, type ExtendedSequenceNumber } from '../model/sequence-number.ts'
import type { RetrievedRecords } from '../retrieval/retriever.ts'
import type { Clock } from '../runtime/clock.ts'
import type { AnswerUnpacker } from './answer-unpacker.ts'
import type { BatchCalls } from './batch-calls.ts'
import type { ProcessorCalls } from './processor-calls.ts'
import type { ShardDelivery } from './shard-delivery.ts'
import type { ShardListener } from './shard-listener.ts'
import type { CallOutcome } from './user-call.ts'

/** What an answer is delivered with. */
export interface AnswerDeliveryOptions {
  readonly calls: ProcessorCalls
  readonly batches: BatchCalls
  readonly unpacker: AnswerUnpacker
  /** Aborts when no further call is wanted. */
  readonly interrupt: AbortSignal
  readonly clock: Clock
  readonly listener: Pick<ShardListener, 'batchProcessed'>
}

const DONE: CallOutcome = { kind: 'done' }

/** Delivers the answers of one shard, each as a batch. */
export class AnswerDelivery implements ShardDelivery {
  readonly trouble: AbortSignal = new AbortController().signal
  readonly #options: AnswerDeliveryOptions
  /** Settled before others that come first, of the batch that is, or was last, to be settled. */
  #ahead: readonly ConsumedRecord[] = []

  constructor(options: AnswerDeliveryOptions) {
    this.#options = options
  }

  get accepted(): ExtendedSequenceNumber {
    return this.#options.calls.progress.settled
  }

  async accept(retrieved: RetrievedRecords): Promise<CallOutcome> {
    try {
      await this.#options.unpacker.beforehand(retrieved)
      return await this.#settle(retrieved)
    } finally {
      retrieved.release()
    }
  }

  async flush(): Promise<CallOutcome> {
    return DONE
  }

  async windDown(): Promise<void> {}

  settledAhead(): readonly ExtendedSequenceNumber[] {
    return this.#options.calls.keepsNothing ? this.#ahead : []
  }

  close(): void {}

  async #settle(retrieved: RetrievedRecords): Promise<CallOutcome> {
    const { calls, batches, unpacker, interrupt, clock, listener } = this.#options
    const { millisBehindLatest } = retrieved
    const { records, upTo, received } = unpacker.unpack(retrieved, this.accepted)
    if (records.length === 0) {
      calls.progress.settle(upTo)
      return DONE
    }
    // Before the records are processed: in a thread, their payloads go there.
    const isWhole = (records as readonly unknown[]) === received
    const bytes = isWhole ? retrieved.bytes : records.reduce((sum, { byteLength }) => sum + byteLength, 0)
    const { threaded } = calls
    threaded?.takeFrom(received, records)
    const startedMs = clock.monotonicMs()
    const settled = (done: readonly ConsumedRecord[], open: ConsumedRecord | undefined): void => {
      if (open === undefined) this.#ahead = []
      else if (done.length > 0) this.#ahead = [...this.#ahead, ...done].filter(each => comparePositions(each, open) > 0)
    }
    const outcome = await batches.settle({ records, millisBehindLatest, upTo, interrupt, settled })
    threaded?.letGo()
    if (outcome.kind !== 'done') return outcome
    const durationMs = clock.monotonicMs() - startedMs
    listener.batchProcessed({ records: records.length, bytes, millisBehindLatest, durationMs })
    return outcome
  }
}
