// Folds one read of the lease table after another into "how long has this lease not moved, on my own clock".
// No clock of another machine is involved, and nothing is concluded from the first sight of a lease.
import type { Lease } from '../model/lease.ts'

/** One lease as this worker has watched it. */
export interface Sighting {
  readonly counter: number
  readonly owner: string | undefined
  /** How long counter and owner have been the same, as far as this worker watched. Milliseconds. */
  readonly unchangedMs: number
  /** Whether the counter was seen to move while that owner had it: the owner does renew it, or did. */
  readonly isRenewed: boolean
}

/** Every lease as this worker has watched it. A value: each read of the table makes another one. */
export interface Sightings {
  /** When the table was last read, in monotonic milliseconds. */
  readonly atMs: number
  readonly byKey: ReadonlyMap<string, Sighting>
}

/** What a worker has seen before it first reads the table. */
export const NOTHING_SEEN: Sightings = { atMs: 0, byKey: new Map() }

/**
 * The sightings after another read of the table. The time between two reads counts for at most `maxStepMs`: a worker that
 * was itself asleep has not been watching, and must not conclude that everybody else was.
 */
export function observe(before: Sightings, leases: readonly Lease[], nowMs: number, maxStepMs: number): Sightings {
  const stepMs = Math.min(Math.max(0, nowMs - before.atMs), maxStepMs)
  const byKey = new Map<string, Sighting>()
  for (const { leaseKey, counter, owner } of leases) {
    const last = before.byKey.get(leaseKey)
    const same = last !== undefined && last.counter === counter && last.owner === owner
    const isRenewed = last !== undefined && last.owner === owner && (last.counter !== counter || last.isRenewed)
    byKey.set(leaseKey, { counter, owner, unchangedMs: same ? last.unchangedMs + stepMs : 0, isRenewed })
  }
  return { atMs: nowMs, byKey }
}

/** How long a lease has not moved, in milliseconds; 0 if it was never seen. */
export function unchangedMs(sightings: Sightings, leaseKey: string): number {
  return sightings.byKey.get(leaseKey)?.unchangedMs ?? 0
}

/** Whether the owner of a lease was seen to renew it, lately or long ago. */
export function isRenewed(sightings: Sightings, leaseKey: string): boolean {
  return sightings.byKey.get(leaseKey)?.isRenewed ?? false
}
