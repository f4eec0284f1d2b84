// Where reading begins, and how many records to ask for where the line is slow.
import type { IteratorStart } from '../kinesis/kinesis-port.ts'
import type { Lease } from '../model/lease.ts'

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

/**
 * Where to open a shard that begins at `start`, in streams where what the application began with may be older than it wanted: also
 * a shard that continues others then begins where the application did.
 */
export function continuationOf({ beganAtMs }: Pick<Lease, 'beganAtMs'>, start: ReadStart): ReadStart {
  if (start.type !== 'TRIM_HORIZON' || beganAtMs === undefined) return start
  return { type: 'AT_TIMESTAMP', timestampMs: beganAtMs }
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
