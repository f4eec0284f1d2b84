// Where reading begins, and how long to wait before the next read: Kinesis allows 5 reads and 2 MB per second and shard.
import type { IteratorStart } from '../kinesis/kinesis-port.ts'
import type { Lease } from '../model/lease.ts'

/** Calls of GetRecords per second and shard that Kinesis allows. */
export const READS_PER_SECOND = 5
/** Bytes per second and shard that Kinesis allows to read. */
export const BYTES_PER_SECOND = 2 * 1024 * 1024

/** Where reading begins. Never at LATEST, which would skip what came before the iterator is opened, or opened again. */
export type ReadStart = Exclude<IteratorStart, { readonly type: 'LATEST' }>

/**
 * Where to open a shard. At the checkpointed record, not after it: it may be an aggregate that is only partly done. LATEST
 * is opened at the time that the lease was given when it was created or claimed.
 */
export function startOf(lease: Pick<Lease, 'checkpoint' | 'startTimestampMs'>, startAt: Date | undefined): ReadStart {
  const { checkpoint, startTimestampMs } = lease
  switch (checkpoint.sequenceNumber) {
    case 'TRIM_HORIZON':
      return { type: 'TRIM_HORIZON' }
    case 'LATEST':
    case 'AT_TIMESTAMP': {
      const ofOptions = checkpoint.sequenceNumber === 'AT_TIMESTAMP' ? startAt?.getTime() : undefined
      const timestampMs = startTimestampMs ?? ofOptions
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

/** What is owed before the first read: nothing. */
export const NO_DEBT: ReadDebt = { readsAtMs: [], atMs: 0, bytes: 0 }

/** The debt after a read of `bytes` bytes. */
export function afterRead(debt: ReadDebt, bytes: number, nowMs: number): ReadDebt {
  const readsAtMs = [...debt.readsAtMs, nowMs].slice(-READS_PER_SECOND)
  return { readsAtMs, atMs: nowMs, bytes: unpaidBytes(debt, nowMs) + bytes }
}

/** What the last read says about how soon to read again. */
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

/**
 * How many records to ask for after a read was answered: a few more, up to `maxRecords`. Not twice as many: where the line
 * stays slow, every other read would time out.
 */
export function limitAfterAnswer(limit: number, maxRecords: number): number {
  return Math.min(maxRecords, limit + Math.ceil(maxRecords / 32))
}

/** The least by which a start is moved back that lies in the future of the service. Milliseconds. */
const FIRST_STEP_BACK_MS = 1_000

/**
 * How far before the wanted start to open a shard after the service refused, as lying in its future, a start that was
 * `earlierMs` milliseconds before it: twice as far each time. Beginning with "now" instead would skip what arrives while
 * that is asked for.
 */
export function stepBackMs(earlierMs: number): number {
  return Math.max(FIRST_STEP_BACK_MS, 2 * earlierMs)
}
