// GetRecords: straight to the service where the client allows it, in JSON or in CBOR, and through the client where not.
import { type _Record, GetRecordsCommand, type KinesisClient } from '@aws-sdk/client-kinesis'
import type { KinesisRecord } from '../model/record.ts'
import type { RecordsAnswer } from '../model/records-answer.ts'
import { unlessAborted } from '../runtime/abort.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Deadline } from '../runtime/deadline.ts'
import { cborMap } from '../wire/cbor.ts'
import { decodeCborAnswer } from '../wire/cbor-answer.ts'
import { decodeJsonAnswer } from '../wire/json-answer.ts'
import { RecordScanner } from '../wire/record-scanner.ts'
import { madeRecords, malformedAnswer, memoryOf, recordsAnswer } from '../wire/records-answer.ts'
import { BodyMemory } from './body-memory.ts'
import { DecodeTurns } from './decode-turns.ts'
import { ReceiveTurns } from './receive-turns.ts'
import type { RecordsLine } from './sdk-client.ts'
import { type Answering, DirectCalls } from './sdk-direct-calls.ts'
import { isEncodingFault, isUnderstood } from './sdk-kinesis-errors.ts'
import { UsedPieces } from './used-pieces.ts'
import { type Wire, WireChoice, type WireListener } from './wire-choice.ts'

/** Through which client, of which stream if calls are to say so, and how. */
export interface GetRecordsOptions {
  readonly client: KinesisClient
  /** What requests are sent over; absent: the client's own request handler. */
  readonly line?: RecordsLine | undefined
  /** What each call says beside the iterator, which is of another account then. */
  readonly streamArn?: string | undefined
  readonly clock: Clock
  readonly wire: Wire
  /** How much memory is kept at most to receive answers into, while there are none. Bytes; default 64 MiB, and never more. */
  readonly keptBytes?: number | undefined
  readonly onWireChange?: WireListener | undefined
  /**
   * Makes a request and waits for what comes back, within a time. What becomes of that afterwards is not the service's doing,
   * and takes as long as it takes.
   */
  readonly inTime: <T>(signal: AbortSignal | undefined, request: TimedRequest<T>) => Promise<T>
  /** The error to throw for an answer that cannot be read. */
  readonly errorOf: (error: unknown) => unknown
}

/** A request, and the time that it has. */
type TimedRequest<T> = (signal: AbortSignal, deadline: Deadline) => Promise<T>

interface Input {
  readonly ShardIterator: string
  readonly Limit: number
  readonly StreamARN?: string
}

/** What came back: an answer of the client, which decodes by itself, or of the service in JSON. */
type Received =
  | { readonly kind: 'decoded'; readonly answer: RecordsAnswer }
  | { readonly kind: 'json'; readonly body: Buffer }

/** What came back where CBOR was asked for. */
type ReceivedCbor =
  | Received
  | { readonly kind: 'cbor'; readonly body: Buffer }
  /** Perhaps because of how the request was encoded. */
  | { readonly kind: 'refused'; readonly fault: Error }
  /** The answer is in another encoding. */
  | { readonly kind: 'odd'; readonly because: string }

const JSON_TYPE = 'application/x-amz-json-1.1'
const CBOR_TYPE = 'application/x-amz-cbor-1.1'

/** Answers that are shorter are decoded at once: it takes less than waiting for a turn. Bytes. */
const SMALL_BYTES = 32_768

/** GetRecords of one stream. */
export class GetRecords {
  readonly #options: GetRecordsOptions
  readonly #direct: DirectCalls
  readonly #memory: BodyMemory
  readonly #scanner = new RecordScanner()
  readonly #turns: DecodeTurns
  readonly #receiveTurns: ReceiveTurns
  readonly #used: UsedPieces | undefined
  readonly #choice: WireChoice

  constructor(options: GetRecordsOptions) {
    const { client, streamArn, clock, line, wire, keptBytes, onWireChange } = options
    this.#options = options
    this.#memory = new BodyMemory(keptBytes)
    this.#direct = new DirectCalls(client, streamArn, clock, line)
    this.#turns = new DecodeTurns(clock)
    // What a request handler that was given to us makes of pieces, nobody knows.
    this.#used = line === undefined ? undefined : new UsedPieces(clock)
    this.#receiveTurns = new ReceiveTurns(clock, () => this.#turns.waitingBytes)
    this.#choice = new WireChoice(wire, clock, onWireChange)
  }

  /** How answers are encoded now: `json` as well for a while after an endpoint turned out not to answer in CBOR. */
  get wire(): Wire {
    return this.#choice.wire
  }

  /**
   * One call. Rejects as `inTime` does, with what `errorOf` makes of an answer that cannot be read, or with the reason of
   * `signal`.
   */
  async call(iterator: string, limit: number, signal?: AbortSignal): Promise<RecordsAnswer> {
    const { inTime, streamArn } = this.#options
    const arn = streamArn === undefined ? {} : { StreamARN: streamArn }
    const input: Input = { ShardIterator: iterator, Limit: limit, ...arn }
    if (this.#choice.wire === 'json') {
      return this.#answerIn(await inTime(signal, (own, time) => this.#receive(input, own, time)), signal)
    }
    const received = await inTime(signal, (own, time) => this.#receiveCbor(input, own, time))
    switch (received.kind) {
      case 'cbor': {
        const answer = await this.#decode(received.body, decodeCborAnswer(received.body), signal)
        if (answer !== undefined) {
          this.#choice.cborWorked()
          return answer
        }
        return this.#again(input, 'an answer in CBOR could not be read', signal)
      }
      case 'odd':
        return this.#again(input, received.because, signal)
      case 'refused':
        return this.#again(input, received.fault, signal)
      default:
        return this.#answerIn(received, signal)
    }
  }

  /** The same call in JSON, because it was refused in CBOR, or not answered in it. */
  async #again(input: Input, because: string | Error, signal: AbortSignal | undefined): Promise<RecordsAnswer> {
    // At once: should the same call in JSON fail for another reason, the next one must not end up here again.
    if (typeof because === 'string') this.#choice.cborFailed(because)
    const refused = (fault: Error): void => this.#choice.cborFailed(`a call in CBOR was refused (${fault.name})`)
    const same = await this.#options.inTime(signal, async (own, time) => {
      try {
        return await this.#receive(input, own, time)
      } catch (error) {
        // Only then: an endpoint that understands neither is not there at all, and may come back.
        if (typeof because !== 'string' && isUnderstood(error, because)) refused(because)
        throw error
      }
    })
    if (typeof because !== 'string') refused(because)
    return this.#answerIn(same, signal)
  }

  async #receive(input: Input, signal: AbortSignal, deadline: Deadline): Promise<Received> {
    const prepared = await this.#direct.prepared()
    if (prepared === undefined) return this.#throughClient(input, signal)
    const content = { contentType: JSON_TYPE, body: JSON.stringify(input) }
    const answering = { ...this.#answering(signal, deadline), memory: this.#memory }
    const { body } = await this.#direct.send(prepared, content, answering)
    return { kind: 'json', body }
  }

  async #receiveCbor(input: Input, signal: AbortSignal, deadline: Deadline): Promise<ReceivedCbor> {
    const prepared = await this.#direct.prepared()
    if (prepared === undefined) return this.#throughClient(input, signal)
    const content = { contentType: CBOR_TYPE, body: cborMap({ ...input }) }
    try {
      const { contentType, body } = await this.#direct.send(prepared, content, this.#answering(signal, deadline))
      if (contentType.startsWith(CBOR_TYPE)) return { kind: 'cbor', body }
      return { kind: 'odd', because: `a call in CBOR was answered in ${JSON.stringify(contentType)}` }
    } catch (error) {
      if (isEncodingFault(error)) return { kind: 'refused', fault: error }
      throw error
    }
  }

  #answering(signal: AbortSignal, deadline: Deadline): Answering {
    return { signal, deadline, turns: this.#receiveTurns, used: this.#used }
  }

  async #answerIn(received: Received, signal: AbortSignal | undefined): Promise<RecordsAnswer> {
    if (received.kind === 'decoded') return received.answer
    const answer = await this.#decode(received.body, decodeJsonAnswer(received.body, this.#scanner), signal)
    // An answer in JSON keeps nothing of its body. One that could not be decoded may still be looked at by whoever was at it.
    this.#memory.giveBack(received.body)
    return answer
  }

  async #decode<T>(body: Buffer, work: Generator<void, T, void>, signal: AbortSignal | undefined): Promise<T> {
    try {
      if (body.length > SMALL_BYTES) return await this.#turns.run(work, { bytes: body.length, signal })
      for (;;) {
        const step = work.next()
        if (step.done === true) return step.value
      }
    } catch (error) {
      throw signal?.aborted && error === signal.reason ? error : this.#options.errorOf(error)
    }
  }

  async #throughClient(input: Input, abortSignal: AbortSignal): Promise<Received> {
    const { client, line } = this.#options
    // A place must not be kept by what the signal does not reach, such as a provider of credentials that hangs.
    const send = () => unlessAborted(client.send(new GetRecordsCommand(input), { abortSignal }), abortSignal)
    const { Records, ...fields } = await (line === undefined ? send() : line.places.run(send, abortSignal))
    if (!Array.isArray(Records)) throw malformedAnswer('it has no list of Records')
    const records = Records.map(recordFrom)
    return { kind: 'decoded', answer: recordsAnswer(madeRecords(records, sizesOf(records)), fields) }
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

function sizesOf(records: readonly KinesisRecord[]): { bytes: number; memoryBytes: number } {
  let [bytes, textBytes] = [0, 0]
  const memories = new Set<ArrayBufferLike>()
  for (const { data, sequenceNumber, partitionKey } of records) {
    bytes += data.length
    textBytes += sequenceNumber.length + partitionKey.length
    memories.add(data.buffer)
  }
  let payloadBytes = 0
  for (const memory of memories) payloadBytes += memory.byteLength
  return { bytes, memoryBytes: memoryOf(records.length, payloadBytes, textBytes) }
}
