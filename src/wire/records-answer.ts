// What an answer of GetRecords says, in our own types, whatever it was encoded in. Malformed ones are refused with an error
// that quotes nothing of them: they are made of payloads.
import { ServiceError } from '../model/errors.ts'
import type { HashKeyRange } from '../model/hash-key-range.ts'
import type { KinesisRecord } from '../model/record.ts'
import type { RecordsAnswer } from '../model/records-answer.ts'
import type { ChildShard } from '../model/shard.ts'

/** The error to throw for an answer in which `what` is not as it has to be. Asking again may help. */
export function malformedAnswer(what: string): ServiceError {
  return new ServiceError('other', `the answer could not be read: ${what}`, { retryable: true })
}

/** The records of an answer, and what they take. */
export interface DecodedRecords {
  /** Made when they are first asked for. */
  readonly records: readonly KinesisRecord[]
  /** How many there are. */
  readonly recordCount: number
  /** The sequence number of the last of them; empty if there are none. */
  readonly lastSequenceNumber: string
  /** How long their payloads are together. Bytes. */
  readonly bytes: number
  /** How much memory they keep, with what is made of them when they are read. Bytes. */
  readonly memoryBytes: number
}

/** Records that are made already. */
export function madeRecords(
  records: readonly KinesisRecord[],
  sizes: Pick<DecodedRecords, 'bytes' | 'memoryBytes'>
): DecodedRecords {
  return {
    records,
    recordCount: records.length,
    lastSequenceNumber: records.at(-1)?.sequenceNumber ?? '',
    ...sizes
  }
}

/** What an answer keeps in memory whose records are read, besides payloads and texts. Measured. Bytes. */
const ANSWER_BYTES = 2_048
/** The same for each record: the object, its payload as an array of its own, the heads of its strings, a row of a table. */
const RECORD_BYTES = 288

/**
 * How much memory these many records keep. Bytes.
 *
 * @param payloadBytes how large the memory is that their payloads are in, with what else is in it
 * @param textBytes how long their sequence numbers and keys are together: they are kept twice, as bytes and as strings
 */
export function memoryOf(records: number, payloadBytes: number, textBytes: number): number {
  return ANSWER_BYTES + payloadBytes + 2 * textBytes + records * RECORD_BYTES
}

/**
 * The answer with these records, and these fields besides `Records`, as the service names them.
 *
 * @throws ServiceError that is retryable, if one of the fields is not of its type
 */
export function recordsAnswer(decoded: DecodedRecords, fields: Readonly<Record<string, unknown>>): RecordsAnswer {
  const { NextShardIterator: next, MillisBehindLatest: behind = 0, ChildShards: children } = fields
  if (!isAbsent(next) && typeof next !== 'string') throw malformedAnswer('NextShardIterator is not text')
  // The last answer of a shard may say nothing of how far it is behind.
  if (behind !== null && typeof behind !== 'number') throw malformedAnswer('MillisBehindLatest is not a number')
  if (!isAbsent(children) && !Array.isArray(children)) throw malformedAnswer('ChildShards is not a list')
  const { bytes, memoryBytes, recordCount, lastSequenceNumber } = decoded
  return {
    get records() {
      return decoded.records
    },
    ...{ bytes, memoryBytes, recordCount },
    ...(lastSequenceNumber !== '' && { lastSequenceNumber }),
    millisBehindLatest: behind ?? 0,
    ...(next && { nextIterator: next }),
    ...(children && children.length > 0 && { childShards: children.map(childShardFrom) })
  }
}

/** A shard that follows another one, as answers and events have it. */
export function childShardFrom(child: unknown): ChildShard {
  const { ShardId, ParentShards, HashKeyRange } = Object(child) as Record<string, unknown>
  return {
    shardId: typeof ShardId === 'string' ? ShardId : '',
    parentShardIds: Array.isArray(ParentShards) ? ParentShards.map(String) : [],
    hashKeyRange: hashKeyRangeFrom(HashKeyRange)
  }
}

/** A range of hash keys, as answers have it: two decimal numbers. What is missing is 0. */
export function hashKeyRangeFrom(range: unknown): HashKeyRange {
  const { StartingHashKey = '0', EndingHashKey = '0' } = Object(range) as Record<string, unknown>
  return { start: hashKeyFrom(StartingHashKey), end: hashKeyFrom(EndingHashKey) }
}

function hashKeyFrom(key: unknown): bigint {
  if (typeof key !== 'string' || !/^\d+$/.test(key)) throw malformedAnswer('a hash key is not a number')
  return BigInt(key)
}

function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null
}
