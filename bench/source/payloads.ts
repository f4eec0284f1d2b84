// What the load source has to serve: the Kinesis records of one answer, for each kind of load. The same on every run.
import { aggregate, type UserRecord } from '../../src/kpl/aggregate.ts'
import { type Random, randomWord, seededRandom } from '../../src/runtime/random.ts'

/** The kinds of load. */
export const PAYLOAD_NAMES = ['kpl', 'small', 'kilobyte', 'idle'] as const

/** A kind of load: KPL aggregates, records of 100 B, records of 1 KB, or none at all. */
export type PayloadName = (typeof PAYLOAD_NAMES)[number]

/** One Kinesis record of an answer. */
export interface PreparedRecord {
  readonly partitionKey: string
  readonly data: Uint8Array
}

/** The records of one answer, all of the same shape. */
export interface Payload {
  readonly name: PayloadName
  /** What it is, for the report. */
  readonly title: string
  /** Bytes of the payload of one user record. */
  readonly dataBytes: number
  /** User records in each Kinesis record. */
  readonly usersPerRecord: number
  readonly records: readonly PreparedRecord[]
}

/** Characters of every partition key of a user record. */
export const KEY_LENGTH = 16
/** How far the stream is said to be behind: far, so that nobody waits between reads. */
export const BEHIND_MS = 3_600_000

const SEED = 20_240_229
const AGGREGATES = 200
const AGGREGATE_BYTES = 49_000
/** What a user record takes in an aggregate beside its data: a key of its own, and the fields around both. */
const KPL_OVERHEAD = 28

/** Makes the records of one answer. */
export function payloadOf(name: PayloadName): Payload {
  const random = seededRandom(SEED)
  switch (name) {
    case 'kpl':
      return kplPayload(random)
    case 'small':
      return plainPayload(name, '10,000 records of 100 B', 10_000, 100, random)
    case 'kilobyte':
      return plainPayload(name, '1,000 records of 1 KB', 1_000, 1_024, random)
    case 'idle':
      return { name, title: 'nothing', dataBytes: 0, usersPerRecord: 1, records: [] }
  }
}

/** User records as a producer would put them, each with a key of its own. */
export function userRecords(count: number, dataBytes: number, random: Random): UserRecord[] {
  return Array.from({ length: count }, () => ({
    partitionKey: randomWord(KEY_LENGTH, random),
    data: jsonText(dataBytes, random)
  }))
}

function plainPayload(name: PayloadName, title: string, count: number, dataBytes: number, random: Random): Payload {
  return { name, title, dataBytes, usersPerRecord: 1, records: userRecords(count, dataBytes, random) }
}

function kplPayload(random: Random): Payload {
  const dataBytes = 100
  const usersPerRecord = Math.floor(AGGREGATE_BYTES / (dataBytes + KPL_OVERHEAD))
  const records = Array.from({ length: AGGREGATES }, () => aggregate(userRecords(usersPerRecord, dataBytes, random)))
  const title = `${AGGREGATES} KPL aggregates of ${usersPerRecord} records of 100 B`
  return { name: 'kpl', title, dataBytes, usersPerRecord, records }
}

/** JSON of exactly that many bytes: some consumers look whether a payload is JSON, and are fastest where it is. */
function jsonText(bytes: number, random: Random): Uint8Array {
  const [head, tail] = ['{"text":"', '"}']
  return Buffer.from(head + randomWord(bytes - head.length - tail.length, random) + tail)
}
