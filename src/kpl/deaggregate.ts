// Kinesis records to user records. Decides what becomes of an aggregate with records of another shard or with broken
// indices; how an aggregate is laid out in bytes is known to aggregated-record.ts.
import { FULL_HASH_KEY_RANGE, type HashKeyRange } from '../model/hash-key-range.ts'
import { ConsumedRecord, type ConsumedRecordFields, type KinesisRecord } from '../model/record.ts'
import type { ExtendedSequenceNumber } from '../model/sequence-number.ts'
import { AggregateColumns, NO_INDEX, readAggregatedRecord } from './aggregated-record.ts'
import { KeyTables, Place } from './key-tables.ts'

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
 * Takes KPL aggregates apart. Records that are no aggregate, or whose digest or structure is damaged, are delivered as
 * they are, with sub-sequence number 0 and whatever their hash key. Never throws on bad input.
 */
export function deaggregate(records: readonly KinesisRecord[], options: DeaggregateOptions = {}): Deaggregated {
  const deaggregation = new Deaggregation(options)
  for (const record of records) deaggregation.add(record)
  return deaggregation.result()
}

/** What judging an aggregate finds out, before anything of it is delivered. */
interface Judgement {
  /** User records before the first broken one. */
  readonly usable: number
  /** How many of the usable ones are out of range. */
  readonly outside: number
}

type MutableFields = { -readonly [Name in keyof ConsumedRecordFields]: ConsumedRecordFields[Name] }

/** The work on one batch. */
class Deaggregation {
  readonly #records: ConsumedRecord[] = []
  #outOfRange = 0
  #corrupt = 0
  #last: ExtendedSequenceNumber | undefined
  readonly #onOutOfRange: OutOfRange
  readonly #onCorrupt: CorruptAggregate
  readonly #columns = new AggregateColumns()
  readonly #keys: KeyTables

  constructor({ outOfRange, corrupt, hashKeyRange }: DeaggregateOptions) {
    this.#onOutOfRange = outOfRange ?? 'deliver'
    this.#onCorrupt = corrupt ?? 'passthrough'
    this.#keys = new KeyTables(this.#columns, hashKeyRange ?? FULL_HASH_KEY_RANGE)
  }

  add(record: KinesisRecord): void {
    if (readAggregatedRecord(record.data, this.#columns)) this.#addAggregate(record)
    else this.#addWhole(record)
  }

  result(): Deaggregated {
    const last = this.#last
    return { records: this.#records, outOfRange: this.#outOfRange, corrupt: this.#corrupt, ...(last && { last }) }
  }

  #addWhole(record: KinesisRecord): void {
    this.#records.push(new ConsumedRecord(fieldsOf(record, false)))
    this.#last = { sequenceNumber: record.sequenceNumber, subSequenceNumber: 0 }
  }

  #addAggregate(record: KinesisRecord): void {
    const { count } = this.#columns.records
    this.#keys.begin(record.data)
    const { usable, outside } = this.#judge()
    if (usable < count) {
      this.#corrupt++
      if (this.#onCorrupt === 'passthrough') {
        this.#addWhole(record)
        return
      }
    }
    this.#outOfRange += outside
    if (outside === 0 || this.#onOutOfRange === 'deliver') this.#addMembers(record, usable, false)
    else if (this.#onOutOfRange === 'drop-record') this.#addMembers(record, usable, true)
    this.#last = { sequenceNumber: record.sequenceNumber, subSequenceNumber: Math.max(0, count - 1) }
  }

  #judge(): Judgement {
    const { values, count, width } = this.#columns.records
    let outside = 0
    for (let i = 0, row = 0; i < count; i++, row += width) {
      const place = this.#keys.placeOf(values[row] as number, values[row + 1] as number)
      if (place === Place.broken) return { usable: i, outside }
      if (place === Place.outside) outside++
    }
    return { usable: count, outside }
  }

  #addMembers(record: KinesisRecord, usable: number, insideOnly: boolean): void {
    const { data } = record
    const { values, width } = this.#columns.records
    // Two templates that are filled in again for each member: an object per member would cost as much as its record.
    const fields = fieldsOf(record, true)
    const fieldsWithHashKey: MutableFields = { ...fields, explicitHashKey: '' }
    for (let i = 0, row = 0; i < usable; i++, row += width) {
      const key = values[row] as number
      const hashKey = values[row + 1] as number
      if (insideOnly && this.#keys.placeOf(key, hashKey) !== Place.inside) continue
      const member = hashKey === NO_INDEX ? fields : fieldsWithHashKey
      if (hashKey !== NO_INDEX) member.explicitHashKey = this.#keys.explicitHashKey(hashKey)
      member.subSequenceNumber = i
      member.partitionKey = this.#keys.partitionKey(key)
      const dataAt = values[row + 2] as number
      member.data = data.subarray(dataAt, dataAt + (values[row + 3] as number))
      this.#records.push(new ConsumedRecord(member))
    }
  }
}

function fieldsOf(record: KinesisRecord, aggregated: boolean): MutableFields {
  const { sequenceNumber, partitionKey, data, arrivedAtMs, encryptionType } = record
  const fields: MutableFields = { sequenceNumber, subSequenceNumber: 0, partitionKey, data, aggregated }
  if (arrivedAtMs !== undefined) fields.arrivedAtMs = arrivedAtMs
  if (encryptionType !== undefined) fields.encryptionType = encryptionType
  return fields
}
