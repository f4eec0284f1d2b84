// How late the event loop is: timers of a known length, and how much longer they took.
import type { Clock } from './clock.ts'
import { startLoop } from './loop.ts'

/** How late timers were. Milliseconds. */
export interface EventLoopLateness {
  /** 99 % of them were not as late. */
  readonly p99Ms: number
  /** The latest. */
  readonly maxMs: number
}

/** A watch over the event loop. */
export interface EventLoopWatch {
  /** How late timers were since the last time. One that is due and has not run yet counts as late as it is by now. */
  read(): EventLoopLateness
  /** Watches no longer. */
  stop(): void
}

const TIMER_MS = 20
/** More than there are in a minute; so that nothing grows if nobody reads. */
const SAMPLES = 3_000

/** Begins to watch the event loop of this thread. */
export function watchEventLoop(clock: Clock): EventLoopWatch {
  let lateMs: number[] = []
  let dueAtMs = clock.monotonicMs() + TIMER_MS
  const loop = startLoop({
    clock,
    runAtOnce: false,
    delayMs: () => TIMER_MS,
    run: async () => {
      const nowMs = clock.monotonicMs()
      if (lateMs.length < SAMPLES) lateMs.push(Math.max(0, nowMs - dueAtMs))
      dueAtMs = nowMs + TIMER_MS
    },
    onError: () => {}
  })
  return {
    read: () => {
      const samples = [...lateMs, Math.max(0, clock.monotonicMs() - dueAtMs)].sort((a, b) => a - b)
      lateMs = []
      const at = (share: number): number =>
        samples[Math.min(samples.length - 1, Math.floor(share * samples.length))] ?? 0
      return { p99Ms: at(0.99), maxMs: at(1) }
    },
    stop: () => void loop.stop()
  }
}
