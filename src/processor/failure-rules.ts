// What follows when the user's code throws: again after a delay, or the end of the attempts. Never "skip".
import { type Backoff, backoffMs } from '../runtime/backoff.ts'

/** What to do once the attempts are used up: halt this shard and leave the others alone, or stop the whole worker. */
export type LastResort = 'halt' | 'stop'

/** How often and how soon the user's code is called again after a failure, and what then. */
export interface FailurePolicy {
  /** How often a call is made in all before giving up; `Infinity` never gives up. */
  readonly attempts: number
  readonly lastResort: LastResort
  readonly backoff: Backoff
}

/** What follows a failure: the same call again in so many milliseconds, or the last resort. */
export type FailureVerdict =
  | { readonly kind: 'again'; readonly inMs: number }
  | { readonly kind: 'give-up'; readonly lastResort: LastResort }

/** Judges the `attempt`-th failure in a row (from 1); `chance` from 0 up to 1 spreads the delay. */
export function afterFailure(attempt: number, policy: FailurePolicy, chance: number): FailureVerdict {
  if (attempt >= policy.attempts) return { kind: 'give-up', lastResort: policy.lastResort }
  return { kind: 'again', inMs: backoffMs(attempt, policy.backoff, chance) }
}
