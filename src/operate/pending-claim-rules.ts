// Whether leases that are on hold may still be claimed: by who has not heard of it, or has not finished what it was told before.
import type { LeaderLock, Mailbox, Member } from '../leases/control-store.ts'

/** What there is to judge by. The members were read after the mailboxes, and these after the lock; all of it consistently. */
export interface ClaimFacts {
  readonly lock: LeaderLock | undefined
  readonly mailboxes: readonly Mailbox[]
  readonly members: readonly Member[]
  /** Version of the orders with which the leases are on hold. */
  readonly ordersVer: number
  /** Whether a lease is one of those on hold. */
  readonly isWanted: (leaseKey: string) => boolean
}

/** Who may still claim. */
export interface PendingClaims {
  /** Sessions that may claim one of the leases by what they were told. Ascending. */
  readonly claimants: readonly string[]
  /** Whether the leader, or whoever comes to lead, may still tell sessions to claim one of them. */
  readonly isLeaderBehind: boolean
}

/**
 * Judges it. Nobody claims a lease that is not in its mailbox, and a session says of which mailbox on it has none of the claims of
 * the one before under way (`seen`). A leader says by which orders every mailbox is written (`orders`). Where no session lives
 * there is nobody to wait for.
 */
export function pendingClaims({ lock, mailboxes, members, ordersVer, isWanted }: ClaimFacts): PendingClaims {
  const living = members.filter(({ dead }) => dead === undefined)
  const boxes = new Map(mailboxes.map(mailbox => [mailbox.session, mailbox]))
  const mayClaim = ({ session, seen = 0 }: Member): boolean => {
    const mailbox = boxes.get(session)
    return mailbox !== undefined && (mailbox.leases.some(isWanted) || seen < mailbox.ver)
  }
  const leader = living.find(({ session }) => session === lock?.who)
  return {
    claimants: living
      .filter(mayClaim)
      .map(({ session }) => session)
      .sort(),
    isLeaderBehind: living.length > 0 && (leader?.orders ?? 0) < ordersVer
  }
}
