// The records of one answer. Payloads are views on one buffer. Sequence numbers and keys are kept as bytes, apart from the
// payloads, and made strings when somebody asks.
import type { KinesisRecord } from '../model/record.ts'
import { type DecodedRecords, memoryOf } from './records-answer.ts'
import { WireTexts } from './texts.ts'

/** What a row of the table has, in this order: places among the texts or the payloads, and lengths in bytes. */
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
  encryptedWith(type: string): void {
    this.#encryptions.set(this.#count - 1, type)
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
   * are first asked for: until then an answer is a few arrays, and nothing that the garbage collector has to look through.
   */
  decoded(data: Buffer): DecodedRecords {
    const kept: KeptRecords = {
      rows: this.#rows.slice(0, this.#count * WIDTH),
      texts: this.texts.bytes(),
      data: data.buffer as ArrayBuffer,
      dataFrom: data.byteOffset,
      arrivals: this.#arrivals.slice(0, this.#count),
      keys: this.#keys,
      encryptions: this.#encryptions
    }
    const recordCount = this.#count
    let records: KinesisRecord[] | undefined
    return {
      get records() {
        records ??= recordsIn(kept, recordCount)
        return records
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

/** What the records of an answer share. */
interface KeptRecords {
  readonly rows: Int32Array
  /** Not beside the payloads: those may be moved to another thread, which leaves nothing behind. */
  readonly texts: Buffer
  readonly data: ArrayBuffer
  /** What the places of payloads count from. */
  readonly dataFrom: number
  readonly arrivals: Float64Array
  readonly keys: ReadonlyMap<number, string>
  readonly encryptions: ReadonlyMap<number, string>
}

function recordsIn(kept: KeptRecords, count: number): KinesisRecord[] {
  const records = new Array<KinesisRecord>(count)
  for (let index = 0; index < count; index++) records[index] = new WireRecord(kept, index)
  return records
}

/** One record. There may be 10,000 in an answer, so nothing is made before somebody asks, and then only once. */
class WireRecord {
  readonly #kept: KeptRecords
  readonly #index: number
  #sequenceNumber: string | undefined
  #partitionKey: string | undefined
  #data: Uint8Array | undefined

  constructor(kept: KeptRecords, index: number) {
    this.#kept = kept
    this.#index = index
  }

  // The strings are copies of their bytes: a part of a longer string would keep all of that in memory.
  get sequenceNumber(): string {
    if (this.#sequenceNumber === undefined) {
      const { rows, texts } = this.#kept
      const row = this.#index * WIDTH
      const at = rows[row + NUMBER_AT] as number
      this.#sequenceNumber = texts.toString('latin1', at, at + (rows[row + NUMBER_LENGTH] as number))
    }
    return this.#sequenceNumber
  }

  get partitionKey(): string {
    if (this.#partitionKey === undefined) {
      const { rows, texts, keys } = this.#kept
      const row = this.#index * WIDTH
      const at = rows[row + KEY_AT] as number
      const length = rows[row + KEY_LENGTH] as number
      if (length > 0) this.#partitionKey = texts.toString('latin1', at, at + length)
      else if (length < 0) this.#partitionKey = texts.toString('utf8', at, at - length)
      else this.#partitionKey = keys.get(this.#index) ?? ''
    }
    return this.#partitionKey
  }

  get data(): Uint8Array {
    if (this.#data === undefined) {
      const { rows, data, dataFrom } = this.#kept
      const row = this.#index * WIDTH
      this.#data = new Uint8Array(data, dataFrom + (rows[row + DATA_AT] as number), rows[row + DATA_LENGTH])
    }
    return this.#data
  }

  get arrivedAtMs(): number | undefined {
    const ms = this.#kept.arrivals[this.#index] as number
    return Number.isNaN(ms) ? undefined : ms
  }

  get encryptionType(): string | undefined {
    return this.#kept.encryptions.get(this.#index) || undefined
  }
}
