// The two key tables of one aggregate: texts by index, and where each entry lies in the hash space of the shard. Both
// are worked out once per entry, and only for entries that a record uses.
import { isAscii } from 'node:buffer'
import { containsHashKey, type HashKeyRange } from '../model/hash-key-range.ts'
import { type AggregateColumns, type IntRows, NO_INDEX } from './aggregated-record.ts'
import { PartitionKeyRange, parseExplicitHashKey } from './hash-key.ts'

/** Where a user record belongs: in the shard, in another one, or nowhere because an index or a hash key is broken. */
export const Place = { inside: 1, outside: 2, broken: 3 } as const
/** One of the places above, as the number that stands for it in a table. */
export type Place = (typeof Place)[keyof typeof Place]

const UNKNOWN = 0
const REPLACEMENT_CHARACTER = '\ufffd'
const utf8 = new TextEncoder()

/** Answers for one aggregate after another; {@link begin} moves on to the next. */
export class KeyTables {
  readonly #partitionKeys: TextTable
  readonly #explicitHashKeys: TextTable
  readonly #range: HashKeyRange
  readonly #keyRange: PartitionKeyRange

  constructor(columns: AggregateColumns, range: HashKeyRange) {
    this.#partitionKeys = new TextTable(columns.partitionKeys)
    this.#explicitHashKeys = new TextTable(columns.explicitHashKeys)
    this.#range = range
    this.#keyRange = new PartitionKeyRange(range)
  }

  /** Call it each time the columns have been filled, with the payload they were filled from. */
  begin(payload: Uint8Array): void {
    this.#partitionKeys.begin(payload)
    this.#explicitHashKeys.begin(payload)
  }

  partitionKey(index: number): string {
    return this.#partitionKeys.text(index)
  }

  explicitHashKey(index: number): string {
    return this.#explicitHashKeys.text(index)
  }

  /** The place of a record with these indices. An explicit hash key, if there is one, decides. */
  placeOf(partitionKeyIndex: number, explicitHashKeyIndex: number): Place {
    if (partitionKeyIndex >= this.#partitionKeys.size) return Place.broken
    if (explicitHashKeyIndex !== NO_INDEX) return this.#placeOfExplicitHashKey(explicitHashKeyIndex)
    return this.#keyRange.isFull ? Place.inside : this.#placeOfPartitionKey(partitionKeyIndex)
  }

  #placeOfExplicitHashKey(index: number): Place {
    const table = this.#explicitHashKeys
    if (index >= table.size) return Place.broken
    const known = table.places[index] as Place | typeof UNKNOWN
    if (known !== UNKNOWN) return known
    const value = parseExplicitHashKey(table.text(index))
    const place =
      value === undefined ? Place.broken : containsHashKey(this.#range, value) ? Place.inside : Place.outside
    table.places[index] = place
    return place
  }

  #placeOfPartitionKey(index: number): Place {
    const table = this.#partitionKeys
    const known = table.places[index] as Place | typeof UNKNOWN
    if (known !== UNKNOWN) return known
    const place = this.#hashesIntoRange(index) ? Place.inside : Place.outside
    table.places[index] = place
    return place
  }

  #hashesIntoRange(index: number): boolean {
    const table = this.#partitionKeys
    if (!table.isAscii && table.text(index).includes(REPLACEMENT_CHARACTER)) {
      // The bytes may not be UTF-8. The KCL hashes the text it decoded, so its replacement characters count.
      const replaced = utf8.encode(table.text(index))
      return this.#keyRange.contains(replaced, 0, replaced.length)
    }
    const from = table.offset(index)
    return this.#keyRange.contains(table.payload, from, from + table.length(index))
  }
}

/** One table. Lists by index, because any text can be a key: `__proto__` and `2` are no good in a plain object. */
class TextTable {
  payload: Buffer = Buffer.alloc(0)
  /** Whether the whole table is ASCII: then it is certainly valid, and quicker to decode. */
  isAscii = true
  /** A {@link Place} by index, or UNKNOWN. */
  places = new Uint8Array(0)
  #texts: (string | undefined)[] = []
  readonly #rows: IntRows

  constructor(rows: IntRows) {
    this.#rows = rows
  }

  get size(): number {
    return this.#rows.count
  }

  begin(payload: Uint8Array): void {
    this.#texts = []
    if (this.size === 0) return
    this.payload = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
    // Entries are in ascending order of offset, so this covers the table, and rarely anything else.
    const last = this.size - 1
    this.isAscii = isAscii(this.payload.subarray(this.offset(0), this.offset(last) + this.length(last)))
    this.#texts = new Array<string | undefined>(this.size)
    this.places = new Uint8Array(this.size)
  }

  offset(index: number): number {
    return this.#rows.values[2 * index] as number
  }

  length(index: number): number {
    return this.#rows.values[2 * index + 1] as number
  }

  text(index: number): string {
    const known = this.#texts[index]
    if (known !== undefined) return known
    const from = this.offset(index)
    // Buffer keeps a byte order mark, which a TextDecoder would have to be told to. One string for each key: slices of a
    // table decoded at once are quicker to make, but each keeps the text of the whole table alive.
    const text = this.payload.toString(this.isAscii ? 'latin1' : 'utf8', from, from + this.length(index))
    this.#texts[index] = text
    return text
  }
}
