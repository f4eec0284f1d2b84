// The worker processes: as many as are wanted, a new one for each that is killed.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Children } from '../demo/children.ts'
import type { Chance } from './chance.ts'
import type { ParentMessage, WorkerAssignment, WorkerMessage } from './messages.ts'

const STOP_WITHIN_MS = 7_000
/** For a worker that has no shard at the moment. */
const COMMIT_WITHIN_MS = 3_000

export class Fleet {
  readonly #children: Children
  readonly #env: NodeJS.ProcessEnv
  readonly #assignment: Omit<WorkerAssignment, 'workerId'>
  readonly #running = new Map<ChildProcess, { isStarted: boolean }>()
  #made = 0
  /** Shards that began at a position that only the database had: commits whose checkpoint a kill cut off. */
  begunAhead = 0
  /** What went wrong in the workers, in words. Some of it is what kills lead to. */
  readonly problems: string[] = []

  constructor(children: Children, env: NodeJS.ProcessEnv, assignment: Omit<WorkerAssignment, 'workerId'>) {
    this.#children = children
    this.#env = env
    this.#assignment = assignment
  }

  get started(): number {
    return [...this.#running.values()].filter(({ isStarted }) => isStarted).length
  }

  start(): void {
    const assignment: WorkerAssignment = { ...this.#assignment, workerId: `worker-${++this.#made}` }
    const module = new URL('worker-process.ts', import.meta.url)
    const child = this.#children.fork(module, [JSON.stringify(assignment)], this.#env)
    const state = { isStarted: false }
    this.#running.set(child, state)
    child.on('message', (message: WorkerMessage) => {
      if (message.kind === 'started') state.isStarted = true
      if (message.kind === 'loaded' && message.isAhead) this.begunAhead += 1
      if (message.kind === 'problem') this.problems.push(`${assignment.workerId}: ${message.text}`)
    })
  }

  /**
   * Kills one of the workers that have started, and starts another one. `afterCommit`: between its next commit and the write to
   * the lease table that follows, if there is a commit soon; otherwise whatever it is at.
   */
  async replaceOne(chance: Chance, afterCommit: boolean): Promise<void> {
    const running = [...this.#running].flatMap(([child, { isStarted }]) => (isStarted ? [child] : []))
    const victim = running[chance.below(running.length)]
    if (victim === undefined) throw new Error('There is no worker to kill')
    this.#children.release(victim)
    this.#running.delete(victim)
    if (afterCommit) {
      const gone = once(victim, 'exit')
      if (victim.connected) victim.send('die' satisfies ParentMessage)
      await Promise.race([gone, sleep(COMMIT_WITHIN_MS)])
    }
    this.#children.kill(victim)
    this.start()
  }

  /** Lets every worker finish what it is at. Resolves when their processes are gone. */
  async stopAll(): Promise<void> {
    const stopping = [...this.#running.keys()].map(async child => {
      const gone = once(child, 'close')
      this.#children.release(child)
      if (child.connected) child.send('stop' satisfies ParentMessage)
      await Promise.race([gone, sleep(STOP_WITHIN_MS, undefined, { ref: false })])
    })
    await Promise.all(stopping)
  }
}
