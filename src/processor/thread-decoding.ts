// Records that are decoded in the thread that they are processed in: there, where what comes of it stays, and what is told of
// it to the main thread.
import { decodeRecords } from '../decoding/decode-records.ts'
import { asDecodeFunction, type Decode, type DecodeFunction } from '../decoding/decoder.ts'
import { BugError, type RecordUndecodableError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import type { Clock } from '../runtime/clock.ts'
import { receivedError, type SentError, sentError } from './thread-errors.ts'

/** A record that could not be decoded, as it is sent. */
export interface SentRefusal {
  /** Its place among the records that were to be decoded. */
  readonly index: number
  readonly error: SentError
  /** What a validator has said. */
  readonly issues: readonly string[]
}

/** The `decode` that the module of a thread exports, if it does. @throws OptionError if it is none */
export function decodeFunctionIn(exports: { readonly decode?: unknown }): DecodeFunction<unknown> | undefined {
  const { decode } = exports
  return decode === undefined ? undefined : asDecodeFunction('threads.module', decode as Decode<unknown>)
}

/** What is decoded of the batch that a processor has in a thread. */
export class ThreadDecoding {
  readonly #decode: DecodeFunction<unknown>
  readonly #clock: Clock
  readonly #decoded = new Map<ConsumedRecord, ConsumedRecord>()

  constructor(decode: DecodeFunction<unknown>, clock: Clock) {
    this.#decode = decode
    this.#clock = clock
  }

  /** Decodes those of the records that are not decoded yet. Those that cannot be. */
  async decode(records: readonly ConsumedRecord[]): Promise<readonly SentRefusal[]> {
    const refused = new Map<ConsumedRecord, RecordUndecodableError>()
    await decodeRecords(records, this.#decode, { decoded: this.#decoded, refused }, this.#clock)
    const sent: SentRefusal[] = []
    for (const [index, record] of records.entries()) {
      const error = refused.get(record)
      if (error === undefined) continue
      sent.push({ index, error: sentError(error), issues: error.issues.map(({ message }) => String(message)) })
    }
    return sent
  }

  /** Records with their values, which are decoded by now. */
  given(records: readonly ConsumedRecord[]): ConsumedRecord[] {
    return records.map(record => {
      const decoded = this.#decoded.get(record)
      if (decoded === undefined) throw new BugError('A record was to be processed before it was decoded')
      return decoded
    })
  }
}

/** What was sent of a record that could not be decoded. */
export function receivedRefusal({ error, issues }: SentRefusal): RecordUndecodableError {
  const received = receivedError(error) as RecordUndecodableError
  return Object.defineProperty(received, 'issues', { value: issues.map(message => ({ message })), enumerable: false })
}
