// Starts the emulators of Kinesis and DynamoDB for tests. kinesalite and dynalite run in this process, as in the examples,
// kinesis-local in a worker thread, so that none of them outlives the process.
import { createRequire } from 'node:module'
import { type AddressInfo, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { type Emulator, emulatorAt, startDynalite, startKinesalite } from '../../examples/support/emulators.ts'
import { pollUntil } from './poll.ts'

export {
  type Emulator,
  type EmulatorClientConfig,
  startDynalite,
  startKinesalite
} from '../../examples/support/emulators.ts'

const require = createRequire(import.meta.url)

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
