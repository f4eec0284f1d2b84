// How fast deaggregate() is, against the MD5 of the same bytes by node:crypto: nothing that checks the digest, as it must,
// can be faster than that. Run: node --import tsx bench/deaggregate.ts
import { createHash } from 'node:crypto'
import { aggregate, type UserRecord } from '../src/kpl/aggregate.ts'
import { type DeaggregateOptions, deaggregate } from '../src/kpl/deaggregate.ts'
import { hashKeyOf } from '../src/kpl/hash-key.ts'
import type { KinesisRecord } from '../src/model/record.ts'
import { randomWord, seededRandom } from '../src/runtime/random.ts'

const AGGREGATE_BYTES = 500_000
const SHARED_KEYS = 16
const ROUNDS = 15
const ROUND_MS = 100
/** The lower half of the hash space; the keys are chosen to be in it, so that every record is delivered. */
const LOWER_HALF = { start: 0n, end: 2n ** 127n - 1n }

interface Case {
  readonly dataBytes: number
  readonly keys: 'distinct' | 'shared'
  readonly users: number
  readonly kinesisRecord: KinesisRecord
}

let checksum = 0
const random = seededRandom(1)

function main(): void {
  console.log(
    `aggregates of ${AGGREGATE_BYTES} bytes, 16-byte keys, ${ROUNDS} interleaved rounds of ${ROUND_MS} ms, medians`
  )
  console.log('data    keys      what         records/s     MB/s   time against MD5 alone')
  for (const dataBytes of [100, 1000]) {
    for (const keys of ['distinct', 'shared'] as const) measureCase(caseOf(dataBytes, keys))
  }
  if (checksum === 0) throw new Error('nothing was read')
}

function caseOf(dataBytes: number, keys: Case['keys']): Case {
  const pool = Array.from({ length: SHARED_KEYS }, keyInLowerHalf)
  const users: UserRecord[] = []
  for (let size = 0, i = 0; size < AGGREGATE_BYTES; size += dataBytes + (keys === 'distinct' ? 28 : 8), i++) {
    const partitionKey = keys === 'distinct' ? keyInLowerHalf() : (pool[i % SHARED_KEYS] as string)
    users.push({ partitionKey, data: Uint8Array.from({ length: dataBytes }, () => 256 * random.next()) })
  }
  const { partitionKey, data } = aggregate(users)
  return { dataBytes, keys, users: users.length, kinesisRecord: { sequenceNumber: '1', partitionKey, data } }
}

function keyInLowerHalf(): string {
  for (;;) {
    const key = randomWord(16, random)
    if (hashKeyOf(key) <= LOWER_HALF.end) return key
  }
}

function measureCase(of: Case): void {
  const { data } = of.kinesisRecord
  const contenders: Record<string, () => void> = {
    'MD5 alone': () => {
      checksum += createHash('md5').update(data).digest()[0] as number
    },
    default: () => consume(of.kinesisRecord, {}),
    'half range': () => consume(of.kinesisRecord, { hashKeyRange: LOWER_HALF })
  }
  const times = new Map(Object.keys(contenders).map(name => [name, [] as number[]]))
  for (let round = -2; round < ROUNDS; round++) {
    for (const [name, run] of Object.entries(contenders)) {
      const ms = millisecondsPerRun(run)
      if (round >= 0) times.get(name)?.push(ms)
    }
  }
  const floor = median(times.get('MD5 alone') ?? [])
  for (const [name, rounds] of times) report(of, name, median(rounds), floor)
}

/** Touches the key and the data of each record, so that a lazy decoder would not look better than it is. */
function consume(record: KinesisRecord, options: DeaggregateOptions): void {
  const { records } = deaggregate([record], options)
  for (const { partitionKey, data } of records) checksum += partitionKey.length + data.length
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
  const columns = [
    `${of.dataBytes} B`.padEnd(7),
    of.keys.padEnd(9),
    name.padEnd(11),
    Math.round((of.users / ms) * 1000)
      .toLocaleString('en')
      .padStart(10),
    (of.kinesisRecord.data.length / ms / 1000).toFixed(0).padStart(8),
    `${(ms / floor).toFixed(2)}x`.padStart(6)
  ]
  console.log(columns.join(' '))
}

main()
