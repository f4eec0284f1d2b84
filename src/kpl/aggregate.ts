// Packs user records into one Kinesis record as the Kinesis Producer Library does. Which records go together is not
// decided here: consumers with KCL's rule lose an aggregate whose members do not all belong to the shard it arrives in.
import { OptionError } from '../model/errors.ts'
import { type AggregateEntry, NO_INDEX, writeAggregatedRecord } from './aggregated-record.ts'
import { hashKeyOf } from './hash-key.ts'

/** A record as a producer has it. */
export interface UserRecord {
  /** 1 to 256 characters (Unicode code points). */
  readonly partitionKey: string
  /** A whole number from 0 to 2^128 - 1 in decimal digits; stands in for the hash of the partition key. */
  readonly explicitHashKey?: string
  /** The payload. Copied into an aggregate; of a single record it is used as it is. */
  readonly data: Uint8Array
}

/** A record to put into the stream: the arguments of PutRecord. */
export interface AggregatedRecord {
  /** `a`, as the KPL has it; of a single record its own. Without effect beside the explicit hash key. */
  readonly partitionKey: string
  /** Decimal hash key of the first user record, which is what the shard of the whole record follows from. */
  readonly explicitHashKey: string
  /** All the user records in the format of the KPL; of a single record its payload as it is. */
  readonly data: Uint8Array
}

const MAX_PARTITION_KEY_CHARACTERS = 256
/** The partition key of every aggregate of the KPL. It decides nothing, because an explicit hash key goes with it. */
const AGGREGATE_PARTITION_KEY = 'a'

const utf8 = new TextEncoder()

/**
 * One Kinesis record that holds all of `records` in order. A single record is not wrapped: it keeps its partition key
 * and its data. Does not look at sizes; a Kinesis record may have 1 MiB, or up to 10 MiB where the stream allows it.
 *
 * @throws OptionError if there are no records, or if a key is empty, too long or, for an explicit hash key, not a
 * number in the hash space.
 */
export function aggregate(records: readonly UserRecord[]): AggregatedRecord {
  const [first] = records
  if (first === undefined) throw new OptionError('records', 'expected at least one record, got none')
  const partitionKeys = new KeyTable()
  const explicitHashKeys = new KeyTable()
  const entries: AggregateEntry[] = records.map((record, i) => {
    checkPartitionKey(record.partitionKey, i)
    return {
      partitionKeyIndex: partitionKeys.indexOf(record.partitionKey),
      explicitHashKeyIndex:
        record.explicitHashKey === undefined ? NO_INDEX : explicitHashKeys.indexOf(decimalHashKey(record, i)),
      data: record.data
    }
  })
  const explicitHashKey = decimalHashKey(first, 0)
  if (records.length === 1) return { partitionKey: first.partitionKey, explicitHashKey, data: first.data }
  return {
    partitionKey: AGGREGATE_PARTITION_KEY,
    explicitHashKey,
    data: writeAggregatedRecord(partitionKeys.encoded, explicitHashKeys.encoded, entries)
  }
}

/** Each key once, in the order of first use. A Map, so that keys such as `__proto__` and `2` are keys like any other. */
class KeyTable {
  readonly encoded: Uint8Array[] = []
  readonly #indices = new Map<string, number>()

  indexOf(key: string): number {
    let index = this.#indices.get(key)
    if (index === undefined) {
      index = this.encoded.push(utf8.encode(key)) - 1
      this.#indices.set(key, index)
    }
    return index
  }
}

function checkPartitionKey(key: string, index: number): void {
  // A string has at least as many UTF-16 units as characters, so most keys need no counting.
  const characters = key.length > MAX_PARTITION_KEY_CHARACTERS ? Array.from(key).length : key.length
  if (characters === 0 || characters > MAX_PARTITION_KEY_CHARACTERS) {
    throw new OptionError(`records[${index}].partitionKey`, `expected 1 to 256 characters, got ${characters}`)
  }
}

function decimalHashKey(record: UserRecord, index: number): string {
  try {
    return hashKeyOf(record.partitionKey, record.explicitHashKey).toString()
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    throw new OptionError(`records[${index}].explicitHashKey`, error.message.replace(/^.*?: /, ''), { cause: error })
  }
}
