// A daemon as a process, ours or that of Java: with the properties of a sample and an overlay, what it says, what its children
// say, what it holds in memory, and how it ends.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Sample } from './install.ts'

const PROGRAM = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js')

/** How a daemon is started. */
export interface DaemonStart {
  readonly sample: Sample
  /** Lines that are added to the properties of the sample. */
  readonly overlay: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Where the properties, and what node's sample writes, go. */
  readonly folder: string
  /** The class path of that of Java. Absent: ours. */
  readonly java?: { readonly classPath: string; readonly options: readonly string[] }
}

/** A daemon that runs. */
export class Daemon {
  readonly startedMs = performance.now()
  readonly #process: ChildProcess
  readonly #exit: Promise<unknown[]>
  /** What each child has written to its standard error, as the log of our daemon says it. */
  readonly #said = new Map<number, string>()
  /** All that the daemon has written, and its end. */
  output = ''
  readonly #log: string

  constructor({ sample, overlay, env, folder, java }: DaemonStart) {
    const properties = join(folder, `${sample.name}.properties`)
    writeFileSync(properties, `${readFileSync(sample.properties, 'utf8')}\n# added\n${overlay.join('\n')}\n`)
    const [program, ...given] =
      java === undefined
        ? [process.execPath, PROGRAM, 'multilang', '--properties', properties]
        : ['java', ...java.options, '-cp', java.classPath, MAIN, '--properties-file', properties]
    this.#log = join(folder, `${sample.name}-daemon.log`)
    this.#process = spawn(program as string, given, {
      cwd: sample.folder,
      env: { ...process.env, ...sample.env, ...env, NODE_LOG_DIR: folder },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    this.#exit = once(this.#process, 'exit')
    for (const pipe of [this.#process.stdout, this.#process.stderr]) {
      if (pipe !== null) createInterface({ input: pipe }).on('line', line => this.#hear(line))
    }
  }

  get isOver(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null
  }

  /** What children have written to their standard error. */
  get said(): readonly string[] {
    return [...this.#said.values()]
  }

  /** Resident memory of the daemon without its children. Megabytes. */
  memoryMb(): number {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, 'utf8')
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024)
  }

  /** Asks it to end, and resolves with its exit code. */
  async stop(): Promise<number | string> {
    if (!this.isOver) this.#process.kill('SIGTERM')
    const [code, signal] = await this.#exit
    return (code ?? signal) as number | string
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#exit
  }

  #hear(line: string): void {
    this.output = `${this.output}${line}\n`.slice(-2_000_000)
    appendFileSync(this.#log, `${line}\n`)
    if (!line.startsWith('{')) return
    try {
      const { pid, line: said, isCut } = JSON.parse(line) as { pid?: number; line?: string; isCut?: boolean }
      if (pid === undefined || said === undefined) return
      this.#said.set(pid, `${this.#said.get(pid) ?? ''}${said}${isCut === true ? '' : '\n'}`)
    } catch {
      // It is no line of our log.
    }
  }
}

const MAIN = 'software.amazon.kinesis.multilang.MultiLangDaemon'
