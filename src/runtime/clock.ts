// The only door to time. Nothing else in src names Date.now, process.hrtime or setTimeout, so that the whole library can
// run in virtual time.

/** Where time comes from. */
export interface Clock {
  /** Milliseconds since some moment, never going back. The only thing that durations and leases are judged by. */
  monotonicMs(): number
  /** Milliseconds since 1970. May jump; only for timestamps that leave the process. */
  epochMs(): number
  /**
   * Waits `ms` milliseconds, or less if `signal` aborts. Never rejects: look at the signal afterwards. With 0, whatever else
   * the event loop has to do is done first.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** Real time. Its monotonic time is the same in all threads of a process, which that of `performance.now()` is not. */
export const systemClock: Clock = {
  monotonicMs: () => Number(process.hrtime.bigint()) / 1e6,
  epochMs: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise(resolve => {
      if (signal?.aborted) return resolve()
      if (ms <= 0) return void setImmediate(resolve)
      const done = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal?.addEventListener('abort', done, { once: true })
    })
}
