// What GetRecords answers.
import type { KinesisRecord } from './record.ts'
import type { ChildShard } from './shard.ts'

/** One answer of GetRecords. */
export interface RecordsAnswer {
  readonly records: readonly KinesisRecord[]
  /** How long the payloads of the records are together. Bytes. */
  readonly bytes: number
  /** Absent: the shard is closed and everything in it has been read. */
  readonly nextIterator?: string
  /** How far the answer is behind the tip of the shard, in milliseconds. */
  readonly millisBehindLatest: number
  /** The shards that continue this one. Only at its end, and only from services that send it. */
  readonly childShards?: readonly ChildShard[]
}
