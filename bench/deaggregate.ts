// How fast records are taken out of aggregates, against the MD5 of the same bytes by node:crypto: nothing that checks one
// digest after another, as it must, can be faster than that. Run: node --import tsx bench/deaggregate.ts
import { hash } from 'node:crypto'
import { aggregate, type UserRecord } from '../src/kpl/aggregate.ts'
import { DeaggregationRoom, Deaggregator } from '../src/kpl/deaggregate.ts'
import { hashKeyOf } from '../src/kpl/hash-key.ts'
import type { KinesisRecord } from '../src/model/record.ts'
import { randomWord, seededRandom } from '../src/runtime/random.ts'

const AGGREGATE_BYTES = 500_000
/** As many as a worker has in hand when it is behind: GetRecords answers with up to 10 MB. */
const BATCH = 8
const SHARED_KEYS = 16
const PLAIN_RECORDS = 10_000
const ROUNDS = 15
const ROUND_MS = 100
/** The lower half of the hash space; the keys are chosen to be in it, so that every record is delivered. */
const LOWER_HALF = { start: 0n, end: 2n ** 127n - 1n }

interface Case {
  readonly dataBytes: number
  readonly keys: 'distinct' | 'shared'
  /** User records in each aggregate. */
  readonly users: number
  readonly batch: readonly KinesisRecord[]
}

/** What is run, and for how many aggregates it counts. */
type Contenders = Readonly<Record<string, readonly [aggregates: number, run: () => void]>>

let checksum = 0
const random = seededRandom(1)
const room = new DeaggregationRoom()

function main(): void {
  console.log(
    `aggregates of ${AGGREGATE_BYTES} bytes, 16-byte keys, ${ROUNDS} interleaved rounds of ${ROUND_MS} ms, medians`
  )
  console.log('data    keys      what                records/s     MB/s   time against MD5 alone')
  for (const dataBytes of [25, 100, 1000]) {
    for (const keys of ['distinct', 'shared'] as const) measureCase(caseOf(dataBytes, keys))
  }
  measurePlain()
  if (checksum === 0) throw new Error('nothing was read')
}

function caseOf(dataBytes: number, keys: Case['keys']): Case {
  const pool = Array.from({ length: SHARED_KEYS }, keyInLowerHalf)
  let users = 0
  const batch = Array.from({ length: BATCH }, (_, n) => {
    const records: UserRecord[] = []
    for (let size = 0, i = 0; size < AGGREGATE_BYTES; size += dataBytes + (keys === 'distinct' ? 28 : 8), i++) {
      const partitionKey = keys === 'distinct' ? keyInLowerHalf() : (pool[i % SHARED_KEYS] as string)
      records.push({ partitionKey, data: randomBytes(dataBytes) })
    }
    users = records.length
    const { partitionKey, data } = aggregate(records)
    return { sequenceNumber: String(n), partitionKey, data }
  })
  return { dataBytes, keys, users, batch }
}

function keyInLowerHalf(): string {
  for (;;) {
    const key = randomWord(16, random)
    if (hashKeyOf(key) <= LOWER_HALF.end) return key
  }
}

function randomBytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, () => 256 * random.next())
}

function measureCase(of: Case): void {
  const [first] = of.batch as [KinesisRecord]
  const whole = new Deaggregator({}, room)
  const half = new Deaggregator({ hashKeyRange: LOWER_HALF }, room)
  const contenders: Contenders = {
    'MD5 alone': [
      1,
      () => {
        checksum += hash('md5', first.data).length
      }
    ],
    'one aggregate': [1, () => consume(whole, [first])],
    'one, half range': [1, () => consume(half, [first])],
    [`${BATCH} at once`]: [BATCH, () => consume(whole, of.batch)],
    [`${BATCH}, half range`]: [BATCH, () => consume(half, of.batch)]
  }
  const times = measure(contenders)
  const floor = times.get('MD5 alone') ?? Number.NaN
  for (const [name, ms] of times) report(of, name, ms, floor)
}

/** Records that are no aggregates: what looking for some costs. */
function measurePlain(): void {
  const batch = Array.from({ length: PLAIN_RECORDS }, (_, i) => ({
    sequenceNumber: String(i),
    partitionKey: `key-${i}`,
    data: randomBytes(100)
  }))
  const whole = new Deaggregator({}, room)
  const [ms = Number.NaN] = measure({ plain: [1, () => consume(whole, batch)] }).values()
  console.log(`${PLAIN_RECORDS} plain records of 100 B: ${ms.toFixed(2)} ms`)
}

/** Touches the key and the data of each record, so that a lazy decoder would not look better than it is. */
function consume(deaggregator: Deaggregator, batch: readonly KinesisRecord[]): void {
  const { records } = deaggregator.deaggregate(batch)
  for (const { partitionKey, data } of records) checksum += partitionKey.length + data.length
}

/** Medians in milliseconds, for one aggregate each. */
function measure(contenders: Contenders): ReadonlyMap<string, number> {
  const times = new Map(Object.keys(contenders).map(name => [name, [] as number[]]))
  for (let round = -3; round < ROUNDS; round++) {
    for (const [name, [aggregates, run]] of Object.entries(contenders)) {
      const ms = millisecondsPerRun(run) / aggregates
      if (round >= 0) times.get(name)?.push(ms)
    }
  }
  return new Map([...times].map(([name, rounds]) => [name, median(rounds)]))
}

function millisecondsPerRun(run: () => void): number {
  const begin = performance.now()
  let runs = 0
  let spent = 0
  while (spent < ROUND_MS) {
    run()
    runs++
    spent = performance.now() - begin
  }
  return spent / runs
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN
}

function report(of: Case, name: string, ms: number, floor: number): void {
  const [first] = of.batch as [KinesisRecord]
  const columns = [
    `${of.dataBytes} B`.padEnd(7),
    of.keys.padEnd(9),
    name.padEnd(17),
    Math.round((of.users / ms) * 1000)
      .toLocaleString('en')
      .padStart(11),
    (first.data.length / ms / 1000).toFixed(0).padStart(8),
    `${(ms / floor).toFixed(2)}x`.padStart(6)
  ]
  console.log(columns.join(' '))
}

main()
