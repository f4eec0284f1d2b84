// `npm run operating-tour`: a fleet of three workers on emulators, seen and steered as an operator would do it, with every command
// and what it says. What is claimed of a reset is checked by what the handlers wrote down. Takes about four minutes; exits with 1
// if something is not as it should be.
import { rmSync, writeFileSync } from 'node:fs'
import { checkReset, figures } from './operating-tour-reset.ts'
import { FLEET, STREAM, Stage, sleep } from './operating-tour-stage.ts'

interface Lag {
  readonly shards: readonly { readonly shardId: string; readonly lagMs?: number }[]
}
interface Status {
  readonly color: string
  readonly workers: readonly { readonly workerId: string }[]
  readonly leases: readonly {
    readonly shardId: string
    readonly state: string
    readonly color: string
    readonly workerId?: string
    readonly reason?: string
  }[]
}

const SHARDS = 8
const HUNG = 'shardId-000000000003'
/** The lease duration of the workers: how long a fleet takes at most to find that somebody is gone. Milliseconds. */
const FAILOVER_MS = 10_000

const say = (text: string): void => void process.stdout.write(`${text}\n`)
const stage = new Stage(say)
const status = (): Promise<Status & { exitCode: number | null }> => stage.json<Status>(['status', ...FLEET, '--no-lag'])
const title = (text: string): void => say(`\n## ${text}`)

async function begin() {
  title('Emulators, a stream of 8 shards, records that keep coming, three workers')
  const local = stage.start(['local', '--kinesis-port', '0', '--dynamo-port', '0', '--stream', `${STREAM}:${SHARDS}`])
  await stage.until('millrace local is there', () => local.said.stdout.includes('Ctrl-C'), 20_000)
  stage.use(local.said.stdout)
  const putter = stage.start(['put', STREAM])
  let number = 0
  const putting = setInterval(() => {
    for (let n = 0; n < 6; n++) putter.child.stdin.write(`order ${number++}\n`)
  }, 250)
  const workers = ['web-1', 'web-2', 'web-3'].map(name => ({ name, ...stage.worker(name) }))
  await stage.until(
    'all shards are read, by three workers',
    async () => {
      const { leases, workers: there } = await status().catch(() => ({ leases: [], workers: [] }))
      const owners = new Set(leases.flatMap(({ workerId }) => workerId ?? []))
      return there.length === 3 && leases.length === SHARDS && owners.size === 3
    },
    60_000
  )
  return { local, putter, workers, stopPutting: () => clearInterval(putting), put: () => number }
}

async function look(): Promise<void> {
  title('How it is doing')
  const { code } = await stage.run(['status', ...FLEET])
  stage.check(code === 0, 'status ends with 0: all is well')
  const watched = await stage.frame(['watch', ...FLEET, '--every', '1s'], 6_000, { columns: 100, rows: 30 })
  stage.check(watched.frame.split('\n').length <= 30, 'a frame of watch fits the terminal')
  stage.check(watched.code === 0 && watched.endMs < 2_000, `Ctrl-C ends it (${Math.round(watched.endMs)} ms)`)
}

async function hang(): Promise<void> {
  title('A handler hangs at one shard')
  writeFileSync(stage.hangFile, HUNG)
  const lags: number[] = []
  for (let look = 0; look < 4; look++) {
    await sleep(3_000)
    const { shards } = await stage.json<Lag>(['lag', ...FLEET, '--shard', '3'])
    lags.push(shards[0]?.lagMs ?? Number.NaN)
  }
  say(`$ millrace lag --shard 3 --json, every 3 s: ${lags.join(', ')} ms`)
  const isGrowing = lags.every((lag, index) => index === 0 || lag >= (lags[index - 1] ?? 0) + 2_000)
  stage.check(isGrowing, 'its lag grows by as much as time passes')
  const ofOthers = (await stage.json<Lag>(['lag', ...FLEET])).shards.filter(({ shardId }) => shardId !== HUNG)
  stage.check(
    ofOthers.every(({ lagMs = Number.NaN }) => lagMs < 5_000),
    'that of the others does not'
  )
  await stage.until('the shard is red', async () => (await status()).color === 'red', 30_000)
  const { code, stdout } = await stage.run(['status', ...FLEET, '--no-lag'])
  stage.check(code === 3, 'status ends with 3: something is red')
  stage.check(/^ +3 {2}.*stalled: a call of the processor/m.test(stdout), 'it says which shard, and why')
  const over = await stage.run(['lag', ...FLEET, '--max', '5s'], 12)
  stage.check(over.code === 3, 'lag --max 5s ends with 3')
  rmSync(stage.hangFile)
  await stage.until('it is green once the handler returns', async () => (await status()).color === 'green', 60_000)
}

async function reset(): Promise<void> {
  title('Begin again at a time, while it runs')
  const atMs = Math.floor((Date.now() - 25_000) / 1_000) * 1_000
  await checkReset(stage, ['reset', ...FLEET, '--at', new Date(atMs).toISOString(), '--yes'], atMs, FAILOVER_MS, SHARDS)
}

async function steer(): Promise<void> {
  title('Pause, resume, move, release')
  const three = async () => (await status()).leases.find(({ shardId }) => shardId === HUNG)
  await stage.run(['pause', ...FLEET, '--shard', '3', '--why', 'the database is being mended', '--yes'])
  const pausedAtMs = Date.now()
  await sleep(6_000)
  const late = stage.noted().filter(({ shardId, atMs }) => shardId === HUNG && atMs > pausedAtMs)
  stage.check(late.length === 0, 'nothing of the shard was delivered since pause returned')
  stage.check((await three())?.state === 'held', 'status says that it is on hold')
  await stage.run(['resume', ...FLEET, '--shard', '3'])
  await stage.until('it is read again', async () => (await three())?.state === 'read', 15_000)
  const to = ['web-1', 'web-2', 'web-3'].find(name => name !== 'web-1') ?? ''
  const target = (await three())?.workerId === to ? 'web-1' : to
  const moved = await stage.run(['move', '3', target, ...FLEET])
  stage.check(moved.code === 0 && (await three())?.workerId === target, `shard 3 is with ${target}`)
  const released = await stage.run(['release', ...FLEET, '--shard', '1', '--yes'])
  stage.check(released.code === 0, 'shard 1 was given back')
  await stage.until(
    'everything is read',
    async () => (await status()).leases.every(({ state }) => state === 'read'),
    20_000
  )
}

async function examine(): Promise<void> {
  title('What is wrong, what it costs, backup')
  const doctor = await stage.run(['doctor', ...FLEET])
  stage.check(doctor.code === 0, 'doctor finds no error')
  stage.check((await stage.run(['cost', ...FLEET, '--observe', '5s'])).code === 0, 'cost')
  stage.check((await stage.run(['export', 'checkpoints.json', ...FLEET])).code === 0, 'export')
  const exportedAtMs = Date.now()
  await sleep(5_000)
  stage.check((await stage.run(['import', 'checkpoints.json', ...FLEET, '--yes'])).code === 0, 'import')
  await stage.until(
    'what came since the export is delivered again',
    () => figures(stage.noted(), exportedAtMs).repeated > 0,
    20_000
  )
}

async function attack(): Promise<void> {
  title('Two resets at once; a reset that is killed, and one that is interrupted')
  const [earlier, later] = [30_000, 10_000].map(ms => String(Math.floor((Date.now() - ms) / 1_000)))
  const args = ['reset', ...FLEET, '--yes', '--at']
  const both = [earlier, later].map(time => stage.start([...args, time ?? '']))
  for (const { child } of both) child.stdin.end()
  const outcomes = await Promise.all(both.map(({ over }) => over))
  for (const outcome of outcomes) stage.show([...args, '…'], outcome, 4)
  stage.check(
    outcomes.every(({ code }) => code === 0) && outcomes.some(({ stderr }) => stderr.includes('waiting until a reset')),
    'one waits for the other'
  )
  const isRead = async (): Promise<boolean> => (await status()).leases.every(({ state }) => state === 'read')
  await stage.until('everything is read again', isRead, 30_000)
  const killed = stage.start([...args, earlier ?? ''])
  await stage.until('a reset waits for the shards, and is killed', () => killed.said.stderr.includes('waiting'), 10_000)
  killed.child.kill('SIGKILL')
  await killed.over
  const interrupted = stage.start([...args, earlier ?? ''])
  await stage.until('the next one waits for its hold', () => interrupted.said.stderr.includes('is over'), 10_000)
  interrupted.child.kill('SIGINT')
  const outcome = await interrupted.over
  stage.show([...args, earlier ?? '', '(Ctrl-C)'], outcome, 4)
  stage.check(outcome.code === 130 && /Interrupted/.test(outcome.stderr), 'Ctrl-C says what is left of it')
  const again = await stage.run([...args, later ?? ''], 14)
  stage.check(again.code === 0, 'once the hold has lapsed, a reset is done')
  await stage.until(
    'everything is read',
    async () => (await status()).leases.every(({ state }) => state === 'read'),
    30_000
  )
}

async function end({ local, putter, workers, stopPutting, put }: Awaited<ReturnType<typeof begin>>): Promise<void> {
  title('The end')
  stopPutting()
  putter.child.stdin.end()
  await putter.over
  await stage.until(
    'what was put is processed',
    async () => (await stage.json<Lag>(['lag', ...FLEET])).shards.every(({ lagMs }) => lagMs === 0),
    30_000
  )
  const { records, repeated } = figures(stage.noted(), 0)
  stage.check(
    records === put(),
    `${put()} records were put, ${records} of them delivered; ${repeated} deliveries were repetitions`
  )
  for (const { name, child, over } of workers) {
    child.kill('SIGTERM')
    stage.check((await over).code === 0, `${name} drained, and ended with 0`)
  }
  local.child.kill('SIGINT')
  stage.check((await local.over).code === 0, 'the emulators ended with 0')
  stage.check(stage.running === 0, 'no process is left')
}

try {
  const running = await begin()
  await look()
  await hang()
  await reset()
  await steer()
  await examine()
  await attack()
  await end(running)
} catch (error) {
  stage.check(false, String(error))
} finally {
  stage.clear()
}
say(`\n${stage.passed} passed, ${stage.failed} failed`)
process.exitCode = stage.failed === 0 ? 0 : 1
