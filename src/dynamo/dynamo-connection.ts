// How another thread reaches the same DynamoDB as a client of this one: where it is, and with which credentials, as data.
// What cannot be sent is left out: request handlers, such as one for a proxy, and middleware.
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { clientOf, type DynamoDBClientOption } from './dynamo-client.ts'
import { dynamoError } from './dynamo-errors.ts'

/** Credentials as plain data. */
export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Of temporary credentials. */
  readonly sessionToken?: string
  /** When they expire, in epoch milliseconds. Absent: never, as far as is known. */
  readonly expiresAtMs?: number
}

/** Where a client finds DynamoDB. Plain data. */
export interface ClientSettings {
  readonly region: string
  /** URL, if it was set explicitly. Absent: that of the region, or of the environment. */
  readonly endpoint?: string
  /** Whether to use endpoints that comply with FIPS 140. */
  readonly useFipsEndpoint: boolean
  /** Whether to use endpoints that know IPv6. */
  readonly useDualstackEndpoint: boolean
}

/** What a client is connected to. */
export interface DynamoConnection {
  readonly settings: ClientSettings
  /**
   * The credentials as they are now; the SDK fetches new ones in the last five minutes of theirs.
   *
   * @throws ServiceError of kind `access-denied` if there are none
   */
  credentials(): Promise<AwsCredentials>
}

/**
 * What a client, or one with this configuration, is connected to. Makes no call to DynamoDB; may look into configuration
 * files and ask for the region of this machine.
 *
 * @throws ServiceError if no region is known
 */
export async function connectionOf(option: DynamoDBClientOption | undefined): Promise<DynamoConnection> {
  const { config } = clientOf(option)
  const settings = await orServiceError('Looking up the region of the DynamoDB client', async () => {
    const endpoint = await config.endpoint?.()
    return {
      region: await config.region(),
      ...(endpoint && { endpoint: urlOf(endpoint) }),
      useFipsEndpoint: await config.useFipsEndpoint(),
      useDualstackEndpoint: await config.useDualstackEndpoint()
    }
  })
  return {
    settings,
    credentials: () =>
      orServiceError('Looking up the credentials of the DynamoDB client', async () => {
        const { accessKeyId, secretAccessKey, sessionToken, expiration } = await config.credentials()
        return {
          accessKeyId,
          secretAccessKey,
          ...(sessionToken !== undefined && { sessionToken }),
          ...(expiration !== undefined && { expiresAtMs: expiration.getTime() })
        }
      })
  }
}

/** A client with these settings that asks for its credentials anew for every call. */
export function clientFor(settings: ClientSettings, credentials: () => AwsCredentials): DynamoDBClient {
  const { region, endpoint, useFipsEndpoint, useDualstackEndpoint } = settings
  // Marked, because the SDK would otherwise keep the first ones that it is given.
  const provider = Object.assign(async () => identityOf(credentials()), { memoized: true })
  return clientOf({
    region,
    ...(endpoint !== undefined && { endpoint }),
    useFipsEndpoint,
    useDualstackEndpoint,
    credentials: provider
  })
}

function identityOf({ expiresAtMs, ...credentials }: AwsCredentials) {
  return { ...credentials, ...(expiresAtMs !== undefined && { expiration: new Date(expiresAtMs) }) }
}

interface Endpoint {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
}

function urlOf({ protocol, hostname, port, path }: Endpoint): string {
  return `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`
}

/** The work, whose failures become errors of ours. */
async function orServiceError<T>(about: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw dynamoError(error, about)
  }
}
