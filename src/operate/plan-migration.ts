// What a change between KCL and Millrace comes to on one table: what the table is, what is in the way, which steps are done and which
// are to come. Made anew of what is there at each look, so that whoever is interrupted goes on where the fleet is.
import { isSession, workerIdOf } from '../leases/session-id.ts'
import { isFinished } from '../model/lease.ts'
import { notesFor } from './migration-note-rules.ts'
import {
  kclStanding,
  type MigrationFacts,
  type MigrationNote,
  type MigrationTarget,
  type Standing,
  standingOf
} from './migration-rules.ts'
import { failoverOf, type OwnerSight } from './owner-rules.ts'
import { type KclRow, planKclRows, planPins } from './plan-kcl-rows.ts'

/** A step of a change. */
export type MigrationStepName =
  | 'pin' /** leases that KCL began at LATEST get a time to begin at */
  | 'start-millrace' /** workers of Millrace start */
  | 'share' /** the leader has the fleet be ready for workers of another kind */
  | 'stop-kcl' /** workers of KCL stop, and their leases move */
  | 'be-alone' /** the leader has the fleet be on its own */
  | 'write-rows' /** rows get what KCL expects */
  | 'start-kcl' /** workers of KCL start */
  | 'stop-millrace' /** workers of Millrace stop, and their leases move */
  | 'verify' /** every shard is read */

/** How one step stands. */
export interface MigrationStep {
  readonly name: MigrationStepName
  /** Who does it: the command, or the operator, for whom it waits. */
  readonly by: 'command' | 'operator'
  /** `open`: it can be done now, or is under way; `later`: after those before. */
  readonly state: 'done' | 'open' | 'later'
  /** What is done in it, in a sentence. */
  readonly what: string
  /** What it waits for. Absent: it is done, or nothing of it has begun. */
  readonly waitsFor?: string
}

/** What the lease table is. */
export interface MigrationTable {
  readonly leaseTable: string
  readonly controlTable: string
  readonly leases: {
    readonly total: number
    readonly finished: number
    /** Unfinished, by whose they are. */
    readonly ofMillrace: number
    readonly ofKcl: number
    readonly ofNobody: number
  }
  /** Owners of unfinished leases. */
  readonly owners: readonly (OwnerSight & { readonly kind: 'millrace' | 'kcl'; readonly workerId: string })[]
  readonly kcl: {
    /** Absent: nothing in the table is of KCL. */
    readonly version?: '2.x' | '3.x'
    /** What that was told by, in words. */
    readonly because: readonly string[]
    /** What KCL 3.x calls its mode, such as `CLIENT_VERSION_3X`. */
    readonly clientVersion?: string
    /** About the `failoverTimeMillis` of its workers, as their renewals show. Milliseconds. Absent: it could not be seen. */
    readonly failoverMs?: number
  }
  /** Sessions of Millrace that live. */
  readonly workers: number
  /** Absent: no worker of Millrace lives. */
  readonly mode?: 'solo' | 'mixed' | 'changing'
}

/** A row that is written, for people and programs. */
export interface MigrationRow {
  readonly shardId: string
  readonly why: readonly string[]
}

/** What is left of the other side, and may be deleted once the change is over. */
export interface Leftovers {
  /** Records of KCL in its tables. */
  readonly items: readonly { readonly table: string; readonly key: string }[]
  readonly index?: string
  readonly tables: readonly string[]
  /** Items of this application in the control table; the table itself may be that of others, too. */
  readonly control: boolean
}

/** A change, as far as it is. */
export interface MigrationPlan {
  readonly to: MigrationTarget
  readonly applicationName: string
  readonly streamName: string
  readonly table: MigrationTable
  /** Those that are in the way first. */
  readonly notes: readonly MigrationNote[]
  readonly steps: readonly MigrationStep[]
  /** Rows that `pin` or `write-rows` would write now. */
  readonly rows: readonly MigrationRow[]
  readonly leftovers: Leftovers
}

/** Plans once. */
export function planMigration(to: MigrationTarget, facts: MigrationFacts): MigrationPlan {
  const standing = standingOf(facts)
  const pins = planPins(facts.leases, 0)
  const kclRows = planKclRows(facts.leases, facts.shards)
  const rows = to === 'millrace' ? pins.map(({ before }) => pinned(before.shardId)) : kclRows.map(written)
  const steps = to === 'millrace' ? toMillrace(facts, standing, pins.length) : toKcl(standing, kclRows)
  return {
    ...{ to, applicationName: facts.applicationName, streamName: facts.streamName, table: tableOf(facts, standing) },
    ...{ notes: notesFor(to, facts, standing, kclRows), steps: inTurn(steps), rows },
    leftovers: leftoversOf(to, facts)
  }
}

/** The step that is to be done now. `undefined`: everything is done. */
export function openStep({ steps }: Pick<MigrationPlan, 'steps'>): MigrationStep | undefined {
  return steps.find(({ state }) => state === 'open')
}

type Draft = Omit<MigrationStep, 'state'> & { readonly isDone: boolean }

function toMillrace(facts: MigrationFacts, standing: Standing, pins: number): Draft[] {
  const { kclGoneForMs, quietMs } = facts
  const { mode, kclOwners, ofKcl, workers, unread, hasKclLife } = standing
  const isAlone = mode === 'solo' && ofKcl === 0
  // Nobody is left to share with, and the order after this one is given already.
  const isPast = isAlone || (ofKcl === 0 && facts.orders.mode?.mode === 'solo')
  const isQuiet = ofKcl === 0 && !hasKclLife && (isAlone || kclGoneForMs >= quietMs)
  const left =
    ofKcl > 0 ? `${some(kclOwners)} to let go of ${ofKcl} leases` : `${seconds(quietMs)} without a sign of KCL`
  return [
    {
      name: 'pin',
      by: 'command',
      isDone: pins === 0,
      what: 'give leases that KCL began at LATEST a time to begin at'
    },
    {
      ...{ name: 'start-millrace', by: 'operator', isDone: workers > 0 },
      what: 'start the workers of Millrace, beside those of KCL',
      waitsFor: 'a worker of Millrace to be at work'
    },
    {
      ...{ name: 'share', by: 'command', isDone: mode === 'mixed' || isPast },
      what: 'have the leader renew leases for the eyes of KCL, and share them with its workers',
      waitsFor: 'the leader and its workers to say that they do'
    },
    {
      ...{ name: 'stop-kcl', by: 'operator', isDone: isQuiet },
      what: 'stop the workers of KCL, one after another or all at once',
      waitsFor: left
    },
    {
      ...{ name: 'be-alone', by: 'command', isDone: isAlone },
      what: 'have the leader end the renewals for KCL',
      waitsFor: 'the leader and its workers to say that they are on their own'
    },
    {
      ...{ name: 'verify', by: 'command', isDone: unread.length === 0 },
      what: 'see that every shard is read by Millrace',
      waitsFor: `somebody to read ${some(unread)}`
    }
  ]
}

function toKcl(standing: Standing, rows: readonly KclRow[]): Draft[] {
  const { mode, workers, still, ofMillrace, kclAlive, unfinished, unreadByKcl, living } = standing
  const isReady = workers === 0 || (mode === 'mixed' && (still.length === 0 || kclAlive > 0))
  return [
    {
      ...{ name: 'share', by: 'command', isDone: isReady },
      what: 'have the leader renew leases for the eyes of KCL, before the first of its workers comes',
      waitsFor: mode === 'mixed' ? `renewals of ${some(still)}` : 'the leader and its workers to say that they do'
    },
    {
      ...{ name: 'write-rows', by: 'command', isDone: rows.length === 0 },
      what: 'write rows as KCL expects them'
    },
    {
      ...{ name: 'start-kcl', by: 'operator', isDone: kclAlive > 0 || unfinished === 0 },
      what: 'start the workers of KCL, beside those of Millrace',
      waitsFor: 'a worker of KCL to renew a lease'
    },
    {
      ...{ name: 'stop-millrace', by: 'operator', isDone: living.length === 0 && ofMillrace === 0 },
      what: 'stop the workers of Millrace, one after another or all at once',
      waitsFor: living.length > 0 ? `${some(living.map(workerIdOf))} to stop` : `KCL to take over ${ofMillrace} leases`
    },
    {
      ...{ name: 'verify', by: 'command', isDone: unreadByKcl.length === 0 },
      what: 'see that every shard is read by KCL',
      waitsFor: `a worker of KCL to renew ${some(unreadByKcl)}`
    }
  ]
}

/** The first that is not done is open, those after it are for later, even if they happen to be done already. */
function inTurn(drafts: readonly Draft[]): MigrationStep[] {
  const open = drafts.findIndex(({ isDone }) => !isDone)
  return drafts.map(({ isDone, waitsFor, ...step }, index) => {
    const state = isDone && (open === -1 || index < open) ? 'done' : index === open ? 'open' : 'later'
    return { ...step, state, ...(state === 'open' && waitsFor !== undefined && { waitsFor }) }
  })
}

function tableOf(facts: MigrationFacts, { mode, workers, ofKcl, ofMillrace }: Standing): MigrationTable {
  const { leases, owners, leaseTable, controlTable } = facts
  const unfinished = leases.filter(lease => !isFinished(lease))
  const { version, because, clientVersion } = kclStanding(facts)
  const paces = owners.flatMap(({ owner, state, writesEveryMs }) =>
    isSession(owner) || state !== 'alive' || writesEveryMs === undefined ? [] : writesEveryMs
  )
  return {
    ...{ leaseTable, controlTable, workers },
    leases: {
      ...{ total: leases.length, finished: leases.length - unfinished.length, ofMillrace, ofKcl },
      ofNobody: unfinished.filter(({ owner }) => owner === undefined).length
    },
    owners: owners.map(sight => ({
      ...sight,
      kind: isSession(sight.owner) ? 'millrace' : 'kcl',
      workerId: isSession(sight.owner) ? workerIdOf(sight.owner) : sight.owner
    })),
    kcl: {
      ...(version !== undefined && { version }),
      because,
      ...(clientVersion !== undefined && { clientVersion }),
      ...(paces.length > 0 && { failoverMs: failoverOf(Math.max(...paces)) })
    },
    ...(mode !== undefined && { mode })
  }
}

function leftoversOf(to: MigrationTarget, { remains, hasControlItems }: MigrationFacts): Leftovers {
  if (to === 'kcl') return { items: [], tables: [], control: hasControlItems }
  const { items = [], tables = [], index } = remains ?? {}
  const beside = new Set(tables)
  return {
    // Those in tables that go are gone with them.
    items: items.flatMap(({ table, key }) => (beside.has(table) || isSession(key) ? [] : { table, key })),
    ...(index !== undefined && index.status !== 'DELETING' && { index: index.name }),
    ...{ tables, control: false }
  }
}

function pinned(shardId: string): MigrationRow {
  return { shardId, why: ['start-time'] }
}

function written({ before, why }: KclRow): MigrationRow {
  return { shardId: before.shardId, why }
}

const NAMED = 5

function some(names: readonly string[]): string {
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : ''
  return `${names.slice(0, NAMED).join(', ')}${more}`
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`
}
