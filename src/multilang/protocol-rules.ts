// What is said to a child over its standard input, in the words of KCL's multi-language protocol: one JSON object a line, with
// its properties in the order of KCL's daemon, every null written out, and nothing above 0x7E, whatever the child takes it for.
import type { ExtendedSequenceNumber } from '../model/sequence-number.ts'

/** What a child is asked to do, and answers with a status. */
export type ChildAction = 'initialize' | 'processRecords' | 'shutdownRequested' | 'leaseLost' | 'shardEnded'

/** A record as the protocol knows it. */
export interface SpokenRecord extends ExtendedSequenceNumber {
  readonly partitionKey: string
  readonly data: Uint8Array
  readonly arrivedAtMs: number | undefined
}

/** What came of a checkpoint that a child asked for. Its position is the one asked for, as far as there was one. */
export interface CheckpointReply {
  readonly sequenceNumber: string | null
  readonly subSequenceNumber: number | null
  /** Name of a class of KCL; null: it is stored. */
  readonly error: string | null
}

/** What a line of records needs to know beside them. */
export interface SpokenBatch {
  readonly records: readonly SpokenRecord[]
  readonly millisBehindLatest: number
  /** Stands in for the arrival of records of which the service does not say it: Python's client ends at a null. Epoch milliseconds. */
  readonly nowMs: number
}

/** Lines are handed on in pieces of about so many characters. */
const PIECE_LENGTH = 65_536
/** Payloads are encoded in parts of so many bytes: a multiple of three, so that the parts of base64 fit together. */
const PART_BYTES = 49_152

/**
 * The first message to a child, and for a child of several shards the first about each of them.
 *
 * @param checkpoint of the lease: a position, or a word such as TRIM_HORIZON
 */
export function encodeInitialize(
  shardId: string,
  { sequenceNumber, subSequenceNumber }: ExtendedSequenceNumber
): string {
  return lineOf({ action: 'initialize', shardId, sequenceNumber, subSequenceNumber })
}

/** A message that says nothing but what is to be done; with the shard, for children that know of several. */
export function encodeAction(action: Exclude<ChildAction, 'initialize' | 'processRecords'>, shardId?: string): string {
  return lineOf({ action, shardId })
}

/** What a child hears of a checkpoint. */
export function encodeReply({ sequenceNumber, subSequenceNumber, error }: CheckpointReply, shardId?: string): string {
  return lineOf({ action: 'checkpoint', shardId, sequenceNumber, subSequenceNumber, error })
}

/** A line of records, which may have 15 million characters, in pieces. */
export function* encodeRecords(batch: SpokenBatch, shardId?: string): Generator<string, void> {
  const { records, millisBehindLatest, nowMs } = batch
  const shard = shardId === undefined ? '' : `"shardId":${textOf(shardId)},`
  let piece = `{"action":"processRecords",${shard}"records":[`
  for (const [index, record] of records.entries()) {
    const { data, partitionKey, sequenceNumber, subSequenceNumber, arrivedAtMs } = record
    piece += `${index === 0 ? '' : ','}{"data":"`
    for (let at = 0; at < data.length; at += PART_BYTES) {
      piece += Buffer.from(data.buffer, data.byteOffset + at, Math.min(PART_BYTES, data.length - at)).toString('base64')
      if (piece.length < PIECE_LENGTH) continue
      yield piece
      piece = ''
    }
    const arrived = wholeNumber(arrivedAtMs ?? nowMs)
    piece += `","partitionKey":${textOf(partitionKey)},"sequenceNumber":${textOf(sequenceNumber)},`
    piece += `"approximateArrivalTimestamp":${arrived},"subSequenceNumber":${subSequenceNumber},"action":"record"}`
    if (piece.length < PIECE_LENGTH) continue
    yield piece
    piece = ''
  }
  yield `${piece}],"millisBehindLatest":${wholeNumber(millisBehindLatest)}}\n`
}

function lineOf(message: object): string {
  return `${textOf(message)}\n`
}

/** As JSON, of characters that mean the same in every encoding. */
function textOf(value: unknown): string {
  const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, escaped)
}

function wholeNumber(value: number): number {
  return Number.isFinite(value) ? Math.trunc(value) : 0
}
