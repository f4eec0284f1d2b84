// The stream of the demo through the AWS SDK: what an operator and a producer do to it.
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  KinesisClient,
  ListShardsCommand,
  MergeShardsCommand,
  PutRecordsCommand,
  SplitShardCommand
} from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import type { AggregatedRecord } from 'millrace'
import { until } from './until.ts'

/** A shard as the stream lists it. */
export interface ListedShard {
  readonly shardId: string
  readonly parentIds: readonly string[]
  readonly isOpen: boolean
  readonly startingHashKey: bigint
  readonly endingHashKey: bigint
}

/** A record to put. Without an explicit hash key Kinesis hashes the partition key. */
export type RecordToPut = Omit<AggregatedRecord, 'explicitHashKey'> & { readonly explicitHashKey?: string }

export class Stream {
  readonly name: string
  readonly #client: KinesisClient

  constructor(name: string, endpoint: string) {
    this.name = name
    const credentials = { accessKeyId: 'emulator', secretAccessKey: 'emulator' }
    // The client's own handler speaks HTTP/2, which the emulator does not.
    const requestHandler = new NodeHttpHandler({ httpAgent: { keepAlive: true } })
    this.#client = new KinesisClient({ endpoint, region: 'us-east-1', credentials, requestHandler })
  }

  async create(shards: number): Promise<void> {
    await this.#client.send(new CreateStreamCommand({ StreamName: this.name, ShardCount: shards }))
    await this.#untilActive()
  }

  async shards(): Promise<ListedShard[]> {
    const { Shards = [] } = await this.#client.send(new ListShardsCommand({ StreamName: this.name }))
    return Shards.map(shard => ({
      shardId: shard.ShardId ?? '',
      parentIds: [shard.ParentShardId, shard.AdjacentParentShardId].filter(id => id !== undefined),
      isOpen: shard.SequenceNumberRange?.EndingSequenceNumber === undefined,
      startingHashKey: BigInt(shard.HashKeyRange?.StartingHashKey ?? 0),
      endingHashKey: BigInt(shard.HashKeyRange?.EndingHashKey ?? 0)
    }))
  }

  /** Splits a shard in the middle. */
  async split({ shardId, startingHashKey, endingHashKey }: ListedShard): Promise<void> {
    const NewStartingHashKey = String((startingHashKey + endingHashKey + 1n) / 2n)
    await this.#client.send(new SplitShardCommand({ StreamName: this.name, ShardToSplit: shardId, NewStartingHashKey }))
    await this.#untilActive()
  }

  /** Merges two shards. `lower` ends where `upper` begins. */
  async merge(lower: ListedShard, upper: ListedShard): Promise<void> {
    await this.#client.send(
      new MergeShardsCommand({
        StreamName: this.name,
        ShardToMerge: lower.shardId,
        AdjacentShardToMerge: upper.shardId
      })
    )
    await this.#untilActive()
  }

  /**
   * Puts up to 500 records, again and again until each is accepted. Resolves with the shard of each.
   *
   * Two records of one key must not be in one call: one that is refused and put again comes after the other.
   */
  async put(records: readonly RecordToPut[]): Promise<string[]> {
    const shardIds: string[] = new Array(records.length).fill('')
    for (let left = records.map((_, i) => i); left.length > 0; ) {
      const Records = left.map(i => entryOf(records[i] as RecordToPut))
      const answer = await this.#client.send(new PutRecordsCommand({ StreamName: this.name, Records }))
      left.forEach((i, place) => {
        shardIds[i] = answer.Records?.[place]?.ShardId ?? ''
      })
      left = left.filter(i => shardIds[i] === '')
    }
    return shardIds
  }

  async #untilActive(): Promise<void> {
    await until(async () => {
      const answer = await this.#client.send(new DescribeStreamSummaryCommand({ StreamName: this.name }))
      return answer.StreamDescriptionSummary?.StreamStatus === 'ACTIVE'
    })
  }
}

function entryOf({ partitionKey, explicitHashKey, data }: RecordToPut) {
  return {
    PartitionKey: partitionKey,
    Data: data,
    ...(explicitHashKey !== undefined && { ExplicitHashKey: explicitHashKey })
  }
}
