// Bounds one piece of work in time. Every call to a service goes through here, so that none can hang for ever.
import type { Clock } from './clock.ts'

/**
 * Runs `work` and rejects with `onTimeout()` once `ms` milliseconds have passed, or with the reason of `signal` once that
 * aborts. The signal given to `work` aborts in both cases; work that ignores it is left behind.
 */
export function withDeadline<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
  onTimeout: () => Error
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const working = new AbortController()
    const timer = new AbortController()
    const finish = (settle: () => void): void => {
      // With a reason, or one would be made: an error with its stack, for each call.
      timer.abort('over')
      signal?.removeEventListener('abort', stop)
      settle()
    }
    const fail = (error: unknown): void => {
      working.abort(error)
      finish(() => reject(error))
    }
    const stop = (): void => fail(signal?.reason)
    signal?.addEventListener('abort', stop, { once: true })
    const begin = async (): Promise<T> => work(working.signal)
    begin().then(
      value => finish(() => resolve(value)),
      error => finish(() => reject(error))
    )
    void clock.sleep(ms, timer.signal).then(() => {
      if (!timer.signal.aborted) fail(onTimeout())
    })
  })
}

/**
 * Waits for work to be over, but for `ms` milliseconds at most, or until `signal` aborts. Work that is not over then goes on.
 * Rejects only with what it rejects with in time.
 */
export async function waitAtMost(
  clock: Clock,
  ms: number,
  work: Promise<unknown>,
  signal?: AbortSignal
): Promise<void> {
  const over = new AbortController()
  const stop = (): void => over.abort()
  signal?.addEventListener('abort', stop, { once: true })
  if (signal?.aborted) stop()
  try {
    await Promise.race([work, clock.sleep(ms, over.signal)])
  } finally {
    work.catch(() => {})
    signal?.removeEventListener('abort', stop)
    over.abort()
  }
}
