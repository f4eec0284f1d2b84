// Folds one look of the leader at the member items after another into how long each session has been silent or deaf, and
// for how long membership has been quiet; and what follows from that (rule R6). Only time between the leader's own
// successful looks counts, and nothing is concluded from the first sight of a value.
import type { Death, Member } from '../leases/control-store.ts'
import { isSession, workerIdOf } from '../leases/session-id.ts'
import type { FleetSettings } from './fleet-settings.ts'

/** One session as this leader has watched it. All durations in milliseconds, as far as watched. */
export interface SessionWatch {
  readonly workerId: string
  readonly isRestarting: boolean
  /** The highest heartbeat seen. */
  readonly hb: number
  readonly ack: number
  /** How long the heartbeat has not moved. */
  readonly silentMs: number
  /** How long the heartbeat has been moving although the session hears no answers. */
  readonly deafMs: number
  /** How the session died. Absent: it lives. */
  readonly dead?: Death
  /** For how long its death certificate has been seen. 0 while it lives. */
  readonly deadMs: number
}

/** Every session as this leader has watched it. A value: each look makes another one. */
export interface MemberWatch {
  /** When the members were last read, in monotonic milliseconds. */
  readonly atMs: number
  readonly sessions: ReadonlyMap<string, SessionWatch>
  /** Sessions that own leases and have no member item, with how long that has been so, in milliseconds. */
  readonly absent: ReadonlyMap<string, number>
  /** The active sessions and their generations, as one text. Absent: before the first look. */
  readonly active: string | undefined
  /** How long the living active sessions and their generations have been the same. Milliseconds. */
  readonly quietMs: number
  /** The newest generation alive. -Infinity: nobody lives. */
  readonly newestGeneration: number
  /** How long two generations have been alive since the newest one appeared. Milliseconds; 0 while there is only one. */
  readonly deployMs: number
}

/** What a leader has seen before its first look. */
export const NOTHING_WATCHED: MemberWatch = {
  atMs: 0,
  sessions: new Map(),
  absent: new Map(),
  active: undefined,
  quietMs: 0,
  newestGeneration: Number.NEGATIVE_INFINITY,
  deployMs: 0
}

/**
 * The watch after another successful look. `owners`: those that the lease table names, as last read; foreign ones are passed
 * over. The time since the look before counts for at most `maxStepMs` (two heartbeats): a leader that was itself
 * asleep or cut off has not been watching.
 */
export function watchMembers(
  before: MemberWatch,
  members: readonly Member[],
  nowMs: number,
  maxStepMs: number,
  owners: Iterable<string> = []
): MemberWatch {
  const stepMs = Math.min(Math.max(0, nowMs - before.atMs), maxStepMs)
  const sessions = new Map(
    members.map(member => [
      member.session,
      watchSession(before.sessions.get(member.session), member, stepMs, maxStepMs)
    ])
  )
  const absent = new Map<string, number>()
  for (const owner of owners) {
    if (!isSession(owner) || sessions.has(owner)) continue
    const lastMs = before.absent.get(owner)
    absent.set(owner, lastMs === undefined ? 0 : lastMs + stepMs)
  }
  const living = members.filter(({ dead }) => dead === undefined)
  const active = living
    .filter(({ state }) => state === 'ACTIVE')
    .map(({ session, generation }) => `${session} ${generation}`)
    .sort()
    .join('\n')
  const generations = new Set(living.map(({ generation }) => generation))
  const newestGeneration = Math.max(...generations)
  const isDeploying = generations.size > 1 && newestGeneration === before.newestGeneration
  return {
    atMs: nowMs,
    sessions,
    absent,
    active,
    quietMs: active === before.active ? before.quietMs + stepMs : 0,
    newestGeneration,
    deployMs: isDeploying ? before.deployMs + stepMs : 0
  }
}

function watchSession(
  last: SessionWatch | undefined,
  { workerId, state, hb, ack, dead }: Member,
  stepMs: number,
  maxStepMs: number
): SessionWatch {
  const told = { workerId, isRestarting: state === 'RESTARTING' }
  if (dead !== undefined) {
    const deadMs = last?.dead === undefined ? 0 : last.deadMs + stepMs
    return { ...told, hb, ack, dead, silentMs: 0, deafMs: 0, deadMs }
  }
  if (last === undefined) return { ...told, hb, ack, silentMs: 0, deafMs: 0, deadMs: 0 }
  // An older item is not a movement: it was seen before.
  const seen = { ...told, hb: Math.max(hb, last.hb), ack: Math.max(ack, last.ack), deadMs: 0 }
  const silentMs = last.silentMs + stepMs
  if (hb <= last.hb) return { ...seen, silentMs, deafMs: last.deafMs }
  if (ack > last.ack) return { ...seen, silentMs: 0, deafMs: 0 }
  // Deaf is who goes on talking. A silence before this heartbeat may as well have been the store's.
  return { ...seen, silentMs: 0, deafMs: last.deafMs + Math.min(silentMs, maxStepMs) }
}

/** A session that is to get its death certificate, if its heartbeat is still the one watched. */
export interface Verdict {
  readonly session: string
  /** The heartbeat that the certificate is conditional on. */
  readonly hb: number
  readonly how: 'silent' | 'deaf'
}

/**
 * Who is to be certified dead. Silent: after `durationMs`; after twice that if more than half of the living sessions, and at
 * least two, fell silent together, because then it is more likely the store. Deaf: after `durationMs + heartbeatMs`.
 * Ascending by session.
 */
export function judgeMembers(watch: MemberWatch, settings: FleetSettings): Verdict[] {
  const { durationMs, heartbeatMs } = settings
  const living = [...watch.sessions].filter(([, { dead }]) => dead === undefined)
  // Those who fell silent together do not all reach the limit at the same look.
  const quiet = living.filter(([, { silentMs }]) => silentMs >= durationMs - heartbeatMs).length
  const silentLimitMs = quiet >= 2 && quiet > living.length / 2 ? 2 * durationMs : durationMs
  return living
    .flatMap(([session, { hb, silentMs, deafMs }]): Verdict[] => {
      if (silentMs >= silentLimitMs) return [{ session, hb, how: 'silent' }]
      return deafMs >= durationMs + heartbeatMs ? [{ session, hb, how: 'deaf' }] : []
    })
    .sort(bySession)
}

/** Living sessions that have missed two heartbeats: not dead yet, but the last to be given anything. */
export function suspects(watch: MemberWatch, { heartbeatMs }: FleetSettings): ReadonlySet<string> {
  const silent = [...watch.sessions].filter(
    ([, { dead, silentMs }]) => dead === undefined && silentMs >= 2 * heartbeatMs
  )
  return new Set(silent.map(([session]) => session))
}

/** When the first of those that have been silent for a while will have been so for `durationMs`. Infinity: nobody is. Milliseconds. */
export function nextVerdictInMs(watch: MemberWatch, settings: FleetSettings): number {
  const silences = [...suspects(watch, settings)].map(session => watch.sessions.get(session)?.silentMs ?? 0)
  const waits = silences.map(silentMs => settings.durationMs - silentMs).filter(inMs => inMs > 0)
  return waits.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
}

/** A dead session whose leases may be claimed. */
export interface GoneSession {
  readonly session: string
  readonly workerId: string
  /** It said before that its worker would be back. */
  readonly wasRestarting: boolean
  /** For how long this leader has known that its leases may be claimed. Milliseconds. */
  readonly forMs: number
}

/**
 * The dead sessions whose leases may be claimed, ascending. A deaf one may still be delivering, and is in quarantine for
 * `durationMs` from when this leader first saw its certificate. An owner without a member item is dead, too, after
 * `durationMs`: its next heartbeat is refused, and by then it has fenced itself.
 */
export function claimableSessions(watch: MemberWatch, { durationMs }: FleetSettings): GoneSession[] {
  const gone: GoneSession[] = []
  for (const [session, { workerId, isRestarting, dead, deadMs }] of watch.sessions) {
    if (dead === undefined) continue
    const forMs = dead === 'deaf' ? deadMs - durationMs : deadMs
    if (forMs >= 0) gone.push({ session, workerId, wasRestarting: isRestarting, forMs })
  }
  for (const [session, absentMs] of watch.absent) {
    const forMs = absentMs - durationMs
    if (forMs >= 0) gone.push({ session, workerId: workerIdOf(session), wasRestarting: false, forMs })
  }
  return gone.sort(bySession)
}

function bySession(a: { readonly session: string }, b: { readonly session: string }): number {
  return a.session < b.session ? -1 : 1
}
