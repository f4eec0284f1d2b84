// Kinesis records to user records. Decides what becomes of an aggregate with records of another shard or with broken
// indices; how an aggregate is laid out in bytes is known to aggregate-columns.ts.
import { FULL_HASH_KEY_RANGE, type HashKeyRange } from '../model/hash-key-range.ts'
import { ConsumedRecord, type KinesisRecord } from '../model/record.ts'
import type { ExtendedSequenceNumber } from '../model/sequence-number.ts'
import { type AggregateColumns, ColumnReader } from './aggregate-columns.ts'
import { MembersOfAggregate } from './aggregate-members.ts'
import { hasMagic } from './aggregated-record.ts'
import { PartitionKeyRange } from './hash-key.ts'
import { KeyPlaces, Place } from './key-places.ts'
import type { Md5Lanes } from './md5-lanes.ts'
import { MessageDigests } from './message-digests.ts'

/**
 * What to do with a user record whose hash key is outside the shard's range, because the shard was split between
 * aggregating and arriving or because the producer ignores shards.
 *
 * - `deliver`: hand it to the processor like any other. Nothing is lost; what the producer sent again comes twice.
 * - `drop-record`: leave out this user record only.
 * - `drop-aggregate`: leave out every user record of the aggregate, as the KCL does.
 */
export type OutOfRange = 'deliver' | 'drop-record' | 'drop-aggregate'

/**
 * What to do with an aggregate that is intact but has a user record with an index outside its tables or with an
 * explicit hash key that is no number.
 *
 * - `passthrough`: deliver the whole Kinesis record as it is, not taken apart.
 * - `kcl`: deliver the user records before the broken one and lose the rest, as the KCL does.
 */
export type CorruptAggregate = 'passthrough' | 'kcl'

/** What to do with user records of another shard and with broken ones, and which hash keys are those of the shard. */
export interface DeaggregateOptions {
  /** Default `deliver`. */
  readonly outOfRange?: OutOfRange
  /** Default `passthrough`. */
  readonly corrupt?: CorruptAggregate
  /** The hash keys of the shard. Default: all of them, so that only impossible explicit hash keys are out of range. */
  readonly hashKeyRange?: HashKeyRange
}

/** What a batch of Kinesis records holds. */
export interface Deaggregated {
  /** The user records to deliver, in order. Their data are views on the data of the Kinesis records. */
  readonly records: ConsumedRecord[]
  /** How many user records were out of range, delivered or not. Does not count those of an aggregate delivered whole. */
  readonly outOfRange: number
  /** How many Kinesis records were aggregates with a broken user record in them. */
  readonly corrupt: number
  /**
   * Position of the very last user record, delivered or not, so that a consumer can advance past dropped records.
   * Absent if there were no Kinesis records.
   */
  readonly last?: ExtendedSequenceNumber
}

/**
 * What taking aggregates apart needs while it is at it, and what is worth keeping in between: room, and WebAssembly
 * that hashes. Nothing in it outlives a call, so one is enough for all the shards of a worker. Takes less than 500 KiB.
 */
export class DeaggregationRoom {
  readonly reader = new ColumnReader()
  readonly digests: MessageDigests
  readonly places: KeyPlaces

  /** @param makeLanes see {@link MessageDigests} */
  constructor(makeLanes?: () => Md5Lanes | undefined) {
    this.digests = new MessageDigests(makeLanes)
    this.places = new KeyPlaces(this.digests)
  }
}

/** Takes KPL aggregates apart, one batch after another, all with the same options. One for each shard. */
export class Deaggregator {
  readonly #reader: ColumnReader
  readonly #digests: MessageDigests
  readonly #places: KeyPlaces
  readonly #range: PartitionKeyRange
  readonly #onOutOfRange: OutOfRange
  readonly #onCorrupt: CorruptAggregate

  /** @param room may be shared with other shards; by default a room of its own */
  constructor({ outOfRange, corrupt, hashKeyRange }: DeaggregateOptions = {}, room = new DeaggregationRoom()) {
    this.#onOutOfRange = outOfRange ?? 'deliver'
    this.#onCorrupt = corrupt ?? 'passthrough'
    this.#reader = room.reader
    this.#digests = room.digests
    this.#places = room.places
    this.#range = new PartitionKeyRange(hashKeyRange ?? FULL_HASH_KEY_RANGE)
  }

  /**
   * Takes the aggregates of a batch apart. Records that are no aggregate, or whose digest or structure is damaged, are
   * delivered as they are, with sub-sequence number 0 and whatever their hash key. Never throws on bad input.
   */
  deaggregate(records: readonly KinesisRecord[]): Deaggregated {
    const candidates: number[] = []
    const payloads: Uint8Array[] = []
    records.forEach(({ data }, i) => {
      if (!hasMagic(data)) return
      candidates.push(i)
      payloads.push(data)
    })
    const intact = payloads.length === 0 ? [] : this.#digests.intact(payloads)
    const odd = { outOfRange: 0, corrupt: 0 }
    const aggregates = payloads.map((payload, i) => (intact[i] === true ? this.#judge(payload, odd) : undefined))
    // As long as it is going to be: one that grows is copied many times, and more of it is old when it has been used.
    const delivered = new Array<ConsumedRecord>(
      aggregates.reduce((sum, each) => sum + (each?.size ?? 1) - 1, records.length)
    )
    let to = 0
    let next = 0
    let subSequenceNumber = 0
    records.forEach((record, i) => {
      const aggregate = i === candidates[next] ? aggregates[next++] : undefined
      if (aggregate === undefined) delivered[to++] = new ConsumedRecord(record)
      else to = this.#addMembers(record, aggregate, delivered, to)
      subSequenceNumber = aggregate === undefined ? 0 : Math.max(0, aggregate.columns.count - 1)
    })
    const last = records.at(-1)
    return {
      records: delivered,
      ...odd,
      ...(last !== undefined && { last: { sequenceNumber: last.sequenceNumber, subSequenceNumber } })
    }
  }

  /** What of an intact aggregate is delivered; `undefined`: all of it, not taken apart. */
  #judge(payload: Uint8Array, odd: { outOfRange: number; corrupt: number }): JudgedAggregate | undefined {
    const columns = this.#reader.read(payload)
    if (columns === undefined) return undefined
    const { usable, outside } = this.#places.judge(payload, columns, this.#range)
    if (usable < columns.count) {
      odd.corrupt++
      if (this.#onCorrupt === 'passthrough') return undefined
    }
    odd.outOfRange += outside
    const dropped = outside > 0 ? this.#onOutOfRange : 'deliver'
    const size = dropped === 'deliver' ? usable : dropped === 'drop-record' ? usable - outside : 0
    return { payload, columns, usable, size }
  }

  /** Returns where the next record goes. */
  #addMembers(record: KinesisRecord, aggregate: JudgedAggregate, delivered: ConsumedRecord[], from: number): number {
    const { payload, columns, usable, size } = aggregate
    if (size === 0) return from
    const members = new MembersOfAggregate(payload, columns)
    let to = from
    for (let i = 0; i < usable; i++) {
      if (size < usable && this.#places.placeOf(columns, i) !== Place.inside) continue
      delivered[to++] = new ConsumedRecord(record, members, i)
    }
    return to
  }
}

/** An aggregate of which it is known what is delivered: of the first `usable` user records all, or those that are inside. */
interface JudgedAggregate {
  readonly payload: Uint8Array
  readonly columns: AggregateColumns
  readonly usable: number
  /** How many are delivered. */
  readonly size: number
}

/**
 * Takes the aggregates of one batch apart as {@link Deaggregator} does, with the same result. For a stream of batches
 * that is quicker: this hashes without WebAssembly, because it would have to be compiled each time.
 */
export function deaggregate(records: readonly KinesisRecord[], options: DeaggregateOptions = {}): Deaggregated {
  return new Deaggregator(options, new DeaggregationRoom(() => undefined)).deaggregate(records)
}
