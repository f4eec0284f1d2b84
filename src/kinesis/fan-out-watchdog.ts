// Looks again and again at what waits for a connection, so that none waits for ever. Waiting is counted in looks rather than
// in time: while the event loop is blocked, or the process stands still, nobody looks, and nothing can have been read either.
import type { Clock } from '../runtime/clock.ts'

/** Something that waits. */
export interface Watched {
  /** Called once per look. */
  look(): void
}

/** How far apart looks are, at most. Milliseconds. */
const LOOK_EVERY_MS = 500
/** The shortest of the times that are kept is a few looks. */
const LOOKS_PER_LIMIT = 4

/** One timer for everything that waits. It runs only while there is something to look at. */
export class FanOutWatchdog {
  readonly #clock: Clock
  readonly #everyMs: number
  readonly #watched = new Set<Watched>()
  #running: AbortController | undefined

  /** @param shortestMs the shortest of the limits that {@link looksIn} will be asked about, in milliseconds */
  constructor(clock: Clock, shortestMs: number) {
    this.#clock = clock
    this.#everyMs = Math.max(1, Math.min(LOOK_EVERY_MS, Math.floor(shortestMs / LOOKS_PER_LIMIT)))
  }

  /** How many looks there are within `ms` milliseconds. */
  looksIn(ms: number): number {
    return Math.ceil(ms / this.#everyMs)
  }

  /** Looks at it from now on. */
  watch(watched: Watched): void {
    this.#watched.add(watched)
    if (this.#running !== undefined) return
    const running = new AbortController()
    this.#running = running
    void this.#run(running.signal)
  }

  /** Looks at it no longer. */
  unwatch(watched: Watched): void {
    this.#watched.delete(watched)
    if (this.#watched.size > 0) return
    this.#running?.abort()
    this.#running = undefined
  }

  async #run(stopped: AbortSignal): Promise<void> {
    while (!stopped.aborted) {
      await this.#clock.sleep(this.#everyMs, stopped)
      if (stopped.aborted) return
      for (const watched of [...this.#watched]) watched.look()
    }
  }
}
