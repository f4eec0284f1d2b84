// The multi-language daemon: a worker whose processors are child processes that speak KCL's protocol. Starts it, stops it in
// order, and says what the program is to end with.
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Random } from '../runtime/random.ts'
import type { WorkerOptions } from '../worker/options.ts'
import type { WorkerPorts } from '../worker/ports.ts'
import { Worker } from '../worker/worker.ts'
import type { ChildDeath } from './child-host.ts'
import { ChildPool } from './child-pool.ts'
import { ChildProcessor } from './child-processor.ts'
import type { MultilangSettings } from './multilang-settings.ts'
import { type ChildDoor, SystemChildren } from './system-children.ts'

/** The doors of the daemon to the world. */
export interface MultilangPorts {
  /** Aborts when the daemon is to end: its shards are given back, and its children hear `shutdownRequested` and `leaseLost`. */
  readonly signal: AbortSignal
  /** Aborts when nothing is waited for any more: children are killed, leases are given back without them. Absent: never. */
  readonly hurry?: AbortSignal | undefined
  readonly logger: Logger
  /** Where the standard error of children goes, beside the log. Absent: nowhere else. */
  readonly stderr?: { write(text: string): unknown } | undefined
  readonly clock: Clock
  readonly random: Random
  /** Starts children. Absent: as processes of this system. */
  readonly children?: ChildDoor | undefined
  /** Other doors of the worker, for tests. */
  readonly worker?: Partial<WorkerPorts> | undefined
  /** Is handed the worker before it starts, to listen to it. */
  readonly opened?: ((worker: Worker) => void) | undefined
}

const ENDED = 0
const FAILED = 1

/**
 * Runs the daemon until it is asked to end, or fails.
 *
 * @returns what the program is to end with: 0 if it ended in order; 1 if it failed, if a child died that decides so, or if
 *   children had not finished in time
 * @throws OptionError if the options of the worker are not what they have to be
 */
export async function runMultilang(settings: MultilangSettings, ports: MultilangPorts): Promise<number> {
  const daemon = new Daemon(settings, ports)
  ports.opened?.(daemon.worker)
  return daemon.run()
}

class Daemon {
  readonly worker: Worker
  readonly #settings: MultilangSettings
  readonly #ports: MultilangPorts
  readonly #pool: ChildPool
  readonly #hurried = new AbortController()
  #exitCode = ENDED

  constructor(settings: MultilangSettings, ports: MultilangPorts) {
    const { command, answerTimeoutMs, exitTimeoutMs, shardsPerChild, shutdownGraceMs } = settings
    const { logger, stderr, clock, random, children = new SystemChildren(exitTimeoutMs) } = ports
    this.#settings = settings
    this.#ports = ports
    this.#pool = new ChildPool({
      ...{ command, answerTimeoutMs, exitTimeoutMs, shardsPerChild, door: children, logger, stderr, clock },
      partingMs: shutdownGraceMs,
      died: death => this.#childDied(death)
    })
    const options = { ...settings.worker, logger, processor: () => new ChildProcessor(this.#pool) }
    this.worker = new Worker(options as WorkerOptions, { clock, random, ...ports.worker })
    this.worker.on('worker:stopped', ({ abandoned }) => {
      if (abandoned.length === 0) return
      logger.error({ shardIds: abandoned }, 'children had not finished in time, and were ended')
      this.#exitCode = FAILED
    })
  }

  async run(): Promise<number> {
    const { signal, hurry, logger } = this.#ports
    const stopListening = [
      whenever(signal, () => void this.worker.stop({ graceMs: this.#settings.shutdownGraceMs })),
      whenever(hurry, () => this.#hurry())
    ]
    try {
      await this.worker.start()
      await this.worker.finished
    } catch (error) {
      logger.error({ err: error }, 'the daemon ends because of an error')
      this.#exitCode = FAILED
    } finally {
      await this.worker.stop({ graceMs: 0 })
      // What is still there was not asked to end by a shard that was given back in order.
      await this.#pool.close(this.#hurried.signal)
      for (const stop of stopListening) stop()
    }
    return this.#exitCode
  }

  #hurry(): void {
    this.#ports.logger.warn({}, 'the daemon waits for nothing any more: children are ended')
    if (this.#pool.size > 0) this.#exitCode = FAILED
    this.#hurried.abort('hurried')
    void this.#pool.close(this.#hurried.signal)
    void this.worker.stop({ graceMs: 0 })
  }

  #childDied({ pid, shardIds, during, because }: ChildDeath): void {
    const { logger } = this.#ports
    const isEnd = this.#settings.onChildDeath === 'exit'
    if (isEnd) logger.error({ pid, shardIds, during, because }, 'a child is gone, and the daemon ends because of that')
    else logger.warn({ pid, shardIds, during, because }, 'a child is gone: its shards go on with another one')
    if (!isEnd) return
    this.#exitCode = FAILED
    this.#pool.shut()
    void this.worker.stop({ graceMs: this.#settings.shutdownGraceMs })
  }
}

/** Calls `then` once `signal` has aborted. Returns how to stop listening. */
function whenever(signal: AbortSignal | undefined, then: () => void): () => void {
  if (signal?.aborted) then()
  else signal?.addEventListener('abort', then, { once: true })
  return () => signal?.removeEventListener('abort', then)
}
