// The conditions of the two tables as pure functions over plain values: what a write makes of an item. The stores in memory
// have the same; model-stores.test.ts holds these against those.
import type { BeatOutcome, Death, LeaderLock, Member, MemberReport } from '../../../src/leases/control-store.ts'
import { changedFields, sameValue } from '../../../src/leases/lease-fields.ts'
import type { Lease } from '../../../src/model/lease.ts'

/** The row after `before` was to be turned into `after`; `undefined`: refused. */
export function replaceRow(row: Lease | undefined, before: Lease, after: Lease): Lease | undefined {
  if (row === undefined || row.owner !== before.owner || row.counter !== before.counter) return undefined
  if (row.checkpointOwner !== before.checkpointOwner) return undefined
  return withChanges(row, before, after)
}

/** The row with what differs between `before` and `after`, whatever it was. */
export function withChanges(row: Lease, before: Lease, after: Lease): Lease {
  const changes = Object.fromEntries(changedFields(before, after).map(field => [field, after[field]]))
  return { ...row, ...changes }
}

/** The row after `lease` was to be created. */
export function createRow(row: Lease | undefined, lease: Lease): Lease {
  return row ?? lease
}

/** A session's item after a write, and what the write was answered. */
export interface Answered<T> {
  readonly item: Member | undefined
  readonly answer: T
}

/** The item after its session has joined. */
export function joined(item: Member | undefined, report: MemberReport): Answered<BeatOutcome> {
  return withOutcome(item ?? { ...report, hb: 1, asgVer: 0 })
}

/** The item after heartbeat `hb`. */
export function beaten(item: Member | undefined, report: MemberReport, hb: number): Answered<BeatOutcome> {
  if (item === undefined || item.dead !== undefined || item.hb >= hb) return withOutcome(item)
  return withOutcome({ ...report, hb, asgVer: item.asgVer })
}

/** The item after a death certificate was to be written for a session that was watched at heartbeat `hb`. */
export function certified(item: Member | undefined, hb: number, how: Death): Answered<boolean> {
  if (item === undefined || item.dead !== undefined || item.hb !== hb) return { item, answer: false }
  return { item: { ...item, dead: how }, answer: true }
}

/** The lock after `before` was to be replaced by `after`; `undefined`: refused. */
export function replaceLock(
  lock: LeaderLock | undefined,
  before: LeaderLock | undefined,
  after: LeaderLock
): LeaderLock | undefined {
  return sameValue(lock, after) || sameValue(lock, before) ? after : undefined
}

function withOutcome(item: Member | undefined): Answered<BeatOutcome> {
  if (item === undefined) return { item, answer: { kind: 'dead', how: 'gone' } }
  if (item.dead !== undefined) return { item, answer: { kind: 'dead', how: item.dead } }
  return { item, answer: { kind: 'alive', asgVer: item.asgVer } }
}
