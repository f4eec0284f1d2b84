// Which leases may be claimed: the only copy of rule R1 of the protocol, and of which shards can be read now.
import { isFinished, type Lease } from '../model/lease.ts'
import type { Mailbox } from './control-store.ts'

/** Whether and why a lease may be claimed. */
export type ClaimVerdict =
  | { readonly kind: 'claim'; readonly why: 'unowned' | 'ours' | 'dead' | 'stolen' }
  /** Somebody who may be alive has it. */
  | { readonly kind: 'owned'; readonly by: string }
  /** The shard is finished, or there is no such lease. */
  | { readonly kind: 'over' }

/** Judges a lease as it was just read, strongly consistent (rule R1 of the protocol: the only copy of it). */
export function judgeClaim(
  lease: Lease | undefined,
  session: string,
  mailbox: Pick<Mailbox, 'dead' | 'steal'>
): ClaimVerdict {
  if (lease === undefined || isFinished(lease)) return { kind: 'over' }
  const { owner, leaseKey } = lease
  if (owner === undefined) return { kind: 'claim', why: 'unowned' }
  if (owner === session) return { kind: 'claim', why: 'ours' }
  if (mailbox.dead.includes(owner)) return { kind: 'claim', why: 'dead' }
  if (mailbox.steal.includes(leaseKey)) return { kind: 'claim', why: 'stolen' }
  return { kind: 'owned', by: owner }
}

/** Unfinished leases whose shards can be read: every parent is finished, or has no lease any more. */
export function readableLeases(leases: readonly Lease[]): Lease[] {
  const unfinished = leases.filter(lease => !isFinished(lease))
  const waitedFor = new Set(unfinished.map(lease => lease.shardId))
  return unfinished.filter(lease => !lease.parentShardIds.some(parent => waitedFor.has(parent)))
}
