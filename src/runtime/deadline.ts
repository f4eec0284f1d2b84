// Bounds one piece of work in time. Every call to a service goes through here, so that none can hang for ever.
import type { Clock } from './clock.ts'

/** The time that a piece of work has. */
export interface Deadline {
  /** Time that passes from here on does not count, until what is returned is called. */
  suspend(): () => void
}

/** While time does not count, it is looked again after so long whether it does. Milliseconds. */
const LOOK_AGAIN_MS = 100

/**
 * Runs `work` and rejects with `onTimeout()` once `ms` milliseconds have passed that count, or with the reason of `signal` once
 * that aborts. The signal given to `work` aborts in both cases; work that ignores it is left behind.
 */
export function withDeadline<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal, deadline: Deadline) => Promise<T>,
  onTimeout: () => Error
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const working = new AbortController()
    const timer = new AbortController()
    const time = new CountedTime(clock)
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
    const begin = async (): Promise<T> => work(working.signal, time)
    begin().then(
      value => finish(() => resolve(value)),
      error => finish(() => reject(error))
    )
    void time.pass(ms, timer.signal).then(() => {
      if (!timer.signal.aborted) fail(onTimeout())
    })
  })
}

/** Time that does not count always. */
class CountedTime implements Deadline {
  readonly #clock: Clock
  #suspensions = 0
  #suspendedAtMs = 0
  #suspendedMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  suspend(): () => void {
    if (this.#suspensions++ === 0) this.#suspendedAtMs = this.#clock.monotonicMs()
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      if (--this.#suspensions === 0) this.#suspendedMs += this.#clock.monotonicMs() - this.#suspendedAtMs
    }
  }

  /** Resolves when so much has passed that counts, or the signal aborts. */
  async pass(ms: number, signal: AbortSignal): Promise<void> {
    let addedMs = 0
    for (let leftMs = ms; leftMs > 0 && !signal.aborted; ) {
      await this.#clock.sleep(leftMs, signal)
      const isSuspended = this.#suspensions > 0
      const suspendedMs = this.#suspendedMs + (isSuspended ? this.#clock.monotonicMs() - this.#suspendedAtMs : 0)
      leftMs = isSuspended ? Math.max(LOOK_AGAIN_MS, suspendedMs - addedMs) : suspendedMs - addedMs
      addedMs = suspendedMs
    }
  }
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
