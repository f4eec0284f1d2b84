// Decodes many records: in slices, so that nothing else waits for long, and, where the decoder takes its time, several at once.
import type { RecordUndecodableError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import type { Clock } from '../runtime/clock.ts'
import { DecodedRecord } from './decoded-record.ts'
import type { DecodeFunction } from './decoder.ts'
import { asUndecodable } from './undecodable-rules.ts'

/** Where what comes of it goes. */
export interface DecodedInto {
  /** A record with its value. */
  readonly decoded: Map<ConsumedRecord, ConsumedRecord>
  /** A record that cannot be decoded. */
  readonly refused: Map<ConsumedRecord, RecordUndecodableError>
}

/** So many records are decoded at once, if that takes waiting. */
const MOST_AT_ONCE = 64
/** How long decoding goes on until everything else has its turn. Milliseconds. */
const SLICE_MS = 20
/** After so many records at most it is asked what time it is; after each, where records take a millisecond. */
const LOOK_EVERY = 64
const FAST_MS = 1

/**
 * Decodes those of the records that are not decoded yet.
 *
 * @returns `undefined`: that is done. A promise rejects with what the decoder has failed with; what is decoded by then stays so.
 * @throws what the decoder has failed with
 */
export function decodeRecords(
  records: readonly ConsumedRecord[],
  decode: DecodeFunction<unknown>,
  into: DecodedInto,
  clock: Clock
): Promise<void> | undefined {
  const decoding = new Decoding(records, decode, into, clock)
  return decoding.advance() ? undefined : decoding.finish()
}

class Decoding {
  readonly #records: readonly ConsumedRecord[]
  readonly #decode: DecodeFunction<unknown>
  readonly #into: DecodedInto
  readonly #clock: Clock
  #next = 0
  #waiting: Promise<void>[] = []
  /** What the decoder has failed with. */
  #failure: { readonly cause: unknown } | undefined

  constructor(records: readonly ConsumedRecord[], decode: DecodeFunction<unknown>, into: DecodedInto, clock: Clock) {
    this.#records = records
    this.#decode = decode
    this.#into = into
    this.#clock = clock
  }

  /** Goes as far as it can without waiting. Whether that is all. @throws what the decoder has failed with */
  advance(): boolean {
    const { length } = this.#records
    let lookedMs = length > 1 ? this.#clock.monotonicMs() : 0
    const untilMs = lookedMs + SLICE_MS
    let step = 1
    let lookAt = this.#next + step
    while (this.#next < length && this.#failure === undefined) {
      this.#one(this.#records[this.#next++] as ConsumedRecord)
      if (this.#waiting.length >= MOST_AT_ONCE) return false
      if (this.#next < lookAt || this.#next >= length) continue
      const nowMs = this.#clock.monotonicMs()
      if (nowMs >= untilMs) return false
      step = nowMs - lookedMs < FAST_MS ? Math.min(LOOK_EVERY, 2 * step) : 1
      lookedMs = nowMs
      lookAt = this.#next + step
    }
    if (this.#waiting.length > 0) return false
    if (this.#failure !== undefined) throw this.#failure.cause
    return true
  }

  async finish(): Promise<void> {
    do {
      const waiting = this.#waiting
      this.#waiting = []
      if (waiting.length > 0) await Promise.all(waiting)
      else await this.#clock.sleep(0)
    } while (!this.advance())
  }

  #one(record: ConsumedRecord): void {
    const { decoded, refused } = this.#into
    if (decoded.has(record) || refused.has(record)) return
    try {
      const value = this.#decode(record)
      if (typeof Object(value).then !== 'function') this.#keep(record, value)
      else this.#waiting.push(this.#wait(record, value as Promise<unknown>))
    } catch (cause) {
      this.#refuse(record, cause)
    }
  }

  async #wait(record: ConsumedRecord, value: Promise<unknown>): Promise<void> {
    try {
      this.#keep(record, await value)
    } catch (cause) {
      this.#refuse(record, cause)
    }
  }

  #keep(record: ConsumedRecord, value: unknown): void {
    this.#into.decoded.set(record, new DecodedRecord(record, value))
  }

  #refuse(record: ConsumedRecord, cause: unknown): void {
    const error = asUndecodable(record, cause)
    if (error === undefined) this.#failure ??= { cause }
    else this.#into.refused.set(record, error)
  }
}
