// Credentials from the sources that a .properties file names. Environment, static keys and the default chain need no package; the
// others are those of @aws-sdk/credential-providers, which is loaded when one of them is named.
import { messageOf, ServiceError } from '../model/errors.ts'
import loadPackage, { type Package } from './credential-package.cts'
import type { AssumedRole, CredentialSource } from './credential-rules.ts'

/** Credentials as a client of the AWS SDK takes them. */
export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly expiration?: Date
}

/** Finds credentials; a client of the SDK calls it, and calls it again shortly before they expire. */
export type CredentialsProvider = () => Promise<Credentials>

/** What providers are made with. */
export interface CredentialPorts {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Region of a role's STS where nothing else is said. Absent: as the environment says. */
  readonly region?: string | undefined
  /** Loads the package. Absent: from node_modules. */
  readonly load?: (() => Package) | undefined
}

/**
 * A provider that asks one source after another. `undefined` for the default chain alone, which every client has already.
 *
 * @throws ServiceError `not-found` if a source needs a package that is not installed
 */
export function credentialsProvider(
  sources: readonly CredentialSource[],
  ports: CredentialPorts
): CredentialsProvider | undefined {
  if (sources.every(({ kind }) => kind === 'default')) return undefined
  const stranger = sources.find(({ kind }) => kind !== 'environment' && kind !== 'static')
  const providers = stranger === undefined ? undefined : loadProviders(stranger.kind, ports)
  const chain = sources.map(source => ({ kind: source.kind, find: providerOf(source, ports, providers) }))
  const [only, ...others] = chain
  return only !== undefined && others.length === 0 ? only.find : () => firstOf(chain)
}

function loadProviders(
  kind: CredentialSource['kind'],
  { load = loadPackage as unknown as () => Package }: CredentialPorts
): Package {
  try {
    return load()
  } catch (cause) {
    const { code } = Object(cause) as { readonly code?: string }
    const isMissing = code === 'MODULE_NOT_FOUND'
    const what = isMissing
      ? 'is not installed: npm install @aws-sdk/credential-providers, or name DefaultCredentialsProvider, which finds most of them'
      : `cannot be loaded: ${messageOf(cause)}`
    const message = `Credentials of the kind ${kind} need the package @aws-sdk/credential-providers, which ${what}`
    throw new ServiceError(isMissing ? 'not-found' : 'other', message, { retryable: false, cause })
  }
}

function providerOf(
  source: CredentialSource,
  { env, region }: CredentialPorts,
  providers: Package | undefined
): CredentialsProvider {
  if (source.kind === 'environment') return async () => fromEnvironment(env)
  if (source.kind === 'static') {
    const { kind, ...keys } = source
    return async () => keys
  }
  if (providers === undefined) throw new TypeError(`No package for credentials of the kind ${source.kind}`)
  switch (source.kind) {
    case 'default':
      return providers.fromNodeProviderChain()
    case 'profile':
      return providers.fromIni(source.profile === undefined ? {} : { profile: source.profile })
    case 'instance':
      return providers.fromInstanceMetadata()
    case 'container':
      return containerProvider(env, providers)
    case 'container-or-instance':
      return isInContainer(env) ? containerProvider(env, providers) : providers.fromInstanceMetadata()
    case 'web-identity':
      return providers.fromTokenFile(region === undefined ? {} : { clientConfig: { region } })
    case 'assume-role':
      return roleProvider(source, region, providers)
  }
}

/** ECS names a path, EKS (pod identity) and others a whole URL, for which there may be a token. */
function containerProvider(env: CredentialPorts['env'], providers: Package): CredentialsProvider {
  return env.AWS_CONTAINER_CREDENTIALS_FULL_URI === undefined
    ? providers.fromContainerMetadata()
    : providers.fromHttp({})
}

function isInContainer(env: CredentialPorts['env']): boolean {
  const names = ['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI', 'AWS_CONTAINER_CREDENTIALS_FULL_URI']
  return names.some(name => (env[name] ?? '') !== '')
}

function roleProvider(
  { roleArn, sessionName, externalId, region, endpoint }: AssumedRole,
  ownRegion: string | undefined,
  providers: Package
): CredentialsProvider {
  const stsRegion = region ?? ownRegion
  return providers.fromTemporaryCredentials({
    params: {
      RoleArn: roleArn,
      RoleSessionName: sessionName,
      ...(externalId !== undefined && { ExternalId: externalId })
    },
    clientConfig: { ...(stsRegion !== undefined && { region: stsRegion }), ...(endpoint !== undefined && { endpoint }) }
  })
}

function fromEnvironment(env: CredentialPorts['env']): Credentials {
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken
  } = env
  if (!accessKeyId || !secretAccessKey) {
    throw new ServiceError('access-denied', 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set', {
      retryable: false
    })
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) }
}

/** The first that has some. Whoever has none is asked again the next time, for that may change. */
async function firstOf(
  chain: readonly { readonly kind: string; readonly find: CredentialsProvider }[]
): Promise<Credentials> {
  const reasons: string[] = []
  for (const { kind, find } of chain) {
    try {
      return await find()
    } catch (error) {
      reasons.push(`${kind}: ${messageOf(error)}`)
    }
  }
  const message = `None of the providers has credentials (${reasons.join('; ')})`
  throw new ServiceError('access-denied', message, { retryable: true })
}
