// The books of one shard: what was put into it, and how far one application has come with that. User records are counted:
// an aggregated record has several entries.
import { deaggregate } from '../kpl/deaggregate.ts'
import type { HashKeyRange } from '../model/hash-key-range.ts'
import { type ExtendedSequenceNumber, formatPosition, isRecordPosition, isShardEnd } from '../model/sequence-number.ts'
import { type FakeRecord, placeOf } from './fake-stream.ts'

/** Everything that was ever put into a shard, whether or not it is still there. */
export class PutLog {
  /** Of the Kinesis records, ascending. All have the same length, so that they compare as text. */
  readonly #sequenceNumbers: string[] = []
  readonly #arrivedAtMs: number[] = []
  /** Index of the first entry of each Kinesis record. */
  readonly #firstEntries: number[] = []
  /** Index of the Kinesis record of each entry. */
  readonly #recordOf: number[] = []
  readonly #orderKeys: string[] = []
  /** Of each entry the one before it with the same order key; -1: there is none. */
  readonly #previous: number[] = []
  readonly #lastOf = new Map<string, number>()
  /** Indexes of the aggregates with user records that do not belong to the shard. */
  readonly #outside = new Set<number>()

  /** How many user records were put. */
  get entries(): number {
    return this.#recordOf.length
  }

  /** Enters a record. Records of the same key and explicit hash key keep their order. */
  add(record: FakeRecord, hashKeyRange: HashKeyRange, explicitHashKey?: string | bigint): void {
    const index = this.#sequenceNumbers.length
    this.#sequenceNumbers.push(record.sequenceNumber)
    this.#arrivedAtMs.push(record.arrivedAtMs)
    this.#firstEntries.push(this.entries)
    const key = explicitHashKey === undefined ? record.partitionKey : `${record.partitionKey}|${explicitHashKey}`
    if (!mayBeAggregate(record.data)) {
      this.#enter(index, key)
      return
    }
    const { records, outOfRange } = deaggregate([record], { hashKeyRange })
    if (outOfRange > 0) this.#outside.add(index)
    for (const user of records) this.#enter(index, user.aggregated ? `${key}|${user.partitionKey}` : key)
  }

  /** The index of a user record; -1 if it was not put into this shard. */
  entryOf({ sequenceNumber, subSequenceNumber }: ExtendedSequenceNumber): number {
    const index = this.#indexFrom(sequenceNumber)
    if (this.#sequenceNumbers[index] !== sequenceNumber) return -1
    const entry = (this.#firstEntries[index] ?? 0) + subSequenceNumber
    return this.#recordOf[entry] === index ? entry : -1
  }

  /** How many entries there are up to and including a position. */
  entriesUpTo(position: ExtendedSequenceNumber): number {
    if (isShardEnd(position)) return this.entries
    if (!isRecordPosition(position)) return 0
    const { sequenceNumber, subSequenceNumber } = position
    const index = this.#indexFrom(sequenceNumber)
    const first = this.#firstEntries[index] ?? this.entries
    if (this.#sequenceNumbers[index] !== sequenceNumber) return first
    return Math.min(first + subSequenceNumber + 1, this.#firstEntries[index + 1] ?? this.entries)
  }

  /** Sequence number of the Kinesis record of an entry. */
  sequenceNumberOf(entry: number): string {
    return this.#sequenceNumbers[this.#recordOf[entry] ?? -1] ?? ''
  }

  /** Where an entry is. */
  positionOf(entry: number): ExtendedSequenceNumber {
    const first = this.#firstEntries[this.#recordOf[entry] ?? -1] ?? entry
    return { sequenceNumber: this.sequenceNumberOf(entry), subSequenceNumber: entry - first }
  }

  /** When an entry arrived. Epoch milliseconds. */
  arrivedAtMs(entry: number): number {
    return this.#arrivedAtMs[this.#recordOf[entry] ?? -1] ?? Number.NaN
  }

  /** Entries with the same text keep their order. */
  orderKeyOf(entry: number): string {
    return this.#orderKeys[entry] ?? ''
  }

  /** The entry before one that keeps its order with it; -1: there is none. */
  previousOf(entry: number): number {
    return this.#previous[entry] ?? -1
  }

  /** Whether an entry is of an aggregate in which something does not belong to the shard. */
  isOutside(entry: number): boolean {
    return this.#outside.has(this.#recordOf[entry] ?? -1)
  }

  #enter(record: number, orderKey: string): void {
    this.#previous.push(this.#lastOf.get(orderKey) ?? -1)
    this.#lastOf.set(orderKey, this.entries)
    this.#recordOf.push(record)
    this.#orderKeys.push(orderKey)
  }

  /** The index of the first Kinesis record with this number or a higher one. */
  #indexFrom(sequenceNumber: string): number {
    let low = 0
    let high = this.#sequenceNumbers.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#sequenceNumbers[middle] ?? '') < sequenceNumber) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** What an application leaves out. */
export interface LedgerOptions {
  /** Whether aggregates with records of other shards may be left out, by the options of the worker. */
  readonly mayDropOutside: boolean
  /** Whether a record is still in Kinesis: those that have expired unread are not waited for. */
  readonly isThere: (sequenceNumber: string) => boolean
}

/** How far one application has come with a shard. */
export class ShardLedger {
  readonly puts: PutLog
  readonly #options: LedgerOptions
  /** What arrived before this time need not be processed. Epoch milliseconds. `undefined`: not known yet. */
  #sinceMs: number | undefined
  /** So many entries were done before the application's first lease of the shard. */
  #baseline = 0
  readonly #delivered: boolean[] = []
  readonly #vouched: boolean[] = []
  readonly #confirmedAtMs: number[] = []
  /** Everything before this entry is done with, as long as what arrived since `#frontierSinceMs` has to be. */
  #frontier = 0
  #frontierSinceMs = Number.POSITIVE_INFINITY
  /** When an operator had it begun again. Monotonic milliseconds. */
  #begunAnewAtMs = Number.NEGATIVE_INFINITY
  /** When the shard last changed hands without a proper end. Monotonic milliseconds. */
  #takenOverAtMs = Number.NEGATIVE_INFINITY

  constructor(puts: PutLog, options: LedgerOptions) {
    this.puts = puts
    this.#options = options
  }

  /** The application is to process what arrived at or after a time, in epoch milliseconds. The earliest counts. */
  expectSince(sinceMs: number): void {
    this.#sinceMs = Math.min(this.#sinceMs ?? Number.POSITIVE_INFINITY, sinceMs)
  }

  /** The application begins after this position. */
  expectAfter(position: ExtendedSequenceNumber): void {
    this.#baseline = Math.max(this.#baseline, this.puts.entriesUpTo(position))
    this.expectSince(Number.NEGATIVE_INFINITY)
  }

  /**
   * An operator has the application begin again after `position`, with what arrived since `sinceMs` (epoch milliseconds). What
   * was done before, and what calls that began before `nowMs` do, counts for nothing.
   */
  beginAnew(position: ExtendedSequenceNumber, sinceMs: number, nowMs: number): void {
    this.#sinceMs = sinceMs
    this.#baseline = this.puts.entriesUpTo(position)
    this.#vouched.length = 0
    this.#confirmedAtMs.length = 0
    this.#frontier = 0
    this.#begunAnewAtMs = nowMs
  }

  /** Whether a call that began then is about what has to be done now. */
  isOfNow(begunAtMs: number): boolean {
    return begunAtMs >= this.#begunAnewAtMs
  }

  isDelivered(entry: number): boolean {
    return this.#delivered[entry] === true
  }

  /** Notes a delivery. Says whether it is the first one of that entry. */
  deliver(entry: number): boolean {
    const isFirst = this.#delivered[entry] !== true
    this.#delivered[entry] = true
    return isFirst
  }

  /** Notes that an entry is settled: the code of the user says that it is done, or it was given up for good. */
  vouch(entry: number): void {
    this.#vouched[entry] = true
  }

  /** The code of the user says that everything up to a position is done that it has been given. */
  vouchUpTo(position: ExtendedSequenceNumber): void {
    const end = this.puts.entriesUpTo(position)
    for (let entry = this.#frontier; entry < end; entry++) if (this.#delivered[entry] === true) this.vouch(entry)
  }

  /** The framework took notice that an entry is settled, in a call that began at `begunAtMs`. */
  confirm(entry: number, begunAtMs: number): void {
    this.#confirmedAtMs[entry] = begunAtMs
  }

  /** The framework may not have taken notice after all, or cannot help doing an entry again. */
  unconfirm(entry: number): void {
    this.#confirmedAtMs[entry] = Number.NEGATIVE_INFINITY
  }

  /** What is settled behind an entry that is not may be done again, because that one cannot be settled now. */
  forgiveBehind(entry: number): void {
    this.#confirmedAtMs.splice(entry + 1)
  }

  /** Notes that whoever had the shard did not end it properly, so that what it had done may be done again. */
  takenOver(atMs: number): void {
    this.#takenOverAtMs = atMs
  }

  /** Whether delivering an entry again has no excuse: it is done, and the shard only changed hands properly since. */
  isNeedlessAgain(entry: number): boolean {
    const confirmedAtMs = this.#confirmedAtMs[entry]
    return confirmedAtMs !== undefined && confirmedAtMs > this.#takenOverAtMs
  }

  /** What was settled before a time, from `from` on, may be done again. */
  forgiveOlder(from: number, atMs: number): void {
    for (let entry = from; entry < this.#confirmedAtMs.length; entry++) {
      if ((this.#confirmedAtMs[entry] ?? Number.POSITIVE_INFINITY) < atMs) this.unconfirm(entry)
    }
  }

  /** The first entry from `from` on of which nobody has to know that it is settled. */
  firstUnconfirmed(from: number): number {
    let entry = from
    while (this.isNeedlessAgain(entry)) entry += 1
    return entry
  }

  /** The first of the entries before `end` that is not done and has to be; -1: there is none. */
  firstOpen(end = this.puts.entries, sinceMs = Number.POSITIVE_INFINITY): number {
    const expectedSinceMs = this.#sinceMs ?? sinceMs
    if (expectedSinceMs !== this.#frontierSinceMs) this.#frontier = 0
    this.#frontierSinceMs = expectedSinceMs
    while (this.#frontier < end && !this.#isOpen(this.#frontier, expectedSinceMs)) this.#frontier += 1
    return this.#frontier < end ? this.#frontier : -1
  }

  /** Whether an entry is not done and has to be. */
  isOpen(entry: number): boolean {
    return this.#isOpen(entry, this.#sinceMs ?? Number.POSITIVE_INFINITY)
  }

  /** The nearest entry before one that keeps its order with it and is open; -1: there is none. `except`: those do not count. */
  openBefore(entry: number, except: ReadonlySet<number>): number {
    this.firstOpen(entry)
    let before = this.puts.previousOf(entry)
    while (before >= this.#frontier && (except.has(before) || !this.isOpen(before)))
      before = this.puts.previousOf(before)
    return before >= this.#frontier ? before : -1
  }

  /** All entries that are not done and have to be. `sinceMs`: for shards of which no lease was seen. */
  open(sinceMs = Number.POSITIVE_INFINITY): number[] {
    const first = this.firstOpen(this.puts.entries, sinceMs)
    if (first === -1) return []
    const open: number[] = []
    for (let entry = first; entry < this.puts.entries; entry++) {
      if (this.#isOpen(entry, this.#frontierSinceMs)) open.push(entry)
    }
    return open
  }

  #isOpen(entry: number, sinceMs: number): boolean {
    if (this.#vouched[entry] === true || entry < this.#baseline) return false
    if (this.puts.arrivedAtMs(entry) < sinceMs) return false
    if (this.#options.mayDropOutside && this.puts.isOutside(entry)) return false
    return this.#options.isThere(this.puts.sequenceNumberOf(entry))
  }
}

/** A position in short. */
export function showPosition(position: ExtendedSequenceNumber | undefined): string {
  if (position === undefined) return 'nothing'
  const { sequenceNumber, subSequenceNumber } = position
  return formatPosition({ sequenceNumber: placeOf(sequenceNumber), subSequenceNumber })
}

/** The first byte of what the KPL writes. Plain records are not taken apart for nothing. */
function mayBeAggregate(data: Uint8Array): boolean {
  return data[0] === 0xf3 && data[1] === 0x89
}
