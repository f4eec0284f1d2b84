// One subscription as the server of the tests sees it: what it sends, and how it breaks off.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Stream } from 'node:http2'
import type { SubscriptionEvent } from '../../src/kinesis/fan-out-port.ts'
import { errorFrame, eventFrame, exceptionFrame, initialResponse } from './fan-out-server-frames.ts'
import type { Line } from './fan-out-server-line.ts'

/** What a subscription is carried by. */
export interface Exchange {
  readonly request: IncomingMessage | Http2ServerRequest
  readonly response: ServerResponse | Http2ServerResponse
  readonly line: Line
}

/** A subscription that a client has asked for. */
export class ServerSubscription {
  readonly #response: ServerResponse
  readonly #stream: ServerHttp2Stream | undefined
  readonly #line: Line
  /** The port on which the line reaches the server. */
  readonly #port: number | undefined
  readonly #over = new AbortController()
  #isDripping = false
  /** Code with which the client reset the stream. */
  resetCode: number | undefined

  constructor({ request, response, line }: Exchange) {
    this.#response = response as ServerResponse
    this.#stream = 'stream' in request ? (request.stream as ServerHttp2Stream) : undefined
    this.#line = line
    this.#port = request.socket.remotePort
    this.#response.on('close', () => {
      this.resetCode = this.#stream?.rstCode
      this.#over.abort()
    })
  }

  /** Aborts once it is over. */
  get signal(): AbortSignal {
    return this.#over.signal
  }

  /** Answers that the subscription stands. */
  async begin(): Promise<void> {
    this.#response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' })
    await this.write(initialResponse())
  }

  /** Answers with a refusal. */
  refuse(status: number, type: string | undefined, message = 'words of the service', date?: string): void {
    this.#response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1', ...(date && { date }) })
    this.#response.end(type === undefined ? '<html>' : JSON.stringify({ __type: type, message }))
  }

  /** Answers with something that is no event stream. */
  answerInHtml(): void {
    this.#response.writeHead(200, { 'content-type': 'text/html' })
    this.#response.end('<html>')
  }

  /** Sends bytes. Resolves once there is room for more, or it is over. */
  async write(bytes: Uint8Array): Promise<void> {
    if (!this.#isDripping) return this.#write(bytes)
    for (const byte of bytes) await this.#write(Uint8Array.of(byte))
  }

  /** Sends every byte alone from now on. */
  drip(): void {
    this.#isDripping = true
  }

  /** Sends an event. */
  event(event: SubscriptionEvent): Promise<void> {
    return this.write(eventFrame(event))
  }

  /** Sends an exception. */
  exception(type: string): Promise<void> {
    return this.write(exceptionFrame(type))
  }

  /** Sends an error that the API does not know. */
  error(code: string): Promise<void> {
    return this.write(errorFrame(code))
  }

  /** Resolves once the client has received everything that was sent, over HTTP/2. */
  untilReceived(): Promise<void> {
    const { session } = this.#stream ?? {}
    // The answer to a ping comes after everything before it was read.
    return new Promise(resolve => {
      if (session?.ping(() => resolve()) !== true) resolve()
    })
  }

  /** Ends it as the service does after five minutes. Nothing is sent after that. */
  end(): void {
    this.#over.abort()
    this.#response.end()
  }

  /** Breaks it off: the stream over HTTP/2, the connection over HTTP/1.1. */
  reset(code: number = constants.NGHTTP2_INTERNAL_ERROR): void {
    if (this.#stream === undefined) this.#response.destroy()
    else this.#stream.close(code)
  }

  /** Asks the session to end. */
  goAway(code: number): void {
    this.#stream?.session?.goaway(code)
  }

  /** Cuts the connection, and with it every other subscription on it. */
  cut(): void {
    this.#line.cut(this.#port)
  }

  /** Lets the connection go dead. */
  goDead(): void {
    this.#line.goDead(this.#port)
  }

  /** Resolves once it is over. */
  untilOver(): Promise<void> {
    return new Promise(resolve => {
      if (this.signal.aborted) resolve()
      else this.signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  #write(bytes: Uint8Array): Promise<void> {
    return new Promise(resolve => {
      if (this.signal.aborted) return resolve()
      const done = (): void => {
        this.signal.removeEventListener('abort', done)
        resolve()
      }
      this.signal.addEventListener('abort', done, { once: true })
      this.#response.write(bytes, error => {
        if (error) this.#over.abort()
        done()
      })
    })
  }
}
