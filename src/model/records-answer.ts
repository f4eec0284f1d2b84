// What GetRecords answers.
import type { KinesisRecord } from './record.ts'
import type { ChildShard } from './shard.ts'

/** One answer of GetRecords. */
export interface RecordsAnswer {
  /** In the order of the shard. Large answers make them when they are first asked for: better not before they are processed. */
  readonly records: readonly KinesisRecord[]
  /** How many there are, without making them. Absent: as many as `records` has. */
  readonly recordCount?: number
  /** The sequence number of the last one, without making it. Absent: that of the last of `records`, if there is one. */
  readonly lastSequenceNumber?: string
  /** How long the payloads of the records are together. Bytes. */
  readonly bytes: number
  /** How much memory the records keep, with what is made of them when they are read. Bytes. Absent: nobody has counted. */
  readonly memoryBytes?: number
  /** Absent: the shard is closed and everything in it has been read. */
  readonly nextIterator?: string
  /** How far the answer is behind the tip of the shard, in milliseconds. */
  readonly millisBehindLatest: number
  /** The shards that continue this one. Only at its end, and only from services that send it. */
  readonly childShards?: readonly ChildShard[]
}
