// The body of an answer, taken by whoever asks for it. What nobody asks for stays with the sender, but for what the stream
// below keeps: the window of an HTTP/2 stream, or the buffers of a socket.
import type { Readable } from 'node:stream'
import { ServiceError } from '../model/errors.ts'
import type { FanOutWatchdog } from './fan-out-watchdog.ts'
import { certificateFault } from './sdk-kinesis-errors.ts'

/** What a body is read from, and when to give it up. */
export interface PulledBodyOptions {
  readonly stream: Readable
  /** Breaks the stream off, quietly. Called once, when the body is given up before its end. */
  readonly breakOff: () => void
  /** Whether the sender ended the stream as it should, asked at its end. */
  readonly isWhole: () => boolean
  /** Called when there was nothing for too long: maybe the connection is dead, and nobody has noticed. */
  readonly onSilence?: () => void
  readonly watchdog: FanOutWatchdog
  /** How long to wait for bytes that are asked for. Milliseconds. */
  readonly idleMs: number
  /** Gives the body up when it aborts. {@link PulledBody.follow} takes another one. */
  readonly signal: AbortSignal
}

interface Reading {
  readonly resolve: (bytes: Uint8Array | undefined) => void
  readonly reject: (error: unknown) => void
  looks: number
}

/** A body that is read one piece at a time. */
export class PulledBody {
  readonly #options: PulledBodyOptions
  readonly #maxLooks: number
  /** Lets go of the signals. */
  readonly #releases: (() => void)[] = []
  #reading: Reading | undefined
  #isCancelled = false
  /** Set once there is nothing more to come: with an error, or without if that is as it should be. */
  #end: { readonly error?: unknown } | undefined

  constructor(options: PulledBodyOptions) {
    const { stream, signal, watchdog, idleMs, isWhole } = options
    this.#options = options
    this.#maxLooks = watchdog.looksIn(idleMs)
    stream.on('readable', () => this.#serve())
    stream.on('end', () => this.#finish(isWhole() ? {} : { error: broken() }))
    // Errors after the end, such as that of our own breaking off, are nobody's.
    stream.on('error', error => this.#finish({ error: broken(error) }))
    stream.on('close', () => this.#finish({ error: broken() }))
    this.follow(signal)
  }

  /** Whether {@link cancel} has ended it. */
  get isCancelled(): boolean {
    return this.#isCancelled
  }

  /** Gives the body up when `signal` aborts, too. */
  follow(signal: AbortSignal | undefined): void {
    if (signal === undefined || this.#end !== undefined) return
    const abort = (): void => this.#giveUp({ error: signal.reason })
    if (signal.aborted) {
      abort()
      return
    }
    signal.addEventListener('abort', abort, { once: true })
    this.#releases.push(() => signal.removeEventListener('abort', abort))
  }

  /**
   * The next bytes, or undefined once there are no more. One call at a time. Rejects with a ServiceError if the connection
   * breaks or nothing comes for too long, and with the reason of the signal.
   */
  read(): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      this.#reading = { resolve, reject, looks: 0 }
      this.#serve()
      if (this.#reading !== undefined) this.#options.watchdog.watch(this)
    })
  }

  /** Gives the body up: it ends here, quietly. */
  cancel(): void {
    if (this.#end === undefined) this.#isCancelled = true
    this.#giveUp({})
  }

  /** The watchdog looks. */
  look(): void {
    if (this.#reading === undefined || ++this.#reading.looks <= this.#maxLooks) return
    const { idleMs, onSilence } = this.#options
    const message = `nothing came for ${idleMs} ms`
    this.#giveUp({ error: new ServiceError('timeout', message, { retryable: true }) })
    onSilence?.()
  }

  #serve(): void {
    const reading = this.#reading
    if (reading === undefined) return
    const bytes = this.#end === undefined ? (this.#options.stream.read() as Uint8Array | null) : null
    if (bytes === null && this.#end === undefined) return
    this.#reading = undefined
    this.#options.watchdog.unwatch(this)
    if (bytes !== null) reading.resolve(bytes)
    else if (this.#end !== undefined && 'error' in this.#end) reading.reject(this.#end.error)
    else reading.resolve(undefined)
  }

  #giveUp(end: { readonly error?: unknown }): void {
    if (this.#end !== undefined) return
    this.#finish(end)
    this.#options.breakOff()
  }

  #finish(end: { readonly error?: unknown }): void {
    if (this.#end !== undefined) return
    this.#end = end
    for (const release of this.#releases) release()
    this.#serve()
  }
}

/** The error for a connection that broke, be it known why or not. */
export function broken(cause?: unknown): ServiceError {
  if (cause instanceof ServiceError) return cause
  const untrusted = certificateFault(cause)
  if (untrusted !== undefined) return untrusted
  const why = cause instanceof Error ? ` (${cause.message})` : ''
  const options = { retryable: true, ...(cause !== undefined && { cause }) }
  return new ServiceError('other', `Kinesis could not be reached, or the connection broke${why}`, options)
}
