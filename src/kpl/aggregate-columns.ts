// Reads the message of an aggregated record, whose layout is quoted in aggregated-record.ts, into columns of numbers.
// Whether it is intact, and what its indices mean, is not decided here.
import { DIGEST_BYTES, MESSAGE_AT, NO_INDEX, Tag } from './aggregated-record.ts'
import { behindVarint, ProtobufReader, varintAt } from './protobuf.ts'

/** Stands for every index of 2^31 - 1 or more, which no table can reach. */
const UNREACHABLE_INDEX = 0x7fffffff
/**
 * Room to read into, in numbers of 4 bytes: 256 KiB. A power of two, and enough for 16,000 user records of as many keys;
 * what has more is read a second time.
 */
const ROOM = 2 ** 16
/** Leaves every index as it is. */
const NO_MASK = 0x7fffffff

/** Offsets take so many bits of the number of a key; what is beyond them is for who reads the keys. */
const OFFSET_BITS = 28
const OFFSETS = 2 ** OFFSET_BITS - 1

/** How many numbers a row of {@link AggregateColumns.values} has. */
export const ROW = 3

/**
 * What an aggregated record holds, as offsets into its bytes. Takes at most twice the bytes of the record: a user record
 * takes at least 6 bytes of it and 3 numbers here, a key at least 2 bytes and 1 number.
 */
export class AggregateColumns {
  /**
   * For each user record a row of {@link ROW} numbers: partition-key index, offset of the data, length of the data; or, if
   * it has an explicit hash key: -1 - partition-key index, offset of the length of the data, explicit-hash-key index. At
   * the end, from the last number backwards, the keys. Use the methods, except where time counts.
   */
  readonly values: Int32Array
  /** How many user records there are. */
  readonly count: number
  /** How many entries the tables have. */
  readonly partitionKeys: number
  readonly explicitHashKeys: number
  /** Whether a user record has an explicit-hash-key index. */
  readonly hasExplicitHashKeys: boolean
  /** The highest partition-key index of all user records. */
  readonly maxPartitionKey: number

  constructor(values: Int32Array, found: Found) {
    this.values = values
    this.count = found.records
    this.partitionKeys = found.partitionKeys
    this.explicitHashKeys = found.explicitHashKeys
    this.hasExplicitHashKeys = found.hasExplicitHashKeys
    this.maxPartitionKey = found.maxPartitionKey
  }

  /** The partition-key index of a member, which need not lead to a key. */
  partitionKeyOf(member: number): number {
    const key = this.values[ROW * member] as number
    return key < 0 ? ~key : key
  }

  /** The explicit-hash-key index of a member, which need not lead to a key; {@link NO_INDEX} if there is none. */
  explicitHashKeyOf(member: number): number {
    const row = ROW * member
    return (this.values[row] as number) < 0 ? (this.values[row + 2] as number) : NO_INDEX
  }

  /** Where the number of this partition key is, for {@link keyAt} and {@link noteOf}. */
  partitionKeySlot(index: number): number {
    return this.values.length - 1 - index
  }

  /** Where the number of this explicit hash key is, for {@link keyAt} and {@link noteOf}. */
  explicitHashKeySlot(index: number): number {
    return this.values.length - 1 - this.partitionKeys - index
  }

  /** Offset of the length of a key. */
  keyAt(slot: number): number {
    return (this.values[slot] as number) & OFFSETS
  }

  /** What has been noted about a key; 0 at first. */
  noteOf(slot: number): number {
    return (this.values[slot] as number) >>> OFFSET_BITS
  }

  /** Notes a number below 8 about a key. */
  note(slot: number, value: number): void {
    this.values[slot] = this.keyAt(slot) | (value << OFFSET_BITS)
  }
}

/** What has been found so far in a message. */
interface Found {
  records: number
  partitionKeys: number
  explicitHashKeys: number
  hasExplicitHashKeys: boolean
  maxPartitionKey: number
}

/**
 * Reads one message after another. One is enough for a worker. Takes 256 KiB for as long as it lives, and nothing else
 * but the columns that it makes.
 */
export class ColumnReader {
  /** Filled in with rows from the front and keys from the back. */
  #values: Int32Array = new Int32Array(0)
  /** Cuts each index to the room, which is written over and over again where it is too small. Then only the counts count. */
  #mask = NO_MASK
  #room: Int32Array | undefined
  readonly #found: Found = {
    records: 0,
    partitionKeys: 0,
    explicitHashKeys: 0,
    hasExplicitHashKeys: false,
    maxPartitionKey: 0
  }
  /** A partition key came after an explicit hash key. */
  #isMixed = false

  /**
   * Reads the message of `payload`, which has magic and digest around it. Undefined if the message does not parse. A
   * payload of 256 MiB and more, which no stream can have, does not.
   */
  read(payload: Uint8Array): AggregateColumns | undefined {
    if (payload.length > OFFSETS) return undefined
    this.#room ??= new Int32Array(ROOM)
    const isMessage = this.#readInto(this.#room, ROOM - 1, payload)
    if (!isMessage) return undefined
    const { records, partitionKeys, explicitHashKeys } = this.#found
    const keys = partitionKeys + explicitHashKeys
    const values = new Int32Array(ROW * records + keys)
    if (values.length > ROOM) this.#readInto(values, NO_MASK, payload)
    else {
      values.set(this.#room.subarray(0, ROW * records))
      values.set(this.#room.subarray(ROOM - keys), ROW * records)
    }
    if (this.#isMixed) sortKeys(payload, values)
    this.#values = this.#room
    return new AggregateColumns(values, this.#found)
  }

  #readInto(values: Int32Array, mask: number, payload: Uint8Array): boolean {
    this.#values = values
    this.#mask = mask
    const found = this.#found
    found.records = 0
    found.partitionKeys = 0
    found.explicitHashKeys = 0
    found.hasExplicitHashKeys = false
    found.maxPartitionKey = 0
    this.#isMixed = false
    const reader = new ProtobufReader(payload, MESSAGE_AT, payload.length - DIGEST_BYTES)
    while (reader.at < reader.end) {
      reader.at = this.#readShortKeys(payload, reader.at, reader.end)
      reader.at = this.#readCanonicalRecords(payload, reader.at, reader.end)
      if (reader.at < reader.end) this.#readField(reader)
    }
    return !reader.malformed
  }

  /** The fast path of partition keys: tags and lengths of one byte. What does not look like it is left to others. */
  #readShortKeys(bytes: Uint8Array, from: number, end: number): number {
    const values = this.#values
    const mask = this.#mask
    const firstSlot = this.#nextKeySlot()
    let slot = firstSlot
    let begin = from
    while (begin < end && bytes[begin] === Tag.partitionKey) {
      const length = bytes[begin + 1] as number
      const next = begin + 2 + length
      if (length > 0x7f || next > end) break
      values[slot-- & mask] = begin + 1
      begin = next
    }
    if (slot < firstSlot) this.#addPartitionKeys(firstSlot - slot)
    return begin
  }

  /**
   * The fast path of records: reads on for as long as they look as libprotobuf writes them (fields in ascending order,
   * varints of at most two bytes, no tags) and returns the offset of the first that does not. It judges no bytes:
   * whatever it does not recognise is left to {@link #readField}.
   *
   * A header that begins before `end` is at most 12 bytes, and 16 bytes of digest follow the message, so no read leaves
   * `bytes`. A header that ran into the digest is found out because its record would end behind `end`.
   */
  #readCanonicalRecords(bytes: Uint8Array, from: number, end: number): number {
    const values = this.#values
    const mask = this.#mask
    const found = this.#found
    let row = ROW * found.records
    let max = found.maxPartitionKey
    let begin = from
    while (begin < end && bytes[begin] === Tag.record) {
      let at = begin + 1
      let length = bytes[at++] as number
      if (length > 0x7f) length = (length & 0x7f) + 128 * (bytes[at++] as number)
      const next = at + length
      if (bytes[at++] !== Tag.recordPartitionKeyIndex) break
      let key = bytes[at++] as number
      if (key > 0x7f) key = (key & 0x7f) + 128 * (bytes[at++] as number)
      let hashKey = NO_INDEX
      if (bytes[at] === Tag.recordExplicitHashKeyIndex) {
        hashKey = bytes[at + 1] as number
        at += 2
        if (hashKey > 0x7f) hashKey = (hashKey & 0x7f) + 128 * (bytes[at++] as number)
      }
      if (bytes[at++] !== Tag.recordData) break
      const lengthAt = at
      let size = bytes[at++] as number
      if (size > 0x7f) size = (size & 0x7f) + 128 * (bytes[at++] as number)
      // A second byte with its high bit set (a longer varint) makes the value 2^14 or more.
      if ((length | key | size) > 0x3fff || hashKey > 0x3fff || at + size !== next || next > end) break
      if (hashKey === NO_INDEX) {
        values[row & mask] = key
        values[(row + 1) & mask] = at
        values[(row + 2) & mask] = size
      } else {
        values[row & mask] = ~key
        values[(row + 1) & mask] = lengthAt
        values[(row + 2) & mask] = hashKey
        found.hasExplicitHashKeys = true
      }
      row += ROW
      if (key > max) max = key
      begin = next
    }
    found.records = row / ROW
    found.maxPartitionKey = max
    return begin
  }

  /** Reads the next field, whatever it is and however it is spelt. */
  #readField(reader: ProtobufReader): void {
    const tag = reader.tag()
    const lengthAt = reader.at
    if (tag === Tag.record) {
      if (!this.#readRecord(reader.message())) reader.fail()
      return
    }
    reader.skip(tag)
    if (reader.malformed || (tag !== Tag.partitionKey && tag !== Tag.explicitHashKey)) return
    this.#set(this.#nextKeySlot(), lengthAt)
    if (tag === Tag.partitionKey) this.#addPartitionKeys(1)
    else this.#found.explicitHashKeys++
  }

  #addPartitionKeys(entries: number): void {
    if (this.#found.explicitHashKeys > 0) this.#isMixed = true
    this.#found.partitionKeys += entries
  }

  #nextKeySlot(): number {
    return this.#values.length - 1 - this.#found.partitionKeys - this.#found.explicitHashKeys
  }

  #readRecord(reader: ProtobufReader): boolean {
    let key = NO_INDEX
    let hashKey = NO_INDEX
    let lengthAt = -1
    while (reader.at < reader.end) {
      const tag = reader.tag()
      if (tag === Tag.recordPartitionKeyIndex) key = readIndex(reader)
      else if (tag === Tag.recordExplicitHashKeyIndex) hashKey = readIndex(reader)
      else if (tag === Tag.recordData) {
        lengthAt = reader.at
        reader.skip(tag)
      } else if (tag === Tag.recordTag) {
        if (!isTag(reader.message())) reader.fail()
      } else reader.skip(tag)
    }
    if (reader.malformed || key === NO_INDEX || lengthAt < 0) return false
    const found = this.#found
    const { bytes } = reader
    const row = ROW * found.records++
    const hasHashKey = hashKey !== NO_INDEX
    this.#set(row, hasHashKey ? ~key : key)
    this.#set(row + 1, hasHashKey ? lengthAt : behindVarint(bytes, lengthAt))
    this.#set(row + 2, hasHashKey ? hashKey : varintAt(bytes, lengthAt))
    found.maxPartitionKey = Math.max(found.maxPartitionKey, key)
    if (hashKey !== NO_INDEX) found.hasExplicitHashKeys = true
    return true
  }

  #set(index: number, value: number): void {
    this.#values[index & this.#mask] = value
  }
}

/** Brings the keys of a message that has the two tables mixed into the order of one that has not. */
function sortKeys(payload: Uint8Array, values: Int32Array): void {
  let slot = values.length - 1
  for (const table of [Tag.partitionKey, Tag.explicitHashKey]) {
    const reader = new ProtobufReader(payload, MESSAGE_AT, payload.length - DIGEST_BYTES)
    while (reader.at < reader.end) {
      const tag = reader.tag()
      if (tag === table) values[slot--] = reader.at
      reader.skip(tag)
    }
  }
}

function readIndex(reader: ProtobufReader): number {
  return Math.min(reader.varint(), UNREACHABLE_INDEX)
}

// Nobody reads tags, but a tag without its required key makes the message malformed.
function isTag(reader: ProtobufReader): boolean {
  let hasKey = false
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (tag === Tag.tagKey) hasKey = true
    reader.skip(tag)
  }
  return hasKey && !reader.malformed
}
