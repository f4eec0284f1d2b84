// How records are read, as a user can say it: polling or enhanced fan-out, pacing, and the memory that it may take.
import { getHeapStatistics } from 'node:v8'
import type { SourceTraits } from '../kinesis/stream-source.ts'
import { OptionError } from '../model/errors.ts'
import type { RetrievalMode } from '../retrieval/retriever.ts'
import { checkGroup, checkInteger, checkOneOf, checkText, show } from './option-checks.ts'

/** How the answers of Kinesis are encoded on the wire. */
export type WireFormat = 'json' | 'cbor'

/** What holds for every way of reading. */
interface CommonRetrievalOptions {
  /** Kinesis records per read. 1 to 10,000; default 10,000 (both 1,000 for the stream of a DynamoDB table). Fewer are asked for where the memory would not hold them. */
  readonly maxRecords?: number
  /**
   * Wait between reads at the tip of a shard. Milliseconds, 200 to 60,000; default 250 (1,000 for the stream of a DynamoDB table). Behind the tip there is none. It is
   * longer while reads are throttled, and on idle shards, up to a second, where a worker reads more than 125 shards.
   */
  readonly idleMs?: number
  /** How long one call to Kinesis may take. Milliseconds, 1,000 to 120,000; default 10,000. */
  readonly requestTimeoutMs?: number
  /** How many other applications poll the same stream: they are left their part of what a shard allows. 0 to 4; default 0. */
  readonly otherApplications?: number
  /**
   * How the answers of GetRecords are encoded. `json` (default) is what AWS documents for JavaScript; `cbor` is what its SDK for
   * Java speaks, and takes less CPU. An endpoint that does not answer in CBOR is spoken to in JSON for an hour.
   */
  readonly wire?: WireFormat
  /**
   * How much of what was read this worker may hold in memory until it is processed, over all shards, with the user records that
   * are made of it. Bytes, 1,048,576 to 1,099,511,627,776; default a quarter of the limit of the heap of Node.js.
   */
  readonly maxBufferedBytes?: number
  /** How much of it one shard may hold. Bytes, 1,048,576 to `maxBufferedBytes`; default 33,554,432, or `maxBufferedBytes` if that is less. */
  readonly maxShardBufferedBytes?: number
}

/** Reads the shard by asking for records again and again. */
export interface PollingOptions extends CommonRetrievalOptions {
  /** How records are read. Default `polling`. */
  readonly mode?: 'polling'
}

/** Has the records of the shard pushed, by enhanced fan-out: with 2 MB a second and shard for this application alone. */
export interface FanOutOptions extends CommonRetrievalOptions {
  /** How records are read. */
  readonly mode: 'fan-out'
  /** What to register the application as with the stream, unless it is. 1 to 128 letters, digits, `_`, `-`, `.`; default `applicationName`. */
  readonly consumerName?: string
  /** A consumer that is registered, by its ARN. It is never registered or deregistered here. Default: the one named `consumerName`. */
  readonly consumerArn?: string
  /** What to do where fan-out cannot work: read by `polling` until it can (default), or `none`: try again and again. */
  readonly fallback?: 'polling' | 'none'
}

type NoFanOut = { readonly [Name in Exclude<keyof FanOutOptions, keyof PollingOptions>]?: never }

/** How records are read. */
export type RetrievalOptions = (PollingOptions & NoFanOut) | FanOutOptions

/** The options of reading with every default filled in. */
export interface ResolvedRetrieval {
  readonly mode: RetrievalMode
  readonly consumer: { readonly consumerName: string } | { readonly consumerArn: string }
  readonly fallback: 'polling' | 'none'
  readonly maxRecords: number
  readonly idleMs: number
  readonly requestTimeoutMs: number
  readonly otherApplications: number
  readonly wire: WireFormat
  readonly maxBufferedBytes: number
  readonly maxShardBufferedBytes: number
  /** How much may be read of a shard, if that is not what Kinesis allows. Bytes a second; may be Infinity. */
  readonly bytesPerSecond?: number
  /** Whether shards that continue others are opened at the time at which the application began. */
  readonly beginsByTime?: boolean
}

const MS = 'milliseconds'
const MIB = 1_048_576
/** How much of the limit of the heap may be buffered. What is buffered lies mostly outside of the heap, but is as large. */
const HEAP_SHARE = 0.25
const MAX_SHARD_BYTES = 32 * MIB
const COMMON = ['mode', 'maxRecords', 'idleMs', 'requestTimeoutMs', 'otherApplications', 'wire']
const MEMORY = ['maxBufferedBytes', 'maxShardBufferedBytes']
const FAN_OUT = ['consumerName', 'consumerArn', 'fallback']
const CONSUMER_NAME = /^[a-zA-Z0-9_.-]{1,128}$/
const CONSUMER_ARN =
  /^arn:aws[^:]*:kinesis:[-a-z0-9]+:\d{12}:stream\/[a-zA-Z0-9_.-]{1,128}\/consumer\/[a-zA-Z0-9_.-]{1,128}:\d+$/

/**
 * Checks how records are to be read, and fills in the defaults.
 *
 * @param source what is different about the stream, if it is none of Kinesis
 * @throws OptionError naming the option, its value and what was expected
 */
export function resolveRetrieval(
  given: RetrievalOptions | undefined,
  applicationName: string,
  source?: SourceTraits
): ResolvedRetrieval {
  const options = checkGroup<RetrievalOptions>('retrieval', given, [...COMMON, ...MEMORY, ...FAN_OUT])
  const mode = checkOneOf('retrieval.mode', options.mode, ['polling', 'fan-out'], 'polling')
  const integer = (
    name: Exclude<keyof CommonRetrievalOptions, 'wire'>,
    min: number,
    max: number,
    byDefault: number,
    unit?: string
  ) => checkInteger(`retrieval.${name}`, options[name], { min, max, ...(unit && { unit }) }, byDefault)
  if (source && mode === 'fan-out') {
    throw new OptionError('retrieval.mode', "is 'fan-out' beside source, expected 'polling': only Kinesis has fan-out")
  }
  const heapBytes = Math.floor(getHeapStatistics().heap_size_limit * HEAP_SHARE)
  const maxBufferedBytes = integer('maxBufferedBytes', MIB, 2 ** 40, Math.max(MIB, heapBytes), 'bytes')
  const maxShardBytes = Math.min(MAX_SHARD_BYTES, maxBufferedBytes)
  return {
    mode,
    ...resolveConsumer(mode, options, applicationName),
    maxRecords: integer('maxRecords', 1, source?.maxRecords ?? 10_000, source?.maxRecords ?? 10_000),
    idleMs: integer('idleMs', 200, 60_000, source?.idleMs ?? 250, MS),
    requestTimeoutMs: integer('requestTimeoutMs', 1_000, 120_000, 10_000, MS),
    otherApplications: integer('otherApplications', 0, 4, 0),
    wire: checkOneOf('retrieval.wire', options.wire, ['json', 'cbor'], 'json'),
    maxBufferedBytes,
    maxShardBufferedBytes: integer('maxShardBufferedBytes', MIB, maxBufferedBytes, maxShardBytes, 'bytes'),
    ...(source && { bytesPerSecond: source.bytesPerSecond, beginsByTime: source.beginsByTime })
  }
}

/** Which consumer shards are subscribed to by, and what to do without. @throws OptionError */
export function resolveConsumer(
  mode: RetrievalMode,
  options: Partial<RetrievalOptions>,
  applicationName: string
): Pick<ResolvedRetrieval, 'consumer' | 'fallback'> {
  const { consumerName, consumerArn, fallback } = options
  const stray = FAN_OUT.find(name => mode === 'polling' && Reflect.get(options, name) !== undefined)
  if (stray !== undefined) {
    const value = show(Reflect.get(options, stray))
    throw new OptionError(`retrieval.${stray}`, `is ${value}, expected only beside mode 'fan-out'`)
  }
  if (consumerName !== undefined && consumerArn !== undefined) {
    const problem = `is ${show(consumerName)} beside consumerArn, expected one of the two`
    throw new OptionError('retrieval.consumerName', problem)
  }
  const consumer =
    consumerArn !== undefined
      ? { consumerArn: checkText('retrieval.consumerArn', consumerArn, CONSUMER_ARN, 'the ARN of a stream consumer') }
      : { consumerName: resolveConsumerName(mode, consumerName ?? applicationName) }
  return { consumer, fallback: checkOneOf('retrieval.fallback', fallback, ['polling', 'none'], 'polling') }
}

function resolveConsumerName(mode: RetrievalMode, name: string): string {
  if (mode === 'polling') return name
  return checkText('retrieval.consumerName', name, CONSUMER_NAME, '1 to 128 letters, digits, _, - or .')
}
