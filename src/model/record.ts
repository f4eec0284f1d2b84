// What a record processor is given: user records, after de-aggregation.
import type { ExtendedSequenceNumber } from './sequence-number.ts'

/** A Kinesis record as GetRecords delivers it, before de-aggregation. */
export interface KinesisRecord {
  readonly sequenceNumber: string
  readonly partitionKey: string
  /** The payload as it is on the wire. May be a view on a larger buffer. */
  readonly data: Uint8Array
  /** When Kinesis received the record. Epoch milliseconds; absent where the service does not say. */
  readonly arrivedAtMs?: number
  readonly encryptionType?: string
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

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** One user record: a plain Kinesis record, or one record out of an aggregated one. */
export class ConsumedRecord implements ExtendedSequenceNumber {
  /** Sequence number of the Kinesis record. Decimal digits, about 56 of them. */
  readonly sequenceNumber: string
  /** Place inside an aggregated Kinesis record, from 0; 0 for a plain record. */
  readonly subSequenceNumber: number
  /** Partition key the producer gave to this user record. */
  readonly partitionKey: string
  /** Hash key the producer gave instead of hashing the partition key. Decimal; only known for aggregated records. */
  readonly explicitHashKey: string | undefined
  /** The payload. A view on the whole response: {@link copy} it to keep it for long. */
  readonly data: Uint8Array
  /** When Kinesis received the record, in epoch milliseconds. `undefined` where the service does not say. */
  readonly arrivedAtMs: number | undefined
  /** Server-side encryption of the stream, such as `KMS`. */
  readonly encryptionType: string | undefined
  /** Whether the record came out of an aggregated Kinesis record. */
  readonly aggregated: boolean

  constructor(fields: ConsumedRecordFields) {
    this.sequenceNumber = fields.sequenceNumber
    this.subSequenceNumber = fields.subSequenceNumber
    this.partitionKey = fields.partitionKey
    this.explicitHashKey = fields.explicitHashKey
    this.data = fields.data
    this.arrivedAtMs = fields.arrivedAtMs
    this.encryptionType = fields.encryptionType
    this.aggregated = fields.aggregated
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
      throw new SyntaxError(`The payload of record ${at} (${this.data.length} bytes) is not JSON`)
    }
  }

  /** The same record with a payload of its own, which does not keep the whole response in memory. */
  copy(): ConsumedRecord {
    return new ConsumedRecord({ ...definedFields(this), data: new Uint8Array(this.data) })
  }
}

function definedFields(record: ConsumedRecord): ConsumedRecordFields {
  const { explicitHashKey, arrivedAtMs, encryptionType, ...always } = record
  return {
    ...always,
    ...(explicitHashKey !== undefined && { explicitHashKey }),
    ...(arrivedAtMs !== undefined && { arrivedAtMs }),
    ...(encryptionType !== undefined && { encryptionType })
  }
}
