// A world in which some records are poison: counts how often each record is given to the user's code, in which calls, and what
// was done with it in the end.
import { aggregate, type ConsumedRecord, type DeadLetter } from '../../src/index.ts'
import { formatPosition } from '../../src/model/sequence-number.ts'
import { shardId } from '../support/builders.ts'
import { type Member, STREAM, World, type WorldOptions } from '../support/world.ts'

const utf8 = new TextEncoder()
/** What aggregated records begin with. */
const MAGIC = [0xf3, 0x89, 0x9a, 0xc2]

/** How a record is spoilt: not at all, or what its payload is instead of JSON. */
export type Spoilt = 'kpl' | 'json'

/** What a record is, where it differs. */
export interface PutOptions {
  readonly spoilt?: Spoilt
  readonly key?: string
  /** Instead of JSON. */
  readonly payload?: Uint8Array
}

/** Numbered records, and what became of each. A record is known by its number, whatever its payload is. */
export class PoisonWorld {
  readonly world: World
  /** What was stored, in that order. */
  readonly letters: DeadLetter[] = []
  /** The records of each call, in the order in which the calls were begun. */
  readonly calls: number[][] = []
  /** The records of each call that has succeeded, as {@link succeed} was told. */
  readonly succeeded: number[][] = []
  readonly #numbers = new Map<string, number>()
  readonly #positions: string[] = []

  constructor(options: WorldOptions = {}) {
    this.world = new World(options)
  }

  /** Puts a record into a shard. Its payload is `{"n":N}`, or no JSON, or what looks like an aggregate and is none. */
  put(shard = 0, options: PutOptions = {}): number {
    return this.#putAt(this.#startOf(shard), { key: `of shard ${shard}`, ...options })
  }

  /**
   * Puts records into a shard. What is put before a shard is read comes in one answer; later on, the first of them may come in
   * one of their own.
   */
  putMany(count: number, shard = 0, keyOf?: (index: number) => string): number[] {
    const explicitHashKey = this.#startOf(shard)
    return range(0, count).map(index => this.#putAt(explicitHashKey, { key: keyOf?.(index) ?? `of shard ${shard}` }))
  }

  /** Puts one Kinesis record that has so many user records in it. */
  putAggregate(count: number): number[] {
    const numbers = range(this.size, this.size + count)
    const records = numbers.map(number => ({ partitionKey: 'of shard 0', data: payloadOf(number, undefined) }))
    const { partitionKey, explicitHashKey, data } = aggregate(records)
    const { sequenceNumber } = this.world.kinesis.put(STREAM, partitionKey, data, { explicitHashKey })
    for (const [subSequenceNumber, number] of numbers.entries()) {
      this.#numbers.set(formatPosition({ sequenceNumber, subSequenceNumber }), number)
      this.#positions.push(sequenceNumber)
    }
    return numbers
  }

  /** How many records were put. */
  get size(): number {
    return this.#positions.length
  }

  /** The number of a record. */
  numberOf(record: Pick<ConsumedRecord, 'sequenceNumber' | 'subSequenceNumber'>): number {
    const number = this.#numbers.get(formatPosition(record))
    if (number === undefined) throw new Error(`nobody has put ${formatPosition(record)}`)
    return number
  }

  /** The numbers of records. */
  numbersOf(records: readonly Pick<ConsumedRecord, 'sequenceNumber' | 'subSequenceNumber'>[]): number[] {
    return records.map(record => this.numberOf(record))
  }

  /** Notes a call, and says which records it is of. */
  begin(records: readonly ConsumedRecord[]): number[] {
    const numbers = this.numbersOf(records)
    this.calls.push(numbers)
    return numbers
  }

  /** Notes that a call is about to succeed. */
  succeed(numbers: readonly number[]): void {
    this.succeeded.push([...numbers])
  }

  /** Stores letters, as a destination does. */
  readonly store = (letters: readonly DeadLetter[]): void => {
    // The payload is only there until this returns.
    this.letters.push(...letters.map(letter => ({ ...letter, data: letter.data.slice() })))
  }

  /** The records that have letters, in the order in which these were stored. */
  get lettered(): number[] {
    return this.numbersOf(this.letters)
  }

  #startOf(shard: number): string {
    const open = this.world.kinesis.shards(STREAM).find(each => each.shardId === shardId(shard))
    if (open === undefined) throw new Error(`there is no shard ${shard}`)
    return String(open.hashKeyRange.start)
  }

  #putAt(explicitHashKey: string, { spoilt, key = 'key', payload }: PutOptions): number {
    const number = this.#positions.length
    const data = payload ?? payloadOf(number, spoilt)
    const { sequenceNumber } = this.world.kinesis.put(STREAM, key, data, { explicitHashKey })
    this.#numbers.set(formatPosition({ sequenceNumber, subSequenceNumber: 0 }), number)
    this.#positions.push(sequenceNumber)
    return number
  }

  /** How often each of these records was given to the user's code. */
  timesGiven(numbers: readonly number[]): number[] {
    return timesIn(this.calls, numbers)
  }

  /** In how many calls that have succeeded each of these records was. */
  timesSettled(numbers: readonly number[]): number[] {
    return timesIn(this.succeeded, numbers)
  }

  /** How often records of a shard other than these were given. */
  timesElsewhere(numbers: readonly number[]): number {
    return this.calls.flat().filter(number => !numbers.includes(number)).length
  }

  /** The record that the checkpoint of a shard is at; a word if it is at none. */
  async checkpoint(shard = 0): Promise<number | string> {
    const row = await this.world.store.get(shardId(shard))
    if (row === undefined) return 'there is no row'
    return this.#numbers.get(formatPosition(row.checkpoint)) ?? row.checkpoint.sequenceNumber
  }

  /** What a worker says of a shard: its color, and where it is in its life. */
  health({ worker }: Member, shard = 0): string {
    const found = worker.health().shards.find(each => each.shardId === shardId(shard))
    return found === undefined ? 'not held' : `${found.color} ${found.state}`
  }
}

function payloadOf(number: number, spoilt: Spoilt | undefined): Uint8Array {
  if (spoilt === 'kpl') return Uint8Array.from([...MAGIC, ...Array(40).keys()])
  return utf8.encode(`{"n":${number}${spoilt === undefined ? '}' : ''}`)
}

function timesIn(calls: readonly (readonly number[])[], numbers: readonly number[]): number[] {
  const times = new Map<number, number>()
  for (const number of calls.flat()) times.set(number, (times.get(number) ?? 0) + 1)
  return numbers.map(number => times.get(number) ?? 0)
}

/** `from`, `from + 1`, and so on up to `to`, which is not among them. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index)
}
