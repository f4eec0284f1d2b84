// Decodes an answer of GetRecords in CBOR, as the SDK for Java has it. AWS does not document it for JavaScript, and not all
// that answer in it do so in the same way: what is not as expected is not guessed at, for the same can be had in JSON.

import { ConsumerError } from '../model/errors.ts'
import type { RecordsAnswer } from '../model/records-answer.ts'
import { asciiWords } from './ascii-words.ts'
import { CborError, CborReader } from './cbor.ts'
import { RecordTable } from './record-table.ts'
import { recordsAnswer } from './records-answer.ts'

/** After how many records whoever drives the work is asked whether something else is to be done first. */
const STEP_RECORDS = 512

/** Names with their heads, which are their lengths. */
const RECORDS = asciiWords('\x67Records')
const DATA = asciiWords('\x64Data')
const PARTITION_KEY = asciiWords('\x6cPartitionKey')
const SEQUENCE_NUMBER = asciiWords('\x6eSequenceNumber')
const ARRIVAL = asciiWords('\x78\x1bApproximateArrivalTimestamp')
const ENCRYPTION_TYPE = asciiWords('\x6eEncryptionType')

const KNOWN: readonly unknown[] = [
  'Data',
  'PartitionKey',
  'SequenceNumber',
  'ApproximateArrivalTimestamp',
  'EncryptionType'
]

/** A time that is more is not in seconds: it would be in the year 5138. In milliseconds this is in 1973. */
const MAX_SECONDS = 1e11

/**
 * Decodes `body`. Payloads are views on it, so it has to have a memory of its own. Yields from time to time, so that the work
 * can be interrupted. Returns undefined if it is not an answer of GetRecords in every detail.
 */
export function* decodeCborAnswer(body: Buffer): Generator<void, RecordsAnswer | undefined, void> {
  try {
    return yield* new CborScan(body).answer()
  } catch (error) {
    if (error instanceof CborError || error instanceof RangeError || error instanceof ConsumerError) return undefined
    throw error
  }
}

/** One pass over a body. */
class CborScan {
  readonly #body: Buffer
  readonly #reader: CborReader
  readonly #table = new RecordTable()
  #hasRecords = false

  constructor(body: Buffer) {
    this.#body = body
    this.#reader = new CborReader(body)
  }

  *answer(): Generator<void, RecordsAnswer, void> {
    const reader = this.#reader
    const fields: Record<string, unknown> = Object.create(null)
    const begun = reader.beginMap()
    for (let done = 0; reader.goesOn(begun, done); done++) {
      if (this.#takes(RECORDS)) yield* this.#records()
      else {
        const name = reader.value()
        if (typeof name !== 'string' || name === 'Records') throw new CborError('a name is not as expected')
        fields[name] = reader.value()
      }
    }
    if (!reader.isOver) throw new CborError('something follows')
    // The end of a shard is told by what is missing. Something that is no answer at all must not pass for it.
    if (!this.#hasRecords) throw new CborError('there is no list of records')
    const table = this.#table
    const body = table.count === 0 ? Buffer.alloc(0) : this.#body
    return recordsAnswer(table.decoded(body), fields)
  }

  *#records(): Generator<void, void, void> {
    const reader = this.#reader
    if (this.#table.count > 0) throw new CborError('there are two lists of records')
    this.#hasRecords = true
    const begun = reader.beginList()
    for (let done = 0; reader.goesOn(begun, done); done++) {
      this.#record()
      if (done % STEP_RECORDS === STEP_RECORDS - 1) yield
    }
  }

  #record(): void {
    const reader = this.#reader
    this.#table.begin()
    const begun = reader.beginMap()
    for (let done = 0; reader.goesOn(begun, done); done++) {
      if (this.#takes(DATA)) this.#data()
      else if (this.#takes(SEQUENCE_NUMBER)) this.#sequenceNumber()
      else if (this.#takes(PARTITION_KEY)) this.#partitionKey()
      else if (this.#takes(ARRIVAL)) this.#arrival()
      else if (this.#takes(ENCRYPTION_TYPE)) this.#encryptionType()
      else {
        // A known name with a head of another form would be missed.
        if (KNOWN.includes(reader.value())) throw new CborError('a name is not written as expected')
        reader.value()
      }
    }
    if (!this.#table.hasNumber()) throw new CborError('a record has no sequence number')
  }

  /** Text here is what was put in JSON, still in base64, or perhaps not. */
  #data(): void {
    const length = this.#reader.passBytes()
    this.#table.dataIsAt(this.#reader.at - length, length)
  }

  #sequenceNumber(): void {
    const at = this.#takeText()
    if (!this.#table.texts.isAscii) throw new CborError('a sequence number is not a number')
    this.#table.numberIsAt(at)
  }

  #partitionKey(): void {
    this.#table.keyIsAt(this.#takeText())
  }

  #takeText(): number {
    const { texts } = this.#table
    const reader = this.#reader
    const at = texts.length
    const length = reader.passText()
    texts.take(reader.view, reader.at - length, reader.at)
    return at
  }

  #arrival(): void {
    const time = this.#reader.value()
    if (typeof time !== 'number') throw new CborError('a time is not a number')
    this.#table.arrivedAt(Math.round(time > MAX_SECONDS ? time : time * 1000))
  }

  #encryptionType(): void {
    const type = this.#reader.value() ?? ''
    if (typeof type !== 'string') throw new CborError('an encryption is not text')
    this.#table.encryptedWith(type)
  }

  #takes(name: ReturnType<typeof asciiWords>): boolean {
    if (!name.isAt(this.#reader.view, this.#reader.at)) return false
    this.#reader.at += name.length
    return true
  }
}
