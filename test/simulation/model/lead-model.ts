// The model of who leads: workers that read the lock and its holder, fresh or old, judge, and replace the lock over a network
// that loses and delays. How long anybody has stood still is up to chance: there is no time in it.

import { fleetSettings } from '../../../src/fleet/fleet-settings.ts'
import {
  judgeLeader,
  type LeaderVerdict,
  type LeaderWatch,
  NO_LEADER_WATCHED
} from '../../../src/fleet/leader-rules.ts'
import type { LeaderLock, Member } from '../../../src/leases/control-store.ts'
import { sameValue } from '../../../src/leases/lease-fields.ts'
import { type Model, Numbers, type TakeStep } from './explorer.ts'
import type { Rules } from './rules.ts'
import { newcomer, sessionOf } from './sessions.ts'
import { certified, joined } from './store-conditions.ts'

/** How much there is. */
export interface LeadSetting {
  readonly name: string
  /** By worker: how many sessions it has at most, one after another. */
  readonly sessions: readonly number[]
  /** Nobody campaigns for a later term. */
  readonly terms: number
  /** How many replacements of the lock may be on their way although nobody waits for them any more. */
  readonly maxLate: number
  readonly rules: Pick<Rules, 'replaceLock'>
}

interface Replacement {
  readonly before: LeaderLock | undefined
  readonly after: LeaderLock
}

interface Worker {
  readonly began: number
  readonly isDown: boolean
  /** The term in which it leads, as far as it knows. */
  readonly leading?: number
  readonly campaign?: Replacement
}

/** A state of the lock, and of those who want it. */
export interface LeadWorld {
  readonly lock: LeaderLock | undefined
  /** What a read may still return. */
  readonly oldLocks: readonly (LeaderLock | undefined)[]
  readonly members: ReadonlyMap<string, Member>
  readonly workers: readonly Worker[]
  readonly late: readonly Replacement[]
}

const SETTINGS = fleetSettings(10_000)
const FOR_EVER = 1e9

/** What a worker may have watched. Every combination says no more than these. */
const WATCHES: readonly LeaderWatch[] = [
  NO_LEADER_WATCHED,
  { ...NO_LEADER_WATCHED, hb: 1, silentMs: FOR_EVER },
  { ...NO_LEADER_WATCHED, idleMs: FOR_EVER },
  { ...NO_LEADER_WATCHED, missingMs: FOR_EVER }
]

/** The states of the lock and the steps between them. */
export class LeadModel implements Model<LeadWorld> {
  readonly name: string
  readonly initial: LeadWorld
  readonly #setting: LeadSetting
  readonly #numbers = new Numbers()

  constructor(setting: LeadSetting) {
    this.name = setting.name
    this.#setting = setting
    const workers = setting.sessions.map(() => ({ began: 0, isDown: true }))
    this.initial = { lock: undefined, oldLocks: [], members: new Map(), workers, late: [] }
  }

  fingerprint({ lock, oldLocks, members, workers, late }: LeadWorld): number {
    const dead = [...members.values()].map(member => member.dead)
    return this.#numbers.of(JSON.stringify([lock, oldLocks, [...members.keys()], dead, workers, late]))
  }

  steps(world: LeadWorld, take: TakeStep<LeadWorld>): void {
    const { members, workers, late } = world
    for (const [worker, { isDown, began, campaign }] of workers.entries()) {
      if (isDown && began < (this.#setting.sessions[worker] ?? 0)) this.#begins(world, worker, take)
      if (isDown) continue
      const session = sessionOf(worker, began)
      take(withWorker(world, worker, { began, isDown: true }), `${session} crashes, or hears that it is dead`)
      if (campaign === undefined) this.#turns(world, worker, take)
      else this.#campaigns(world, worker, campaign, take)
    }
    for (const [session, member] of members) {
      const { item, answer } = certified(member, member.hb, 'silent')
      if (!answer || item === undefined) continue
      take({ ...world, members: new Map([...members, [session, item]]) }, `${session} gets a death certificate`)
    }
    for (const write of late) {
      const left = { ...world, late: late.filter(other => other !== write) }
      const label = `a late replacement of the lock by ${write.after.who} arrives`
      take(this.#replaced(left, write) ?? left, label)
    }
  }

  #begins(world: LeadWorld, worker: number, take: TakeStep<LeadWorld>): void {
    const began = (world.workers[worker]?.began ?? 0) + 1
    const session = sessionOf(worker, began)
    const { item } = joined(undefined, newcomer(session))
    const members = new Map([...world.members, ...(item ? [[session, item] as const] : [])])
    take(withWorker({ ...world, members }, worker, { began, isDown: false }), `${session} begins`)
  }

  /** One turn of `Leadership`, up to the write. Who leads reads the lock as it is; everybody else may read an old one. */
  #turns(world: LeadWorld, worker: number, take: TakeStep<LeadWorld>): void {
    const { began = 0, leading } = world.workers[worker] ?? {}
    const session = sessionOf(worker, began)
    for (const lock of leading === undefined ? [world.lock, ...world.oldLocks] : [world.lock]) {
      if (leading !== undefined && lock?.who === session && lock.term === leading) continue
      const judged = new Map<string, LeaderVerdict>()
      for (const verdict of this.#verdicts(world, session, lock)) judged.set(JSON.stringify(verdict), verdict)
      for (const verdict of judged.values()) this.#follows(world, worker, verdict, take)
    }
  }

  #verdicts({ members }: LeadWorld, session: string, lock: LeaderLock | undefined): LeaderVerdict[] {
    const member = lock?.who === undefined || lock.who === session ? undefined : members.get(lock.who)
    const alive = member && newcomer(member.session)
    const facts = { session, state: 'ACTIVE', provedAgoMs: 0, lock } as const
    return [undefined, alive, member].flatMap(leader =>
      WATCHES.map(watch => judgeLeader({ ...facts, leader, watch: { ...watch, who: lock?.who } }, SETTINGS))
    )
  }

  #follows(world: LeadWorld, worker: number, verdict: LeaderVerdict, take: TakeStep<LeadWorld>): void {
    const { began = 0 } = world.workers[worker] ?? {}
    const session = sessionOf(worker, began)
    const idle = { began, isDown: false }
    switch (verdict.kind) {
      case 'follow':
        take(withWorker(world, worker, idle), `${session} follows`)
        break
      case 'lead': {
        // The read that said so may have been old: it reads once more.
        const { who, term } = world.lock ?? { term: 0 }
        if (who === session) this.#leads(world, worker, term, `${session} finds that it leads in term ${term}`, take)
        else take(withWorker(world, worker, idle), `${session} follows`)
        break
      }
      case 'campaign': {
        const { before, after, why, certify } = verdict
        if (after.term > this.#setting.terms) return
        const members = certify && this.#certified(world, certify.session, certify.hb)
        if (certify !== undefined && members === undefined) return
        const to = { ...world, ...(members && { members }) }
        const label = `${session} campaigns for term ${after.term} (${why})`
        take(withWorker(to, worker, { ...idle, campaign: { before, after } }), label)
      }
    }
  }

  #certified({ members }: LeadWorld, session: string, hb: number): ReadonlyMap<string, Member> | undefined {
    const { item, answer } = certified(members.get(session), hb, 'silent')
    return answer && item ? new Map([...members, [session, item]]) : undefined
  }

  #campaigns(world: LeadWorld, worker: number, campaign: Replacement, take: TakeStep<LeadWorld>): void {
    const { after } = campaign
    const idle = { began: world.workers[worker]?.began ?? 0, isDown: false }
    const to = this.#replaced(world, campaign)
    const given = withWorker(world, worker, idle)
    const what = `the replacement of the lock by ${after.who}`
    if (to === undefined) take(given, `${what} is refused`)
    else {
      this.#leads(to, worker, after.term, `${what} lands`, take)
      take(withWorker(to, worker, idle), `${what} lands, and its answer is lost`)
    }
    take(given, `${what} is lost`)
    if (world.late.length >= this.#setting.maxLate) return
    take({ ...given, late: [...world.late, campaign] }, `${what} is given up, and may land later`)
  }

  #leads(world: LeadWorld, worker: number, term: number, label: string, take: TakeStep<LeadWorld>): void {
    const { began = 0 } = world.workers[worker] ?? {}
    const rival = world.workers.findIndex((other, index) => index !== worker && other.leading === term)
    const violation = rival < 0 ? undefined : `w${rival + 1} leads in term ${term}, too`
    take(withWorker(world, worker, { began, isDown: false, leading: term }), label, violation)
  }

  #replaced(world: LeadWorld, { before, after }: Replacement): LeadWorld | undefined {
    const lock = this.#setting.rules.replaceLock(world.lock, before, after)
    if (lock === undefined) return undefined
    return sameValue(lock, world.lock) ? world : { ...world, lock, oldLocks: [...world.oldLocks, world.lock] }
  }
}

function withWorker(world: LeadWorld, worker: number, next: Worker): LeadWorld {
  return { ...world, workers: world.workers.map((other, index) => (index === worker ? next : other)) }
}
