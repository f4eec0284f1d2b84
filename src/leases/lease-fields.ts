// What differs between two copies of a lease. The stores write no more than that, so that a write leaves alone what it
// has nothing to do with.
import type { Lease } from '../model/lease.ts'

/** A field of a lease that a write can change. The key, the shard and the stream of a shared table never change. */
export type LeaseField = Exclude<keyof Lease, 'leaseKey' | 'shardId' | 'streamId'>

// A record, so that the compiler complains about a field of the model that is missing here.
const FIELDS: Readonly<Record<LeaseField, true>> = {
  owner: true,
  counter: true,
  checkpoint: true,
  pendingCheckpoint: true,
  ownerSwitchesSinceCheckpoint: true,
  parentShardIds: true,
  childShardIds: true,
  hashKeyRange: true,
  checkpointOwner: true,
  throughputKBps: true,
  stream: true,
  startTimestampMs: true,
  beganAtMs: true
}

/** Every field that a write can change. */
export const LEASE_FIELDS = Object.keys(FIELDS) as readonly LeaseField[]

/** The fields in which `after` is not `before`. Lists of shard ids are sets: their order does not count. */
export function changedFields(before: Lease, after: Lease): LeaseField[] {
  return LEASE_FIELDS.filter(field => !sameValue(before[field], after[field]))
}

/** Shard ids as a row keeps them: a set, here in ascending order. */
export function asIdSet(shardIds: readonly string[]): string[] {
  return [...new Set(shardIds)].sort()
}

/** Whether two values are the same: by their properties, bytes, and lists as sets. An absent property is `undefined`. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array && sameItems([...a], [...b])
  }
  if (Array.isArray(a) && Array.isArray(b)) return sameItems(asIdSet(a), asIdSet(b))
  return sameProperties({ ...a }, { ...b })
}

function sameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index])
}

function sameProperties(a: Record<string, unknown>, b: Record<string, unknown>): boolean {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every(key => sameValue(a[key], b[key]))
}
