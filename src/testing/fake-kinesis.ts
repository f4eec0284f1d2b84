// Kinesis in memory, behind the Kinesis port: streams, shards, iterators, limits and faults, in the time of the clock it
// is given. Where the emulators differ from the service, this follows the service.
import type {
  IteratorStart,
  KinesisPort,
  RecordsAnswer,
  ShardFilter,
  StreamDescription,
  StreamStatus
} from '../kinesis/kinesis-port.ts'
import { ServiceError, ThrottledError } from '../model/errors.ts'
import { isClosed, type Shard } from '../model/shard.ts'
import type { Clock } from '../runtime/clock.ts'
import { withDeadline } from '../runtime/deadline.ts'
import { type FakeRecord, type FakeShard, FakeStream, firstIndexFrom, type PutResult, refused } from './fake-stream.ts'

const ITERATOR_LIVES_MS = 300_000
const MAX_RECORDS = 10_000
const MAX_ANSWER_BYTES = 10 * 1024 * 1024
const READS_PER_SECOND = 5
const BYTES_PER_SECOND = 2 * 1024 * 1024
const REQUEST_TIMEOUT_MS = 10_000

/** One call to the fake, before it is carried out. */
export interface FakeCall {
  readonly name: 'describeStream' | 'listShards' | 'getShardIterator' | 'getRecords'
  readonly streamName: string
  /** Which shard, for the two calls that are about one. Absent too if the iterator cannot be read. */
  readonly shardId?: string
  readonly start?: IteratorStart
  readonly limit?: number
  readonly filter?: ShardFilter
}

/** Sees every call first. What it throws reaches the caller; the call waits until what it returns has resolved. */
export type Intercept = (call: FakeCall) => void | Promise<void>

/** Whose time the fake lives in, and in what it is like the service. */
export interface FakeKinesisOptions {
  readonly clock: Clock
  /** Whether the end of a shard names its children, as the service does. Default true; kinesalite does not. */
  readonly sendChildShards?: boolean
  /** Whether a shard answers 5 reads and 2 MB a second and throttles the rest, as the service does. Default false. */
  readonly enforceLimits?: boolean
}

/** What an iterator says, as the fake reads it back. */
interface Position {
  readonly streamName: string
  readonly incarnation: number
  readonly shardId: string
  /** The lowest sequence number it will deliver. */
  readonly from: string
  readonly madeAtMs: number
}

interface Read {
  readonly atMs: number
  readonly bytes: number
}

/** An account of Kinesis. */
export class FakeKinesis {
  /** Put a function here to inject faults and delays. */
  intercept: Intercept | undefined
  readonly #clock: Clock
  readonly #sendChildShards: boolean
  readonly #enforceLimits: boolean
  readonly #streams = new Map<string, FakeStream>()
  readonly #reads = new WeakMap<FakeShard, Read[]>()
  #streamsEver = 0

  constructor({ clock, sendChildShards = true, enforceLimits = false }: FakeKinesisOptions) {
    this.#clock = clock
    this.#sendChildShards = sendChildShards
    this.#enforceLimits = enforceLimits
  }

  /** Creates a stream that is ACTIVE at once. A name that was deleted may be used again. */
  createStream(name: string, shardCount = 1): void {
    if (this.#streams.has(name)) {
      throw new ServiceError('in-use', `Stream ${name} exists already`, { retryable: true })
    }
    this.#streams.set(name, new FakeStream(name, shardCount, ++this.#streamsEver, () => this.#clock.epochMs()))
  }

  deleteStream(name: string): void {
    this.#stream(name)
    this.#streams.delete(name)
  }

  /** Makes a stream say that it is being created, changed or deleted. */
  setStatus(name: string, status: StreamStatus): void {
    this.#stream(name).status = status
  }

  /** Puts a record. Text is put as UTF-8. */
  put(
    name: string,
    partitionKey: string,
    data: Uint8Array | string,
    { explicitHashKey }: { readonly explicitHashKey?: string | bigint } = {}
  ): PutResult {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
    return this.#stream(name).put(partitionKey, bytes, explicitHashKey)
  }

  /** Splits an open shard in two, in the middle unless a hash key is given. Returns the ids of the children. */
  split(name: string, shardId: string, newStartingHashKey?: bigint): [string, string] {
    return this.#stream(name).split(shardId, newStartingHashKey)
  }

  /** Merges two open shards whose hash key ranges adjoin. Returns the id of the child. */
  merge(name: string, shardId: string, adjacentShardId: string): string {
    return this.#stream(name).merge(shardId, adjacentShardId)
  }

  /** Forgets a closed shard, as Kinesis does when the last of its records has expired. */
  expireShard(name: string, shardId: string): void {
    this.#stream(name).expireShard(shardId)
  }

  /** Lets every record of a shard before `sequenceNumber` expire. */
  trimTo(name: string, shardId: string, sequenceNumber: string): void {
    this.#stream(name).trimTo(shardId, sequenceNumber)
  }

  /** Every shard of the stream that has not expired. */
  shards(name: string): Shard[] {
    return this.#stream(name).shards.map(({ shard }) => shard)
  }

  /** Every record that is in a shard now. */
  records(name: string, shardId: string): readonly FakeRecord[] {
    return this.#stream(name).shard(shardId).records
  }

  /** The port to a stream, by name or ARN. The stream need not exist yet. */
  port(nameOrArn: string): KinesisPort {
    const streamName = nameOrArn.slice(nameOrArn.lastIndexOf('/') + 1)
    const call = <T>(
      what: Omit<FakeCall, 'streamName'>,
      signal: AbortSignal | undefined,
      answer: () => T
    ): Promise<T> => this.#call({ streamName, ...what }, signal, answer)
    return {
      streamName,
      describeStream: ({ signal } = {}) => call({ name: 'describeStream' }, signal, () => this.#describe(streamName)),
      listShards: ({ signal, filter } = {}) =>
        call({ name: 'listShards', ...(filter && { filter }) }, signal, () => this.#list(streamName, filter)),
      getShardIterator: (shardId, start, { signal } = {}) =>
        call({ name: 'getShardIterator', shardId, start }, signal, () => this.#iterator(streamName, shardId, start)),
      getRecords: (iterator, { limit, signal }) => {
        const position = read(iterator)
        const shard = position && { shardId: position.shardId }
        return call({ name: 'getRecords', limit, ...shard }, signal, () => this.#records(position, limit))
      },
      close: () => {}
    }
  }

  #call<T>(call: FakeCall, signal: AbortSignal | undefined, answer: () => T): Promise<T> {
    return withDeadline(
      this.#clock,
      REQUEST_TIMEOUT_MS,
      signal,
      async () => {
        await this.intercept?.(call)
        return answer()
      },
      () => new ServiceError('timeout', `${call.name} of ${call.streamName} had no answer`, { retryable: true })
    )
  }

  #stream(name: string): FakeStream {
    const stream = this.#streams.get(name)
    if (stream !== undefined) return stream
    throw new ServiceError('not-found', `Stream ${name} does not exist`, { retryable: false })
  }

  #describe(name: string): StreamDescription {
    const { arn, status, createdAtMs } = this.#stream(name)
    const serviceTimeMs = this.#clock.epochMs()
    return { streamName: name, streamArn: arn, status, creationEpoch: Math.floor(createdAtMs / 1000), serviceTimeMs }
  }

  #list(name: string, filter: ShardFilter | undefined): Shard[] {
    const stream = this.#stream(name)
    if (stream.status === 'CREATING' || stream.status === 'DELETING') {
      throw new ServiceError('in-use', `Stream ${name} is ${stream.status}`, { retryable: true })
    }
    return filter === undefined ? this.shards(name) : stream.shardsAt(filter.timestampMs)
  }

  #iterator(streamName: string, shardId: string, start: IteratorStart): string {
    const stream = this.#stream(streamName)
    const position = { streamName, incarnation: stream.incarnation, shardId, from: this.#from(stream, shardId, start) }
    return this.#iteratorAt(position)
  }

  #iteratorAt(position: Omit<Position, 'madeAtMs'>): string {
    return write({ ...position, madeAtMs: this.#clock.monotonicMs() })
  }

  #from(stream: FakeStream, shardId: string, start: IteratorStart): string {
    const { shard, records } = stream.shard(shardId)
    switch (start.type) {
      case 'TRIM_HORIZON':
        return shard.startingSequenceNumber
      case 'LATEST':
        return stream.tip(shardId)
      case 'AT_TIMESTAMP':
        if (start.timestampMs > this.#clock.epochMs()) throw refused(`time ${start.timestampMs} is in the future`)
        return records.find(record => record.arrivedAtMs >= start.timestampMs)?.sequenceNumber ?? stream.tip(shardId)
      default:
        if (!stream.isFrom(shardId, start.sequenceNumber)) {
          throw refused(`sequence number ${start.sequenceNumber} did not come from ${shardId} of this stream`)
        }
        return start.type === 'AT_SEQUENCE_NUMBER' ? start.sequenceNumber : following(start.sequenceNumber)
    }
  }

  #records(position: Position | undefined, limit: number): RecordsAnswer {
    if (position === undefined) throw refused('this is not a shard iterator')
    if (!(Number.isInteger(limit) && limit >= 1 && limit <= MAX_RECORDS)) {
      throw refused(`limit ${limit} is not a whole number from 1 to ${MAX_RECORDS}`)
    }
    const stream = this.#stream(position.streamName)
    if (position.incarnation !== stream.incarnation) throw refused('the iterator is of an earlier stream of this name')
    const source = stream.shard(position.shardId)
    const ageMs = this.#clock.monotonicMs() - position.madeAtMs
    if (ageMs > ITERATOR_LIVES_MS) {
      throw new ServiceError('expired-iterator', `The iterator is ${ageMs} ms old`, { retryable: false })
    }
    if (this.#enforceLimits) this.#throttle(source)
    const first = firstIndexFrom(source.records, position.from)
    const records = upToCaps(source.records, first, limit)
    this.#noteRead(source, records)
    return this.#answer(stream, source, position, records, first + records.length)
  }

  #answer(
    stream: FakeStream,
    { shard, records: all }: FakeShard,
    position: Position,
    records: readonly FakeRecord[],
    next: number
  ): RecordsAnswer {
    const last = records.at(-1)
    const isAtTip = next >= all.length
    // Behind by less than a millisecond is still behind: 0 says that nothing is left.
    const behindMs = isAtTip || last === undefined ? 0 : Math.max(1, this.#clock.epochMs() - last.arrivedAtMs)
    if (isAtTip && isClosed(shard)) {
      const childShards = this.#sendChildShards ? stream.childrenOf(shard.shardId) : []
      return { records, millisBehindLatest: behindMs, ...(childShards.length > 0 && { childShards }) }
    }
    const from = last === undefined ? position.from : following(last.sequenceNumber)
    return { records, millisBehindLatest: behindMs, nextIterator: this.#iteratorAt({ ...position, from }) }
  }

  #throttle(shard: FakeShard): void {
    const nowMs = this.#clock.monotonicMs()
    const reads = (this.#reads.get(shard) ?? []).filter(({ atMs, bytes }) => atMs + blocksForMs(bytes) > nowMs)
    this.#reads.set(shard, reads)
    const count = reads.filter(({ atMs }) => atMs + 1000 > nowMs).length
    const bytes = reads.reduce((sum, each) => sum + each.bytes, 0)
    if (count < READS_PER_SECOND && bytes < BYTES_PER_SECOND) return
    throw new ThrottledError(`${shard.shard.shardId} has answered ${count} reads and ${bytes} bytes within a second`)
  }

  #noteRead(shard: FakeShard, records: readonly FakeRecord[]): void {
    if (!this.#enforceLimits) return
    const bytes = records.reduce((sum, { data }) => sum + data.length, 0)
    this.#reads.get(shard)?.push({ atMs: this.#clock.monotonicMs(), bytes })
  }
}

/** How long a read counts against the limit on bytes: an answer of 10 MB blocks the shard for five seconds. */
function blocksForMs(bytes: number): number {
  return Math.max(1000, (bytes / BYTES_PER_SECOND) * 1000)
}

/** The records from index `first` that fit into one answer: always one, if there is one. */
function upToCaps(records: readonly FakeRecord[], first: number, limit: number): FakeRecord[] {
  const fitting: FakeRecord[] = []
  let bytes = 0
  for (let index = first; index < records.length && fitting.length < limit; index++) {
    const record = records[index] as FakeRecord
    bytes += record.data.length
    if (bytes > MAX_ANSWER_BYTES && fitting.length > 0) break
    fitting.push(record)
  }
  return fitting
}

function following(sequenceNumber: string): string {
  return String(BigInt(sequenceNumber) + 1n)
}

function write(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString('base64')
}

function read(iterator: string): Position | undefined {
  try {
    const position: unknown = JSON.parse(Buffer.from(iterator, 'base64').toString())
    return typeof position === 'object' && position !== null && 'madeAtMs' in position
      ? (position as Position)
      : undefined
  } catch {
    return undefined
  }
}
