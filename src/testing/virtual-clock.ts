// A clock whose time moves only when told to. Nothing waits for real: sleepers wake in the order of their time, and what
// each of them does in promise jobs is done before the next one wakes. Real I/O is not waited for.
import type { Clock } from '../runtime/clock.ts'

interface Sleeper {
  readonly atMs: number
  readonly wake: () => void
}

/** Enough turns of the event loop for a chain of promise jobs that also crosses a few `setImmediate`s of its own. */
const SETTLING_TURNS = 4

/** Time for tests. Starts at 0 on the monotonic scale, and at `startEpochMs` (default: the beginning of 2030) on the calendar. */
export class VirtualClock implements Clock {
  readonly #startEpochMs: number
  #nowMs = 0
  /** Ascending by time; sleepers of the same time in the order in which they went to sleep. */
  readonly #sleepers: Sleeper[] = []

  constructor(startEpochMs = 1_893_456_000_000) {
    this.#startEpochMs = startEpochMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  epochMs(): number {
    return this.#startEpochMs + this.#nowMs
  }

  /** How many sleepers there are. */
  get sleeping(): number {
    return this.#sleepers.length
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve()
    return new Promise(resolve => {
      const wake = (): void => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }
      const sleeper = { atMs: this.#nowMs + Math.max(0, ms), wake }
      const abort = (): void => {
        this.#sleepers.splice(this.#sleepers.indexOf(sleeper), 1)
        wake()
      }
      signal?.addEventListener('abort', abort, { once: true })
      const after = this.#sleepers.findIndex(other => other.atMs > sleeper.atMs)
      this.#sleepers.splice(after === -1 ? this.#sleepers.length : after, 0, sleeper)
    })
  }

  /**
   * Moves time on by `ms` milliseconds, waking every sleeper at its own time, and resolves when what they do has
   * settled. Sleepers that go to sleep on the way wake too, if their time comes.
   */
  async advance(ms: number): Promise<void> {
    await this.#run(() => false, this.#nowMs + ms)
  }

  /**
   * Moves time on from sleeper to sleeper until `isReached` holds.
   *
   * @throws Error if it does not hold within `maxMs` milliseconds of virtual time (default 3,600,000).
   */
  async advanceUntil(isReached: () => boolean, maxMs = 3_600_000): Promise<void> {
    if (await this.#run(isReached, this.#nowMs + maxMs)) return
    throw new Error(`Not reached within ${maxMs} ms of virtual time; ${this.#sleepers.length} sleepers are left`)
  }

  /** Lets what can go on without time passing go on. */
  async settle(): Promise<void> {
    await settled()
  }

  async #run(isReached: () => boolean, untilMs: number): Promise<boolean> {
    await settled()
    while (!isReached()) {
      const next = this.#sleepers[0]
      if (next === undefined || next.atMs > untilMs) {
        this.#nowMs = untilMs
        return isReached()
      }
      this.#sleepers.shift()
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.wake()
      await settled()
    }
    return true
  }
}

/** Resolves when the promise jobs that are ready now, and those they lead to, have run. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < SETTLING_TURNS; turn++) await new Promise(resolve => setImmediate(resolve))
}
