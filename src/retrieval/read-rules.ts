// Where reading begins, and how long to wait before the next read: Kinesis allows 5 reads and 2 MB per second and shard.
import type { IteratorStart } from '../kinesis/kinesis-port.ts'
import type { Lease } from '../model/lease.ts'

/** Calls of GetRecords per second and shard that Kinesis allows. */
export const READS_PER_SECOND = 5
/** Bytes per second and shard that Kinesis allows to read. */
export const BYTES_PER_SECOND = 2 * 1024 * 1024

/**
 * Where to open a shard. At the checkpointed record, not after it: it may be an aggregate that is only partly done. LATEST
 * is opened at the time the application first saw the shard, so that opening it later, or again, skips nothing.
 */
export function startOf(
  lease: Pick<Lease, 'checkpoint' | 'startTimestampMs'>,
  startAt: Date | undefined
): IteratorStart {
  const { checkpoint, startTimestampMs } = lease
  switch (checkpoint.sequenceNumber) {
    case 'TRIM_HORIZON':
      return { type: 'TRIM_HORIZON' }
    case 'LATEST':
      return startTimestampMs === undefined
        ? { type: 'LATEST' }
        : { type: 'AT_TIMESTAMP', timestampMs: startTimestampMs }
    case 'AT_TIMESTAMP': {
      const timestampMs = startTimestampMs ?? startAt?.getTime()
      return timestampMs === undefined ? { type: 'TRIM_HORIZON' } : { type: 'AT_TIMESTAMP', timestampMs }
    }
    default:
      return { type: 'AT_SEQUENCE_NUMBER', sequenceNumber: checkpoint.sequenceNumber }
  }
}

/** What has been read of a shard lately. */
export interface ReadDebt {
  /** When the last reads were, at most as many as a second allows, oldest first. Monotonic milliseconds. */
  readonly readsAtMs: readonly number[]
  /** Monotonic milliseconds up to which the bytes have been paid off. */
  readonly atMs: number
  /** Bytes not yet paid off: a debt that time pays off. */
  readonly bytes: number
}

export const NO_DEBT: ReadDebt = { readsAtMs: [], atMs: 0, bytes: 0 }

/** The debt after a read of `bytes` bytes. */
export function afterRead(debt: ReadDebt, bytes: number, nowMs: number): ReadDebt {
  const readsAtMs = [...debt.readsAtMs, nowMs].slice(-READS_PER_SECOND)
  return { readsAtMs, atMs: nowMs, bytes: unpaidBytes(debt, nowMs) + bytes }
}

export interface LastRead {
  /** Whether there is more to read at once: the answer was behind the tip, or as full as it may be. */
  readonly isBehind: boolean
  /** How long ago it was, in milliseconds. */
  readonly agoMs: number
}

/**
 * How long to wait before the next read, in milliseconds: at the tip the idle time, behind it nothing, and never so little
 * that the limits of the shard are broken. Up to five reads may follow one another at once, the sixth comes a second after
 * the first of them; bytes are paid off in full.
 */
export function readDelayMs(debt: ReadDebt, last: LastRead | undefined, idleMs: number, nowMs: number): number {
  const [oldestMs] = debt.readsAtMs
  const isFull = debt.readsAtMs.length >= READS_PER_SECOND
  const forReads = isFull && oldestMs !== undefined ? oldestMs + 1_000 - nowMs : 0
  const forBytes = (unpaidBytes(debt, nowMs) / BYTES_PER_SECOND) * 1_000
  const forIdle = last === undefined || last.isBehind ? 0 : idleMs - last.agoMs
  return Math.max(0, forReads, forBytes, forIdle)
}

function unpaidBytes(debt: ReadDebt, nowMs: number): number {
  const seconds = Math.max(0, nowMs - debt.atMs) / 1_000
  return Math.max(0, debt.bytes - seconds * BYTES_PER_SECOND)
}

/**
 * How many records to ask for after a read had no answer in time. An answer can have 10 MB; where the line is too slow for
 * that, asking for the same again would never get anywhere.
 */
export function limitAfterTimeout(limit: number): number {
  return Math.max(1, Math.floor(limit / 2))
}

/** How many records to ask for after a read was answered: twice as many, up to `maxRecords`. */
export function limitAfterAnswer(limit: number, maxRecords: number): number {
  return Math.min(maxRecords, limit * 2)
}
