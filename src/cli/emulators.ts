// Kinesis and DynamoDB in this process, for development: kinesalite and dynalite, with what stands in the way put right.
import type { IncomingMessage, Server } from 'node:http'
import { createRequire } from 'node:module'
import { messageOf, ServiceError } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'

/** A service that answers. */
export interface EmulatedService {
  /** Such as `http://127.0.0.1:4567`. */
  readonly endpoint: string
  /** Cuts all connections and stops. */
  close(): Promise<void>
}

/** Where a service listens. */
export interface Listening {
  /** 0: one that is free. */
  readonly port: number
  readonly host: string
}

/** Both are optional: whoever does not develop with them does not install them. */
type Require = (name: string) => unknown

/**
 * Starts kinesalite. Streams are active within milliseconds.
 *
 * @throws ServiceError if it is not installed, or the port is taken
 */
export async function startKinesis(
  at: Listening,
  clock: Clock,
  load: Require = requireHere()
): Promise<EmulatedService> {
  const settings = { createStreamMs: 5, updateStreamMs: 5, deleteStreamMs: 5, shardLimit: 10_000 }
  mendIterators(load, clock)
  return listen('kinesalite', installed('kinesalite', load)(settings), at)
}

/**
 * Starts dynalite. Tables are active at once.
 *
 * @throws ServiceError if it is not installed, or the port is taken
 */
export async function startDynamo(at: Listening, load: Require = requireHere()): Promise<EmulatedService> {
  const settings = { createTableMs: 0, updateTableMs: 0, deleteTableMs: 0 }
  return listen('dynalite', installed('dynalite', load)(settings), at)
}

function requireHere(): Require {
  return createRequire(import.meta.url)
}

function installed(name: string, load: Require): (settings: object) => Server {
  try {
    return load(name) as (settings: object) => Server
  } catch (cause) {
    const message = `${name} is missing here. Install the emulators first: npm install -D kinesalite dynalite`
    throw new ServiceError('not-found', message, { retryable: false, cause })
  }
}

type Reply = (error: unknown, answer?: object) => void
type GetShardIterator = (store: unknown, data: { ShardIteratorType?: string }, reply: Reply) => void
/** How long to look for a record before the answer is that there is none. Everything is in memory. Milliseconds. */
const LOOK_MS = 250

/**
 * kinesalite never answers who wants to read from a time on after which there is no record: what every worker asks that begins
 * at LATEST. It is told "from now on" then, as of when it asked, so that nothing is skipped that came meanwhile.
 */
function mendIterators(load: Require, clock: Clock): void {
  const name = 'kinesalite/actions/getShardIterator'
  const { cache, resolve } = load as NodeJS.Require
  if (typeof resolve !== 'function') return
  try {
    load(name)
  } catch {
    return // Another version, or none: that is told where it is started.
  }
  const module = cache[resolve(name)]
  if (module === undefined) return
  const original = module.exports as GetShardIterator & { isMended?: true }
  if (original.isMended) return
  const mended: GetShardIterator = (store, data, reply) => {
    if (data.ShardIteratorType !== 'AT_TIMESTAMP') {
      original(store, data, reply)
      return
    }
    let isAnswered = false
    const once: Reply = (error, answer) => {
      if (!isAnswered) reply(error, answer)
      isAnswered = true
    }
    const { Timestamp, ...rest } = data as { Timestamp?: number; ShardIteratorType?: string }
    original(store, { ...rest, ShardIteratorType: 'LATEST' }, (error, latest) => {
      original(store, data, once)
      void clock.sleep(LOOK_MS).then(() => once(error, latest))
    })
  }
  module.exports = Object.assign(mended, { isMended: true })
  // What was loaded of it before has the other one.
  delete cache[resolve('kinesalite')]
}

/** A stream to make. */
export interface StreamToMake {
  readonly streamName: string
  readonly shards: number
}

/**
 * Makes a stream and waits until it can be used.
 *
 * @throws ServiceError if that is refused
 */
export async function makeStream(endpoint: string, { streamName, shards }: StreamToMake, clock: Clock): Promise<void> {
  await call(endpoint, 'CreateStream', { StreamName: streamName, ShardCount: shards })
  for (;;) {
    const { StreamDescriptionSummary: summary } = (await call(endpoint, 'DescribeStreamSummary', {
      StreamName: streamName
    })) as { readonly StreamDescriptionSummary?: { readonly StreamStatus?: string } }
    if (summary?.StreamStatus === 'ACTIVE') return
    await clock.sleep(10)
  }
}

/** One call to an emulator, which looks whether it is signed, but not by whom. */
async function call(endpoint: string, name: string, input: object): Promise<object> {
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/x-amz-json-1.1',
      'X-Amz-Target': `Kinesis_20131202.${name}`,
      'X-Amz-Date': '20260101T000000Z',
      Authorization:
        'AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=0'
    },
    body: JSON.stringify(input)
  })
  const text = await answer.text()
  const body = (text === '' ? {} : JSON.parse(text)) as { readonly __type?: string; readonly message?: string }
  if (answer.ok) return body
  throw new ServiceError('other', `${name} was refused: ${body.__type}: ${body.message}`, { retryable: false })
}

async function listen(name: string, server: Server, { port, host }: Listening): Promise<EmulatedService> {
  surviveCutRequests(server)
  // A client that uses a connection again just when the server gives it up would see a reset.
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const isInUse = cause.code === 'EADDRINUSE'
      const why = isInUse ? 'somebody else listens there already' : messageOf(cause)
      const message = `${name} could not listen on ${host}, port ${port}: ${why}`
      reject(new ServiceError(isInUse ? 'in-use' : 'other', message, { retryable: false, cause }))
    })
    server.listen(port, host, resolve)
  })
  const address = server.address()
  const actual = typeof address === 'object' && address !== null ? address.port : port
  return {
    endpoint: `http://${host.includes(':') ? `[${host}]` : host}:${actual}`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

/**
 * Both throw from an event handler when a request is cut off in the middle of its body, which would end this process. Their
 * handlers of `error` are replaced before they can register them.
 */
function surviveCutRequests(server: Server): void {
  server.prependListener('request', (request: IncomingMessage) => {
    const { on } = request
    request.on = function (this: IncomingMessage, event: string, listener: (...args: unknown[]) => void) {
      return on.call(this, event, event === 'error' ? () => {} : listener)
    } as IncomingMessage['on']
  })
}
