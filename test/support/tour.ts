// Takes the tour of docs/getting-started.md as a reader does: every block is pasted into the terminal that the page names, in an
// empty folder, and what the page shows has to be seen.
import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { systemClock } from '../../src/runtime/clock.ts'
import { patternOf, type Step, stepsOf } from './page-steps.ts'
import { pollUntil } from './poll.ts'
import { ShellTerminal } from './shell-terminal.ts'
import { ROOT } from './source-files.ts'

const run = promisify(execFile)

/** The first line of a command that stands in the way of another: from here on the other one is found. */
const LEAVE_PATH = ['PATH="$', '{PATH#*:}"'].join('')

/** How the tour is taken. */
export interface TourOptions {
  readonly page: string
  /** Where `npm install` gets what this package depends on: from a registry, or from the repository, which takes no time. */
  readonly from: 'registry' | 'repository'
  /** The workers of the page, of which it does not say which comes first. */
  readonly workers: readonly string[]
  /** How long each step may take. Milliseconds. */
  readonly stepMs: number
  readonly tell?: (text: string) => void
}

/** How it went. */
export interface TourReport {
  readonly steps: number
  /** From the first command to the last, without the reading. */
  readonly seconds: number
}

/** Takes it. @throws Error that says at which line of the page it went wrong, with all that was seen */
export async function takeTour(options: TourOptions): Promise<TourReport> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-tour-'))
  const tour = new Tour(options, join(folder, 'home'))
  try {
    const env = {
      ...cleanEnvironment(),
      PATH: `${await commandsIn(folder, options.from)}${delimiter}${process.env.PATH}`
    }
    return await tour.take(env)
  } finally {
    await tour.end()
    rmSync(folder, { recursive: true, force: true })
  }
}

class Tour {
  readonly #options: TourOptions
  readonly #home: string
  readonly #terminals = new Map<number, ShellTerminal>()
  readonly #closed: ShellTerminal[] = []

  constructor(options: TourOptions, home: string) {
    this.#options = options
    this.#home = home
    mkdirSync(home)
  }

  async take(env: NodeJS.ProcessEnv): Promise<TourReport> {
    const { page, tell } = this.#options
    const steps = stepsOf(page)
    const startMs = systemClock.monotonicMs()
    const elapsed = (): number => (systemClock.monotonicMs() - startMs) / 1_000
    for (const step of steps) {
      try {
        await this.#take(step, env)
      } catch (error) {
        throw new Error(`${page}:${step.line}: ${error}\n${this.#everythingSeen()}`, { cause: error })
      }
      tell?.(`${elapsed().toFixed(1).padStart(6)} s  ${page}:${step.line}  ${step.kind}`)
    }
    return { steps: steps.length, seconds: elapsed() }
  }

  async end(): Promise<void> {
    for (const terminal of [...this.#terminals.values(), ...this.#closed]) await terminal.close('SIGKILL')
  }

  async #take(step: Step, env: NodeJS.ProcessEnv): Promise<void> {
    if (step.kind === 'paste') return this.#paste(step, env)
    if (step.kind === 'see') return this.#see(step)
    const terminal = this.#open(step.terminal)
    if (step.kind === 'interrupt') return terminal.interrupt(this.#options.stepMs)
    await terminal.close()
    this.#terminals.delete(step.terminal)
    this.#closed.push(terminal)
  }

  async #paste(step: Step & { readonly kind: 'paste' }, env: NodeJS.ProcessEnv): Promise<void> {
    const { stepMs } = this.#options
    const { terminal: number, text } = step
    const terminal = this.#terminals.get(number) ?? new ShellTerminal(this.#folder(), env)
    this.#terminals.set(number, terminal)
    await pollUntil('what was pasted before', () => terminal.isReady, stepMs)
    terminal.paste(text)
    const { length } = terminal.output
    // A program that goes on has begun once it has said something; others are waited for.
    const goesOn = /^\s*npx millrace (local|run)\b.*$/m.test(text)
    const goesWell = (): boolean => terminal.isReady || (goesOn && terminal.output.length > length)
    await pollUntil('the end of the commands', () => goesWell() || terminal.hasEnded, stepMs)
    if (!goesWell()) throw new Error('a command failed')
  }

  async #see({ terminals, lines }: Step & { readonly kind: 'see' }): Promise<void> {
    const shown = terminals.map(number => this.#open(number))
    for (const line of lines) {
      const pattern = patternOf(line, this.#options.workers)
      const isSeen = (): boolean => shown.some(({ output }) => pattern.test(output))
      await pollUntil(`“${line.trim()}”`, isSeen, this.#options.stepMs)
    }
  }

  #open(number: number): ShellTerminal {
    const terminal = this.#terminals.get(number)
    if (terminal === undefined) throw new Error(`terminal ${number} is not open`)
    return terminal
  }

  /** A new terminal is opened in the folder that the first one has made, once it has. */
  #folder(): string {
    const [made] = readdirSync(this.#home)
    return made === undefined ? this.#home : join(this.#home, made)
  }

  #everythingSeen(): string {
    return [...this.#terminals].map(([number, { output }]) => `--- terminal ${number}\n${output}`).join('\n')
  }
}

/** What is no reader's: what npm and the runner of the tests leave to their children, and AWS. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const strange = /^(npm_|NODE_|AWS_|MOCHA_|TS|INIT_CWD)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !strange.test(name)))
}

/**
 * Commands that stand in the way of others: `npm install` has the package as it is packed here, and the emulators have ports that
 * are free.
 *
 * @returns the folder to look for them in
 */
async function commandsIn(folder: string, from: TourOptions['from']): Promise<string> {
  const pack = ['pack', '--json', '--silent', '--ignore-scripts', '--pack-destination', folder]
  await run('npm', pack, { cwd: ROOT })
  const tarball = join(folder, readdirSync(folder).find(name => name.endsWith('.tgz')) ?? '')
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  const install = `exec "${process.execPath}" "${join(ROOT, 'test/support/tour-install.mjs')}" "${tarball}" "$@"`
  const online = `for each; do shift; [ "$each" = millrace ] && each="${tarball}"; set -- "$@" "$each"; done; exec npm install "$@"`
  const lines = {
    npm: [
      LEAVE_PATH,
      'if [ "$1" != install ]; then exec npm "$@"; fi',
      'shift',
      from === 'repository' ? install : online
    ],
    npx: [
      LEAVE_PATH,
      'if [ "$1 $2" != "millrace local" ]; then exec npx "$@"; fi',
      'shift 2',
      'exec npx millrace local --kinesis-port 0 --dynamo-port 0 "$@"'
    ]
  }
  for (const [name, script] of Object.entries(lines)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script.join('\n')}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  return bin
}
