// The calls to DynamoDB Streams through the AWS SDK: one attempt each, bounded in time, with errors of ours, and with the time at the
// service where it says that.
import type {
  DescribeStreamCommandInput,
  DescribeStreamCommandOutput,
  DynamoDBStreamsClient,
  DynamoDBStreamsClientConfig,
  GetRecordsCommandOutput,
  GetShardIteratorCommandInput,
  ListStreamsCommandOutput
} from '@aws-sdk/client-dynamodb-streams'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { keepDate } from '../kinesis/sdk-answer-date.ts'
import { ServiceError } from '../model/errors.ts'
import { peerPackage } from '../model/peer-package.ts'
import type { Clock } from '../runtime/clock.ts'
import { withDeadline } from '../runtime/deadline.ts'
import load, { type Package } from './dynamodb-streams-package.cts'
import { callText, type FailedCall, isTrimmed, streamsError } from './sdk-streams-errors.ts'

const dynamodb = peerPackage<Package>('millrace/dynamodb-streams', '@aws-sdk/client-dynamodb-streams', load)

/** A client of the AWS SDK to use as it is, which is never destroyed here; or the configuration of one. */
export type DynamoDBStreamsClientOption = DynamoDBStreamsClient | DynamoDBStreamsClientConfig

/** An answer, and what time it was at the service then. Epoch milliseconds, rounded down to a second; absent: it was not said. */
export interface Dated<T> {
  readonly answer: T
  readonly serviceTimeMs?: number
}

/** How the service is reached. */
export interface StreamsCallsOptions {
  readonly tableName: string
  readonly client: DynamoDBStreamsClientOption | undefined
  /** What an ARN says of the region. Absent: the client or the environment knows. */
  readonly region: string | undefined
  readonly clock: Clock
  /** How long one call may take. Milliseconds. */
  readonly requestTimeoutMs: number
}

/** Connections, however many shards there are: a call takes a small part of a second. */
const MAX_SOCKETS = 256
/** What one ListStreams or DescribeStream answers at most. */
const PAGE = 100

/** The calls about the streams of one table. Each rejects with a ConsumerError, or with the reason of `signal` once that aborts. */
export class StreamsCalls {
  readonly #options: StreamsCallsOptions
  readonly #client: DynamoDBStreamsClient
  readonly #isOurs: boolean

  constructor(options: StreamsCallsOptions) {
    const { client, region } = options
    this.#options = options
    this.#isOurs = !isClient(client)
    this.#client = isClient(client) ? client : ownClient(client ?? {}, region)
  }

  /** The ARNs of all streams that the table has, those included that were disabled lately. */
  async listStreams(signal: AbortSignal | undefined): Promise<string[]> {
    const { tableName: TableName } = this.#options
    const arns: string[] = []
    let after: string | undefined
    do {
      const from = after === undefined ? {} : { ExclusiveStartStreamArn: after }
      const command = new dynamodb.ListStreamsCommand({ TableName, Limit: PAGE, ...from })
      const answer: ListStreamsCommandOutput = await this.#call({ name: 'ListStreams' }, signal, sending =>
        this.#client.send(command, sending)
      )
      arns.push(...(answer.Streams ?? []).flatMap(({ StreamArn }) => StreamArn ?? []))
      after = answer.LastEvaluatedStreamArn
    } while (after !== undefined)
    return arns
  }

  /** One page of DescribeStream. */
  async describeStream(
    input: DescribeStreamCommandInput,
    signal: AbortSignal | undefined
  ): Promise<Dated<NonNullable<DescribeStreamCommandOutput['StreamDescription']>>> {
    const command = new dynamodb.DescribeStreamCommand({ Limit: PAGE, ...input })
    const dateOf = keepDate(command)
    const shardId = input.ShardFilter?.ShardId
    const answer = await this.#call({ name: 'DescribeStream', shardId }, signal, sending =>
      this.#client.send(command, sending)
    )
    return { answer: answer.StreamDescription ?? {}, ...dateOf() }
  }

  /** GetShardIterator. `trimmed`: the record that it is to begin at is not there any more. */
  async getShardIterator(
    input: GetShardIteratorCommandInput & { readonly ShardId: string },
    signal: AbortSignal | undefined
  ): Promise<string | 'trimmed'> {
    const command = new dynamodb.GetShardIteratorCommand(input)
    return this.#call({ name: 'GetShardIterator', shardId: input.ShardId }, signal, async sending => {
      try {
        const { ShardIterator = '' } = await this.#client.send(command, sending)
        return ShardIterator
      } catch (error) {
        if (isTrimmed(error)) return 'trimmed'
        throw error
      }
    })
  }

  /** GetRecords. `trimmed`: what the iterator stands for is not there any more. */
  async getRecords(
    shardId: string,
    input: { readonly ShardIterator: string; readonly Limit: number },
    signal: AbortSignal | undefined
  ): Promise<Dated<GetRecordsCommandOutput> | 'trimmed'> {
    const command = new dynamodb.GetRecordsCommand(input)
    const dateOf = keepDate(command)
    return this.#call({ name: 'GetRecords', shardId }, signal, async sending => {
      try {
        const answer = await this.#client.send(command, sending)
        return { answer, ...dateOf() }
      } catch (error) {
        if (isTrimmed(error)) return 'trimmed'
        throw error
      }
    })
  }

  /** Lets connections go, if the client was made here. */
  close(): void {
    if (this.#isOurs) this.#client.destroy()
  }

  #call<T>(
    call: Omit<FailedCall, 'tableName'>,
    signal: AbortSignal | undefined,
    send: (options: { abortSignal: AbortSignal }) => Promise<T>
  ): Promise<T> {
    const { clock, requestTimeoutMs: ms, tableName } = this.#options
    const thisCall = { ...call, tableName }
    const work = async (abortSignal: AbortSignal): Promise<T> => {
      try {
        return await send({ abortSignal })
      } catch (error) {
        throw streamsError(error, thisCall)
      }
    }
    return withDeadline(clock, ms, signal, work, () => {
      return new ServiceError('timeout', `${callText(thisCall)}: there was no answer within ${ms} ms`, {
        retryable: true
      })
    })
  }
}

function isClient(given: DynamoDBStreamsClientOption | undefined): given is DynamoDBStreamsClient {
  return given !== undefined && 'send' in given && typeof given.send === 'function'
}

function ownClient(config: DynamoDBStreamsClientConfig, region: string | undefined): DynamoDBStreamsClient {
  const agent = { keepAlive: true, maxSockets: MAX_SOCKETS }
  return new dynamodb.DynamoDBStreamsClient({
    requestHandler: new NodeHttpHandler({ httpAgent: agent, httpsAgent: agent }),
    // Trying again is for the loops above, which know what is urgent.
    maxAttempts: 1,
    ...config,
    ...(config.region === undefined && region !== undefined && { region })
  })
}
