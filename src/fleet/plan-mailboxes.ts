// What the mailbox of each living session should say, given who is to hold what; and which mailboxes have to be written.

import type { FleetMode, Mailbox, Member } from '../leases/control-store.ts'
import { isSession } from '../leases/session-id.ts'
import { isFinished, type Lease } from '../model/lease.ts'
import type { FleetSettings } from './fleet-settings.ts'
import type { GoneSession } from './member-watch.ts'
import type { Assignments } from './plan-standings.ts'

/** What a mailbox says, whoever writes it and when. */
export type MailboxContent = Omit<Mailbox, 'ver' | 'term'>

/** The plan, what it was made from, and the mailboxes as they are. */
export interface MailboxFacts {
  /** Monotonic milliseconds of the leader. */
  readonly nowMs: number
  readonly mode: FleetMode
  /** Living sessions. */
  readonly members: readonly Member[]
  /** Dead sessions whose leases may be claimed. */
  readonly gone: readonly GoneSession[]
  /** Foreign owners of leases. `silent`: the counters of their leases stand still. */
  readonly foreign: ReadonlyMap<string, { readonly silent: boolean }>
  readonly leases: readonly Lease[]
  readonly assignments: Assignments
  /** By session. */
  readonly inForce: ReadonlyMap<string, Mailbox>
  /** While a leader of KCL assigns: the rows as they are. Absent: our leader does. */
  readonly named?: readonly Lease[] | undefined
}

/** Which mailboxes to write. */
export interface MailboxPlan {
  /** What the mailbox of each living session should say. Ascending by session. */
  readonly contents: readonly MailboxContent[]
  /** Those of them that the mailbox in force does not serve. */
  readonly changed: readonly MailboxContent[]
  /** When a lease that moves is to leave its owner's mailbox, in milliseconds. Absent: none is. */
  readonly againInMs?: number
}

interface Draft {
  readonly leases: string[]
  readonly wait: string[]
  readonly dead: Set<string>
  readonly steal: string[]
}

/**
 * Plans once. A lease that moves stands at once in the mailbox of the session that is to have it, with `wait`, and stays in
 * that of its living owner for `revokeDelayMs`.
 */
export function planMailboxes(
  facts: MailboxFacts,
  { revokeDelayMs }: Pick<FleetSettings, 'revokeDelayMs'>
): MailboxPlan {
  const { nowMs, mode, members, assignments, leases, inForce, named } = facts
  if (named !== undefined) return changedOf(namedContents(members, named), inForce)
  const drafts = new Map<string, Draft>()
  for (const { session } of members) drafts.set(session, { leases: [], wait: [], dead: new Set(), steal: [] })
  const claimable = claimableOwners(facts)
  let againInMs = Number.POSITIVE_INFINITY
  for (const { leaseKey, owner } of leases.filter(lease => !isFinished(lease))) {
    const assignment = assignments.get(leaseKey)
    if (assignment === undefined) continue
    const { to, sinceMs, from } = assignment
    const draft = drafts.get(to)
    draft?.leases.push(leaseKey)
    if (owner === undefined || owner === to) continue
    if (claimable.has(owner)) draft?.dead.add(owner)
    else if (mode === 'mixed' && owner === from && !isSession(owner)) draft?.steal.push(leaseKey)
    else draft?.wait.push(leaseKey)

    const revokeInMs = sinceMs + revokeDelayMs - nowMs
    const letsGo = owner === from ? drafts.get(owner) : undefined
    if (letsGo === undefined || !(revokeInMs > 0)) continue
    letsGo.leases.push(leaseKey)
    againInMs = Math.min(againInMs, revokeInMs)
  }

  const contents = [...members]
    .sort((a, b) => (a.session < b.session ? -1 : 1))
    .map(({ session, evt }) => contentOf(session, evt, mode, drafts.get(session)))
  const plan = changedOf(contents, inForce)
  return Number.isFinite(againInMs) ? { ...plan, againInMs } : plan
}

function changedOf(contents: readonly MailboxContent[], inForce: ReadonlyMap<string, Mailbox>): MailboxPlan {
  return { contents, changed: contents.filter(content => !serves(inForce.get(content.session), content)) }
}

/**
 * While a leader of KCL assigns: to each session what the rows name it for, with those to wait for that are still to be handed
 * over to it. What it is to hand over itself is not listed: if it does not hold that any more, it lets go of it.
 */
function namedContents(members: readonly Member[], rows: readonly Lease[]): MailboxContent[] {
  const unfinished = rows.filter(row => !isFinished(row))
  return [...members]
    .sort((a, b) => (a.session < b.session ? -1 : 1))
    .map(({ session, evt }) => {
      const own = unfinished.filter(row => row.owner === session && row.checkpointOwner !== session)
      const isComing = ({ checkpointOwner }: Lease): boolean => checkpointOwner !== undefined
      const keysOf = (some: readonly Lease[]): string[] => some.map(({ leaseKey }) => leaseKey).sort()
      const lists = { leases: keysOf(own), wait: keysOf(own.filter(isComing)), dead: [], steal: [] }
      return { session, mode: 'mixed', assigner: 'kcl', ...lists, evt }
    })
}

/** Owners whose leases may be claimed although they have not released them. */
function claimableOwners({ mode, gone, foreign }: MailboxFacts): ReadonlySet<string> {
  const silent = mode === 'mixed' ? [...foreign].filter(([, { silent }]) => silent) : []
  return new Set([...gone.map(({ session }) => session), ...silent.map(([owner]) => owner)])
}

function contentOf(session: string, evt: number, mode: FleetMode, draft: Draft | undefined): MailboxContent {
  const { leases = [], wait = [], dead = new Set<string>(), steal = [] } = draft ?? {}
  return { session, mode, leases: leases.sort(), wait: wait.sort(), dead: [...dead].sort(), steal: steal.sort(), evt }
}

/**
 * Whether a mailbox makes its session do what `content` says. It may list more in `wait`, whose leases are looked at anyhow,
 * and more dead sessions, which stay dead: so a lease that has arrived costs no write.
 */
function serves(mailbox: Mailbox | undefined, content: MailboxContent): boolean {
  const { mode, assigner, leases, wait, dead, steal, evt } = mailbox ?? NO_MAILBOX
  return (
    mode === content.mode &&
    assigner === content.assigner &&
    evt === content.evt &&
    isSame(leases, content.leases) &&
    isSame(steal, content.steal) &&
    includesAll(wait, content.wait) &&
    includesAll(dead, content.dead) &&
    isSame(dead.filter(isForeign), content.dead.filter(isForeign))
  )
}

/** What a session does that has no mailbox yet. */
const NO_MAILBOX: Omit<MailboxContent, 'session'> = { mode: 'solo', leases: [], wait: [], dead: [], steal: [], evt: 0 }

function isForeign(owner: string): boolean {
  return !isSession(owner)
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((item, index) => item === others[index])
}

function includesAll(all: readonly string[], some: readonly string[]): boolean {
  const set = new Set(all)
  return some.every(item => set.has(item))
}
