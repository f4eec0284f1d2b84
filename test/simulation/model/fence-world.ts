// A state of the model of the self-fence: the owner, the item of its session, and who watches that. All times are ages, each
// on the clock of whom it belongs to. And which states are the same.
import { type LeaderWatch, NO_LEADER_WATCHED } from '../../../src/fleet/leader-rules.ts'
import type { SessionWatch, Verdict } from '../../../src/fleet/member-watch.ts'
import type { Member } from '../../../src/leases/control-store.ts'

/** How far the clock of the watcher gets in one step of time. The unit is anybody's. */
export const STEP = 5

/** A heartbeat that was sent and not heard of. */
export interface Beat {
  readonly hb: number
  readonly ack: number
  readonly sentAgo: number
  /** Once it has landed. */
  readonly answer: 'alive' | 'dead' | undefined
}

/** A state. Heartbeats are numbered by their order alone, so that a number may mean another one in the next state. */
export interface FenceWorld {
  /** The newest heartbeat sent, and the newest heard of. */
  readonly hb: number
  readonly ack: number
  /** When the newest acknowledged heartbeat was sent. `undefined`: the session knows that it is dead. */
  readonly provedAgo: number | undefined
  readonly beats: readonly Beat[]
  /** Absent: it was deleted. */
  readonly item: Member | undefined
  /** What the watcher has read, however long ago, and not yet thought about. */
  readonly read: { readonly item: Member | undefined } | undefined
  /** What the leader has seen of the owner. Absent: nothing yet. */
  readonly watched: Watched | undefined
  /** What the follower has seen of it. */
  readonly leaderWatch: LeaderWatch
  readonly isLeading: boolean
  /** On its way. */
  readonly certificate: Verdict | undefined
  /** Whether a mailbox says that the lease may be claimed. */
  readonly isClaimable: boolean
}

/** The part of a leader's watch that is of the owner. */
export interface Watched {
  readonly atMs: number
  readonly owner: SessionWatch | undefined
  readonly absentMs: number | undefined
}

/** Nothing seen yet. */
export const UNWATCHED = {
  read: undefined,
  watched: undefined,
  leaderWatch: NO_LEADER_WATCHED,
  certificate: undefined
} as const

/** Everything ages. What the watcher noted at 0 of its clock it noted that much earlier. */
export function passed(world: FenceWorld, ownerMs: number): FenceWorld {
  const { provedAgo, beats, watched, leaderWatch } = world
  return {
    ...world,
    provedAgo: provedAgo === undefined ? undefined : provedAgo + ownerMs,
    beats: beats.map(beat => ({ ...beat, sentAgo: beat.sentAgo + ownerMs })),
    watched: watched && { ...watched, atMs: watched.atMs - STEP },
    leaderWatch: leaderWatch.who === undefined ? leaderWatch : { ...leaderWatch, atMs: leaderWatch.atMs - STEP }
  }
}

/** The same state with heartbeats numbered as low as can be: only which is newer ever counts. */
export function withSmallNumbers(world: FenceWorld): FenceWorld {
  const { hb, ack, beats, item, read, watched, leaderWatch, certificate } = world
  const numbers = [0, hb, ack, leaderWatch.hb, certificate?.hb ?? 0]
  for (const one of [...beats, item, read?.item, watched?.owner]) if (one !== undefined) numbers.push(one.hb, one.ack)
  numbers.sort((a, b) => a - b)
  const small = new Map<number, number>()
  for (const number of numbers) if (!small.has(number)) small.set(number, small.size)
  return {
    ...world,
    hb: small.get(hb) ?? 0,
    ack: small.get(ack) ?? 0,
    beats: beats.map(beat => renumbered(beat, small)),
    item: item && renumbered(item, small),
    read: read && { item: read.item && renumbered(read.item, small) },
    watched: watched && { ...watched, owner: watched.owner && renumbered(watched.owner, small) },
    leaderWatch: { ...leaderWatch, hb: small.get(leaderWatch.hb) ?? 0 },
    certificate: certificate && { ...certificate, hb: small.get(certificate.hb) ?? 0 }
  }
}

function renumbered<T extends { readonly hb: number; readonly ack: number }>(
  one: T,
  small: ReadonlyMap<number, number>
): T {
  return { ...one, hb: small.get(one.hb) ?? 0, ack: small.get(one.ack) ?? 0 }
}

/** A text that no other state has. */
export function textOfFence(world: FenceWorld): string {
  const { hb, ack, provedAgo, beats, item, read, watched, leaderWatch, isLeading, certificate, isClaimable } = world
  const beatTexts = beats.map(beat => `${beat.hb},${beat.ack},${beat.sentAgo},${beat.answer}`).sort()
  const { who, silentMs, idleMs, missingMs } = leaderWatch
  const leader = who === undefined ? '' : `${leaderWatch.atMs},${leaderWatch.hb},${silentMs},${idleMs},${missingMs}`
  const { atMs, owner, absentMs } = watched ?? {}
  const seen = owner && `${owner.hb},${owner.ack},${owner.silentMs},${owner.deafMs},${owner.dead},${owner.deadMs}`
  const certifies = certificate && `${certificate.hb},${certificate.how}`
  const isRead = read !== undefined
  return `${hb},${ack},${provedAgo}|${beatTexts.join('&')}|${textOfItem(item)}|${isRead},${textOfItem(read?.item)}|${atMs},${seen},${absentMs}|${leader}|${isLeading},${certifies},${isClaimable}`
}

function textOfItem(item: Member | undefined): string {
  return item === undefined ? '-' : `${item.hb},${item.ack},${item.dead}`
}
