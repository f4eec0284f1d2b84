// GetRecords: straight to the service where the client allows it, in JSON or in CBOR, and through the client where not.
import { type _Record, GetRecordsCommand, type KinesisClient } from '@aws-sdk/client-kinesis'
import type { KinesisRecord } from '../model/record.ts'
import type { RecordsAnswer } from '../model/records-answer.ts'
import type { Clock } from '../runtime/clock.ts'
import { cborMap } from '../wire/cbor.ts'
import { decodeCborAnswer } from '../wire/cbor-answer.ts'
import { decodeJsonAnswer } from '../wire/json-answer.ts'
import { malformedAnswer, recordsAnswer } from '../wire/records-answer.ts'
import { DecodeTurns } from './decode-turns.ts'
import { DirectCalls } from './sdk-direct-calls.ts'
import { isEncodingFault } from './sdk-kinesis-errors.ts'

/** How the answers of GetRecords are encoded. */
export type Wire = 'json' | 'cbor'

/** Through which client, of which stream if calls are to say so, and how. */
export interface GetRecordsOptions {
  readonly client: KinesisClient
  /** What each call says beside the iterator, which is of another account then. */
  readonly streamArn?: string | undefined
  readonly clock: Clock
  readonly wire: Wire
}

interface Input {
  readonly ShardIterator: string
  readonly Limit: number
  readonly StreamARN?: string
}

const JSON_TYPE = 'application/x-amz-json-1.1'
const CBOR_TYPE = 'application/x-amz-cbor-1.1'

/** Answers that are shorter are decoded at once: it takes less than waiting for a turn. Bytes. */
const SMALL_BYTES = 32_768

/** GetRecords of one stream. */
export class GetRecords {
  readonly #client: KinesisClient
  readonly #streamArn: string | undefined
  readonly #direct: DirectCalls
  readonly #turns: DecodeTurns
  #wire: Wire

  constructor({ client, streamArn, clock, wire }: GetRecordsOptions) {
    this.#client = client
    this.#streamArn = streamArn
    this.#direct = new DirectCalls(client, streamArn, clock)
    this.#turns = new DecodeTurns(clock)
    this.#wire = wire
  }

  /** How answers are encoded now: `json` as well after an endpoint turned out not to answer in CBOR. */
  get wire(): Wire {
    return this.#wire
  }

  /** One call. Rejects with a fault of the service, the SDK or the connection, or with the ServiceError of an odd answer. */
  async call(iterator: string, limit: number, signal: AbortSignal): Promise<RecordsAnswer> {
    const arn = this.#streamArn === undefined ? {} : { StreamARN: this.#streamArn }
    const input: Input = { ShardIterator: iterator, Limit: limit, ...arn }
    if (!(await this.#direct.isPossible())) return this.#throughClient(input, signal)
    if (this.#wire === 'json') return this.#inJson(input, signal)
    const answer = await this.#inCbor(input, signal)
    if (answer !== undefined) return answer
    const same = await this.#inJson(input, signal)
    // Only now: an endpoint that answers neither is not there at all, and may come back.
    this.#wire = 'json'
    return same
  }

  async #inJson(input: Input, signal: AbortSignal): Promise<RecordsAnswer> {
    const { body } = await this.#direct.send({ contentType: JSON_TYPE, body: JSON.stringify(input) }, signal)
    return this.#decoded(body, decodeJsonAnswer(body), signal)
  }

  /** Undefined: the endpoint does not answer in CBOR, or in another one. */
  async #inCbor(input: Input, signal: AbortSignal): Promise<RecordsAnswer | undefined> {
    try {
      const { contentType, body } = await this.#direct.send(
        { contentType: CBOR_TYPE, body: cborMap({ ...input }) },
        signal
      )
      if (!contentType.startsWith(CBOR_TYPE)) return undefined
      return await this.#decoded(body, decodeCborAnswer(body), signal)
    } catch (error) {
      if (isEncodingFault(error)) return undefined
      throw error
    }
  }

  #decoded<T>(body: Buffer, work: Generator<void, T, void>, signal: AbortSignal): T | Promise<T> {
    if (body.length > SMALL_BYTES) return this.#turns.run(work, signal)
    for (;;) {
      const step = work.next()
      if (step.done === true) return step.value
    }
  }

  async #throughClient(input: Input, abortSignal: AbortSignal): Promise<RecordsAnswer> {
    const { Records = [], ...fields } = await this.#client.send(new GetRecordsCommand(input), { abortSignal })
    const records = Records.map(recordFrom)
    const bytes = records.reduce((sum, { data }) => sum + data.length, 0)
    return recordsAnswer(records, bytes, fields)
  }
}

function recordFrom(record: _Record): KinesisRecord {
  const { SequenceNumber, PartitionKey = '', Data, ApproximateArrivalTimestamp, EncryptionType } = record
  if (!SequenceNumber) throw malformedAnswer('a record has no sequence number')
  return {
    sequenceNumber: SequenceNumber,
    partitionKey: PartitionKey,
    data: Data ?? new Uint8Array(0),
    ...(ApproximateArrivalTimestamp && { arrivedAtMs: ApproximateArrivalTimestamp.getTime() }),
    ...(EncryptionType && { encryptionType: EncryptionType })
  }
}
