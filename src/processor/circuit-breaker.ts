// Holds calls back while all of them fail, and tries one from time to time. What follows from what is in breaker-rules.ts.
import { OptionError } from '../model/errors.ts'
import { unlessAborted } from '../runtime/abort.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import {
  type Admission,
  admissionTo,
  type BreakerCondition,
  type BreakerEvent,
  type BreakerPolicy,
  CLOSED,
  nextBreakerCondition
} from './breaker-rules.ts'

/** How a circuit breaker stands: calls are let through, held back, or held back but for one that is on trial. */
export type BreakerState = 'closed' | 'open' | 'probing'

/** A change of a circuit breaker. */
export interface BreakerChange {
  /** How it stands now. */
  readonly state: BreakerState
  /** How many calls in a row have failed; 0 once it is closed. */
  readonly failures: number
  /** What the last of them failed with; only with `open`. */
  readonly error?: unknown
  /** How long it stays open until the next call is tried. Milliseconds; only with `open`. */
  readonly openMs?: number
}

/** When a circuit breaker opens, and for how long. */
export interface BreakerOptions {
  /** So many failures in a row open it; one success in between begins the count anew. 1 to 1,000,000; default 5. */
  readonly failures?: number
  /** How long it holds all calls back before it tries one. Milliseconds, 1 to 3,600,000; default 30,000. */
  readonly openMs?: number
  /**
   * It stays open twice as long after each trial that fails, up to this. Milliseconds, `openMs` to 86,400,000; default:
   * `openMs`, so that what works again is found out within that time.
   */
  readonly maxOpenMs?: number
  /** How long a trial may take before another call is tried, too. Milliseconds, 1 to 86,400,000; default 60,000. */
  readonly probeMs?: number
  /** Told of every change, once it has happened. What it throws is ignored. */
  readonly onChange?: (change: BreakerChange) => void
  /** Where time comes from. Default: the system. */
  readonly clock?: Clock
}

/**
 * A call that a circuit breaker has let through. Says once how it came out: what is said later counts for nothing.
 */
export interface BreakerCall {
  /** Whether it is the one call that shows whether the others may go on. */
  readonly isProbe: boolean
  /** It came out well. */
  succeeded(): void
  /** It failed. The error goes to `onChange`. */
  failed(error: unknown): void
  /** It was interrupted, or not made at all, and shows nothing. If it was a probe, the next caller probes. */
  dropped(): void
}

interface Waiter {
  readonly admit: (call: BreakerCall) => void
}

/**
 * A circuit breaker: closed as long as calls succeed now and then; open after `failures` of them in a row have failed; after
 * `openMs` one call, the one that has waited longest, is let through, and closes it again or has it stay open.
 *
 * One breaker is meant for everything that depends on the same thing: all shards of a worker that write to one database.
 */
export class CircuitBreaker {
  readonly #policy: BreakerPolicy
  readonly #clock: Clock
  readonly #onChange: ((change: BreakerChange) => void) | undefined
  /** Those held back, who has waited longest first. */
  readonly #waiters = new Set<Waiter>()
  #condition: BreakerCondition = CLOSED
  /** Ends the wait for the next probe; absent while nobody waits for one. */
  #timer: AbortController | undefined

  /** @throws OptionError naming the option, its value and what was expected */
  constructor(options: BreakerOptions = {}) {
    const openMs = wholeNumber('openMs', options.openMs ?? 30_000, 1, 3_600_000)
    this.#policy = {
      failures: wholeNumber('failures', options.failures ?? 5, 1, 1_000_000),
      openMs,
      maxOpenMs: wholeNumber('maxOpenMs', options.maxOpenMs ?? openMs, openMs, 86_400_000),
      probeMs: wholeNumber('probeMs', options.probeMs ?? 60_000, 1, 86_400_000)
    }
    const { onChange } = options
    if (onChange !== undefined && typeof onChange !== 'function') {
      throw new OptionError('onChange', `is of type ${typeof onChange}, expected a function`)
    }
    this.#onChange = onChange
    this.#clock = options.clock ?? systemClock
  }

  /** How it stands. */
  get state(): BreakerState {
    return this.#condition.kind
  }

  /** How many calls in a row have failed. */
  get failures(): number {
    return this.#condition.failures
  }

  /** How many callers are held back. */
  get waiting(): number {
    return this.#waiters.size
  }

  /**
   * Waits until a call may be made. Whoever is let through makes the call and then says how it came out; a probe of which
   * nothing is heard within `probeMs` is followed by another one.
   *
   * Rejects with the reason of `signal` if that aborts before; the place in the queue is then given up.
   */
  async admit(signal?: AbortSignal): Promise<BreakerCall> {
    signal?.throwIfAborted()
    const admission = this.#waiters.size === 0 ? this.#take() : undefined
    if (admission !== undefined) return this.#call(admission)
    let waiter: Waiter | undefined
    let admitted: BreakerCall | undefined
    const turn = new Promise<BreakerCall>(resolve => {
      waiter = {
        admit: call => {
          admitted = call
          resolve(call)
        }
      }
      this.#waiters.add(waiter)
    })
    this.#serve()
    if (signal === undefined) return turn
    try {
      return await unlessAborted(turn, signal)
    } catch (error) {
      if (waiter !== undefined) this.#waiters.delete(waiter)
      // It was let through in the same moment.
      admitted?.dropped()
      this.#serve()
      throw error
    }
  }

  /**
   * Makes a call once it may be made. A call that rejects has failed, unless `signal` has aborted: then it was interrupted,
   * and shows nothing. Settles as `work` does, or rejects with the reason of `signal` if that aborts before the call.
   */
  async run<T>(work: () => T | Promise<T>, signal?: AbortSignal): Promise<T> {
    const call = await this.admit(signal)
    try {
      signal?.throwIfAborted()
      const result = await work()
      call.succeeded()
      return result
    } catch (error) {
      if (signal?.aborted) call.dropped()
      else call.failed(error)
      throw error
    }
  }

  #call(by: Admission): BreakerCall {
    let isOver = false
    const once = (event: BreakerEvent, error?: unknown): void => {
      if (isOver) return
      isOver = true
      this.#happened(event, error)
      this.#serve()
    }
    return {
      isProbe: by.probe > 0,
      succeeded: () => once({ kind: 'succeeded', by }),
      failed: error => once({ kind: 'failed', by, nowMs: this.#clock.monotonicMs() }, error),
      dropped: () => once({ kind: 'dropped', by, nowMs: this.#clock.monotonicMs() })
    }
  }

  /** An admission, if there is one now. */
  #take(): Admission | undefined {
    const nowMs = this.#clock.monotonicMs()
    const admission = admissionTo(this.#condition, nowMs)
    if (admission !== undefined && admission.probe > 0) this.#happened({ kind: 'probed', nowMs })
    return admission
  }

  /** Lets through whoever may go, and sees to it that the next one is let through in time. */
  #serve(): void {
    this.#timer?.abort()
    this.#timer = undefined
    for (const waiter of this.#waiters) {
      const admission = this.#take()
      if (admission === undefined) break
      this.#waiters.delete(waiter)
      waiter.admit(this.#call(admission))
    }
    const condition = this.#condition
    if (this.#waiters.size === 0 || condition.kind === 'closed') return
    const timer = new AbortController()
    this.#timer = timer
    const inMs = Math.max(1, condition.probeAtMs - this.#clock.monotonicMs())
    void this.#clock.sleep(inMs, timer.signal).then(() => {
      if (!timer.signal.aborted) this.#serve()
    })
  }

  #happened(event: BreakerEvent, error?: unknown): void {
    const before = this.#condition
    const after = nextBreakerCondition(before, event, this.#policy)
    this.#condition = after
    if (before.kind === after.kind || this.#onChange === undefined) return
    const { kind: state, failures } = after
    try {
      this.#onChange({ state, failures, ...(after.kind === 'open' && { error, openMs: after.openMs }) })
    } catch {
      // Whoever reports how a call came out has nothing to do with what the listener throws.
    }
  }
}

function wholeNumber(option: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
  const range = `from ${min.toLocaleString('en')} to ${max.toLocaleString('en')}`
  const given = typeof value === 'number' ? value : `of type ${typeof value}`
  throw new OptionError(option, `is ${given}, expected a whole number ${range}`)
}
