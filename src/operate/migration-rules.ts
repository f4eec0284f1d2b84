// What a change between KCL and Millrace is planned from, and how the fleet stands by it. The words of notes are here, too.
import type { FleetMode, LeaderLock, Mailbox, Member } from '../leases/control-store.ts'
import type { KclRemains } from '../leases/kcl-estate.ts'
import type { SkippedRow } from '../leases/lease-store.ts'
import type { Orders } from '../leases/order-rules.ts'
import { isSession } from '../leases/session-id.ts'
import { actualOwner, isFinished, type Lease, type StreamIdentity } from '../model/lease.ts'
import type { Shard } from '../model/shard.ts'
import { isMoving, type OwnerSight, type OwnerWatch } from './owner-rules.ts'

/** Who is to read the stream in the end. */
export type MigrationTarget = 'millrace' | 'kcl'

/** Something worth knowing before a change. */
export interface MigrationNote {
  /** `blocker`: nothing is begun while it is there; `warning`: it costs something; `info`: worth knowing. */
  readonly severity: 'blocker' | 'warning' | 'info'
  /** What it is, in a word that stays the same. */
  readonly code: MigrationNoteCode
  /** What was found, with the numbers. */
  readonly message: string
  /** What to do about it. */
  readonly advice: string
  /** The shards that it is about. Absent: it is about none in particular. */
  readonly shardIds?: readonly string[]
}

/** What a note is about. */
export type MigrationNoteCode =
  | ('other-stream' | 'malformed-rows' | 'multi-stream' | 'busy' | 'paused' | 'incomplete-rows' | 'strange-rows')
  | ('failover' | 'durations' | 'at-latest' | 'at-timestamp' | 'start-times' | 'rows-to-write')
  | (
      | 'hand-offs'
      | 'pending-checkpoints'
      | 'missing-leases'
      | 'dead-owners'
      | 'red-shards'
      | 'closed-tables'
      | 'kcl-rows'
    )

/** What is known at one look. */
export interface MigrationFacts {
  readonly applicationName: string
  readonly streamName: string
  readonly leaseTable: string
  readonly controlTable: string
  readonly stream: StreamIdentity
  readonly leases: readonly Lease[]
  readonly skipped: readonly SkippedRow[]
  readonly shards: readonly Shard[]
  /** Absent: the table is not in DynamoDB. */
  readonly remains?: KclRemains
  /** Sessions that live. */
  readonly members: readonly Member[]
  readonly mailboxes: readonly Mailbox[]
  readonly lock: LeaderLock | undefined
  readonly orders: Orders
  /** Whether the control table has anything of this application. */
  readonly hasControlItems: boolean
  /** By which mode each session was last seen to act. */
  readonly acting: ActingModes
  readonly watch: OwnerWatch
  readonly owners: readonly OwnerSight[]
  /** For how long there has been no sign of KCL: no lease of its workers, no pulse. Milliseconds, as far as it was watched. */
  readonly kclGoneForMs: number
  /** So long there must be none for its workers to count as gone. Milliseconds. */
  readonly quietMs: number
  /** Keys of records of KCL whose pulse was seen to beat lately. */
  readonly beating: readonly string[]
  /** How long workers may go without a heartbeat that do not say it themselves. Milliseconds. */
  readonly durationMs: number
}

/** How the fleet stands. */
export interface Standing {
  /** The living sessions that are at work. */
  readonly workers: number
  /** The living sessions, whatever they are about. Ascending. */
  readonly living: readonly string[]
  /** What every one of them does. Absent: there is none. */
  readonly mode: 'solo' | 'mixed' | 'changing' | undefined
  /** Unfinished leases. */
  readonly unfinished: number
  readonly ofKcl: number
  readonly ofMillrace: number
  /** Workers of KCL that own unfinished leases. Ascending. */
  readonly kclOwners: readonly string[]
  /** How many of them were seen to live. */
  readonly kclAlive: number
  /** Whether records of KCL beat. */
  readonly hasKclLife: boolean
  /** Shards that could be read and that no living session of Millrace owns. Ascending. */
  readonly unread: readonly string[]
  /** Shards that no worker of KCL was seen to renew lately. Ascending. */
  readonly unreadByKcl: readonly string[]
  /** Shards of Millrace whose leases KCL would see stand still. Ascending. */
  readonly still: readonly string[]
}

/** How the fleet stands. */
export function standingOf(facts: MigrationFacts): Standing {
  const { leases, members, owners, watch, beating } = facts
  const open = leases.filter(lease => !isFinished(lease))
  const unfinished = new Set(open.map(({ shardId }) => shardId))
  const living = members.map(({ session }) => session).sort()
  const isOfMillrace = (lease: Lease): boolean => isSession(actualOwner(lease) ?? '')
  const isReadable = ({ parentShardIds }: Lease): boolean => !parentShardIds.some(parent => unfinished.has(parent))
  const moves = ({ leaseKey }: Lease): boolean => isMoving(watch, leaseKey, longestDurationMs(facts))
  const idsOf = (some: readonly Lease[]): string[] => some.map(({ shardId }) => shardId).sort()
  const kcl = owners.filter(({ owner }) => !isSession(owner))
  return {
    workers: members.filter(({ state }) => state === 'ACTIVE').length,
    ...{ living, mode: modeOf(facts), unfinished: open.length },
    ofKcl: open.filter(isOfKcl).length,
    ofMillrace: open.filter(isOfMillrace).length,
    kclOwners: kcl.map(({ owner }) => owner),
    kclAlive: kcl.filter(({ state }) => state === 'alive').length,
    hasKclLife: beating.length > 0,
    unread: idsOf(open.filter(lease => isReadable(lease) && !living.includes(actualOwner(lease) ?? ''))),
    unreadByKcl: idsOf(open.filter(lease => isReadable(lease) && !(isOfKcl(lease) && moves(lease)))),
    still: idsOf(
      open.filter(lease => isOfMillrace(lease) && living.includes(actualOwner(lease) ?? '') && !moves(lease))
    )
  }
}

/** Whether a worker of KCL processes a lease. */
export function isOfKcl(lease: Lease): boolean {
  const holder = actualOwner(lease)
  return holder !== undefined && !isSession(holder)
}

/** The longest that a lease may go without a write, as the workers have it. */
export function longestDurationMs({ members, durationMs }: Pick<MigrationFacts, 'members' | 'durationMs'>): number {
  return Math.max(durationMs, ...members.map(member => member.durationMs ?? 0))
}

/** By which mode sessions act, as far as they have said so. */
export type ActingModes = ReadonlyMap<string, FleetMode>

/** The modes after another look: a session acts by a mailbox once it says that it claims by it. Mailboxes are read before the members. */
export function seeModes(
  before: ActingModes,
  mailboxes: readonly Mailbox[],
  members: readonly Pick<Member, 'session' | 'seen' | 'applied'>[]
): ActingModes {
  const boxOf = new Map(mailboxes.map(mailbox => [mailbox.session, mailbox]))
  return new Map(
    members.flatMap(({ session, seen, applied }): [string, FleetMode][] => {
      const mailbox = boxOf.get(session)
      const last = before.get(session)
      const hasRead = mailbox !== undefined && (seen ?? applied) >= mailbox.ver
      const mode = hasRead ? mailbox.mode : last
      return mode === undefined ? [] : [[session, mode]]
    })
  )
}

/** Who does not act by the mode of its mailbox yet is still changing. Who was given nothing yet does as in solo mode. */
function modeOf({ members, mailboxes, acting }: MigrationFacts): Standing['mode'] {
  const active = members.filter(({ state }) => state === 'ACTIVE')
  if (active.length === 0) return undefined
  const wanted = new Map(mailboxes.map(({ session, mode }) => [session, mode]))
  const modes = active.map(({ session }) => {
    const mode = wanted.get(session) ?? 'solo'
    return !wanted.has(session) || acting.get(session) === mode ? mode : 'changing'
  })
  const [first = 'changing'] = modes
  return modes.every(mode => mode === first) ? first : 'changing'
}

/** Which KCL has written into the table, and how that shows. */
export function kclStanding({ remains, leases, owners }: MigrationFacts): {
  readonly version?: '2.x' | '3.x'
  readonly because: readonly string[]
  readonly clientVersion?: string
} {
  const { items = [], index, tables = [] } = remains ?? {}
  const clientVersion = items.find(({ kind }) => kind === 'client-version')?.state
  const signs = [
    ...(index === undefined ? [] : [`the index ${index.name}`]),
    ...tables.map(name => `the table ${name}`),
    ...(items.length === 0
      ? []
      : [`${items.length} records of ${[...new Set(items.map(({ kind }) => kind))].join(', ')}`]),
    ...(leases.some(({ checkpointOwner }) => checkpointOwner !== undefined) ? ['graceful hand-offs'] : [])
  ]
  const state = clientVersion === undefined ? {} : { clientVersion }
  if (signs.length > 0) return { version: '3.x', because: signs, ...state }
  const isKcl = owners.some(({ owner }) => !isSession(owner)) || leases.some(({ stream }) => stream === undefined)
  return isKcl ? { version: '2.x', because: ['leases, and nothing that 3.x adds'] } : { because: [] }
}
