// Reads one shard as it is, without a lease and without remembering how far: from a position, to its end or until stopped.
import type { IteratorStart, KinesisPort } from '../kinesis/kinesis-port.ts'
import { Deaggregator } from '../kpl/deaggregate.ts'
import { isRetryable, ServiceError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { backoffMs } from '../runtime/backoff.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'

/** What is read, and who gets it. */
export interface ShardTailOptions {
  readonly kinesis: KinesisPort
  readonly shardId: string
  readonly start: IteratorStart
  /** Whether to wait for more at the tip; if not, reading ends there. */
  readonly follow: boolean
  readonly clock: Clock
  readonly random: Random
  /** Ends reading. */
  readonly signal: AbortSignal
  /** User records in order; reading goes on once it resolves. */
  readonly onRecords: (records: readonly ConsumedRecord[]) => Promise<void>
  /** Told of a failure that passes. */
  readonly onRetry: (error: unknown) => void
}

/** Between reads at the tip: a fifth of what a shard allows, for the workers read it too. Milliseconds. */
const TIP_MS = 1_000
/** Between reads behind the tip. Milliseconds. */
const BEHIND_MS = 250
const RETRY = { firstMs: 500, maxMs: 10_000 }
const RECORDS = 1_000

/**
 * Reads a shard. Resolves with `ended` when everything in it was read and it takes no more, with `tip` where reading ends, or with
 * `stopped` once the signal aborts.
 *
 * @throws ServiceError that makes reading on pointless
 */
export async function tailShard(options: ShardTailOptions): Promise<'ended' | 'tip' | 'stopped'> {
  const { kinesis, shardId, follow, clock, random, signal, onRecords, onRetry } = options
  const deaggregator = new Deaggregator()
  let start = options.start
  let iterator: string | undefined
  for (let failures = 0; !signal.aborted; ) {
    try {
      iterator ??= await kinesis.getShardIterator(shardId, start, { signal })
      const answer = await kinesis.getRecords(iterator, { limit: RECORDS, signal })
      failures = 0
      const last = answer.records.at(-1)?.sequenceNumber
      if (last !== undefined) start = { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: last }
      if (last !== undefined) await onRecords(deaggregator.deaggregate(answer.records).records)
      if (answer.nextIterator === undefined) return 'ended'
      iterator = answer.nextIterator
      const isAtTip = last === undefined && answer.millisBehindLatest === 0
      if (isAtTip && !follow) return 'tip'
      await clock.sleep(isAtTip ? TIP_MS : BEHIND_MS, signal)
    } catch (error) {
      if (signal.aborted) break
      if (error instanceof ServiceError && error.kind === 'not-found' && iterator !== undefined) return 'ended'
      const isStale = error instanceof ServiceError && error.kind === 'expired-iterator'
      if (!isStale && !isRetryable(error)) throw error
      // The position that it stood for is still known; from `LATEST` on, nothing was there so far.
      if (isStale) iterator = undefined
      failures += 1
      if (!isStale) onRetry(error)
      await clock.sleep(backoffMs(failures, RETRY, random.next()), signal)
    }
  }
  return 'stopped'
}
