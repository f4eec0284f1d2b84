// One stream of a fake DynamoDB table: its shards, what is in them and for how long, and how they are continued. Knows nothing of
// iterators and requests.
import type { StreamRecordJson } from '../dynamodb-streams/record-rules.ts'

/** A record, and when it was written. */
export interface FakeChange {
  readonly sequenceNumber: string
  readonly createdAtMs: number
  readonly json: StreamRecordJson
}

/** A shard of a fake stream, and what is in it. */
export interface FakeTableShard {
  readonly shardId: string
  readonly parentShardId: string | undefined
  readonly startingSequenceNumber: string
  endingSequenceNumber?: string
  closedAtMs?: number
  /** Ascending. */
  readonly records: FakeChange[]
  /** Records up to this one were trimmed. */
  trimmedUpTo?: string
  /** The shards that continue it. */
  readonly children: FakeTableShard[]
}

/** The first sequence number is one more. Of as many digits as those of the service have at least. */
const SEQUENCE = 100_000_000_000_000_000_000n

/** A stream of a table, from when it is enabled. */
export class FakeTableStream {
  readonly arn: string
  readonly label: string
  readonly createdAtMs: number
  isEnabled = true
  readonly #epochMs: () => number
  readonly #retentionMs: number
  readonly #shards = new Map<string, FakeTableShard>()
  /** The shards that it began with: all others descend from them. */
  readonly #first: readonly FakeTableShard[]
  #sequence = SEQUENCE
  #shardsEver = 0

  /**
   * @param partitions how many shards are open at first
   * @param retentionMs how long records are kept
   */
  constructor(tableName: string, partitions: number, retentionMs: number, epochMs: () => number) {
    this.#epochMs = epochMs
    this.#retentionMs = retentionMs
    this.createdAtMs = epochMs()
    this.label = new Date(this.createdAtMs).toISOString().slice(0, -1)
    this.arn = `arn:aws:dynamodb:us-east-1:000000000000:table/${tableName}/stream/${this.label}`
    this.#first = Array.from({ length: partitions }, () => this.#add(undefined))
  }

  /** Every shard that the service still lists, the oldest first. What is too old is trimmed first. */
  get shards(): readonly FakeTableShard[] {
    this.trim(this.#epochMs() - this.#retentionMs)
    return [...this.#shards.values()]
  }

  /** The shards that are written to. */
  get open(): readonly FakeTableShard[] {
    return this.shards.filter(({ closedAtMs }) => closedAtMs === undefined)
  }

  /** One shard, if it is still listed. */
  shard(shardId: string): FakeTableShard | undefined {
    return this.shards.find(shard => shard.shardId === shardId)
  }

  /** Adds a record of the item with this hash, from 0, to the open shard for it: always one that continues the earlier ones for it. */
  add(hash: number, json: (sequenceNumber: string) => StreamRecordJson): FakeChange {
    let [shard, rest] = [this.#first[hash % this.#first.length], Math.floor(hash / this.#first.length)]
    while (shard !== undefined && shard.closedAtMs !== undefined) {
      const { children }: FakeTableShard = shard
      shard = children[rest % children.length]
      rest = Math.floor(rest / Math.max(1, children.length))
    }
    if (shard === undefined) throw new RangeError(`The stream ${this.arn} is disabled`)
    const sequenceNumber = this.#next()
    const change = { sequenceNumber, createdAtMs: this.#epochMs(), json: json(sequenceNumber) }
    shard.records.push(change)
    return change
  }

  /** Closes open shards, all of them or one, and has each continued by `children` others. Returns the ids of those. */
  continueShards(children: number, shardId?: string): string[] {
    const parents = this.open.filter(shard => shardId === undefined || shard.shardId === shardId)
    if (parents.length === 0) throw new RangeError(`No open shard is ${shardId}`)
    return parents.flatMap(parent => {
      this.#close(parent)
      parent.children.push(...Array.from({ length: children }, () => this.#add(parent)))
      return parent.children.map(({ shardId }) => shardId)
    })
  }

  /** Nothing is written to it any more. What is in it can still be read. */
  disable(): void {
    for (const shard of this.open) this.#close(shard)
    this.isEnabled = false
  }

  /** Forgets the records that were written before a time, and the shards that were closed before it. Epoch milliseconds. */
  trim(beforeMs: number): void {
    for (const shard of this.#shards.values()) {
      const kept = shard.records.findIndex(({ createdAtMs }) => createdAtMs >= beforeMs)
      const trimmed = shard.records.splice(0, kept === -1 ? shard.records.length : kept).at(-1)
      if (trimmed) shard.trimmedUpTo = trimmed.sequenceNumber
      if (shard.closedAtMs !== undefined && shard.closedAtMs < beforeMs) this.#shards.delete(shard.shardId)
    }
  }

  #add(parent: FakeTableShard | undefined): FakeTableShard {
    this.#shardsEver += 1
    const time = String(this.#epochMs()).padStart(20, '0')
    const shard: FakeTableShard = {
      shardId: `shardId-${time}-${this.#shardsEver.toString(16).padStart(8, '0')}`,
      parentShardId: parent?.shardId,
      startingSequenceNumber: this.#next(),
      records: [],
      children: []
    }
    this.#shards.set(shard.shardId, shard)
    return shard
  }

  #close(shard: FakeTableShard): void {
    shard.closedAtMs = this.#epochMs()
    shard.endingSequenceNumber = this.#next()
  }

  #next(): string {
    this.#sequence += 1n
    return String(this.#sequence)
  }
}
