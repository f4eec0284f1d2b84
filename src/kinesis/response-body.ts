// Receives the body of an answer into one buffer with a memory of its own: what is decoded from it may be views on it.

/** A body as node:http and its like give it out. */
export interface BodyStream {
  on(event: 'data', listener: (piece: Uint8Array) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end' | 'close', listener: () => void): unknown
  destroy(error?: Error): unknown
}

/** What is taken at once for a body that says how long it is. Whoever says more is believed piece by piece. Bytes. */
const MAX_TRUSTED_BYTES = 32 * 1024 * 1024

/** What is taken at first for a body that does not say. Bytes. */
const FIRST_BYTES = 64 * 1024

/** Whether something is a stream of Node.js. */
export function isBodyStream(body: unknown): body is BodyStream {
  const { on, destroy } = Object(body) as Partial<BodyStream>
  return typeof on === 'function' && typeof destroy === 'function'
}

/**
 * Receives the whole of `stream`, which is `expectedBytes` long as far as it says; NaN if it does not. Rejects with the error of
 * the stream, with one of code ECONNRESET if it breaks off, or with the reason of `signal`, which destroys the stream.
 */
export function receiveBody(stream: BodyStream, expectedBytes: number, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const body = new GrowingBody(expectedBytes <= MAX_TRUSTED_BYTES ? expectedBytes : FIRST_BYTES)
    let isOver = false
    const finish = (): void => {
      isOver = true
      signal.removeEventListener('abort', abort)
    }
    const fail = (error: unknown): void => {
      finish()
      reject(error)
    }
    const abort = (): void => {
      fail(signal.reason)
      stream.destroy()
    }
    // Errors first: an aborted stream has one, which nobody else listens to.
    stream.on('error', fail)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    stream.on('data', piece => body.add(piece))
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

  constructor(firstBytes: number) {
    this.#buffer = Buffer.allocUnsafeSlow(Number.isNaN(firstBytes) ? FIRST_BYTES : firstBytes)
  }

  add(piece: Uint8Array): void {
    const length = this.#length + piece.length
    if (length > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, this.#buffer.length * 2))
      larger.set(this.#buffer.subarray(0, this.#length))
      this.#buffer = larger
    }
    this.#buffer.set(piece, this.#length)
    this.#length = length
  }

  whole(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }
}
