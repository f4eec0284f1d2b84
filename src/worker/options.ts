// What a worker can be told: every option with its unit, default and range, and the checks of all of them.
import { hostname } from 'node:os'
import type { KinesisClientOption } from '../kinesis/sdk-kinesis.ts'
import type { OutOfRange } from '../kpl/deaggregate.ts'
import type { DynamoDBClientOption } from '../leases/dynamo-lease-store.ts'
import { OptionError } from '../model/errors.ts'
import type { StartPosition } from '../model/start-position.ts'
import type { FailurePolicy, LastResort } from '../processor/failure-rules.ts'
import { type Handler, HandlerProcessor } from '../processor/handler-processor.ts'
import type { RecordProcessor } from '../processor/record-processor.ts'
import type { ResolvedThreads } from '../processor/thread-pool.ts'
import { consoleLogger, type Logger, safeLogger } from '../runtime/logger.ts'
import { type Random, randomWord } from '../runtime/random.ts'
import { type LeaseOptions, type ResolvedLeaseOptions, resolveLeases } from './lease-options.ts'
import { checkCount, checkGroup, checkInteger, checkMethods, checkOneOf, checkText, show } from './option-checks.ts'
import { type ResolvedRetrieval, type RetrievalOptions, resolveRetrieval } from './retrieval-options.ts'
import { resolveThreads, type ThreadOptions } from './thread-options.ts'

/** What follows when the processor or the handler throws or rejects. */
export interface ProcessorErrorOptions {
  /** How often a failing call is made in all. 1 to 1,000,000, or Infinity; default 10. */
  readonly attempts?: number
  /** What follows the last attempt: `halt` this shard and let the others go on (default), or `stop` the whole worker. */
  readonly then?: LastResort
  /** Delay before the second attempt; it doubles from there, and up to half of it is left to chance. Milliseconds, 0 to 600,000; default 500. */
  readonly backoffMs?: number
  /** No delay is longer. Milliseconds, `backoffMs` to 600,000; default 30,000, or `backoffMs` if that is more. */
  readonly maxBackoffMs?: number
}

interface CommonOptions {
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
  /**
   * What to do when the processor or the handler throws. Default: 10 attempts within one to two minutes, then `halt`.
   */
  readonly onProcessorError?: ProcessorErrorOptions
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

type ProcessorOption =
  | {
      /** Makes a record processor; called once for each shard this worker leases. */ readonly processor: () => RecordProcessor
      readonly handler?: never
      readonly threads?: never
    }
  | {
      /** Processes a batch: returning means done, throwing means again. */ readonly handler: Handler
      readonly processor?: never
      readonly threads?: never
    }
  | {
      /** Has a module process the records, in threads of their own. */ readonly threads: ThreadOptions
      readonly handler?: never
      readonly processor?: never
    }

/** What a worker is made from: a stream, an application name, and a `handler`, a `processor` or `threads`. */
export type WorkerOptions = CommonOptions & StreamOption & ProcessorOption

/** The user's code: how a processor is made, or the threads that it lives in. */
export type UserCode = { readonly makeProcessor: () => RecordProcessor } | { readonly threads: ResolvedThreads }

/** The options with every default filled in. */
export interface ResolvedOptions {
  readonly stream: { readonly streamName: string } | { readonly streamArn: string }
  readonly applicationName: string
  readonly workerId: string
  readonly startAt: StartPosition
  readonly retrieval: ResolvedRetrieval
  readonly leases: ResolvedLeaseOptions
  readonly failurePolicy: FailurePolicy
  readonly outOfRange: OutOfRange
  readonly onRecreatedStream: 'refuse' | 'start-over'
  readonly shardSyncIntervalMs: number
  readonly kinesis: KinesisClientOption | undefined
  readonly dynamodb: DynamoDBClientOption | undefined
  readonly logger: Logger
  readonly userCode: UserCode
}

const TABLE_NAME = /^[a-zA-Z0-9_.-]{3,255}$/
const STREAM_NAME = /^[a-zA-Z0-9_.-]{1,128}$/
const STREAM_ARN = /^arn:aws[^:]*:kinesis:[-a-z0-9]+:\d{12}:stream\/[a-zA-Z0-9_.-]{1,128}$/
const MS = 'milliseconds'

/** Every name at the top level. */
export const OPTION_NAMES: readonly string[] = [
  'streamName',
  'streamArn',
  'applicationName',
  'workerId',
  'startAt',
  'processor',
  'handler',
  'threads',
  'retrieval',
  'leases',
  'onProcessorError',
  'outOfRange',
  'onRecreatedStream',
  'shardSyncIntervalMs',
  'kinesis',
  'dynamodb',
  'logger'
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
      'are missing: a worker needs a stream, an applicationName and a handler, processor or threads'
    )
  }
  const options = checkGroup<WorkerOptions>('options', given, OPTION_NAMES) as WorkerOptions
  const applicationName = checkText(
    'applicationName',
    options.applicationName,
    TABLE_NAME,
    '3 to 255 letters, digits, _, - or .'
  )
  return {
    stream: resolveStream(options),
    applicationName,
    workerId: resolveWorkerId(options.workerId, random),
    startAt: resolveStartAt(options.startAt, nowMs),
    retrieval: resolveRetrieval(options.retrieval, applicationName),
    leases: resolveLeases(options.leases, applicationName),
    failurePolicy: resolveFailurePolicy(options.onProcessorError),
    outOfRange: checkOneOf('outOfRange', options.outOfRange, ['deliver', 'drop-record', 'drop-aggregate'], 'deliver'),
    onRecreatedStream: checkOneOf('onRecreatedStream', options.onRecreatedStream, ['refuse', 'start-over'], 'refuse'),
    shardSyncIntervalMs: checkInteger(
      'shardSyncIntervalMs',
      options.shardSyncIntervalMs,
      { min: 1_000, max: 3_600_000, unit: MS },
      60_000
    ),
    kinesis: checkClient('kinesis', options.kinesis),
    dynamodb: checkClient('dynamodb', options.dynamodb),
    logger: safeLogger(
      checkMethods('logger', options.logger, ['debug', 'info', 'warn', 'error'], 'a logger') ?? consoleLogger('warn')
    ),
    userCode: resolveUserCode(options)
  }
}

function resolveStream({ streamName, streamArn }: WorkerOptions): ResolvedOptions['stream'] {
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

function resolveFailurePolicy(given: ProcessorErrorOptions | undefined): FailurePolicy {
  const known = ['attempts', 'then', 'backoffMs', 'maxBackoffMs']
  const policy = checkGroup('onProcessorError', given, known)
  const wait = { min: 0, max: 600_000, unit: MS }
  const firstMs = checkInteger('onProcessorError.backoffMs', policy.backoffMs, wait, 500)
  const maxMs = checkInteger('onProcessorError.maxBackoffMs', policy.maxBackoffMs, wait, Math.max(30_000, firstMs))
  if (maxMs < firstMs) {
    throw new OptionError('onProcessorError.maxBackoffMs', `is ${maxMs}, expected at least backoffMs, ${firstMs}`)
  }
  return {
    attempts: checkCount('onProcessorError.attempts', policy.attempts, { min: 1, max: 1_000_000 }, 10),
    lastResort: checkOneOf('onProcessorError.then', policy.then, ['halt', 'stop'], 'halt'),
    backoff: { firstMs, maxMs }
  }
}

function checkClient<T>(path: string, client: T | undefined): T | undefined {
  if (client === undefined || (typeof client === 'object' && client !== null && !Array.isArray(client))) return client
  throw new OptionError(path, `is ${show(client)}, expected a client of the AWS SDK or its configuration`)
}

function resolveUserCode({ processor, handler, threads }: WorkerOptions): UserCode {
  const [first, second] = Object.entries({ processor, handler, threads }).filter(([, given]) => given !== undefined)
  if (first && second) throw new OptionError(second[0], `is given beside ${first[0]}, expected one of them`)
  if (threads !== undefined) return { threads: resolveThreads(threads) }
  return { makeProcessor: resolveProcessor(processor, handler) }
}

function resolveProcessor(
  processor: (() => RecordProcessor) | undefined,
  handler: Handler | undefined
): () => RecordProcessor {
  if (handler !== undefined) {
    if (typeof handler === 'function' && !isClass(handler)) return () => new HandlerProcessor(handler)
    const given = isClass(handler) ? 'a class' : show(handler)
    throw new OptionError('handler', `is ${given}, expected a function (records, context) => void or a promise`)
  }
  if (typeof processor === 'function') {
    if (!isClass(processor)) return processor
    throw new OptionError(
      'processor',
      'is a class, expected a function that makes an instance: () => new MyProcessor()'
    )
  }
  throw new OptionError(
    'processor',
    processor === undefined
      ? 'is missing, and so are handler and threads: expected one of them'
      : `is ${show(processor)}, expected a function that makes a RecordProcessor, such as () => new MyProcessor()`
  )
}

function isClass(value: unknown): boolean {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value))
}
