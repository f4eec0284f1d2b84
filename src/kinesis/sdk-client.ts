// The client of the AWS SDK that calls go through: one that was given, or one of our own with connections that are kept open.
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { KinesisClient, type KinesisClientConfig } from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { CallPlaces } from './call-places.ts'

/** A client of the AWS SDK to use as it is, or what to configure one of our own with. */
export type KinesisClientOption = KinesisClient | KinesisClientConfig

/** Which stream: by name in the client's account and region, or by ARN, which may be of another account. */
export type StreamReference = { readonly streamName: string } | { readonly streamArn: string }

/** A client, and whose it is. */
export interface ClientInUse {
  readonly client: KinesisClient
  /** Whether it was made here, so that it is ours to destroy. */
  readonly isOurs: boolean
  /** What GetRecords is sent over. Absent: what the client sends everything over, because the user brought that. */
  readonly recordsLine?: RecordsLine
  /** Lets calls open as many connections as these shards need, and no more. Does nothing to what the user brought. */
  expectShards(count: number): void
  /** Lets connections go, if the client is ours. */
  destroy(): void
}

/**
 * How GetRecords is sent: so many at a time, over the connections of the client. A shard is either read or about to be, so what
 * opens shards uses the connections that nobody reads over yet.
 */
export interface RecordsLine {
  readonly handler: KinesisClient['config']['requestHandler']
  /** Fewer than there are connections: a read that hangs keeps no other call waiting. */
  readonly places: CallPlaces
}

/** Connections, however many shards there are: a call takes a small part of a second. */
const MAX_SOCKETS = 256
/** Connections that are left to other calls. */
const OTHER_SOCKETS = 2
/** With fewer shards, those come on top. */
const MANY_SHARDS = 10

/** The client that was given, or one of our own: as configured, otherwise with what the environment says. */
export function clientInUse(given: KinesisClientOption | undefined, stream: StreamReference): ClientInUse {
  if (isClient(given)) return { client: given, isOurs: false, expectShards: () => {}, destroy: () => {} }
  const settings = { keepAlive: true, maxSockets: MAX_SOCKETS }
  const [httpAgent, httpsAgent] = [new HttpAgent(settings), new HttpsAgent(settings)]
  const handler = new NodeHttpHandler({ httpAgent, httpsAgent })
  const client = clientOfOurs(given ?? {}, stream, handler)
  if (given?.requestHandler !== undefined) {
    return { client, isOurs: true, expectShards: () => {}, destroy: () => client.destroy() }
  }
  const places = new CallPlaces(MAX_SOCKETS - OTHER_SOCKETS)
  return {
    client,
    isOurs: true,
    recordsLine: { handler, places },
    expectShards: count => {
      const sockets = socketsFor(count)
      httpAgent.maxSockets = sockets
      httpsAgent.maxSockets = sockets
      // Last: an agent does not look again at what waits for a connection already.
      places.resize(sockets - OTHER_SOCKETS)
    },
    destroy: () => client.destroy()
  }
}

/** One for each shard, and with few shards what other calls need on top. */
function socketsFor(shards: number): number {
  const least = Math.min(Math.max(1, shards) + OTHER_SOCKETS, MANY_SHARDS)
  return Math.min(Math.max(shards, least), MAX_SOCKETS)
}

function isClient(given: KinesisClientOption | undefined): given is KinesisClient {
  return given !== undefined && 'send' in given && typeof given.send === 'function'
}

function clientOfOurs(
  given: KinesisClientConfig,
  stream: StreamReference,
  requestHandler: NodeHttpHandler
): KinesisClient {
  const region = 'streamArn' in stream ? stream.streamArn.split(':')[3] : undefined
  return new KinesisClient({
    // The handler that the SDK chooses for Kinesis opens a TLS connection for every request.
    requestHandler,
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
