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
  /** Lets GetRecords open as many connections as there are shards to read, and no more. Does nothing to what the user brought. */
  expectShards(count: number): void
  /** Lets connections go, if the client is ours. */
  destroy(): void
}

/** Connections for GetRecords alone: a read that hangs keeps no other call waiting, and many other calls keep no read. */
export interface RecordsLine {
  readonly handler: KinesisClient['config']['requestHandler']
  /** As many as there are connections. */
  readonly places: CallPlaces
}

/** Connections for GetRecords, however many shards there are: a call takes a small part of a second. */
const MAX_SOCKETS = 256
/** Connections for all other calls, besides as many as there are shards: where the client is traced, GetRecords uses these too. */
const OTHER_SOCKETS = 32

/** The client that was given, or one of our own: as configured, otherwise with what the environment says. */
export function clientInUse(given: KinesisClientOption | undefined, stream: StreamReference): ClientInUse {
  if (isClient(given)) return { client: given, isOurs: false, expectShards: () => {}, destroy: () => {} }
  const others = agentsFor(MAX_SOCKETS + OTHER_SOCKETS)
  const client = clientOfOurs(given ?? {}, stream, new NodeHttpHandler(others))
  if (given?.requestHandler !== undefined) {
    return { client, isOurs: true, expectShards: () => {}, destroy: () => client.destroy() }
  }
  const agents = agentsFor(MAX_SOCKETS)
  const recordsLine = { handler: new NodeHttpHandler(agents), places: new CallPlaces(MAX_SOCKETS) }
  return {
    client,
    isOurs: true,
    recordsLine,
    expectShards: count => {
      const maxSockets = Math.min(Math.max(1, count), MAX_SOCKETS)
      limit(agents, maxSockets)
      limit(others, maxSockets + OTHER_SOCKETS)
      // Last: an agent does not look again at what waits for a connection already.
      recordsLine.places.resize(maxSockets)
    },
    destroy: () => {
      client.destroy()
      recordsLine.handler.destroy()
    }
  }
}

interface Agents {
  readonly httpAgent: HttpAgent
  readonly httpsAgent: HttpsAgent
}

function agentsFor(maxSockets: number): Agents {
  const settings = { keepAlive: true, maxSockets }
  return { httpAgent: new HttpAgent(settings), httpsAgent: new HttpsAgent(settings) }
}

function limit({ httpAgent, httpsAgent }: Agents, maxSockets: number): void {
  httpAgent.maxSockets = maxSockets
  httpsAgent.maxSockets = maxSockets
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
