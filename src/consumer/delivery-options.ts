// How records are handed to the user's code, as the consumer of a shard is told: in lanes side by side, or in batches.
import type { ConsumedRecord } from '../model/record.ts'

/** What decides which records must not overtake each other: those of one key, none of them, or those of one key of the user's. */
export type LaneKey = 'key' | 'none' | ((record: ConsumedRecord) => string)

/** How many calls of the user's code may be under way for one shard, and which records wait for each other. */
export interface ConcurrencySettings {
  /** How many calls at most. */
  readonly perShard: number
  /** `key`: the partition key of the user record. */
  readonly by: LaneKey
  /** How many records past the stored checkpoint may be under way or settled: what a crash delivers again at most. */
  readonly maxInFlight: number
}

/** When a batch is delivered: once the first of these is reached. */
export interface BatchSettings {
  /** User records. Infinity: as many as an answer of Kinesis has. */
  readonly maxRecords: number
  /** Bytes of payload; a record that is larger is delivered alone. Infinity: as many as an answer has. */
  readonly maxBytes: number
  /** How long a batch is waited for, from its first record on. Milliseconds; 0: what an answer brought is delivered at once. */
  readonly windowMs: number
}
