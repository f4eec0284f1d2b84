// The records of a run of fan-out faults: numbered in each shard and put into a fake, some of them as aggregates; and what has
// become of each. Every record says its own number, and all of its payload follows from that.
import { aggregate } from '../../src/index.ts'
import { isClosed, parentsOf, type RangedShard } from '../../src/model/shard.ts'
import type { Random } from '../../src/runtime/random.ts'
import type { FakeKinesis } from '../../src/testing/fake-kinesis.ts'

/** A record as it was delivered. */
export interface GivenRecord {
  readonly data: Uint8Array
  readonly sequenceNumber: string
}

/** What one shard was put and has delivered. Numbers of user records, which begin with 0. */
interface ShardAccount {
  produced: number
  /** Everything below was in a batch whose handler has returned. */
  settled: number
  /** Everything below was given to a handler. */
  given: number
}

/** One record in so many is an aggregate, or is large. */
const AGGREGATE_EVERY = 8
const LARGE_EVERY = 200
const MOST_IN_AGGREGATE = 20
const SMALL_BYTES = 600
const LARGE_BYTES = 120_000
const SHOWN = 10

/** Puts records, and accounts for them. */
export class FaultRecords {
  readonly #kinesis: FakeKinesis
  readonly #streamName: string
  readonly #random: Random
  readonly #accounts = new Map<string, ShardAccount>()
  #puts = 0
  /** What must not happen, in words; the first few. */
  readonly problems: string[] = []
  /** How often something happened that must not. */
  violations = 0
  /** Deliveries of records that were settled before: must stay 0. */
  twice = 0
  /** Deliveries of records that were given before, to a handler that failed. */
  again = 0

  constructor(kinesis: FakeKinesis, streamName: string, random: Random) {
    this.#kinesis = kinesis
    this.#streamName = streamName
    this.#random = random
  }

  /** User records that were put. */
  get produced(): number {
    return this.#sumOf(({ produced }) => produced)
  }

  /** User records whose handler has returned. */
  get settled(): number {
    return this.#sumOf(({ settled }) => settled)
  }

  /** The shards that records can be put into, in the order of their hash keys. */
  open(): RangedShard[] {
    const open = this.#kinesis.shards(this.#streamName).filter(shard => !isClosed(shard))
    return open.sort((a, b) => (a.hashKeyRange.start < b.hashKeyRange.start ? -1 : 1))
  }

  /** Puts a Kinesis record into a shard. */
  put({ shardId, hashKeyRange }: RangedShard): void {
    this.#puts += 1
    const count = this.#puts % AGGREGATE_EVERY === 0 ? 2 + Math.floor(this.#random.next() * MOST_IN_AGGREGATE) : 1
    const bytes = this.#puts % LARGE_EVERY === 0 ? LARGE_BYTES : Math.floor(this.#random.next() * SMALL_BYTES)
    const account = this.#accountOf(shardId)
    const explicitHashKey = String(hashKeyRange.start)
    const records = Array.from({ length: count }, (_, index) => ({
      partitionKey: shardId,
      explicitHashKey,
      data: payloadOf(account.produced + index, bytes)
    }))
    const { partitionKey, data } = aggregate(records)
    account.produced += count
    this.#kinesis.put(this.#streamName, partitionKey, data, { explicitHashKey })
  }

  /** A handler is given records. Returns what to call once it has processed them. */
  give(shardId: string, records: readonly GivenRecord[]): () => void {
    const account = this.#accountOf(shardId)
    this.#checkParents(shardId, account)
    let next = account.settled
    for (const { data } of records) {
      const number = numberIn(data)
      if (number === undefined) this.#say(`a record of ${shardId} is damaged`)
      else if (number === next) next += 1
      else if (number > next) {
        this.#say(`${shardId}: ${number} came where ${next} was to come`)
        next = number + 1
      } else {
        this.twice += 1
        this.#say(`${shardId}: ${number} came again, though everything before ${account.settled} was settled`)
      }
    }
    this.again += Math.max(0, Math.min(next, account.given) - account.settled)
    account.given = Math.max(account.given, next)
    return () => {
      account.settled = next
      this.#forget(shardId, records.at(-1))
    }
  }

  /** What was put and has not been settled, in words. */
  missing(): string[] {
    const behind = [...this.#accounts].filter(([, { settled, produced }]) => settled < produced)
    return behind.map(([shardId, { settled, produced }]) => `${shardId}: settled ${settled} of ${produced}`)
  }

  #sumOf(value: (account: ShardAccount) => number): number {
    return [...this.#accounts.values()].reduce((sum, account) => sum + value(account), 0)
  }

  #accountOf(shardId: string): ShardAccount {
    const known = this.#accounts.get(shardId) ?? { produced: 0, settled: 0, given: 0 }
    this.#accounts.set(shardId, known)
    return known
  }

  #checkParents(shardId: string, { given }: ShardAccount): void {
    if (given > 0) return
    const shard = this.#kinesis.shards(this.#streamName).find(each => each.shardId === shardId)
    for (const parent of parentsOf(shard ?? {})) {
      const { settled, produced } = this.#accountOf(parent)
      if (settled < produced) this.#say(`${shardId} began before ${parent} was done`)
    }
  }

  /** What is settled need not be kept: a run that takes minutes would fill the memory with it. */
  #forget(shardId: string, last: GivenRecord | undefined): void {
    if (last !== undefined) this.#kinesis.trimTo(this.#streamName, shardId, last.sequenceNumber)
  }

  #say(problem: string): void {
    this.violations += 1
    if (this.problems.length < SHOWN) this.problems.push(problem)
  }
}

/** The number in digits, a space, and a letter that follows from the number, up to `bytes` of them. */
function payloadOf(number: number, bytes: number): Uint8Array {
  return Buffer.from(`${number} `.padEnd(bytes, letterOf(number)))
}

/** The number that a payload says, unless anything of it is not as it was put. */
function numberIn(data: Uint8Array): number | undefined {
  const text = new TextDecoder().decode(data)
  const number = Number(text.slice(0, text.indexOf(' ')))
  return text === `${number} `.padEnd(text.length, letterOf(number)) ? number : undefined
}

function letterOf(number: number): string {
  return String.fromCharCode(97 + (number % 26))
}
