// Starts the emulators of Kinesis and DynamoDB for tests and examples. kinesalite and dynalite run in this process,
// kinesis-local in a worker thread, so that none of them outlives the process.
import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { pollUntil } from './poll.ts'

/** What the constructors of KinesisClient and DynamoDBClient take to talk to an emulator. */
export interface EmulatorClientConfig {
  readonly endpoint: string
  readonly region: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  readonly requestHandler: NodeHttpHandler
}

/** An emulator that runs. */
export interface Emulator {
  readonly endpoint: string
  /** Everything a client needs to talk to it. A new object with connections of its own at each call. */
  clientConfig(): EmulatorClientConfig
  /** Cuts all connections and stops the emulator. */
  close(): Promise<void>
}

const require = createRequire(import.meta.url)

/** Starts kinesalite in this process. Streams become ACTIVE within milliseconds. */
export async function startKinesalite(): Promise<Emulator> {
  const kinesalite = require('kinesalite') as (options: object) => Server
  return listen(kinesalite({ createStreamMs: 5, updateStreamMs: 5, deleteStreamMs: 5, shardLimit: 1000 }))
}

/** Starts dynalite in this process. Tables become ACTIVE at once. */
export async function startDynalite(): Promise<Emulator> {
  const dynalite = require('dynalite') as (options: object) => Server
  return listen(dynalite({ createTableMs: 0, updateTableMs: 0, deleteTableMs: 0 }))
}

/** Starts kinesis-local (kinesis-mock) in a worker thread. Takes about a second and 130 MB. */
export async function startKinesisLocal(): Promise<Emulator> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startKinesisLocalOn(await freePort(), await freePort())
    } catch (error) {
      // Between finding a free port and listening on it, somebody else may have taken it.
      if (attempt === 3) throw error
    }
  }
}

async function startKinesisLocalOn(plainPort: number, tlsPort: number): Promise<Emulator> {
  const main = require.resolve('kinesis-local')
  const worker = new Worker(main, {
    env: kinesisLocalEnv(plainPort, tlsPort, join(dirname(main), 'server.json')),
    execArgv: [],
    stdout: true,
    stderr: true
  })
  worker.unref()
  const died = new Promise<never>((_, reject) => {
    worker.once('error', reject)
    worker.once('exit', code => reject(new Error(`kinesis-local exited with ${code} before it was ready`)))
  })
  const endpoint = `http://127.0.0.1:${plainPort}`
  try {
    await Promise.race([died, pollUntil('kinesis-local to answer', () => fetch(endpoint).then(() => true), 30_000)])
  } catch (error) {
    await worker.terminate()
    throw error
  }
  died.catch(() => {})
  return emulatorAt(endpoint, async () => {
    await worker.terminate()
  })
}

function kinesisLocalEnv(plainPort: number, tlsPort: number, certificate: string): Record<string, string> {
  const fast = [
    ...['CREATE_STREAM', 'DELETE_STREAM', 'REGISTER_STREAM_CONSUMER', 'DEREGISTER_STREAM_CONSUMER'],
    ...['MERGE_SHARDS', 'SPLIT_SHARD', 'UPDATE_SHARD_COUNT', 'UPDATE_STREAM_MODE'],
    ...['START_STREAM_ENCRYPTION', 'STOP_STREAM_ENCRYPTION']
  ]
  return {
    ...Object.fromEntries(fast.map(action => [`${action}_DURATION`, '5ms'])),
    KINESIS_MOCK_PLAIN_PORT: String(plainPort),
    KINESIS_MOCK_TLS_PORT: String(tlsPort),
    KINESIS_MOCK_CERT_PATH: certificate,
    SHARD_LIMIT: '1000',
    LOG_LEVEL: 'ERROR'
  }
}

async function listen(server: Server): Promise<Emulator> {
  surviveCutRequests(server)
  // A client that reuses a connection just when the server gives it up would see a reset.
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return emulatorAt(`http://127.0.0.1:${port}`, () => closeServer(server))
}

/**
 * Both emulators throw from an event handler when a request is cut off in the middle of its body, which would end this
 * process. Their handlers of 'error' are replaced before they can register them.
 */
function surviveCutRequests(server: Server): void {
  server.prependListener('request', request => {
    const on = request.on
    request.on = function (this: typeof request, event: string, listener: (...args: unknown[]) => void) {
      return on.call(this, event, event === 'error' ? () => {} : listener)
    } as typeof request.on
  })
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close(error => (error ? reject(error) : resolve()))
    server.closeAllConnections()
  })
}

function emulatorAt(endpoint: string, close: () => Promise<void>): Emulator {
  return {
    endpoint,
    clientConfig: () => ({
      endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'emulator', secretAccessKey: 'emulator' },
      requestHandler: new NodeHttpHandler({
        httpAgent: { keepAlive: true, maxSockets: 256 },
        requestTimeout: 20_000,
        throwOnRequestTimeout: true
      })
    }),
    close
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

const shared = new Map<string, Promise<Emulator>>()

function share(name: string, start: () => Promise<Emulator>): Promise<Emulator> {
  const running = shared.get(name) ?? start()
  shared.set(name, running)
  return running
}

/** The kinesalite that all tests of this run use. Started when first asked for, closed after the last test. */
export const sharedKinesalite = (): Promise<Emulator> => share('kinesalite', startKinesalite)

/** The dynalite that all tests of this run use. Started when first asked for, closed after the last test. */
export const sharedDynalite = (): Promise<Emulator> => share('dynalite', startDynalite)

/** The kinesis-local that all tests of this run use. Started when first asked for, closed after the last test. */
export const sharedKinesisLocal = (): Promise<Emulator> => share('kinesis-local', startKinesisLocal)

/** Closes the shared emulators that were started. The root hooks call it after the last test. */
export async function closeSharedEmulators(): Promise<void> {
  const running = [...shared.values()]
  shared.clear()
  await Promise.allSettled(running.map(async emulator => (await emulator).close()))
}
