// The stream of a DynamoDB table behind the port of Kinesis: its shards, and records whose payload is the JSON of the service.
//
// Which stream of the table is read is decided once. If the table gets another one meanwhile, describeStream says so, and the shards
// of the first are still read as what they are: no checkpoint is ever taken for one of another stream.
import type {
  CallOptions,
  IteratorStart,
  KinesisPort,
  ShardFilter,
  StreamDescription
} from '../kinesis/kinesis-port.ts'
import type { RecordLoss, SourceContext } from '../kinesis/stream-source.ts'
import { ServiceError } from '../model/errors.ts'
import type { RecordsAnswer } from '../model/records-answer.ts'
import { type ChildShard, childrenOf, type Shard } from '../model/shard.ts'
import { retry } from '../runtime/retry.ts'
import { SharedRun } from '../shards/shared-run.ts'
import { countOlder, formatPlace, millisBehind, parsePlace, type ReadingPlace, sinceOf } from './reading-rules.ts'
import { encodeRecords } from './record-rules.ts'
import type { StreamsCalls } from './sdk-streams-calls.ts'
import { newestStream, partsOfArn, type SdkShard, shardsOf, shardsOpenAt, timeOfLabel } from './shard-rules.ts'

/** What the port is made from. */
export interface StreamsPortOptions extends Pick<SourceContext, 'clock' | 'random' | 'lost'> {
  readonly tableName: string
  /** Which stream of the table. Absent: the newest. */
  readonly streamArn?: string | undefined
  readonly calls: StreamsCalls
}

/** What a read brings at most. */
export const MAX_RECORDS = 1_000
/** Pages of a listing that follow each other at once. The service takes ten calls a second, of all workers together. */
const PAGES_AT_ONCE = 5
const BETWEEN_PAGES_MS = 125
/** A page that is refused is asked for again, and not the listing from its beginning: that would be refused as well. */
const PAGE_RETRY = { attempts: 5, attemptsIfThrottled: 20, backoff: { firstMs: 250, maxMs: 5_000 } }

/** The port for the stream of one table. */
export class StreamsPort implements KinesisPort {
  readonly streamName: string
  readonly #options: StreamsPortOptions
  readonly #listings = new SharedRun<Shard[]>(signal => this.#list(signal))
  /** The stream that is read. Absent: nobody has asked yet which that is. */
  #streamArn: string | undefined

  constructor(options: StreamsPortOptions) {
    this.#options = options
    this.streamName = options.tableName
    this.#streamArn = options.streamArn
  }

  async describeStream({ signal }: CallOptions = {}): Promise<StreamDescription> {
    const streamArn = this.#options.streamArn ?? (await this.#newest(signal))
    this.#streamArn ??= streamArn
    const { answer, serviceTimeMs } = await this.#options.calls.describeStream(
      { StreamArn: streamArn, Limit: 1 },
      signal
    )
    const { ofTable = streamArn, label = '' } = partsOfArn(streamArn) ?? {}
    const createdAtMs = timeOfLabel(label) ?? answer.CreationRequestDateTime?.getTime() ?? 0
    return {
      streamName: this.streamName,
      // What all streams of the table have in common: which of them it is, tells the time.
      streamArn: ofTable,
      // What is disabled can still be read, for a day.
      status: answer.StreamStatus === 'ENABLING' ? 'CREATING' : 'ACTIVE',
      creationEpoch: Math.floor(createdAtMs / 1_000),
      retentionMs: 24 * 3_600_000,
      ...(serviceTimeMs !== undefined && { serviceTimeMs })
    }
  }

  async listShards({ signal, filter }: CallOptions & { filter?: ShardFilter } = {}): Promise<Shard[]> {
    const shards = await this.#listings.ask(signal)
    if (filter === undefined) return shards
    const open = shardsOpenAt(shards, filter.timestampMs)
    if (open !== undefined) return open
    const message = `DynamoDB Streams does not say which shards of table ${this.streamName} were open at a time`
    throw new ServiceError('invalid-argument', message, { retryable: false })
  }

  async getShardIterator(shardId: string, start: IteratorStart, { signal }: CallOptions = {}): Promise<string> {
    const StreamArn = await this.#arn(signal)
    const open = async (position: IteratorPosition): Promise<string | 'trimmed'> =>
      this.#options.calls.getShardIterator({ StreamArn, ShardId: shardId, ...position }, signal)
    try {
      if (!('sequenceNumber' in start)) {
        const isLatest = start.type === 'LATEST'
        const iterator = await open({ ShardIteratorType: isLatest ? 'LATEST' : 'TRIM_HORIZON' })
        return formatPlace({
          ...{ shardId, iterator, from: isLatest ? 'latest' : 'horizon' },
          ...(start.type === 'AT_TIMESTAMP' && { sinceMs: sinceOf(start.timestampMs) })
        })
      }
      const iterator = await open({ ShardIteratorType: start.type, SequenceNumber: start.sequenceNumber })
      if (iterator !== 'trimmed') return formatPlace({ shardId, iterator, from: 'record' })
      this.#lost({ shardId, because: 'trimmed', after: start.sequenceNumber })
      return formatPlace({ shardId, iterator: await open({ ShardIteratorType: 'TRIM_HORIZON' }), from: 'horizon' })
    } catch (error) {
      const after = 'sequenceNumber' in start ? { after: start.sequenceNumber } : {}
      if (start.type !== 'LATEST' && isMissing(error)) this.#lost({ shardId, because: 'shard-expired', ...after })
      throw error
    }
  }

  async getRecords(token: string, { signal, limit }: CallOptions & { limit: number }): Promise<RecordsAnswer> {
    const place = parsePlace(token)
    const read = await this.#read(place, limit, signal)
    const { answer, serviceTimeMs = this.#options.clock.epochMs() } = read
    const given = answer.Records ?? []
    const createdAtMs = given.map(({ dynamodb }) => dynamodb?.ApproximateCreationDateTime?.getTime())
    const older = countOlder(createdAtMs, place.sinceMs)
    const { records, bytes } = encodeRecords(given.slice(older))
    const { NextShardIterator: iterator } = answer
    const next = { shardId: place.shardId, from: given.length > 0 ? 'record' : place.from } as const
    const isStillOlder = place.sinceMs !== undefined && older === given.length
    const children = iterator === undefined && given.length === 0 ? await this.#children(place.shardId, signal) : []
    return {
      records,
      bytes,
      millisBehindLatest: millisBehind(createdAtMs.at(-1), serviceTimeMs, place.sinceMs),
      ...(iterator !== undefined && {
        nextIterator: formatPlace({ ...next, iterator, ...(isStillOlder && { sinceMs: place.sinceMs }) })
      }),
      ...(children.length > 0 && { childShards: children })
    }
  }

  close(): void {
    this.#options.calls.close()
  }

  async #read(place: ReadingPlace, limit: number, signal: AbortSignal | undefined): Promise<GotRecords> {
    const { shardId, iterator, from } = place
    const input = { ShardIterator: iterator, Limit: Math.min(limit, MAX_RECORDS) }
    try {
      const got = await this.#options.calls.getRecords(shardId, input, signal)
      if (got !== 'trimmed') return got
    } catch (error) {
      if (from !== 'latest' && isMissing(error)) this.#lost({ shardId, because: 'shard-expired' })
      throw error
    }
    // If it was opened at a record, opening it there again tells.
    if (from === 'horizon') this.#lost({ shardId, because: 'trimmed' })
    const message = `GetRecords of ${shardId} in the stream of table ${this.streamName}: the oldest records have been trimmed since the iterator was opened`
    throw new ServiceError('expired-iterator', message, { retryable: false })
  }

  /**
   * The shards that continue one that has been read to its end; none, if they are not known yet. Asked for by themselves: a shard ends
   * every four hours in each partition of the table, and the whole listing has thousands.
   */
  async #children(shardId: string, signal: AbortSignal | undefined): Promise<readonly ChildShard[]> {
    const StreamArn = await this.#arn(signal)
    try {
      const input = { StreamArn, ShardFilter: { Type: 'CHILD_SHARDS', ShardId: shardId } } as const
      const { answer } = await this.#options.calls.describeStream(input, signal)
      return childrenOf(shardId, shardsOf(answer.Shards ?? [], false))
    } catch (error) {
      // An emulator that does not know the filter. The whole listing knows.
      if (error instanceof ServiceError && error.kind === 'invalid-argument') return []
      throw error
    }
  }

  async #list(signal: AbortSignal): Promise<Shard[]> {
    const { clock, random, calls } = this.#options
    const StreamArn = await this.#arn(signal)
    const listed: SdkShard[] = []
    let hasEnded = false
    let after: string | undefined
    for (let page = 1; ; page++) {
      const from = after === undefined ? {} : { ExclusiveStartShardId: after }
      const ask = () => calls.describeStream({ StreamArn, ...from }, signal)
      const { answer } = await retry(ask, PAGE_RETRY, { clock, random, signal }).catch(error => {
        throw page > 1 && isMissing(error) ? this.#interrupted(error) : error
      })
      listed.push(...(answer.Shards ?? []))
      hasEnded = answer.StreamStatus === 'DISABLED'
      after = answer.LastEvaluatedShardId
      if (after === undefined) return shardsOf(listed, hasEnded)
      if (page >= PAGES_AT_ONCE) await clock.sleep(BETWEEN_PAGES_MS, signal)
    }
  }

  /** The shard after which a page was to begin has expired meanwhile. */
  #interrupted(cause: unknown): ServiceError {
    const message = `The shards of the stream of table ${this.streamName} changed while they were listed`
    return new ServiceError('other', message, { retryable: true, cause })
  }

  async #arn(signal: AbortSignal | undefined): Promise<string> {
    this.#streamArn ??= await this.#newest(signal)
    return this.#streamArn
  }

  async #newest(signal: AbortSignal | undefined): Promise<string> {
    const { calls, tableName } = this.#options
    const newest = newestStream(await calls.listStreams(signal))
    if (newest !== undefined) return newest
    const message = `Table ${tableName} has no stream, or there is no such table in this account and region. Enable the stream (StreamSpecification) with the view type that the application needs`
    throw new ServiceError('not-found', message, { retryable: false })
  }

  #lost(loss: RecordLoss): void {
    this.#options.lost(loss)
  }
}

type IteratorPosition =
  | { readonly ShardIteratorType: 'LATEST' | 'TRIM_HORIZON' }
  | { readonly ShardIteratorType: 'AT_SEQUENCE_NUMBER' | 'AFTER_SEQUENCE_NUMBER'; readonly SequenceNumber: string }

type GotRecords = Exclude<Awaited<ReturnType<StreamsCalls['getRecords']>>, 'trimmed'>

function isMissing(error: unknown): boolean {
  return error instanceof ServiceError && error.kind === 'not-found'
}
