// Makes our own types of what a SubscribeToShardEvent carries as JSON, in steps that can be interrupted. The data of its
// records is decoded into one ArrayBuffer per event, which nothing else lives in.
import { decodeJsonRecords } from '../wire/json-answer.ts'
import { childShardFrom, malformedAnswer } from '../wire/records-answer.ts'
import type { SubscriptionEvent } from './fan-out-port.ts'

/**
 * Decodes an event from its JSON, of which nothing is kept: as strictly as an answer of GetRecords. Yields from time to time.
 *
 * @throws ServiceError `other`, retryable, if it is none. It quotes nothing: an event is made of payloads.
 */
export function* decodeEvent(json: Uint8Array): Generator<void, SubscriptionEvent, void> {
  const body = Buffer.from(json.buffer, json.byteOffset, json.byteLength)
  const { decoded, fields } = yield* decodeJsonRecords(body)
  const { ContinuationSequenceNumber, MillisBehindLatest, ChildShards } = fields
  // Without it the shard has ended, so nothing odd may pass for its absence.
  const continuation = ContinuationSequenceNumber ?? ''
  if (typeof continuation !== 'string') throw malformedAnswer('ContinuationSequenceNumber is not text')
  const behindMs = MillisBehindLatest ?? 0
  if (typeof behindMs !== 'number') throw malformedAnswer('MillisBehindLatest is not a number')
  const children = ChildShards ?? []
  if (!Array.isArray(children)) throw malformedAnswer('ChildShards is not a list')
  return {
    records: decoded.records,
    millisBehindLatest: behindMs,
    ...(continuation !== '' && { continuationSequenceNumber: continuation }),
    ...(children.length > 0 && { childShards: children.map(childShardFrom) })
  }
}
