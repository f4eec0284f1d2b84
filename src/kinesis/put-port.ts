// The one call that writes to Kinesis, in our own types. `sdk-put-records.ts` carries it out.
import type { ServiceError, ThrottledError } from '../model/errors.ts'
import type { CallOptions } from './kinesis-port.ts'

/** A record to put. */
export interface RecordToPut {
  /** 1 to 256 characters. */
  readonly partitionKey: string
  /** Decimal digits. Absent: the shard is chosen by the partition key. */
  readonly explicitHashKey?: string | undefined
  readonly data: Uint8Array
}

/** One stream of Kinesis that records are put into. */
export interface PutPort {
  /** What the stream is called in messages: its name. */
  readonly streamName: string
  /**
   * PutRecords: at most 500 records and 10 MiB, keys included. Resolves with one entry per record, in order: what went wrong with
   * it, or undefined. Rejects with ThrottledError or ServiceError if the whole call failed, or with the reason of its signal.
   */
  putRecords(
    records: readonly RecordToPut[],
    options?: CallOptions
  ): Promise<readonly (ThrottledError | ServiceError | undefined)[]>
  /** Lets connections go. Nothing may be called after it. */
  close(): void
}
