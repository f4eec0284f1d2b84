// Where each key of an aggregate lies in the hash space of the shard: worked out once for each entry of the two tables
// that a user record uses, many at a time, and noted in the columns.
import { isAscii, isUtf8 } from 'node:buffer'
import { containsHashKey, FULL_HASH_KEY_RANGE } from '../model/hash-key-range.ts'
import { type AggregateColumns, ROW } from './aggregate-columns.ts'
import { spanOfPartitionKeys, textAt } from './aggregate-members.ts'
import { NO_INDEX } from './aggregated-record.ts'
import { PartitionKeyRange, parseExplicitHashKey } from './hash-key.ts'
import { type Md5Lanes, SHORT_SPAN_BYTES, SHORT_TEXTS } from './md5-lanes.ts'
import { ONE_BLOCK_BYTES } from './md5-wasm.ts'
import type { MessageDigests } from './message-digests.ts'
import { behindVarint, varintAt } from './protobuf.ts'

/** Where a user record belongs: in the shard, in another one, or nowhere because an index or a hash key is broken. */
export const Place = { inside: 1, outside: 2, broken: 3 } as const
/** One of the places above, as the number that stands for it in a note about a key. */
export type Place = (typeof Place)[keyof typeof Place]

const UNKNOWN = 0
/** Noted about a partition key that is used and has to be hashed. */
const WANTED = 4
/** Fewer keys are hashed one by one: no need to have WebAssembly ready for them. */
const FEW_KEYS = 8

const utf8 = new TextEncoder()
const NOTHING = Buffer.alloc(0)

/** What judging an aggregate finds out, before anything of it is delivered. */
export interface Judgement {
  /** User records before the first broken one. */
  readonly usable: number
  /** How many of the usable ones are out of range. */
  readonly outside: number
}

/**
 * Answers for one aggregate after another, whatever their shards. What it finds out is noted in the columns of the
 * aggregate. One is enough for a worker.
 */
export class KeyPlaces {
  readonly #digests: MessageDigests
  #range = new PartitionKeyRange(FULL_HASH_KEY_RANGE)
  /** The slots of partition keys that are hashed together. */
  readonly #slots = new Int32Array(SHORT_TEXTS)
  #bytes: Buffer = NOTHING
  #areAscii = true

  constructor(digests: MessageDigests) {
    this.#digests = digests
  }

  /** Judges what has been read from `payload` into `columns`. Nothing is hashed if the shard has every hash key. */
  judge(payload: Uint8Array, columns: AggregateColumns, range: PartitionKeyRange): Judgement {
    this.#range = range
    const { count, hasExplicitHashKeys, maxPartitionKey, partitionKeys } = columns
    const isAllInside = this.#range.isFull && !hasExplicitHashKeys
    if (isAllInside && maxPartitionKey < partitionKeys) return { usable: count, outside: 0 }
    this.#bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
    if (!this.#range.isFull) this.#hashUsedKeys(columns)
    const judgement = hasExplicitHashKeys ? this.#judgeEach(columns) : judgeByPartitionKeys(columns)
    this.#bytes = NOTHING // it must not keep the response alive until the next one comes
    return judgement
  }

  #judgeEach(columns: AggregateColumns): Judgement {
    let outside = 0
    for (let i = 0; i < columns.count; i++) {
      const place = this.placeOf(columns, i)
      if (place === Place.broken) return { usable: i, outside }
      if (place === Place.outside) outside++
    }
    return { usable: columns.count, outside }
  }

  /** The place of a usable user record of an aggregate that was judged. An explicit hash key, if there is one, decides. */
  placeOf(columns: AggregateColumns, member: number): Place {
    const partitionKeyIndex = columns.partitionKeyOf(member)
    const explicitHashKeyIndex = columns.explicitHashKeyOf(member)
    if (partitionKeyIndex >= columns.partitionKeys) return Place.broken
    if (explicitHashKeyIndex !== NO_INDEX) return this.#placeOfExplicitHashKey(columns, explicitHashKeyIndex)
    if (this.#range.isFull) return Place.inside
    return columns.noteOf(columns.partitionKeySlot(partitionKeyIndex)) as Place
  }

  #placeOfExplicitHashKey(columns: AggregateColumns, index: number): Place {
    if (index >= columns.explicitHashKeys) return Place.broken
    const slot = columns.explicitHashKeySlot(index)
    const known = columns.noteOf(slot) as Place | typeof UNKNOWN
    if (known !== UNKNOWN) return known
    const value = parseExplicitHashKey(textAt(this.#bytes, columns.keyAt(slot)))
    const place =
      value === undefined ? Place.broken : containsHashKey(this.#range.all, value) ? Place.inside : Place.outside
    columns.note(slot, place)
    return place
  }

  #hashUsedKeys(columns: AggregateColumns): void {
    const { count, partitionKeys } = columns
    if (partitionKeys === 0) return
    // A table with no more entries than there are user records hardly has one that none of them uses.
    const isSelective = partitionKeys > count
    const wanted = isSelective ? markUsedKeys(columns) : partitionKeys
    if (wanted === 0) return
    const [from, to] = spanOfPartitionKeys(this.#bytes, columns)
    this.#areAscii = isAscii(this.#bytes.subarray(from, to))
    const lanes = wanted < FEW_KEYS ? undefined : this.#digests.lanes
    if (lanes !== undefined) {
      this.#hashTogether(columns, isSelective, lanes)
      return
    }
    for (let index = 0; index < partitionKeys; index++) {
      const slot = columns.partitionKeySlot(index)
      if (!isSelective || columns.noteOf(slot) === WANTED) this.#hashAlone(columns, slot)
    }
  }

  /** Whether a key is UTF-8. One by one: what follows a key can complete its last character. */
  #isValid(from: number, to: number): boolean {
    return this.#areAscii || isUtf8(this.#bytes.subarray(from, to))
  }

  #hashAlone(columns: AggregateColumns, slot: number): void {
    const bytes = this.#bytes
    const lengthAt = columns.keyAt(slot)
    const from = behindVarint(bytes, lengthAt)
    const to = from + varintAt(bytes, lengthAt)
    let isInside: boolean
    if (this.#isValid(from, to)) isInside = this.#range.contains(bytes, from, to)
    else {
      // The KCL hashes the text it decoded, so its replacement characters count.
      const replaced = utf8.encode(textAt(bytes, lengthAt))
      isInside = this.#range.contains(replaced, 0, replaced.length)
    }
    columns.note(slot, isInside ? Place.inside : Place.outside)
  }

  #hashTogether(columns: AggregateColumns, isSelective: boolean, lanes: Md5Lanes): void {
    const bytes = this.#bytes
    const slots = this.#slots
    const texts = lanes.shortTexts
    let collected = 0
    let first = 0
    let end = 0
    for (let index = 0; index < columns.partitionKeys; index++) {
      const slot = columns.partitionKeySlot(index)
      if (isSelective && columns.noteOf(slot) !== WANTED) continue
      const lengthAt = columns.keyAt(slot)
      // If this is not all of the length, it is more than goes into a block.
      const length = bytes[lengthAt] as number
      const from = lengthAt + 1
      if (length > ONE_BLOCK_BYTES || !this.#isValid(from, from + length)) {
        this.#hashAlone(columns, slot)
        continue
      }
      if (collected === SHORT_TEXTS || (collected > 0 && from + length - first > SHORT_SPAN_BYTES)) {
        this.#noteHashes(columns, collected, lanes.hashShort(bytes, first, end, collected))
        collected = 0
      }
      if (collected === 0) first = from
      end = from + length
      texts[2 * collected] = from
      texts[2 * collected + 1] = length
      slots[collected++] = slot
    }
    if (collected > 0) this.#noteHashes(columns, collected, lanes.hashShort(bytes, first, end, collected))
  }

  #noteHashes(columns: AggregateColumns, count: number, words: Int32Array): void {
    for (let i = 0; i < count; i++) {
      const slot = this.#slots[i] as number
      const isInside = this.#range.containsWord(words[i] as number)
      if (isInside === undefined) this.#hashAlone(columns, slot)
      else columns.note(slot, isInside ? Place.inside : Place.outside)
    }
  }
}

/** The judgement where partition keys decide, of which notes have been made if the shard has not every hash key. */
function judgeByPartitionKeys(columns: AggregateColumns): Judgement {
  const { values, count, partitionKeys } = columns
  const firstSlot = columns.partitionKeySlot(0)
  let outside = 0
  for (let i = 0; i < count; i++) {
    const key = values[ROW * i] as number
    if (key >= partitionKeys) return { usable: i, outside }
    if (columns.noteOf(firstSlot - key) === Place.outside) outside++
  }
  return { usable: count, outside }
}

/** Notes which partition keys have to be hashed, and returns how many. */
function markUsedKeys(columns: AggregateColumns): number {
  const { values, count, partitionKeys } = columns
  let wanted = 0
  for (let row = 0; row < ROW * count; row += ROW) {
    const key = values[row] as number
    if (key < 0 || key >= partitionKeys) continue
    const slot = columns.partitionKeySlot(key)
    if (columns.noteOf(slot) !== UNKNOWN) continue
    columns.note(slot, WANTED)
    wanted++
  }
  return wanted
}
