// A fleet for tests of the leader's plans: sessions, leases and mailboxes as values, and workers that do what their
// mailboxes say, at once or by chance.

import { type FleetSettings, fleetSettings } from '../../src/fleet/fleet-settings.ts'
import {
  type AssignmentPlan,
  type Assignments,
  type FleetFacts,
  inheritAssignments,
  type PlanSettings,
  planAssignments
} from '../../src/fleet/plan-assignments.ts'
import { planMailboxes } from '../../src/fleet/plan-mailboxes.ts'
import type { Mailbox, Member } from '../../src/leases/control-store.ts'
import { isSession } from '../../src/leases/session-id.ts'
import type { Lease } from '../../src/model/lease.ts'
import { aLease, shardId } from '../support/builders.ts'

export const SETTINGS: FleetSettings = fleetSettings(10_000)
export const PLAN_SETTINGS: PlanSettings = { ...SETTINGS, strategy: 'count', mode: 'solo' }

/** `a/00000001` for `a`. */
export function session(workerId: string, run = 1): string {
  return `${workerId}/${String(run).padStart(8, '0')}`
}

/** A living active session of worker `a`. */
export function aMember(workerId: string, with_: Partial<Member> = {}): Member {
  const id = with_.session ?? session(workerId)
  return {
    session: id,
    workerId,
    state: 'ACTIVE',
    ack: 1,
    applied: 0,
    evt: 0,
    led: 0,
    generation: 1,
    capacity: 1,
    avoid: [],
    hb: 2,
    asgVer: 0,
    ...with_
  }
}

/** Leases of shards 0 to `count`, owned as the function says. */
export function someLeases(count: number, ownerOf: (index: number) => string | undefined = () => undefined): Lease[] {
  return Array.from({ length: count }, (_, index) => {
    const owner = ownerOf(index)
    return aLease({ leaseKey: shardId(index), shardId: shardId(index), ...(owner === undefined ? {} : { owner }) })
  })
}

/** A fleet that has been quiet for long, in which nobody has died. */
export function someFacts(with_: Partial<FleetFacts> = {}): FleetFacts {
  return {
    nowMs: 1_000_000,
    members: [],
    gone: [],
    foreign: new Map(),
    leases: [],
    assignments: new Map(),
    quietMs: 600_000,
    deployMs: 0,
    waitedMs: 600_000,
    ...with_
  }
}

/** How many leases each session is to hold. */
export function countsOf(assignments: Assignments, sessions: Iterable<string> = []): Map<string, number> {
  const counts = new Map([...sessions].map(id => [id, 0]))
  for (const { to } of assignments.values()) counts.set(to, (counts.get(to) ?? 0) + 1)
  return counts
}

/** The plan's facts, member by member: change them as the test wants, and {@link step}. */
export class FleetModel {
  nowMs = 1_000_000
  readonly members = new Map<string, Member>()
  readonly gone = new Map<string, { readonly member: Member; readonly diedAtMs: number }>()
  readonly mailboxes = new Map<string, Mailbox>()
  leases: Lease[]
  assignments: Assignments = new Map()
  loads: Record<string, number> | undefined
  settings: PlanSettings
  /** How often somebody new has come to own each lease. */
  readonly claims = new Map<string, number>()
  readonly #beganAtMs = this.nowMs
  #changedAtMs = this.nowMs
  #deployAtMs = this.nowMs

  constructor(leases: Lease[], settings: PlanSettings = PLAN_SETTINGS) {
    this.leases = leases
    this.settings = settings
  }

  join(member: Member): void {
    const generations = new Set([...this.members.values()].map(({ generation }) => generation))
    if (generations.size > 0 && !generations.has(member.generation)) this.#deployAtMs = this.nowMs
    this.members.set(member.session, member)
    this.#changedAtMs = this.nowMs
  }

  leave(id: string, state: 'DRAINING' | 'RESTARTING' = 'DRAINING'): void {
    const member = this.members.get(id)
    if (member !== undefined) this.members.set(id, { ...member, state })
    this.#changedAtMs = this.nowMs
  }

  /** Another leader takes over. */
  succeed(): void {
    const dead = [...this.gone.values()].map(({ member }) => member)
    this.assignments = inheritAssignments([...this.mailboxes.values()], this.leases, [
      ...this.members.values(),
      ...dead
    ])
  }

  /** The session is dead, and its leases may be claimed. */
  die(id: string): void {
    const member = this.members.get(id)
    this.members.delete(id)
    if (member !== undefined) this.gone.set(id, { member: { ...member, dead: 'silent' }, diedAtMs: this.nowMs })
    this.#changedAtMs = this.nowMs
  }

  get sessions(): string[] {
    return [...this.members.keys()]
  }

  get active(): string[] {
    return [...this.members.values()].filter(({ state }) => state === 'ACTIVE').map(member => member.session)
  }

  owned(id: string): string[] {
    return this.leases.filter(({ owner }) => owner === id).map(({ leaseKey }) => leaseKey)
  }

  facts(): FleetFacts {
    const { nowMs, leases, assignments, loads } = this
    const owners = leases.flatMap(({ owner }) => owner ?? [])
    return someFacts({
      nowMs,
      members: [...this.members.values()],
      gone: [...this.gone.values()].map(({ member, diedAtMs }) => {
        const { session: id, workerId, state } = member
        return { session: id, workerId, wasRestarting: state === 'RESTARTING', forMs: nowMs - diedAtMs }
      }),
      foreign: new Map(owners.filter(owner => !isSession(owner)).map(owner => [owner, { silent: false }])),
      leases,
      assignments,
      quietMs: nowMs - this.#changedAtMs,
      deployMs: nowMs - this.#deployAtMs,
      waitedMs: nowMs - this.#beganAtMs,
      ...(loads === undefined ? {} : { loads })
    })
  }

  /** The leader plans and writes the mailboxes. */
  plan(): AssignmentPlan {
    const facts = this.facts()
    const plan = planAssignments(facts, this.settings)
    this.assignments = plan.assignments
    const { mode } = this.settings
    const { changed } = planMailboxes(
      { ...facts, assignments: plan.assignments, mode, inForce: this.mailboxes },
      SETTINGS
    )
    for (const content of changed) {
      const ver = (this.mailboxes.get(content.session)?.ver ?? 0) + 1
      this.mailboxes.set(content.session, { ...content, ver, term: 1 })
    }
    return plan
  }

  /** The workers do what their mailboxes say: each claim and each release if `happens`. Releases come before claims. */
  carryOut(happens: () => boolean = () => true): void {
    this.leases = this.leases.map(lease => {
      const mailbox = this.members.has(lease.owner ?? '') ? this.mailboxes.get(lease.owner ?? '') : undefined
      if (mailbox === undefined || mailbox.leases.includes(lease.leaseKey) || !happens()) return lease
      const { owner: _, ...released } = lease
      return released
    })
    const boxes = [...this.mailboxes.values()].filter(({ session: id }) => this.members.has(id))
    const listed = new Map<string, Mailbox[]>()
    for (const box of boxes) for (const key of box.leases) listed.set(key, [...(listed.get(key) ?? []), box])
    this.leases = this.leases.map(lease => {
      const { leaseKey, owner } = lease
      const mailbox = listed.get(leaseKey)?.find(({ session: id, dead, steal }) => {
        return owner !== id && (owner === undefined || dead.includes(owner) || steal.includes(leaseKey))
      })
      if (mailbox === undefined || !happens()) return lease
      this.claims.set(leaseKey, (this.claims.get(leaseKey) ?? 0) + 1)
      return { ...lease, owner: mailbox.session }
    })
  }

  /** Time passes, the leader plans, and the workers carry it out. */
  step(ms = 3_000, happens?: () => boolean): AssignmentPlan {
    this.nowMs += ms
    const plan = this.plan()
    this.carryOut(happens)
    return plan
  }

  /** Steps until a plan moves nothing and nothing is on its way. Returns how many moves there were. */
  settle(atMost = 200): number {
    let moves = 0
    for (let i = 0; i < atMost; i++) {
      const plan = this.step()
      moves += plan.moves.length
      const isDone = this.leases.every(({ leaseKey, owner }) => this.assignments.get(leaseKey)?.to === owner)
      if (plan.moves.length === 0 && isDone && plan.againInMs === undefined) return moves
    }
    throw new Error(`not settled after ${atMost} steps: ${JSON.stringify([...countsOf(this.assignments)])}`)
  }
}
