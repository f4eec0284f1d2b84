// The user records of an aggregate as far as they have been asked for: keys as texts, data as views.
import { isAscii } from 'node:buffer'
import type { AggregateMembers } from '../model/record.ts'
import { type AggregateColumns, ROW } from './aggregate-columns.ts'
import { NO_INDEX } from './aggregated-record.ts'
import { behindVarint, varintAt } from './protobuf.ts'

/**
 * A table of ASCII keys is decoded so many bytes at a time, and the keys are cut out of that: half of the time of
 * decoding each of them, or less. V8 makes a key of more than 12 characters a reference to the text that it was cut out of, so
 * this is also what a key that is kept for long keeps alive; a whole table would be up to a megabyte.
 */
const TEXT_BYTES = 512

/**
 * The texts of a table are kept if so many user records have each of its keys, on average. Otherwise a text is made each
 * time that it is asked for: to keep thousands of them alive takes the garbage collector longer than to make them.
 */
const SHARED = 2

/** Every column of an aggregate is known to be right: {@link KeyPlaces} has judged the members that are asked for. */
export class MembersOfAggregate implements AggregateMembers {
  readonly #bytes: Buffer
  readonly #columns: AggregateColumns
  // What is asked for most, without another step.
  readonly #values: Int32Array
  readonly #buffer: ArrayBufferLike
  readonly #offset: number
  readonly #partitionKeys: KeyTexts
  #explicitHashKeys: KeyTexts | undefined

  constructor(payload: Uint8Array, columns: AggregateColumns) {
    this.#bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
    this.#columns = columns
    this.#values = columns.values
    this.#buffer = payload.buffer
    this.#offset = payload.byteOffset
    this.#partitionKeys = new KeyTexts(this.#bytes, columns, columns.partitionKeySlot(0), columns.partitionKeys)
  }

  partitionKeyOf(member: number): string {
    return this.#partitionKeys.text(this.#columns.partitionKeyOf(member))
  }

  explicitHashKeyOf(member: number): string | undefined {
    const columns = this.#columns
    const index = columns.explicitHashKeyOf(member)
    if (index === NO_INDEX) return undefined
    const firstSlot = columns.explicitHashKeySlot(0)
    this.#explicitHashKeys ??= new KeyTexts(this.#bytes, columns, firstSlot, columns.explicitHashKeys)
    return this.#explicitHashKeys.text(index)
  }

  dataOf(member: number): Uint8Array {
    const values = this.#values
    const row = ROW * member
    const at = values[row + 1] as number
    if ((values[row] as number) >= 0) return new Uint8Array(this.#buffer, this.#offset + at, values[row + 2])
    const bytes = this.#bytes
    return new Uint8Array(this.#buffer, this.#offset + behindVarint(bytes, at), varintAt(bytes, at))
  }

  byteLengthOf(member: number): number {
    const values = this.#values
    const row = ROW * member
    if ((values[row] as number) >= 0) return values[row + 2] as number
    return varintAt(this.#bytes, values[row + 1] as number)
  }
}

/** The text whose length is at `at`. Buffer keeps a byte order mark, which a TextDecoder would have to be told to. */
export function textAt(bytes: Buffer, at: number): string {
  const from = behindVarint(bytes, at)
  return bytes.toString('utf8', from, from + varintAt(bytes, at))
}

/** From the length of the first partition key to the end of the last; there is one at least. */
export function spanOfPartitionKeys(bytes: Buffer, columns: AggregateColumns): [from: number, to: number] {
  return spanOf(bytes, columns, columns.partitionKeys, columns.partitionKeySlot(0))
}

/** Keys are in the order of their offsets, so this covers the table, and rarely anything else. */
function spanOf(bytes: Buffer, columns: AggregateColumns, count: number, firstSlot: number): [number, number] {
  const last = columns.keyAt(firstSlot - count + 1)
  return [columns.keyAt(firstSlot), behindVarint(bytes, last) + varintAt(bytes, last)]
}

/** The texts of one table. */
class KeyTexts {
  readonly #bytes: Buffer
  readonly #columns: AggregateColumns
  readonly #firstSlot: number
  readonly #count: number
  #isAscii: boolean | undefined
  /** By index, for any text can be a key: `__proto__` and `2` are no good in a plain object. */
  readonly #shared: (string | undefined)[] | undefined
  /** The part of an ASCII table that was decoded last, and where it is. */
  #part = ''
  #partAt = 0
  #partEnd = 0

  constructor(bytes: Buffer, columns: AggregateColumns, firstSlot: number, count: number) {
    this.#bytes = bytes
    this.#columns = columns
    this.#firstSlot = firstSlot
    this.#count = count
    if (count * SHARED <= columns.count) this.#shared = new Array(count)
  }

  text(index: number): string {
    const shared = this.#shared
    if (shared === undefined) return this.#decode(index)
    shared[index] ??= this.#decode(index)
    return shared[index] as string
  }

  #decode(index: number): string {
    const bytes = this.#bytes
    const at = this.#columns.keyAt(this.#firstSlot - index)
    if (this.#isAscii === undefined) {
      const [from, to] = spanOf(bytes, this.#columns, this.#count, this.#firstSlot)
      this.#isAscii = isAscii(bytes.subarray(from, to))
    }
    if (!this.#isAscii) return textAt(bytes, at)
    // Where every byte is ASCII, a length is one byte, and no key is longer than 127.
    const end = at + 1 + (bytes[at] as number)
    if (at < this.#partAt || end > this.#partEnd) {
      this.#partAt = at
      this.#partEnd = Math.min(at + TEXT_BYTES, bytes.length)
      this.#part = bytes.toString('latin1', at, this.#partEnd)
    }
    return this.#part.substring(at + 1 - this.#partAt, end - this.#partAt)
  }
}
