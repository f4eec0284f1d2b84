// Waiting for something that nothing announces, such as an emulator that starts.
import { systemClock } from '../../src/runtime/clock.ts'

/**
 * Asks `check` every few milliseconds until it answers with something other than `undefined` or `false`, and resolves
 * with that. An exception counts as "not yet". Rejects after `withinMs` (default 10,000), with the last exception as
 * cause.
 */
export async function pollUntil<T>(
  what: string,
  check: () => T | Promise<T>,
  withinMs = 10_000
): Promise<Exclude<T, undefined | false>> {
  const startMs = systemClock.monotonicMs()
  let cause: unknown
  while (systemClock.monotonicMs() - startMs < withinMs) {
    try {
      const answer = await check()
      if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>
    } catch (error) {
      cause = error
    }
    await systemClock.sleep(5)
  }
  throw new Error(`Waited ${withinMs} ms in vain for ${what}`, { cause })
}
