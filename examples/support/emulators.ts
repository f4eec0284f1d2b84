// Starts the emulators of Kinesis and DynamoDB in this process, for the examples and the tests.
import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { NodeHttpHandler } from '@smithy/node-http-handler'

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

/** The emulator that answers at `endpoint` already. */
export function emulatorAt(endpoint: string, close: () => Promise<void>): Emulator {
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
