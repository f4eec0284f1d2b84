// What the calls through the SDK say in the same way: which stream, and where to begin.
import type { IteratorStart } from './kinesis-port.ts'
import type { StreamReference } from './sdk-client.ts'

/** Where reading begins, as SubscribeToShard names it. */
export interface StartingPosition {
  readonly Type: IteratorStart['type']
  readonly SequenceNumber?: string
  readonly Timestamp?: Date
}

/** Where reading begins, in the words of the service. */
export function startingPosition(start: IteratorStart): StartingPosition {
  switch (start.type) {
    case 'AT_TIMESTAMP':
      return { Type: start.type, Timestamp: new Date(start.timestampMs) }
    case 'AT_SEQUENCE_NUMBER':
    case 'AFTER_SEQUENCE_NUMBER':
      return { Type: start.type, SequenceNumber: start.sequenceNumber }
    default:
      return { Type: start.type }
  }
}

/** What the stream is called. An ARN ends with the name. */
export function streamNameOf(stream: StreamReference): string {
  if ('streamName' in stream) return stream.streamName
  return stream.streamArn.slice(stream.streamArn.lastIndexOf('/') + 1)
}
