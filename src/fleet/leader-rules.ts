// Who leads (rule R7): what a worker does after it has read the lock and the item of the session that the lock names. Folds
// its looks at the leader, too: a leader that is silent, or alive and does nothing, is found out by standing still.
import type { LeaderLock, Member, SessionState } from '../leases/control-store.ts'
import type { FleetSettings } from './fleet-settings.ts'
import type { Verdict } from './member-watch.ts'

/** The leader as one worker has watched it. A value: each look makes another one. Durations in milliseconds. */
export interface LeaderWatch {
  /** When it was last looked at, in monotonic milliseconds. */
  readonly atMs: number
  /** Whom the lock named. */
  readonly who: string | undefined
  readonly hb: number
  readonly led: number
  /** How long its heartbeat has not moved. */
  readonly silentMs: number
  /** How long it has finished no turn of leading. */
  readonly idleMs: number
  /** How long it has had no item. Reads may be old, so that a new leader seems to have none at first. */
  readonly missingMs: number
}

/** What a worker has seen before its first look at a leader. */
export const NO_LEADER_WATCHED: LeaderWatch = {
  atMs: 0,
  who: undefined,
  hb: 0,
  led: 0,
  silentMs: 0,
  idleMs: 0,
  missingMs: 0
}

/**
 * The watch after another successful look at the session that the lock names, `who`. `leader`: its item, if it has one.
 * The time since the look before counts for at most `maxStepMs`: two heartbeats, which is the usual time between two looks.
 */
export function watchLeader(
  before: LeaderWatch,
  who: string | undefined,
  leader: Member | undefined,
  nowMs: number,
  maxStepMs: number
): LeaderWatch {
  if (who !== before.who) {
    return { ...NO_LEADER_WATCHED, atMs: nowMs, who, hb: leader?.hb ?? 0, led: leader?.led ?? 0 }
  }
  const stepMs = Math.min(Math.max(0, nowMs - before.atMs), maxStepMs)
  if (leader === undefined) return { ...before, atMs: nowMs, missingMs: before.missingMs + stepMs }
  return {
    atMs: nowMs,
    who,
    hb: Math.max(leader.hb, before.hb),
    led: Math.max(leader.led, before.led),
    silentMs: leader.hb > before.hb ? 0 : before.silentMs + stepMs,
    idleMs: leader.led > before.led ? 0 : before.idleMs + stepMs,
    missingMs: 0
  }
}

/** What one worker knows when it judges who leads. */
export interface LeaderFacts {
  /** This worker's session, and what it is about. */
  readonly session: string
  readonly state: SessionState
  /** How long ago its newest acknowledged heartbeat was sent. Milliseconds. */
  readonly provedAgoMs: number
  /** The lock as read. May be a little old. */
  readonly lock: LeaderLock | undefined
  /** The item of the session that the lock names. May be a little old. */
  readonly leader: Member | undefined
  /** With this look folded in. */
  readonly watch: LeaderWatch
}

/** Why a worker wants to lead: nobody ever has, the leader resigned, it is gone or going, or it stands still. */
export type CampaignReason = 'none' | 'resigned' | 'dead' | 'missing' | 'leaving' | 'silent' | 'idle'

/** What a worker does about the lead. */
export type LeaderVerdict =
  /** The lock names this worker: it leads in that term, also if it did not know yet. */
  | { readonly kind: 'lead'; readonly term: number }
  /** Somebody else leads, or should. `lookInMs`: when to look again. */
  | { readonly kind: 'follow'; readonly lookInMs: number }
  /** Replace the lock, `before`, by `after`. With `certify`: only after that death certificate was written. */
  | {
      readonly kind: 'campaign'
      readonly before: LeaderLock | undefined
      readonly after: LeaderLock
      readonly why: CampaignReason
      readonly certify?: Verdict
    }

/**
 * Judges once. A leader that is leaving goes on leading until another worker has the lock, and a worker that is leaving does
 * not campaign.
 */
export function judgeLeader(facts: LeaderFacts, settings: FleetSettings): LeaderVerdict {
  const { session, state, lock, leader, watch } = facts
  const term = lock?.term ?? 0
  if (lock?.who === session) return { kind: 'lead', term }

  const why = state === 'ACTIVE' ? reasonToCampaign(facts, settings) : undefined
  if (why === undefined) return { kind: 'follow', lookInMs: lookInMs(watch, settings) }
  const campaign = { kind: 'campaign', before: lock, after: { who: session, term: term + 1 }, why } as const
  if (why !== 'silent' || leader === undefined) return campaign
  return { ...campaign, certify: { session: leader.session, hb: watch.hb, how: 'silent' } }
}

function reasonToCampaign(
  { lock, leader, watch, provedAgoMs }: LeaderFacts,
  { durationMs, heartbeatMs }: FleetSettings
): CampaignReason | undefined {
  if (lock === undefined) return 'none'
  if (lock.who === undefined) return 'resigned'
  if (leader === undefined) return watch.missingMs >= durationMs ? 'missing' : undefined
  if (leader.dead !== undefined) return 'dead'
  if (leader.state !== 'ACTIVE') return 'leaving'
  // While our own heartbeats do not land either, it is more likely the store.
  const isStoreWell = provedAgoMs <= 2 * heartbeatMs
  if (watch.silentMs >= durationMs && isStoreWell) return 'silent'
  return watch.idleMs >= 3 * durationMs ? 'idle' : undefined
}

/** Every two heartbeats; sooner where a leader that stands still will have done so for long enough. */
function lookInMs({ silentMs, missingMs }: LeaderWatch, { durationMs, heartbeatMs, hurryMs }: FleetSettings): number {
  const stillMs = Math.max(silentMs, missingMs)
  if (stillMs === 0) return 2 * heartbeatMs
  return Math.min(2 * heartbeatMs, Math.max(hurryMs, durationMs - stillMs))
}
