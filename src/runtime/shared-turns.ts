// Divides work that is done in one go among the turns of the event loop, where much of it may become due at once: so that timers
// and sockets wait for little more than one piece of it.
import type { Clock } from './clock.ts'

/** How long one turn may take until no more is begun in it. Milliseconds. */
const TURN_MS = 8
/**
 * Where the event loop took longer than this for a piece and everything else, a turn may take longer too, or all of that would be begun once
 * for every few pieces. Milliseconds.
 */
const LONG_TURN_MS = 50
const MORE_MS = 24

/** Turns of the event loop that pieces of work share. */
export class SharedTurns {
  readonly #clock: Clock
  /** When the first piece of this turn was begun. Monotonic milliseconds; absent: none was. */
  #begunAtMs: number | undefined
  /** When the last piece was begun. Monotonic milliseconds. */
  #lastAtMs = Number.POSITIVE_INFINITY
  #limitMs = TURN_MS

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Resolves in a turn that has time left, after at least one turn; those that wait longest come first. What is done up to the
   * next await counts as the piece of work.
   */
  async next(): Promise<void> {
    do await this.#clock.sleep(0)
    while (!this.#isLeft())
  }

  #isLeft(): boolean {
    const nowMs = this.#clock.monotonicMs()
    if (this.#begunAtMs === undefined) {
      this.#begunAtMs = nowMs
      // Comes before whoever has to wait for the turn after this one.
      void this.#clock.sleep(0).then(() => this.#begin())
    } else if (nowMs - this.#begunAtMs >= this.#limitMs) return false
    this.#lastAtMs = nowMs
    return true
  }

  #begin(): void {
    const othersMs = this.#clock.monotonicMs() - this.#lastAtMs
    this.#limitMs = othersMs > LONG_TURN_MS ? MORE_MS : TURN_MS
    this.#begunAtMs = undefined
  }
}
