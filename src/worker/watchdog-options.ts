// When a shard that makes no progress is taken for stuck: the option, its default and its check.
import { checkGroup, checkInteger } from './option-checks.ts'

/** Finds shards that stand still: without an answer of Kinesis, in one call of the user's code, or for want of memory. */
export interface WatchdogOptions {
  /**
   * How long a shard may make no progress until `shard:stalled` is emitted. If it waits for an answer of Kinesis, it is read anew
   * then, and after the same time again its lease is given back. Milliseconds, twice `retrieval.requestTimeoutMs` to 3,600,000;
   * default 60,000, or twice `retrieval.requestTimeoutMs` if that is more.
   */
  readonly stallMs?: number
}

/**
 * Checks the option and fills in its default. A call to Kinesis may time out once and be made again before a shard stands still.
 *
 * @returns stallMs, in milliseconds
 * @throws OptionError naming the option, its value and what was expected
 */
export function resolveStall(given: WatchdogOptions | undefined, requestTimeoutMs: number): number {
  const { stallMs } = checkGroup<WatchdogOptions>('watchdog', given, ['stallMs'])
  const min = 2 * requestTimeoutMs
  return checkInteger('watchdog.stallMs', stallMs, { min, max: 3_600_000, unit: 'milliseconds' }, Math.max(60_000, min))
}
