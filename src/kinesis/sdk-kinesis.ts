// The Kinesis port over the AWS SDK: the only file that imports its client. One attempt per call, with a deadline;
// trying again is for the loops above, which know what is urgent.
import {
  type _Record,
  type ChildShard as ChildShardInApi,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type GetShardIteratorCommandInput,
  type HashKeyRange as HashKeyRangeInApi,
  KinesisClient,
  type KinesisClientConfig,
  ListShardsCommand,
  type ListShardsCommandInput,
  type Shard as ShardInApi
} from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { ServiceError } from '../model/errors.ts'
import type { HashKeyRange } from '../model/hash-key-range.ts'
import type { KinesisRecord } from '../model/record.ts'
import type { ChildShard, Shard } from '../model/shard.ts'
import type { Clock } from '../runtime/clock.ts'
import { withDeadline } from '../runtime/deadline.ts'
import type {
  CallOptions,
  IteratorStart,
  KinesisPort,
  RecordsAnswer,
  ShardFilter,
  StreamDescription
} from './kinesis-port.ts'
import { kinesisErrorOf, kinesisTimeout } from './sdk-kinesis-errors.ts'

/** A client of the AWS SDK to use as it is, or what to configure one of our own with. */
export type KinesisClientOption = KinesisClient | KinesisClientConfig

/** Which stream: by name in the client's account and region, or by ARN, which may be of another account. */
export type StreamReference = { readonly streamName: string } | { readonly streamArn: string }

/** Which stream to call, through which client, and how long to wait for an answer. */
export interface SdkKinesisOptions {
  readonly stream: StreamReference
  /** Absent: a client of our own with what the environment says. A client given here is not destroyed by `close()`. */
  readonly client?: KinesisClientOption | undefined
  readonly clock: Clock
  /** How long one call may take. Milliseconds; default 10,000. */
  readonly requestTimeoutMs?: number
}

type StreamParameter = { StreamName: string } | { StreamARN: string }

/** Sockets that a client of ours may open: enough for a call on each shard that one worker can reasonably read. */
const MAX_SOCKETS = 256

/** The Kinesis port for one stream. */
export function sdkKinesis(options: SdkKinesisOptions): KinesisPort {
  return new SdkKinesis(options)
}

class SdkKinesis implements KinesisPort {
  readonly streamName: string
  readonly #stream: StreamParameter
  readonly #client: KinesisClient
  readonly #isOurClient: boolean
  readonly #clock: Clock
  readonly #requestTimeoutMs: number

  constructor({ stream, client, clock, requestTimeoutMs = 10_000 }: SdkKinesisOptions) {
    const isByArn = 'streamArn' in stream
    this.streamName = isByArn ? streamNameIn(stream.streamArn) : stream.streamName
    this.#stream = isByArn ? { StreamARN: stream.streamArn } : { StreamName: stream.streamName }
    this.#isOurClient = !isClient(client)
    this.#client = isClient(client) ? client : clientFrom(client, stream)
    this.#clock = clock
    this.#requestTimeoutMs = requestTimeoutMs
  }

  async describeStream(options: CallOptions = {}): Promise<StreamDescription> {
    const command = new DescribeStreamSummaryCommand(this.#stream)
    const dateOf = keepDate(command)
    const answer = await this.#call('DescribeStreamSummary', options, sending => this.#client.send(command, sending))
    const summary = answer.StreamDescriptionSummary
    return {
      streamName: summary?.StreamName ?? this.streamName,
      streamArn: summary?.StreamARN ?? '',
      status: summary?.StreamStatus ?? 'ACTIVE',
      creationEpoch: Math.floor((summary?.StreamCreationTimestamp?.getTime() ?? 0) / 1000),
      ...dateOf()
    }
  }

  async listShards(options: CallOptions & { filter?: ShardFilter } = {}): Promise<Shard[]> {
    const shards: Shard[] = []
    let input: ListShardsCommandInput | undefined = { ...this.#stream, ...filterParameter(options.filter) }
    while (input !== undefined) {
      const command: ListShardsCommand = new ListShardsCommand(input)
      const answer = await this.#call('ListShards', options, sending => this.#client.send(command, sending))
      for (const shard of answer.Shards ?? []) shards.push(shardFrom(shard))
      // A page after the first is asked for by its token; Kinesis refuses a name or a filter beside it.
      input = answer.NextToken ? { NextToken: answer.NextToken, ...this.#arnAlone() } : undefined
    }
    return shards
  }

  async getShardIterator(shardId: string, start: IteratorStart, options: CallOptions = {}): Promise<string> {
    const command = new GetShardIteratorCommand({ ...this.#stream, ShardId: shardId, ...startParameters(start) })
    const about = { ...options, shardId }
    const answer = await this.#call('GetShardIterator', about, sending => this.#client.send(command, sending))
    return answer.ShardIterator ?? ''
  }

  async getRecords(iterator: string, options: CallOptions & { limit: number }): Promise<RecordsAnswer> {
    // GetRecords takes no name. The ARN is what tells Kinesis that the iterator is of another account.
    const command = new GetRecordsCommand({ ShardIterator: iterator, Limit: options.limit, ...this.#arnAlone() })
    const answer = await this.#call('GetRecords', options, sending => this.#client.send(command, sending))
    const { Records = [], NextShardIterator, MillisBehindLatest = 0, ChildShards = [] } = answer
    return {
      records: Records.map(recordFrom),
      millisBehindLatest: MillisBehindLatest,
      ...(NextShardIterator && { nextIterator: NextShardIterator }),
      ...(ChildShards.length > 0 && { childShards: ChildShards.map(childFrom) })
    }
  }

  close(): void {
    if (this.#isOurClient) this.#client.destroy()
  }

  #arnAlone(): { StreamARN?: string } {
    return 'StreamARN' in this.#stream ? this.#stream : {}
  }

  /** One call: bounded in time, and with its failure in our words. */
  #call<T>(
    name: string,
    { signal, shardId }: CallOptions & { shardId?: string },
    send: (options: { abortSignal: AbortSignal }) => Promise<T>
  ): Promise<T> {
    const thisCall = { name, streamName: this.streamName, shardId }
    return withDeadline(
      this.#clock,
      this.#requestTimeoutMs,
      signal,
      async abortSignal => {
        try {
          return await send({ abortSignal })
        } catch (error) {
          throw kinesisErrorOf(error, thisCall)
        }
      },
      () => kinesisTimeout(thisCall, this.#requestTimeoutMs)
    )
  }
}

function isClient(given: KinesisClientOption | undefined): given is KinesisClient {
  return given !== undefined && 'send' in given && typeof given.send === 'function'
}

function clientFrom(given: KinesisClientConfig = {}, stream: StreamReference): KinesisClient {
  const agent = { keepAlive: true, maxSockets: MAX_SOCKETS }
  const region = 'streamArn' in stream ? stream.streamArn.split(':')[3] : undefined
  return new KinesisClient({
    // The handler that the SDK chooses for Kinesis opens a TLS connection for every request.
    requestHandler: new NodeHttpHandler({ httpAgent: agent, httpsAgent: agent }),
    maxAttempts: 1,
    logger: quietLogger(),
    ...given,
    ...(given.region === undefined && region && { region })
  })
}

/**
 * Without `info`, because for a logger that has it the SDK copies every answer just to log it. The others must be there: the
 * SDK's credential providers call them without asking.
 */
function quietLogger(): NonNullable<KinesisClientConfig['logger']> {
  const drop = (): void => {}
  return { debug: drop, warn: drop, error: drop } as unknown as NonNullable<KinesisClientConfig['logger']>
}

/** Keeps the date that the answer to this one command carries: the client may be the user's, and stays as it is. */
function keepDate(command: DescribeStreamSummaryCommand): () => { serviceTimeMs?: number } {
  let serviceTimeMs = Number.NaN
  command.middlewareStack.add(
    next => async args => {
      const result = await next(args)
      const { headers } = Object(result.response) as { headers?: Record<string, string> }
      serviceTimeMs = Date.parse(headers?.date ?? '')
      return result
    },
    { step: 'deserialize', name: 'keepDate', override: true }
  )
  return () => (Number.isNaN(serviceTimeMs) ? {} : { serviceTimeMs })
}

function streamNameIn(streamArn: string): string {
  return streamArn.slice(streamArn.lastIndexOf('/') + 1)
}

function filterParameter(filter: ShardFilter | undefined): Pick<ListShardsCommandInput, 'ShardFilter'> {
  return filter === undefined ? {} : { ShardFilter: { Type: filter.type, Timestamp: new Date(filter.timestampMs) } }
}

function startParameters(
  start: IteratorStart
): Pick<GetShardIteratorCommandInput, 'ShardIteratorType' | 'StartingSequenceNumber' | 'Timestamp'> {
  switch (start.type) {
    case 'AT_TIMESTAMP':
      return { ShardIteratorType: start.type, Timestamp: new Date(start.timestampMs) }
    case 'AT_SEQUENCE_NUMBER':
    case 'AFTER_SEQUENCE_NUMBER':
      return { ShardIteratorType: start.type, StartingSequenceNumber: start.sequenceNumber }
    default:
      return { ShardIteratorType: start.type }
  }
}

function recordFrom(record: _Record): KinesisRecord {
  const { SequenceNumber, PartitionKey = '', Data, ApproximateArrivalTimestamp, EncryptionType } = record
  if (!SequenceNumber) {
    const message = 'GetRecords: a record in the answer has no sequence number'
    throw new ServiceError('other', message, { retryable: true })
  }
  return {
    sequenceNumber: SequenceNumber,
    partitionKey: PartitionKey,
    data: Data ?? new Uint8Array(0),
    ...(ApproximateArrivalTimestamp && { arrivedAtMs: ApproximateArrivalTimestamp.getTime() }),
    ...(EncryptionType && { encryptionType: EncryptionType })
  }
}

function shardFrom(shard: ShardInApi): Shard {
  const { ShardId = '', ParentShardId, AdjacentParentShardId, HashKeyRange, SequenceNumberRange } = shard
  const { StartingSequenceNumber = '', EndingSequenceNumber } = SequenceNumberRange ?? {}
  return {
    shardId: ShardId,
    ...(ParentShardId && { parentShardId: ParentShardId }),
    ...(AdjacentParentShardId && { adjacentParentShardId: AdjacentParentShardId }),
    hashKeyRange: rangeFrom(HashKeyRange),
    startingSequenceNumber: StartingSequenceNumber,
    ...(EndingSequenceNumber && { endingSequenceNumber: EndingSequenceNumber })
  }
}

function childFrom({ ShardId = '', ParentShards = [], HashKeyRange }: ChildShardInApi): ChildShard {
  return { shardId: ShardId, parentShardIds: ParentShards, hashKeyRange: rangeFrom(HashKeyRange) }
}

function rangeFrom(range: HashKeyRangeInApi | undefined): HashKeyRange {
  return { start: BigInt(range?.StartingHashKey ?? '0'), end: BigInt(range?.EndingHashKey ?? '0') }
}
