// HTTP/1.1 for subscriptions, a connection each: for emulators, which refuse HTTP/2 for this call. Plain text only, because
// the service itself is said to misdeliver over HTTP/1.1.
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import type { Socket } from 'node:net'
import { broken, PulledBody } from './fan-out-body.ts'
import type { FanOutWatchdog } from './fan-out-watchdog.ts'
import { closedByUs, type FanOutWire, headerTexts, type WireAnswer, type WireRequest } from './fan-out-wire.ts'

/** What connections are made with. */
export interface Http1WireOptions {
  readonly watchdog: FanOutWatchdog
  /** How long one stream waits for bytes. Milliseconds. */
  readonly idleMs: number
}

/** Sends each request over a connection of its own. */
export class Http1Wire implements FanOutWire {
  readonly #options: Http1WireOptions
  readonly #sockets = new Set<Socket>()
  #isClosed = false

  constructor(options: Http1WireOptions) {
    this.#options = options
  }

  send({ origin, path, headers, body }: WireRequest, signal: AbortSignal): Promise<WireAnswer> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      if (this.#isClosed) return reject(closedByUs())
      const { ':authority': authority, ...others } = headers
      const host = authority !== undefined && { host: authority }
      const sent = request(`${origin}${path}`, { method: 'POST', headers: { ...others, ...host }, agent: false })
      const abort = (): void => {
        reject(signal.reason)
        sent.destroy()
      }
      sent.on('socket', socket => this.#keep(socket))
      sent.on('error', error => {
        signal.removeEventListener('abort', abort)
        reject(broken(error))
      })
      sent.once('response', answered => {
        signal.removeEventListener('abort', abort)
        const pulled = this.#bodyOf(answered, sent, signal)
        resolve({ status: answered.statusCode ?? 0, headers: headerTexts(answered.headers), body: pulled })
      })
      sent.end(body)
      signal.addEventListener('abort', abort, { once: true })
    })
  }

  close(): void {
    this.#isClosed = true
    for (const socket of this.#sockets) socket.destroy()
  }

  #keep(socket: Socket): void {
    if (this.#isClosed) socket.destroy(closedByUs())
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
  }

  #bodyOf(stream: IncomingMessage, sent: ClientRequest, signal: AbortSignal): PulledBody {
    return new PulledBody({
      ...{ stream, signal, ...this.#options },
      // Ending the answer alone would leave the connection open, and the emulator sending.
      breakOff: () => sent.destroy(),
      isWhole: () => stream.complete
    })
  }
}
