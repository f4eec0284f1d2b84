// Which Kinesis and which DynamoDB the commands talk to: the flags that say so, as configurations of the clients of the AWS SDK.
import { OptionError } from '../model/errors.ts'

/** The flags that every command about AWS has. */
export interface AwsFlags {
  readonly endpoint?: string
  readonly endpointDynamodb?: string
  readonly region?: string
  readonly profile?: string
}

/** What a client of the SDK is configured with; what is absent is what the environment says. */
export interface ClientConfig {
  readonly endpoint?: string
  readonly region?: string
  readonly profile?: string
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

/** The configurations of the two clients. */
export interface ClientConfigs {
  readonly kinesis: ClientConfig
  readonly dynamodb: ClientConfig
}

/** Emulators take any credentials, but the SDK sends nothing without some. */
const FOR_EMULATORS = { accessKeyId: 'local', secretAccessKey: 'local' } as const

/**
 * The configurations that flags ask for. An endpoint on this machine needs neither a region nor credentials.
 *
 * @throws OptionError naming the flag
 */
export function clientConfigs(flags: AwsFlags, env: Readonly<Record<string, string | undefined>>): ClientConfigs {
  return {
    kinesis: configFor('--endpoint', flags.endpoint, flags, env),
    dynamodb: configFor('--endpoint-dynamodb', flags.endpointDynamodb, flags, env)
  }
}

function configFor(
  flag: string,
  endpoint: string | undefined,
  { region, profile }: AwsFlags,
  env: Readonly<Record<string, string | undefined>>
): ClientConfig {
  const isLocal = endpoint !== undefined && isLoopback(hostOf(flag, endpoint))
  const hasRegion = region ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION
  const hasIdentity = profile ?? env.AWS_PROFILE ?? env.AWS_ACCESS_KEY_ID
  return {
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    ...(profile !== undefined && { profile }),
    ...(isLocal && hasRegion === undefined && { region: 'us-east-1' }),
    ...(isLocal && hasIdentity === undefined && { credentials: FOR_EMULATORS })
  }
}

function hostOf(flag: string, endpoint: string): string {
  const [, host] = /^https?:\/\/(\[[0-9a-f:]+\]|[^/:@?#\s]+)(?::\d{1,5})?\/?$/i.exec(endpoint) ?? []
  if (host !== undefined) return host.toLowerCase()
  throw new OptionError(flag, `is ${JSON.stringify(endpoint)}, expected a URL such as http://127.0.0.1:4567`)
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}
