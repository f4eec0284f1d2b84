// One HTTP/2 session: a connection, the streams on it, and whether it is still alive.
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type SecureClientSessionOptions
} from 'node:http2'
import { ServiceError } from '../model/errors.ts'
import { type Deferred, deferred } from '../runtime/deferred.ts'
import { broken, PulledBody } from './fan-out-body.ts'
import type { FanOutWatchdog } from './fan-out-watchdog.ts'
import { headerTexts, type WireAnswer, type WireRequest } from './fan-out-wire.ts'

/** How TLS is spoken, where it is not as Node.js does by default. */
export type TlsOptions = Pick<
  SecureClientSessionOptions,
  'ca' | 'cert' | 'key' | 'passphrase' | 'rejectUnauthorized' | 'servername'
>

/** Bounds of a session, in time and in number. */
export interface Http2SessionLimits {
  /** Streams at a time. */
  readonly maxStreams: number
  /** How long connecting may take: the name, the socket, TLS, and the first settings. Milliseconds. */
  readonly connectTimeoutMs: number
  /** How often to ask whether the other side is there. A session without streams is closed instead. Milliseconds. */
  readonly pingEveryMs: number
  /** How long it may take to answer that. Milliseconds. */
  readonly pingTimeoutMs: number
  /** How long one stream waits for bytes. Milliseconds. */
  readonly idleMs: number
  /**
   * How many bytes the other side may send of one stream before somebody asks for them. What is on its way to a stream that
   * nobody reads is kept in memory, up to this.
   */
  readonly windowBytes: number
}

/** What a session is made of. */
export interface Http2SessionOptions {
  readonly origin: string
  readonly limits: Http2SessionLimits
  readonly watchdog: FanOutWatchdog
  readonly tls?: TlsOptions | undefined
  /** Called once it takes no more streams. Those on it may go on. */
  readonly onRetired: () => void
  /** Called once it is gone, and every stream with it. */
  readonly onClosed: () => void
}

const MAX_WINDOW_BYTES = 2 ** 31 - 1
const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = constants
/** They are of a connection, not of a request, and HTTP/2 forbids them. The host is said by `:authority`. */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'expect'
])

/** A session that connects at once, and takes streams once it is ready. */
export class Http2Session {
  readonly #options: Http2SessionOptions
  readonly #session: ClientHttp2Session
  readonly #ready: Deferred = deferred()
  #isReady = false
  #isRetired = false
  /** Streams there are, and streams that are to be. */
  #reserved = 0
  /** Looks of the watchdog since connecting began, the last answer came, or the question that is open was asked. */
  #looks = 0
  #isAsking = false
  /** Why it was destroyed, where we did that. */
  #failure: ServiceError | undefined

  constructor(options: Http2SessionOptions) {
    const { origin, limits, watchdog, tls, onClosed } = options
    this.#options = options
    this.#session = connect(origin, {
      ...tls,
      settings: { enablePush: false, initialWindowSize: limits.windowBytes }
    })
    const settled = Promise.all([this.#connected(), once(this.#session, 'remoteSettings')])
    settled.then(
      () => {
        this.#isReady = true
        this.#looks = 0
        this.#ready.resolve()
      },
      () => {}
    )
    this.#session.on('error', error => this.#fail(isNoHttp2(error) ? this.#noHttp2(error) : broken(error)))
    this.#session.on('goaway', () => this.#retire())
    this.#session.on('close', () => {
      watchdog.unwatch(this)
      this.#fail(broken())
      onClosed()
    })
    this.#session.once('connect', () => {
      // Nothing of it is held back by a stream that nobody reads, so that no stream waits for another.
      this.#session.setLocalWindowSize(Math.min(limits.maxStreams * limits.windowBytes, MAX_WINDOW_BYTES))
    })
    watchdog.watch(this)
  }

  /** Resolves once it can take streams. Rejects with a ServiceError. */
  get ready(): Promise<void> {
    return this.#ready.promise
  }

  /** How many streams it takes. Before it is ready: what we would like. */
  get maxStreams(): number {
    const { maxStreams } = this.#options.limits
    if (!this.#isReady) return maxStreams
    return Math.min(maxStreams, this.#session.remoteSettings.maxConcurrentStreams ?? maxStreams)
  }

  /** Whether more streams are reserved than it takes, or it takes none any more. */
  get isOverfull(): boolean {
    return this.#isRetired || this.#reserved > this.maxStreams
  }

  /** Keeps a place for a stream, if there is one. */
  reserve(): boolean {
    if (this.#isRetired || this.#reserved >= this.maxStreams) return false
    this.#reserved++
    return true
  }

  /** Gives a place back that was not used. {@link send} does so by itself. */
  release(): void {
    this.#reserved--
    if (this.#reserved === 0 && this.#isReady) this.#looks = 0
  }

  /** Sends a request on the place that was reserved. */
  send({ path, headers, body }: WireRequest, signal: AbortSignal): Promise<WireAnswer> {
    return new Promise((resolve, reject) => {
      const stream = this.#open(path, headers)
      if (stream === undefined) return reject(this.#failure ?? broken())
      const breakOff = (): void => {
        stream.close(NGHTTP2_CANCEL)
        stream.destroy()
      }
      const abort = (): void => {
        reject(signal.reason)
        breakOff()
        // That there was no answer in time may be because nobody is there.
        this.suspect()
      }
      const fail = (cause?: Error): void => {
        signal.removeEventListener('abort', abort)
        reject(this.#failure ?? broken(cause))
      }
      stream.once('close', () => {
        this.release()
        fail()
      })
      stream.once('error', fail)
      stream.once('response', answered => {
        signal.removeEventListener('abort', abort)
        const pulled = this.#bodyOf(stream, breakOff, signal)
        resolve({ status: Number(answered[':status']), headers: headerTexts(answered), body: pulled })
      })
      stream.end(body)
      if (signal.aborted) abort()
      else signal.addEventListener('abort', abort, { once: true })
    })
  }

  /** Asks the other side now whether it is there, rather than when it is time to. */
  suspect(): void {
    if (this.#isReady) this.#ask()
  }

  /** The watchdog looks. */
  look(): void {
    const { limits, watchdog, origin } = this.#options
    const { connectTimeoutMs, pingEveryMs, pingTimeoutMs } = limits
    this.#looks++
    if (!this.#isReady) {
      if (this.#looks <= watchdog.looksIn(connectTimeoutMs)) return
      this.destroy(timeout(`${origin} could not be connected to within ${connectTimeoutMs} ms`))
    } else if (this.#isAsking) {
      if (this.#looks <= watchdog.looksIn(pingTimeoutMs)) return
      this.destroy(timeout(`the connection to ${origin} is dead: a ping had no answer within ${pingTimeoutMs} ms`))
    } else if (this.#looks >= watchdog.looksIn(pingEveryMs)) {
      if (this.#reserved > 0) this.#ask()
      else this.#closeUnused()
    }
  }

  /** Breaks it off, with all its streams. */
  destroy(error: ServiceError): void {
    this.#fail(error)
    this.#session.destroy(error)
  }

  #ask(): void {
    if (this.#isAsking || this.#session.destroyed) return
    this.#looks = 0
    this.#isAsking = this.#session.ping(error => {
      // With an error, the session is gone.
      if (error !== null) return
      this.#isAsking = false
      this.#looks = 0
    })
  }

  #closeUnused(): void {
    this.#retire()
    this.#session.close()
  }

  #open(path: string, headers: WireRequest['headers']): ClientHttp2Stream | undefined {
    const authority = headers[':authority'] ?? headers.host
    const sent = Object.entries(headers).filter(([name]) => !name.startsWith(':') && !OF_CONNECTION.has(name))
    try {
      return this.#session.request({
        ...Object.fromEntries(sent),
        ...(authority !== undefined && { ':authority': authority }),
        ':method': 'POST',
        ':path': path
      })
    } catch (error) {
      // The session has ended since it was chosen.
      this.release()
      this.#fail(broken(error))
      return undefined
    }
  }

  #bodyOf(stream: ClientHttp2Stream, breakOff: () => void, signal: AbortSignal): PulledBody {
    return new PulledBody({
      ...{ stream, breakOff, signal, watchdog: this.#options.watchdog, idleMs: this.#options.limits.idleMs },
      // What the connection took down with it was cancelled.
      isWhole: () => stream.rstCode === NGHTTP2_NO_ERROR,
      onSilence: () => this.suspect()
    })
  }

  async #connected(): Promise<void> {
    await once(this.#session, 'connect')
    const { alpnProtocol } = this.#session
    if (alpnProtocol === 'h2' || alpnProtocol === 'h2c') return
    const error = this.#noHttp2()
    this.destroy(error)
    throw error
  }

  /** It does not pass by itself: fan-out cannot work there. */
  #noHttp2(cause?: unknown): ServiceError {
    const message = `${this.#options.origin} does not speak HTTP/2, which enhanced fan-out needs`
    return new ServiceError('other', message, { retryable: false, ...(cause !== undefined && { cause }) })
  }

  #fail(error: ServiceError): void {
    this.#failure ??= error
    this.#ready.reject(this.#failure)
    this.#retire()
  }

  #retire(): void {
    if (this.#isRetired) return
    this.#isRetired = true
    this.#options.onRetired()
  }
}

/** Resolves with the event. Never rejects, and may never resolve: a session that fails is told by its own events. */
function once(session: ClientHttp2Session, event: 'connect' | 'remoteSettings'): Promise<void> {
  return new Promise(resolve => session.once(event, () => resolve()))
}

/** Whether the other side has refused to speak HTTP/2. Others do not refuse, but choose nothing. */
function isNoHttp2(error: Error): boolean {
  return 'code' in error && error.code === 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL'
}

function timeout(message: string): ServiceError {
  return new ServiceError('timeout', message, { retryable: true })
}
