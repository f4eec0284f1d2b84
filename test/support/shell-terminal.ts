// A shell as in a terminal: text is pasted into it, Ctrl-C is pressed, its window is closed. It and all that it starts are one group
// of processes, which ends with it.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { pollUntil } from './poll.ts'
import { isGroupRunning } from './process-group.ts'

/** A shell of its own. */
export class ShellTerminal {
  readonly #shell: ChildProcess
  readonly #closed: Promise<unknown>
  #output = ''
  #pasted = 0
  #sinceAt = 0
  #hasEnded = false

  constructor(cwd: string, env: NodeJS.ProcessEnv) {
    this.#shell = spawn('bash', ['--norc', '--noprofile', '-e'], { cwd, env, detached: true, stdio: 'pipe' })
    for (const stream of [this.#shell.stdout, this.#shell.stderr]) {
      stream?.setEncoding('utf8').on('data', text => {
        this.#output += text
      })
    }
    this.#shell.stdin?.on('error', () => {}) // It ended before it had read everything: the next paste says so.
    this.#closed = once(this.#shell, 'close').then(() => {
      this.#hasEnded = true
    })
  }

  /** What was written since something was pasted last, errors included. */
  get output(): string {
    return this.#output.slice(this.#sinceAt)
  }

  /** Whether what was pasted is done, and the shell waits for more. */
  get isReady(): boolean {
    return this.#pasted === 0 || this.#output.includes(this.#mark)
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Has the shell run some lines. The first one that fails ends it. */
  paste(text: string): void {
    if (this.#hasEnded || !this.isReady) throw new Error(`The terminal is busy or has ended:\n${this.output}`)
    this.#sinceAt = this.#output.length
    this.#pasted++
    // What runs must not read the lines that come later.
    this.#shell.stdin?.write(`{ :\n${text}\n} < /dev/null\necho "${this.#mark}"\n`)
  }

  /** As Ctrl-C does: whatever is in the foreground is interrupted. Resolves once it has ended. */
  async interrupt(withinMs: number): Promise<void> {
    this.#signal('SIGINT')
    await pollUntil('the end of what was interrupted', () => this.isReady || this.#hasEnded, withinMs)
  }

  /** As closing its window does. Resolves once nothing of it runs. */
  async close(signal: 'SIGHUP' | 'SIGKILL' = 'SIGHUP'): Promise<void> {
    const { pid } = this.#shell
    this.#signal(signal)
    if (pid !== undefined) await pollUntil('the end of a terminal', () => !isGroupRunning(pid))
    this.#shell.stdout?.destroy()
    this.#shell.stderr?.destroy()
    await this.#closed
  }

  get #mark(): string {
    return `=== done with ${this.#pasted} ===`
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#shell
    try {
      if (pid !== undefined) process.kill(-pid, signal)
    } catch {
      // Nothing of it runs any more.
    }
  }
}
