// What a worker can be told: every option with its unit, default and range, and the checks of all of them.
import { hostname } from 'node:os'
import type { DecodingOptions } from '../consumer/batch-decoding.ts'
import type { StreamReference } from '../kinesis/sdk-client.ts'
import type { KinesisClientOption } from '../kinesis/sdk-kinesis.ts'
import type { StreamSource } from '../kinesis/stream-source.ts'
import type { OutOfRange } from '../kpl/deaggregate.ts'
import type { DynamoDBClientOption } from '../leases/dynamo-lease-store.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { Tracing } from '../metrics/tracing.ts'
import { OptionError } from '../model/errors.ts'
import type { StartPosition } from '../model/start-position.ts'
import { consoleLogger, type Logger, safeLogger } from '../runtime/logger.ts'
import { type Random, randomWord } from '../runtime/random.ts'
import { type DecodeOptions, resolveDecoding } from './decode-options.ts'
import { type FailureOptions, type ResolvedFailures, resolveFailures } from './failure-options.ts'
import { type LeaseOptions, type ResolvedLeaseOptions, resolveLeases } from './lease-options.ts'
import { checkGroup, checkInteger, checkMethods, checkOneOf, checkText, show } from './option-checks.ts'
import { type ResolvedRetrieval, type RetrievalOptions, resolveRetrieval } from './retrieval-options.ts'
import {
  type ManyStreams,
  type ResolvedStreamList,
  resolveStartAt,
  resolveStream,
  resolveStreams,
  type StreamDefaults,
  type StreamName
} from './stream-options.ts'
import { type ProcessorOption, type ResolvedUserCode, resolveUserCode, type UserCode } from './user-code-options.ts'
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

type SourceStream = {
  /** A stream of another service, such as `dynamodbStream({ tableName: 'orders' })`. Its client is an option of its own. */
  readonly source: StreamSource
  readonly streamName?: never
  readonly streamArn?: never
  readonly kinesis?: never
}

type OneStream = ((StreamName & { readonly source?: never }) | SourceStream) & { readonly streams?: never }

/**
 * What a worker is made from: a stream or several, an application name, and a `handler`, `each`, a `processor` or `threads`.
 * `Value` is what `decode` makes of records.
 */
export type WorkerOptions<Value = unknown> = CommonOptions &
  DecodeOptions<Value> &
  ((OneStream & ProcessorOption<Value>) | ManyStreams<Value>)

/** The options with every default filled in. */
export interface ResolvedOptions extends ResolvedFailures, Omit<ResolvedUserCode, 'userCode'> {
  /** `undefined`: there are several. */
  readonly stream: StreamReference | undefined
  /** Where the stream is read from, if that is not Kinesis. `stream` has its name then. */
  readonly source: StreamSource | undefined
  /** `undefined`: there is one. */
  readonly streams: ResolvedStreamList | undefined
  /** `undefined`: each of several streams has its own. */
  readonly userCode: UserCode | undefined
  readonly applicationName: string
  readonly workerId: string
  readonly startAt: StartPosition
  /** `undefined`: nothing is decoded. */
  readonly decoding: DecodingOptions | undefined
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
/** Every name at the top level. */
export const OPTION_NAMES: readonly string[] = [
  'streamName',
  'streamArn',
  'streams',
  'source',
  'applicationName',
  'workerId',
  'startAt',
  'processor',
  'handler',
  'each',
  'threads',
  'decode',
  'onDecodeError',
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
export function resolveOptions<Value>(given: WorkerOptions<Value>, random: Random, nowMs: number): ResolvedOptions {
  if (given === undefined) {
    throw new OptionError(
      'options',
      'are missing: a worker needs a stream, an applicationName and a handler, each, processor or threads'
    )
  }
  const options = checkGroup('options', given, OPTION_NAMES) as WorkerOptions
  const applicationName = checkText(
    'applicationName',
    options.applicationName,
    TABLE_NAME,
    '3 to 255 letters, digits, _, - or .'
  )
  const source = resolveSource(options)
  const retrieval = resolveRetrieval(options.retrieval, applicationName, source?.traits)
  const logger = safeLogger(
    checkMethods('logger', options.logger, ['debug', 'info', 'warn', 'error'], 'a logger') ?? consoleLogger('warn')
  )
  const interval = { min: 1_000, max: 3_600_000, unit: 'milliseconds' }
  const startAt = resolveStartAt(options.startAt, nowMs)
  const code = hasCode(options) ? resolveUserCode(options, retrieval.maxShardBufferedBytes) : undefined
  const streams = resolveMany(options, { startAt, retrieval, code }, nowMs)
  return {
    stream: streams === undefined ? resolveStream(source ?? options) : undefined,
    source,
    streams,
    applicationName,
    workerId: resolveWorkerId(options.workerId, random),
    startAt,
    retrieval,
    leases: resolveLeases(options.leases, applicationName),
    ...resolveFailures(options, logger),
    decoding: resolveDecoding(options),
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
    ...(code ?? { userCode: undefined, concurrency: undefined, batch: undefined })
  }
}

/** Where the stream is read from, if not from Kinesis. @throws OptionError */
export function resolveSource(options: {
  readonly source?: StreamSource | undefined
  readonly streamName?: string | undefined
  readonly streamArn?: string | undefined
  readonly kinesis?: KinesisClientOption | undefined
}): StreamSource | undefined {
  const what = 'the stream of another service, such as dynamodbStream({ tableName })'
  const source = checkMethods('source', options.source, ['open'], what)
  const others = ['streamName', 'streamArn', 'kinesis'] as const
  const stray = source && others.find(name => options[name] !== undefined)
  if (stray === undefined) return source
  throw new OptionError(stray, `is ${show(options[stray])} beside source, expected one of the two`)
}

/** Whether there is code for all streams, or should be: only several streams can have it one by one. */
function hasCode(options: WorkerOptions): options is WorkerOptions & ProcessorOption {
  const { streams, processor, handler, each, threads, concurrency, batch } = options
  return streams === undefined || [processor, handler, each, threads, concurrency, batch].some(it => it !== undefined)
}

/** Several streams, if there are. @throws OptionError */
function resolveMany(options: WorkerOptions, defaults: StreamDefaults, nowMs: number): ResolvedStreamList | undefined {
  if (options.streams === undefined) return undefined
  const names = ['streamName', 'streamArn', 'source', 'onRecreatedStream'] as const
  const stray = names.find(name => options[name] !== undefined)
  if (stray === undefined) return resolveStreams(options.streams, defaults, nowMs)
  const why =
    stray === 'onRecreatedStream' ? 'a stream that was created again has leases of its own' : 'expected one of the two'
  throw new OptionError(stray, `is ${show(options[stray])} beside streams: ${why}`)
}

function resolveWorkerId(workerId: string | undefined, random: Random): string {
  if (workerId === undefined) return `${hostname()}-${process.pid}-${randomWord(6, random)}`
  return checkText('workerId', workerId, /^[^\s/]{1,200}$/, '1 to 200 characters without white space or /')
}

/** A client of the AWS SDK or its configuration. @throws OptionError */
export function checkClient<T>(path: string, client: T | undefined): T | undefined {
  if (client === undefined || (typeof client === 'object' && client !== null && !Array.isArray(client))) return client
  throw new OptionError(path, `is ${show(client)}, expected a client of the AWS SDK or its configuration`)
}
