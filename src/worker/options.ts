// What a worker can be told: every option with its unit, default and range, and the checks of all of them.
import { hostname } from 'node:os'
import type { KinesisClientOption } from '../kinesis/sdk-kinesis.ts'
import type { OutOfRange } from '../kpl/deaggregate.ts'
import type { DynamoDBClientOption } from '../leases/dynamo-lease-store.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { Tracing } from '../metrics/tracing.ts'
import { OptionError } from '../model/errors.ts'
import type { StartPosition } from '../model/start-position.ts'
import { consoleLogger, type Logger, safeLogger } from '../runtime/logger.ts'
import { type Random, randomWord } from '../runtime/random.ts'
import { type FailureOptions, type ResolvedFailures, resolveFailures } from './failure-options.ts'
import { type LeaseOptions, type ResolvedLeaseOptions, resolveLeases } from './lease-options.ts'
import { checkGroup, checkInteger, checkMethods, checkOneOf, checkText, show } from './option-checks.ts'
import { type ResolvedRetrieval, type RetrievalOptions, resolveRetrieval } from './retrieval-options.ts'
import { type ProcessorOption, type ResolvedUserCode, resolveUserCode } from './user-code-options.ts'
import { resolveStall, type WatchdogOptions } from './watchdog-options.ts'

interface CommonOptions extends FailureOptions {
  /** Name of the application: workers with the same name share the shards. Also the name of the lease table. 3 to 255 letters, digits, `_`, `-`, `.`. */
  readonly applicationName: string
  /** Name of this worker, as it stands in events. Default: host name, process id and a random word. A run of a worker is told from every other by a suffix. */
  readonly workerId?: string
  /** Where to begin in shards the lease table does not know yet. Default `LATEST`. */
  readonly startAt?: StartPosition
  /** How records are read, how many at a time and how often. Default: by polling, as {@link PollingOptions} says. */
  readonly retrieval?: RetrievalOptions
  /** The tables, how long a session lives, and how leases are shared. Default: a table in DynamoDB with the name of the application. */
  readonly leases?: LeaseOptions
  /** Finds shards that stand still. Default: after a minute without progress. */
  readonly watchdog?: WatchdogOptions
  /** What becomes of aggregated user records whose hash key is not the shard's: they are delivered (default), dropped, or dropped with the whole aggregate, as KCL does. They are counted in any case. */
  readonly outOfRange?: OutOfRange
  /** What to do if the leases are those of an earlier stream of the same name: `refuse` to start (default), or `start-over` and delete them. */
  readonly onRecreatedStream?: 'refuse' | 'start-over'
  /** How often the shards of the stream are compared with the lease table. Milliseconds, 1,000 to 3,600,000; default 60,000. */
  readonly shardSyncIntervalMs?: number
  /** A Kinesis client to use as it is, or the configuration of one. Default: what the environment says. */
  readonly kinesis?: KinesisClientOption
  /** A DynamoDB client to use as it is, or the configuration of one. Default: what the environment says. */
  readonly dynamodb?: DynamoDBClientOption
  /** Where log lines go; a pino logger fits. Default: warnings and errors as JSON lines on standard error. */
  readonly logger?: Logger
  /** Where metrics go, such as `emfMetrics({ to: process.stdout })`. Default: nothing is measured. */
  readonly metrics?: Metrics
  /** Where spans go, such as `otelTracing()`. Default: nothing is traced. */
  readonly tracing?: Tracing
}

type StreamOption =
  | {
      /** Name of the stream, in the account and region of the client. */ readonly streamName: string
      readonly streamArn?: never
    }
  | {
      /** ARN of the stream, possibly of another account. Passed on every call. */ readonly streamArn: string
      readonly streamName?: never
    }

/** What a worker is made from: a stream, an application name, and a `handler`, `each`, a `processor` or `threads`. */
export type WorkerOptions = CommonOptions & StreamOption & ProcessorOption

/** The options with every default filled in. */
export interface ResolvedOptions extends ResolvedFailures, ResolvedUserCode {
  readonly stream: { readonly streamName: string } | { readonly streamArn: string }
  readonly applicationName: string
  readonly workerId: string
  readonly startAt: StartPosition
  readonly retrieval: ResolvedRetrieval
  readonly leases: ResolvedLeaseOptions
  /** How long a shard may make no progress. Milliseconds. */
  readonly stallMs: number
  readonly outOfRange: OutOfRange
  readonly onRecreatedStream: 'refuse' | 'start-over'
  readonly shardSyncIntervalMs: number
  readonly kinesis: KinesisClientOption | undefined
  readonly dynamodb: DynamoDBClientOption | undefined
  readonly logger: Logger
  readonly metrics: Metrics | undefined
  readonly tracing: Tracing | undefined
}

const TABLE_NAME = /^[a-zA-Z0-9_.-]{3,255}$/
const STREAM_NAME = /^[a-zA-Z0-9_.-]{1,128}$/
const STREAM_ARN = /^arn:aws[^:]*:kinesis:[-a-z0-9]+:\d{12}:stream\/[a-zA-Z0-9_.-]{1,128}$/

/** Every name at the top level. */
export const OPTION_NAMES: readonly string[] = [
  'streamName',
  'streamArn',
  'applicationName',
  'workerId',
  'startAt',
  'processor',
  'handler',
  'each',
  'threads',
  'concurrency',
  'batch',
  'retrieval',
  'leases',
  'onProcessorError',
  'deadLetters',
  'watchdog',
  'outOfRange',
  'onRecreatedStream',
  'shardSyncIntervalMs',
  'kinesis',
  'dynamodb',
  'logger',
  'metrics',
  'tracing'
]

/**
 * Checks the options and fills in the defaults.
 *
 * @param nowMs epoch milliseconds, to tell a start position in the future
 * @throws OptionError naming the option, its value and what was expected
 */
export function resolveOptions(given: WorkerOptions, random: Random, nowMs: number): ResolvedOptions {
  if (given === undefined) {
    throw new OptionError(
      'options',
      'are missing: a worker needs a stream, an applicationName and a handler, each, processor or threads'
    )
  }
  const options = checkGroup<WorkerOptions>('options', given, OPTION_NAMES) as WorkerOptions
  const applicationName = checkText(
    'applicationName',
    options.applicationName,
    TABLE_NAME,
    '3 to 255 letters, digits, _, - or .'
  )
  const retrieval = resolveRetrieval(options.retrieval, applicationName)
  const logger = safeLogger(
    checkMethods('logger', options.logger, ['debug', 'info', 'warn', 'error'], 'a logger') ?? consoleLogger('warn')
  )
  const interval = { min: 1_000, max: 3_600_000, unit: 'milliseconds' }
  return {
    stream: resolveStream(options),
    applicationName,
    workerId: resolveWorkerId(options.workerId, random),
    startAt: resolveStartAt(options.startAt, nowMs),
    retrieval,
    leases: resolveLeases(options.leases, applicationName),
    ...resolveFailures(options, logger),
    stallMs: resolveStall(options.watchdog, retrieval.requestTimeoutMs),
    outOfRange: checkOneOf('outOfRange', options.outOfRange, ['deliver', 'drop-record', 'drop-aggregate'], 'deliver'),
    onRecreatedStream: checkOneOf('onRecreatedStream', options.onRecreatedStream, ['refuse', 'start-over'], 'refuse'),
    shardSyncIntervalMs: checkInteger('shardSyncIntervalMs', options.shardSyncIntervalMs, interval, 60_000),
    kinesis: checkClient('kinesis', options.kinesis),
    dynamodb: checkClient('dynamodb', options.dynamodb),
    logger,
    metrics: checkMethods('metrics', options.metrics, ['count', 'gauge', 'time'], 'metrics, such as emfMetrics(…)'),
    tracing: checkMethods(
      'tracing',
      options.tracing,
      ['fetch', 'process', 'checkpoint'],
      'tracing, such as otelTracing()'
    ),
    ...resolveUserCode(options, retrieval.maxShardBufferedBytes)
  }
}

/** Which stream is meant: by its name or by its ARN. @throws OptionError */
export function resolveStream({
  streamName,
  streamArn
}: {
  readonly streamName?: string | undefined
  readonly streamArn?: string | undefined
}): ResolvedOptions['stream'] {
  if (streamName !== undefined && streamArn !== undefined) {
    throw new OptionError('streamName', `is ${show(streamName)} beside streamArn, expected one of the two`)
  }
  if (streamArn !== undefined) {
    return {
      streamArn: checkText('streamArn', streamArn, STREAM_ARN, 'an ARN like arn:aws:kinesis:REGION:ACCOUNT:stream/NAME')
    }
  }
  if (typeof streamName === 'string' && streamName.startsWith('arn:')) {
    throw new OptionError('streamName', `is ${show(streamName)}, expected a name; an ARN is given as streamArn`)
  }
  return { streamName: checkText('streamName', streamName, STREAM_NAME, '1 to 128 letters, digits, _, - or .') }
}

function resolveWorkerId(workerId: string | undefined, random: Random): string {
  if (workerId === undefined) return `${hostname()}-${process.pid}-${randomWord(6, random)}`
  return checkText('workerId', workerId, /^[^\s/]{1,200}$/, '1 to 200 characters without white space or /')
}

function resolveStartAt(startAt: StartPosition | undefined, nowMs: number): StartPosition {
  if (!(startAt instanceof Date)) {
    const words = ['TRIM_HORIZON', 'LATEST'] as const
    if (startAt === undefined || words.includes(startAt)) return startAt ?? 'LATEST'
    throw new OptionError('startAt', `is ${show(startAt)}, expected 'TRIM_HORIZON', 'LATEST' or a Date`)
  }
  if (Number.isNaN(startAt.getTime()) || startAt.getTime() > nowMs) {
    throw new OptionError('startAt', `is ${show(startAt)}, expected a Date that is not in the future`)
  }
  return startAt
}

/** A client of the AWS SDK or its configuration. @throws OptionError */
export function checkClient<T>(path: string, client: T | undefined): T | undefined {
  if (client === undefined || (typeof client === 'object' && client !== null && !Array.isArray(client))) return client
  throw new OptionError(path, `is ${show(client)}, expected a client of the AWS SDK or its configuration`)
}
