// HTTP/2 for subscriptions: as few sessions as there is room in for the streams, and a new one when all are full. A session
// that is asked to end takes no new streams, and goes on with those that it has.
import { ServiceError } from '../model/errors.ts'
import { unlessAborted } from '../runtime/abort.ts'
import type { FanOutWatchdog } from './fan-out-watchdog.ts'
import { closedByUs, type FanOutWire, type WireAnswer, type WireRequest } from './fan-out-wire.ts'
import { Http2Session, type Http2SessionLimits, type TlsOptions } from './http2-session.ts'

/** What sessions are made of. */
export interface Http2WireOptions {
  readonly limits: Http2SessionLimits
  readonly watchdog: FanOutWatchdog
  readonly tls?: TlsOptions | undefined
}

/** How often a session that turned out to be full, or to end, is left for another one. */
const MAX_CHANGES = 10

/** Sends requests over sessions of its own. */
export class Http2Wire implements FanOutWire {
  readonly #options: Http2WireOptions
  /** Those that take streams, by origin. */
  readonly #sessions = new Map<string, Set<Http2Session>>()
  /** Every session that there is, those included that take no more streams. */
  readonly #all = new Set<Http2Session>()
  /** What the other side was found to take, so that the next session is not overbooked. */
  #maxStreams: number
  #isClosed = false

  constructor(options: Http2WireOptions) {
    this.#options = options
    this.#maxStreams = options.limits.maxStreams
  }

  async send(request: WireRequest, signal: AbortSignal): Promise<WireAnswer> {
    for (let change = 0; change < MAX_CHANGES; change++) {
      // A connection that nobody wants would be opened, and kept for a while.
      signal.throwIfAborted()
      if (this.#isClosed) throw closedByUs()
      const session = this.#withRoom(request.origin)
      try {
        await unlessAborted(session.ready, signal)
      } catch (error) {
        session.release()
        throw error
      }
      this.#maxStreams = Math.max(1, Math.min(this.#options.limits.maxStreams, session.maxStreams))
      if (!session.isOverfull) return session.send(request, signal)
      session.release()
    }
    throw new ServiceError('other', `${request.origin} takes no streams`, { retryable: true })
  }

  close(): void {
    this.#isClosed = true
    for (const session of [...this.#all]) session.destroy(closedByUs())
  }

  /** A session with a place that is reserved. */
  #withRoom(origin: string): Http2Session {
    const sessions = this.#sessions.get(origin) ?? new Set()
    this.#sessions.set(origin, sessions)
    for (const session of sessions) if (session.reserve()) return session
    const { limits, watchdog, tls } = this.#options
    const session = new Http2Session({
      ...{ origin, watchdog, tls, limits: { ...limits, maxStreams: this.#maxStreams } },
      onRetired: () => sessions.delete(session),
      onClosed: () => this.#all.delete(session)
    })
    sessions.add(session)
    this.#all.add(session)
    session.reserve()
    return session
  }
}
