// Who of the owners of leases lives, and how often KCL renews, as somebody sees it who reads the lease table again and again. By the
// own clock: in a lease there is no time.
import { actualOwner, isFinished, type Lease } from '../model/lease.ts'

/** One lease as it was watched. */
interface LeaseSighting {
  readonly owner: string | undefined
  readonly counter: number
  /** When this owner was first seen with it, in monotonic milliseconds. */
  readonly sinceMs: number
  /** When its counter was first and last seen to have changed. Absent: never yet. */
  readonly firstChangeMs?: number
  readonly lastChangeMs?: number
  readonly changes: number
}

/** Every lease that is not finished, as it was watched. A value: each look makes another one. */
export interface OwnerWatch {
  readonly atMs: number
  readonly byKey: ReadonlyMap<string, LeaseSighting>
}

/** What somebody has seen before the first look. */
export const NO_OWNERS_SEEN: OwnerWatch = { atMs: 0, byKey: new Map() }

/** One owner of leases. */
export interface OwnerSight {
  readonly owner: string
  /** How many unfinished leases it owns. */
  readonly leases: number
  /** `alive`: a counter of its leases moves; `silent`: none has for long enough; `unknown`: it was not watched for long enough. */
  readonly state: 'alive' | 'silent' | 'unknown'
  /** How often its leases are written to, where that was seen twice. Of several leases, the one that is written to least. Milliseconds. */
  readonly writesEveryMs?: number
}

/** The watch after another look. */
export function watchOwners(before: OwnerWatch, leases: readonly Lease[], nowMs: number): OwnerWatch {
  const byKey = new Map<string, LeaseSighting>()
  for (const lease of leases.filter(each => !isFinished(each))) {
    const { leaseKey, counter } = lease
    const owner = actualOwner(lease)
    const last = before.byKey.get(leaseKey)
    if (last === undefined || last.owner !== owner) byKey.set(leaseKey, { owner, counter, sinceMs: nowMs, changes: 0 })
    else if (last.counter === counter) byKey.set(leaseKey, last)
    else {
      const { firstChangeMs = nowMs, changes } = last
      byKey.set(leaseKey, { ...last, counter, firstChangeMs, lastChangeMs: nowMs, changes: changes + 1 })
    }
  }
  return { atMs: nowMs, byKey }
}

/** Every owner, ascending. `silentMs`: so long none of its counters must have moved for it to be silent. */
export function ownersSeen({ byKey, atMs }: OwnerWatch, silentMs: number): OwnerSight[] {
  const byOwner = new Map<string, LeaseSighting[]>()
  for (const lease of byKey.values()) {
    if (lease.owner !== undefined) byOwner.set(lease.owner, [...(byOwner.get(lease.owner) ?? []), lease])
  }
  const sights = [...byOwner].map(([owner, leases]): OwnerSight => {
    const quietMs = Math.min(...leases.map(({ sinceMs, lastChangeMs = sinceMs }) => atMs - lastChangeMs))
    const hasMoved = leases.some(({ lastChangeMs }) => lastChangeMs !== undefined)
    const state = quietMs >= silentMs ? 'silent' : hasMoved ? 'alive' : 'unknown'
    const paces = leases.flatMap(paceOf)
    return { owner, leases: leases.length, state, ...(paces.length > 0 && { writesEveryMs: Math.max(...paces) }) }
  })
  return sights.sort((a, b) => (a.owner < b.owner ? -1 : 1))
}

/** Whether the counter of a lease was seen to move within the last `withinMs`. */
export function isMoving({ byKey, atMs }: OwnerWatch, leaseKey: string, withinMs: number): boolean {
  const { lastChangeMs } = byKey.get(leaseKey) ?? {}
  return lastChangeMs !== undefined && atMs - lastChangeMs <= withinMs
}

/**
 * About the `failoverTimeMillis` of a KCL worker whose leases are written to at this pace: it renews three times as often. Less than it
 * really is where every lease is checkpointed more often than that. In whole seconds.
 */
export function failoverOf(writesEveryMs: number): number {
  return Math.max(1_000, Math.round((3 * writesEveryMs) / 1_000) * 1_000)
}

function paceOf({ firstChangeMs, lastChangeMs, changes }: LeaseSighting): number[] {
  if (firstChangeMs === undefined || lastChangeMs === undefined || changes < 2) return []
  return [(lastChangeMs - firstChangeMs) / (changes - 1)]
}
