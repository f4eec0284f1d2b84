// Processes that take part in a benchmark: each in a process of its own, on a core of its own where the machine allows it,
// and without anything in its environment that leads to the real AWS.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { emulatorEnvironment } from '../examples/support/emulator-environment.ts'
import type { Answer, Question } from './child-side.ts'

/** Where a process runs: the one that is measured on a core of its own, everything else on the others. */
export type Role = 'measured' | 'other'

/** What a child is started with. */
export interface ChildOptions {
  readonly role: Role
  /** What is said of it where it fails. */
  readonly name: string
  readonly arguments?: readonly string[]
  /** Flags of Node.js itself. */
  readonly nodeFlags?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

type Asynchronous<F> = F extends (...parameters: infer P) => infer R ? (...parameters: P) => Promise<Awaited<R>> : never

/** A child process whose questions are the methods of `Q`. */
export interface Child<Q> {
  readonly pid: number
  /** The questions as functions. They reject if the child fails, or ends before it has answered. */
  readonly ask: { readonly [Name in keyof Q]: Asynchronous<Q[Name]> }
  /** Ends it at once; resolves when it is gone. */
  end(): Promise<void>
}

const KEPT_STDERR = 4_000
/** Whether processes can be kept on cores of their own. */
const CAN_PIN = availableParallelism() > 1 && spawnSync('taskset', ['-c', '0', 'true']).status === 0

/** How processes are kept apart, for the report. */
export function pinning(): string {
  return CAN_PIN
    ? 'what is measured runs on core 0 alone, everything else on the other cores'
    : 'the scheduler decides what runs where: taskset or a second core is missing'
}

/** The command that runs something where its role wants it. */
export function pinned(role: Role, command: string, parameters: readonly string[]): [string, string[]] {
  if (!CAN_PIN) return [command, [...parameters]]
  const cores = role === 'measured' ? '0' : `1-${availableParallelism() - 1}`
  return ['taskset', ['-c', cores, command, ...parameters]]
}

/** Starts a TypeScript module of this folder, such as `source/source-process.ts`, in a process of its own. */
export function startChild<Q extends object>(module: string, options: ChildOptions): Child<Q> {
  const path = fileURLToPath(new URL(module, import.meta.url))
  const flags = [...(options.nodeFlags ?? []), '--import', 'tsx', path, ...(options.arguments ?? [])]
  const nowhere = 'http://127.0.0.1:1'
  const child = spawn(...pinned(options.role, process.execPath, flags), {
    env: { ...emulatorEnvironment({ kinesis: nowhere, dynamodb: nowhere }), ...options.environment },
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: ['ignore', 'ignore', 'pipe', 'ipc']
  })
  return new Conversation<Q>(child, options.name)
}

class Conversation<Q extends object> implements Child<Q> {
  readonly ask: Child<Q>['ask']
  readonly #child: ChildProcess
  readonly #name: string
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  #asked = 0
  #stderr = ''

  constructor(child: ChildProcess, name: string) {
    this.#child = child
    this.#name = name
    child.on('message', (answer: Answer) => this.#hear(answer))
    child.on('error', error => this.#failAll(error.message))
    child.on('exit', (code, signal) => this.#failAll(`it ended with ${signal ?? code}`))
    child.stderr?.setEncoding('utf8').on('data', text => {
      this.#stderr = (this.#stderr + text).slice(-KEPT_STDERR)
    })
    this.ask = new Proxy({} as Child<Q>['ask'], {
      get:
        (_, name) =>
        (...parameters: unknown[]) =>
          this.#ask(String(name), parameters)
    })
  }

  get pid(): number {
    return this.#child.pid ?? -1
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await gone
  }

  #ask(name: string, parameters: readonly unknown[]): Promise<unknown> {
    if (!this.#child.connected) return Promise.reject(new Error(`${this.#name} is gone. ${this.#stderr}`))
    const id = this.#asked++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#child.send({ id, name, parameters } satisfies Question)
    })
  }

  #hear({ id, value, error }: Answer): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error === undefined) waiting?.resolve(value as never)
    else waiting?.reject(new Error(`${this.#name} failed: ${error}`))
  }

  #failAll(because: string): void {
    for (const { reject } of this.#waiting.values()) reject(new Error(`${this.#name}: ${because}. ${this.#stderr}`))
    this.#waiting.clear()
  }
}
