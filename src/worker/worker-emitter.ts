// The one place that emits the events of a worker, and keeps what listeners throw from going any further.
import { EventEmitter } from 'eventemitter3'
import { OptionError } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { EventLog } from './event-log.ts'
import { type AnyEvent, fieldsOf } from './event-log-rules.ts'
import {
  type EventObserver,
  WORKER_EVENT_NAMES,
  type WorkerEventName,
  type WorkerEvents,
  type WorkerListener
} from './events.ts'
import { show } from './option-checks.ts'

type Guarded = (event: unknown) => void

/** An emitter of worker events, to which anybody may listen and through which only the worker emits. */
export class WorkerEmitter {
  readonly #emitter = new EventEmitter<Record<WorkerEventName, Guarded>>()
  readonly #guarded = new WeakMap<object, Map<WorkerEventName, Guarded>>()
  readonly #logger: Logger
  readonly #log: EventLog
  #observer: EventObserver | undefined

  /** @param clock bounds how often what is wrong is logged. Absent: it is logged each time */
  constructor(logger: Logger, clock?: Clock) {
    this.#logger = logger
    this.#log = new EventLog(logger, clock)
  }

  /** Has `observer` see every event from now on. There is one at most. */
  observe(observer: EventObserver): void {
    this.#observer = observer
  }

  on<Name extends WorkerEventName>(name: Name, listener: WorkerListener<Name>): void {
    this.#emitter.on(name, this.#guard(name, listener))
  }

  once<Name extends WorkerEventName>(name: Name, listener: WorkerListener<Name>): void {
    this.#emitter.once(name, this.#guard(name, listener))
  }

  off<Name extends WorkerEventName>(name: Name, listener: WorkerListener<Name>): void {
    this.#emitter.off(name, this.#guard(name, listener))
  }

  /** The only place that emits. What is wrong and nobody listens to is logged: no shard stands still in silence. */
  emit<Name extends WorkerEventName>(name: Name, event: WorkerEvents[Name]): void {
    this.#logger.debug(fieldsOf({ name, event } as AnyEvent), 'event')
    this.#observer?.(name, event)
    const isHeard = this.#emitter.emit(name, event)
    this.#log.note({ name, event } as AnyEvent, isHeard)
  }

  /** eventemitter3 lets the exception of a listener through to whoever emits: here it is logged, as is a rejection. */
  #guard<Name extends WorkerEventName>(name: Name, listener: WorkerListener<Name>): Guarded {
    if (!WORKER_EVENT_NAMES.includes(name)) {
      throw new OptionError('event', `is ${show(name)}, expected one of ${WORKER_EVENT_NAMES.join(', ')}`)
    }
    if (typeof listener !== 'function') {
      throw new OptionError('listener', `of ${name} is ${show(listener)}, expected a function`)
    }
    const byName = this.#guarded.get(listener) ?? new Map<WorkerEventName, Guarded>()
    const known = byName.get(name)
    if (known !== undefined) return known
    const logged = (error: unknown): void => this.#logger.error({ event: name, err: error }, 'a listener threw')
    const guarded: Guarded = event => {
      try {
        const outcome: unknown = listener(event as WorkerEvents[Name])
        if (outcome instanceof Promise) outcome.catch(logged)
      } catch (error) {
        logged(error)
      }
    }
    this.#guarded.set(listener, byName.set(name, guarded))
    return guarded
  }
}
