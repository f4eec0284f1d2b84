// The model of the self-fence, with time in steps: one owner with its heartbeats, and who watches it, is asleep at times, or
// is replaced by another watcher. When its lease may be claimed the owner must have stopped, whatever becomes of heartbeats.
import { type FleetSettings, fleetSettings } from '../../../src/fleet/fleet-settings.ts'
import { judgeLeader, type LeaderWatch, watchLeader } from '../../../src/fleet/leader-rules.ts'
import {
  judgeMembers,
  type MemberWatch,
  NOTHING_WATCHED,
  type SessionWatch,
  watchMembers
} from '../../../src/fleet/member-watch.ts'
import { inheritAssignments, planAssignments } from '../../../src/fleet/plan-assignments.ts'
import { planMailboxes } from '../../../src/fleet/plan-mailboxes.ts'
import { judgeClaim } from '../../../src/leases/claim-rules.ts'
import type { Member } from '../../../src/leases/control-store.ts'
import { SessionProof } from '../../../src/leases/session-proof.ts'
import { aLease } from '../../support/builders.ts'
import { type Model, Numbers, type TakeStep } from './explorer.ts'
import { type Beat, type FenceWorld, passed, STEP, textOfFence, UNWATCHED, withSmallNumbers } from './fence-world.ts'
import type { Rules } from './rules.ts'
import { newcomer, sessionOf } from './sessions.ts'
import { beaten, certified } from './store-conditions.ts'

/** How time runs, and who watches. */
export interface FenceSetting {
  readonly name: string
  /**
   * Who watches the owner: the leader; or, if the owner is the leader, a worker that is about to campaign, and becomes the
   * leader by that.
   */
  readonly watcher: 'leader' | 'follower'
  /** How far the clock of the owner gets in a step of time, in which that of the watcher gets by {@link STEP}: any of these. */
  readonly ownerSteps: readonly number[]
  /** How many heartbeats may be under way at once. */
  readonly maxBeats: number
  /** In the same unit as {@link STEP}. */
  readonly settings: Partial<FleetSettings> & Pick<FleetSettings, 'durationMs'>
  readonly rules: Pick<Rules, 'claimableSessions'>
}

const OWNER = sessionOf(0, 1)
const WATCHER = sessionOf(1, 1)
const LEASE = aLease({ owner: OWNER, counter: 1 })
const FOR_EVER = 1e9
const STILL = { monotonicMs: () => 0, epochMs: () => 0, sleep: async () => {} }

/** The states of owner and watcher, and the steps between them. */
export class FenceModel implements Model<FenceWorld> {
  readonly name: string
  readonly initial: FenceWorld
  readonly #setting: FenceSetting
  readonly #settings: FleetSettings
  readonly #numbers = new Numbers()
  /** By the age of the proof. */
  readonly #proved = new Map<number, boolean>()
  /** By what the planners are told. */
  readonly #claimable = new Map<string, boolean>()

  constructor(setting: FenceSetting) {
    this.name = setting.name
    this.#setting = setting
    this.#settings = { ...fleetSettings(setting.settings.durationMs), ...setting.settings }
    // As late as can be: sent, landed and answered at once, right before the watcher looks for the first time.
    const owner = { hb: 1, ack: 1, provedAgo: 0, beats: [], item: newcomer(OWNER) }
    this.initial = { ...owner, ...UNWATCHED, isLeading: setting.watcher === 'leader', isClaimable: false }
  }

  fingerprint(world: FenceWorld): number {
    return this.#numbers.of(textOfFence(world))
  }

  steps(world: FenceWorld, take: TakeStep<FenceWorld>): void {
    // A session that knows of its death never delivers again, whatever happens.
    if (world.provedAgo === undefined) return
    const checked: TakeStep<FenceWorld> = (to, label) => {
      const normal = this.#normal(to)
      const isBoth = normal.isClaimable && this.#isProved(normal.provedAgo)
      take(normal, label, isBoth ? `the lease may be claimed while ${OWNER} still delivers` : undefined)
    }
    for (const ms of this.#setting.ownerSteps) {
      checked(passed(world, ms), `time passes: ${STEP} for the watcher, ${ms} for the owner`)
    }
    this.#sends(world, checked)
    for (const beat of world.beats) this.#arrives(world, beat, checked)
    if (!world.isClaimable) this.#watches(world, checked)
  }

  #isProved(provedAgo: number | undefined): boolean {
    if (provedAgo === undefined) return false
    const known = this.#proved.get(provedAgo)
    if (known !== undefined) return known
    const { validMs } = this.#settings
    const isProved = new SessionProof({ clock: STILL, validMs, provedAtMs: () => -provedAgo }).isProved()
    this.#proved.set(provedAgo, isProved)
    return isProved
  }

  #sends(world: FenceWorld, take: TakeStep<FenceWorld>): void {
    const { hb, ack, beats } = world
    if (beats.length >= this.#setting.maxBeats) return
    const beat: Beat = { hb: hb + 1, ack, sentAgo: 0, answer: undefined }
    take({ ...world, hb: hb + 1, beats: [...beats, beat] }, `heartbeat ${hb + 1} is sent`)
  }

  /** A heartbeat, or its answer. */
  #arrives(world: FenceWorld, beat: Beat, take: TakeStep<FenceWorld>): void {
    const { ack, provedAgo = 0 } = world
    const beats = world.beats.filter(other => other !== beat)
    const label = `heartbeat ${beat.hb}`
    if (beat.answer === undefined) {
      const { item, answer } = beaten(world.item, { ...newcomer(OWNER), ack: beat.ack }, beat.hb)
      take({ ...world, item, beats: [...beats, { ...beat, answer: answer.kind }] }, `${label} lands`)
    } else if (beat.answer === 'alive') {
      const heard = { ack: Math.max(ack, beat.hb), provedAgo: Math.min(provedAgo, beat.sentAgo) }
      take({ ...world, ...heard, beats }, `${label} is answered`)
    } else {
      take({ ...world, provedAgo: undefined, beats: [] }, `${label} is answered: dead`)
    }
    take({ ...world, beats }, `${label}, or its answer, is lost`)
  }

  #watches(world: FenceWorld, take: TakeStep<FenceWorld>): void {
    const { item, read, certificate, isLeading } = world
    if (certificate !== undefined) {
      const { item: next, answer } = certified(item, certificate.hb, certificate.how)
      const landed = { ...world, item: next, certificate: undefined }
      take(isLeading || !answer ? landed : elected(landed), `the certificate ${answer ? 'lands' : 'is refused'}`)
      take({ ...world, certificate: undefined }, 'the certificate is lost')
    } else if (read === undefined) {
      take({ ...world, read: { item } }, 'the watcher reads the item')
    } else {
      const judged = isLeading ? this.#leads(world, read.item) : this.#follows(world, read.item)
      take(judged, 'the watcher judges what it has read')
    }
    if (this.#setting.watcher === 'leader') take(elected(world), 'another worker becomes the leader')
    if (item !== undefined) take({ ...world, item: undefined }, 'the item is deleted')
  }

  /** As `FleetView` takes a turn: folds what it has read, certifies, plans, writes mailboxes. */
  #leads(world: FenceWorld, item: Member | undefined): FenceWorld {
    // The watcher beats, too.
    const self = { ...newcomer(WATCHER), hb: 2, ack: 2 }
    const members = item === undefined ? [self] : [item, self]
    const maxStepMs = 2 * this.#settings.heartbeatMs
    const watch = watchMembers(watchOf(world), members, 0, maxStepMs, [OWNER])
    const certificate = judgeMembers(watch, this.#settings).find(({ session }) => session === OWNER)
    const isClaimable = certificate === undefined && this.#mayClaim(watch, members)
    const watched = { atMs: 0, owner: watch.sessions.get(OWNER), absentMs: watch.absent.get(OWNER) }
    return { ...world, read: undefined, watched, certificate, isClaimable }
  }

  /** Whether the mailbox of the watcher lets it claim the lease, by the planners of the leader. */
  #mayClaim(watch: MemberWatch, members: readonly Member[]): boolean {
    const gone = this.#setting.rules.claimableSessions(watch, this.#settings)
    const living = members.filter(({ dead }) => dead === undefined)
    const key = JSON.stringify([gone, living.map(({ session }) => session)])
    const known = this.#claimable.get(key)
    if (known !== undefined) return known
    const settings = { ...this.#settings, strategy: 'count', mode: 'solo' } as const
    const still = { nowMs: 0, mode: 'solo', foreign: new Map(), waitedMs: FOR_EVER, quietMs: FOR_EVER } as const
    const assignments = inheritAssignments([], [LEASE], members)
    const facts = { ...still, leases: [LEASE], members: living, gone, assignments, deployMs: 0 }
    const plan = planAssignments(facts, settings)
    const { contents } = planMailboxes({ ...facts, assignments: plan.assignments, inForce: new Map() }, settings)
    const mailbox = contents.find(({ session }) => session === WATCHER)
    const mayClaim = mailbox !== undefined && judgeClaim(LEASE, WATCHER, mailbox).kind === 'claim'
    this.#claimable.set(key, mayClaim)
    return mayClaim
  }

  /** As `Leadership` looks at the leader, who is the owner. */
  #follows(world: FenceWorld, item: Member | undefined): FenceWorld {
    const maxStepMs = 2 * this.#settings.heartbeatMs
    const leaderWatch = watchLeader(world.leaderWatch, OWNER, item, 0, maxStepMs)
    const lock = { who: OWNER, term: 1 }
    const facts = { session: WATCHER, state: 'ACTIVE', provedAgoMs: 0, lock, leader: item, watch: leaderWatch } as const
    const verdict = judgeLeader(facts, this.#settings)
    const looked = { ...world, read: undefined, leaderWatch }
    if (verdict.kind !== 'campaign') return looked
    return verdict.certify === undefined ? elected(looked) : { ...looked, certificate: verdict.certify }
  }

  /** The same state with the ages and numbers that matter: what is older, or further apart, makes no difference any more. */
  #normal(world: FenceWorld): FenceWorld {
    const small = withSmallNumbers(world.isClaimable ? { ...world, ...UNWATCHED } : world)
    const { provedAgo, beats, watched, leaderWatch } = small
    const { validMs, durationMs, heartbeatMs } = this.#settings
    const atMs = (ms: number): number => Math.max(ms, -2 * heartbeatMs)
    return {
      ...small,
      provedAgo: provedAgo && Math.min(provedAgo, validMs),
      beats: beats.map(beat => ({ ...beat, sentAgo: Math.min(beat.sentAgo, validMs) })),
      watched: watched && {
        atMs: atMs(watched.atMs),
        owner: watched.owner && cappedWatch(watched.owner, durationMs, heartbeatMs),
        absentMs: watched.absentMs && Math.min(watched.absentMs, durationMs)
      },
      leaderWatch: { ...leaderWatch, ...cappedStillness(leaderWatch, 3 * durationMs), atMs: atMs(leaderWatch.atMs) }
    }
  }
}

/** A new leader has watched nothing. */
function elected(world: FenceWorld): FenceWorld {
  return { ...world, ...UNWATCHED, isLeading: true }
}

function watchOf({ watched }: FenceWorld): MemberWatch {
  if (watched === undefined) return NOTHING_WATCHED
  const { atMs, owner, absentMs } = watched
  const sessions = new Map(owner === undefined ? [] : [[OWNER, owner]])
  return { ...NOTHING_WATCHED, atMs, sessions, absent: new Map(absentMs === undefined ? [] : [[OWNER, absentMs]]) }
}

function cappedWatch(watch: SessionWatch, durationMs: number, heartbeatMs: number): SessionWatch {
  const { silentMs, deafMs, deadMs } = watch
  return {
    ...watch,
    silentMs: Math.min(silentMs, 2 * durationMs),
    deafMs: Math.min(deafMs, durationMs + heartbeatMs),
    deadMs: Math.min(deadMs, durationMs)
  }
}

function cappedStillness({ silentMs, idleMs, missingMs }: LeaderWatch, atMostMs: number): Partial<LeaderWatch> {
  const capped = (ms: number): number => Math.min(ms, atMostMs)
  return { silentMs: capped(silentMs), idleMs: capped(idleMs), missingMs: capped(missingMs) }
}
