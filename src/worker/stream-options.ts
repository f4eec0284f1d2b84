// The stream or the streams of a worker as they can be given. Of several, each has what may differ from stream to stream; they
// are a list, or a function that is asked for one again and again; and something becomes of those that are in it no more.
import type { StreamReference } from '../kinesis/sdk-client.ts'
import { OptionError } from '../model/errors.ts'
import type { StartPosition } from '../model/start-position.ts'
import { checkGroup, checkInteger, checkText, show } from './option-checks.ts'
import { type ResolvedRetrieval, resolveConsumer } from './retrieval-options.ts'
import { type NoCode, type ProcessorOption, type ResolvedUserCode, resolveUserCode } from './user-code-options.ts'

/** A stream, by its name or by its ARN. */
export type StreamName =
  | {
      /** Name of the stream, in the account and region of the client. */ readonly streamName: string
      readonly streamArn?: never
    }
  | {
      /** ARN of the stream, possibly of another account. Passed on every call. */ readonly streamArn: string
      readonly streamName?: never
    }

/** What a stream is subscribed to by, with fan-out. */
export type StreamConsumer =
  | {
      /** What to register the application as with this stream, unless it is. Default: as `retrieval` of the worker says. */
      readonly consumerName: string
      readonly consumerArn?: never
    }
  | {
      /** A consumer that is registered with this stream, by its ARN. */ readonly consumerArn: string
      readonly consumerName?: never
    }

interface EntryOptions {
  /** Where to begin in shards of this stream that the lease table does not know yet. Default: `startAt` of the worker. */
  readonly startAt?: StartPosition
  /** By which consumer this stream is read, with fan-out. Default: by the one that `retrieval` of the worker names. */
  readonly retrieval?: StreamConsumer
}

type OwnCode<Value> = Exclude<ProcessorOption<Value>, { readonly threads: unknown }>

/** One of several streams, with user code of its own. */
export type OwnStreamEntry<Value = unknown> = StreamName & EntryOptions & OwnCode<Value>

/** One of several streams: with user code of its own, or processed by what the worker has for all. */
export type StreamEntry<Value = unknown> = StreamName & EntryOptions & (OwnCode<Value> | NoCode)

/** What becomes of the leases of streams that are not in the list any more. */
export type RemovedStreams =
  | 'keep'
  | {
      /** How long they are kept, and read, so that a stream may come back. Milliseconds, 0 to 31 days. */
      readonly forgetAfterMs: number
      /** Only these are forgotten: by name, ARN, or `account:name:creationEpoch`. Default: all that are not in the list. */
      readonly only?: readonly string[] | (() => readonly string[] | Promise<readonly string[]>)
    }

/** Streams that come and go while the worker runs. */
export interface StreamList<Entry = StreamEntry> {
  /**
   * The streams to read now. Every worker asks on its own, and they must get the same answer. What is said of a stream counts
   * from the first time that it is in the list until it is not. If it throws, the list stays as it is.
   */
  readonly list: readonly Entry[] | (() => readonly Entry[] | Promise<readonly Entry[]>)
  /** How often to ask, and to look for streams that were not there. Milliseconds, 1,000 to 3,600,000; default 60,000. */
  readonly everyMs?: number
  /**
   * What becomes of streams that are not in the list any more: they are read on until their shards end (`keep`, the default), or
   * their shards are given back after a while, and their leases deleted. Those that do not exist any more are forgotten at once.
   */
  readonly whenRemoved?: RemovedStreams
}

/** The streams of a worker that reads several: processed by what stands beside them, or each by code of its own. */
export type ManyStreams<Value = unknown> = {
  readonly streamName?: never
  readonly streamArn?: never
  readonly source?: never
  /** In the table of several streams a stream that was created again is another one: it is begun at its `startAt`. */
  readonly onRecreatedStream?: never
} & (
  | ({
      /** Several streams, whose leases share one table. */ readonly streams:
        | readonly StreamEntry<Value>[]
        | StreamList<StreamEntry<Value>>
    } & ProcessorOption<Value>)
  | ({
      /** Several streams, whose leases share one table. */
      readonly streams: readonly OwnStreamEntry<Value>[] | StreamList<OwnStreamEntry<Value>>
    } & NoCode)
)

/** What may differ from stream to stream. */
export interface StreamSettings {
  readonly stream: StreamReference
  readonly startAt: StartPosition
  /** The consumer that shards are subscribed to by, with fan-out. */
  readonly consumer: ResolvedRetrieval['consumer']
  /** Absent: there is none for this stream. */
  readonly code: ResolvedUserCode | undefined
}

/** Several streams with every default filled in. */
export interface ResolvedStreamList {
  /** @throws OptionError if the list is none */
  readonly list: (nowMs: number) => Promise<readonly StreamSettings[]>
  readonly everyMs: number
  readonly removed:
    | 'keep'
    | { readonly forgetAfterMs: number; readonly only: () => Promise<readonly string[] | undefined> }
}

/** What the streams of a list have in common, unless they say otherwise. */
export interface StreamDefaults {
  readonly startAt: StartPosition
  readonly retrieval: ResolvedRetrieval
  readonly code: ResolvedUserCode | undefined
}

const STREAM_NAME = /^[a-zA-Z0-9_.-]{1,128}$/
const STREAM_ARN = /^arn:aws[^:]*:kinesis:[-a-z0-9]+:\d{12}:stream\/[a-zA-Z0-9_.-]{1,128}$/
const CODE_NAMES = ['processor', 'handler', 'each', 'concurrency', 'batch']
const ENTRY_NAMES = ['streamName', 'streamArn', 'startAt', 'retrieval', ...CODE_NAMES]
const MONTH_MS = 31 * 86_400_000

/** The name or the ARN that a stream was given by. */
export function givenName(stream: StreamReference): string {
  return 'streamArn' in stream ? stream.streamArn : stream.streamName
}

/** Which stream is meant: by its name or by its ARN. @throws OptionError */
export function resolveStream({
  streamName,
  streamArn
}: {
  readonly streamName?: string | undefined
  readonly streamArn?: string | undefined
}): StreamReference {
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

/** Where shards begin that the lease table does not know. @throws OptionError */
export function resolveStartAt(startAt: StartPosition | undefined, nowMs: number): StartPosition {
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

/**
 * Checks several streams. What is a list is checked now, what is a function each time that it is asked.
 *
 * @throws OptionError naming the option, its value and what was expected
 */
export function resolveStreams(
  given: readonly StreamEntry[] | StreamList | readonly OwnStreamEntry[] | StreamList<OwnStreamEntry>,
  defaults: StreamDefaults,
  nowMs: number
): ResolvedStreamList {
  const options = checkGroup<StreamList>('streams', Array.isArray(given) ? { list: given } : (given as StreamList), [
    ...['list', 'everyMs', 'whenRemoved']
  ])
  const { list, everyMs, whenRemoved } = options
  const path = Array.isArray(given) ? 'streams' : 'streams.list'
  const fixed = typeof list === 'function' ? undefined : resolveEntries(path, list, defaults, nowMs)
  if (fixed?.length === 0) throw new OptionError(path, 'is empty, expected at least one stream, or a function')
  return {
    list: async atMs =>
      fixed ?? resolveEntries(`${path}()`, typeof list === 'function' ? await list() : list, defaults, atMs),
    everyMs: checkInteger('streams.everyMs', everyMs, { min: 1_000, max: 3_600_000, unit: 'milliseconds' }, 60_000),
    removed: resolveRemoved(whenRemoved)
  }
}

function resolveRemoved(given: RemovedStreams | undefined): ResolvedStreamList['removed'] {
  if (given === undefined || given === 'keep') return 'keep'
  const path = 'streams.whenRemoved'
  if (typeof given !== 'object') throw new OptionError(path, `is ${show(given)}, expected 'keep' or { forgetAfterMs }`)
  const { forgetAfterMs, only } = checkGroup<Exclude<RemovedStreams, 'keep'>>(path, given, ['forgetAfterMs', 'only'])
  if (forgetAfterMs === undefined) throw new OptionError(`${path}.forgetAfterMs`, 'is missing, expected milliseconds')
  if (only !== undefined && !Array.isArray(only) && typeof only !== 'function') {
    throw new OptionError(
      `${path}.only`,
      `is ${show(only)}, expected a list of streams, or a function that returns one`
    )
  }
  const range = { min: 0, max: MONTH_MS, unit: 'milliseconds' }
  return {
    forgetAfterMs: checkInteger(`${path}.forgetAfterMs`, forgetAfterMs, range, 0),
    only: async () => (typeof only === 'function' ? await only() : only)
  }
}

function resolveEntries(path: string, list: unknown, defaults: StreamDefaults, nowMs: number): StreamSettings[] {
  if (!Array.isArray(list)) throw new OptionError(path, `is ${show(list)}, expected a list of streams`)
  const entries = list.map((entry, index) => resolveEntry(`${path}[${index}]`, entry, defaults, nowMs))
  const seen = new Set<string>()
  for (const [index, { stream }] of entries.entries()) {
    const name = 'streamArn' in stream ? stream.streamArn : stream.streamName
    if (seen.has(name)) throw new OptionError(`${path}[${index}]`, `is ${show(name)} again, expected each stream once`)
    seen.add(name)
  }
  return entries
}

function resolveEntry(path: string, given: StreamEntry, defaults: StreamDefaults, nowMs: number): StreamSettings {
  const entry = checkGroup<StreamEntry>(path, given, ENTRY_NAMES) as StreamEntry
  try {
    const { startAt, retrieval: own } = entry
    const { retrieval } = defaults
    const { consumer } =
      own === undefined
        ? retrieval
        : resolveConsumer(
            retrieval.mode,
            checkGroup<StreamConsumer>('retrieval', own, ['consumerName', 'consumerArn']),
            ''
          )
    const hasCode = CODE_NAMES.some(name => Reflect.get(entry, name) !== undefined)
    return {
      stream: resolveStream(entry),
      startAt: startAt === undefined ? defaults.startAt : resolveStartAt(startAt, nowMs),
      consumer,
      code: hasCode ? resolveUserCode(entry as ProcessorOption, retrieval.maxShardBufferedBytes) : codeFor(defaults)
    }
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    throw new OptionError(`${path}.${error.option}`, error.message.replace(/^Option [^:]*: /, ''), { cause: error })
  }
}

function codeFor({ code }: StreamDefaults): ResolvedUserCode {
  if (code !== undefined) return code
  const expected = 'expected one of them, or one for all streams beside streams'
  throw new OptionError('handler', `is missing, and so are each and processor: ${expected}`)
}
