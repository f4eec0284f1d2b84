// Receives the body of an answer into one buffer with a memory of its own: what is decoded from it may be views on it.
import type { ServiceError } from '../model/errors.ts'
import type { Deadline } from '../runtime/deadline.ts'
import { malformedAnswer } from '../wire/records-answer.ts'
import type { BodyMemory } from './body-memory.ts'
import type { Receiver, ReceiveTurns } from './receive-turns.ts'
import type { UsedPieces } from './used-pieces.ts'

/** A body as node:http and its like give it out. */
export interface BodyStream {
  on(event: 'data', listener: (piece: Uint8Array) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end' | 'close', listener: () => void): unknown
  pause(): unknown
  resume(): unknown
  destroy(error?: Error): unknown
}

/** How a body is received. */
export interface ReceiveOptions {
  /** How long the body is as far as it says; NaN if it does not. Bytes. */
  readonly expectedBytes: number
  /** Aborts when nobody wants it any more. */
  readonly signal: AbortSignal
  /** What it is received into; to be given back there. Absent: memory of its own, and no more than it needs. */
  readonly memory?: BodyMemory | undefined
  /** When it is received, unless it is short. Absent: as it comes. */
  readonly turns?: ReceiveTurns | undefined
  /** Where pieces go that nobody needs any more. Absent: to the garbage collector. */
  readonly used?: UsedPieces | undefined
  /** What waiting for a turn does not count for. */
  readonly deadline?: Deadline | undefined
}

/** What is taken at once for a body that says how long it is. Whoever says more is believed piece by piece. Bytes. */
const MAX_TRUSTED_BYTES = 32 * 1024 * 1024

/** No answer is as long: 10 MB of data make 14 MB of text, and 10,000 records 3 MB around it. Bytes. */
const MAX_BYTES = 64 * 1024 * 1024

/** What is taken at first for a body that does not say. Bytes. */
const FIRST_BYTES = 64 * 1024

/** What is shorter is received without waiting: one piece or two. Bytes. */
const SHORT_BYTES = 64 * 1024

/** The part of a memory that is used at least, or it is replaced by one that is no larger than what is in it. */
const WELL_USED = 7 / 8

/** Whether something is a stream of Node.js. */
export function isBodyStream(body: unknown): body is BodyStream {
  const { on, pause, resume, destroy } = Object(body) as Partial<BodyStream>
  return [on, pause, resume, destroy].every(method => typeof method === 'function')
}

/**
 * Receives the whole of `stream`. Rejects with the error of the stream, with one of code ECONNRESET if it breaks off, with a
 * ServiceError if it is longer than any answer, or with the reason of the signal. In all cases the stream is destroyed.
 */
export function receiveBody(stream: BodyStream, options: ReceiveOptions): Promise<Buffer> {
  const { expectedBytes, signal } = options
  return new Promise((resolve, reject) => {
    const receiving = new Receiving(stream, options, giveUp)
    let isOver = false
    const finish = (): void => {
      isOver = true
      receiving.close()
      signal.removeEventListener('abort', abort)
    }
    const fail = (error: unknown): void => {
      finish()
      reject(error)
    }
    function giveUp(error: unknown): void {
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
    stream.on('end', () => {
      finish()
      try {
        resolve(receiving.whole())
      } catch (error) {
        // Thrown here, it would be nobody's: there is no memory for a copy.
        reject(error)
      }
    })
    stream.on('close', () => {
      if (!isOver) fail(Object.assign(new Error('the answer breaks off'), { code: 'ECONNRESET' }))
    })
    receiving.begin()
  })
}

/** Takes the pieces of one body, when it is its turn. */
class Receiving implements Receiver {
  readonly #stream: BodyStream
  readonly #options: ReceiveOptions
  readonly #turns: ReceiveTurns | undefined
  readonly #fail: (error: unknown) => void
  #body: GrowingBody | undefined
  #isClosed = false
  /** Has the time count again. */
  #count: (() => void) | undefined

  constructor(stream: BodyStream, options: ReceiveOptions, fail: (error: unknown) => void) {
    this.#stream = stream
    this.#options = options
    this.#turns = options.expectedBytes <= SHORT_BYTES ? undefined : options.turns
    this.#fail = fail
  }

  begin(): void {
    if (this.#turns === undefined) this.resume()
    else {
      this.#count = this.#options.deadline?.suspend()
      this.#turns.enter(this)
    }
  }

  resume(): void {
    this.#count?.()
    try {
      if (this.#body === undefined) this.#listen()
      else this.#stream.resume()
    } catch (error) {
      // There is no memory for it: that is this body's trouble, and not that of whoever's turn is next.
      this.#fail(error)
    }
  }

  pause(): void {
    this.#count = this.#options.deadline?.suspend()
    this.#stream.pause()
  }

  close(): void {
    this.#isClosed = true
    this.#count?.()
    this.#turns?.leave(this)
  }

  whole(): Buffer {
    return this.#body?.whole() ?? Buffer.alloc(0)
  }

  #listen(): void {
    const { expectedBytes, memory, used } = this.#options
    const body = new GrowingBody(expectedBytes <= MAX_TRUSTED_BYTES ? expectedBytes : FIRST_BYTES, memory)
    this.#body = body
    this.#stream.on('data', piece => {
      if (this.#isClosed) return
      try {
        this.#turns?.took(this, piece.length)
        body.add(piece)
        used?.add(this.#stream, piece)
      } catch (error) {
        // Thrown here, it would be nobody's.
        this.#fail(error)
      }
    })
  }
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
