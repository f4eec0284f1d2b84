// The records of one answer. Payloads are views on one buffer. Sequence numbers and keys are kept as bytes, apart from the
// payloads, and made strings when somebody asks.
import { ConsumedRecord, type KinesisRecord } from '../model/record.ts'
import { type DecodedRecords, memoryOf } from './records-answer.ts'
import { WELL_USED, WireTexts } from './texts.ts'

/** What a row of the table has, in this order, as in scanner-memory.ts: places among the texts or the payloads, and lengths in bytes. */
const NUMBER_AT = 0
const NUMBER_LENGTH = 1
const KEY_AT = 2
/** Negative: the key is not ASCII alone. */
const KEY_LENGTH = 3
const DATA_AT = 4
const DATA_LENGTH = 5
const WIDTH = 6

/** How many records there is room for at first. */
const FIRST_ROOM = 64

/**
 * The records of an answer while its body is read. What is said about a record is about the one that was begun last; if
 * something is said twice, the last holds.
 */
export class RecordTable {
  /** Where sequence numbers and keys are to be put. */
  readonly texts = new WireTexts()
  #count = 0
  #room = 0
  #rows = new Int32Array(0)
  #arrivals = new Float64Array(0)
  readonly #keys = new Map<number, string>()
  readonly #encryptions = new Map<number, string>()

  /** How many records were begun. */
  get count(): number {
    return this.#count
  }

  /** Begins a record of which nothing is known yet: no sequence number, an empty key, an empty payload. */
  begin(): void {
    const index = this.#count++
    if (index === this.#room) this.#makeRoom(Math.max(FIRST_ROOM, index * 2))
    this.#arrivals[index] = Number.NaN
  }

  /** Adds records by their rows, whose places among the texts count from where `texts` will be, and when they arrived. */
  add(rows: Int32Array, arrivals: Float64Array, texts: Uint8Array): void {
    const first = this.#count
    this.#count += arrivals.length
    if (this.#count > this.#room) this.#makeRoom(Math.max(FIRST_ROOM, this.#count, first * 2))
    this.#rows.set(rows, first * WIDTH)
    this.#arrivals.set(arrivals, first)
    this.texts.append(texts)
  }

  /** Makes room for so many records in all, of texts like those that there are. More or fewer may come. */
  expect(records: number): void {
    if (records <= this.#room) return
    this.texts.reserve(Math.ceil((this.texts.length / Math.max(1, this.#count)) * records))
    this.#makeRoom(records)
  }

  /** The sequence number, which is ASCII, is what the texts have from `at` on. */
  numberIsAt(at: number): void {
    const row = (this.#count - 1) * WIDTH
    this.#rows[row + NUMBER_AT] = at
    this.#rows[row + NUMBER_LENGTH] = this.texts.length - at
  }

  /** Whether there is a sequence number that is not empty. */
  hasNumber(): boolean {
    return this.#rows[(this.#count - 1) * WIDTH + NUMBER_LENGTH] !== 0
  }

  /** The partition key is what the texts have from `at` on. */
  keyIsAt(at: number): void {
    const row = (this.#count - 1) * WIDTH
    const length = this.texts.length - at
    this.#rows[row + KEY_AT] = at
    this.#rows[row + KEY_LENGTH] = this.texts.isAscii ? length : -length
    if (this.#keys.size > 0) this.#keys.delete(this.#count - 1)
  }

  /** The partition key, where it has to be decoded at once. */
  keyIs(key: string): void {
    this.#rows[(this.#count - 1) * WIDTH + KEY_LENGTH] = 0
    this.#keys.set(this.#count - 1, key)
  }

  /** Where the payload is, or what it is to be decoded from. */
  dataIsAt(at: number, length: number): void {
    this.moveData(this.#count - 1, at, length)
  }

  /** When the record arrived. Epoch milliseconds; NaN: unknown. */
  arrivedAt(ms: number): void {
    this.#arrivals[this.#count - 1] = ms
  }

  /** How the record is encrypted. Empty: it does not say. */
  encryptedWith(type: string, index = this.#count - 1): void {
    this.#encryptions.set(index, type)
  }

  /** The rows of `count` records from the one at `index` on, to be read and written. */
  rowsAt(index: number, count: number): Int32Array {
    return this.#rows.subarray(index * WIDTH, (index + count) * WIDTH)
  }

  /** Where the payload of the record at `index` is. */
  dataAt(index: number): number {
    return this.#rows[index * WIDTH + DATA_AT] as number
  }

  /** How long the payload of the record at `index` is. */
  dataLength(index: number): number {
    return this.#rows[index * WIDTH + DATA_LENGTH] as number
  }

  /** How long all payloads are together. */
  dataBytes(): number {
    let bytes = 0
    for (let index = 0; index < this.#count; index++) bytes += this.dataLength(index)
    return bytes
  }

  /** Says where the payload of the record at `index` is now. */
  moveData(index: number, at: number, length: number): void {
    const row = index * WIDTH
    this.#rows[row + DATA_AT] = at
    this.#rows[row + DATA_LENGTH] = length
  }

  /**
   * The records, with their payloads in `data`, which stays in memory as long as one of these is held. They are made when they
   * are asked for: until then an answer is a few arrays, and nothing that the garbage collector has to look through. They are
   * made each time: were they kept here, an answer that has waited long enough to count as old would keep all of them, dead or
   * not, through each collection of what is new.
   */
  decoded(data: Buffer): DecodedRecords {
    const kept: KeptRecords = {
      rows: trimmed(this.#rows, this.#count * WIDTH),
      texts: this.texts.bytes() as Buffer & Texts,
      bytes: data,
      data: data.buffer as ArrayBuffer,
      dataFrom: data.byteOffset,
      arrivals: trimmed(this.#arrivals, this.#count),
      keys: this.#keys,
      encryptions: this.#encryptions
    }
    const recordCount = this.#count
    return {
      get records() {
        return recordsIn(kept, recordCount)
      },
      recordCount,
      lastSequenceNumber: recordCount === 0 ? '' : new WireRecord(kept, recordCount - 1).sequenceNumber,
      bytes: this.dataBytes(),
      memoryBytes: memoryOf(recordCount, data.buffer.byteLength, this.texts.length)
    }
  }

  #makeRoom(records: number): void {
    const rows = new Int32Array(records * WIDTH)
    rows.set(this.#rows)
    this.#rows = rows
    const arrivals = new Float64Array(records)
    arrivals.set(this.#arrivals)
    this.#arrivals = arrivals
    this.#room = records
  }
}

/** A buffer, with methods that Node.js has and does not tell of: half as long a way to a short string as `toString()`. */
interface Texts {
  latin1Slice(from: number, to: number): string
  utf8Slice(from: number, to: number): string
}

/** What the records of an answer share. */
interface KeptRecords {
  readonly rows: Int32Array
  /** Not beside the payloads: those may be moved to another thread, which leaves nothing behind. */
  readonly texts: Texts
  /** The payloads, one behind the other. */
  readonly bytes: Uint8Array
  /** The memory that they are in. */
  readonly data: ArrayBuffer
  /** What the places of payloads count from. */
  readonly dataFrom: number
  readonly arrivals: Float64Array
  readonly keys: ReadonlyMap<number, string>
  readonly encryptions: ReadonlyMap<number, string>
}

/** The first `length` numbers: the array itself, if little of it is left out. */
function trimmed<T extends Int32Array | Float64Array>(numbers: T, length: number): T {
  return (length >= numbers.length * WELL_USED ? numbers : numbers.slice(0, length)) as T
}

function recordsIn(kept: KeptRecords, count: number): KinesisRecord[] {
  const records = new Array<KinesisRecord>(count)
  for (let index = 0; index < count; index++) records[index] = new WireRecord(kept, index)
  return records
}

/** What a record of the wire has instead of fields. */
const NO_FIELDS: KinesisRecord = { sequenceNumber: '', partitionKey: '', data: Uint8Array.of() }

/**
 * One record, as the user is given it unless it is an aggregate. There may be 10,000 in an answer, so it knows no more than its
 * place, and what it is asked for is made each time: what is not kept costs the garbage collector nothing.
 */
class WireRecord extends ConsumedRecord {
  readonly #kept: KeptRecords
  readonly #index: number

  constructor(kept: KeptRecords, index: number) {
    super(NO_FIELDS)
    this.#kept = kept
    this.#index = index
  }

  // The strings are copies of their bytes: a part of a longer string would keep all of that in memory.
  override get sequenceNumber(): string {
    const { rows, texts } = this.#kept
    const row = this.#index * WIDTH
    const at = rows[row + NUMBER_AT] as number
    return texts.latin1Slice(at, at + (rows[row + NUMBER_LENGTH] as number))
  }

  override get partitionKey(): string {
    const { rows, texts, keys } = this.#kept
    const row = this.#index * WIDTH
    const at = rows[row + KEY_AT] as number
    const length = rows[row + KEY_LENGTH] as number
    if (length > 0) return texts.latin1Slice(at, at + length)
    if (length < 0) return texts.utf8Slice(at, at - length)
    return keys.get(this.#index) ?? ''
  }

  override get data(): Uint8Array {
    const { rows, bytes, data, dataFrom } = this.#kept
    const row = this.#index * WIDTH
    const length = rows[row + DATA_LENGTH] as number
    // What has gone to another thread is empty from then on.
    if (length > bytes.length) return bytes
    return new Uint8Array(data, dataFrom + (rows[row + DATA_AT] as number), length)
  }

  override get byteLength(): number {
    return this.#kept.rows[this.#index * WIDTH + DATA_LENGTH] as number
  }

  override byteAt(index: number): number | undefined {
    const { rows, bytes } = this.#kept
    const row = this.#index * WIDTH
    if (!(index >= 0 && index < (rows[row + DATA_LENGTH] as number))) return undefined
    return bytes[(rows[row + DATA_AT] as number) + index]
  }

  override get arrivedAtMs(): number | undefined {
    const ms = this.#kept.arrivals[this.#index] as number
    return Number.isNaN(ms) ? undefined : ms
  }

  override get encryptionType(): string | undefined {
    return this.#kept.encryptions.get(this.#index) || undefined
  }
}
