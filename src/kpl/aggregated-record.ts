// The aggregated record of the Kinesis Producer Library: its layout, quoted here, and how it is written. It is read in
// aggregate-columns.ts.
//
//   payload = magic message digest      magic  = F3 89 9A C2
//                                       digest = MD5 of message, 16 bytes
//   message = AggregatedRecord (proto2; fields in any order, unknown fields skipped, of a repeated scalar the last counts)
//   AggregatedRecord { repeated string partition_key_table     = 1    Record { required uint64 partition_key_index     = 1
//                      repeated string explicit_hash_key_table = 2             optional uint64 explicit_hash_key_index = 2
//                      repeated Record records                 = 3 }           required bytes  data                    = 3
//   Tag { required string key = 1; optional string value = 2 }                 repeated Tag    tags                    = 4 }
import { hash } from 'node:crypto'
import { varintSize, writeVarint } from './protobuf.ts'

const MAGIC = Uint8Array.of(0xf3, 0x89, 0x9a, 0xc2)
/** Where the message begins. */
export const MESSAGE_AT = MAGIC.length
/** How many bytes of digest follow the message. */
export const DIGEST_BYTES = 16

/**
 * Tags, which are a field number << 3 | a wire type, of one byte each: an entry of the table of partition keys, one of
 * the table of explicit hash keys, a record; in a record its two indices, its data and a tag of it; in that the key.
 */
export const Tag = {
  partitionKey: 0x0a,
  explicitHashKey: 0x12,
  record: 0x1a,
  recordPartitionKeyIndex: 0x08,
  recordExplicitHashKeyIndex: 0x10,
  recordData: 0x1a,
  recordTag: 0x22,
  tagKey: 0x0a
} as const

/** Stands for the explicit-hash-key index of a record that has none. */
export const NO_INDEX = -1

/** Whether `payload` begins as an aggregated record does, and has room for a message and a digest. */
export function hasMagic(payload: Uint8Array): boolean {
  return (
    payload[0] === MAGIC[0] &&
    payload[1] === MAGIC[1] &&
    payload[2] === MAGIC[2] &&
    payload[3] === MAGIC[3] &&
    payload.length > MESSAGE_AT + DIGEST_BYTES
  )
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

  const payload = new Uint8Array(MESSAGE_AT + messageSize + DIGEST_BYTES)
  payload.set(MAGIC)
  let at = MESSAGE_AT
  for (const key of partitionKeys) at = writeField(payload, at, Tag.partitionKey, key)
  for (const key of explicitHashKeys) at = writeField(payload, at, Tag.explicitHashKey, key)
  for (const entry of entries) at = writeEntry(payload, at, entry)
  payload.set(hash('md5', payload.subarray(MESSAGE_AT, at), 'buffer'), at)
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
  payload[from] = Tag.record
  let at = writeVarint(payload, from + 1, entrySize(entry))
  payload[at] = Tag.recordPartitionKeyIndex
  at = writeVarint(payload, at + 1, entry.partitionKeyIndex)
  if (entry.explicitHashKeyIndex !== NO_INDEX) {
    payload[at] = Tag.recordExplicitHashKeyIndex
    at = writeVarint(payload, at + 1, entry.explicitHashKeyIndex)
  }
  return writeField(payload, at, Tag.recordData, entry.data)
}
