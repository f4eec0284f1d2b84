// Starts kinesis-local (kinesis-mock), an emulator of Kinesis, for tests. In a child process, because as a worker thread of
// the test runner it once neither started nor ended.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { type Emulator, emulatorAt } from '../../examples/support/emulators.ts'
import { pollUntil } from './poll.ts'

const MODULE = new URL('kinesis-local-process.mjs', import.meta.url)
const ATTEMPTS = 3
/** It takes about a second on an idle machine. */
const READY_MS = 20_000
const PROBE_MS = 1_000
const STDERR_KEPT = 2_000

/** Starts kinesis-local. Takes about a second and 170 MB. Rejects after three attempts. */
export async function startKinesisLocal(): Promise<Emulator> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOn(await freePort(), await freePort())
    } catch (error) {
      // Between finding a free port and listening on it, somebody else may have taken it.
      if (attempt === ATTEMPTS) throw error
    }
  }
}

async function startOn(plainPort: number, tlsPort: number): Promise<Emulator> {
  const env = environment(plainPort, tlsPort)
  const child = fork(MODULE, { env, execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  // A child that is forgotten must not keep the tests from ending.
  child.unref()
  child.channel?.unref()
  const endpoint = `http://127.0.0.1:${plainPort}`
  try {
    await untilUp(child, endpoint)
  } catch (error) {
    await kill(child)
    throw error
  }
  return emulatorAt(endpoint, () => kill(child))
}

async function untilUp(child: ChildProcess, endpoint: string): Promise<void> {
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', text => {
    said = (said + text).slice(-STDERR_KEPT)
  })
  child.once('error', error => {
    said += error.message
  })
  const outcome = await pollUntil(
    'kinesis-local to answer',
    async () => {
      if (hasEnded(child)) return 'ended'
      // Each question with a time limit of its own: one that was asked too early may never be answered.
      await fetch(endpoint, { signal: AbortSignal.timeout(PROBE_MS) })
      return 'up'
    },
    READY_MS
  )
  if (outcome === 'ended') throw new Error(`kinesis-local ended before it was ready: ${said}`)
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null
}

async function kill(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return
  const gone = once(child, 'exit')
  child.ref()
  child.kill('SIGKILL')
  await gone
}

function environment(plainPort: number, tlsPort: number): NodeJS.ProcessEnv {
  const fast = [
    ...['CREATE_STREAM', 'DELETE_STREAM', 'REGISTER_STREAM_CONSUMER', 'DEREGISTER_STREAM_CONSUMER'],
    ...['MERGE_SHARDS', 'SPLIT_SHARD', 'UPDATE_SHARD_COUNT', 'UPDATE_STREAM_MODE'],
    ...['START_STREAM_ENCRYPTION', 'STOP_STREAM_ENCRYPTION']
  ]
  const main = createRequire(import.meta.url).resolve('kinesis-local')
  return {
    ...Object.fromEntries(fast.map(action => [`${action}_DURATION`, '5ms'])),
    KINESIS_MOCK_PLAIN_PORT: String(plainPort),
    KINESIS_MOCK_TLS_PORT: String(tlsPort),
    KINESIS_MOCK_CERT_PATH: join(dirname(main), 'server.json'),
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
