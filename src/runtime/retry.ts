// Tries a piece of work again while its failures are of the kind that pass.
import { isRetryable, ThrottledError } from '../model/errors.ts'
import { type Backoff, backoffMs } from './backoff.ts'
import type { Clock } from './clock.ts'
import type { Random } from './random.ts'

/** How often and how soon a piece of work is tried again. */
export interface RetryPolicy {
  /** How often at most; at least 1. */
  readonly attempts: number
  /** How often at most while the service says to slow down. Default: `attempts`. */
  readonly attemptsIfThrottled?: number
  readonly backoff: Backoff
}

/** What trying again takes: time, chance, a way to stop it, and somebody to tell. */
export interface RetryContext {
  readonly clock: Clock
  readonly random: Random
  readonly signal?: AbortSignal | undefined
  /** Told of each failure that is tried again. */
  readonly retried?: (error: unknown, inMs: number) => void
}

/** Runs `work` until it succeeds, fails for good, has had its attempts, or `signal` aborts. Rejects with the last error. */
export async function retry<T>(
  work: (attempt: number) => Promise<T>,
  policy: RetryPolicy,
  context: RetryContext
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    context.signal?.throwIfAborted()
    try {
      return await work(attempt)
    } catch (error) {
      const { attempts, attemptsIfThrottled = attempts } = policy
      if (attempt >= (error instanceof ThrottledError ? attemptsIfThrottled : attempts) || !isRetryable(error))
        throw error
      const inMs = backoffMs(attempt, policy.backoff, context.random.next())
      context.retried?.(error, inMs)
      await context.clock.sleep(inMs, context.signal)
    }
  }
}
