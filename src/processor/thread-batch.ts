// A batch on its way to another thread: columns, and the memory that the payloads are in. Memory that is the batch's alone
// is handed over as it is; of all other memory only the payloads are copied.
import { BugError } from '../model/errors.ts'
import { ConsumedRecord, type ConsumedRecordFields, type KinesisRecord } from '../model/record.ts'

/** The records of a batch, as columns. */
export interface SentBatch {
  /** The memory that the payloads are in. */
  readonly buffers: readonly ArrayBuffer[]
  /** For each record four numbers: its source, sub-sequence number, offset in the buffer of the source, and length. */
  readonly rows: Int32Array
  /** For each record its partition key. */
  readonly keys: readonly string[]
  /** Explicit hash keys by record, where there are some. */
  readonly hashKeys: ReadonlyMap<number, string>
  readonly sources: readonly Source[]
}

/** What user records out of the same Kinesis record have in common. */
interface Source {
  readonly sequenceNumber: string
  readonly arrivedAtMs?: number
  readonly encryptionType?: string
  readonly aggregated: boolean
  /** The place of its memory among the buffers. */
  readonly buffer: number
}

/** A batch, and what is to be transferred with it. */
export interface PackedBatch {
  readonly batch: SentBatch
  readonly transfer: readonly ArrayBuffer[]
}

/** What packing needs to know. */
export interface PackingOptions {
  /** Memory that holds nothing but this batch. */
  readonly own: ReadonlySet<ArrayBufferLike>
  /** Lets the event loop run once. */
  readonly pause: () => Promise<void>
}

/** A stretch of memory that is copied at once, and where to. */
interface Stretch {
  readonly buffer: ArrayBufferLike
  readonly from: number
  to: number
  readonly at: number
}

/** Numbers in a row. */
const ROW = 4
/** So many records are packed in a few milliseconds. */
const SLICE = 8_192
/** Below, copying is as cheap as transferring; and memory that Node shares out among buffers is never larger. Bytes. */
const LEAST_TRANSFERRED = 131_072
/** What lies between two payloads is copied with them if it is no more than this: one long copy is cheaper than two. Bytes. */
const MOST_BETWEEN = 128

/**
 * The memory that belongs to what was read: that which its payloads fill from end to end, so that nobody else can have a
 * part of it.
 */
export function ownBuffers(read: readonly KinesisRecord[]): ReadonlySet<ArrayBufferLike> {
  const filledTo = new Map<ArrayBufferLike, number>()
  let buffer: ArrayBufferLike | undefined
  let end = 0
  for (const { data } of read) {
    if (data.length === 0) continue
    if (data.buffer !== buffer) {
      if (buffer !== undefined) filledTo.set(buffer, end)
      buffer = data.buffer
      end = filledTo.get(buffer) ?? 0
    }
    end = data.byteOffset === end ? end + data.length : Number.NaN
  }
  if (buffer !== undefined) filledTo.set(buffer, end)
  const own = [...filledTo].filter(
    ([each, to]) => each instanceof ArrayBuffer && each.byteLength >= LEAST_TRANSFERRED && to === each.byteLength
  )
  return new Set(own.map(([each]) => each))
}

/**
 * Packs a batch, a few milliseconds at a time. Once it is sent, those of its records that were transferred have no payloads.
 *
 * @throws BugError if a record was transferred before
 */
export async function packBatch(
  records: readonly ConsumedRecord[],
  { own, pause }: PackingOptions
): Promise<PackedBatch> {
  const packing = new Packing(records.length, own)
  for (let from = 0; from < records.length; from += SLICE) {
    if (from > 0) await pause()
    packing.add(records, from, Math.min(records.length, from + SLICE))
  }
  return packing.finish()
}

/** The records of a batch that was sent, in memory that is theirs. */
export function unpackBatch(batch: SentBatch): ConsumedRecord[] {
  return batch.keys.map((_, record) => new ConsumedRecord(new SentFields(batch, record) as ConsumedRecordFields))
}

/** Where in a batch some of its records are, which are in the same order: each row's beginning and end. `undefined`: not all are there. */
export function placesIn(batch: readonly ConsumedRecord[], records: readonly ConsumedRecord[]): Int32Array | undefined {
  const places: number[] = []
  let end = 0
  for (const record of records) {
    if (batch[end] === record && places.length > 0) places[places.length - 1] = ++end
    else {
      const at = batch.indexOf(record, end)
      if (at === -1) return undefined
      end = at + 1
      places.push(at, end)
    }
  }
  return Int32Array.from(places)
}

/** The records that are in these places. The array is a new one. */
export function takenFrom(batch: readonly ConsumedRecord[], places: Int32Array | undefined): ConsumedRecord[] {
  if (places === undefined) return batch.slice()
  const taken: ConsumedRecord[] = []
  for (let row = 0; row < places.length; row += 2) {
    for (let at = places[row] as number; at < (places[row + 1] as number); at++) taken.push(batch[at] as ConsumedRecord)
  }
  return taken
}

/** The fields of one record, looked up when they are asked for. */
class SentFields {
  readonly #batch: SentBatch
  readonly #record: number

  constructor(batch: SentBatch, record: number) {
    this.#batch = batch
    this.#record = record
  }

  get sequenceNumber(): string {
    return this.#source.sequenceNumber
  }

  get subSequenceNumber(): number {
    return this.#column(1)
  }

  get partitionKey(): string {
    return this.#batch.keys[this.#record] as string
  }

  get explicitHashKey(): string | undefined {
    return this.#batch.hashKeys.get(this.#record)
  }

  get data(): Uint8Array {
    const buffer = this.#batch.buffers[this.#source.buffer] as ArrayBuffer
    return new Uint8Array(buffer, this.#column(2), this.#column(3))
  }

  get arrivedAtMs(): number | undefined {
    return this.#source.arrivedAtMs
  }

  get encryptionType(): string | undefined {
    return this.#source.encryptionType
  }

  get aggregated(): boolean {
    return this.#source.aggregated
  }

  get #source(): Source {
    return this.#batch.sources[this.#column(0)] as Source
  }

  #column(column: number): number {
    return this.#batch.rows[this.#record * ROW + column] as number
  }
}

/** The work on one batch. The first of its buffers is the one that payloads are copied into. */
class Packing {
  readonly #own: ReadonlySet<ArrayBufferLike>
  readonly #rows: Int32Array
  readonly #keys: string[]
  readonly #hashKeys = new Map<number, string>()
  readonly #sources: Source[] = []
  readonly #transferred: ArrayBuffer[] = []
  readonly #stretches: Stretch[] = []
  #copied = 0
  /** The memory that was looked up last, and its place among the buffers. */
  #last: { readonly buffer: ArrayBufferLike; readonly place: number } | undefined

  constructor(records: number, own: ReadonlySet<ArrayBufferLike>) {
    this.#rows = new Int32Array(records * ROW)
    this.#keys = new Array(records).fill('')
    this.#own = own
  }

  add(records: readonly ConsumedRecord[], from: number, to: number): void {
    const [rows, keys] = [this.#rows, this.#keys]
    let source: Source | undefined
    for (let index = from, row = from * ROW; index < to; index++, row += ROW) {
      const record = records[index] as ConsumedRecord
      const { data, sequenceNumber, explicitHashKey } = record
      const { length } = data
      if (length === 0) assertThere(data)
      const buffer = length === 0 ? (source?.buffer ?? 0) : this.#placeOf(data.buffer)
      if (source === undefined || source.sequenceNumber !== sequenceNumber || source.buffer !== buffer) {
        source = sourceOf(record, buffer)
        this.#sources.push(source)
      }
      keys[index] = record.partitionKey
      if (explicitHashKey !== undefined) this.#hashKeys.set(index, explicitHashKey)
      rows[row] = this.#sources.length - 1
      rows[row + 1] = record.subSequenceNumber
      rows[row + 2] = length === 0 ? 0 : buffer === 0 ? this.#copy(data) : data.byteOffset
      rows[row + 3] = length
    }
  }

  finish(): PackedBatch {
    const copies = new Uint8Array(this.#copied)
    for (const { buffer, from, to, at } of this.#stretches) copies.set(new Uint8Array(buffer, from, to - from), at)
    const buffers = [copies.buffer, ...this.#transferred]
    const [rows, keys, hashKeys, sources] = [this.#rows, this.#keys, this.#hashKeys, this.#sources]
    return { batch: { buffers, rows, keys, hashKeys, sources }, transfer: [...buffers, rows.buffer as ArrayBuffer] }
  }

  /** The place that memory has among the buffers; 0 if what is needed of it is copied. */
  #placeOf(buffer: ArrayBufferLike): number {
    if (this.#last?.buffer === buffer) return this.#last.place
    let place = 0
    if (this.#own.has(buffer)) {
      const known = this.#transferred.indexOf(buffer as ArrayBuffer)
      place = known === -1 ? this.#transferred.push(buffer as ArrayBuffer) : known + 1
    }
    this.#last = { buffer, place }
    return place
  }

  /** Where the payload will be in the copies. */
  #copy({ buffer, byteOffset: from, length }: Uint8Array): number {
    const to = from + length
    const last = this.#stretches.at(-1)
    if (last?.buffer === buffer && from >= last.to && from - last.to <= MOST_BETWEEN) {
      this.#copied += to - last.to
      last.to = to
      return last.at + from - last.from
    }
    const at = this.#copied
    this.#stretches.push({ buffer, from, to, at })
    this.#copied += length
    return at
  }
}

function sourceOf(record: ConsumedRecord, buffer: number): Source {
  const { sequenceNumber, arrivedAtMs, encryptionType, aggregated } = record
  return {
    sequenceNumber,
    aggregated,
    buffer,
    ...(arrivedAtMs !== undefined && { arrivedAtMs }),
    ...(encryptionType !== undefined && { encryptionType })
  }
}

/** What was transferred is empty from then on, and must never pass for a record without a payload. */
function assertThere({ buffer }: Uint8Array): void {
  try {
    new Uint8Array(buffer)
  } catch (cause) {
    throw new BugError('A batch that is in another thread was to be sent once more', { cause })
  }
}
