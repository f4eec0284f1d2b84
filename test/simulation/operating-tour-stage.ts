// What the tour is played on: the program as processes on emulators, what their handlers wrote down, and a count of what was as it
// should be.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { devNull, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'

/** A line that a handler wrote. */
export interface Noted {
  readonly atMs: number
  readonly what: 'opened' | 'delivered'
  readonly shardId: string
  readonly sequenceNumber?: string
  readonly arrivedAtMs?: number
  /** The payload: `order` and its number. */
  readonly text?: string
}

/** What a command came to. */
export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export const STREAM = 'orders'
export const APP = 'order-printer'
export const FLEET = ['--stream', STREAM, '--app', APP] as const

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const WORKER = fileURLToPath(new URL('operating-tour-worker.mjs', import.meta.url))
/** Makes the program think that it writes to a terminal of this size. */
const TERMINAL = (columns: number, rows: number): string =>
  `data:text/javascript,for (const out of [process.stdout, process.stderr]) Object.assign(out, { isTTY: true, columns: ${columns}, rows: ${rows} })`

export const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** Everything that runs, and what it wrote. */
export class Stage {
  readonly folder = mkdtempSync(join(tmpdir(), 'millrace-tour-'))
  readonly ledgers: string[] = []
  passed = 0
  failed = 0
  readonly #children = new Set<ChildProcess>()
  #env: NodeJS.ProcessEnv
  #say: (text: string) => void

  constructor(say: (text: string) => void) {
    this.#say = say
    const others = Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_'))
    this.#env = {
      ...Object.fromEntries(others),
      ...{ AWS_CONFIG_FILE: devNull, AWS_SHARED_CREDENTIALS_FILE: devNull, NO_COLOR: '1', HANG: this.hangFile }
    }
  }

  /** What is in it names the shard at which handlers hang. */
  get hangFile(): string {
    return join(this.folder, 'hang')
  }

  /** Starts a command, as a process of its own. */
  start(args: readonly string[], { env = {}, node = [] }: { env?: object; node?: readonly string[] } = {}) {
    const child = spawn(process.execPath, [...node, MAIN, ...args], {
      cwd: this.folder,
      env: { ...this.#env, ...env },
      stdio: ['pipe', 'pipe', 'pipe']
    })
    this.#children.add(child)
    const said = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', text => {
        said[name] += text
      })
    }
    child.stdin.on('error', () => {})
    const over = new Promise<Outcome>(resolve => {
      child.on('close', code => {
        this.#children.delete(child)
        resolve({ code, ...said })
      })
    })
    return { child, said, over }
  }

  /** Runs a command to its end, and shows it: its first lines, if there are many. */
  async run(args: readonly string[], lines = 40): Promise<Outcome> {
    const { child, over } = this.start(args)
    child.stdin.end()
    const outcome = await over
    this.show(args, outcome, lines)
    return outcome
  }

  /** Runs a command that prints JSON, without a word. */
  async json<T>(args: readonly string[]): Promise<T & { readonly exitCode: number | null }> {
    const { child, over } = this.start([...args, '--json'])
    child.stdin.end()
    const { code, stdout, stderr } = await over
    try {
      return { ...JSON.parse(stdout), exitCode: code }
    } catch {
      throw new Error(`millrace ${args.join(' ')} said no JSON: ${stdout}${stderr}`)
    }
  }

  /** The last whole frame of a command that draws for a while, on a terminal that is pretended. */
  async frame(args: readonly string[], forMs: number, { columns, rows }: { columns: number; rows: number }) {
    const { child, said, over } = this.start(args, { node: ['--import', TERMINAL(columns, rows)] })
    await sleep(forMs)
    child.kill('SIGINT')
    const fromMs = performance.now()
    const { code } = await over
    const endMs = performance.now() - fromMs
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a frame ends where the next one goes back over it
    const frames = said.stdout.split(/\u001b\[H|\u001b\[\?25h/)
    const texts = frames.map(frame => stripVTControlCharacters(frame).replaceAll('\r', '').trimEnd())
    const whole = texts.filter(isWhole)
    this.#say(`$ millrace ${args.join(' ')}   (${columns} x ${rows}, until Ctrl-C)`)
    this.#say(indented((whole.at(-1) ?? said.stdout + said.stderr).replace(/\n{3,}/, '\n\n')))
    return { code, frame: whole.at(-1) ?? '', endMs }
  }

  /** Shows what a command said. */
  show(args: readonly string[], { stdout, stderr, code }: Outcome, most = 40): void {
    this.#say(`$ millrace ${args.join(' ')}`)
    const lines = `${stderr}${stdout}`.trimEnd().split('\n')
    const more = lines.length > most ? [`… ${lines.length - most} more lines`] : []
    this.#say(indented([...lines.slice(0, most), ...more, `(exit code ${code})`].join('\n')))
  }

  /** The variables that a command printed lead everybody from now on. */
  use(exported: string): void {
    for (const [, name = '', value] of exported.matchAll(/^export (\w+)=(.*)$/gm)) this.#env[name] = value
  }

  /** Starts a worker whose handler writes into a ledger. */
  worker(name: string) {
    const ledger = join(this.folder, `${name}.jsonl`)
    this.ledgers.push(ledger)
    const args = ['run', WORKER, ...FLEET, '--worker-id', name, '--from', 'trim']
    return this.start(args, { env: { LEDGER: ledger } })
  }

  /** Everything that handlers wrote, in the order of time. */
  noted(): Noted[] {
    const texts = this.ledgers.filter(file => existsSync(file)).map(file => readFileSync(file, 'utf8'))
    // A line that is being written may be cut off.
    const lines = texts.flatMap(text => text.split('\n').slice(0, -1))
    return lines.map(line => JSON.parse(line) as Noted).sort((a, b) => a.atMs - b.atMs)
  }

  check(isTrue: boolean, what: string): void {
    this[isTrue ? 'passed' : 'failed'] += 1
    this.#say(`${isTrue ? 'ok  ' : 'FAIL'} ${what}`)
  }

  /** Waits for something, and counts whether it came. Resolves with how long that took. */
  async until(what: string, isSo: () => boolean | Promise<boolean>, limitMs: number): Promise<number> {
    const fromMs = performance.now()
    let isReached = await isSo()
    while (!isReached && performance.now() - fromMs < limitMs) {
      await sleep(200)
      isReached = await isSo()
    }
    const ms = Math.round(performance.now() - fromMs)
    this.check(isReached, `${what} (${(ms / 1_000).toFixed(1)} s)`)
    return ms
  }

  /** How many processes still run. */
  get running(): number {
    return this.#children.size
  }

  /** Ends what still runs, and removes what was written. */
  clear(): void {
    for (const child of this.#children) child.kill('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** With the foot that stands below each page; the page that is left behind has none. */
function isWhole(frame: string): boolean {
  return frame.includes(STREAM) && frame.endsWith('Ctrl-C ends')
}

function indented(text: string): string {
  return text.replace(/^/gm, '    ')
}
