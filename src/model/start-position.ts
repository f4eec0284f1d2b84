// Where an application begins in a shard that has no checkpoint yet.
import { AT_TIMESTAMP, type ExtendedSequenceNumber, LATEST, TRIM_HORIZON } from './sequence-number.ts'

/**
 * Where to begin: with the oldest record Kinesis still has (`TRIM_HORIZON`), with what arrives from now on (`LATEST`),
 * or with what arrived at or after a time. Only used for shards the lease table does not know yet.
 */
export type StartPosition = 'TRIM_HORIZON' | 'LATEST' | Date

/** The checkpoint with which a lease begins for this start position. */
export function initialCheckpoint(startAt: StartPosition): ExtendedSequenceNumber {
  if (startAt === 'TRIM_HORIZON') return TRIM_HORIZON
  if (startAt === 'LATEST') return LATEST
  return AT_TIMESTAMP
}

/**
 * The time that a lease keeps beside the sentinel LATEST or AT_TIMESTAMP, in epoch milliseconds. It pins "from now on"
 * to the moment the application first saw the shard, so that opening the shard later, or again before the first
 * checkpoint, skips nothing.
 */
export function startTimestampMs(startAt: StartPosition, nowMs: number): number | undefined {
  if (startAt === 'TRIM_HORIZON') return undefined
  return startAt === 'LATEST' ? nowMs : startAt.getTime()
}
