// Positions in a shard: a Kinesis sequence number plus the place inside an aggregated record, and the four sentinels.
// Order and encoding are KCL's (ExtendedSequenceNumber), because checkpoints are shared with it.

/** The words that stand in a checkpoint instead of a sequence number. */
export type Sentinel = 'TRIM_HORIZON' | 'LATEST' | 'AT_TIMESTAMP' | 'SHARD_END'

/**
 * A position in a shard. `sequenceNumber` is decimal digits (about 56 of them) or one of the words `TRIM_HORIZON`, `LATEST`,
 * `AT_TIMESTAMP` and `SHARD_END`; `subSequenceNumber` counts user records inside one aggregated Kinesis record from 0, and is 0 everywhere else.
 */
export interface ExtendedSequenceNumber {
  /** Decimal digits, about 56 of them, or a word such as `TRIM_HORIZON`. */
  readonly sequenceNumber: string
  /** Place inside an aggregated Kinesis record, from 0; 0 for a plain record and for a word. */
  readonly subSequenceNumber: number
}

const RANK: Readonly<Record<Sentinel, number>> = { AT_TIMESTAMP: -3, TRIM_HORIZON: -2, LATEST: -1, SHARD_END: 1 }

/** Before the oldest record that the shard still has. */
export const TRIM_HORIZON: ExtendedSequenceNumber = { sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 }
/** Before what arrives once the application has first seen the shard. The lease keeps that time beside it. */
export const LATEST: ExtendedSequenceNumber = { sequenceNumber: 'LATEST', subSequenceNumber: 0 }
/** Before what arrived from a time on, which the lease keeps beside it. */
export const AT_TIMESTAMP: ExtendedSequenceNumber = { sequenceNumber: 'AT_TIMESTAMP', subSequenceNumber: 0 }
/** Past everything in the shard, which is closed. */
export const SHARD_END: ExtendedSequenceNumber = { sequenceNumber: 'SHARD_END', subSequenceNumber: 0 }

/** The position of a user record: the sequence number of its Kinesis record and its place in it. */
export function positionOf(record: ExtendedSequenceNumber): ExtendedSequenceNumber {
  return { sequenceNumber: record.sequenceNumber, subSequenceNumber: record.subSequenceNumber }
}

/** Whether it is one of the words, and no number. */
export function isSentinel(sequenceNumber: string): sequenceNumber is Sentinel {
  return Object.hasOwn(RANK, sequenceNumber)
}

/** Whether a position is well formed: digits or a sentinel, and a whole sub-sequence number from 0. */
export function isPosition(position: ExtendedSequenceNumber): boolean {
  const { sequenceNumber, subSequenceNumber } = position
  return (
    Number.isSafeInteger(subSequenceNumber) &&
    subSequenceNumber >= 0 &&
    (isSentinel(sequenceNumber) || /^\d+$/.test(sequenceNumber))
  )
}

/** Whether it lies past everything in the shard. */
export function isShardEnd(position: ExtendedSequenceNumber): boolean {
  return position.sequenceNumber === 'SHARD_END'
}

/** Whether a position names a record, and not one of the sentinels. */
export function isRecordPosition(position: ExtendedSequenceNumber): boolean {
  return !isSentinel(position.sequenceNumber)
}

/**
 * Orders two sequence numbers: AT_TIMESTAMP < TRIM_HORIZON < LATEST < any number < SHARD_END; numbers by value.
 *
 * @throws RangeError if one of them is neither digits nor a sentinel.
 */
export function compareSequenceNumbers(a: string, b: string): number {
  const rankA = rankOf(a)
  if (a === b) return 0
  const rankB = rankOf(b)
  if (rankA !== rankB || rankA !== 0) return rankA - rankB
  const digitsA = withoutLeadingZeros(a)
  const digitsB = withoutLeadingZeros(b)
  if (digitsA.length !== digitsB.length) return digitsA.length - digitsB.length
  return digitsA < digitsB ? -1 : digitsA > digitsB ? 1 : 0
}

/**
 * Orders two positions by sequence number, then by sub-sequence number.
 *
 * @throws RangeError if a sequence number is neither digits nor a sentinel.
 */
export function comparePositions(a: ExtendedSequenceNumber, b: ExtendedSequenceNumber): number {
  return compareSequenceNumbers(a.sequenceNumber, b.sequenceNumber) || a.subSequenceNumber - b.subSequenceNumber
}

/** A position as people read it: `49590…#3`, or the sentinel. */
export function formatPosition(position: ExtendedSequenceNumber): string {
  const { sequenceNumber, subSequenceNumber } = position
  return subSequenceNumber === 0 ? sequenceNumber : `${sequenceNumber}#${subSequenceNumber}`
}

function rankOf(sequenceNumber: string): number {
  if (isSentinel(sequenceNumber)) return RANK[sequenceNumber]
  if (/^\d+$/.test(sequenceNumber)) return 0
  throw new RangeError(
    `Sequence number ${JSON.stringify(sequenceNumber)}: expected decimal digits or one of ${Object.keys(RANK).join(', ')}`
  )
}

function withoutLeadingZeros(digits: string): string {
  return digits.startsWith('0') ? digits.replace(/^0+(?=\d)/, '') : digits
}
