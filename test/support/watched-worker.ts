// What a view of a worker is given: what tells events, and how it is doing.
import { silentLogger } from '../../src/runtime/logger.ts'
import type { WorkerHealth } from '../../src/worker/health-rules.ts'
import { Observable } from '../../src/worker/observable.ts'
import { WorkerEmitter } from '../../src/worker/worker-emitter.ts'

/** A worker as those see it who watch it. */
export class WatchedWorker extends Observable {
  readonly emitter: WorkerEmitter
  readonly #health: WorkerHealth

  constructor(health: WorkerHealth) {
    const emitter = new WorkerEmitter(silentLogger)
    super(emitter)
    this.emitter = emitter
    this.#health = health
  }

  health(): WorkerHealth {
    return this.#health
  }
}
