// Calls to DynamoDB about one table, each bounded in time and with errors of ours. Knows nothing of what is in it.
import { type AttributeValue, DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { unmarshall } from '@aws-sdk/util-dynamodb'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import type { CallListener } from '../metrics/request-meter.ts'
import type { Clock } from '../runtime/clock.ts'
import { withDeadline } from '../runtime/deadline.ts'
import { DynamoCounting } from './dynamo-counting.ts'
import { dynamoError, timeoutError } from './dynamo-errors.ts'

/** A client, which is used as it is and never destroyed here; or the configuration of one that is made for the purpose. */
export type DynamoDBClientOption = DynamoDBClient | DynamoDBClientConfig

/** What `send` of the client takes besides the command. */
export interface SendOptions {
  readonly abortSignal: AbortSignal
}

/** Calls about one table. */
export interface TableCalls {
  readonly client: DynamoDBClient
  /** The same client, for calls with items. */
  readonly documents: DynamoDBDocumentClient
  readonly tableName: string
  /**
   * Makes one call. `name` is that of the call and `key` that of the item it is about, for messages. Rejects with a
   * ThrottledError, a ServiceError, or the reason of `signal` once that aborts.
   */
  call<T>(
    name: string,
    key: string | undefined,
    send: (options: SendOptions) => Promise<T>,
    signal?: AbortSignal
  ): Promise<T>
  /** Frees the connections of a client made here. */
  close(): void
}

/** How a table is reached. */
export interface TableCallsOptions {
  readonly tableName: string
  readonly client?: DynamoDBClientOption | undefined
  readonly clock: Clock
  /** How long one call may take, retries of the SDK included. Milliseconds. */
  readonly requestTimeoutMs: number
  /** Is told of each request. Absent: nothing is counted. */
  readonly called?: CallListener | undefined
}

/** The calls that change nothing. */
const READS: ReadonlySet<string> = new Set(['DescribeTable', 'GetItem', 'Query', 'Scan'])

/** Calls about the table `tableName`, with the given client or one of our own. */
export function tableCalls(options: TableCallsOptions): TableCalls {
  const { tableName, client: option, clock, requestTimeoutMs, called } = options
  const given = isClient(option)
  const client = clientOf(option)
  const counting = called && new DynamoCounting(called)
  const documents = documentClient(client)
  return {
    client: counting?.watched(client) ?? client,
    documents: counting?.watched(documents) ?? documents,
    tableName,
    call(name, key, send, signal) {
      const about = `${name}${key === undefined ? '' : ` of ${key}`} in table ${tableName}`
      const work = async (abortSignal: AbortSignal) => {
        const sending = { abortSignal }
        counting?.begins(name, sending)
        try {
          return await send(sending)
        } catch (error) {
          throw dynamoError(error, about)
        }
      }
      const changesNothing = READS.has(name)
      return withDeadline(clock, requestTimeoutMs, signal, work, () =>
        timeoutError(about, requestTimeoutMs, { changesNothing })
      )
    },
    close() {
      if (!given) client.destroy()
    }
  }
}

/** The client that was given, or one with that configuration. Nothing is connected before its first call. */
export function clientOf(option: DynamoDBClientOption | undefined): DynamoDBClient {
  return isClient(option) ? option : ownClient(option ?? {})
}

/** An item in DynamoDB's types, read as the document client reads one. For items in errors, which it does not read. */
export function documentOf(item: Record<string, AttributeValue>): Record<string, unknown> {
  return unmarshall(item, READING)
}

// By default, a number that is not exact in JavaScript makes the whole answer fail, with all the items in it. Here it is
// the nearest one that there is: those who need exact numbers look whether they have them.
const READING = Object.freeze({ wrapNumbers: Number })

// A document client keeps its options in the `config` of the client that it is made from, and every other document client
// of that client takes them from there: the user's would read numbers our way, or we theirs. Hence a copy of `config`; all
// else is shared. No cache of middleware: a document client refuses to be made with one.
function documentClient(client: DynamoDBClient): DynamoDBDocumentClient {
  const config = { ...client.config, cacheMiddleware: false }
  const sharing: DynamoDBClient = Object.create(client, { config: { value: config } })
  // The SDK writes into the options too.
  return DynamoDBDocumentClient.from(sharing, { unmarshallOptions: { ...READING } })
}

// By its shape: with two copies of the SDK installed, a client may be of another class.
function isClient(option: DynamoDBClientOption | undefined): option is DynamoDBClient {
  return option !== undefined && 'send' in option && typeof option.send === 'function'
}

function ownClient(config: DynamoDBClientConfig): DynamoDBClient {
  const agent = { keepAlive: true, maxSockets: 100 }
  const requestHandler = new NodeHttpHandler({ httpAgent: agent, httpsAgent: agent, connectionTimeout: 2_000 })
  return new DynamoDBClient({ requestHandler, ...config })
}
