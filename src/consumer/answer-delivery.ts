// Delivers each answer as one batch, one after another: the default, and the fastest.
import type { ConsumedRecord } from '../model/record.ts'
import { comparePositions, type ExtendedSequenceNumber, positionOf } from '../model/sequence-number.ts'
import type { RetrievedRecords } from '../retrieval/retriever.ts'
import type { Clock } from '../runtime/clock.ts'
import type { AnswerUnpacker } from './answer-unpacker.ts'
import type { BatchCalls, CalledBatch } from './batch-calls.ts'
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
  /** Aborts when what is under way is to be given up too. */
  readonly giveUp: AbortSignal
  readonly clock: Clock
  readonly listener: Pick<ShardListener, 'batchProcessed'>
}

const DONE: CallOutcome = { kind: 'done' }

/** Delivers the answers of one shard, each as a batch. */
export class AnswerDelivery implements ShardDelivery {
  readonly trouble: AbortSignal = new AbortController().signal
  readonly #options: AnswerDeliveryOptions
  /** Settled before others that come first, of the batch that is, or was last, to be settled. */
  #ahead: readonly ExtendedSequenceNumber[] = []
  /** The first of that batch that is not settled. */
  #open: ConsumedRecord | undefined

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
      // Nothing is kept that the records are in, however long it is until the next ones come.
      this.#ahead = this.#ahead.map(positionOf)
      this.#open = undefined
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
    const { hosted } = calls
    hosted?.takeFrom(received, records)
    const startedMs = clock.monotonicMs()
    const settled = (done: readonly ConsumedRecord[], open: ConsumedRecord | undefined): void => {
      this.#open = open
      if (open === undefined) this.#ahead = []
      else if (done.length > 0) this.#ahead = [...this.#ahead, ...done].filter(each => comparePositions(each, open) > 0)
    }
    const outcome = await batches.settle({ records, millisBehindLatest, upTo, interrupt, settled })
    if (outcome.kind === 'interrupted') await this.#fillUp({ records, millisBehindLatest, upTo, interrupt, settled })
    hosted?.letGo()
    if (outcome.kind !== 'done') return outcome
    const durationMs = clock.monotonicMs() - startedMs
    listener.batchProcessed({ records: records.length, bytes, millisBehindLatest, durationMs })
    return outcome
  }

  /** What is settled ahead of others is not to be processed again elsewhere: the others are settled too, if that is soon done. */
  async #fillUp(batch: CalledBatch): Promise<void> {
    const { calls, batches, giveUp } = this.#options
    const { records } = batch
    const ahead = new Set<ExtendedSequenceNumber>(this.#ahead)
    const last = records.findLastIndex(record => ahead.has(record))
    const first = this.#open === undefined ? -1 : records.indexOf(this.#open)
    if (last === -1 || first === -1 || giveUp.aborted) return
    const open = records.slice(first, last).filter(record => !ahead.has(record))
    const upTo = positionOf(records[last] as ConsumedRecord)
    await batches.settle({ ...batch, records: open, upTo, interrupt: giveUp, isHurried: true })
    // Those among them that were settled ahead do not count as what lies before the first that is still open.
    const before = this.#open === undefined ? undefined : records[records.indexOf(this.#open) - 1]
    if (before !== undefined) calls.progress.settle(positionOf(before))
  }
}
