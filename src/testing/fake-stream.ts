// One stream of the fake Kinesis: its shards, what is in them, and how they split and merge. Knows nothing of
// iterators, limits and faults.
import { createHash } from 'node:crypto'
import type { StreamStatus } from '../kinesis/kinesis-port.ts'
import { ServiceError } from '../model/errors.ts'
import { containsHashKey, type HashKeyRange, MAX_HASH_KEY } from '../model/hash-key-range.ts'
import type { KinesisRecord } from '../model/record.ts'
import { type ChildShard, childrenOf, isClosed, type Shard } from '../model/shard.ts'

/** A record that is in the fake for certain to say when it arrived. */
export type FakeRecord = KinesisRecord & { readonly arrivedAtMs: number }

/** Where a record went. */
export interface PutResult {
  readonly shardId: string
  readonly sequenceNumber: string
}

/** A shard and what is in it. */
export interface FakeShard {
  shard: Shard
  readonly openedAtMs: number
  closedAtMs?: number
  /** Ascending by sequence number. */
  readonly records: FakeRecord[]
}

/** A stream in memory. What Kinesis would refuse, it refuses with the ServiceError that the port has for that. */
export class FakeStream {
  readonly name: string
  readonly arn: string
  readonly createdAtMs: number
  status: StreamStatus = 'ACTIVE'
  /** Tells the streams of one name apart; part of every sequence number. */
  readonly incarnation: number
  readonly #epochMs: () => number
  readonly #shards = new Map<string, FakeShard>()
  #shardsEver = 0
  #sequence = 0

  constructor(name: string, shardCount: number, incarnation: number, epochMs: () => number) {
    this.name = name
    this.arn = `arn:aws:kinesis:us-east-1:000000000000:stream/${name}`
    this.createdAtMs = epochMs()
    this.incarnation = incarnation
    this.#epochMs = epochMs
    const size = (MAX_HASH_KEY + 1n) / BigInt(shardCount)
    for (let index = 0n; index < shardCount; index++) {
      const end = index === BigInt(shardCount) - 1n ? MAX_HASH_KEY : (index + 1n) * size - 1n
      this.#open({ start: index * size, end }, [])
    }
  }

  /** Every shard that has not expired, by id. */
  get shards(): readonly FakeShard[] {
    return [...this.#shards.values()]
  }

  shard(shardId: string): FakeShard {
    const found = this.#shards.get(shardId)
    if (found !== undefined) return found
    throw new ServiceError('not-found', `Shard ${shardId} in stream ${this.name} does not exist`, { retryable: false })
  }

  childrenOf(shardId: string): ChildShard[] {
    return childrenOf(
      shardId,
      this.shards.map(({ shard }) => shard)
    )
  }

  put(partitionKey: string, data: Uint8Array, explicitHashKey?: string | bigint): PutResult {
    const hashKey = explicitHashKey === undefined ? hashKeyOf(partitionKey) : BigInt(explicitHashKey)
    const target = this.shards.find(({ shard }) => !isClosed(shard) && containsHashKey(shard.hashKeyRange, hashKey))
    if (target === undefined) throw refused(`no open shard covers hash key ${hashKey}`)
    const { shardId } = target.shard
    const sequenceNumber = this.#nextSequenceNumber(shardId)
    target.records.push({ sequenceNumber, partitionKey, data, arrivedAtMs: this.#epochMs() })
    return { shardId, sequenceNumber }
  }

  /** Splits an open shard in two. Without a hash key, in the middle. Returns the ids of the children. */
  split(shardId: string, newStartingHashKey?: bigint): [string, string] {
    const parent = this.#openShard(shardId)
    const { start, end } = parent.shard.hashKeyRange
    const middle = newStartingHashKey ?? (start + end + 1n) / 2n
    if (middle <= start || middle > end) throw refused(`${shardId} cannot be split at hash key ${middle}`)
    this.#close(parent)
    return [this.#open({ start, end: middle - 1n }, [shardId]), this.#open({ start: middle, end }, [shardId])]
  }

  /** Merges two open shards whose hash key ranges adjoin. Returns the id of the child. */
  merge(shardId: string, adjacentShardId: string): string {
    const parents = [this.#openShard(shardId), this.#openShard(adjacentShardId)]
    const ranges = parents.map(({ shard }) => shard.hashKeyRange).sort((a, b) => (a.start < b.start ? -1 : 1))
    const [low, high] = ranges as [HashKeyRange, HashKeyRange]
    if (low.end + 1n !== high.start) throw refused(`${shardId} and ${adjacentShardId} do not adjoin`)
    for (const parent of parents) this.#close(parent)
    return this.#open({ start: low.start, end: high.end }, [shardId, adjacentShardId])
  }

  /** Forgets a closed shard, as Kinesis does when the last of its records has expired. */
  expireShard(shardId: string): void {
    if (!isClosed(this.shard(shardId).shard)) throw refused(`${shardId} is open: only its records can expire`)
    this.#shards.delete(shardId)
  }

  /** Lets every record of a shard before `sequenceNumber` expire. */
  trimTo(shardId: string, sequenceNumber: string): void {
    const { records } = this.shard(shardId)
    records.splice(0, firstIndexFrom(records, sequenceNumber))
  }

  /** The shards that were open at a time; times before the oldest shard that is left mean that shard's beginning. */
  shardsAt(timestampMs: number): Shard[] {
    const horizonMs = Math.min(...this.shards.map(({ openedAtMs }) => openedAtMs))
    const atMs = Math.max(timestampMs, horizonMs)
    return this.shards
      .filter(({ openedAtMs, closedAtMs = Number.POSITIVE_INFINITY }) => openedAtMs <= atMs && closedAtMs >= atMs)
      .map(({ shard }) => shard)
  }

  /** The number from which the next record of a shard will be: what LATEST means now. */
  tip(shardId: string): string {
    return sequenceNumberOf(this.incarnation, this.#sequence + 1, shardNumberOf(shardId))
  }

  /** Whether a sequence number could have been given out by this shard of this stream. */
  isFrom(shardId: string, sequenceNumber: string): boolean {
    const ours = sequenceNumberOf(this.incarnation, 0, shardNumberOf(shardId))
    const isSameStream = sequenceNumber.slice(0, STREAM_DIGITS) === ours.slice(0, STREAM_DIGITS)
    const isSameShard = sequenceNumber.slice(-SHARD_DIGITS) === ours.slice(-SHARD_DIGITS)
    return /^\d{56}$/.test(sequenceNumber) && isSameStream && isSameShard
  }

  #open(hashKeyRange: HashKeyRange, parents: readonly string[]): string {
    const shardId = `shardId-${String(this.#shardsEver++).padStart(SHARD_DIGITS, '0')}`
    const [parentShardId, adjacentParentShardId] = parents
    const shard: Shard = {
      shardId,
      ...(parentShardId !== undefined && { parentShardId }),
      ...(adjacentParentShardId !== undefined && { adjacentParentShardId }),
      hashKeyRange,
      startingSequenceNumber: this.#nextSequenceNumber(shardId)
    }
    this.#shards.set(shardId, { shard, openedAtMs: this.#epochMs(), records: [] })
    return shardId
  }

  #close(parent: FakeShard): void {
    parent.shard = { ...parent.shard, endingSequenceNumber: this.#nextSequenceNumber(parent.shard.shardId) }
    parent.closedAtMs = this.#epochMs()
  }

  #openShard(shardId: string): FakeShard {
    const found = this.shard(shardId)
    if (isClosed(found.shard)) throw refused(`${shardId} is closed already`)
    return found
  }

  #nextSequenceNumber(shardId: string): string {
    return sequenceNumberOf(this.incarnation, ++this.#sequence, shardNumberOf(shardId))
  }
}

/** The index of the first record whose number is `sequenceNumber` or higher. All numbers have the same length. */
export function firstIndexFrom(records: readonly FakeRecord[], sequenceNumber: string): number {
  let low = 0
  let high = records.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((records[middle]?.sequenceNumber ?? '') < sequenceNumber) low = middle + 1
    else high = middle
  }
  return low
}

/** The hash key that Kinesis computes for a partition key: its MD5, as a number. */
export function hashKeyOf(partitionKey: string): bigint {
  return BigInt(`0x${createHash('md5').update(partitionKey, 'utf8').digest('hex')}`)
}

/** A refusal by the service of what it was asked for. */
export function refused(why: string): ServiceError {
  return new ServiceError('invalid-argument', `Kinesis rejects the request: ${why}`, { retryable: false })
}

// A sequence number here: 2 fixed digits, 8 for the incarnation of the stream, 34 for the place in the stream, 12 for
// the shard. 56 in all, as in Kinesis.
const STREAM_DIGITS = 10
const PLACE_DIGITS = 34
const SHARD_DIGITS = 12

function sequenceNumberOf(incarnation: number, place: number, shardNumber: string): string {
  return `49${String(incarnation).padStart(STREAM_DIGITS - 2, '0')}${String(place).padStart(PLACE_DIGITS, '0')}${shardNumber}`
}

function shardNumberOf(shardId: string): string {
  return shardId.slice(-SHARD_DIGITS)
}
