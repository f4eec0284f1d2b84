// The calls we make to Kinesis, in our own types. `sdk-kinesis.ts` carries them out; the testing kit has them in memory.
//
// Every method rejects with ThrottledError or ServiceError, or with the reason of its signal once that aborts, and with
// nothing else.
import type { RecordsAnswer } from '../model/records-answer.ts'
import type { Shard } from '../model/shard.ts'

/** What a stream is going through. It can be read while it is `ACTIVE` or `UPDATING`. */
export type StreamStatus = 'CREATING' | 'DELETING' | 'ACTIVE' | 'UPDATING'

/** What DescribeStreamSummary says about a stream, as far as it matters here. */
export interface StreamDescription {
  readonly streamName: string
  readonly streamArn: string
  readonly status: StreamStatus
  /** When the stream was created, in epoch seconds. Tells a stream from an earlier one of the same name. */
  readonly creationEpoch: number
  /** Whether the stream is paid for on demand. Absent: it was not said. */
  readonly isOnDemand?: boolean
  /** How long records are kept. Milliseconds. Absent: unknown. */
  readonly retentionMs?: number
  /** What time it was at the service when it answered, in epoch milliseconds, rounded down to a second. Absent: unknown. */
  readonly serviceTimeMs?: number
}

/** Which shards a listing is to have. Absent: every shard that Kinesis still knows, closed ones too. */
export interface ShardFilter {
  readonly type: 'AT_TIMESTAMP'
  /** The shards that were open at this time, in epoch milliseconds. */
  readonly timestampMs: number
}

/** Where a shard iterator begins. */
export type IteratorStart =
  | { readonly type: 'TRIM_HORIZON' }
  | { readonly type: 'LATEST' }
  | { readonly type: 'AT_TIMESTAMP'; readonly timestampMs: number }
  | { readonly type: 'AT_SEQUENCE_NUMBER' | 'AFTER_SEQUENCE_NUMBER'; readonly sequenceNumber: string }

/** What every call takes. Once `signal` aborts, the call rejects with its reason. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

/** One stream of Kinesis. Which one, by name or by ARN, the implementation knows. */
export interface KinesisPort {
  /** What the stream is called in messages: its name. */
  readonly streamName: string
  /** DescribeStreamSummary. ServiceError `not-found` if there is no such stream. */
  describeStream(options?: CallOptions): Promise<StreamDescription>
  /** ListShards, all pages. */
  listShards(options?: CallOptions & { filter?: ShardFilter }): Promise<Shard[]>
  /** GetShardIterator. ServiceError `not-found` if the shard has expired, `invalid-argument` if the start is refused. */
  getShardIterator(shardId: string, start: IteratorStart, options?: CallOptions): Promise<string>
  /** GetRecords. The memory of the payloads is the caller's from then on. ServiceError `expired-iterator` if the iterator is more than five minutes old. */
  getRecords(iterator: string, options: CallOptions & { limit: number }): Promise<RecordsAnswer>
  /** Lets connections go. Nothing may be called after it. */
  close(): void
}
