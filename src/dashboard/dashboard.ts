// The server of the dashboard: who is answered, what is sent, and what is begun for those who may. Plain node:http with small limits;
// what it knows is in board.ts, who watches in viewers.ts, what is under way in operations.ts.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { messageOf, OptionError } from '../model/errors.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { closeServer, listen, urlOf } from '../serving/listening.ts'
import { announcesBody, judgeRequest } from '../serving/request-guard.ts'
import { parseAction } from './action-rules.ts'
import { Board } from './board.ts'
import {
  checkFleet,
  type DashboardFleet,
  type DashboardOptions,
  type ResolvedDashboardOptions,
  resolveDashboard
} from './dashboard-options.ts'
import { Lookout } from './lookout.ts'
import { Operations } from './operations.ts'
import { type PageFile, readPageFiles } from './page-files.ts'
import { readBody } from './request-body.ts'
import { judgeAccess, lastIdOf, type Permission, parseCallOff } from './request-rules.ts'
import { newToken } from './token.ts'
import { Viewers } from './viewers.ts'

/** A dashboard that is served. */
export interface Dashboard {
  /** Where it is, such as `http://127.0.0.1:8787/`. */
  readonly url: string
  /** The same with the token, for who may act: the page takes it out of the address. Absent: there is no token. */
  readonly urlWithToken?: string
  /** Calls off what was begun from its pages, and stops. Called again, it returns the same promise. */
  close(): Promise<void>
  /** The same, at the end of the block of an `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** How much, and how long, a client may take. */
export interface DashboardLimits {
  /** For the head of a request, and for all of it. Milliseconds. */
  readonly requestMs: number
  /** Without a byte in either direction, streams of events aside. Milliseconds. */
  readonly idleMs: number
  /** How often it is looked whether a request is late. Milliseconds. */
  readonly lookEveryMs: number
  /** Between two signs of life in a stream of events. Milliseconds. */
  readonly heartbeatMs: number
  /** How much may wait to be sent to one page. Bytes. */
  readonly maxWaiting: number
  /** Of the body of an action. Bytes. */
  readonly maxBody: number
}

/** Other doors and limits, for tests. */
export interface DashboardPorts {
  readonly clock?: Clock
  readonly limits?: Partial<DashboardLimits>
  readonly files?: ReadonlyMap<string, PageFile>
}

const LIMITS: DashboardLimits = {
  requestMs: 5_000,
  idleMs: 10_000,
  lookEveryMs: 1_000,
  heartbeatMs: 15_000,
  maxWaiting: 1_000_000,
  maxBody: 262_144
}
const MAX_HEAD_BYTES = 8_192
/** Beside one for each page that is open. */
const CONNECTIONS = 64
const METHODS: readonly string[] = ['GET', 'HEAD', 'POST']

/** Scripts and styles are the page's own; it is framed by nobody, and text can never become markup. */
const HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY'
} as const

/**
 * Serves a page that shows a fleet, live, and with a token lets people act. It keeps the process alive until it is closed, and
 * leaves the fleet open.
 *
 * @param fleet what `openFleet()` of `millrace/operate` made
 * @param ports other limits and another door to time, for tests
 * @throws OptionError naming the option, its value and what was expected
 * @throws ServiceError `in-use` if somebody else listens there, `other` if it is not possible to listen there
 */
export async function serveDashboard(
  fleet: DashboardFleet,
  options: DashboardOptions = {},
  ports: DashboardPorts = {}
): Promise<Dashboard> {
  const checked = checkFleet(fleet)
  const settings = resolveDashboard(options)
  const limits = { ...LIMITS, ...ports.limits }
  const files = ports.files ?? (await readPageFiles())
  const endpoint = new DashboardEndpoint(checked, settings, limits, files, ports.clock ?? systemClock)
  const server = createServer(
    {
      maxHeaderSize: MAX_HEAD_BYTES,
      headersTimeout: limits.requestMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.requestMs,
      connectionsCheckingInterval: limits.lookEveryMs
    },
    (request, response) => void endpoint.answer(request, response)
  )
  server.maxConnections = CONNECTIONS + settings.maxViewers
  server.setTimeout(limits.idleMs, socket => socket.destroy())
  await listen('The dashboard', server, settings.port, settings.host)
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closing ??= Promise.all([endpoint.close(), closeServer(server)]).then(() => {})
    return closing
  }
  const url = `${urlOf(server)}/`
  const { token } = settings
  return {
    url,
    ...(token !== undefined && { urlWithToken: `${url}#token=${encodeURIComponent(token)}` }),
    close,
    [Symbol.asyncDispose]: close
  }
}

class DashboardEndpoint {
  readonly #settings: ResolvedDashboardOptions
  readonly #limits: DashboardLimits
  readonly #files: ReadonlyMap<string, PageFile>
  readonly #board: Board
  readonly #viewers: Viewers
  readonly #lookout: Lookout
  readonly #operations: Operations
  #isClosed = false

  constructor(
    fleet: DashboardFleet,
    settings: ResolvedDashboardOptions,
    limits: DashboardLimits,
    files: ReadonlyMap<string, PageFile>,
    clock: Clock
  ) {
    const { everyMs, lagEveryMs, maxViewers } = settings
    this.#settings = settings
    this.#limits = limits
    this.#files = files
    const board = new Board({
      clock,
      // A page that comes with a place on another board must not be taken for one of this one.
      name: newToken().slice(0, 8),
      lagEveryMs: lagEveryMs ?? everyMs,
      publish: text => this.#viewers.send(text)
    })
    const lookout = new Lookout({
      ...{ fleet, clock, everyMs, lagEveryMs },
      looked: status => board.look(status),
      measured: report => {
        board.measured(report)
        lookout.nudge()
      },
      failed: error => board.failed(error)
    })
    this.#viewers = new Viewers({
      ...{ clock, maxViewers, heartbeatMs: limits.heartbeatMs, maxWaiting: limits.maxWaiting },
      begun: () => lookout.begin(),
      over: () => void lookout.end()
    })
    this.#operations = new Operations({
      ...{ fleet, clock },
      changed: rows => board.operated(rows),
      ended: row => {
        board.ended(row)
        lookout.nudge()
      }
    })
    this.#board = board
    this.#lookout = lookout
  }

  /** Never rejects. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url, rawHeaders } = request
    const { isExposed, hosts } = this.#settings
    const verdict = judgeRequest({ method, url, rawHeaders }, { isLoopback: !isExposed, hosts, methods: METHODS })
    if (verdict.kind === 'refuse') return refuse(response, verdict.status, verdict.because)
    try {
      if (method === 'POST') await this.#act(verdict.path, request, response)
      else if (announcesBody(rawHeaders)) refuse(response, 413, 'expected no body')
      else if (verdict.path === '/api/stream') this.#stream(request, response)
      else this.#file(verdict.path, response)
    } catch (error) {
      if (error instanceof OptionError) refuse(response, 400, messageOf(error))
      // What it says could be anything, and whoever asked can do nothing about it.
      else refuse(response, 500, 'this could not be answered')
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([this.#operations.stop(), this.#viewers.close(), this.#lookout.end()])
  }

  #file(path: string, response: ServerResponse): void {
    const file = this.#files.get(path)
    if (file === undefined) refuse(response, 404, 'there is no such page')
    else write(response, 200, file.contentType, file.content)
  }

  #stream(request: IncomingMessage, response: ServerResponse): void {
    const { everyMs, maxViewers } = this.#settings
    const { canRead, canAct, status, because } = this.#access(request)
    if (request.method !== 'GET') refuse(response, 405, 'expected GET')
    else if (!canRead) refuse(response, status, because)
    else if (this.#isClosed || !this.#viewers.hasRoom) {
      refuse(response, 503, `there are ${maxViewers} pages open already, which is as many as may be`)
    } else {
      // A stream is silent for as long as nothing happens; its heartbeat finds out whether somebody is there.
      request.socket.setTimeout(0)
      const streaming = { 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' }
      response.writeHead(200, { ...HEADERS, ...streaming })
      this.#viewers.add(response, this.#board.catchUp(lastIdOf(request.rawHeaders), { canAct, everyMs }))
    }
  }

  async #act(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (path !== '/api/actions' && path !== '/api/call-off') return refuse(response, 405, 'expected GET or HEAD')
    const { canAct, status, because } = this.#access(request)
    if (!canAct) return refuse(response, status, because)
    const body = await readBody(request, this.#limits.maxBody)
    if (body.kind === 'refuse') return refuse(response, body.status, body.because)
    if (path === '/api/call-off') {
      const isRunning = this.#operations.callOff(parseCallOff(body.text))
      return isRunning ? send(response, 202, {}) : refuse(response, 404, 'that is not under way')
    }
    const id = this.#isClosed ? undefined : this.#operations.begin(parseAction(body.text))
    if (id === undefined) return refuse(response, 409, 'as much is under way as may be: wait until something is done')
    send(response, 202, { id })
  }

  #access({ rawHeaders }: IncomingMessage): Permission {
    return judgeAccess(rawHeaders, this.#settings)
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  write(response, status, 'application/json; charset=utf-8', Buffer.from(`${JSON.stringify(body)}\n`))
}

/** Whatever else is sent over this connection is not read. */
function refuse(response: ServerResponse, status: number, because: string): void {
  if (response.headersSent) return void response.destroy()
  response.setHeader('Connection', 'close')
  if (status === 401) response.setHeader('WWW-Authenticate', 'Bearer')
  if (status === 405) response.setHeader('Allow', METHODS.join(', '))
  send(response, status, { error: because })
}

/** Node leaves the content out where only the head was asked for. */
function write(response: ServerResponse, status: number, contentType: string, content: Uint8Array): void {
  response
    .writeHead(status, { ...HEADERS, 'Content-Type': contentType, 'Content-Length': content.byteLength })
    .end(content)
}
