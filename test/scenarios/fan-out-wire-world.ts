// What tests of whole workers on the wire of fan-out have in common: a server, a clock that runs faster than the world, and
// how a worker gets from one to the other. But for trust in the certificate of the server, all of it is as it is for users.
import { readFileSync } from 'node:fs'
import { Agent as HttpsAgent } from 'node:https'
import { createRequire } from 'node:module'
import type { KinesisClientConfig } from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { type LeaseStore, silentLogger, Worker, type WorkerOptions } from '../../src/index.ts'
import type { FanOutPort } from '../../src/kinesis/fan-out-port.ts'
import { sdkFanOut } from '../../src/kinesis/sdk-fan-out.ts'
import { type Clock, systemClock } from '../../src/runtime/clock.ts'
import { type FanOutServer, type FanOutServerOptions, startFanOutServer } from '../support/fan-out-server.ts'

/** The stream of these tests. */
export const STREAM = 'orders'

const CLOSED_WITHIN_MS = 1_000

/** A clock that runs so many times faster than the world, and can be made to run at another speed. */
export class WireClock implements Clock {
  #times: number
  /** The times of the world, and of this clock, when the speed was changed last. */
  #sinceMs = systemClock.monotonicMs()
  #atMs = this.#sinceMs
  #atEpochMs = systemClock.epochMs()
  /** Wakes everybody who sleeps, to reckon anew. */
  readonly #sleepers = new Set<() => void>()

  constructor(times: number) {
    this.#times = times
  }

  /** Changes the speed, for those who sleep already, too. */
  runAt(times: number): void {
    const passedMs = this.#passedMs()
    this.#sinceMs = systemClock.monotonicMs()
    this.#atMs += passedMs
    this.#atEpochMs += passedMs
    this.#times = times
    for (const wake of [...this.#sleepers]) wake()
  }

  monotonicMs(): number {
    return this.#atMs + this.#passedMs()
  }

  epochMs(): number {
    return Math.floor(this.#atEpochMs + this.#passedMs())
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms <= 0) return systemClock.sleep(0, signal)
    const untilMs = this.monotonicMs() + ms
    for (let leftMs = ms; leftMs > 0 && signal?.aborted !== true; leftMs = untilMs - this.monotonicMs()) {
      const woken = new AbortController()
      const wake = (): void => woken.abort()
      this.#sleepers.add(wake)
      signal?.addEventListener('abort', wake, { once: true })
      await systemClock.sleep(leftMs / this.#times, woken.signal)
      signal?.removeEventListener('abort', wake)
      this.#sleepers.delete(wake)
    }
  }

  #passedMs(): number {
    return (systemClock.monotonicMs() - this.#sinceMs) * this.#times
  }
}

/** A server that speaks TLS if it is to, in the time of `clock`. */
export function startWireServer(
  clock: Clock,
  { tls = false, ...options }: Omit<FanOutServerOptions, 'tls' | 'clock'> & { readonly tls?: boolean } = {}
): Promise<FanOutServer> {
  return startFanOutServer({ clock, ...options, ...(tls && { tls: certificate() }) })
}

/**
 * Closes a server, but does not wait for ever: of a session over TLS whose connection broke at a certain moment, Node never
 * tells the end, though nothing is open any more, and its server then never says that it is closed.
 */
export async function closeWireServer(server: FanOutServer): Promise<void> {
  const closed = new AbortController()
  const closing = server.close().finally(() => closed.abort())
  await Promise.race([closing, systemClock.sleep(CLOSED_WITHIN_MS, closed.signal)])
}

/** A client for ordinary calls to a server, and a port for subscriptions to its stream, by HTTP/2. To be closed. */
export function connectTo(
  server: FanOutServer,
  clock: Clock
): { readonly client: KinesisClientConfig; readonly fanOut: FanOutPort } {
  // The certificate is for this name.
  const trust = server.endpoint.startsWith('https:') && { ca: certificate().cert, servername: 'Unknown' }
  const httpsAgent = new HttpsAgent({ keepAlive: true, ...trust })
  const client = { ...server.clientConfig(), requestHandler: new NodeHttpHandler({ httpsAgent }) }
  const fanOut = sdkFanOut({ stream: { streamName: STREAM }, client, clock, http2: true, ...(trust && { tls: trust }) })
  return { client, fanOut }
}

/** What a worker of these tests is told. */
export interface WireWorkerOptions extends Pick<WorkerOptions, 'handler' | 'threads' | 'retrieval'> {
  readonly store: LeaseStore
}

/** A worker on a server, and how to end it and its connections. */
export interface WireWorker {
  readonly worker: Worker
  stop(): Promise<void>
}

/** Starts a worker. To be stopped. */
export async function startWireWorker(
  server: FanOutServer,
  clock: Clock,
  { store, ...others }: WireWorkerOptions
): Promise<WireWorker> {
  const { client, fanOut } = connectTo(server, clock)
  const options = {
    streamName: STREAM,
    applicationName: 'fan-out-wire',
    startAt: 'TRIM_HORIZON',
    // So long that none is lost where this process has no time for it.
    leases: { store, durationMs: 300_000 },
    onProcessorError: { backoffMs: 100 },
    shardSyncIntervalMs: 10_000,
    kinesis: client,
    logger: silentLogger,
    ...others
  } as WorkerOptions
  const worker = new Worker(options, { clock, fanOut })
  await worker.start()
  return {
    worker,
    stop: async () => {
      await worker.stop()
      fanOut.close()
    }
  }
}

function certificate(): { readonly key: string; readonly cert: string } {
  const path = createRequire(import.meta.url).resolve('kinesis-local/server.json')
  return JSON.parse(readFileSync(path, 'utf8')).server
}
