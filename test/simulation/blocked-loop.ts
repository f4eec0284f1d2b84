// `npm run blocked-loop -- [--block-seconds 25] [--json]`: two worker processes on the emulators, with the default lease of 10 s;
// the handler of one blocks its event loop. Below the stall limit of 30 s nothing may change hands and nothing may come
// twice; beyond it, the lease has to move and the late checkpoint has to be refused. Exits with 1 if it is otherwise.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { KinesisClient } from '@aws-sdk/client-kinesis'
import { emulatorEnvironment } from '../../examples/support/emulator-environment.ts'
import { startDynalite, startKinesalite } from '../../examples/support/emulators.ts'
import { fleetSettings } from '../../src/fleet/fleet-settings.ts'
import { createStream, putRecords } from '../support/streams.ts'

interface Line {
  readonly atMs: number
  readonly name: string
  readonly what: string
  readonly shardId?: string
  readonly texts?: readonly string[]
  readonly code?: string
  readonly forMs?: number
}

const PUT_EVERY_MS = 1_000
const AFTER_MS = 40_000
const WORKER = fileURLToPath(new URL('blocked-loop-worker.mjs', import.meta.url))
const { values } = parseArgs({
  options: { 'block-seconds': { type: 'string', default: '25' }, json: { type: 'boolean', default: false } }
})
const blockMs = Number(values['block-seconds']) * 1_000
const { stallLimitMs } = fleetSettings(10_000)

const [kinesis, dynamodb] = await Promise.all([startKinesalite(), startDynalite()])
const env = emulatorEnvironment({ kinesis: kinesis.endpoint, dynamodb: dynamodb.endpoint })
const client = new KinesisClient(kinesis.clientConfig())
const stream = await createStream(client, 2)
const lines: Line[] = []

function start(name: string, ms: number) {
  const child = spawn(process.execPath, [WORKER], {
    env: { ...env, NAME: name, STREAM: stream, BLOCK_MS: String(ms) },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  createInterface({ input: child.stdout }).on('line', line => {
    const said: Line = JSON.parse(line)
    lines.push(said)
    if (!values.json && said.what !== 'delivered' && said.what !== 'checkpointed') process.stdout.write(`${line}\n`)
  })
  return child
}

const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
const has = (what: string, name: string): boolean => lines.some(line => line.what === what && line.name === name)

async function until(isReached: () => boolean, limitMs: number): Promise<void> {
  const untilMs = performance.now() + limitMs
  while (!isReached() && performance.now() < untilMs) await sleep(100)
  if (!isReached()) throw new Error(`Not reached within ${limitMs} ms`)
}

let put = 0
// The other one leads, and has its share before the first record is put.
const children = [start('other', 0)]
await until(() => has('lease:taken', 'other'), 30_000)
children.push(start('blocker', blockMs))
await until(() => has('lease:taken', 'blocker'), 60_000)
const producing = setInterval(() => {
  void putRecords(
    client,
    stream,
    Array.from({ length: 4 }, () => ({ partitionKey: `key-${put}`, data: `record-${put++}` }))
  )
}, PUT_EVERY_MS)
await until(() => has('goes on', 'blocker'), blockMs + 60_000)
await sleep(AFTER_MS)
clearInterval(producing)
await sleep(5_000)
for (const child of children) child.kill('SIGTERM')
await Promise.all(children.map(child => new Promise(resolve => child.once('exit', resolve))))
client.destroy()
await Promise.all([kinesis.close(), dynamodb.close()])

const blocksAtMs = lines.find(({ what }) => what === 'blocks')?.atMs ?? 0
const goesOnAtMs = lines.find(({ what }) => what === 'goes on')?.atMs ?? 0
const texts = lines.flatMap(line => (line.what === 'delivered' ? (line.texts ?? []) : []))
const taken = lines.filter(
  ({ what, name, atMs }) => what === 'lease:taken' && name === 'other' && atMs > blocksAtMs && atMs < goesOnAtMs
)
const result = {
  blockMs,
  records: put,
  missing: put - new Set(texts).size,
  duplicates: texts.length - new Set(texts).size,
  takeovers: taken.length,
  takenAfterMs: (taken[0]?.atMs ?? Number.NaN) - blocksAtMs,
  stalledForMs: lines.find(({ what }) => what === 'worker:stalled')?.forMs,
  refused: lines.filter(({ what, name }) => what === 'refused' && name === 'blocker').map(({ code }) => code),
  died: has('session:died', 'blocker')
}
process.stdout.write(`${JSON.stringify(result)}\n`)
const isQuiet = result.takeovers === 0 && result.duplicates === 0 && result.refused.length === 0 && !result.died
const hasMoved = result.takeovers > 0 && result.refused.length > 0 && result.died
const isRight =
  result.missing === 0 && result.stalledForMs !== undefined && (blockMs < stallLimitMs ? isQuiet : hasMoved)
process.exit(isRight ? 0 : 1)
