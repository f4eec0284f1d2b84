// Dead letters as records of another Kinesis stream.

import type { PutPort } from '../kinesis/put-port.ts'
import type { KinesisClientOption, StreamReference } from '../kinesis/sdk-client.ts'
import { sdkPutRecords } from '../kinesis/sdk-put-records.ts'
import { OptionError, ServiceError } from '../model/errors.ts'
import { checkOptions } from '../model/option-rules.ts'
import type { DeadLetter, DeadLetterDestination, StoreOptions } from '../processor/dead-letter.ts'
import { encodeDeadLetter } from './letter-codec.ts'
import { checkName, checkNumber } from './option-rules.ts'
import { storeAll } from './send-all.ts'
import { type CallPorts, SYSTEM_PORTS } from './service-call.ts'

/** A stream to write to: by name or by ARN, and through which client. */
export type StreamTarget = StreamReference & {
  /** A client of the AWS SDK to use as it is, or what to configure one with. Default: what the environment says. */
  readonly client?: KinesisClientOption
  /** How long one call may take. Milliseconds, 100 to 300,000; default 10,000. */
  readonly requestTimeoutMs?: number
}

/** Options of {@link kinesisDeadLetters}. */
export type KinesisDeadLettersOptions = StreamTarget & {
  /** The largest record that the stream takes, its partition key included. Bytes, 1,024 to 10,485,760; default 1,048,576. */
  readonly maxRecordBytes?: number
}

/** The names of the options that say which stream. */
export const STREAM_OPTIONS: readonly string[] = ['streamName', 'streamArn', 'client', 'requestTimeoutMs']

/** What one call takes. The service takes 10 MiB at most; half of that is what its shards can take in some seconds. */
export const PUT_LIMITS = { maxCount: 500, maxBytes: 5_242_880 } as const

/**
 * A destination that puts each letter into a stream as a record of its own: the line of JSON, under the partition key that the
 * record had. Records that the stream refuses are put again, the others of the call are not.
 *
 * @throws OptionError if an option is out of its range, or no stream is named.
 */
export function kinesisDeadLetters(
  options: KinesisDeadLettersOptions,
  ports: CallPorts = SYSTEM_PORTS
): DeadLetterDestination {
  checkOptions(options, [...STREAM_OPTIONS, 'maxRecordBytes'])
  const range = { min: 1_024, max: 10_485_760, byDefault: 1_048_576 }
  const maxRecordBytes = checkNumber('maxRecordBytes', options.maxRecordBytes, range)
  return new KinesisDeadLetters(openStream(options, ports), maxRecordBytes, ports)
}

/** The port for a stream that was named in options. */
export function openStream(target: StreamTarget, { clock }: CallPorts): PutPort {
  const { client, requestTimeoutMs: given, ...stream } = target
  const requestTimeoutMs = checkNumber('requestTimeoutMs', given, { min: 100, max: 300_000, byDefault: 10_000 })
  return sdkPutRecords({ stream: checkStream(stream), client, clock, requestTimeoutMs })
}

function checkStream(stream: { readonly streamName?: string; readonly streamArn?: string }): StreamReference {
  const { streamName, streamArn } = stream
  if (streamName !== undefined && streamArn !== undefined) {
    throw new OptionError('streamArn', 'is given beside streamName, expected one of them')
  }
  if (streamArn === undefined) return { streamName: checkName('streamName', streamName, 'the name of a stream') }
  const arn = checkName('streamArn', streamArn, 'the ARN of a stream')
  if (/^arn:[^:]+:kinesis:[^:]+:\d+:stream\/./.test(arn)) return { streamArn: arn }
  throw new OptionError('streamArn', `is ${JSON.stringify(arn)}, expected arn:aws:kinesis:region:account:stream/name`)
}

interface Entry {
  readonly bytes: number
  readonly partitionKey: string
  readonly data: Uint8Array
}

class KinesisDeadLetters implements DeadLetterDestination {
  readonly name: string
  readonly #port: PutPort
  readonly #maxRecordBytes: number
  readonly #ports: CallPorts

  constructor(port: PutPort, maxRecordBytes: number, ports: CallPorts) {
    this.name = `stream ${port.streamName}`
    this.#port = port
    this.#maxRecordBytes = maxRecordBytes
    this.#ports = ports
  }

  async store(letters: readonly DeadLetter[], { signal }: StoreOptions): Promise<void> {
    const entries = letters.map(letter => this.#entryOf(letter))
    await storeAll<Entry>(entries, {
      ...{ ...this.#ports, limits: PUT_LIMITS, signal },
      send: async batch => {
        const errors = await this.#port.putRecords(batch, { signal })
        return batch.flatMap((entry, n) => (errors[n] === undefined ? [] : [{ entry, error: errors[n] }]))
      }
    })
  }

  async close(): Promise<void> {
    this.#port.close()
  }

  #entryOf(letter: DeadLetter): Entry {
    const data = Buffer.from(encodeDeadLetter(letter))
    // A key inside an aggregated record may be one that Kinesis does not take. The letter has it as it was.
    const { length } = letter.partitionKey
    const partitionKey = length >= 1 && length <= 256 ? letter.partitionKey : letter.sequenceNumber
    const bytes = data.length + Buffer.byteLength(partitionKey)
    if (bytes <= this.#maxRecordBytes) return { bytes, partitionKey, data }
    const which = `The dead letter of ${letter.sequenceNumber}#${letter.subSequenceNumber} of ${letter.shardId}`
    throw new ServiceError(
      'invalid-argument',
      `${which} has ${bytes} bytes, and ${this.name} takes ${this.#maxRecordBytes}: raise maxRecordBytes if the stream takes more, or store dead letters in S3`,
      { retryable: false }
    )
  }
}
