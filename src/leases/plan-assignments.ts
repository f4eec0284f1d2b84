// Which leases this worker claims now, and which it asks others for. Leases nobody holds are claimed; held ones are never
// taken from a living owner but asked for, and the owner drains, checkpoints and releases them.
import { isFinished, type Lease } from '../model/lease.ts'
import { type Random, shuffled } from '../runtime/random.ts'

/** Why a lease is claimed. */
export type ClaimReason =
  | 'ours' /** the row names us already: the answer to an earlier claim was lost */
  | 'requested' /** its owner released it because we asked */
  | 'unowned' /** nobody had it */
  | 'expired' /** its owner has shown no sign of life for the lease duration */
  | 'child' /** it continues a shard that this worker has just finished */
  | 'needed' /** a lease held here waits for it, and nobody had room for it: beyond maxLeases */

/** The table as last read, and what this worker knows beside it. */
export interface AssignmentFacts {
  readonly leases: readonly Lease[]
  /** How long a lease has not moved as far as this worker watched, in milliseconds. */
  readonly unchangedMs: (leaseKey: string) => number
  readonly session: string
  /** Keys of the leases this worker holds. */
  readonly held: ReadonlySet<string>
  /** Leases to leave alone: an earlier run of the shard is still being wound up here, or it failed here lately. */
  readonly avoid: ReadonlySet<string>
}

/** The limits that a plan keeps to. */
export interface AssignmentSettings {
  /** How long a lease lives without a renewal. Milliseconds. */
  readonly durationMs: number
  /** How many leases this worker holds at most. */
  readonly maxLeases: number
  /** How many claims, or requests, one plan has at most. */
  readonly maxMoves: number
}

/** A lease to claim, and what makes it free. */
export interface PlannedClaim {
  readonly lease: Lease
  readonly why: ClaimReason
}

/** Which leases to claim and which to ask for, with the numbers that it follows from. */
export interface AssignmentPlan {
  readonly claim: readonly PlannedClaim[]
  /** Leases to ask their owners for. */
  readonly request: readonly Lease[]
  /** How many leases asked for earlier have not come yet. */
  readonly awaited: number
  /** Whether there was more to claim than one plan may have. */
  readonly more: boolean
  /** Sessions that hold something, or are about to; this one included. */
  readonly workers: number
  /** What each of them would hold in a balanced fleet, at most. */
  readonly fairShare: number
  /** Leases that could be read, that nobody holds, and that this plan does not claim. */
  readonly unclaimed: readonly Lease[]
}

/** Plans one round. Leases of finished shards, and of shards whose parents are not finished, are left alone. */
export function planAssignments(facts: AssignmentFacts, settings: AssignmentSettings, random: Random): AssignmentPlan {
  const { session, held, avoid } = facts
  const readable = readableLeases(facts.leases)
  const holders = new Map(readable.map(lease => [lease.leaseKey, prospectiveHolder(lease, facts, settings)]))
  const loads = countLoads(holders, session)
  const fairShare = Math.ceil(readable.length / loads.size)
  const load = loads.get(session) ?? 0

  const open = readable.filter(lease => !held.has(lease.leaseKey) && isOpen(lease, facts, settings))
  const claimable = open.filter(lease => {
    const holder = holders.get(lease.leaseKey)
    return !avoid.has(lease.leaseKey) && (holder === undefined || holder === session)
  })
  const room = Math.max(0, settings.maxLeases - held.size)
  const wished = chooseClaims(shuffled(claimable, random), fairShare - load, facts, settings)
  const needed = ancestorsOfWaiting(facts.leases, held)
  const beyond = wished.slice(room).filter(({ lease }) => needed.has(lease.shardId))
  const chosen = [...wished.slice(0, room), ...beyond.map(({ lease }) => ({ lease, why: 'needed' }) as const)]
  const claim = chosen.slice(0, settings.maxMoves)

  const coming = [...holders].filter(([key, holder]) => holder === session && !held.has(key)).length
  const request =
    claimable.length > 0
      ? []
      : planRequests(shuffled(readable, random), holders, facts, {
          fairShare,
          atMost: Math.min(room - coming, settings.maxMoves)
        })
  const claimed = new Set(claim.map(({ lease }) => lease))
  return {
    claim,
    request,
    awaited: coming,
    more: chosen.length > claim.length,
    workers: loads.size,
    fairShare,
    unclaimed: open.filter(lease => !claimed.has(lease))
  }
}

/** Unfinished leases whose shards can be read: every parent is finished, or has no lease any more. */
export function readableLeases(leases: readonly Lease[]): Lease[] {
  const unfinished = leases.filter(lease => !isFinished(lease))
  const waitedFor = new Set(unfinished.map(lease => lease.shardId))
  return unfinished.filter(lease => !lease.parentShardIds.some(parent => waitedFor.has(parent)))
}

/**
 * Unfinished shards that a lease held here waits for, itself or through others. They may be claimed beyond `maxLeases`: what
 * waits is not read, and would wait for ever if nobody else had room for them.
 */
function ancestorsOfWaiting(leases: readonly Lease[], held: ReadonlySet<string>): ReadonlySet<string> {
  const unfinished = new Map(leases.filter(lease => !isFinished(lease)).map(lease => [lease.shardId, lease]))
  const needed = new Set<string>()
  const visit = ({ parentShardIds }: Lease): void => {
    for (const id of parentShardIds) {
      const parent = unfinished.get(id)
      if (parent === undefined || needed.has(id)) continue
      needed.add(id)
      visit(parent)
    }
  }
  for (const lease of unfinished.values()) if (held.has(lease.leaseKey)) visit(lease)
  return needed
}

/** Whether a lease has no living owner, or names us although we do not hold it. */
function isOpen(lease: Lease, facts: AssignmentFacts, settings: AssignmentSettings): boolean {
  if (lease.owner === undefined || lease.owner === facts.session) return true
  return facts.unchangedMs(lease.leaseKey) > settings.durationMs
}

/** Who holds a lease once every request is granted. A request by somebody who does not come for it lapses. */
function prospectiveHolder(lease: Lease, facts: AssignmentFacts, settings: AssignmentSettings): string | undefined {
  const { session, held } = facts
  const idleMs = facts.unchangedMs(lease.leaseKey)
  if (held.has(lease.leaseKey)) return lease.wantedBy ?? session
  if (lease.owner === session) return session
  if (lease.owner === undefined) return idleMs > settings.durationMs ? undefined : lease.wantedBy
  return idleMs > settings.durationMs ? undefined : (lease.wantedBy ?? lease.owner)
}

function countLoads(holders: ReadonlyMap<string, string | undefined>, session: string): Map<string, number> {
  const loads = new Map([[session, 0]])
  for (const holder of holders.values()) {
    if (holder !== undefined) loads.set(holder, (loads.get(holder) ?? 0) + 1)
  }
  return loads
}

/** What is ours already comes first, then our fair share, then what has been lying about for so long that balance is second. */
function chooseClaims(
  claimable: readonly Lease[],
  missing: number,
  facts: AssignmentFacts,
  settings: AssignmentSettings
): PlannedClaim[] {
  const ours: PlannedClaim[] = []
  const overdue: PlannedClaim[] = []
  const others: PlannedClaim[] = []
  for (const lease of claimable) {
    const idleMs = facts.unchangedMs(lease.leaseKey)
    if (lease.owner === facts.session) ours.push({ lease, why: 'ours' })
    else if (lease.wantedBy === facts.session) ours.push({ lease, why: 'requested' })
    else if (lease.owner === undefined)
      (idleMs > settings.durationMs ? overdue : others).push({ lease, why: 'unowned' })
    else (idleMs > 2 * settings.durationMs ? overdue : others).push({ lease, why: 'expired' })
  }
  return [...ours, ...overdue, ...others.slice(0, Math.max(0, missing - overdue.length))]
}

/**
 * Asks the most loaded workers, one lease at a time, until nobody has two more than this worker, or it has its fair share.
 * The latter counts while others are asking, too, and what they ask for shows in the table only in part.
 */
function planRequests(
  candidates: readonly Lease[],
  holders: ReadonlyMap<string, string | undefined>,
  facts: AssignmentFacts,
  { fairShare, atMost }: { readonly fairShare: number; readonly atMost: number }
): Lease[] {
  const { session, held, avoid } = facts
  const loads = countLoads(holders, session)
  const requests: Lease[] = []
  const spent = new Set<string>()
  while (requests.length < atMost) {
    const mine = loads.get(session) ?? 0
    const others = [...loads].filter(([holder]) => holder !== session && !spent.has(holder))
    const [donor, most] = others.reduce((a, b) => (b[1] > a[1] ? b : a), [session, mine])
    if (donor === session || most - mine < 2 || mine >= fairShare) break
    const lease = candidates.find(
      ({ leaseKey, owner, wantedBy }) =>
        owner === donor &&
        wantedBy === undefined &&
        !held.has(leaseKey) &&
        !avoid.has(leaseKey) &&
        holders.get(leaseKey) === donor &&
        !requests.some(request => request.leaseKey === leaseKey)
    )
    if (lease === undefined) {
      spent.add(donor)
      continue
    }
    requests.push(lease)
    loads.set(donor, most - 1)
    loads.set(session, mine + 1)
  }
  return requests
}
