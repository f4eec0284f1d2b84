// Every process that the demo starts, so that none is left behind.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

/** A process of the demo ended although nobody had asked it to. */
export class ChildFailedError extends Error {}

const STDERR_KEPT = 2_000

export class Children {
  readonly #running = new Set<ChildProcess>()
  readonly #expected = new WeakSet<ChildProcess>()
  readonly #failed: (error: ChildFailedError) => void
  #isOver = false

  /** @param failed told when a child ends that was neither killed nor released */
  constructor(failed: (error: ChildFailedError) => void) {
    this.#failed = failed
  }

  /** Starts a module of TypeScript as a child with a channel for messages. */
  fork(module: URL, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
    if (this.#isOver) throw new ChildFailedError('The demo is over: nothing is started any more')
    const child = fork(module, args, { env, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    let stderr = ''
    child.stderr?.setEncoding('utf8').on('data', text => {
      stderr = (stderr + text).slice(-STDERR_KEPT)
    })
    this.#running.add(child)
    child.once('error', error => this.#failed(new ChildFailedError(error.message)))
    child.once('close', (code, signal) => {
      this.#running.delete(child)
      if (this.#expected.has(child)) return
      this.#failed(new ChildFailedError(`${module.pathname.split('/').at(-1)} ended with ${signal ?? code}\n${stderr}`))
    })
    return child
  }

  /** Says that a child is going to end, and that this is all right. */
  release(child: ChildProcess): void {
    this.#expected.add(child)
  }

  /** Ends a child at once: it cannot do anything about it. */
  kill(child: ChildProcess): void {
    this.release(child)
    child.kill('SIGKILL')
  }

  /** Ends all that run, for good. Resolves when they are gone. */
  async killAll(): Promise<void> {
    this.#isOver = true
    await Promise.all(
      [...this.#running].map(async child => {
        const gone = once(child, 'close')
        this.kill(child)
        await gone
      })
    )
  }
}
