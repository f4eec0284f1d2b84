// The worker processes: starts them, kills them, stops them. What they say goes to the board.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Board } from './board.ts'
import type { Children } from './children.ts'
import type { ParentMessage, WorkerAssignment, WorkerMessage } from './messages.ts'

export interface FleetOptions {
  readonly children: Children
  readonly board: Board
  readonly env: NodeJS.ProcessEnv
  readonly streamName: string
  /** Where the ledgers go. */
  readonly directory: string
}

/** Short, so that the demo does not wait long for the shards of the killed worker. */
const LEASE_DURATION_MS = 3_000
const STOP_WITHIN_MS = 7_000

export class Fleet {
  readonly #options: FleetOptions
  readonly #processes = new Map<string, ChildProcess>()
  readonly #ledgers = new Map<string, string>()

  constructor(options: FleetOptions) {
    this.#options = options
  }

  /** The ledger of each worker that was ever started. */
  get ledgers(): ReadonlyMap<string, string> {
    return this.#ledgers
  }

  start(workerId: string): void {
    const { children, board, env, streamName, directory } = this.#options
    const ledgerFile = join(directory, `${workerId}.jsonl`)
    const assignment: WorkerAssignment = {
      workerId,
      streamName,
      applicationName: 'access-log-demo',
      leaseDurationMs: LEASE_DURATION_MS,
      ledgerFile
    }
    board.noteWorker(workerId, 'starting')
    const child = children.fork(new URL('worker-process.ts', import.meta.url), [JSON.stringify(assignment)], env)
    child.on('message', message => board.noteMessage(workerId, message as WorkerMessage))
    this.#processes.set(workerId, child)
    this.#ledgers.set(workerId, ledgerFile)
  }

  kill(workerId: string): void {
    const child = this.#processes.get(workerId)
    if (child === undefined) throw new Error(`There is no worker ${workerId} to kill`)
    this.#options.children.kill(child)
    this.#options.board.noteKilled(workerId)
    this.#processes.delete(workerId)
  }

  /** Lets every worker finish what it is at. Resolves when their processes are gone. */
  async stopAll(): Promise<void> {
    const { children, board } = this.#options
    const stopping = [...this.#processes].map(async ([workerId, child]) => {
      const gone = once(child, 'close')
      children.release(child)
      board.noteWorker(workerId, 'stopping')
      if (child.connected) child.send('stop' satisfies ParentMessage)
      await Promise.race([gone, sleep(STOP_WITHIN_MS, undefined, { ref: false })])
      board.noteWorker(workerId, 'stopped')
    })
    await Promise.all(stopping)
  }
}
