// The client of the AWS SDK that calls go through: one that was given, or one of our own with connections that are kept open.
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { KinesisClient, type KinesisClientConfig } from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'

/** A client of the AWS SDK to use as it is, or what to configure one of our own with. */
export type KinesisClientOption = KinesisClient | KinesisClientConfig

/** Which stream: by name in the client's account and region, or by ARN, which may be of another account. */
export type StreamReference = { readonly streamName: string } | { readonly streamArn: string }

/** A client, and whose it is. */
export interface ClientInUse {
  readonly client: KinesisClient
  /** Whether it was made here, so that it is ours to destroy. */
  readonly isOurs: boolean
  /** Lets it open as many connections as there are shards to read, and no more. Does nothing to what the user brought. */
  expectShards(count: number): void
}

/** Connections that a client of ours may open, however many shards there are: a call takes a small part of a second. */
const MAX_SOCKETS = 256

/** The client that was given, or one of our own: as configured, otherwise with what the environment says. */
export function clientInUse(given: KinesisClientOption | undefined, stream: StreamReference): ClientInUse {
  if (isClient(given)) return { client: given, isOurs: false, expectShards: () => {} }
  const settings = { keepAlive: true, maxSockets: MAX_SOCKETS }
  const agents = { httpAgent: new HttpAgent(settings), httpsAgent: new HttpsAgent(settings) }
  return {
    client: clientOfOurs(given ?? {}, stream, agents),
    isOurs: true,
    expectShards: count => {
      const maxSockets = Math.min(Math.max(1, count), MAX_SOCKETS)
      agents.httpAgent.maxSockets = maxSockets
      agents.httpsAgent.maxSockets = maxSockets
    }
  }
}

function isClient(given: KinesisClientOption | undefined): given is KinesisClient {
  return given !== undefined && 'send' in given && typeof given.send === 'function'
}

function clientOfOurs(
  given: KinesisClientConfig,
  stream: StreamReference,
  agents: { readonly httpAgent: HttpAgent; readonly httpsAgent: HttpsAgent }
): KinesisClient {
  const region = 'streamArn' in stream ? stream.streamArn.split(':')[3] : undefined
  return new KinesisClient({
    // The handler that the SDK chooses for Kinesis opens a TLS connection for every request.
    requestHandler: new NodeHttpHandler(agents),
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
