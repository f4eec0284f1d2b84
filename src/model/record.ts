// What a record processor is given: user records, after de-aggregation. A record is small, shares what its Kinesis record
// knows, and makes the rest when it is asked for.
import type { ExtendedSequenceNumber } from './sequence-number.ts'

/** A Kinesis record as GetRecords delivers it, before de-aggregation. */
export interface KinesisRecord {
  readonly sequenceNumber: string
  readonly partitionKey: string
  /** The payload as it is on the wire. May be a view on a larger buffer. */
  readonly data: Uint8Array
  /** When Kinesis received the record. Epoch milliseconds; absent where the service does not say. */
  readonly arrivedAtMs?: number | undefined
  readonly encryptionType?: string | undefined
}

/** What a {@link ConsumedRecord} is made from. */
export interface ConsumedRecordFields {
  readonly sequenceNumber: string
  readonly subSequenceNumber: number
  readonly partitionKey: string
  readonly explicitHashKey?: string
  readonly data: Uint8Array
  readonly arrivedAtMs?: number
  readonly encryptionType?: string
  readonly aggregated: boolean
}

/** What an aggregated Kinesis record knows of the user records in it, by sub-sequence number. Made when asked for. */
export interface AggregateMembers {
  partitionKeyOf(member: number): string
  explicitHashKeyOf(member: number): string | undefined
  /** The payload: a view on the Kinesis record, a new one each time. */
  dataOf(member: number): Uint8Array
  /** Length of the payload in bytes. */
  byteLengthOf(member: number): number
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * One user record: a plain Kinesis record, or one record out of an aggregated one.
 *
 * What it has is worked out when it is asked for, so `{ ...record }` copies nothing. `JSON.stringify` gives all of it, with
 * the payload in base64, see {@link toJSON}. `console.log` and `util.inspect` show everything but the payload, of which they
 * give the length.
 */
export class ConsumedRecord<Value = unknown> implements ExtendedSequenceNumber {
  readonly #subSequenceNumber: number
  readonly #whole: ConsumedRecordFields | KinesisRecord
  /** Absent: the record is all of {@link #whole}. */
  readonly #members: AggregateMembers | undefined

  /** A record with these fields. Keeps `fields` and does not copy them. */
  constructor(fields: ConsumedRecordFields | KinesisRecord)
  /** The user record number `subSequenceNumber` in an aggregated Kinesis record. */
  constructor(whole: KinesisRecord, members: AggregateMembers, subSequenceNumber: number)
  constructor(
    whole: ConsumedRecordFields | KinesisRecord,
    members?: AggregateMembers,
    subSequenceNumber = (whole as Partial<ConsumedRecordFields>).subSequenceNumber ?? 0
  ) {
    this.#subSequenceNumber = subSequenceNumber
    this.#whole = whole
    this.#members = members
  }

  /** Sequence number of the Kinesis record. Decimal digits, about 56 of them. */
  get sequenceNumber(): string {
    return this.#whole.sequenceNumber
  }

  /** Place inside an aggregated Kinesis record, from 0; 0 for a plain record. */
  get subSequenceNumber(): number {
    return this.#subSequenceNumber
  }

  /** Partition key the producer gave to this user record. */
  get partitionKey(): string {
    return this.#members === undefined
      ? this.#whole.partitionKey
      : this.#members.partitionKeyOf(this.#subSequenceNumber)
  }

  /** Hash key the producer gave instead of hashing the partition key. Decimal; only known for aggregated records. */
  get explicitHashKey(): string | undefined {
    if (this.#members === undefined) return (this.#whole as Partial<ConsumedRecordFields>).explicitHashKey
    return this.#members.explicitHashKeyOf(this.#subSequenceNumber)
  }

  /**
   * The payload: a view on the whole response, so {@link copy} the record to keep it for long. Mostly it is a new view each
   * time, on the same bytes: there may be 100,000 in a batch, and one that is not kept costs the least.
   */
  get data(): Uint8Array {
    return this.#members === undefined ? this.#whole.data : this.#members.dataOf(this.#subSequenceNumber)
  }

  /** Length of the payload in bytes. Does not make {@link data}. */
  get byteLength(): number {
    return this.#members === undefined ? this.data.length : this.#members.byteLengthOf(this.#subSequenceNumber)
  }

  /** The byte of the payload at `index`, from 0; `undefined` behind its end. Does not make {@link data}, if it can. */
  byteAt(index: number): number | undefined {
    return this.data[index]
  }

  /** When Kinesis received the record, in epoch milliseconds. `undefined` where the service does not say. */
  get arrivedAtMs(): number | undefined {
    return this.#whole.arrivedAtMs
  }

  /** Server-side encryption of the stream, such as `KMS`. */
  get encryptionType(): string | undefined {
    return this.#whole.encryptionType
  }

  /** Whether the record came out of an aggregated Kinesis record. */
  get aggregated(): boolean {
    return this.#members !== undefined || (this.#whole as Partial<ConsumedRecordFields>).aggregated === true
  }

  /** What option `decode` has made of the payload; `undefined` where nothing is decoded. */
  get value(): Value {
    return undefined as Value
  }

  /** The payload as UTF-8 text. Invalid bytes become U+FFFD. */
  text(): string {
    return utf8.decode(this.data)
  }

  /**
   * The payload parsed as JSON. The result is `unknown`: check it, or name the type you know it to have.
   *
   * @throws SyntaxError if the payload is not JSON. It names the record and quotes nothing: errors end up in logs.
   */
  json<T = unknown>(): T {
    try {
      return JSON.parse(this.text()) as T
    } catch {
      const at = `${this.sequenceNumber}#${this.subSequenceNumber}`
      throw new SyntaxError(`The payload of record ${at} (${this.byteLength} bytes) is not JSON`)
    }
  }

  /** The same record with keys and a payload of its own, which does not keep the whole response in memory. */
  copy(): ConsumedRecord<Value> {
    return new ConsumedRecord({
      ...this.#described(ownText),
      sequenceNumber: ownText(this.sequenceNumber),
      data: Uint8Array.from(this.data)
    })
  }

  /** What `JSON.stringify` gives: every field that the record has, the payload in base64. */
  toJSON(): Omit<ConsumedRecordFields, 'data'> & { readonly data: string } {
    const { buffer, byteOffset, byteLength } = this.data
    return { ...this.#described(), data: Buffer.from(buffer, byteOffset, byteLength).toString('base64') }
  }

  /** What `console.log` shows: every field that the record has, and of the payload its length alone. */
  [Symbol.for('nodejs.util.inspect.custom')](_depth: number, options: object, inspect: Inspect): string {
    return `ConsumedRecord ${inspect({ ...this.#described(), byteLength: this.byteLength }, options)}`
  }

  /** The fields but the payload; those that the record does not have are left out. */
  #described(text = (same: string): string => same): Omit<ConsumedRecordFields, 'data'> {
    const {
      sequenceNumber,
      subSequenceNumber,
      partitionKey,
      explicitHashKey,
      arrivedAtMs,
      encryptionType,
      aggregated
    } = this
    return {
      sequenceNumber,
      subSequenceNumber,
      partitionKey: text(partitionKey),
      ...(explicitHashKey !== undefined && { explicitHashKey: text(explicitHashKey) }),
      ...(arrivedAtMs !== undefined && { arrivedAtMs }),
      ...(encryptionType !== undefined && { encryptionType }),
      aggregated
    }
  }
}

/** `util.inspect`, as it hands itself to an object that describes itself. */
type Inspect = (value: unknown, options: object) => string

/** The same text, made anew: V8 makes a part of a text a reference to all of it. Half a surrogate pair cannot be made so. */
function ownText(text: string): string {
  const own = Buffer.from(text).toString()
  return own === text ? own : text
}
