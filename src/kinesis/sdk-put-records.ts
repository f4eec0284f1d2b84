// The port that records are put through, over the AWS SDK. One attempt per call, with a deadline.
import { PutRecordsCommand, type PutRecordsRequestEntry } from '@aws-sdk/client-kinesis'
import type { Clock } from '../runtime/clock.ts'
import { withDeadline } from '../runtime/deadline.ts'
import type { PutPort, RecordToPut } from './put-port.ts'
import { clientInUse, type KinesisClientOption, type StreamReference } from './sdk-client.ts'
import { kinesisErrorOf, kinesisTimeout } from './sdk-kinesis-errors.ts'
import { streamNameOf } from './sdk-parameters.ts'

/** Which stream to put into, through which client, and how long to wait for an answer. */
export interface SdkPutRecordsOptions {
  readonly stream: StreamReference
  /** Absent: a client of our own with what the environment says. A client given here is not destroyed by `close()`. */
  readonly client?: KinesisClientOption | undefined
  readonly clock: Clock
  /** How long one call may take. Milliseconds; default 10,000. */
  readonly requestTimeoutMs?: number | undefined
}

/** The port for one stream. */
export function sdkPutRecords(options: SdkPutRecordsOptions): PutPort {
  const { stream, clock, requestTimeoutMs = 10_000 } = options
  const streamName = streamNameOf(stream)
  const call = { name: 'PutRecords', streamName }
  const { client, destroy } = clientInUse(options.client, stream)
  const target = 'streamArn' in stream ? { StreamARN: stream.streamArn } : { StreamName: stream.streamName }

  const put = async (records: readonly RecordToPut[], abortSignal: AbortSignal) => {
    try {
      const answer = await client.send(new PutRecordsCommand({ ...target, Records: records.map(entryOf) }), {
        abortSignal
      })
      return records.map((_, n) => {
        const { ErrorCode: name, ErrorMessage: message = '', SequenceNumber } = answer.Records?.[n] ?? {}
        if (SequenceNumber !== undefined && name === undefined) return undefined
        // One that the answer says nothing about may not be there either: as if the service had a fault of its own.
        return kinesisErrorOf(refusal(name ?? 'InternalFailure', message), call)
      })
    } catch (error) {
      throw kinesisErrorOf(error, call)
    }
  }

  return {
    streamName,
    putRecords: (records, { signal } = {}) =>
      withDeadline(
        clock,
        requestTimeoutMs,
        signal,
        abortSignal => put(records, abortSignal),
        () => kinesisTimeout(call, requestTimeoutMs)
      ),
    close: destroy
  }
}

function entryOf({ data, partitionKey, explicitHashKey }: RecordToPut): PutRecordsRequestEntry {
  return {
    Data: data,
    PartitionKey: partitionKey,
    ...(explicitHashKey !== undefined && { ExplicitHashKey: explicitHashKey })
  }
}

/** What the service says of one record of many, like an error of the SDK. An internal failure has the status of one. */
function refusal(name: string, message: string): Error {
  const $metadata = { httpStatusCode: name === 'InternalFailure' ? 500 : 400 }
  return Object.assign(new Error(message), { name, $metadata })
}
