// How a Java fleet on the same table is coordinated, and who assigns its leases, as far as that shows in its items. Every
// version of KCL and every state between two versions is told apart here and nowhere else.
import type { KclPlace, KclSighting } from './kcl-coordination.ts'

/** What follows from what a Java fleet says of itself. */
export interface KclStanding {
  /** `takers`: its workers take leases from one another, by count (2.x). `leader`: one of them assigns all leases (3.x). */
  readonly algorithm: 'takers' | 'leader'
  /** Where a worker that can be given leases says so. Absent: nowhere. Then nothing but leases may be written. */
  readonly place?: KclPlace
}

/** Without a word from a Java fleet: KCL 2.x, which breaks on anything in the lease table that is no lease. */
export const KCL_2X: KclStanding = { algorithm: 'takers' }

/** Judges what was read. */
export function judgeKcl(sighting: KclSighting): KclStanding {
  const { version } = sighting
  if (version === undefined || version === 'INIT' || version === '2X') return KCL_2X
  return { algorithm: version === 'UPGRADE_FROM_2X' ? 'takers' : 'leader', place: placeOf(sighting) }
}

/**
 * The tables of 3.0 to 3.4 are used until the migration is in force. Between two states a fleet writes into both places and
 * reads both; the migration goes on only once nobody writes into the old ones, so that we go with those that go ahead.
 */
function placeOf({ hasLegacyTables, tableMigration, isLeaseTableInUse = false }: KclSighting): KclPlace {
  if (!hasLegacyTables || tableMigration === 'PENDING' || tableMigration === 'COMPLETE') return 'lease-table'
  return tableMigration === 'DEPLOYED' && isLeaseTableInUse ? 'lease-table' : 'legacy-tables'
}

/** The lock of a Java leader as one of our leaders has watched it. A value: each look makes another one. */
export interface KclLockWatch {
  /** When it was last looked at, in monotonic milliseconds. */
  readonly atMs: number
  /** Absent: nobody had the lock. */
  readonly version: string | undefined
  /** How long the lock has shown no sign of life. Milliseconds, as far as watched. */
  readonly stillMs: number
  /** Who has the lock, or had it last. Absent: nobody was seen with it. */
  readonly owner?: string
  /** Whether that one counts as dead, or cut off: it renews no lease any more, and the lock has not moved since. */
  readonly isOrphaned: boolean
  /** Who counted as dead and was not. In this one only the lock is believed. */
  readonly spared?: string
}

/** What a look at the lock is judged by. */
export interface KclLook {
  readonly nowMs: number
  /** Epoch seconds. Only says how old an item is that was found at the first look. */
  readonly nowS: number
  /** The time since the look before counts for no more than this. Milliseconds. */
  readonly maxStepMs: number
  /** Whether Java workers own leases. */
  readonly hasForeigners: boolean
  /** Whether a Java worker owns leases, was seen to renew some of them, and has renewed none for a lease duration. */
  readonly isSilent: (worker: string) => boolean
}

/** A lock is renewed every 30 s; a Java worker finds a free one within 50 s. After this nobody is about to lead. */
export const KCL_LOCK_PATIENCE_MS = 75_000
/** A Java worker that has published no metrics for so long is not counted on by other Java workers either. Seconds. */
const GONE_AFTER_S = 60

/**
 * The watch after another look. The first look concludes nothing against who has the lock, unless its owner has published
 * nothing for a minute; and nothing against Java workers that may be about to take it, if there are any. A leader renews its
 * leases three times as often as they run out, and its lock every 30 s only, so that the leases tell of its death first. The
 * lock has the last word: it must not have moved between the look before and this one, which finds the leases still.
 */
export function watchKclLock(before: KclLockWatch | undefined, { lock }: KclSighting, look: KclLook): KclLockWatch {
  const { nowMs: atMs, maxStepMs, isSilent } = look
  const version = lock?.version
  const owner = lock?.owner ?? before?.owner
  const now = { atMs, version, ...(owner !== undefined && { owner }) }
  if (before === undefined)
    return { ...now, stillMs: isSurelyVacant(lock, look) ? KCL_LOCK_PATIENCE_MS : 0, isOrphaned: false }
  const stepMs = Math.min(Math.max(0, atMs - before.atMs), maxStepMs)
  const stillMs = version === before.version ? before.stillMs + stepMs : 0
  // Nobody assigns by a lock that was given back.
  const isAlive = lock !== undefined && version !== before.version
  const spared = isAlive && wasWronged(before, lock.owner) ? lock.owner : before.spared
  const hasDied = owner !== undefined && owner !== spared && isSilent(owner)
  const isOrphaned = !isAlive && (before.isOrphaned || hasDied)
  return { ...now, stillMs, isOrphaned, ...(spared !== undefined && { spared }) }
}

/** Later than that a worker has come back under its name. */
function wasWronged({ isOrphaned, owner, stillMs }: KclLockWatch, mover: string): boolean {
  return isOrphaned && owner === mover && stillMs < KCL_LOCK_PATIENCE_MS
}

function isSurelyVacant(lock: KclSighting['lock'], { nowS, hasForeigners }: KclLook): boolean {
  if (lock === undefined) return !hasForeigners
  return lock.ownerSeenAtS !== undefined && nowS - lock.ownerSeenAtS > GONE_AFTER_S
}

/**
 * Whether a Java leader assigns the leases, so that ours leaves all of them alone: from the first sign of life of its lock
 * until there has been none for {@link KCL_LOCK_PATIENCE_MS}, or its own leases tell that it is dead.
 */
export function doesKclAssign({ algorithm }: KclStanding, watch: KclLockWatch | undefined): boolean {
  return algorithm === 'leader' && watch !== undefined && watch.stillMs < KCL_LOCK_PATIENCE_MS && !watch.isOrphaned
}
