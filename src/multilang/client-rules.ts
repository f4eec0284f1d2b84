// How the three clients of the AWS SDK are configured: regions, endpoints and credentials, as a .properties file says.
import { shown } from '../model/option-rules.ts'
import { type CredentialSource, parseCredentials } from './credential-rules.ts'
import type { ClientPlan } from './daemon-plan.ts'
import type { PropertySheet } from './property-rules.ts'
import type { ClientPrefix } from './property-table.ts'

const REGION = { pattern: /^[a-z]{2}[a-z0-9-]*-\d+$/, expected: 'a region such as us-east-1' }
const URL_FORM = /^https?:\/\/(\[[0-9a-f:]+\]|[^/:@?#\s]+)(:\d{1,5})?\/?$/i

/** What the properties about the clients come to. */
export function planClients(sheet: PropertySheet): Readonly<Record<ClientPrefix, ClientPlan>> {
  const region = sheet.text('regionName', REGION)
  const credentials = planCredentials(sheet, 'AwsCredentialsProvider')
  if (credentials === undefined && !sheet.has('AwsCredentialsProvider')) {
    sheet.absent(
      'AwsCredentialsProvider',
      'the default chain of the AWS SDK is used; KCL for Java would refuse to start'
    )
  }
  const plan = (
    prefix: ClientPrefix,
    endpointKey: string | undefined,
    credentialsKey: string | undefined
  ): ClientPlan => {
    const own = credentialsKey === undefined ? undefined : planCredentials(sheet, credentialsKey)
    return {
      ...planClient(sheet, prefix, region, endpointKey),
      credentials: own ?? credentials ?? [{ kind: 'default' }]
    }
  }
  return {
    kinesisClient: plan('kinesisClient', 'kinesisEndpoint', undefined),
    dynamoDbClient: plan('dynamoDbClient', 'dynamoDBEndpoint', 'AwsCredentialsProviderDynamoDB'),
    cloudWatchClient: plan('cloudWatchClient', undefined, 'AwsCredentialsProviderCloudWatch')
  }
}

function planClient(
  sheet: PropertySheet,
  prefix: ClientPrefix,
  commonRegion: string | undefined,
  endpointKey: string | undefined
): Omit<ClientPlan, 'credentials'> {
  const region = sheet.text(`${prefix}.region`, REGION) ?? commonRegion
  const override = planEndpoint(sheet, `${prefix}.endpointOverride`)
  const common = endpointKey === undefined ? undefined : planEndpoint(sheet, endpointKey)
  if (override !== undefined && common !== undefined && endpointKey !== undefined) {
    sheet.overridden(endpointKey, `${prefix}.endpointOverride counts`)
  }
  const endpoint = override ?? common
  const useDualstackEndpoint = sheet.flag(`${prefix}.dualstackEnabled`)
  const useFipsEndpoint = sheet.flag(`${prefix}.fipsEnabled`)
  return {
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    ...(useDualstackEndpoint !== undefined && { useDualstackEndpoint }),
    ...(useFipsEndpoint !== undefined && { useFipsEndpoint })
  }
}

function planEndpoint(sheet: PropertySheet, key: string): string | undefined {
  const endpoint = sheet.text(key)
  if (endpoint === undefined || URL_FORM.test(endpoint)) return endpoint
  return sheet.refuse(key, `is ${shown(endpoint)}, expected a URL such as https://kinesis.us-east-1.amazonaws.com`)
}

function planCredentials(sheet: PropertySheet, key: string): readonly CredentialSource[] | undefined {
  const value = sheet.text(key)
  if (value === undefined) return undefined
  const outcome = parseCredentials(value)
  return outcome.kind === 'sources' ? outcome.sources : sheet.refuse(key, outcome.problem)
}
