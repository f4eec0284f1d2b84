// The aggregated record of the Kinesis Producer Library: bytes to columns and back. What indices mean is not decided here.
//
//   payload = magic message digest      magic  = F3 89 9A C2
//                                       digest = MD5 of message, 16 bytes
//   message = AggregatedRecord (proto2; fields in any order, unknown fields skipped, of a repeated scalar the last counts)
//   AggregatedRecord { repeated string partition_key_table     = 1    Record { required uint64 partition_key_index     = 1
//                      repeated string explicit_hash_key_table = 2             optional uint64 explicit_hash_key_index = 2
//                      repeated Record records                 = 3 }           required bytes  data                    = 3
//   Tag { required string key = 1; optional string value = 2 }                 repeated Tag    tags                    = 4 }
import { createHash } from 'node:crypto'
import { ProtobufReader, varintSize, writeVarint } from './protobuf.ts'

const MAGIC = Uint8Array.of(0xf3, 0x89, 0x9a, 0xc2)
const DIGEST_BYTES = 16

// Field number << 3 | wire type. Each is one byte.
const PARTITION_KEY = 0x0a
const EXPLICIT_HASH_KEY = 0x12
const RECORD = 0x1a
const RECORD_PARTITION_KEY_INDEX = 0x08
const RECORD_EXPLICIT_HASH_KEY_INDEX = 0x10
const RECORD_DATA = 0x1a
const RECORD_TAG = 0x22
const TAG_KEY = 0x0a

/** Stands in the explicit-hash-key column of a record that has none. */
export const NO_INDEX = -1
/** Stands for every index of 2^31 - 1 or more, which no table can reach. */
const UNREACHABLE_INDEX = 0x7fffffff

/** Rows of `width` whole numbers each in one array that grows by doubling. */
export class IntRows {
  readonly width: number
  /** `values[row * width + column]`; only the first `count` rows mean anything. */
  values: Int32Array
  count = 0

  constructor(width: number) {
    this.width = width
    this.values = new Int32Array(width * 64)
  }

  /** Appends an unset row and returns its offset in {@link values}. */
  append(): number {
    const at = this.count++ * this.width
    if (at >= this.values.length) {
      const grown = new Int32Array(this.values.length * 2)
      grown.set(this.values)
      this.values = grown
    }
    return at
  }
}

/** What an aggregated record holds, as offsets into its bytes. One instance can be filled again and again. */
export class AggregateColumns {
  /** Per user record: partition-key index, explicit-hash-key index or {@link NO_INDEX}, offset and length of the data. */
  readonly records = new IntRows(4)
  /** Per entry of the partition-key table: offset and length. */
  readonly partitionKeys = new IntRows(2)
  /** Per entry of the explicit-hash-key table: offset and length. */
  readonly explicitHashKeys = new IntRows(2)
}

/**
 * Reads an aggregated record into `columns`. Returns false, and leaves nothing of use in `columns`, if `payload` is
 * anything else: no magic, no message, a wrong digest, or a message that does not parse.
 */
export function readAggregatedRecord(payload: Uint8Array, columns: AggregateColumns): boolean {
  if (!hasMagic(payload) || !hasValidDigest(payload)) return false
  columns.records.count = 0
  columns.partitionKeys.count = 0
  columns.explicitHashKeys.count = 0
  const reader = new ProtobufReader(payload, MAGIC.length, payload.length - DIGEST_BYTES)
  while (reader.at < reader.end) {
    reader.at = readCanonicalRecords(payload, reader.at, reader.end, columns.records)
    if (reader.at < reader.end) readField(reader, columns)
  }
  return !reader.malformed
}

function hasMagic(payload: Uint8Array): boolean {
  return payload.length > MAGIC.length + DIGEST_BYTES && MAGIC.every((byte, i) => payload[i] === byte)
}

function hasValidDigest(payload: Uint8Array): boolean {
  const end = payload.length - DIGEST_BYTES
  const digest = digestOf(payload.subarray(MAGIC.length, end))
  return digest.every((byte, i) => payload[end + i] === byte)
}

function digestOf(message: Uint8Array): Uint8Array {
  return createHash('md5').update(message).digest()
}

/**
 * The fast path: reads records for as long as they look as libprotobuf writes them (fields in ascending order, varints
 * of at most two bytes, no tags) and returns the offset of the first that does not. It judges no bytes: whatever it
 * does not recognise is left to {@link readField}.
 *
 * A header that begins before `end` is at most 12 bytes, and 16 bytes of digest follow the message, so no read leaves
 * `bytes`. A header that ran into the digest is found out because its record would end behind `end`.
 */
function readCanonicalRecords(bytes: Uint8Array, from: number, end: number, records: IntRows): number {
  let begin = from
  while (begin < end && bytes[begin] === RECORD) {
    let at = begin + 1
    let length = bytes[at++] as number
    if (length > 0x7f) length = (length & 0x7f) + 128 * (bytes[at++] as number)
    const next = at + length
    if (bytes[at++] !== RECORD_PARTITION_KEY_INDEX) return begin
    let key = bytes[at++] as number
    if (key > 0x7f) key = (key & 0x7f) + 128 * (bytes[at++] as number)
    let hashKey = NO_INDEX
    if (bytes[at] === RECORD_EXPLICIT_HASH_KEY_INDEX) {
      hashKey = bytes[at + 1] as number
      at += 2
      if (hashKey > 0x7f) hashKey = (hashKey & 0x7f) + 128 * (bytes[at++] as number)
    }
    if (bytes[at++] !== RECORD_DATA) return begin
    let size = bytes[at++] as number
    if (size > 0x7f) size = (size & 0x7f) + 128 * (bytes[at++] as number)
    // A second byte with its high bit set (a longer varint) makes the value 2^14 or more.
    if ((length | key | size) > 0x3fff || hashKey > 0x3fff || at + size !== next || next > end) return begin
    const row = records.append()
    const { values } = records
    values[row] = key
    values[row + 1] = hashKey
    values[row + 2] = at
    values[row + 3] = size
    begin = next
  }
  return begin
}

/** Reads the next field, whatever it is and however it is spelt. */
function readField(reader: ProtobufReader, columns: AggregateColumns): void {
  const tag = reader.tag()
  if (tag === PARTITION_KEY) readEntry(reader, columns.partitionKeys)
  else if (tag === EXPLICIT_HASH_KEY) readEntry(reader, columns.explicitHashKeys)
  else if (tag === RECORD) {
    if (!readRecord(reader.message(), columns.records)) reader.fail()
  } else reader.skip(tag)
}

function readEntry(reader: ProtobufReader, table: IntRows): void {
  const length = reader.length()
  const row = table.append()
  table.values[row] = reader.at
  table.values[row + 1] = length
  reader.at += length
}

function readRecord(reader: ProtobufReader, records: IntRows): boolean {
  let key = NO_INDEX
  let hashKey = NO_INDEX
  let dataAt = -1
  let dataLength = 0
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (tag === RECORD_PARTITION_KEY_INDEX) key = readIndex(reader)
    else if (tag === RECORD_EXPLICIT_HASH_KEY_INDEX) hashKey = readIndex(reader)
    else if (tag === RECORD_DATA) {
      dataLength = reader.length()
      dataAt = reader.at
      reader.at += dataLength
    } else if (tag === RECORD_TAG) {
      if (!isTag(reader.message())) reader.fail()
    } else reader.skip(tag)
  }
  if (reader.malformed || key === NO_INDEX || dataAt < 0) return false
  const row = records.append()
  records.values.set([key, hashKey, dataAt, dataLength], row)
  return true
}

function readIndex(reader: ProtobufReader): number {
  return Math.min(reader.varint(), UNREACHABLE_INDEX)
}

// Nobody reads tags, but a tag without its required key makes the message malformed.
function isTag(reader: ProtobufReader): boolean {
  let hasKey = false
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (tag === TAG_KEY) hasKey = true
    reader.skip(tag)
  }
  return hasKey && !reader.malformed
}

/** One user record on its way into an aggregated record. */
export interface AggregateEntry {
  readonly partitionKeyIndex: number
  /** {@link NO_INDEX} for a record without an explicit hash key. */
  readonly explicitHashKeyIndex: number
  readonly data: Uint8Array
}

/** Writes an aggregated record exactly as libprotobuf, and so the Kinesis Producer Library, would. Keys are UTF-8. */
export function writeAggregatedRecord(
  partitionKeys: readonly Uint8Array[],
  explicitHashKeys: readonly Uint8Array[],
  entries: readonly AggregateEntry[]
): Uint8Array {
  let messageSize = 0
  for (const key of partitionKeys) messageSize += fieldSize(key.length)
  for (const key of explicitHashKeys) messageSize += fieldSize(key.length)
  for (const entry of entries) messageSize += fieldSize(entrySize(entry))

  const payload = new Uint8Array(MAGIC.length + messageSize + DIGEST_BYTES)
  payload.set(MAGIC)
  let at = MAGIC.length
  for (const key of partitionKeys) at = writeField(payload, at, PARTITION_KEY, key)
  for (const key of explicitHashKeys) at = writeField(payload, at, EXPLICIT_HASH_KEY, key)
  for (const entry of entries) at = writeEntry(payload, at, entry)
  payload.set(digestOf(payload.subarray(MAGIC.length, at)), at)
  return payload
}

/** Size of a length-delimited field with `length` bytes in it. */
function fieldSize(length: number): number {
  return 1 + varintSize(length) + length
}

function entrySize({ partitionKeyIndex, explicitHashKeyIndex, data }: AggregateEntry): number {
  const hashKeySize = explicitHashKeyIndex === NO_INDEX ? 0 : 1 + varintSize(explicitHashKeyIndex)
  return 1 + varintSize(partitionKeyIndex) + hashKeySize + fieldSize(data.length)
}

function writeField(payload: Uint8Array, from: number, tag: number, content: Uint8Array): number {
  payload[from] = tag
  const at = writeVarint(payload, from + 1, content.length)
  payload.set(content, at)
  return at + content.length
}

function writeEntry(payload: Uint8Array, from: number, entry: AggregateEntry): number {
  payload[from] = RECORD
  let at = writeVarint(payload, from + 1, entrySize(entry))
  payload[at] = RECORD_PARTITION_KEY_INDEX
  at = writeVarint(payload, at + 1, entry.partitionKeyIndex)
  if (entry.explicitHashKeyIndex !== NO_INDEX) {
    payload[at] = RECORD_EXPLICIT_HASH_KEY_INDEX
    at = writeVarint(payload, at + 1, entry.explicitHashKeyIndex)
  }
  return writeField(payload, at, RECORD_DATA, entry.data)
}
