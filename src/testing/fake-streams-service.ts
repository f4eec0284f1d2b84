// The API of DynamoDB Streams over streams in memory: requests as clients of the AWS SDK make them, answered as the service does, with
// its pages, its limits, its iterators that expire, and its errors.
import type { FakeChange, FakeTableShard, FakeTableStream } from './fake-table-stream.ts'

/** The operations of the service. */
export type StreamsOperation = 'ListStreams' | 'DescribeStream' | 'GetShardIterator' | 'GetRecords'

/** Asked whether a request fails: with the name of an error of the service, or not. */
export type StreamsFault = (operation: StreamsOperation, input: StreamsInput) => string | undefined

/** What requests say. */
export interface StreamsInput {
  readonly TableName?: string
  readonly StreamArn?: string
  readonly ShardId?: string
  readonly ShardIterator?: string
  readonly ShardIteratorType?: string
  readonly SequenceNumber?: string
  readonly Limit?: number
  readonly ExclusiveStartShardId?: string
  readonly ShardFilter?: { readonly Type?: string; readonly ShardId?: string }
}

/** What the service answers from. */
export interface StreamsServiceOptions {
  readonly tableName: string
  readonly streams: readonly FakeTableStream[]
  readonly viewType: string
  readonly keys: readonly string[]
  readonly epochMs: () => number
  readonly fault: StreamsFault
}

interface Request {
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

interface Response {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** What an iterator stands for: what comes after this sequence number. */
interface Iterator {
  readonly arn: string
  readonly shardId: string
  readonly after: string
  readonly atMs: number
}

class Refusal extends Error {
  /** The name of the error, as the service has it. */
  readonly fault: string

  constructor(fault: string, message: string = fault) {
    super(message)
    this.fault = fault
  }
}

const PAGE = 100
const MAX_RECORDS = 1_000
const MAX_BYTES = 1_048_576
const ITERATOR_LIVES_MS = 15 * 60_000
/** Before every record. */
const BEGINNING = '0'

/** The service, for one table. */
export class StreamsService {
  /** How many requests have come in, by operation. */
  readonly requests: Record<string, number> = {}
  readonly #options: StreamsServiceOptions

  constructor(options: StreamsServiceOptions) {
    this.#options = options
  }

  /** What a client of the AWS SDK takes as its `requestHandler`. */
  get requestHandler() {
    return {
      metadata: { handlerProtocol: 'http/1.1' },
      handle: async (request: Request): Promise<{ response: Response }> => ({ response: this.#answer(request) }),
      updateHttpClientConfig: (): void => {},
      httpHandlerConfigs: () => ({}),
      destroy: (): void => {}
    }
  }

  #answer({ headers, body }: Request): Response {
    const target = Object.entries(headers).find(([name]) => name.toLowerCase() === 'x-amz-target')?.[1]
    const operation = (target?.split('.')[1] ?? '') as StreamsOperation
    const input = JSON.parse(typeof body === 'string' ? body : new TextDecoder().decode(body as Uint8Array))
    this.requests[operation] = (this.requests[operation] ?? 0) + 1
    try {
      const fault = this.#options.fault(operation, input)
      if (fault !== undefined) throw new Refusal(fault)
      return this.#response(200, this.#answerTo(operation, input))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      const __type = `com.amazonaws.dynamodb.v20120810#${error.fault}`
      return this.#response(error.fault === 'InternalServerError' ? 500 : 400, { __type, message: error.message })
    }
  }

  #response(statusCode: number, answer: object): Response {
    const date = new Date(this.#options.epochMs()).toUTCString()
    return {
      statusCode,
      headers: { 'content-type': 'application/x-amz-json-1.0', date },
      body: new TextEncoder().encode(JSON.stringify(answer))
    }
  }

  #answerTo(operation: StreamsOperation, input: StreamsInput): object {
    switch (operation) {
      case 'ListStreams':
        return this.#listStreams(input)
      case 'DescribeStream':
        return this.#describeStream(input)
      case 'GetShardIterator':
        return { ShardIterator: this.#iteratorFor(input) }
      case 'GetRecords':
        return this.#getRecords(input)
    }
  }

  #listStreams({ TableName }: StreamsInput): object {
    const { tableName, streams } = this.#options
    const Streams = streams
      .filter(() => TableName === undefined || TableName === tableName)
      .map(({ arn, label }) => ({ StreamArn: arn, StreamLabel: label, TableName: tableName }))
    return { Streams }
  }

  #describeStream({ StreamArn, ExclusiveStartShardId, ShardFilter, Limit = PAGE }: StreamsInput): object {
    if (Limit < 1 || Limit > PAGE) throw new Refusal('ValidationException', `Limit ${Limit}`)
    const { tableName, viewType, keys } = this.#options
    const stream = this.#stream(StreamArn)
    const parent = ShardFilter?.ShardId
    const shards = stream.shards.filter(({ parentShardId }) => parent === undefined || parentShardId === parent)
    const begin = shards.findIndex(({ shardId }) => shardId === ExclusiveStartShardId) + 1
    if (ExclusiveStartShardId !== undefined && begin === 0) throw new Refusal('ResourceNotFoundException')
    const page = shards.slice(begin, begin + Limit)
    return {
      StreamDescription: {
        StreamArn,
        StreamLabel: stream.label,
        StreamStatus: stream.isEnabled ? 'ENABLED' : 'DISABLED',
        StreamViewType: viewType,
        CreationRequestDateTime: stream.createdAtMs / 1_000,
        TableName: tableName,
        KeySchema: keys.map((AttributeName, index) => ({ AttributeName, KeyType: index === 0 ? 'HASH' : 'RANGE' })),
        Shards: page.map(shard => ({
          ShardId: shard.shardId,
          ParentShardId: shard.parentShardId,
          SequenceNumberRange: {
            StartingSequenceNumber: shard.startingSequenceNumber,
            EndingSequenceNumber: shard.endingSequenceNumber
          }
        })),
        LastEvaluatedShardId: begin + Limit < shards.length ? page.at(-1)?.shardId : undefined
      }
    }
  }

  #iteratorFor(input: StreamsInput): string {
    const { StreamArn, ShardId, ShardIteratorType: type, SequenceNumber = '' } = input
    const stream = this.#stream(StreamArn)
    const shard = this.#shard(stream, ShardId)
    const newest = shard.records.at(-1)?.sequenceNumber ?? shard.trimmedUpTo
    const at = (after: string): string =>
      textOf({ arn: stream.arn, shardId: shard.shardId, after, atMs: this.#options.epochMs() })
    switch (type) {
      case 'TRIM_HORIZON':
        return at(shard.trimmedUpTo ?? BEGINNING)
      case 'LATEST':
        return at(newest ?? BEGINNING)
      case 'AT_SEQUENCE_NUMBER':
      case 'AFTER_SEQUENCE_NUMBER': {
        if (!/^\d{1,40}$/.test(SequenceNumber)) throw new Refusal('ValidationException', 'SequenceNumber')
        const isTrimmed = shard.trimmedUpTo !== undefined && SequenceNumber <= shard.trimmedUpTo
        if (isTrimmed) throw new Refusal('TrimmedDataAccessException')
        return at(type === 'AFTER_SEQUENCE_NUMBER' ? SequenceNumber : String(BigInt(SequenceNumber) - 1n))
      }
      default:
        throw new Refusal('ValidationException', `ShardIteratorType ${type}`)
    }
  }

  #getRecords({ ShardIterator = '', Limit = MAX_RECORDS }: StreamsInput): object {
    if (Limit < 1 || Limit > MAX_RECORDS) throw new Refusal('ValidationException', `Limit ${Limit}`)
    const { arn, shardId, after, atMs } = JSON.parse(ShardIterator.slice(ShardIterator.indexOf('|') + 1)) as Iterator
    const nowMs = this.#options.epochMs()
    if (nowMs - atMs > ITERATOR_LIVES_MS) throw new Refusal('ExpiredIteratorException')
    const shard = this.#shard(this.#stream(arn), shardId)
    const { trimmedUpTo = BEGINNING } = shard
    if (isBefore(after, trimmedUpTo)) throw new Refusal('TrimmedDataAccessException')
    const later = shard.records.filter(({ sequenceNumber }) => isBefore(after, sequenceNumber))
    const records = later.slice(0, Math.min(Limit, countFitting(later)))
    const isAtEnd = shard.closedAtMs !== undefined && records.length === later.length
    const last = records.at(-1)?.sequenceNumber ?? after
    return {
      Records: records.map(({ json }) => json),
      ...(!isAtEnd && { NextShardIterator: textOf({ arn, shardId, after: last, atMs: nowMs }) })
    }
  }

  #stream(arn: string | undefined): FakeTableStream {
    const stream = this.#options.streams.find(each => each.arn === arn)
    if (stream === undefined) throw new Refusal('ResourceNotFoundException', `Requested resource not found: ${arn}`)
    return stream
  }

  #shard(stream: FakeTableStream, shardId = ''): FakeTableShard {
    const shard = stream.shard(shardId)
    if (shard === undefined) throw new Refusal('ResourceNotFoundException', `Requested resource not found: ${shardId}`)
    return shard
  }
}

/** Iterators of the service contain the ARN, bars and spaces of nobody's business. */
function textOf(iterator: Iterator): string {
  return `${iterator.arn}|${JSON.stringify(iterator)}`
}

function isBefore(a: string, b: string): boolean {
  return BigInt(a) < BigInt(b)
}

/** How many of these records fit into one answer. At least one. */
function countFitting(records: readonly FakeChange[]): number {
  let bytes = 0
  const tooMany = records.findIndex(({ json }) => {
    bytes += json.dynamodb?.SizeBytes ?? 0
    return bytes > MAX_BYTES
  })
  return tooMany === -1 ? records.length : Math.max(1, tooMany)
}
