// Decodes answers in slices, one answer at a time, so that however large they are and however many come at once, whatever else
// this process has to do, such as keeping its leases, waits for one slice at most.
import type { Clock } from '../runtime/clock.ts'

/** How long one slice may take, and one step more. Milliseconds. */
const SLICE_MS = 8

/** Whose turn it is. */
export class DecodeTurns {
  readonly #clock: Clock
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Takes all the steps of `work` when its turn comes, and resolves or rejects as it ends. Between slices, and between one work
   * and the next, the event loop runs. Rejects with the reason of `signal` once that aborts.
   */
  async run<T>(work: Generator<void, T, void>, signal: AbortSignal): Promise<T> {
    const turn = this.#waiting === 0 ? undefined : this.#last
    const running = this.#run(work, signal, turn)
    const over = (): void => {
      this.#waiting -= 1
    }
    this.#waiting += 1
    // It resolves with nothing: an answer would be kept in memory until the next one.
    this.#last = running.then(over, over)
    return running
  }

  async #run<T>(work: Generator<void, T, void>, signal: AbortSignal, turn: Promise<unknown> | undefined): Promise<T> {
    if (turn !== undefined) {
      await turn
      await this.#clock.sleep(0)
    }
    let pauseAtMs = this.#clock.monotonicMs() + SLICE_MS
    for (;;) {
      signal.throwIfAborted()
      const step = work.next()
      if (step.done === true) return step.value
      if (this.#clock.monotonicMs() < pauseAtMs) continue
      await this.#clock.sleep(0)
      pauseAtMs = this.#clock.monotonicMs() + SLICE_MS
    }
  }
}
