// The records of an answer as bytes, ready to be sent, and made new by nothing but other sequence numbers. One version
// serves every shard that has not had it yet, so that with many shards next to nothing is written per answer.
import { encodeCbor } from './cbor.ts'
import type { Payload, PreparedRecord } from './payloads.ts'

/** How an answer is encoded. */
export type Encoding = 'json' | 'cbor'

/** A sequence number: these digits, the version, and the place in the answer. As long as real ones. */
const PREFIX = '4966048030097737542926210498423976047'
const VERSION_DIGITS = 10
const PLACE_DIGITS = 9
const ARRIVED_SECONDS = 1_732_645_000

/** The sequence number of a record in version 0 of an answer. */
function sequenceNumberAt(place: number): string {
  return PREFIX + '0'.repeat(VERSION_DIGITS) + String(place).padStart(PLACE_DIGITS, '0')
}

/** Which version a sequence number comes from; 0 for one that is none of ours. */
export function versionIn(sequenceNumber: string): number {
  if (!sequenceNumber.startsWith(PREFIX)) return 0
  return Number(sequenceNumber.slice(PREFIX.length, PREFIX.length + VERSION_DIGITS))
}

/** The records of one version. Given back with {@link AnswerRing.release} once they have been sent. */
export interface Version {
  readonly number: number
  readonly bytes: Buffer
}

interface MutableVersion {
  number: number
  readonly bytes: Buffer
  /** Answers with it that are under way. */
  users: number
}

/** All versions of one payload in one encoding. */
export class AnswerRing {
  /** Kinesis records in a whole answer. */
  readonly count: number
  /** Where record i begins; one more for the end. */
  readonly #offsets: number[]
  /** Where the version stands in the sequence number of each record. */
  readonly #places: number[] = []
  readonly #separatorBytes: number
  readonly #free: MutableVersion[] = []
  #current: MutableVersion

  constructor(payload: Payload, encoding: Encoding) {
    const encode = encoding === 'json' ? jsonRecord : cborRecord
    const encoded = payload.records.map((record, place) => encode(record, sequenceNumberAt(place)))
    const bytes = Buffer.concat(encoded)
    this.count = encoded.length
    this.#separatorBytes = encoding === 'json' ? 1 : 0
    this.#offsets = [0]
    for (const record of encoded) {
      const begin = this.#offsets.at(-1) as number
      this.#places.push(begin + record.indexOf(PREFIX) + PREFIX.length)
      this.#offsets.push(begin + record.length)
    }
    this.#current = { number: 0, bytes, users: 0 }
  }

  /** Records that are newer than those of version `after`. */
  acquire(after: number): Version {
    if (this.#current.number <= after) this.#current = this.#advanceTo(after + 1)
    this.#current.users++
    return this.#current
  }

  /** The bytes of the first `limit` records of a version, without a comma at the end. */
  slice({ bytes }: Version, limit: number): Buffer {
    const end = this.#offsets[Math.min(limit, this.count)] as number
    return bytes.subarray(0, Math.max(0, end - this.#separatorBytes))
  }

  /** Says that an answer with this version has been sent. */
  release(version: Version): void {
    const sent = version as MutableVersion
    sent.users--
    if (sent.users === 0 && sent !== this.#current) this.#free.push(sent)
  }

  #advanceTo(number: number): MutableVersion {
    const old = this.#current
    const next = old.users === 0 ? old : (this.#free.pop() ?? { number: 0, bytes: Buffer.from(old.bytes), users: 0 })
    const digits = Buffer.from(String(number).padStart(VERSION_DIGITS, '0'))
    const { bytes } = next
    for (const place of this.#places) {
      for (let i = 0; i < VERSION_DIGITS; i++) bytes[place + i] = digits[i] as number
    }
    next.number = number
    return next
  }
}

/** As the service writes it, with the comma before the next one. */
function jsonRecord({ partitionKey, data }: PreparedRecord, sequenceNumber: string): Buffer {
  const fields = {
    ApproximateArrivalTimestamp: ARRIVED_SECONDS + 0.123,
    Data: Buffer.from(data).toString('base64'),
    PartitionKey: partitionKey,
    SequenceNumber: sequenceNumber
  }
  return Buffer.from(`${JSON.stringify(fields)},`)
}

/** With times in milliseconds, and as a map of unknown length, as Java writes it. */
function cborRecord({ partitionKey, data }: PreparedRecord, sequenceNumber: string): Buffer {
  const fields = {
    ApproximateArrivalTimestamp: ARRIVED_SECONDS * 1000 + 123,
    Data: data,
    PartitionKey: partitionKey,
    SequenceNumber: sequenceNumber
  }
  const parts = Object.entries(fields).flat().map(encodeCbor)
  return Buffer.concat([Buffer.of(0xbf), ...parts, Buffer.of(0xff)])
}

/** The rest of an answer. */
export interface Frame {
  readonly head: Buffer
  readonly tail: Buffer
}

/** What stands before and after the records of an answer. */
export function frameOf(encoding: Encoding, nextIterator: string, millisBehindLatest: number): Frame {
  if (encoding === 'json') {
    const head = `{"MillisBehindLatest":${millisBehindLatest},"NextShardIterator":"${nextIterator}","Records":[`
    return { head: Buffer.from(head), tail: Buffer.from(']}') }
  }
  const fields = { MillisBehindLatest: millisBehindLatest, NextShardIterator: nextIterator }
  const parts = [...Object.entries(fields).flat(), 'Records'].map(encodeCbor)
  return { head: Buffer.concat([Buffer.of(0xbf), ...parts, Buffer.of(0x9f)]), tail: Buffer.of(0xff, 0xff) }
}
