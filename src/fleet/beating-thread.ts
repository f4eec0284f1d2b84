// The heartbeat's thread as the main thread has it: starts it with a connection of its own, keeps it in credentials, and
// finds out when it breaks. A thread that broke is never mended.
import { Worker } from 'node:worker_threads'
import type { AwsCredentials, DynamoConnection } from '../dynamo/dynamo-connection.ts'
import { ServiceError } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Loop } from '../runtime/loop.ts'
import { supplyCredentials } from './credential-supply.ts'
import type { FromThread, ThreadSettings, ThreadSetup, ToThread } from './heartbeat-messages.ts'

/** What a thread is started with, and who is told of it. */
export interface BeatingThreadOptions {
  readonly connection: DynamoConnection | Promise<DynamoConnection>
  readonly tableName: string
  readonly applicationName: string
  readonly settings: ThreadSettings
  readonly clock: Clock
  /** Where the code of the thread is. */
  readonly url: URL
  readonly heard: (message: FromThread) => void
  /** Told once: it could not be started, ended on its own, or cannot be understood. Nothing more is heard of it. */
  readonly broke: (error: unknown) => void
  readonly credentialsFailed: (error: unknown) => void
}

/** Looking up credentials and loading the SDK takes a second or two; on a starved machine much longer. */
const STARTING_SECONDS = 30

/** A thread that beats. It does not keep the process alive. */
export class BeatingThread {
  readonly #options: BeatingThreadOptions
  readonly #over = new AbortController()
  #worker: Worker | undefined
  #supply: Loop | undefined
  #isReady = false
  /** Resolves when messages can be posted, or never will be. Never rejects. */
  readonly started: Promise<void>

  constructor(options: BeatingThreadOptions) {
    this.#options = options
    this.started = this.#start().catch(error => this.#break(error))
    void this.#watchStart()
  }

  /** Says something to the thread, if it runs. */
  post(message: ToThread): void {
    if (!this.#over.signal.aborted) this.#worker?.postMessage(message)
  }

  /** Sends other credentials, if there are any: those that the thread has were refused. */
  renewCredentials(): void {
    this.#supply?.nudge()
  }

  /** Ends the thread. Resolves when it is gone. */
  async close(): Promise<void> {
    this.#over.abort()
    void this.#supply?.stop()
    await this.#worker?.terminate()
  }

  async #start(): Promise<void> {
    const { clock, credentialsFailed } = this.#options
    const connection = await this.#options.connection
    const credentials = await connection.credentials()
    if (this.#over.signal.aborted) return
    const worker = new Worker(this.#options.url, {
      name: 'millrace-heartbeat',
      workerData: this.#setup(connection, credentials)
    })
    this.#worker = worker
    worker.unref()
    worker.on('message', (message: FromThread) => this.#hear(message))
    worker.on('messageerror', error => this.#break(error))
    worker.on('error', error => this.#break(error))
    worker.on('exit', code => this.#break(broken(`ended on its own, with exit code ${code}`)))
    this.#supply = supplyCredentials({
      connection,
      clock,
      first: credentials,
      send: current => this.post({ kind: 'credentials', credentials: current }),
      failed: credentialsFailed
    })
  }

  #setup(connection: DynamoConnection, credentials: AwsCredentials): ThreadSetup {
    const { tableName, applicationName, settings } = this.#options
    const { heartbeatMs, hurryMs, validMs, stallLimitMs } = settings
    // Longer than the heartbeat waits before it tries again: an answer that comes late still counts.
    const requestTimeoutMs = Math.min(5_000, Math.max(500, validMs / 2))
    return {
      store: { ...connection.settings, tableName, applicationName, requestTimeoutMs, credentials },
      settings: { heartbeatMs, hurryMs, validMs, stallLimitMs }
    }
  }

  #hear(message: FromThread): void {
    if (this.#over.signal.aborted) return
    if (message.kind === 'ready') this.#isReady = true
    else this.#options.heard(message)
  }

  /** Second by second, so that a main loop that was blocked does not count what it had no chance to hear. */
  async #watchStart(): Promise<void> {
    const { signal } = this.#over
    for (let second = 0; second < STARTING_SECONDS; second++) {
      await this.#options.clock.sleep(1_000, signal)
      if (signal.aborted || this.#isReady) return
    }
    this.#break(broken(`did not start within ${STARTING_SECONDS} seconds`))
  }

  #break(error: unknown): void {
    if (this.#over.signal.aborted) return
    void this.close()
    this.#options.broke(error)
  }
}

function broken(what: string): ServiceError {
  return new ServiceError('other', `The thread of the heartbeat ${what}`, { retryable: true })
}
