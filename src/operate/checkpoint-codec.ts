// The checkpoints of an application as plain data that can be kept in a file, and back: what is read is checked, since it may have
// been changed by hand.
import { OptionError } from '../model/errors.ts'
import { MAX_HASH_KEY } from '../model/hash-key-range.ts'
import type { Lease, StreamIdentity } from '../model/lease.ts'
import { isPosition } from '../model/sequence-number.ts'

/** How far one shard is. */
export interface ExportedLease {
  readonly shardId: string
  /** A sequence number, or a word such as `SHARD_END`. */
  readonly sequenceNumber: string
  readonly subSequenceNumber: number
  /** With `LATEST` and `AT_TIMESTAMP`: since when. Epoch milliseconds. */
  readonly startTimestampMs?: number
  /** When the application began to read. Epoch milliseconds. */
  readonly beganAtMs?: number
  readonly parentShardIds: readonly string[]
  readonly childShardIds: readonly string[]
  /** In decimal. */
  readonly hashKeyRange?: { readonly start: string; readonly end: string }
}

/** The checkpoints of one application. Prepared checkpoints that are not made yet are not in it. */
export interface CheckpointExport {
  readonly format: 'millrace-checkpoints'
  readonly version: 1
  readonly applicationName: string
  readonly streamArn: string
  /** Tells the stream from an earlier one of the same name. Epoch seconds. */
  readonly streamCreationEpoch: number
  /** By the clock of the service. Epoch milliseconds. */
  readonly exportedAtMs: number
  /** Ascending by shard. */
  readonly leases: readonly ExportedLease[]
}

/** What is exported of an application. */
export function exportOf(
  applicationName: string,
  { streamArn, creationEpoch }: StreamIdentity,
  leases: readonly Lease[],
  exportedAtMs: number
): CheckpointExport {
  const exported = leases.map(exportedLease).sort((a, b) => (a.shardId < b.shardId ? -1 : 1))
  const about = { format: 'millrace-checkpoints', version: 1, applicationName, streamArn } as const
  return { ...about, streamCreationEpoch: creationEpoch, exportedAtMs: Math.floor(exportedAtMs), leases: exported }
}

function exportedLease(lease: Lease): ExportedLease {
  const { shardId, checkpoint, startTimestampMs, beganAtMs, parentShardIds, childShardIds, hashKeyRange } = lease
  return {
    ...{ shardId, ...checkpoint },
    ...(startTimestampMs !== undefined && { startTimestampMs }),
    ...(beganAtMs !== undefined && { beganAtMs }),
    ...{ parentShardIds, childShardIds },
    ...(hashKeyRange && { hashKeyRange: { start: `${hashKeyRange.start}`, end: `${hashKeyRange.end}` } })
  }
}

/** Reads what was exported. @throws OptionError naming the field, what it is, and what was expected */
export function parseExport(data: unknown): CheckpointExport {
  const fields = objectAt('checkpoints', data)
  expectAt('checkpoints.format', fields.format, is('millrace-checkpoints'), "'millrace-checkpoints'")
  expectAt('checkpoints.version', fields.version, is(1), '1, which is what this version of Millrace reads')
  const applicationName = expectAt('checkpoints.applicationName', fields.applicationName, isText, TEXT)
  const streamArn = expectAt('checkpoints.streamArn', fields.streamArn, isText, 'the ARN of a stream')
  const streamCreationEpoch = expectAt('checkpoints.streamCreationEpoch', fields.streamCreationEpoch, isCount, COUNT)
  const exportedAtMs = expectAt('checkpoints.exportedAtMs', fields.exportedAtMs, isCount, COUNT)
  const list = expectAt('checkpoints.leases', fields.leases, isArray, 'an array')
  const leases = list.map((lease, index) => parseLease(`checkpoints.leases[${index}]`, lease))
  const ids = leases.map(({ shardId }) => shardId)
  const twice = ids.find((shardId, index) => ids.indexOf(shardId) !== index)
  if (twice !== undefined) throw new OptionError('checkpoints.leases', `has ${twice} twice, expected each shard once`)
  const about = { format: 'millrace-checkpoints', version: 1, applicationName, streamArn } as const
  return { ...about, streamCreationEpoch, exportedAtMs, leases }
}

function parseLease(path: string, data: unknown): ExportedLease {
  const fields = objectAt(path, data)
  const { startTimestampMs, beganAtMs, hashKeyRange } = fields
  const at = (name: string): string => `${path}.${name}`
  const shardId = expectAt(at('shardId'), fields.shardId, isText, TEXT)
  const sequenceNumber = expectAt(at('sequenceNumber'), fields.sequenceNumber, isSequenceNumber, SEQUENCE_NUMBER)
  const subSequenceNumber = expectAt(at('subSequenceNumber'), fields.subSequenceNumber, isCount, COUNT)
  const ids = 'an array of shard ids'
  const parentShardIds = expectAt(at('parentShardIds'), fields.parentShardIds, isTexts, ids)
  const childShardIds = expectAt(at('childShardIds'), fields.childShardIds, isTexts, ids)
  const range = hashKeyRange === undefined ? undefined : parseRange(at('hashKeyRange'), hashKeyRange)
  return {
    ...{ shardId, sequenceNumber, subSequenceNumber },
    ...(startTimestampMs !== undefined && {
      startTimestampMs: expectAt(at('startTimestampMs'), startTimestampMs, isCount, COUNT)
    }),
    ...(beganAtMs !== undefined && { beganAtMs: expectAt(at('beganAtMs'), beganAtMs, isCount, COUNT) }),
    ...{ parentShardIds, childShardIds },
    ...(range && { hashKeyRange: range })
  }
}

function parseRange(path: string, data: unknown): { readonly start: string; readonly end: string } {
  const fields = objectAt(path, data)
  const start = expectAt(`${path}.start`, fields.start, isHashKey, HASH_KEY)
  return { start, end: expectAt(`${path}.end`, fields.end, isHashKey, HASH_KEY) }
}

const TEXT = 'a text that is not empty'
const COUNT = 'a whole number from 0'
const HASH_KEY = `a text with a whole number from 0 to ${MAX_HASH_KEY}`
const SEQUENCE_NUMBER = 'decimal digits, TRIM_HORIZON, LATEST, AT_TIMESTAMP or SHARD_END'

function objectAt(path: string, data: unknown): Readonly<Record<string, unknown>> {
  const isObject = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
  return expectAt(path, data, isObject, 'an object, as exportCheckpoints() makes it')
}

function expectAt<T>(path: string, value: unknown, test: (value: unknown) => value is T, expected: string): T {
  if (test(value)) return value
  throw new OptionError(
    path,
    value === undefined ? `is missing, expected ${expected}` : `is ${shown(value)}, expected ${expected}`
  )
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80))
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  return String(value)
}

function is<T>(wanted: T): (value: unknown) => value is T {
  return (value): value is T => value === wanted
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isArray(value: unknown): value is readonly unknown[] {
  return Array.isArray(value)
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

function isSequenceNumber(value: unknown): value is string {
  return typeof value === 'string' && isPosition({ sequenceNumber: value, subSequenceNumber: 0 })
}

function isHashKey(value: unknown): value is string {
  return typeof value === 'string' && /^\d{1,39}$/.test(value) && BigInt(value) <= MAX_HASH_KEY
}
