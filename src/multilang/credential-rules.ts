// Names of credentials providers of the AWS SDK for Java, 1.x and 2.x, and of KCL's own, as what they do. Which package does it is
// not known here.

/** A role to be assumed, and where. */
export interface AssumedRole {
  readonly kind: 'assume-role'
  readonly roleArn: string
  readonly sessionName: string
  readonly externalId?: string
  /** Region of the STS that is asked. */
  readonly region?: string
  /** URL of the STS that is asked. */
  readonly endpoint?: string
}

/** Where credentials come from. */
export type CredentialSource =
  | { readonly kind: 'default' }
  | { readonly kind: 'environment' }
  | {
      readonly kind: 'static'
      readonly accessKeyId: string
      readonly secretAccessKey: string
      readonly sessionToken?: string
    }
  | { readonly kind: 'profile'; readonly profile?: string }
  | { readonly kind: 'instance' }
  | { readonly kind: 'container' }
  | { readonly kind: 'container-or-instance' }
  | { readonly kind: 'web-identity' }
  | AssumedRole

/** The sources that a value names, in the order in which they are asked; or what is wrong with it. */
export type CredentialsOutcome =
  | { readonly kind: 'sources'; readonly sources: readonly CredentialSource[] }
  | { readonly kind: 'refused'; readonly problem: string }

type Parsed = CredentialSource | { readonly kind: 'refused'; readonly problem: string }

/** Packages that the providers are in; a name may come with one or without. */
const PACKAGES: readonly string[] = [
  'software.amazon.kinesis.multilang.auth.',
  'software.amazon.awssdk.auth.credentials.',
  'software.amazon.awssdk.services.sts.auth.',
  'com.amazonaws.auth.profile.',
  'com.amazonaws.auth.',
  'com.amazonaws.services.kinesis.multilang.auth.'
]

/** What each provider does, by the name of its class. */
const PROVIDERS: Readonly<Record<string, (args: readonly string[]) => Parsed>> = {
  DefaultCredentialsProvider: () => ({ kind: 'default' }),
  DefaultAWSCredentialsProviderChain: () => ({ kind: 'default' }),
  EnvironmentVariableCredentialsProvider: () => ({ kind: 'environment' }),
  ProfileCredentialsProvider: ([profile]) => ({ kind: 'profile', ...(profile !== undefined && { profile }) }),
  ProcessCredentialsProvider: () =>
    refused(
      'is a program that Java is told of in code: put it into a profile (credential_process) and name ProfileCredentialsProvider|PROFILE'
    ),
  InstanceProfileCredentialsProvider: () => ({ kind: 'instance' }),
  ContainerCredentialsProvider: () => ({ kind: 'container' }),
  EC2ContainerCredentialsProviderWrapper: () => ({ kind: 'container-or-instance' }),
  WebIdentityTokenFileCredentialsProvider: () => ({ kind: 'web-identity' }),
  WebIdentityTokenCredentialsProvider: () => ({ kind: 'web-identity' }),
  StaticCredentialsProvider: staticCredentials,
  KclStaticCredentialsProvider: staticCredentials,
  StsAssumeRoleCredentialsProvider: assumedRole,
  KclStsAssumeRoleCredentialsProvider: assumedRole,
  STSAssumeRoleSessionCredentialsProvider: assumedRole,
  KclSTSAssumeRoleSessionCredentialsProvider: assumedRole,
  SystemPropertyCredentialsProvider: () => refused('reads system properties of a JVM, and there is none'),
  SystemPropertiesCredentialsProvider: () => refused('reads system properties of a JVM, and there is none'),
  ClasspathPropertiesFileCredentialsProvider: () =>
    refused(
      'reads a file from the class path of a JVM: put the keys into a profile, and name ProfileCredentialsProvider|PROFILE'
    ),
  PropertiesFileCredentialsProvider: () =>
    refused('is not known here: put the keys into a profile, and name ProfileCredentialsProvider|PROFILE'),
  AnonymousCredentialsProvider: () => refused('signs nothing, and Kinesis and DynamoDB want every call signed')
}

/** Names of the providers that do something here, for a message. */
export const KNOWN_PROVIDERS: readonly string[] = Object.entries(PROVIDERS)
  .filter(([, parse]) => parse(['arn:aws:iam::123456789012:role/some', 'session']).kind !== 'refused')
  .map(([name]) => name)

/**
 * Reads the value of `AwsCredentialsProvider`: names with commas between them, each with arguments behind bars. What is refused is
 * told without the arguments, which may be secret.
 */
export function parseCredentials(value: string): CredentialsOutcome {
  const parsed = value
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '')
    .map(parseProvider)
  const problems = parsed.flatMap(each => (each.kind === 'refused' ? [each.problem] : []))
  if (problems.length > 0) return { kind: 'refused', problem: problems.join('; ') }
  if (parsed.length === 0) return { kind: 'refused', problem: 'names no provider' }
  return { kind: 'sources', sources: parsed.filter(each => each.kind !== 'refused') }
}

/** A provider as it may be shown: its name. What may be a key that stands where a name should is left out. */
export function shownProvider(text: string): string {
  const given = text.trim()
  const [name = ''] = /^[\w$.]*/.exec(given) ?? []
  const isAlone = name === given && (name.length < 16 || name.includes('.'))
  const isClass = isAlone || /(provider|chain|wrapper)$/i.test(name)
  if (!isClass) return '…'
  if (name === given) return name
  return given[name.length] === '|' ? `${name}|…` : `${name}…`
}

function parseProvider(text: string): Parsed {
  const [given = '', ...args] = text.split('|').map(part => part.trim())
  const name = given.slice(PACKAGES.find(prefix => given.startsWith(prefix))?.length ?? 0)
  const parse = Object.hasOwn(PROVIDERS, name) ? PROVIDERS[name] : undefined
  if (parse === undefined) {
    const shown = shownProvider(given)
    const what =
      shown === given ? `names ${given}, a class that only Java can load` : `names ${shown}, which is no class`
    const form = shown === given ? '' : ', with arguments behind bars (NAME|ARGUMENT|ARGUMENT)'
    return refused(`${what}; expected one of ${KNOWN_PROVIDERS.join(', ')}${form}`)
  }
  const parsed = parse(args)
  return parsed.kind === 'refused' ? refused(`names ${name}, which ${parsed.problem}`) : parsed
}

function staticCredentials([accessKeyId = '', secretAccessKey = '', sessionToken]: readonly string[]): Parsed {
  if (accessKeyId === '' || secretAccessKey === '')
    return refused('needs two arguments: NAME|access key id|secret access key')
  return { kind: 'static', accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) }
}

/** `NAME|role arn|session name`, and behind that `key=value`: endpointRegion, endpoint (URL^region), externalId. */
function assumedRole([roleArn = '', sessionName = '', ...nested]: readonly string[]): Parsed {
  if (!/^arn:[^:]+:iam::\d{12}:role\/.+$/.test(roleArn) || sessionName === '') {
    return refused('needs two arguments: NAME|arn:aws:iam::ACCOUNT:role/ROLE|session name')
  }
  let role: AssumedRole = { kind: 'assume-role', roleArn, sessionName }
  for (const text of nested) {
    const [key = '', value = '', ...more] = text.split('=')
    if (value === '' || more.length > 0) return refused(`has an argument that is no key=value (${key})`)
    const [url = '', signingRegion] = value.split('^')
    if (key === 'endpointRegion') role = { ...role, region: value }
    else if (key === 'externalId') role = { ...role, externalId: value }
    else if (key !== 'endpoint')
      return refused(`has an argument ${key}, expected endpointRegion, endpoint or externalId`)
    else if (signingRegion === undefined)
      return refused('has an endpoint without a region, expected endpoint=URL^REGION')
    else role = { ...role, endpoint: /^https?:\/\//.test(url) ? url : `https://${url}`, region: signingRegion }
  }
  return role
}

function refused(problem: string): { readonly kind: 'refused'; readonly problem: string } {
  return { kind: 'refused', problem }
}
