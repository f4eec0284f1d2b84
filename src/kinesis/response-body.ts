// Receives the body of an answer into one buffer with a memory of its own: what is decoded from it may be views on it.
import type { ServiceError } from '../model/errors.ts'
import { malformedAnswer } from '../wire/records-answer.ts'
import type { BodyMemory } from './body-memory.ts'

/** A body as node:http and its like give it out. */
export interface BodyStream {
  on(event: 'data', listener: (piece: Uint8Array) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end' | 'close', listener: () => void): unknown
  destroy(error?: Error): unknown
}

/** What is taken at once for a body that says how long it is. Whoever says more is believed piece by piece. Bytes. */
const MAX_TRUSTED_BYTES = 32 * 1024 * 1024

/** No answer is as long: 10 MB of data make 14 MB of text, and 10,000 records 3 MB around it. Bytes. */
const MAX_BYTES = 64 * 1024 * 1024

/** What is taken at first for a body that does not say. Bytes. */
const FIRST_BYTES = 64 * 1024

/** The part of a memory that is used at least, or it is replaced by one that is no larger than what is in it. */
const WELL_USED = 7 / 8

/** Whether something is a stream of Node.js. */
export function isBodyStream(body: unknown): body is BodyStream {
  const { on, destroy } = Object(body) as Partial<BodyStream>
  return typeof on === 'function' && typeof destroy === 'function'
}

/**
 * Receives the whole of `stream`, which is `expectedBytes` long as far as it says; NaN if it does not. Rejects with the error of
 * the stream, with one of code ECONNRESET if it breaks off, with a ServiceError if it is longer than any answer, or with the
 * reason of `signal`. In all cases the stream is destroyed.
 *
 * @param memory where the body is to be received into; to be given back there. Absent: memory of its own, and no more than it needs
 */
export function receiveBody(
  stream: BodyStream,
  expectedBytes: number,
  signal: AbortSignal,
  memory?: BodyMemory
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const body = new GrowingBody(expectedBytes <= MAX_TRUSTED_BYTES ? expectedBytes : FIRST_BYTES, memory)
    let isOver = false
    const finish = (): void => {
      isOver = true
      signal.removeEventListener('abort', abort)
    }
    const fail = (error: unknown): void => {
      finish()
      reject(error)
    }
    const giveUp = (error: unknown): void => {
      if (isOver) return
      fail(error)
      stream.destroy()
    }
    const abort = (): void => giveUp(signal.reason)
    // Errors first: an aborted stream has one, which nobody else listens to.
    stream.on('error', fail)
    if (signal.aborted) return abort()
    if (expectedBytes > MAX_BYTES) return giveUp(tooLong())
    signal.addEventListener('abort', abort, { once: true })
    stream.on('data', piece => {
      if (isOver) return
      try {
        body.add(piece)
      } catch (error) {
        // Thrown here, it would be nobody's.
        giveUp(error)
      }
    })
    stream.on('end', () => {
      finish()
      resolve(body.whole())
    })
    stream.on('close', () => {
      if (!isOver) fail(Object.assign(new Error('the answer breaks off'), { code: 'ECONNRESET' }))
    })
  })
}

/** What has come of a body. */
class GrowingBody {
  #buffer: Buffer
  #length = 0

  readonly #memory: BodyMemory | undefined

  constructor(firstBytes: number, memory: BodyMemory | undefined) {
    this.#memory = memory
    this.#buffer = memory?.take(firstBytes) ?? Buffer.allocUnsafeSlow(firstBytes)
  }

  add(piece: Uint8Array): void {
    const length = this.#length + piece.length
    if (length > MAX_BYTES) throw tooLong()
    if (length > this.#buffer.length) {
      const bytes = Math.max(length, this.#buffer.length * 2)
      const larger = this.#memory?.take(bytes) ?? Buffer.allocUnsafeSlow(bytes)
      larger.set(this.#buffer.subarray(0, this.#length))
      this.#memory?.giveBack(this.#buffer)
      this.#buffer = larger
    }
    this.#buffer.set(piece, this.#length)
    this.#length = length
  }

  /** As long as somebody has a view on it, its memory is kept: much that is not used is not worth the copy it spares. */
  whole(): Buffer {
    const used = this.#buffer.subarray(0, this.#length)
    if (this.#memory !== undefined || used.length >= this.#buffer.length * WELL_USED) return used
    const trimmed = Buffer.allocUnsafeSlow(used.length)
    trimmed.set(used)
    return trimmed
  }
}

function tooLong(): ServiceError {
  return malformedAnswer(`it is longer than ${MAX_BYTES} bytes`)
}
