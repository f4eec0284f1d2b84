// A client of the AWS SDK whose answers come from a stream in memory, in the words of the service: pages of shards, refusals
// of parameters that do not go together, and undefined, as the SDK makes it of null, where there is nothing to say.
import type { KinesisClient } from '@aws-sdk/client-kinesis'
import type { IteratorStart, KinesisPort } from '../../src/kinesis/kinesis-port.ts'
import type { HashKeyRange } from '../../src/model/hash-key-range.ts'
import type { Shard } from '../../src/model/shard.ts'

type Input = Readonly<Record<string, unknown>>

/** One command that reached the client. */
export interface StubCommand {
  /** As in `ListShards`. */
  readonly name: string
  readonly input: Input
}

/** Answers for the one stream behind `port`. `pageSize`: shards in a page of a listing. */
export class StubKinesisClient {
  readonly commands: StubCommand[] = []
  readonly #port: KinesisPort
  readonly #pageSize: number

  constructor(port: KinesisPort, pageSize = 100) {
    this.#port = port
    this.#pageSize = pageSize
  }

  /** This, as what takes a client of the SDK wants it. */
  get asClient(): KinesisClient {
    return this as unknown as KinesisClient
  }

  async send(command: { input: Input }): Promise<Input> {
    const { input } = command
    const name = command.constructor.name.replace(/Command$/, '')
    this.commands.push({ name, input })
    switch (name) {
      case 'DescribeStreamSummary':
        return this.#describe()
      case 'ListShards':
        return this.#list(input)
      case 'GetShardIterator':
        return { ShardIterator: await this.#port.getShardIterator(String(input.ShardId), startOf(input)) }
      case 'GetRecords':
        return this.#records(input)
      default:
        throw refusal(`${name} is not known here`)
    }
  }

  destroy(): void {}

  async #describe(): Promise<Input> {
    const { streamName, streamArn, status, creationEpoch } = await this.#port.describeStream()
    return {
      StreamDescriptionSummary: {
        StreamName: streamName,
        StreamARN: streamArn,
        StreamStatus: status,
        StreamCreationTimestamp: new Date(creationEpoch * 1_000)
      }
    }
  }

  /** The token of a page says everything that is to be known of the listing, as that of the service does. */
  async #list({ NextToken, StreamName, ShardFilter }: Input): Promise<Input> {
    if (NextToken !== undefined && (StreamName !== undefined || ShardFilter !== undefined)) {
      throw refusal('NextToken and StreamName, or ShardFilter, cannot be given together')
    }
    const { Timestamp } = Object(ShardFilter) as { Timestamp?: Date }
    const [from, filterMs] =
      NextToken === undefined ? [0, Timestamp?.getTime()] : (JSON.parse(String(NextToken)) as [number, number | null])
    const filter = typeof filterMs === 'number' && ({ type: 'AT_TIMESTAMP', timestampMs: filterMs } as const)
    const shards = await this.#port.listShards(filter ? { filter } : {})
    const to = from + this.#pageSize
    return {
      Shards: shards.slice(from, to).map(shardOf),
      NextToken: to < shards.length ? JSON.stringify([to, filterMs ?? null]) : undefined
    }
  }

  async #records({ ShardIterator, Limit }: Input): Promise<Input> {
    const answer = await this.#port.getRecords(String(ShardIterator), { limit: Number(Limit) })
    const isEnd = answer.nextIterator === undefined
    return {
      Records: answer.records.map(({ sequenceNumber, partitionKey, data }) => ({
        SequenceNumber: sequenceNumber,
        PartitionKey: partitionKey,
        Data: data
      })),
      NextShardIterator: answer.nextIterator,
      // The last answer of a shard says nothing of how far it is behind.
      MillisBehindLatest: isEnd ? undefined : answer.millisBehindLatest,
      ChildShards: answer.childShards?.map(({ shardId, parentShardIds, hashKeyRange }) => ({
        ShardId: shardId,
        ParentShards: parentShardIds,
        HashKeyRange: hashKeyRange && rangeOf(hashKeyRange)
      }))
    }
  }
}

function startOf({ ShardIteratorType, StartingSequenceNumber, Timestamp }: Input): IteratorStart {
  return {
    type: ShardIteratorType,
    sequenceNumber: StartingSequenceNumber,
    timestampMs: Timestamp instanceof Date ? Timestamp.getTime() : undefined
  } as IteratorStart
}

function shardOf(shard: Shard): Input {
  return {
    ShardId: shard.shardId,
    ParentShardId: shard.parentShardId,
    AdjacentParentShardId: shard.adjacentParentShardId,
    HashKeyRange: shard.hashKeyRange && rangeOf(shard.hashKeyRange),
    SequenceNumberRange: {
      StartingSequenceNumber: shard.startingSequenceNumber,
      EndingSequenceNumber: shard.endingSequenceNumber
    }
  }
}

function rangeOf({ start, end }: HashKeyRange): Input {
  return { StartingHashKey: String(start), EndingHashKey: String(end) }
}

function refusal(why: string): Error {
  return Object.assign(new Error(why), { name: 'InvalidArgumentException' })
}
