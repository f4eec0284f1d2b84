// Kinesis in memory, behind the Kinesis port: streams, shards, iterators, limits, retention, fan-out and faults, in the time
// of the clock it is given. Where the emulators differ from the service, this follows the service.
import type { FanOutPort } from '../kinesis/fan-out-port.ts'
import type {
  CallOptions,
  IteratorStart,
  KinesisPort,
  ShardFilter,
  StreamDescription,
  StreamStatus
} from '../kinesis/kinesis-port.ts'
import { ServiceError } from '../model/errors.ts'
import type { RecordsAnswer } from '../model/records-answer.ts'
import { isClosed, type RangedShard } from '../model/shard.ts'
import type { Clock } from '../runtime/clock.ts'
import { withDeadline } from '../runtime/deadline.ts'
import { FakeFanOut } from './fake-fan-out.ts'
import { following, type IteratorPosition, readIterator, writeIterator } from './fake-iterator.ts'
import { ReadLimits } from './fake-read-limits.ts'
import { type FakeRecord, type FakeShard, FakeStream, firstIndexFrom, refused, upToCaps } from './fake-stream.ts'

const ITERATOR_LIVES_MS = 300_000
const MAX_RECORDS = 10_000
const MAX_ANSWER_BYTES = 10 * 1024 * 1024
const REQUEST_TIMEOUT_MS = 10_000
const LARGE_PAYLOAD_BYTES = 131_072
const DAY_MS = 86_400_000

/** One call to the fake, before it is carried out. */
export interface FakeCall {
  /** Which call. */
  readonly name:
    | ('describeStream' | 'listShards' | 'getShardIterator' | 'getRecords')
    | ('registerConsumer' | 'describeConsumer' | 'deregisterConsumer' | 'subscribeToShard')
  /** Name of the stream. */
  readonly streamName: string
  /** Which shard, for the calls that are about one. Absent too if the iterator cannot be read. */
  readonly shardId?: string
  /** Where reading is to begin. */
  readonly start?: IteratorStart
  /** How many records are asked for at most. */
  readonly limit?: number
  /** Which shards are asked for. */
  readonly filter?: ShardFilter
}

/** Where a record went. */
export interface PutResult {
  /** The shard that its key belongs to. */
  readonly shardId: string
  /** 56 digits. */
  readonly sequenceNumber: string
}

/** Sees every call first. What it throws reaches the caller; the call waits until what it returns has resolved. */
export type Intercept = (call: FakeCall) => void | Promise<void>

/** Is told what becomes of streams and what is put into them, right after it has happened. */
export interface StreamObserver {
  /** A record was put. */
  put(streamName: string, shard: RangedShard, record: FakeRecord, explicitHashKey?: string | bigint): void
  /** A stream was deleted, or is about to be created again: nothing that was put into it before counts any more. */
  deleted(streamName: string): void
  /** A shard was split, or two were merged. */
  resharded(streamName: string, parents: readonly string[], children: readonly string[]): void
}

/** Whose time the fake lives in, and in what it is like the service. */
export interface FakeKinesisOptions {
  /** Its time. */
  readonly clock: Clock
  /** Whether the end of a shard names its children, as the service does. Default true; kinesalite does not. */
  readonly sendChildShards?: boolean
  /** Whether a shard answers 5 reads and 2 MB a second and throttles the rest, as the service does. Default false. */
  readonly enforceLimits?: boolean
  /** Default: nobody is told. */
  readonly observer?: StreamObserver
}

/** The calls of enhanced fan-out for one stream of the fake: those of the port, and taking a consumer away. */
export interface FakeFanOutPort extends FanOutPort {
  /** DeregisterStreamConsumer. ServiceError `not-found` if there is none. */
  deregisterConsumer(consumerArn: string, options?: CallOptions): Promise<void>
}

/** An account of Kinesis. */
export class FakeKinesis {
  /** Put a function here to inject faults and delays. */
  intercept: Intercept | undefined
  readonly #clock: Clock
  readonly #sendChildShards: boolean
  readonly #enforceLimits: boolean
  readonly #observer: StreamObserver | undefined
  readonly #fanOut: FakeFanOut
  readonly #streams = new Map<string, FakeStream>()
  readonly #limits: ReadLimits
  #streamsEver = 0

  constructor({ clock, sendChildShards = true, enforceLimits = false, observer }: FakeKinesisOptions) {
    this.#clock = clock
    this.#sendChildShards = sendChildShards
    this.#enforceLimits = enforceLimits
    this.#observer = observer
    this.#limits = new ReadLimits(clock)
    this.#fanOut = new FakeFanOut({
      clock,
      sendChildShards,
      firstNumber: (stream, shardId, start) => this.#from(stream, shardId, start)
    })
  }

  /**
   * Creates a stream that is ACTIVE at once. A name that was deleted may be used again. `retentionMs`: how long records are
   * kept, in milliseconds; default a day.
   */
  createStream(name: string, shardCount = 1, { retentionMs = DAY_MS }: { readonly retentionMs?: number } = {}): void {
    if (this.#streams.has(name)) {
      throw new ServiceError('in-use', `Stream ${name} exists already`, { retryable: true })
    }
    const incarnation = ++this.#streamsEver
    const epochMs = (): number => this.#clock.epochMs()
    this.#streams.set(name, new FakeStream(name, shardCount, incarnation, epochMs, retentionMs))
  }

  /** Deletes a stream, its records and its fan-out consumers. */
  deleteStream(name: string): void {
    const stream = this.#stream(name)
    for (const { consumerArn } of this.#fanOut.list(stream)) this.#fanOut.deregister(consumerArn)
    this.#streams.delete(name)
    this.#observer?.deleted(name)
  }

  /** The names of the streams there are. */
  get streamNames(): string[] {
    return [...this.#streams.keys()]
  }

  /** Changes for how long the records of a stream are kept. Milliseconds. */
  setRetention(name: string, retentionMs: number): void {
    this.#stream(name).retentionMs = retentionMs
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
    const { shard, record } = this.#stream(name).put(partitionKey, bytes, explicitHashKey)
    this.#observer?.put(name, shard, record, explicitHashKey)
    return { shardId: shard.shardId, sequenceNumber: record.sequenceNumber }
  }

  /** Splits an open shard in two, in the middle unless a hash key is given. Returns the ids of the children. */
  split(name: string, shardId: string, newStartingHashKey?: bigint): [string, string] {
    const children = this.#stream(name).split(shardId, newStartingHashKey)
    this.#observer?.resharded(name, [shardId], children)
    return children
  }

  /** Merges two open shards whose hash key ranges adjoin. Returns the id of the child. */
  merge(name: string, shardId: string, adjacentShardId: string): string {
    const child = this.#stream(name).merge(shardId, adjacentShardId)
    this.#observer?.resharded(name, [shardId, adjacentShardId], [child])
    return child
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
  shards(name: string): RangedShard[] {
    return this.#stream(name).shards.map(({ shard }) => shard)
  }

  /** Whether there is such a shard, and it has not expired. */
  hasShard(name: string, shardId: string): boolean {
    return this.#streams.get(name)?.has(shardId) === true
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
        const position = readIterator(iterator)
        const shard = position && { shardId: position.shardId }
        return call({ name: 'getRecords', limit, ...shard }, signal, () => this.#records(position, limit))
      },
      close: () => {}
    }
  }

  /** The calls of enhanced fan-out for a stream, by name or ARN. */
  fanOut(nameOrArn: string): FakeFanOutPort {
    const streamName = nameOrArn.slice(nameOrArn.lastIndexOf('/') + 1)
    const fanOut = this.#fanOut
    const call = <T>(name: FakeCall['name'], signal: AbortSignal | undefined, answer: () => T): Promise<T> =>
      this.#call({ streamName, name }, signal, answer)
    return {
      streamName,
      registerConsumer: (consumerName, { signal } = {}) =>
        call('registerConsumer', signal, () => fanOut.register(this.#stream(streamName), consumerName)),
      describeConsumer: (consumer, { signal } = {}) =>
        call('describeConsumer', signal, () => fanOut.describe(this.#stream(streamName), consumer)),
      deregisterConsumer: (consumerArn, { signal } = {}) =>
        call('deregisterConsumer', signal, () => fanOut.deregister(consumerArn)),
      subscribeToShard: input => {
        const { shardId, start, signal } = input
        const what = { streamName, name: 'subscribeToShard', shardId, start } as const
        return this.#call(what, signal, () => fanOut.subscribe(input))
      },
      close: () => {}
    }
  }

  /** Breaks the connection of every subscription to a shard, or to every shard, of a stream. */
  disconnect(name: string, shardId?: string): void {
    this.#fanOut.disconnect(this.#stream(name), shardId)
  }

  #call<T>(call: FakeCall, signal: AbortSignal | undefined, answer: () => T): Promise<T> {
    const { intercept } = this
    if (intercept === undefined) return answered(signal, answer)
    return withDeadline(
      this.#clock,
      REQUEST_TIMEOUT_MS,
      signal,
      async () => {
        await intercept(call)
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
    const { arn: streamArn, status, createdAtMs, retentionMs } = this.#stream(name)
    const serviceTimeMs = this.#clock.epochMs()
    const creationEpoch = Math.floor(createdAtMs / 1000)
    return { streamName: name, streamArn, status, creationEpoch, retentionMs, serviceTimeMs }
  }

  #list(name: string, filter: ShardFilter | undefined): RangedShard[] {
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

  #iteratorAt(position: Omit<IteratorPosition, 'madeAtMs'>): string {
    return writeIterator({ ...position, madeAtMs: this.#clock.monotonicMs() })
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

  #records(position: IteratorPosition | undefined, limit: number): RecordsAnswer {
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
    if (this.#enforceLimits) this.#limits.throttle(source)
    const first = firstIndexFrom(source.records, position.from)
    const stored = upToCaps(source.records, first, { maxRecords: limit, maxBytes: MAX_ANSWER_BYTES })
    const records = stored.map(handedOut)
    if (this.#enforceLimits) this.#limits.note(source, records)
    return this.#answer(stream, source, position, records, first + records.length)
  }

  #answer(
    stream: FakeStream,
    { shard, records: all }: FakeShard,
    position: IteratorPosition,
    records: readonly FakeRecord[],
    next: number
  ): RecordsAnswer {
    const last = records.at(-1)
    const isAtTip = next >= all.length
    const bytes = records.reduce((sum, { data }) => sum + data.length, 0)
    // Behind by less than a millisecond is still behind: 0 says that nothing is left.
    const behindMs = isAtTip || last === undefined ? 0 : Math.max(1, this.#clock.epochMs() - last.arrivedAtMs)
    if (isAtTip && isClosed(shard)) {
      const childShards = this.#sendChildShards ? stream.childrenOf(shard.shardId) : []
      return { records, bytes, millisBehindLatest: behindMs, ...(childShards.length > 0 && { childShards }) }
    }
    const from = last === undefined ? position.from : following(last.sequenceNumber)
    return { records, bytes, millisBehindLatest: behindMs, nextIterator: this.#iteratorAt({ ...position, from }) }
  }
}

/** What is handed out belongs to the caller, who may give large payloads away to a thread: those are copied. */
function handedOut(record: FakeRecord): FakeRecord {
  return record.data.buffer.byteLength < LARGE_PAYLOAD_BYTES ? record : { ...record, data: new Uint8Array(record.data) }
}

/** A call that nobody intercepts is answered at once. */
async function answered<T>(signal: AbortSignal | undefined, answer: () => T): Promise<T> {
  signal?.throwIfAborted()
  return answer()
}
