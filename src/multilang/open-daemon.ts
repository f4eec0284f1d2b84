// Opens what a plan names: clients with their credentials, the place for dead letters, the metrics. What it makes goes to the daemon.
import { fileDeadLetters } from '../dead-letters/file-dead-letters.ts'
import { kinesisDeadLetters } from '../dead-letters/kinesis-dead-letters.ts'
import type { CallPorts } from '../dead-letters/service-call.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { messageOf } from '../model/errors.ts'
import type { DeadLetterDestination } from '../processor/dead-letter.ts'
import type { Logger } from '../runtime/logger.ts'
import { type CredentialPorts, credentialsProvider } from './credential-providers.ts'
import type { ClientPlan, DaemonPlan, DeadLetterPlan } from './daemon-plan.ts'
import { joinedMetrics } from './joined-metrics.ts'
import type { MultilangSettings } from './multilang-settings.ts'

/** What a plan is opened with. */
export interface OpeningPorts extends Omit<CredentialPorts, 'region'>, CallPorts {
  readonly logger: Logger
  /** The directory that paths are relative to. */
  readonly resolvePath: (path: string) => string
  /** Makes metrics of CloudWatch. Absent: with the package that is installed. */
  readonly loadCloudWatch?: (() => Promise<CloudWatchModule>) | undefined
  /** Metrics that are wanted whatever the plan says. Absent: none. */
  readonly metrics?: Metrics | undefined
}

type CloudWatchModule = Pick<typeof import('../metrics/cloudwatch-metrics.ts'), 'cloudWatchMetrics'>

/** A daemon that can be run, and what is to be closed after it. */
export interface OpenedDaemon {
  readonly settings: MultilangSettings
  close(): void
}

/** A client's configuration; what is absent is what the environment says. */
type ClientConfig = Readonly<Record<string, unknown>>

/**
 * Opens what a plan names. Metrics of CloudWatch whose package is not installed are told of and left out.
 *
 * @throws ServiceError if credentials or dead letters need a package that is not installed
 * @throws OptionError if a destination of dead letters refuses what it is told
 */
export async function openDaemon(plan: DaemonPlan, ports: OpeningPorts): Promise<OpenedDaemon> {
  const { clients } = plan
  const kinesis = clientConfig(clients.kinesisClient, ports)
  const dynamodb = clientConfig(clients.dynamoDbClient, ports)
  const deadLetters = plan.deadLetters && (await openDeadLetters(plan.deadLetters, kinesis, ports))
  const cloudWatch = await openCloudWatch(plan, ports)
  const metrics = joinedMetrics([ports.metrics, cloudWatch].filter(each => each !== undefined))
  const worker = {
    ...plan.worker,
    ...(Object.keys(kinesis).length > 0 && { kinesis }),
    ...(Object.keys(dynamodb).length > 0 && { dynamodb }),
    ...(deadLetters !== undefined && { deadLetters }),
    ...(metrics !== undefined && { metrics })
  } as MultilangSettings['worker']
  return { settings: { ...plan.settings, worker }, close: () => cloudWatch?.close() }
}

function clientConfig({ credentials: sources, ...config }: ClientPlan, ports: OpeningPorts): ClientConfig {
  const credentials = credentialsProvider(sources, { ...ports, region: config.region })
  return { ...config, ...(credentials !== undefined && { credentials }) }
}

async function openDeadLetters(
  plan: DeadLetterPlan,
  kinesis: ClientConfig,
  ports: OpeningPorts
): Promise<DeadLetterDestination> {
  switch (plan.kind) {
    case 'file':
      return fileDeadLetters({ path: ports.resolvePath(plan.path) })
    case 'stream': {
      const stream = plan.stream.startsWith('arn:') ? { streamArn: plan.stream } : { streamName: plan.stream }
      return kinesisDeadLetters({ ...stream, client: kinesis }, ports)
    }
    case 'sqs': {
      const { sqsDeadLetters } = await import('../dead-letters/sqs-dead-letters.ts')
      // The URL of a queue says its region.
      const { region, ...client } = elsewhere(kinesis)
      const isOfAws = plan.queueUrl.includes('.amazonaws.')
      return sqsDeadLetters({ queueUrl: plan.queueUrl, client: isOfAws ? client : { ...client, region } }, ports)
    }
    case 's3': {
      const { s3DeadLetters } = await import('../dead-letters/s3-dead-letters.ts')
      return s3DeadLetters({ bucket: plan.bucket, prefix: plan.prefix, client: elsewhere(kinesis) }, ports)
    }
  }
}

/** The same region and credentials for another service, whose endpoint is its own. */
function elsewhere({ region, credentials, useDualstackEndpoint, useFipsEndpoint }: ClientConfig): ClientConfig {
  const config = { region, credentials, useDualstackEndpoint, useFipsEndpoint }
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined))
}

async function openCloudWatch(
  { cloudWatch, clients }: DaemonPlan,
  ports: OpeningPorts
): Promise<(Metrics & { close(): void }) | undefined> {
  if (cloudWatch === undefined) return undefined
  const { logger, loadCloudWatch = () => import('../metrics/cloudwatch-metrics.ts') } = ports
  try {
    const { cloudWatchMetrics } = await loadCloudWatch()
    const client = clientConfig(clients.cloudWatchClient, ports)
    return cloudWatchMetrics({ client, ...cloudWatch })
  } catch (error) {
    const todo = 'npm install @aws-sdk/client-cloudwatch, or metricsLevel=NONE'
    logger.warn({ because: messageOf(error), todo }, 'there are no metrics in CloudWatch, and everything else goes on')
    return undefined
  }
}
