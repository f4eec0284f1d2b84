// Decodes answers of GetRecords in JSON, and what else has records as these do: from the bytes if they are as the service
// writes them, through JSON.parse if not.
import type { KinesisRecord } from '../model/record.ts'
import type { RecordsAnswer } from '../model/records-answer.ts'
import { Base64Decoder, base64Bytes } from './base64.ts'
import { scanJsonAnswer } from './json-records.ts'
import { decodePayloads } from './payloads.ts'
import type { RecordScanner } from './record-scanner.ts'
import { type DecodedRecords, madeRecords, malformedAnswer, memoryOf, recordsAnswer } from './records-answer.ts'

/** After how many records whoever drives the work is asked whether something else is to be done first. */
const STEP_RECORDS = 256

/** What an answer, or anything like it, says. */
export interface DecodedJson {
  readonly decoded: DecodedRecords
  /** Everything beside `Records`, as the service names it. */
  readonly fields: Readonly<Record<string, unknown>>
}

/**
 * Decodes `body`, of which nothing is kept. Yields from time to time, so that the work can be interrupted.
 *
 * @param scanner makes it quicker; the result is the same
 * @throws ServiceError that is retryable, if it is not an answer of GetRecords
 */
export function* decodeJsonAnswer(body: Buffer, scanner?: RecordScanner): Generator<void, RecordsAnswer, void> {
  const { decoded, fields } = yield* decodeJsonRecords(body, scanner)
  return recordsAnswer(decoded, fields)
}

/**
 * Decodes the `Records` of `body`, as answers and events have them. Their payloads are in one memory of their own.
 *
 * @param scanner makes it quicker; the result is the same
 * @throws ServiceError that is retryable, if there are none, or one of them is not as it should be
 */
export function* decodeJsonRecords(body: Buffer, scanner?: RecordScanner): Generator<void, DecodedJson, void> {
  const scanned = yield* scanJsonAnswer(body, scanner)
  if (scanned === undefined) return yield* parsedRecords(body)
  const { table, fields, hasRecords } = scanned
  // The end of a shard is told by what is missing. Something that is no answer at all must not pass for it.
  if (!hasRecords) throw malformedAnswer('it has no Records')
  if (table.count > 0) yield
  const data = yield* decodePayloads(table, body, scanner)
  if (data === undefined) return yield* parsedRecords(body)
  return { decoded: table.decoded(data), fields }
}

function* parsedRecords(body: Buffer): Generator<void, DecodedJson, void> {
  const text = body.toString()
  yield
  const { Records: given, ...fields } = parse(text)
  yield
  if (!Array.isArray(given)) throw malformedAnswer('it has no list of Records')
  const encoded = given.map(recordIn)
  const total = encoded.reduce((sum, { bytes }) => sum + Math.max(0, bytes), 0)
  // Not out of the pool of Node.js: it is to go when the records go, and may be given to another thread.
  const data = Buffer.allocUnsafeSlow(total)
  const records: KinesisRecord[] = []
  let at = 0
  let textBytes = 0
  for (const { base64, bytes, ...record } of encoded) {
    const isBase64 = bytes >= 0 && new Base64Decoder(base64, data).decode(0, base64.length, at) === bytes
    if (!isBase64) throw malformedAnswer('Data of a record is not base64')
    records.push({ ...record, data: new Uint8Array(data.buffer as ArrayBuffer, at, bytes) })
    at += bytes
    textBytes += record.sequenceNumber.length + record.partitionKey.length
    if (records.length % STEP_RECORDS === 0) yield
  }
  const memoryBytes = memoryOf(records.length, total, textBytes)
  return { decoded: madeRecords(records, { bytes: total, memoryBytes }), fields }
}

function parse(text: string): Record<string, unknown> {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    // What JSON.parse complains about quotes the text.
    throw malformedAnswer('it is not JSON, or breaks off')
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw malformedAnswer('it is no object')
  return parsed as Record<string, unknown>
}

type EncodedRecord = Omit<KinesisRecord, 'data'> & { readonly base64: Buffer; readonly bytes: number }

function recordIn(given: unknown): EncodedRecord {
  const { SequenceNumber, PartitionKey, Data, ApproximateArrivalTimestamp, EncryptionType } = Object(given) as Record<
    string,
    unknown
  >
  if (typeof SequenceNumber !== 'string' || SequenceNumber === '')
    throw malformedAnswer('a record has no sequence number')
  // What is not ASCII is no base64 either.
  const base64 = Buffer.from(textIn(Data, 'Data'))
  return {
    sequenceNumber: SequenceNumber,
    partitionKey: textIn(PartitionKey, 'PartitionKey'),
    base64,
    bytes: base64Bytes(base64, 0, base64.length),
    ...arrivalIn(ApproximateArrivalTimestamp),
    ...(EncryptionType ? { encryptionType: textIn(EncryptionType, 'EncryptionType') } : {})
  }
}

function textIn(value: unknown, name: string): string {
  const text = value ?? ''
  if (typeof text !== 'string') throw malformedAnswer(`${name} of a record is not text`)
  return text
}

function arrivalIn(seconds: unknown): { arrivedAtMs?: number } {
  if (seconds === undefined || seconds === null) return {}
  if (typeof seconds !== 'number') throw malformedAnswer('ApproximateArrivalTimestamp of a record is not a number')
  return { arrivedAtMs: Math.round(seconds * 1000) }
}
