// Which records go into which Kinesis records: each one alone, or aggregated with those that go to the same shard.
import { type AggregatedRecord, aggregate, type UserRecord } from '../kpl/aggregate.ts'
import { hashKeyOf } from '../kpl/hash-key.ts'
import { containsHashKey } from '../model/hash-key-range.ts'
import { isClosed, type Shard } from '../model/shard.ts'

/** A Kinesis record to put, and how many user records are in it. */
export interface PutEntry {
  readonly partitionKey: string
  readonly explicitHashKey?: string
  readonly data: Uint8Array
  /** As the limits of PutRecords count: payload and key. */
  readonly bytes: number
  readonly userRecords: number
}

/** How large an aggregate grows, as the KPL has it. Bytes of payload. */
const MAX_AGGREGATE_BYTES = 51_200

/** Each user record as a Kinesis record of its own. */
export function plainEntries(records: readonly UserRecord[]): PutEntry[] {
  return records.map(record => entryOf(record, 1))
}

/**
 * Aggregates, each of user records that go to one shard: consumers with KCL's rule lose an aggregate that has others in it.
 * In the order of the records, as far as they go to the same shard.
 */
export function aggregatedEntries(records: readonly UserRecord[], shards: readonly Shard[]): PutEntry[] {
  const open = shards.filter(shard => !isClosed(shard))
  const groups = new Map<string, UserRecord[]>()
  for (const record of records) {
    const hashKey = hashKeyOf(record.partitionKey, record.explicitHashKey)
    const shardId = open.find(({ hashKeyRange: range }) => range && containsHashKey(range, hashKey))?.shardId ?? ''
    const group = groups.get(shardId)
    if (group === undefined) groups.set(shardId, [record])
    else group.push(record)
  }
  return [...groups.values()].flatMap(group => chunksOf(group).map(chunk => entryOf(aggregate(chunk), chunk.length)))
}

function chunksOf(records: readonly UserRecord[]): UserRecord[][] {
  const chunks: UserRecord[][] = []
  let chunk: UserRecord[] = []
  let bytes = 0
  for (const record of records) {
    const size = record.data.length + record.partitionKey.length
    if (chunk.length > 0 && bytes + size > MAX_AGGREGATE_BYTES) {
      chunks.push(chunk)
      chunk = []
      bytes = 0
    }
    chunk.push(record)
    bytes += size
  }
  return chunk.length > 0 ? [...chunks, chunk] : chunks
}

function entryOf(
  { partitionKey, explicitHashKey, data }: UserRecord | AggregatedRecord,
  userRecords: number
): PutEntry {
  const bytes = data.length + Buffer.byteLength(partitionKey)
  return { partitionKey, ...(explicitHashKey !== undefined && { explicitHashKey }), data, bytes, userRecords }
}
