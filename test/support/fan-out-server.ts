// A Kinesis over real HTTP for tests: enhanced fan-out over HTTP/2 (with or without TLS) and HTTP/1.1, and the calls that a
// worker makes beside it, all on one endpoint. The semantics are those of FakeKinesis; faults are injected on the wire.
import { once } from 'node:events'
import { createServer as createHttp1Server, type IncomingMessage, type ServerResponse } from 'node:http'
import {
  createSecureServer,
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session
} from 'node:http2'
import type { AddressInfo, Server } from 'node:net'
import { type Clock, systemClock } from '../../src/runtime/clock.ts'
import { FakeKinesis, type PutResult } from '../../src/testing/fake-kinesis.ts'
import { answerCall, type Json, nameIn, refusalOf, startIn } from './fan-out-server-calls.ts'
import type { Fault } from './fan-out-server-faults.ts'
import { Line } from './fan-out-server-line.ts'
import { ServerSubscription } from './fan-out-server-subscription.ts'

/** How a server differs from the plain one. */
export interface FanOutServerOptions {
  /** The time of the fake; default that of the system. */
  readonly clock?: Clock
  /** Whose streams to serve; default a new fake in the time of `clock`. */
  readonly kinesis?: FakeKinesis
  /** After how long the server ends a subscription. Milliseconds; default as the fake does, five minutes of its time. */
  readonly subscriptionMs?: number
  /** Streams per session that the server takes. Default: any number. */
  readonly maxConcurrentStreams?: number
  /** A key and a certificate, in PEM: TLS is spoken. */
  readonly tls?: { readonly key: string; readonly cert: string }
}

type Request = IncomingMessage | Http2ServerRequest
type Response = ServerResponse | Http2ServerResponse

/** What every HTTP/2 connection begins with. */
const PREFACE = 'PRI * HTTP/2'

/** Starts a server. To be closed when done. */
export async function startFanOutServer(options: FanOutServerOptions = {}): Promise<FanOutServer> {
  const server = new FanOutServer(options)
  await server.listen()
  return server
}

/** A server that runs. */
export class FanOutServer {
  /** The streams, shards, records and consumers. */
  readonly kinesis: FakeKinesis
  /** What goes wrong with the next subscriptions, one each, in this order. */
  readonly faults: Fault[] = []
  /** What goes wrong with a subscription that `faults` has nothing for. */
  chance: (() => Fault | undefined) | undefined
  /** Is given each request before it is answered. */
  onRequest: ((request: Request, name: string) => void) | undefined
  /** Those that run. */
  readonly subscriptions = new Set<ServerSubscription>()
  /** Requests for a subscription that have come. */
  requests = 0
  /** Those that a fault struck. */
  struck = 0
  /** HTTP/2 sessions that were made. */
  sessionsEver = 0
  readonly #options: FanOutServerOptions
  readonly #clock: Clock
  readonly #sessions = new Set<ServerHttp2Session>()
  readonly #servers: Server[] = []
  #line: Line | undefined

  /** Use {@link startFanOutServer}. */
  constructor(options: FanOutServerOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.kinesis = options.kinesis ?? new FakeKinesis({ clock: this.#clock })
  }

  /** Begins to take connections. */
  async listen(): Promise<void> {
    const { tls, maxConcurrentStreams } = this.#options
    const settings = maxConcurrentStreams === undefined ? {} : { settings: { maxConcurrentStreams } }
    const serve = (request: Request, response: Response): void => void this.#serve(request, response)
    const http2 = tls ? createSecureServer({ ...tls, ...settings, allowHTTP1: true }) : createServer(settings)
    http2.on('request', serve)
    http2.on('session', session => {
      this.sessionsEver++
      this.#sessions.add(session)
      session.on('error', () => {})
      session.on('close', () => this.#sessions.delete(session))
    })
    const http1 = createHttp1Server(serve)
    this.#servers.push(http2 as unknown as Server, http1)
    const [http2Port, http1Port] = await Promise.all(this.#servers.map(portOf))
    const isHttp2 = (first: Uint8Array): boolean => tls !== undefined || textOf(first).startsWith(PREFACE)
    this.#line = await Line.start(first => Number(isHttp2(first) ? http2Port : http1Port))
  }

  /** What clients connect over. */
  get line(): Line {
    if (this.#line === undefined) throw new Error('the server does not listen yet')
    return this.#line
  }

  /** Where it can be reached. */
  get endpoint(): string {
    return `${this.#options.tls ? 'https' : 'http'}://127.0.0.1:${this.line.port}`
  }

  /** What a KinesisClient needs to talk to it, but for a request handler that speaks HTTP/1.1. */
  clientConfig() {
    return {
      endpoint: this.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' },
      maxAttempts: 1
    }
  }

  /** How many HTTP/2 sessions there are now. */
  get sessions(): number {
    return this.#sessions.size
  }

  /** Puts a record into this shard. */
  put(streamName: string, shardId: string, data: Uint8Array | string, partitionKey = 'key'): PutResult {
    const shard = this.kinesis.shards(streamName).find(each => each.shardId === shardId)
    if (shard === undefined) throw new Error(`${shardId} is no shard of ${streamName}`)
    return this.kinesis.put(streamName, partitionKey, data, { explicitHashKey: shard.hashKeyRange.start })
  }

  /** Splits a shard. */
  split(streamName: string, shardId: string): [string, string] {
    return this.kinesis.split(streamName, shardId)
  }

  /** Asks every HTTP/2 session to end, in peace unless a code says otherwise. */
  goAway(code = 0): void {
    for (const session of this.#sessions) session.goaway(code)
  }

  /** Ends everything. */
  async close(): Promise<void> {
    for (const subscription of this.subscriptions) subscription.reset()
    await this.line.close()
    for (const session of this.#sessions) session.destroy()
    await Promise.all(this.#servers.map(closed))
  }

  async #serve(request: Request, response: Response): Promise<void> {
    const name = String(request.headers['x-amz-target']).split('.').at(-1) ?? ''
    this.onRequest?.(request, name)
    response.on('error', () => {})
    try {
      const input = JSON.parse(await bodyOf(request)) as Json
      if (name === 'SubscribeToShard') await this.#subscribe(request, response, input)
      else answer(response, 200, await answerCall(this.kinesis, name, input))
    } catch (error) {
      const { status, type, message } = refusalOf(error)
      answer(response, status, { __type: type, message })
    }
  }

  async #subscribe(request: Request, response: Response, input: Json): Promise<void> {
    const subscription = new ServerSubscription({ request, response, line: this.line })
    this.requests++
    this.subscriptions.add(subscription)
    try {
      const fault = this.faults.shift() ?? this.chance?.()
      if (fault) this.struck++
      if (fault?.instead) await fault.instead(subscription)
      else await this.#send(subscription, input, fault)
    } finally {
      this.subscriptions.delete(subscription)
    }
  }

  async #send(subscription: ServerSubscription, input: Json, fault: Fault | undefined): Promise<void> {
    const { signal } = subscription
    const { ConsumerARN, ShardId, StartingPosition } = input
    const events = await this.kinesis.fanOut(nameIn(input)).subscribeToShard({
      consumerArn: String(ConsumerARN),
      shardId: String(ShardId),
      start: startIn(Object(StartingPosition)),
      signal
    })
    await subscription.begin()
    void this.#endInTime(subscription)
    let sent = 0
    const isOver = async (): Promise<boolean> => {
      const strikesNow = fault?.strike !== undefined && sent === (fault.afterEvents ?? 0)
      if (strikesNow) await fault.strike?.(subscription)
      return (strikesNow && fault.goesOn !== true) || signal.aborted
    }
    try {
      if (await isOver()) return
      for await (const event of events) {
        await subscription.event(event)
        sent++
        if (await isOver()) return
      }
      subscription.end()
    } catch (error) {
      // It was broken off.
      if (signal.aborted) return
      await subscription.exception(refusalOf(error).type)
      subscription.end()
    }
  }

  async #endInTime(subscription: ServerSubscription): Promise<void> {
    const { subscriptionMs } = this.#options
    if (subscriptionMs === undefined) return
    await systemClock.sleep(subscriptionMs, subscription.signal)
    if (!subscription.signal.aborted) subscription.end()
  }
}

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function closed(server: Server): Promise<void> {
  const gone = once(server, 'close')
  server.close()
  await gone
}

async function bodyOf(request: Request): Promise<string> {
  const pieces: Uint8Array[] = []
  for await (const piece of request) pieces.push(piece as Uint8Array)
  return Buffer.concat(pieces).toString()
}

function answer(response: Response, status: number, body: Json): void {
  if (response.headersSent || response.destroyed) return
  const writable = response as ServerResponse
  writable.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' })
  writable.end(JSON.stringify(body))
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}
