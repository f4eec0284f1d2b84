// Makes our own types of what a SubscribeToShardEvent carries as JSON, in steps that can be interrupted. The data of its
// records is decoded into one ArrayBuffer per event, which nothing else lives in.
import { ServiceError } from '../model/errors.ts'
import type { KinesisRecord } from '../model/record.ts'
import { decodePayloads, scanJsonAnswer } from '../wire/json-records.ts'
import { childShardFrom } from '../wire/records-answer.ts'
import type { SubscriptionEvent } from './fan-out-port.ts'

type Fields = Readonly<Record<string, unknown>>

/**
 * Decodes an event from its JSON, of which nothing is kept: from the bytes if they are as the service writes them, through
 * JSON.parse if not. Yields from time to time.
 *
 * @throws ServiceError `other`, retryable, if it is none. It quotes nothing: an event is made of payloads.
 */
export function* decodeEvent(json: Uint8Array): Generator<void, SubscriptionEvent, void> {
  const body = Buffer.from(json.buffer, json.byteOffset, json.byteLength)
  const scanned = yield* scanJsonAnswer(body)
  if (scanned === undefined) return parsedEvent(body)
  const { table, fields } = scanned
  const data = table.count === 0 ? undefined : yield* decodePayloads(table, body)
  // The end of a shard is told by what is missing. Something that is not an event at all must not pass for it.
  if (data === undefined) return parsedEvent(body)
  return eventFrom(table.records(data), fields)
}

function eventFrom(records: readonly KinesisRecord[], fields: Fields): SubscriptionEvent {
  const { ContinuationSequenceNumber: continuation, MillisBehindLatest: behind, ChildShards: children } = fields
  const isContinuation = typeof continuation === 'string' && continuation !== ''
  return {
    records,
    millisBehindLatest: typeof behind === 'number' ? behind : 0,
    ...(isContinuation && { continuationSequenceNumber: continuation }),
    ...(Array.isArray(children) && children.length > 0 && { childShards: children.map(childShardFrom) })
  }
}

function parsedEvent(body: Buffer): SubscriptionEvent {
  const { Records, ...fields } = parsed(body)
  const isEvent = Array.isArray(Records) || fields.ContinuationSequenceNumber || Array.isArray(fields.ChildShards)
  if (!isEvent) throw unreadable()
  return eventFrom(recordsOf(Array.isArray(Records) ? Records.map(Object) : []), fields)
}

function parsed(body: Buffer): Fields {
  try {
    return Object(JSON.parse(body.toString())) as Fields
  } catch {
    // What JSON.parse says quotes the text.
    throw unreadable()
  }
}

function recordsOf(records: readonly Fields[]): KinesisRecord[] {
  const decoded = records.map(({ Data, ...record }) => ({
    ...record,
    payload: Buffer.from(typeof Data === 'string' ? Data : '', 'base64')
  })) as readonly (Fields & { readonly payload: Buffer })[]
  const all = new Uint8Array(decoded.reduce((sum, { payload }) => sum + payload.length, 0))
  let offset = 0
  return decoded.map(record => {
    const { payload, SequenceNumber, PartitionKey, ApproximateArrivalTimestamp: arrival, EncryptionType } = record
    if (typeof SequenceNumber !== 'string' || SequenceNumber === '') throw unreadable()
    all.set(payload, offset)
    const data = all.subarray(offset, offset + payload.length)
    offset += payload.length
    return {
      sequenceNumber: SequenceNumber,
      partitionKey: typeof PartitionKey === 'string' ? PartitionKey : '',
      data,
      ...(typeof arrival === 'number' && { arrivedAtMs: Math.round(arrival * 1000) }),
      ...(typeof EncryptionType === 'string' && EncryptionType !== '' && { encryptionType: EncryptionType })
    }
  })
}

function unreadable(): ServiceError {
  return new ServiceError('other', 'an event of the subscription could not be read', { retryable: true })
}
