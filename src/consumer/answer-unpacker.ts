// Takes answers apart: Kinesis records into user records, and of those the ones that are still to be delivered.
import { type DeaggregationRoom, Deaggregator, type OutOfRange } from '../kpl/deaggregate.ts'
import type { HashKeyRange } from '../model/hash-key-range.ts'
import type { ConsumedRecord, KinesisRecord } from '../model/record.ts'
import { comparePositions, type ExtendedSequenceNumber, formatPosition } from '../model/sequence-number.ts'
import type { RetrievedRecords } from '../retrieval/retriever.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Delivery, planDelivery, undivided } from './plan-delivery.ts'
import type { ShardLag } from './shard-lag.ts'
import type { ShardListener } from './shard-listener.ts'

/** How the answers of one shard are taken apart, and who is told of odd ones. */
export interface AnswerUnpackerOptions {
  readonly outOfRange: OutOfRange
  readonly hashKeyRange: HashKeyRange | undefined
  /** For taking aggregated records apart; shared by all shards. */
  readonly room: DeaggregationRoom
  /** The checkpoint: reading never begins before it again. */
  readonly stored: () => ExtendedSequenceNumber
  readonly clock: Clock
  /** Is told of what is to be settled. */
  readonly lag: Pick<ShardLag, 'received'>
  readonly listener: Pick<ShardListener, 'oddRecords' | 'suppressed'>
}

/** Answers of this size or more are decoded and processed in turns of the event loop of their own. Bytes. */
const LARGE_BYTES = 262_144

/** What is to be delivered, and what it was made from. */
export interface Unpacked extends Delivery {
  readonly received: readonly KinesisRecord[]
}

/** Takes the answers of one shard apart. */
export class AnswerUnpacker {
  readonly #options: AnswerUnpackerOptions
  readonly #deaggregator: Deaggregator
  /** Settled, though others before them are not: they are not delivered again, however often reading begins anew. */
  readonly #settled = new Map<string, ExtendedSequenceNumber>()

  constructor(options: AnswerUnpackerOptions) {
    const { outOfRange, hashKeyRange, room } = options
    this.#options = options
    this.#deaggregator = new Deaggregator({ outOfRange, ...(hashKeyRange && { hashKeyRange }) }, room)
  }

  /** Notes records that are settled and lie beyond the checkpoint, which reading is about to begin at again. */
  leaveOut(settled: readonly ExtendedSequenceNumber[]): void {
    for (const position of settled) this.#settled.set(formatPosition(position), position)
  }

  /**
   * To be waited for before an answer is taken apart: timers and sockets come before a large one, which has just been decoded. Not
   * after that, and what was made before must not refer to its records: those that outlive a turn of the event loop cost the
   * garbage collector more than they cost to make.
   */
  async beforehand({ bytes }: RetrievedRecords): Promise<void> {
    if (bytes >= LARGE_BYTES) await this.#options.clock.sleep(0)
  }

  /** What of an answer is to be delivered: what lies after `accepted` and was not settled before. */
  unpack(retrieved: RetrievedRecords, accepted: ExtendedSequenceNumber): Unpacked {
    // Made anew whenever they are asked for.
    const received = retrieved.records
    const { records, upTo, settled } = this.#plan(retrieved, received, accepted)
    const open = this.#settled.size === 0 ? records : this.#openOf(records)
    const { lag, listener } = this.#options
    const suppressed = settled + records.length - open.length
    if (suppressed > 0) listener.suppressed(suppressed)
    lag.received(open)
    return { records: open, upTo, settled, received }
  }

  #plan(retrieved: RetrievedRecords, received: readonly KinesisRecord[], accepted: ExtendedSequenceNumber): Delivery {
    const whole = undivided(received)
    if (whole !== undefined) return planDelivery(whole, undefined, accepted)
    const read = this.#deaggregator.deaggregate(received)
    retrieved.takenApart(read.records.length)
    if (read.outOfRange > 0 || read.corrupt > 0) this.#options.listener.oddRecords(read)
    return planDelivery(read.records, read.last, accepted)
  }

  #openOf(records: readonly ConsumedRecord[]): readonly ConsumedRecord[] {
    const stored = this.#options.stored()
    for (const [key, position] of this.#settled) if (comparePositions(position, stored) <= 0) this.#settled.delete(key)
    return records.filter(record => !this.#settled.has(formatPosition(record)))
  }
}
