// What a stop can be told: how long to wait for the processors, and whether the worker comes back.
import { checkBoolean, checkGroup, checkInteger } from './option-checks.ts'

/** How long a stop waits for the processors. */
export interface StopOptions {
  /** How long the processors may take to finish what they are at. Milliseconds, 0 to 3,600,000; default 30,000. */
  readonly graceMs?: number
  /**
   * Whether a worker with the same `workerId` is about to take this one's place, as after a restart in place: its leases are
   * then held back for it for half a minute (or three lease durations, if that is longer). Default false: others get them.
   */
  readonly restarting?: boolean
}

/** The grace where nothing else is said. Milliseconds. */
export const DEFAULT_GRACE_MS = 30_000

/**
 * Checks the options and fills in the defaults.
 *
 * @throws OptionError naming the option, its value and what was expected
 */
export function resolveStop(given: StopOptions): Required<StopOptions> {
  const { graceMs, restarting } = checkGroup<StopOptions>('stop', given, ['graceMs', 'restarting'])
  const range = { min: 0, max: 3_600_000, unit: 'milliseconds' }
  return {
    graceMs: checkInteger('stop.graceMs', graceMs, range, DEFAULT_GRACE_MS),
    restarting: checkBoolean('stop.restarting', restarting, false)
  }
}
