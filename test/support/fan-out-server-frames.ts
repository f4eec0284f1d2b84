// The messages of an event stream as the service sends them, encoded with the codec of the SDK.
import { EventStreamCodec } from '@smithy/core/event-streams'
import type { SubscriptionEvent } from '../../src/kinesis/fan-out-port.ts'
import type { KinesisRecord } from '../../src/model/record.ts'

const [decoder, encoder] = [new TextDecoder(), new TextEncoder()]
const codec = new EventStreamCodec(
  bytes => decoder.decode(typeof bytes === 'string' ? encoder.encode(bytes) : bytes),
  text => encoder.encode(text)
)

/** One message with these headers, all of them texts. */
export function frame(headers: Readonly<Record<string, string>>, body: Uint8Array | string = ''): Uint8Array {
  const typed = Object.entries(headers).map(([name, value]) => [name, { type: 'string' as const, value }])
  return codec.encode({
    headers: Object.fromEntries(typed),
    body: typeof body === 'string' ? encoder.encode(body) : body
  })
}

/** What a subscription begins with. */
export function initialResponse(): Uint8Array {
  return frame({ ...ofType('event', 'initial-response'), ':content-type': 'application/x-amz-json-1.1' }, '{}')
}

/** An event. */
export function eventFrame(event: SubscriptionEvent): Uint8Array {
  return jsonEventFrame(JSON.stringify(eventInJson(event)))
}

/** An event that says this JSON. */
export function jsonEventFrame(json: string): Uint8Array {
  return frame({ ...ofType('event', 'SubscribeToShardEvent'), ':content-type': 'application/json' }, json)
}

/** An exception that the API knows. */
export function exceptionFrame(type: string, message = 'words of the service'): Uint8Array {
  const headers = { ...ofType('exception', type), ':content-type': 'application/json' }
  return frame(headers, JSON.stringify({ message }))
}

/** An error that the API does not know. */
export function errorFrame(code: string, message = 'words of the service'): Uint8Array {
  return frame({ ':message-type': 'error', ':error-code': code, ':error-message': message })
}

function ofType(kind: 'event' | 'exception', type: string): Record<string, string> {
  return { ':message-type': kind, [`:${kind}-type`]: type }
}

/** A record as the service writes it. */
export function recordInJson(record: KinesisRecord): object {
  const { sequenceNumber, partitionKey, data, arrivedAtMs, encryptionType } = record
  return {
    SequenceNumber: sequenceNumber,
    PartitionKey: partitionKey,
    Data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'),
    ...(arrivedAtMs !== undefined && { ApproximateArrivalTimestamp: arrivedAtMs / 1000 }),
    ...(encryptionType !== undefined && { EncryptionType: encryptionType })
  }
}

/** Children as the service writes them. */
export function childrenInJson(children: SubscriptionEvent['childShards'] = []): object[] {
  return children.map(({ shardId, parentShardIds, hashKeyRange }) => ({
    ShardId: shardId,
    ParentShards: parentShardIds,
    HashKeyRange: { StartingHashKey: String(hashKeyRange?.start), EndingHashKey: String(hashKeyRange?.end) }
  }))
}

function eventInJson({ records, continuationSequenceNumber, millisBehindLatest, childShards }: SubscriptionEvent) {
  return {
    Records: records.map(recordInJson),
    ContinuationSequenceNumber: continuationSequenceNumber,
    MillisBehindLatest: millisBehindLatest,
    ...(childShards && { ChildShards: childrenInJson(childShards) })
  }
}
