// Which leases may be claimed: the only copy of rule R1 of the protocol, and of which shards can be read now.
import { actualOwner, isFinished, type Lease, siblingKey } from '../model/lease.ts'
import type { Mailbox } from './control-store.ts'

/** Whether and why a lease may be claimed. */
export type ClaimVerdict =
  | { readonly kind: 'claim'; readonly why: 'unowned' | 'ours' | 'dead' | 'stolen' | 'assigned' }
  /** Somebody who may be alive has it, or a leader of KCL has not given it to this session. */
  | { readonly kind: 'owned'; readonly by: string }
  /** The shard is finished, or there is no such lease. */
  | { readonly kind: 'over' }

/**
 * Judges a lease as it was just read, strongly consistent (rule R1 of the protocol: the only copy of it). While a leader of
 * KCL assigns, a lease may be claimed if the row names the session: only then has that leader given it to us, and the claim
 * counts it up, so that nobody who had it before can write any more. Not before it is handed over, and not one that this
 * session itself is to hand over: that one it claims, and so ends the hand-off, if our leader assigns by now.
 */
export function judgeClaim(
  lease: Lease | undefined,
  session: string,
  mailbox: Pick<Mailbox, 'dead' | 'steal' | 'assigner'>
): ClaimVerdict {
  if (lease === undefined || isFinished(lease)) return { kind: 'over' }
  const { owner, leaseKey } = lease
  const holder = actualOwner(lease)
  if (mailbox.assigner === 'kcl') {
    const isAssigned = owner === session && holder === session
    return isAssigned ? { kind: 'claim', why: 'assigned' } : { kind: 'owned', by: holder ?? 'nobody' }
  }
  if (holder === undefined) return { kind: 'claim', why: 'unowned' }
  if (holder === session) return { kind: 'claim', why: 'ours' }
  if (mailbox.dead.includes(holder)) return { kind: 'claim', why: 'dead' }
  if (mailbox.steal.includes(leaseKey)) return { kind: 'claim', why: 'stolen' }
  return { kind: 'owned', by: holder }
}

/** Unfinished leases whose shards can be read: every parent is finished, or has no lease any more. */
export function readableLeases(leases: readonly Lease[]): Lease[] {
  const unfinished = leases.filter(lease => !isFinished(lease))
  const waitedFor = new Set(unfinished.map(lease => lease.leaseKey))
  return unfinished.filter(lease => !lease.parentShardIds.some(parent => waitedFor.has(siblingKey(lease, parent))))
}
