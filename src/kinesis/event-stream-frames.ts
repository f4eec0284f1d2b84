// Cuts the bytes of an event stream (`application/vnd.amazon.eventstream`) into messages: as many bytes as one message takes
// are kept, and no more are copied than that. Knows nothing of what is in a message.
//
//   message = length of all (u32), length of the headers (u32), CRC-32 of these 8 bytes, headers, payload, CRC-32 of all before
import { crc32 } from 'node:zlib'
import { EventStreamCodec } from '@smithy/core/event-streams'
import { ServiceError } from '../model/errors.ts'

/** One message of an event stream. */
export interface EventStreamMessage {
  /** Its headers that are text, such as `:message-type`. */
  header(name: string): string | undefined
  /** What it carries. A view on the message. */
  readonly payload: Uint8Array
}

const PRELUDE_BYTES = 12
const SMALLEST_BYTES = 16
/** An event carries 2 MB of data or so, as base64. What claims to be much larger is no message. */
const LARGEST_BYTES = 64 * 1024 * 1024

/** Takes bytes as they come, and gives messages. */
export class EventStreamFrames {
  readonly #codec: EventStreamCodec
  readonly #prelude = new Uint8Array(PRELUDE_BYTES)
  /** The message that is being filled, once its length is known. */
  #message: Uint8Array | undefined
  /** How much of the prelude, and then of the message, is there. */
  #filled = 0
  /** What was fed and is not taken yet. */
  #rest: Uint8Array | undefined

  constructor() {
    const [decoder, encoder] = [new TextDecoder(), new TextEncoder()]
    this.#codec = new EventStreamCodec(
      bytes => decoder.decode(typeof bytes === 'string' ? encoder.encode(bytes) : bytes),
      text => encoder.encode(text)
    )
  }

  /** Whether a message has begun and is not complete. */
  get isMidway(): boolean {
    return this.#filled > 0 || this.#rest !== undefined
  }

  /** Takes more bytes, which are kept as they are until {@link next} has taken what was before them. */
  feed(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#rest = this.#rest === undefined ? bytes : Buffer.concat([this.#rest, bytes])
  }

  /** The next message, or undefined if there are not enough bytes yet. @throws ServiceError if the bytes are none */
  next(): EventStreamMessage | undefined {
    if (this.#message === undefined) {
      if (!this.#fill(this.#prelude)) return undefined
      this.#message = new Uint8Array(lengthIn(this.#prelude))
      this.#message.set(this.#prelude)
      this.#filled = PRELUDE_BYTES
    }
    const message = this.#message
    if (!this.#fill(message)) return undefined
    this.#message = undefined
    this.#filled = 0
    return this.#decode(message)
  }

  #fill(target: Uint8Array): boolean {
    const rest = this.#rest
    if (rest !== undefined) {
      const taken = rest.subarray(0, target.length - this.#filled)
      target.set(taken, this.#filled)
      this.#filled += taken.length
      this.#rest = taken.length === rest.length ? undefined : rest.subarray(taken.length)
    }
    return this.#filled === target.length
  }

  #decode(message: Uint8Array): EventStreamMessage {
    try {
      const { headers, body } = this.#codec.decode(message)
      const header = (name: string): string | undefined => {
        const value = Object.hasOwn(headers, name) ? headers[name]?.value : undefined
        return typeof value === 'string' ? value : undefined
      }
      return { header, payload: body }
    } catch (cause) {
      throw new ServiceError('other', 'a message of the event stream is damaged', { retryable: true, cause })
    }
  }
}

/** How long the message is. Checked first, because whoever believes a damaged length waits for gigabytes. */
function lengthIn(prelude: Uint8Array): number {
  const view = new DataView(prelude.buffer)
  const [length, headersLength] = [view.getUint32(0), view.getUint32(4)]
  const isIntact = crc32(prelude.subarray(0, 8)) === view.getUint32(8)
  if (isIntact && length <= LARGEST_BYTES && headersLength + SMALLEST_BYTES <= length) return length
  const message = `a message of the event stream begins with a damaged length (${length} bytes)`
  throw new ServiceError('other', message, { retryable: true })
}
