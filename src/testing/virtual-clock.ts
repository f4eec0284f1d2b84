// A clock whose time moves only when told to. Nothing waits for real: sleepers wake in the order of their time, and what
// each of them does in promise jobs is done before the next one wakes. Real I/O is not waited for.
import type { Clock } from '../runtime/clock.ts'
import { WakeQueue } from './wake-queue.ts'

/** How a virtual clock is set up. */
export interface VirtualClockOptions {
  /**
   * How many turns of the event loop follow each wake. Default 4: enough for a chain of promise jobs that also crosses a few
   * `setImmediate`s of its own. 1 is faster, and enough where everything is promise jobs and this clock.
   */
  readonly settlingTurns?: number
}

/** Time for tests. Starts at 0 on the monotonic scale, and at `startEpochMs` (default: the beginning of 2030) on the calendar. */
export class VirtualClock implements Clock {
  readonly #startEpochMs: number
  readonly #settlingTurns: number
  readonly #queue = new WakeQueue()
  #nowMs = 0
  #wakes = 0

  constructor(startEpochMs = 1_893_456_000_000, { settlingTurns = 4 }: VirtualClockOptions = {}) {
    this.#startEpochMs = startEpochMs
    this.#settlingTurns = settlingTurns
  }

  /** Milliseconds since the clock began. */
  monotonicMs(): number {
    return this.#nowMs
  }

  /** Milliseconds since 1970. */
  epochMs(): number {
    return this.#startEpochMs + this.#nowMs
  }

  /** How many sleepers there are. */
  get sleeping(): number {
    return this.#queue.size
  }

  /** How many sleepers have woken because their time had come. */
  get wakes(): number {
    return this.#wakes
  }

  /** Waits `ms` milliseconds of virtual time, or less if `signal` aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve()
    return new Promise(resolve => {
      const atMs = onGrid(this.#nowMs + Math.max(0, ms))
      if (signal === undefined) {
        this.#queue.add(atMs, resolve)
        return
      }
      const sleeper = this.#queue.add(atMs, () => {
        signal.removeEventListener('abort', abort)
        resolve()
      })
      const abort = (): void => {
        this.#queue.cancel(sleeper)
        resolve()
      }
      signal.addEventListener('abort', abort, { once: true })
    })
  }

  /**
   * The time of a machine whose clocks go wrong: its monotonic clock, and its sleeps with it, runs at `rate` times the speed
   * of this one (more than 0; 1.2 is a fifth fast), and its calendar is `offsetMs` milliseconds ahead (negative: behind).
   */
  drifting(rate: number, offsetMs = 0): DriftingClock {
    return new DriftingClock(this, rate, offsetMs)
  }

  /**
   * Moves time on by `ms` milliseconds, waking every sleeper at its own time, and resolves when what they do has
   * settled. Sleepers that go to sleep on the way wake too, if their time comes. Ends early once `isOver` holds, which is
   * asked after each wake.
   */
  async advance(ms: number, isOver: () => boolean = () => false): Promise<void> {
    await this.#run(isOver, this.#nowMs + ms)
  }

  /**
   * Moves time on from sleeper to sleeper until `isReached` holds.
   *
   * @throws Error if it does not hold within `maxMs` milliseconds of virtual time (default 3,600,000).
   */
  async advanceUntil(isReached: () => boolean, maxMs = 3_600_000): Promise<void> {
    if (await this.#run(isReached, this.#nowMs + maxMs)) return
    throw new Error(`Not reached within ${maxMs} ms of virtual time; ${this.sleeping} sleepers are left`)
  }

  /** Lets what can go on without time passing go on. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < this.#settlingTurns; turn++) await nextTurn()
  }

  async #run(isReached: () => boolean, untilMs: number): Promise<boolean> {
    await this.settle()
    while (!isReached()) {
      const nextAtMs = this.#queue.nextAtMs()
      const wake = nextAtMs > untilMs ? undefined : this.#queue.take()
      if (wake === undefined) {
        this.#nowMs = Math.max(this.#nowMs, untilMs)
        return isReached()
      }
      this.#nowMs = Math.max(this.#nowMs, nextAtMs)
      this.#wakes += 1
      wake()
      await this.settle()
    }
    return true
  }
}

/** The clocks of a machine that are wrong. Made by {@link VirtualClock.drifting}. */
export class DriftingClock implements Clock {
  /** Speed in relation to the clock that is right. */
  readonly rate: number
  readonly #right: VirtualClock
  #offsetMs: number

  constructor(right: VirtualClock, rate: number, offsetMs: number) {
    if (!(rate > 0 && Number.isFinite(rate))) throw new RangeError(`rate is ${rate}, expected more than 0`)
    this.#right = right
    this.rate = rate
    this.#offsetMs = offsetMs
  }

  /** Milliseconds since the clock that is right began, as this machine counts them. */
  monotonicMs(): number {
    return this.#right.monotonicMs() * this.rate
  }

  /** Milliseconds since 1970, as this machine believes. */
  epochMs(): number {
    return this.#right.epochMs() + this.#offsetMs
  }

  /** Sets the calendar `ms` milliseconds ahead (negative: back). The monotonic clock does not move. */
  jump(ms: number): void {
    this.#offsetMs += ms
  }

  /** Waits `ms` milliseconds as this machine counts them, or less if `signal` aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#right.sleep(ms / this.rate, signal)
  }
}

/**
 * Sleepers wake at multiples of 1/1024 ms, which floating point adds without an error: a sleep of what is left until a
 * time ends at that time, and never just before it without moving on.
 */
function onGrid(ms: number): number {
  return Math.ceil(ms * 1024) / 1024
}

/** Resolves when the promise jobs that are ready now, and those they lead to, have run. */
function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
