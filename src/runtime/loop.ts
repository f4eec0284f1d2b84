// A background job: run, wait, run. One run at a time; stops between runs.
import type { Clock } from './clock.ts'

/** What to run in the background, and how long to wait in between. */
export interface LoopOptions {
  readonly clock: Clock
  /** One run. What it throws goes to `onError`; the loop goes on. */
  readonly run: (signal: AbortSignal) => Promise<void>
  /** How long to wait after a run, in milliseconds. Asked after each run. */
  readonly delayMs: () => number
  readonly onError: (error: unknown) => void
  /** Whether the first run is at once (default), or after a first wait. */
  readonly runAtOnce?: boolean
}

/** A job that runs in the background until it is stopped. */
export interface Loop {
  /** Cuts the present wait short. During a run: there will be another one at once. */
  nudge(): void
  /** Resolves when the run under way, if any, is over. No run starts after that. */
  stop(): Promise<void>
}

/** Starts a loop. */
export function startLoop({ clock, run, delayMs, onError, runAtOnce = true }: LoopOptions): Loop {
  const stopping = new AbortController()
  let wake = new AbortController()

  const turn = async (): Promise<void> => {
    if (!runAtOnce) await clock.sleep(delayMs(), wake.signal)
    while (!stopping.signal.aborted) {
      wake = new AbortController()
      try {
        await run(stopping.signal)
      } catch (error) {
        if (!stopping.signal.aborted) onError(error)
      }
      if (!stopping.signal.aborted) await clock.sleep(delayMs(), wake.signal)
    }
  }
  const done = turn()

  return {
    nudge: () => wake.abort(),
    stop: () => {
      stopping.abort()
      wake.abort()
      return done
    }
  }
}
