// The plan of our leader while a leader of KCL 3.x assigns the leases: that everybody keeps what it has. Nothing is given to
// anybody and nothing moves; what nobody has is the business of that leader.
import { readableLeases } from '../leases/claim-rules.ts'
import type { Member } from '../leases/control-store.ts'
import { isSession } from '../leases/session-id.ts'
import { isFinished, type Lease } from '../model/lease.ts'
import type { AssignmentPlan } from './plan-assignments.ts'

/** What such a leader sees. The owner of each lease is who processes it. */
export interface KclLedFacts {
  /** Living sessions. */
  readonly members: readonly Member[]
  readonly leases: readonly Lease[]
}

/** Plans once. Owners are the plan. Unassigned is what nobody owns. */
export function planKclLed({ members, leases }: KclLedFacts): AssignmentPlan {
  const active = new Set(members.filter(({ state }) => state === 'ACTIVE').map(({ session }) => session))
  const unfinished = [...leases].filter(lease => !isFinished(lease)).sort((a, b) => (a.leaseKey < b.leaseKey ? -1 : 1))
  const ours = unfinished.flatMap(({ leaseKey, owner }) =>
    owner !== undefined && active.has(owner)
      ? [[leaseKey, { to: owner, sinceMs: Number.NEGATIVE_INFINITY }] as const]
      : []
  )
  const owners = unfinished.flatMap(({ owner }) => (owner === undefined || isSession(owner) ? [] : owner))
  const unowned = readableLeases(leases).filter(({ owner }) => owner === undefined)
  return {
    assignments: new Map(ours),
    moves: [],
    unassigned: unowned.map(({ leaseKey }) => leaseKey).sort(),
    waiting: [],
    moving: 0,
    foreign: [...new Set(owners)].sort(),
    members: active.size,
    targets: new Map(),
    why: 'kcl-assigns'
  }
}
