// Streams and records on an emulator, through the SDK: what a test needs before its subject comes in.
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  type KinesisClient,
  ListStreamsCommand,
  MergeShardsCommand,
  PutRecordCommand,
  PutRecordsCommand,
  SplitShardCommand
} from '@aws-sdk/client-kinesis'
import { pollUntil } from './poll.ts'

/** A record to put. */
export interface RecordToPut {
  readonly partitionKey: string
  readonly data: Uint8Array | string
  /** Decimal. Absent: Kinesis hashes the partition key. */
  readonly explicitHashKey?: string
}

/** Where a record went. */
export interface PutRecord {
  readonly shardId: string
  readonly sequenceNumber: string
}

/** A stream name that no other test of this run uses. */
export function uniqueName(prefix = 'stream'): string {
  return `${prefix}-${crypto.randomUUID().slice(0, 13)}`
}

/** Creates a stream and resolves with its name once it is ACTIVE. */
export async function createStream(client: KinesisClient, shardCount = 1, streamName = uniqueName()): Promise<string> {
  await client.send(new CreateStreamCommand({ StreamName: streamName, ShardCount: shardCount }))
  await untilActive(client, streamName)
  return streamName
}

/** Resolves once the stream is ACTIVE. */
export async function untilActive(client: KinesisClient, streamName: string): Promise<void> {
  await pollUntil(`stream ${streamName} to be ACTIVE`, async () => {
    const answer = await client.send(new DescribeStreamSummaryCommand({ StreamName: streamName }))
    return answer.StreamDescriptionSummary?.StreamStatus === 'ACTIVE'
  })
}

/** Resolves once there is no stream of that name any more. */
export async function untilDeleted(client: KinesisClient, streamName: string): Promise<void> {
  await pollUntil(`stream ${streamName} to be gone`, async () => {
    const { StreamNames } = await client.send(new ListStreamsCommand({ Limit: 1000 }))
    return StreamNames?.includes(streamName) === false
  })
}

/** Puts one record. */
export async function putRecord(client: KinesisClient, streamName: string, record: RecordToPut): Promise<PutRecord> {
  const { ShardId = '', SequenceNumber = '' } = await client.send(
    new PutRecordCommand({ StreamName: streamName, ...entryOf(record) })
  )
  return { shardId: ShardId, sequenceNumber: SequenceNumber }
}

/** Puts records in calls of 500, in order. */
export async function putRecords(
  client: KinesisClient,
  streamName: string,
  records: readonly RecordToPut[]
): Promise<PutRecord[]> {
  const put: PutRecord[] = []
  for (let from = 0; from < records.length; from += 500) {
    const Records = records.slice(from, from + 500).map(entryOf)
    const answer = await client.send(new PutRecordsCommand({ StreamName: streamName, Records }))
    for (const { ShardId = '', SequenceNumber = '', ErrorMessage } of answer.Records ?? []) {
      if (ErrorMessage !== undefined) throw new Error(`A record was refused: ${ErrorMessage}`)
      put.push({ shardId: ShardId, sequenceNumber: SequenceNumber })
    }
  }
  return put
}

/** Splits a shard at a decimal hash key, which becomes the first of the second child. */
export async function splitShard(
  client: KinesisClient,
  streamName: string,
  shardId: string,
  newStartingHashKey = String(2n ** 127n)
): Promise<void> {
  await client.send(
    new SplitShardCommand({ StreamName: streamName, ShardToSplit: shardId, NewStartingHashKey: newStartingHashKey })
  )
  await untilActive(client, streamName)
}

/** Merges two shards that lie next to each other. */
export async function mergeShards(
  client: KinesisClient,
  streamName: string,
  shardId: string,
  adjacentShardId: string
): Promise<void> {
  await client.send(
    new MergeShardsCommand({ StreamName: streamName, ShardToMerge: shardId, AdjacentShardToMerge: adjacentShardId })
  )
  await untilActive(client, streamName)
}

function entryOf({ partitionKey, data, explicitHashKey }: RecordToPut) {
  return {
    PartitionKey: partitionKey,
    Data: typeof data === 'string' ? new TextEncoder().encode(data) : data,
    ...(explicitHashKey !== undefined && { ExplicitHashKey: explicitHashKey })
  }
}
