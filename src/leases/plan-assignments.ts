// Which leases this worker claims now, and which it asks others for. Leases nobody holds are claimed; held ones are never
// taken from a living owner but asked for, and the owner drains, checkpoints and releases them.
import { isFinished, type Lease } from '../model/lease.ts'
import { type Random, shuffled } from '../runtime/random.ts'

export type ClaimReason =
  | 'ours' /** the row names us already: the answer to an earlier claim was lost */
  | 'requested' /** its owner released it because we asked */
  | 'unowned' /** nobody had it */
  | 'expired' /** its owner has shown no sign of life for the lease duration */
  | 'child' /** it continues a shard that this worker has just finished */

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

export interface AssignmentSettings {
  /** How long a lease lives without a renewal. Milliseconds. */
  readonly durationMs: number
  /** How many leases this worker holds at most. */
  readonly maxLeases: number
  /** How many claims, or requests, one plan has at most. */
  readonly maxMoves: number
}

export interface PlannedClaim {
  readonly lease: Lease
  readonly why: ClaimReason
}

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
  readonly unassigned: number
  /** Keys of leases that nobody has come for in two lease durations, this worker included: all are full, or avoid them. */
  readonly neglected: readonly string[]
  /** Keys of the leases held here that wait for a parent. They take no place: the parent may need it. */
  readonly waiting: readonly string[]
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
  const waiting = waitingLeases(facts.leases, readable).filter(({ leaseKey }) => held.has(leaseKey))
  const room = Math.max(0, settings.maxLeases - held.size + waiting.length)
  const chosen = chooseClaims(shuffled(claimable, random), fairShare - load, facts, settings).slice(0, room)
  const claim = chosen.slice(0, settings.maxMoves)

  const coming = [...holders].filter(([key, holder]) => holder === session && !held.has(key)).length
  const request =
    claimable.length > 0
      ? []
      : planRequests(shuffled(readable, random), holders, facts, {
          fairShare,
          atMost: Math.min(room - coming, settings.maxMoves)
        })
  const taken = new Set(chosen.map(({ lease }) => lease.leaseKey))
  const isNeglected = ({ leaseKey }: Lease): boolean =>
    !taken.has(leaseKey) && facts.unchangedMs(leaseKey) > 2 * settings.durationMs
  return {
    claim,
    request,
    awaited: coming,
    more: chosen.length > claim.length,
    workers: loads.size,
    fairShare,
    unassigned: open.length - claim.length,
    neglected: open.filter(isNeglected).map(({ leaseKey }) => leaseKey),
    waiting: waiting.map(({ leaseKey }) => leaseKey)
  }
}

/** Unfinished leases whose shards can be read: every parent is finished, or has no lease any more. */
export function readableLeases(leases: readonly Lease[]): Lease[] {
  const unfinished = leases.filter(lease => !isFinished(lease))
  const waitedFor = new Set(unfinished.map(lease => lease.shardId))
  return unfinished.filter(lease => !lease.parentShardIds.some(parent => waitedFor.has(parent)))
}

/** Unfinished leases whose shards cannot be read yet. */
function waitingLeases(leases: readonly Lease[], readable: readonly Lease[]): Lease[] {
  const canBeRead = new Set(readable)
  return leases.filter(lease => !isFinished(lease) && !canBeRead.has(lease))
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
