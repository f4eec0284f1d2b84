// The worker processes of both kinds: starts them, sends them signals and writes down which and when, and leaves none behind.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { join } from 'node:path'
import { emulatorEnvironment } from '../../examples/support/emulator-environment.ts'
import type { Endpoints } from '../../examples/support/emulator-process.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { type Kind, Ledgers } from './ledgers.ts'
import type { Hit } from './verdict.ts'

/** What the processes are started with. */
export interface FleetOptions {
  readonly endpoints: Endpoints
  readonly stream: string
  readonly application: string
  /** Where the ledgers and what the processes print go. */
  readonly folder: string
  /** Told of everything that is worth a line. */
  readonly say: (what: string) => void
}

/** How a Java worker is started. */
export interface JavaProgram {
  readonly java: string
  readonly classPath: string
  /** Of KCL 3.x: `CLIENT_VERSION_CONFIG_…`. Absent: its default. */
  readonly clientVersion: string | undefined
}

interface Running {
  readonly worker: string
  readonly kind: Kind
  readonly child: ChildProcess
  isEnding: boolean
}

/** The lease duration of ours, and `failoverTimeMillis` of KCL: the default of both. Milliseconds. */
export const FAILOVER_MS = 10_000
const CHECKPOINT_EVERY = 7
const WORK_MS = 100
const IDLE_MS = 500
const OUR_SCRIPT = join(import.meta.dirname, 'our-worker.mjs')
/** Either kind may take 30 to 40 s to stop, and some. */
const STOP_WITHIN_MS = 60_000

/** One process a worker; none has the name of an earlier one. */
export class Fleet {
  readonly ledgers = new Ledgers()
  /** Every SIGKILL, and every SIGTERM before {@link stopAll}. */
  readonly hits: Hit[] = []
  /** What no signal explains, such as a process that ended on its own. */
  readonly problems: string[] = []
  readonly #options: FleetOptions
  readonly #running = new Map<string, Running>()
  readonly #started = { java: 0, ours: 0 }

  constructor(options: FleetOptions) {
    this.#options = options
  }

  /** Names of the workers that run and were not told to end. */
  able(kind?: Kind): string[] {
    return [...this.#running.values()].flatMap(running =>
      running.isEnding || (kind !== undefined && running.kind !== kind) ? [] : running.worker
    )
  }

  startJava({ java, classPath, clientVersion }: JavaProgram): string {
    const worker = `java-${++this.#started.java}`
    const { endpoints, stream, application } = this.#options
    const options = {
      worker,
      stream,
      application,
      ledger: this.#fileOf(worker, 'jsonl'),
      kinesis: endpoints.kinesis,
      dynamodb: endpoints.dynamodb,
      'failover-ms': FAILOVER_MS,
      'idle-ms': IDLE_MS,
      'checkpoint-every': CHECKPOINT_EVERY,
      'work-ms': WORK_MS,
      ...(clientVersion !== undefined && { 'client-version': clientVersion })
    }
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
    // A small heap, and a compiler that starts fast.
    const flags = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
    const stderr = openSync(this.#fileOf(worker, 'log'), 'a')
    // Standard input is how it notices that this process is gone.
    const child = spawn(java, [...flags, '-cp', classPath, 'kclfleet.Main', ...args], {
      env: emulatorEnvironment(endpoints),
      stdio: ['pipe', 'ignore', stderr]
    })
    return this.#add(worker, 'java', child)
  }

  startOurs(): string {
    const worker = `ours-${++this.#started.ours}`
    const { endpoints, stream, application } = this.#options
    const env = {
      ...emulatorEnvironment(endpoints),
      WORKER: worker,
      STREAM: stream,
      APPLICATION: application,
      LEDGER: this.#fileOf(worker, 'jsonl'),
      IDLE_MS: String(IDLE_MS),
      CHECKPOINT_EVERY: String(CHECKPOINT_EVERY),
      WORK_MS: String(WORK_MS),
      DURATION_MS: String(FAILOVER_MS)
    }
    const log = openSync(this.#fileOf(worker, 'log'), 'a')
    const child = spawn(process.execPath, [OUR_SCRIPT], { env, stdio: ['ignore', log, log, 'ipc'] })
    return this.#add(worker, 'ours', child)
  }

  /** SIGKILL. */
  kill(worker: string): Hit {
    const running = this.#get(worker)
    running.isEnding = true
    this.#options.say(`SIGKILL ${worker}`)
    const hit = this.#hit(running, 'SIGKILL')
    running.child.kill('SIGKILL')
    return hit
  }

  /** SIGTERM. Resolves when the process has ended; one that does not is killed, and that is a problem. */
  async stop(worker: string): Promise<Hit> {
    const running = this.#get(worker)
    const hit = this.#hit(running, 'SIGTERM')
    await this.#end(running)
    return hit
  }

  /** SIGTERM to all that run. Resolves when they have ended. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#running.values()].map(running => this.#end(running)))
  }

  /** SIGKILL to all that run. Does not wait: there is nothing that they can do about it. */
  killAll(): void {
    for (const running of this.#running.values()) {
      running.isEnding = true
      running.child.kill('SIGKILL')
    }
  }

  #add(worker: string, kind: Kind, child: ChildProcess): string {
    const running: Running = { worker, kind, child, isEnding: false }
    this.#running.set(worker, running)
    this.ledgers.follow(worker, kind, this.#fileOf(worker, 'jsonl'))
    this.#options.say(`start   ${worker}`)
    child.once('error', error => this.problems.push(`${worker} could not be started: ${error.message}`))
    child.once('exit', (code, signal) => {
      this.#running.delete(worker)
      if (running.isEnding) return
      this.problems.push(`${worker} ended by itself with ${signal ?? code}`)
      this.#options.say(`${worker} ended by itself with ${signal ?? code}`)
    })
    return worker
  }

  #fileOf(worker: string, extension: string): string {
    return join(this.#options.folder, `${worker}.${extension}`)
  }

  #get(worker: string): Running {
    const running = this.#running.get(worker)
    if (running === undefined) throw new Error(`There is no process of ${worker}`)
    return running
  }

  #hit({ worker, kind }: Running, signal: Hit['signal']): Hit {
    const hit = { atMs: Number(process.hrtime.bigint()) / 1e6, worker, kind, signal }
    this.hits.push(hit)
    return hit
  }

  async #end({ worker, child }: Running): Promise<void> {
    const running = this.#running.get(worker)
    if (running === undefined) return
    const beganMs = systemClock.monotonicMs()
    running.isEnding = true
    const over = new AbortController()
    const ended = once(child, 'exit').finally(() => over.abort())
    child.kill('SIGTERM')
    await Promise.race([ended, systemClock.sleep(STOP_WITHIN_MS, over.signal)])
    const tookMs = Math.round(systemClock.monotonicMs() - beganMs)
    this.#options.say(`SIGTERM ${worker}: it ended after ${(tookMs / 1_000).toFixed(1)} s`)
    if (over.signal.aborted) return
    this.problems.push(`${worker} did not end within ${STOP_WITHIN_MS} ms of SIGTERM`)
    child.kill('SIGKILL')
    await ended
  }
}
