// A DynamoDB table in memory, as far as its streams go: items that come, change and go, and what its streams tell of them. A real client
// of the AWS SDK talks to it, over no network: its requests are answered here.
import { type AttributeJson, type AttributesJson, keyText } from '../dynamodb-streams/attribute-rules.ts'
import type { StreamRecordJson } from '../dynamodb-streams/record-rules.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { type StreamsFault, StreamsService } from './fake-streams-service.ts'
import { FakeTableStream } from './fake-table-stream.ts'

/** What a fake table is like. */
export interface FakeTableOptions {
  /** Name of the table. */
  readonly tableName: string
  /** Names of the key attributes of its items: one or two. Default `id`. */
  readonly keys?: readonly string[]
  /** How many partitions it has, each with one open shard. From 1; default 1. */
  readonly partitions?: number
  /** What its streams have of items. Default `NEW_AND_OLD_IMAGES`. */
  readonly viewType?: 'KEYS_ONLY' | 'NEW_IMAGE' | 'OLD_IMAGE' | 'NEW_AND_OLD_IMAGES'
  /** How long its streams keep records. Milliseconds; default 24 hours, as in the service. */
  readonly retentionMs?: number
  /** Where its time comes from. Default: the system. */
  readonly clock?: Pick<Clock, 'epochMs'>
  /** Asked before each request whether it fails, and how. Default: none does. */
  readonly fault?: StreamsFault
}

/** How a client of the AWS SDK is configured that talks to a fake table. */
export interface FakeClientConfig {
  readonly region: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  readonly maxAttempts: number
  // biome-ignore lint/suspicious/noExplicitAny: what the SDK takes for it is a type of another package
  readonly requestHandler: any
}

const DAY_MS = 24 * 3_600_000

/**
 * A table in memory whose stream is enabled. Give `clientConfig` to `dynamodbStream(…, { client })`: whatever is put and deleted here
 * is then read as from DynamoDB Streams.
 */
export class FakeTable {
  readonly tableName: string
  readonly #options: Required<Omit<FakeTableOptions, 'fault'>>
  readonly #service: StreamsService
  readonly #items = new Map<string, AttributesJson>()
  readonly #streams: FakeTableStream[] = []
  #events = 0

  constructor(options: FakeTableOptions) {
    const { fault = () => undefined } = options
    const defaults = {
      keys: ['id'],
      partitions: 1,
      viewType: 'NEW_AND_OLD_IMAGES',
      retentionMs: DAY_MS,
      clock: systemClock
    } as const
    this.#options = { ...defaults, ...options }
    this.tableName = options.tableName
    const epochMs = () => this.#options.clock.epochMs()
    this.#service = new StreamsService({ ...this.#options, streams: this.#streams, epochMs, fault })
    this.enableStream()
  }

  /** Configures a client of the AWS SDK, such as `new DynamoDBStreamsClient(table.clientConfig)`. */
  get clientConfig(): FakeClientConfig {
    const credentials = { accessKeyId: 'fake', secretAccessKey: 'fake' }
    return { region: 'us-east-1', credentials, maxAttempts: 1, requestHandler: this.#service.requestHandler }
  }

  /** The stream that was enabled last. */
  get stream(): FakeTableStream {
    return this.#streams.at(-1) as FakeTableStream
  }

  /** How many requests have come in, by operation. */
  get requests(): Readonly<Record<string, number>> {
    return this.#service.requests
  }

  /** Puts an item, in plain JavaScript. Into which partition it goes, its first key attribute says. */
  put(item: Readonly<Record<string, unknown>>): void {
    const image = attributesOf(item)
    const { Keys, key } = this.#keysOf(image)
    const before = this.#items.get(key)
    this.#items.set(key, image)
    // As in DynamoDB, a write that changes nothing tells nothing.
    if (before !== undefined && JSON.stringify(before) === JSON.stringify(image)) return
    this.#tell(before === undefined ? 'INSERT' : 'MODIFY', Keys, image, before)
  }

  /** Deletes the item with these key attributes, if there is one. `expired`: because its time to live is over. */
  delete(key: Readonly<Record<string, unknown>>, { expired = false }: { readonly expired?: boolean } = {}): void {
    const { Keys, key: text } = this.#keysOf(attributesOf(key))
    const before = this.#items.get(text)
    if (before === undefined) return
    this.#items.delete(text)
    this.#tell('REMOVE', Keys, undefined, before, expired)
  }

  /** Has each open shard, or one, continued by another, as happens every four hours. Returns the ids of the new ones. */
  rollOver(shardId?: string): string[] {
    return this.stream.continueShards(1, shardId)
  }

  /** Has each open shard, or one, continued by two others, as happens when a partition is split. Returns their ids. */
  split(shardId?: string): string[] {
    return this.stream.continueShards(2, shardId)
  }

  /** Forgets what is older than this, as happens to what is older than 24 hours. Epoch milliseconds. */
  trim(beforeMs: number): void {
    this.stream.trim(beforeMs)
  }

  /** Ends the stream. What is in it can still be read. */
  disableStream(): void {
    this.stream.disable()
  }

  /** Begins another stream, with other shards. */
  enableStream(): void {
    const { partitions, retentionMs, clock } = this.#options
    this.#streams.push(new FakeTableStream(this.tableName, partitions, retentionMs, () => clock.epochMs()))
  }

  #keysOf(image: AttributesJson): { readonly Keys: AttributesJson; readonly key: string } {
    const Keys = Object.fromEntries(
      this.#options.keys.map(name => {
        const value = image[name]
        if (value === undefined) throw new TypeError(`An item of ${this.tableName} needs the key attribute ${name}`)
        return [name, value]
      })
    )
    return { Keys, key: keyText(Keys) }
  }

  #tell(
    eventName: NonNullable<StreamRecordJson['eventName']>,
    Keys: AttributesJson,
    after: AttributesJson | undefined,
    before: AttributesJson | undefined,
    expired = false
  ): void {
    if (!this.stream.isEnabled) return
    const { viewType, clock, keys } = this.#options
    const NewImage = viewType.includes('NEW') ? after : undefined
    const OldImage = viewType.includes('OLD') ? before : undefined
    const images = { Keys, ...(NewImage && { NewImage }), ...(OldImage && { OldImage }) }
    const hash = [...JSON.stringify(Keys[keys[0] ?? ''])].reduce((sum, letter) => sum + letter.charCodeAt(0), 0)
    this.#events += 1
    this.stream.add(hash, SequenceNumber => ({
      eventID: this.#events.toString(16).padStart(32, '0'),
      eventName,
      eventVersion: '1.1',
      eventSource: 'aws:dynamodb',
      awsRegion: 'us-east-1',
      dynamodb: {
        ApproximateCreationDateTime: Math.floor(clock.epochMs() / 1_000),
        ...images,
        SequenceNumber,
        SizeBytes: JSON.stringify(images).length,
        StreamViewType: viewType
      },
      ...(expired && { userIdentity: { PrincipalId: 'dynamodb.amazonaws.com', Type: 'Service' } })
    }))
  }
}

function attributesOf(item: Readonly<Record<string, unknown>>): AttributesJson {
  return Object.fromEntries(Object.entries(item).map(([name, value]) => [name, attributeOf(value)]))
}

function attributeOf(value: unknown): AttributeJson {
  if (typeof value === 'string') return { S: value }
  if (typeof value === 'number' || typeof value === 'bigint') return { N: String(value) }
  if (typeof value === 'boolean') return { BOOL: value }
  if (value === null) return { NULL: true }
  if (value instanceof Uint8Array) return { B: Buffer.from(value).toString('base64') }
  if (Array.isArray(value)) return { L: value.map(attributeOf) }
  if (value instanceof Set) return setOf([...value])
  if (typeof value === 'object') return { M: attributesOf(value as Record<string, unknown>) }
  throw new TypeError(`A value of type ${typeof value} cannot be stored in DynamoDB`)
}

function setOf(values: readonly unknown[]): AttributeJson {
  if (values.every(value => typeof value === 'string')) return { SS: values }
  if (values.every(value => value instanceof Uint8Array)) {
    return { BS: values.map(value => Buffer.from(value).toString('base64')) }
  }
  return { NS: values.map(String) }
}
