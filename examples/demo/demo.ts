// npm start: runs the demo from beginning to end and leaves nothing behind, however it ends. What happens in it is in
// scenario.ts, what it proves in proof.ts, how it is told in conclusion.ts.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { emulatorEnvironment, SILENT_SDK } from '../support/emulator-environment.ts'
import type { Endpoints } from '../support/emulator-process.ts'
import { readAccessLog } from './access-log.ts'
import { Board } from './board.ts'
import { Children } from './children.ts'
import { conclude } from './conclusion.ts'
import { Fleet } from './fleet.ts'
import { type DemoOptions, EXIT, HELP, parseOptions } from './options.ts'
import { FIRST_SHARDS, FIRST_WORKERS, NEW_WORKER, play, SHARDS_IN_ALL } from './scenario.ts'
import { Stream } from './stream.ts'
import { makeView } from './view.ts'

/** No run may take longer, counted from the start of this process. */
const WATCHDOG_MS = 55_000
/** Of the result, where the output is no terminal. */
const COLUMNS = 80

/** Why the demo ends early. */
class Ending extends Error {
  readonly exitCode: number

  constructor(message: string, exitCode: number) {
    super(message)
    this.exitCode = exitCode
  }
}

async function main(): Promise<number> {
  const options = readOptions()
  if (typeof options === 'number') return options
  Object.assign(process.env, SILENT_SDK)
  const { promise: ending, end } = endings()
  const children = new Children(error => end(error))
  const directory = mkdtempSync(join(tmpdir(), 'millrace-demo-'))
  const lines = readAccessLog()
  const board = new Board(lines.length)
  const view = makeView(options.json ? 'program' : 'person', {
    title: ' Millrace: 10,000 access-log lines through one stream, read by three processes',
    shards: SHARDS_IN_ALL,
    workers: [...FIRST_WORKERS, NEW_WORKER]
  })
  const run = async (): Promise<number> => {
    view.start(board)
    const { stream, env } = await startStream(children, board)
    const fleet = new Fleet({ children, board, env, streamName: stream.name, directory })
    await play({ lines, stream, fleet, board })
    await fleet.stopAll()
    view.stop()
    const evidence = { lines, ledgers: fleet.ledgers, board, elapsedMs: performance.now() }
    const { text, exitCode } = conclude(evidence, { json: options.json, columns: process.stdout.columns || COLUMNS })
    console.log(text)
    return exitCode
  }
  try {
    return await Promise.race([run(), ending])
  } catch (error) {
    view.stop()
    return tellEnding(error)
  } finally {
    await children.killAll()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The options, or the exit code if there is nothing to run. */
function readOptions(): DemoOptions | number {
  try {
    const options = parseOptions(process.argv.slice(2))
    if (!options.help) return options
    console.log(HELP)
    return EXIT.good
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`)
    return EXIT.misused
  }
}

/** A promise that rejects when the demo has to end before its time: a signal, the watchdog, or what `end` is told. */
function endings(): { promise: Promise<never>; end: (error: Error) => void } {
  let end: (error: Error) => void = () => {}
  const promise = new Promise<never>((_, reject) => {
    end = reject
  })
  promise.catch(() => {})
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => end(new Ending('Interrupted.', EXIT.interrupted)))
  }
  // Whoever read the output, as `npm start | head`, has seen enough.
  process.stdout.on('error', () => end(new Ending('Standard output was closed.', EXIT.bad)))
  // A terminal that is closed refuses the last words too.
  process.stderr.on('error', () => {})
  // npm passes signals on, but not the one that it cannot catch itself.
  const { ppid } = process
  const orphaned = new Ending('npm is gone.', EXIT.interrupted)
  if (process.env.npm_lifecycle_event === 'start') {
    setInterval(() => process.ppid === ppid || end(orphaned), 250).unref()
  }
  const late = new Ending(`The demo is not done after ${WATCHDOG_MS / 1000} s: something hangs.`, EXIT.bad)
  setTimeout(() => end(late), WATCHDOG_MS - performance.now()).unref()
  return { promise, end }
}

function tellEnding(error: unknown): number {
  console.error(error instanceof Ending ? error.message : error)
  return error instanceof Ending ? error.exitCode : EXIT.bad
}

async function startStream(children: Children, board: Board): Promise<{ stream: Stream; env: NodeJS.ProcessEnv }> {
  const env = emulatorEnvironment({ kinesis: '', dynamodb: '' })
  const module = new URL('../support/emulator-process.ts', import.meta.url)
  const emulators: ChildProcess = children.fork(module, [], env)
  const [endpoints] = (await once(emulators, 'message')) as [Endpoints]
  const stream = new Stream('access-log', endpoints.kinesis)
  await stream.create(FIRST_SHARDS)
  board.noteShards(await stream.shards())
  return { stream, env: emulatorEnvironment(endpoints) }
}

process.exit(await main())
