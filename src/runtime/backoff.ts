// How long to wait before trying again.

/** A growing delay. */
export interface Backoff {
  /** Delay before the second attempt. Milliseconds. */
  readonly firstMs: number
  /** No delay is longer than this. Milliseconds. */
  readonly maxMs: number
}

/**
 * The delay after the `failures`-th failure in a row (from 1): doubling from `firstMs` up to `maxMs`, of which a random
 * half is kept (`chance` from 0 up to 1), so that a fleet does not come back in step. Whole milliseconds.
 */
export function backoffMs(failures: number, backoff: Backoff, chance: number): number {
  const full = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(Math.max(0, failures - 1), 30))
  return Math.round(full / 2 + (full / 2) * chance)
}
