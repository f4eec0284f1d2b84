// The HTTP endpoint that says how a worker is doing. Plain node:http; small limits on everything, since nobody who means well
// sends more than a line. Reads only: nothing that it answers changes anything.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { BugError, OptionError } from '../model/errors.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { withDeadline } from '../runtime/deadline.ts'
import type { WorkerHealth } from '../worker/health-rules.ts'
import { checkGroup, checkInteger, checkMethods, checkText, show } from '../worker/option-checks.ts'
import { liveAnswer, readyAnswer, statusAnswer } from './health-answer-rules.ts'
import { closeServer, listen, urlOf } from './listening.ts'
import { announcesBody, type GuardSettings, isLoopbackAddress, judgeRequest } from './request-guard.ts'

/** What is asked how it is doing: a `Worker`. */
export interface HealthSource {
  /** Name of the worker. Absent: `/status` does not say it. */
  readonly workerId?: string
  /** How the worker is doing, and each of its shards. */
  health(): WorkerHealth
}

/** Where `/metrics` gets its text from. */
export interface MetricsSource {
  /** Type of the text, such as `text/plain; version=0.0.4; charset=utf-8`. */
  readonly contentType: string
  /** The metrics as they are now. */
  text(): string | Promise<string>
}

/** Where the health endpoint listens, and what else it serves. */
export interface HealthOptions {
  /** 0 to 65,535; default 8080. With 0 the system chooses one that is free: see `url`. */
  readonly port?: number
  /** Address to listen on. Default `127.0.0.1`: this machine alone. For probes of Kubernetes `0.0.0.0`. */
  readonly host?: string
  /** Names that it may be called by, beside addresses and `localhost`, such as `worker.internal`. Default: none. */
  readonly hosts?: readonly string[]
  /** Served at `/metrics`. Default: none, and `/metrics` is not found. */
  readonly metrics?: MetricsSource
}

/** A health endpoint that listens. */
export interface HealthEndpoint {
  /** Where it is, such as `http://127.0.0.1:8080`. */
  readonly url: string
  /** Answers what is under way and stops. Called again, it returns the same promise. */
  close(): Promise<void>
  /** The same, at the end of the block of an `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** How much, and how long, a client may take. */
export interface HealthLimits {
  /** For the head of a request, and for all of it. Milliseconds. */
  readonly requestMs: number
  /** Without a byte in either direction. Milliseconds. */
  readonly idleMs: number
  /** How often it is looked whether a request is late. Milliseconds. */
  readonly lookEveryMs: number
  /** How long making the metrics may take. Milliseconds. */
  readonly metricsMs: number
  readonly maxConnections: number
}

const LIMITS: HealthLimits = {
  requestMs: 5_000,
  idleMs: 10_000,
  lookEveryMs: 1_000,
  metricsMs: 5_000,
  maxConnections: 64
}
/** Of the head of a request. Bytes. */
const MAX_HEAD_BYTES = 8_192
const OPTION_NAMES: readonly string[] = ['port', 'host', 'hosts', 'metrics']
const METHODS: readonly string[] = ['GET', 'HEAD']
const JSON_TYPE = 'application/json; charset=utf-8'

/** A page may not frame this, guess its type, keep it or read it from elsewhere. */
const HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff'
} as const

/**
 * Serves `/livez`, `/readyz`, `/status` and `/metrics` over HTTP. The endpoint does not keep the process alive, and does not end
 * with the worker: close it when the worker has stopped.
 *
 * @param ports other limits and another door to time, for tests
 * @throws OptionError naming the option, its value and what was expected
 * @throws ServiceError `in-use` if somebody else listens there, `other` if it is not possible to listen there
 */
export async function serveHealth(
  worker: HealthSource,
  options: HealthOptions = {},
  ports: { readonly clock?: Clock; readonly limits?: Partial<HealthLimits> } = {}
): Promise<HealthEndpoint> {
  const source = checkSource(worker)
  const { port, host, hosts, metrics } = resolve(options)
  const limits = { ...LIMITS, ...ports.limits }
  const guard = { isLoopback: isLoopbackAddress(host), hosts, methods: METHODS }
  const endpoint = new Endpoint({ source, metrics, guard, limits, clock: ports.clock ?? systemClock })
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
  server.maxConnections = limits.maxConnections
  // What is left of a connection whose request was late or refused: nothing that it still sends is read.
  server.setTimeout(limits.idleMs, socket => socket.destroy())
  await listen('The health endpoint', server, port, host)
  server.unref()
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closing ??= closeServer(server)
    return closing
  }
  return { url: urlOf(server), close, [Symbol.asyncDispose]: close }
}

interface EndpointParts {
  readonly source: HealthSource
  readonly metrics: MetricsSource | undefined
  readonly guard: GuardSettings
  readonly limits: HealthLimits
  readonly clock: Clock
}

class Endpoint {
  readonly #parts: EndpointParts

  constructor(parts: EndpointParts) {
    this.#parts = parts
  }

  /** Never rejects. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url, rawHeaders } = request
    if (announcesBody(rawHeaders)) {
      response.setHeader('Connection', 'close')
      return send(response, 413, { error: 'expected no body' })
    }
    const verdict = judgeRequest({ method, url, rawHeaders }, this.#parts.guard)
    if (verdict.kind === 'refuse') {
      if (verdict.status === 405) response.setHeader('Allow', METHODS.join(', '))
      return send(response, verdict.status, { error: verdict.because })
    }
    try {
      await this.#serve(verdict.path, response)
    } catch {
      // What it says could be anything, and whoever asked can do nothing about it.
      send(response, 500, { error: 'this could not be answered' })
    }
  }

  async #serve(path: string, response: ServerResponse): Promise<void> {
    const { source, metrics } = this.#parts
    if (path === '/metrics' && metrics !== undefined) return this.#serveMetrics(metrics, response)
    const answer =
      path === '/livez'
        ? liveAnswer(source.health())
        : path === '/readyz'
          ? readyAnswer(source.health())
          : path === '/status'
            ? statusAnswer(source.health(), source.workerId)
            : undefined
    if (answer === undefined) send(response, 404, { error: 'expected /livez, /readyz, /status or /metrics' })
    else send(response, answer.status, answer.body)
  }

  async #serveMetrics(metrics: MetricsSource, response: ServerResponse): Promise<void> {
    const { clock, limits } = this.#parts
    const text = await withDeadline(
      clock,
      limits.metricsMs,
      undefined,
      async () => metrics.text(),
      () => new BugError('The metrics were not made in time')
    )
    write(response, 200, metrics.contentType, text)
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  write(response, status, JSON_TYPE, `${JSON.stringify(body)}\n`)
}

/** Node leaves the text out where only the head was asked for. */
function write(response: ServerResponse, status: number, contentType: string, text: string): void {
  const length = Buffer.byteLength(text)
  response.writeHead(status, { ...HEADERS, 'Content-Type': contentType, 'Content-Length': length }).end(text)
}

function checkSource(worker: HealthSource): HealthSource {
  const source = checkMethods('worker', worker, ['health'], 'a Worker')
  if (source === undefined) throw new OptionError('worker', 'is missing, expected a Worker')
  return source
}

function resolve(given: HealthOptions): Required<Omit<HealthOptions, 'metrics'>> & {
  readonly metrics: MetricsSource | undefined
} {
  const options = checkGroup<HealthOptions>('options', given, OPTION_NAMES)
  const { metrics, hosts = [] } = options
  if (!Array.isArray(hosts)) throw new OptionError('hosts', `is ${show(hosts)}, expected an array of names`)
  const names = hosts.map((name, index) =>
    checkText(`hosts[${index}]`, name, /^[a-zA-Z0-9._-]+$/, 'the name of a host, without a port').toLowerCase()
  )
  checkMethods('metrics', metrics, ['text'], 'an object with a contentType and a method text')
  if (metrics !== undefined) checkText('metrics.contentType', metrics.contentType, /^[\x20-\x7e]+$/, 'a media type')
  return {
    port: checkInteger('port', options.port, { min: 0, max: 65_535 }, 8080),
    host: checkText('host', options.host ?? '127.0.0.1', /^[\w.:-]+$/, 'an address to listen on'),
    hosts: names,
    metrics
  }
}
