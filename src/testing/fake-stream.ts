// One stream of the fake Kinesis: its shards, what is in them and for how long, and how they split and merge. Knows nothing
// of iterators, limits and faults. Cheap with thousands of shards: nothing walks through all of them for one record.
import { createHash } from 'node:crypto'
import type { StreamStatus } from '../kinesis/kinesis-port.ts'
import { ServiceError } from '../model/errors.ts'
import { containsHashKey, type HashKeyRange, MAX_HASH_KEY } from '../model/hash-key-range.ts'
import type { KinesisRecord } from '../model/record.ts'
import { type ChildShard, childrenOf, isClosed, type RangedShard } from '../model/shard.ts'

/** A record that is in the fake for certain to say when it arrived. */
export type FakeRecord = KinesisRecord & { readonly arrivedAtMs: number }

/** A shard and what is in it. */
export interface FakeShard {
  shard: RangedShard
  readonly openedAtMs: number
  closedAtMs?: number
  /** Ascending by sequence number. */
  readonly records: FakeRecord[]
  /** Ids of the shards that continue it. */
  readonly children: string[]
  /** Called when a record was put into it, and when it was closed. */
  readonly watchers: Set<() => void>
}

/** A stream in memory. What Kinesis would refuse, it refuses with the ServiceError that the port has for that. */
export class FakeStream {
  readonly name: string
  readonly arn: string
  readonly createdAtMs: number
  status: StreamStatus = 'ACTIVE'
  /** How long records are kept. Milliseconds; may be changed at any time. */
  retentionMs: number
  /** Tells the streams of one name apart; part of every sequence number. */
  readonly incarnation: number
  readonly #epochMs: () => number
  readonly #shards = new Map<string, FakeShard>()
  /** The open ones, ascending by hash key. */
  readonly #open: FakeShard[] = []
  /** The closed ones, in the order in which they were closed. */
  readonly #closed: FakeShard[] = []
  /** What {@link shards} returned last, until there are others. */
  #listing: readonly FakeShard[] | undefined
  #shardsEver = 0
  #sequence = 0

  /** @param retentionMs milliseconds; default: for ever */
  constructor(
    name: string,
    shardCount: number,
    incarnation: number,
    epochMs: () => number,
    retentionMs = Number.POSITIVE_INFINITY
  ) {
    this.name = name
    this.arn = `arn:aws:kinesis:us-east-1:000000000000:stream/${name}`
    this.createdAtMs = epochMs()
    this.incarnation = incarnation
    this.retentionMs = retentionMs
    this.#epochMs = epochMs
    const size = (MAX_HASH_KEY + 1n) / BigInt(shardCount)
    for (let index = 0n; index < shardCount; index++) {
      const end = index === BigInt(shardCount) - 1n ? MAX_HASH_KEY : (index + 1n) * size - 1n
      this.#open.push(this.#add({ start: index * size, end }, []))
    }
  }

  /** Every shard that has not expired, by id. */
  get shards(): readonly FakeShard[] {
    this.#expireShards()
    this.#listing ??= [...this.#shards.values()]
    return this.#listing
  }

  has(shardId: string): boolean {
    this.#expireShards()
    return this.#shards.has(shardId)
  }

  /** One shard, without the records that have expired. @throws ServiceError `not-found` */
  shard(shardId: string): FakeShard {
    this.#expireShards()
    const found = this.#shards.get(shardId)
    if (found === undefined) {
      const message = `Shard ${shardId} in stream ${this.name} does not exist`
      throw new ServiceError('not-found', message, { retryable: false })
    }
    this.#expireRecords(found)
    return found
  }

  childrenOf(shardId: string): ChildShard[] {
    const children = this.#shards.get(shardId)?.children ?? []
    const shards = children.flatMap(child => this.#shards.get(child)?.shard ?? [])
    return childrenOf(shardId, shards)
  }

  /** Puts a record, and says into which shard. */
  put(
    partitionKey: string,
    data: Uint8Array,
    explicitHashKey?: string | bigint
  ): { readonly shard: RangedShard; readonly record: FakeRecord } {
    const hashKey = explicitHashKey === undefined ? hashKeyOf(partitionKey) : BigInt(explicitHashKey)
    const target = this.#open[this.#indexOfOpen(hashKey)]
    if (target === undefined || !containsHashKey(target.shard.hashKeyRange, hashKey)) {
      throw refused(`no open shard covers hash key ${hashKey}`)
    }
    const sequenceNumber = this.#nextSequenceNumber(target.shard.shardId)
    const record = { sequenceNumber, partitionKey, data, arrivedAtMs: this.#epochMs() }
    target.records.push(record)
    for (const watcher of target.watchers) watcher()
    return { shard: target.shard, record }
  }

  /** Splits an open shard in two. Without a hash key, in the middle. Returns the ids of the children. */
  split(shardId: string, newStartingHashKey?: bigint): [string, string] {
    const parent = this.#openShard(shardId)
    const { start, end } = parent.shard.hashKeyRange
    const middle = newStartingHashKey ?? (start + end + 1n) / 2n
    if (middle <= start || middle > end) throw refused(`${shardId} cannot be split at hash key ${middle}`)
    return this.#continue(
      [parent],
      [
        { start, end: middle - 1n },
        { start: middle, end }
      ]
    ) as [string, string]
  }

  /** Merges two open shards whose hash key ranges adjoin. Returns the id of the child. */
  merge(shardId: string, adjacentShardId: string): string {
    const parents = [this.#openShard(shardId), this.#openShard(adjacentShardId)]
    const ranges = parents.map(({ shard }) => shard.hashKeyRange).sort((a, b) => (a.start < b.start ? -1 : 1))
    const [low, high] = ranges as [HashKeyRange, HashKeyRange]
    if (low.end + 1n !== high.start) throw refused(`${shardId} and ${adjacentShardId} do not adjoin`)
    const [child] = this.#continue(parents, [{ start: low.start, end: high.end }])
    return child as string
  }

  /** Forgets a closed shard, as Kinesis does when the last of its records has expired. */
  expireShard(shardId: string): void {
    const found = this.shard(shardId)
    if (!isClosed(found.shard)) throw refused(`${shardId} is open: only its records can expire`)
    this.#closed.splice(this.#closed.indexOf(found), 1)
    this.#forget(found)
  }

  /** Lets every record of a shard before `sequenceNumber` expire. */
  trimTo(shardId: string, sequenceNumber: string): void {
    const { records } = this.shard(shardId)
    records.splice(0, firstIndexFrom(records, sequenceNumber))
  }

  /** The shards that were open at a time; times before the oldest shard that is left mean that shard's beginning. */
  shardsAt(timestampMs: number): RangedShard[] {
    const horizonMs = this.shards.reduce(
      (oldest, { openedAtMs }) => Math.min(oldest, openedAtMs),
      Number.POSITIVE_INFINITY
    )
    const atMs = Math.max(timestampMs, horizonMs)
    return this.shards
      .filter(({ openedAtMs, closedAtMs = Number.POSITIVE_INFINITY }) => openedAtMs <= atMs && closedAtMs >= atMs)
      .map(({ shard }) => shard)
  }

  /** The number from which the next record of a shard will be: what LATEST means now. */
  tip(shardId: string): string {
    return sequenceNumberOf(this.incarnation, this.#sequence + 1, shardNumberOf(shardId))
  }

  /** The newest number that the stream has given out, as one of a shard: everything in it by now is at or before it. */
  newest(shardId: string): string {
    return sequenceNumberOf(this.incarnation, this.#sequence, shardNumberOf(shardId))
  }

  /** Whether a sequence number could have been given out by this shard of this stream. */
  isFrom(shardId: string, sequenceNumber: string): boolean {
    const ours = sequenceNumberOf(this.incarnation, 0, shardNumberOf(shardId))
    const isSameStream = sequenceNumber.slice(0, STREAM_DIGITS) === ours.slice(0, STREAM_DIGITS)
    const isSameShard = sequenceNumber.slice(-SHARD_DIGITS) === ours.slice(-SHARD_DIGITS)
    return /^\d{56}$/.test(sequenceNumber) && isSameStream && isSameShard
  }

  /** Closes the parents, which adjoin, and opens children in their place. Returns their ids. */
  #continue(parents: readonly FakeShard[], ranges: readonly HashKeyRange[]): string[] {
    const first = Math.min(...parents.map(parent => this.#open.indexOf(parent)))
    const parentIds = parents.map(({ shard }) => shard.shardId)
    for (const parent of parents) this.#close(parent)
    const children = ranges.map(range => this.#add(range, parentIds))
    this.#open.splice(first, parents.length, ...children)
    const ids = children.map(({ shard }) => shard.shardId)
    for (const parent of parents) {
      parent.children.push(...ids)
      for (const watcher of parent.watchers) watcher()
    }
    return ids
  }

  #add(hashKeyRange: HashKeyRange, parents: readonly string[]): FakeShard {
    const shardId = `shardId-${String(this.#shardsEver++).padStart(SHARD_DIGITS, '0')}`
    const [parentShardId, adjacentParentShardId] = parents
    const shard: RangedShard = {
      shardId,
      ...(parentShardId !== undefined && { parentShardId }),
      ...(adjacentParentShardId !== undefined && { adjacentParentShardId }),
      hashKeyRange,
      startingSequenceNumber: this.#nextSequenceNumber(shardId)
    }
    const added = { shard, openedAtMs: this.#epochMs(), records: [], children: [], watchers: new Set<() => void>() }
    this.#shards.set(shardId, added)
    this.#listing = undefined
    return added
  }

  #close(parent: FakeShard): void {
    parent.shard = { ...parent.shard, endingSequenceNumber: this.#nextSequenceNumber(parent.shard.shardId) }
    parent.closedAtMs = this.#epochMs()
    this.#closed.push(parent)
  }

  /** The index of the last open shard that begins at or before a hash key. */
  #indexOfOpen(hashKey: bigint): number {
    let low = 0
    let high = this.#open.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#open[middle] as FakeShard).shard.hashKeyRange.start <= hashKey) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  #expireRecords({ records }: FakeShard): void {
    const untilMs = this.#epochMs() - this.retentionMs
    let expired = 0
    while ((records[expired]?.arrivedAtMs ?? Number.POSITIVE_INFINITY) <= untilMs) expired += 1
    if (expired > 0) records.splice(0, expired)
  }

  /** Closed for as long as records are kept, a shard has none left. */
  #expireShards(): void {
    const untilMs = this.#epochMs() - this.retentionMs
    for (let [oldest] = this.#closed; oldest !== undefined; [oldest] = this.#closed) {
      if ((oldest.closedAtMs ?? 0) > untilMs) return
      this.#closed.shift()
      this.#forget(oldest)
    }
  }

  #forget(shard: FakeShard): void {
    this.#shards.delete(shard.shard.shardId)
    this.#listing = undefined
    for (const watcher of shard.watchers) watcher()
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

/** The records from index `first` that fit into one answer: always one, if there is one. */
export function upToCaps(
  records: readonly FakeRecord[],
  first: number,
  { maxRecords, maxBytes }: { readonly maxRecords: number; readonly maxBytes: number }
): FakeRecord[] {
  const fitting: FakeRecord[] = []
  let bytes = 0
  for (let index = first; index < records.length && fitting.length < maxRecords; index++) {
    const record = records[index] as FakeRecord
    bytes += record.data.length
    if (bytes > maxBytes && fitting.length > 0) break
    fitting.push(record)
  }
  return fitting
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

/** The place of a record in its stream, from its sequence number: shorter, and enough for people to tell records by. */
export function placeOf(sequenceNumber: string): string {
  if (sequenceNumber.length !== STREAM_DIGITS + PLACE_DIGITS + SHARD_DIGITS) return sequenceNumber
  return `#${Number(sequenceNumber.slice(STREAM_DIGITS, STREAM_DIGITS + PLACE_DIGITS))}`
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
