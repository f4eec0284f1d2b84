// How records are handed to the user's code: many calls at a time for one shard, and how large a batch is.
import type { BatchSettings, ConcurrencySettings, LaneKey } from '../consumer/delivery-options.ts'
import { OptionError } from '../model/errors.ts'
import { checkCount, checkGroup, checkInteger, show } from './option-checks.ts'

/**
 * Calls a `handler` or `each` many times at once for one shard. Records of one key are never called for at the same time, and
 * in their order. See docs/failure-handling.md.
 */
export interface ConcurrencyOptions {
  /** How many calls may be under way for one shard. 1 to 1,000; default 1. */
  readonly perShard?: number
  /**
   * Which records keep their order: those of one partition `key` (default), after de-aggregation; those for which a function
   * gives the same text, which is called once for each record and must always give the same; or `none`.
   */
  readonly by?: LaneKey
  /**
   * How many records past the stored checkpoint may be under way or done: what is delivered again at most after a crash.
   * `perShard` to 1,000,000; default 1,000, or 32 times `perShard` if that is more.
   */
  readonly maxInFlight?: number
}

/** When a batch is delivered: once the first of these is reached. Default: what an answer of Kinesis brings is a batch. */
export interface BatchOptions {
  /**
   * How many user records. 1 to 100,000, or Infinity; default Infinity, or, with concurrency by `none`, the part of
   * `concurrency.maxInFlight` that falls to one call.
   */
  readonly maxRecords?: number
  /**
   * How many bytes of payload; a record that is larger is delivered alone. 1 to `retrieval.maxShardBufferedBytes`, or Infinity;
   * default Infinity.
   */
  readonly maxBytes?: number
  /**
   * How long a batch is gathered, from its first record on; not at the end of the shard. Milliseconds, 0 to 300,000; default 0:
   * nothing is waited for.
   */
  readonly windowMs?: number
}

/**
 * Checks how many calls may be made at once, and fills in the defaults.
 *
 * @returns `undefined` if the option was not given
 * @throws OptionError naming the option, its value and what was expected
 */
export function resolveConcurrency(given: ConcurrencyOptions | undefined): ConcurrencySettings | undefined {
  if (given === undefined) return undefined
  const options = checkGroup<ConcurrencyOptions>('concurrency', given, ['perShard', 'by', 'maxInFlight'])
  const { by, maxInFlight } = options
  const perShard = checkInteger('concurrency.perShard', options.perShard, { min: 1, max: 1_000 }, 1)
  if (options.perShard === undefined && (by !== undefined || maxInFlight !== undefined)) {
    throw new OptionError('concurrency.perShard', 'is missing, expected how many calls may be made at once, 1 to 1,000')
  }
  const inFlight = { min: perShard, max: 1_000_000 }
  return {
    perShard,
    by: checkLaneKey(by),
    maxInFlight: checkInteger('concurrency.maxInFlight', maxInFlight, inFlight, Math.max(1_000, 32 * perShard))
  }
}

/**
 * Checks how large a batch is, and fills in the defaults.
 *
 * @returns `undefined` if the option was not given
 * @throws OptionError naming the option, its value and what was expected
 */
export function resolveBatch(given: BatchOptions | undefined, maxShardBytes: number): BatchSettings | undefined {
  if (given === undefined) return undefined
  const options = checkGroup<BatchOptions>('batch', given, ['maxRecords', 'maxBytes', 'windowMs'])
  const bytes = { min: 1, max: maxShardBytes, unit: 'bytes' }
  return {
    maxRecords: checkCount('batch.maxRecords', options.maxRecords, { min: 1, max: 100_000 }, Number.POSITIVE_INFINITY),
    maxBytes: checkCount('batch.maxBytes', options.maxBytes, bytes, Number.POSITIVE_INFINITY),
    windowMs: checkInteger('batch.windowMs', options.windowMs, { min: 0, max: 300_000, unit: 'milliseconds' }, 0)
  }
}

function checkLaneKey(by: unknown): LaneKey {
  if (by === undefined) return 'key'
  if (by === 'key' || by === 'none' || typeof by === 'function') return by as LaneKey
  throw new OptionError('concurrency.by', `is ${show(by)}, expected 'key' or 'none' or a function (record) => text`)
}
