// The time that calls may take: one timer for all those of a shard that may take as long. A timer for each would cost more than
// most calls do.
import type { Clock } from '../runtime/clock.ts'

/** Something whose time can be over. */
export interface Timed {
  /** The time is over. Must not throw. */
  due(): void
}

/** How the time of calls is kept. */
export interface CallTimersOptions {
  readonly clock: Clock
  /** Aborts when nobody needs to be told any more of time that is over. Absent: never. */
  readonly abandoned?: AbortSignal | undefined
  /** Whether a timer is kept for the calls to come, when none is left to wait for, until {@link CallTimers.clear}. Default: no. */
  readonly lingers?: boolean
}

/** Tells calls that their time is over. */
export class CallTimers {
  readonly #options: CallTimersOptions
  /** By how long the calls may take: those that began first are due first. */
  readonly #queues = new Map<number, TimerQueue>()

  constructor(options: CallTimersOptions) {
    this.#options = options
  }

  /** Tells `timed` in `ms` milliseconds, unless it is removed before. */
  add(timed: Timed, ms: number, nowMs = this.#options.clock.monotonicMs()): void {
    const { clock, abandoned, lingers = false } = this.#options
    if (abandoned?.aborted) return
    let queue = this.#queues.get(ms)
    if (queue === undefined) {
      queue = new TimerQueue(ms, clock, lingers)
      this.#queues.set(ms, queue)
      if (this.#queues.size === 1) abandoned?.addEventListener('abort', this.#stop, { once: true })
    }
    queue.add(timed, nowMs)
  }

  /** Does not tell it any more. */
  remove(timed: Timed): void {
    for (const [ms, queue] of this.#queues) if (queue.remove(timed)) this.#queues.delete(ms)
    if (this.#queues.size === 0) this.#options.abandoned?.removeEventListener('abort', this.#stop)
  }

  /** Tells nobody, and keeps no timer, until something is added again. */
  clear(): void {
    for (const queue of this.#queues.values()) queue.clear()
    this.#queues.clear()
    this.#options.abandoned?.removeEventListener('abort', this.#stop)
  }

  readonly #stop = (): void => this.clear()
}

/** Those that may take as long, in the order in which they began. */
class TimerQueue {
  readonly #ms: number
  readonly #clock: Clock
  readonly #lingers: boolean
  /** With when their time is over. Monotonic milliseconds. */
  readonly #dueAtMs = new Map<Timed, number>()
  /** Ends the timer. Absent: there is none. */
  #timer: AbortController | undefined

  constructor(ms: number, clock: Clock, lingers: boolean) {
    this.#ms = ms
    this.#clock = clock
    this.#lingers = lingers
  }

  add(timed: Timed, nowMs: number): void {
    this.#dueAtMs.set(timed, nowMs + this.#ms)
    if (this.#timer === undefined) void this.#run()
  }

  /** Whether there is nothing left to do. */
  remove(timed: Timed): boolean {
    const isLast = this.#dueAtMs.delete(timed) && this.#dueAtMs.size === 0 && !this.#lingers
    if (isLast) this.clear()
    return isLast
  }

  clear(): void {
    this.#dueAtMs.clear()
    this.#timer?.abort('over')
    this.#timer = undefined
  }

  async #run(): Promise<void> {
    const timer = new AbortController()
    this.#timer = timer
    for (;;) {
      const first = this.#dueAtMs.entries().next().value
      if (first === undefined) break
      const [timed, atMs] = first
      const inMs = atMs - this.#clock.monotonicMs()
      if (inMs > 0) await this.#clock.sleep(inMs, timer.signal)
      else {
        this.#dueAtMs.delete(timed)
        timed.due()
      }
      if (timer.signal.aborted) return
    }
    this.#timer = undefined
  }
}
