// Something that emits the events of a worker: who listens, and how to begin and to end that.
import type { WorkerEventName, WorkerListener } from './events.ts'
import type { WorkerEmitter } from './worker-emitter.ts'

/** What a worker is to those who listen to it. */
export abstract class Observable {
  readonly #emitter: WorkerEmitter

  constructor(emitter: WorkerEmitter) {
    this.#emitter = emitter
  }

  /**
   * Has `listener` called with every event of that name. What it throws, or rejects with, is logged and stops nothing.
   *
   * @throws OptionError if there is no event of that name, or the listener is not a function
   */
  on<Name extends WorkerEventName>(name: Name, listener: WorkerListener<Name>): this {
    this.#emitter.on(name, listener)
    return this
  }

  /** Has `listener` called with the next event of that name only. Otherwise like {@link on}. */
  once<Name extends WorkerEventName>(name: Name, listener: WorkerListener<Name>): this {
    this.#emitter.once(name, listener)
    return this
  }

  /** Takes `listener` away from the events of that name, however it was added and however often. */
  off<Name extends WorkerEventName>(name: Name, listener: WorkerListener<Name>): this {
    this.#emitter.off(name, listener)
    return this
  }
}
