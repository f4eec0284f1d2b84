// What is known of a table that KCL and Millrace share, as a value: say what matters, the rest is plausible.
import type { Mailbox, Member } from '../../src/leases/control-store.ts'
import { NO_ORDERS } from '../../src/leases/order-rules.ts'
import type { Lease } from '../../src/model/lease.ts'
import { isFinished } from '../../src/model/lease.ts'
import { type MigrationFacts, seeModes } from '../../src/operate/migration-rules.ts'
import { NO_OWNERS_SEEN, ownersSeen, watchOwners } from '../../src/operate/owner-rules.ts'
import { aMember, session } from '../fleet/fleet-model.ts'
import { A_STREAM, aLease, aPosition, aShard, shardId } from '../support/builders.ts'

export { aMember, session } from '../fleet/fleet-model.ts'

/** A lease of shard `number`, read up to some record. */
export function aReadLease(number: number, owner?: string, with_: Partial<Lease> = {}): Lease {
  const id = shardId(number)
  return aLease({ ...{ leaseKey: id, shardId: id, checkpoint: aPosition(7) }, ...(owner && { owner }), ...with_ })
}

/** What there is. */
export interface World {
  readonly leases: readonly Lease[]
  /** Owners whose counters move. Default: everybody. */
  readonly moving?: readonly string[]
  readonly members?: readonly Member[]
  /** What the mailboxes of all members say. Default: none was written. */
  readonly mode?: 'solo' | 'mixed'
}

/** Facts of a table that was watched for 20 seconds. */
export function facts(
  { leases, moving, members = [], mode }: World,
  with_: Partial<MigrationFacts> = {}
): MigrationFacts {
  const isMoving = (owner?: string): boolean => owner !== undefined && (moving ?? [owner]).includes(owner)
  let watch = NO_OWNERS_SEEN
  for (let look = 0; look <= 20; look++) {
    const seen = leases.map(lease => ({
      ...lease,
      counter: lease.counter + (isMoving(lease.owner) ? Math.floor(look / 3) : 0)
    }))
    watch = watchOwners(watch, seen, look * 1_000)
  }
  const mailboxes = mode === undefined ? [] : members.map(({ session }) => aBox(session, mode))
  const shards = leases.filter(lease => !isFinished(lease)).map(({ shardId: id }) => aShard({ shardId: id }))
  return {
    ...{ applicationName: 'app', streamName: 'orders', leaseTable: 'app', controlTable: 'millrace-control' },
    ...{ stream: A_STREAM, leases, skipped: [], shards, members, mailboxes, lock: undefined, orders: NO_ORDERS },
    ...{ hasControlItems: members.length > 0, acting: seeModes(new Map(), mailboxes, members) },
    ...{ watch, owners: ownersSeen(watch, 10_000), kclGoneForMs: 0, quietMs: 50_000, beating: [], durationMs: 10_000 },
    ...with_
  }
}

/** A worker of Millrace that has read its mailbox. */
export const aWorker = (id: string, with_: Partial<Member> = {}): Member =>
  aMember(id, { seen: 1, applied: 1, ...with_ })

export const aBox = (of: string, mode: 'solo' | 'mixed'): Mailbox => ({
  ...{ session: of, ver: 1, term: 1, mode, leases: [], wait: [], dead: [], steal: [], evt: 0 }
})

/** The session of worker `a`. */
export const A = session('a')
