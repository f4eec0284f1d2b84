// The worker processes of a chaos run: starts them, sends them signals and writes down which and when, and leaves none
// behind.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { systemClock } from '../../src/runtime/clock.ts'
import { readWorkerLedger, type WorkerLedger } from './wire-chaos-ledgers.ts'
import type { Hit } from './wire-chaos-verdict.ts'

/** What the processes are started with. */
export interface ChaosFleetOptions {
  readonly env: NodeJS.ProcessEnv
  /** Where the ledgers go. */
  readonly folder: string
  /** Told of everything that is worth a line. */
  readonly say: (what: string) => void
}

interface Running {
  readonly worker: string
  readonly child: ChildProcess
  state: 'starting' | 'running' | 'paused' | 'ending'
}

const SCRIPT = join(import.meta.dirname, 'wire-chaos-worker.mjs')
/** The grace that a worker has to stop, and some. */
const STOP_WITHIN_MS = 45_000

/** One process a worker; none has the name of an earlier one. */
export class ChaosFleet {
  /** Every signal that was sent to do harm, and every gentle one before {@link stopAll}. */
  readonly hits: Hit[] = []
  /** What no signal explains, such as a process that ended on its own. */
  readonly problems: string[] = []
  readonly #options: ChaosFleetOptions
  readonly #running = new Map<string, Running>()
  #started = 0

  constructor(options: ChaosFleetOptions) {
    this.#options = options
  }

  /** Names of the workers that are not paused and have not been told to end. */
  get able(): string[] {
    return [...this.#running.values()].flatMap(({ worker, state }) =>
      state === 'paused' || state === 'ending' ? [] : worker
    )
  }

  get paused(): number {
    return [...this.#running.values()].filter(({ state }) => state === 'paused').length
  }

  /** Starts a process. Resolves with the name of its worker once that has started, or the process has ended. */
  async start(): Promise<string> {
    const worker = `w${this.#started++}`
    const env = { ...this.#options.env, WORKER: worker, LEDGER: this.#ledgerFile(worker) }
    const child = fork(SCRIPT, { env, execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const running: Running = { worker, child, state: 'starting' }
    this.#running.set(worker, running)
    const ended = once(child, 'exit')
    child.once('exit', (code, signal) => {
      this.#running.delete(worker)
      // SIGTERM ends a process that has not come so far as to listen to it.
      if (running.state === 'ending' ? code === 0 || signal !== null : false) return
      this.problems.push(`${worker} ended with ${signal ?? code} while ${running.state}`)
    })
    await Promise.race([once(child, 'message'), ended])
    if (running.state === 'starting') running.state = 'running'
    return worker
  }

  /** SIGKILL. */
  kill(worker: string): void {
    const running = this.#get(worker)
    running.state = 'ending'
    this.#hit(running, 'SIGKILL')
  }

  /** SIGSTOP, and SIGCONT after `forMs` milliseconds or when `signal` aborts. */
  async pause(worker: string, forMs: number, signal: AbortSignal): Promise<void> {
    const running = this.#get(worker)
    running.state = 'paused'
    this.#hit(running, 'SIGSTOP')
    await systemClock.sleep(forMs, signal)
    running.state = 'running'
    this.#hit(running, 'SIGCONT')
  }

  /** SIGTERM. Resolves when the process has ended; one that does not is killed, and that is a problem. */
  async stop(worker: string): Promise<void> {
    const running = this.#get(worker)
    this.hits.push({ atMs: systemClock.monotonicMs(), worker, signal: 'SIGTERM' })
    await this.#end(running)
  }

  /** SIGTERM to all that run. Resolves when they have ended. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#running.values()].map(running => this.#end(running)))
  }

  /** SIGKILL to all that run. Does not wait: there is nothing that they can do about it. */
  killAll(): void {
    for (const running of this.#running.values()) {
      running.state = 'ending'
      running.child.kill('SIGKILL')
    }
  }

  ledgers(): WorkerLedger[] {
    return Array.from({ length: this.#started }, (_, i) => `w${i}`).flatMap(worker => {
      try {
        return readWorkerLedger(worker, this.#ledgerFile(worker))
      } catch (error) {
        // A process that was killed right away has not written anything.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
        throw error
      }
    })
  }

  #ledgerFile(worker: string): string {
    return join(this.#options.folder, `${worker}.jsonl`)
  }

  #get(worker: string): Running {
    const running = this.#running.get(worker)
    if (running === undefined) throw new Error(`There is no process of ${worker}`)
    return running
  }

  #hit({ worker, child }: Running, signal: Hit['signal']): void {
    this.hits.push({ atMs: systemClock.monotonicMs(), worker, signal })
    this.#options.say(`${signal} ${worker}`)
    child.kill(signal)
  }

  async #end({ worker, child }: Running): Promise<void> {
    const running = this.#running.get(worker)
    if (running === undefined) return
    const beganMs = systemClock.monotonicMs()
    const isFirst = running.state !== 'ending'
    running.state = 'ending'
    const over = new AbortController()
    const ended = once(child, 'exit').finally(() => over.abort())
    if (isFirst) child.kill('SIGTERM')
    await Promise.race([ended, systemClock.sleep(STOP_WITHIN_MS, over.signal)])
    const tookMs = Math.round(systemClock.monotonicMs() - beganMs)
    if (isFirst) this.#options.say(`SIGTERM ${worker}: it ended after ${(tookMs / 1_000).toFixed(1)} s`)
    if (over.signal.aborted) return
    this.problems.push(`${worker} did not end within ${STOP_WITHIN_MS} ms of SIGTERM`)
    child.kill('SIGKILL')
    await ended
  }
}
