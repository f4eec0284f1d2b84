// The Kinesis port over the AWS SDK. One attempt per call, with a deadline; trying again is for the loops above, which know what
// is urgent.
import {
  DescribeStreamSummaryCommand,
  GetShardIteratorCommand,
  type KinesisClient,
  ListShardsCommand,
  type ListShardsCommandInput,
  type Shard as ShardInApi
} from '@aws-sdk/client-kinesis'
import type { RecordsAnswer } from '../model/records-answer.ts'
import type { Shard } from '../model/shard.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Deadline, withDeadline } from '../runtime/deadline.ts'
import { hashKeyRangeFrom } from '../wire/records-answer.ts'
import type { CallOptions, IteratorStart, KinesisPort, ShardFilter, StreamDescription } from './kinesis-port.ts'
import { keepDate } from './sdk-answer-date.ts'
import { type ClientInUse, clientInUse, type KinesisClientOption, type StreamReference } from './sdk-client.ts'
import { GetRecords } from './sdk-get-records.ts'
import { type FailedCall, kinesisErrorOf, kinesisTimeout } from './sdk-kinesis-errors.ts'
import { startingPosition, streamNameOf } from './sdk-parameters.ts'
import type { Wire, WireListener } from './wire-choice.ts'

export type { KinesisClientOption, StreamReference } from './sdk-client.ts'

/** Which stream to call, through which client, and how long to wait for an answer. */
export interface SdkKinesisOptions {
  readonly stream: StreamReference
  /** Absent: a client of our own with what the environment says. A client given here is not destroyed by `close()`. */
  readonly client?: KinesisClientOption | undefined
  readonly clock: Clock
  /** How long one call may take, decoding of the answer and waiting for it not counted. Milliseconds; default 10,000. */
  readonly requestTimeoutMs?: number
  /**
   * How the answers of GetRecords are encoded; default `json`. `cbor` is spoken only where nothing was added to the client, and
   * only to an endpoint that answers in it: any other is spoken to in JSON, and asked again after an hour.
   */
  readonly wire?: Wire
  /** How much memory is kept at most to receive answers into, while there are none. Bytes; default 64 MiB, and never more. */
  readonly keptBytes?: number
  /** Told when GetRecords is encoded in another way than before, and why. Must not throw. */
  readonly onWireChange?: WireListener | undefined
}

/** The Kinesis port, and how many connections it may open. */
export interface SdkKinesisPort extends KinesisPort {
  /**
   * Says how many shards are read: a client of our own opens at most as many connections, but never more than 256, which is the
   * default as well. With fewer than ten shards there may be two more, for what is not GetRecords. Reads that wait begin when
   * it is raised.
   */
  expectShards(count: number): void
}

type StreamParameter = { StreamName: string } | { StreamARN: string }

/** The Kinesis port for one stream. */
export function sdkKinesis(options: SdkKinesisOptions): SdkKinesisPort {
  return new SdkKinesis(options)
}

class SdkKinesis implements SdkKinesisPort {
  readonly streamName: string
  readonly #stream: StreamParameter
  readonly #inUse: ClientInUse
  readonly #client: KinesisClient
  readonly #getRecords: GetRecords
  readonly #clock: Clock
  readonly #requestTimeoutMs: number

  constructor(options: SdkKinesisOptions) {
    const { stream, client, clock, requestTimeoutMs = 10_000, wire = 'json', keptBytes, onWireChange } = options
    const isByArn = 'streamArn' in stream
    this.streamName = streamNameOf(stream)
    this.#stream = isByArn ? { StreamARN: stream.streamArn } : { StreamName: stream.streamName }
    this.#inUse = clientInUse(client, stream)
    this.#client = this.#inUse.client
    // GetRecords takes no name. The ARN is what tells Kinesis that the iterator is of another account.
    const streamArn = isByArn ? stream.streamArn : undefined
    this.#clock = clock
    this.#requestTimeoutMs = requestTimeoutMs
    this.#getRecords = new GetRecords({
      ...{ client: this.#client, line: this.#inUse.recordsLine, streamArn, clock, wire, keptBytes, onWireChange },
      inTime: (signal, request) =>
        this.#call('GetRecords', { signal }, ({ abortSignal }, deadline) => request(abortSignal, deadline)),
      errorOf: error => kinesisErrorOf(error, { name: 'GetRecords', streamName: this.streamName })
    })
  }

  async describeStream(options: CallOptions = {}): Promise<StreamDescription> {
    const command = new DescribeStreamSummaryCommand(this.#stream)
    const dateOf = keepDate(command)
    const answer = await this.#call('DescribeStreamSummary', options, sending => this.#client.send(command, sending))
    const summary = answer.StreamDescriptionSummary
    const mode = summary?.StreamModeDetails?.StreamMode
    return {
      streamName: summary?.StreamName ?? this.streamName,
      streamArn: summary?.StreamARN ?? '',
      status: summary?.StreamStatus ?? 'ACTIVE',
      creationEpoch: Math.floor((summary?.StreamCreationTimestamp?.getTime() ?? 0) / 1000),
      ...(mode && { isOnDemand: mode === 'ON_DEMAND' }),
      ...(summary?.RetentionPeriodHours && { retentionMs: summary.RetentionPeriodHours * 3_600_000 }),
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
    const { Type: ShardIteratorType, SequenceNumber, ...position } = startingPosition(start)
    const from = { ...position, ...(SequenceNumber !== undefined && { StartingSequenceNumber: SequenceNumber }) }
    const command = new GetShardIteratorCommand({ ...this.#stream, ShardId: shardId, ShardIteratorType, ...from })
    const about = { ...options, shardId }
    const answer = await this.#call('GetShardIterator', about, sending => this.#client.send(command, sending))
    return answer.ShardIterator ?? ''
  }

  getRecords(iterator: string, { limit, signal }: CallOptions & { limit: number }): Promise<RecordsAnswer> {
    return this.#getRecords.call(iterator, limit, signal)
  }

  expectShards(count: number): void {
    this.#inUse.expectShards(count)
  }

  close(): void {
    this.#inUse.destroy()
  }

  #arnAlone(): { StreamARN?: string } {
    return 'StreamARN' in this.#stream ? this.#stream : {}
  }

  /** One call: bounded in time, and with its failure in our words. */
  #call<T>(
    name: string,
    { signal, shardId }: CallOptions & { shardId?: string },
    send: (options: { abortSignal: AbortSignal }, deadline: Deadline) => Promise<T>
  ): Promise<T> {
    const thisCall: FailedCall = { name, streamName: this.streamName, shardId }
    return withDeadline(
      this.#clock,
      this.#requestTimeoutMs,
      signal,
      async (abortSignal, deadline) => {
        try {
          return await send({ abortSignal }, deadline)
        } catch (error) {
          throw kinesisErrorOf(error, thisCall)
        }
      },
      () => kinesisTimeout(thisCall, this.#requestTimeoutMs)
    )
  }
}

function filterParameter(filter: ShardFilter | undefined): Pick<ListShardsCommandInput, 'ShardFilter'> {
  return filter === undefined ? {} : { ShardFilter: { Type: filter.type, Timestamp: new Date(filter.timestampMs) } }
}

function shardFrom(shard: ShardInApi): Shard {
  const { ShardId = '', ParentShardId, AdjacentParentShardId, HashKeyRange, SequenceNumberRange } = shard
  const { StartingSequenceNumber = '', EndingSequenceNumber } = SequenceNumberRange ?? {}
  return {
    shardId: ShardId,
    ...(ParentShardId && { parentShardId: ParentShardId }),
    ...(AdjacentParentShardId && { adjacentParentShardId: AdjacentParentShardId }),
    hashKeyRange: hashKeyRangeFrom(HashKeyRange),
    startingSequenceNumber: StartingSequenceNumber,
    ...(EndingSequenceNumber && { endingSequenceNumber: EndingSequenceNumber })
  }
}
