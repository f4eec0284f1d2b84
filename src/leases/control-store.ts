// What the control table can do: the heartbeats of sessions, the mailboxes in which the leader writes what each should
// hold, who leads, and what an operator has ordered. Small and hot, where the lease table is large and quiet. Every write that
// decides something has a condition.

import type { Orders } from './order-rules.ts'

/** What a session is about. `RESTARTING`: it stops, and the same worker is to come back for its leases. */
export type SessionState = 'ACTIVE' | 'DRAINING' | 'RESTARTING'

/** How a session died: it left, its heartbeat stood still, it heard no answers, or its item was deleted. */
export type Death = 'left' | 'silent' | 'deaf' | 'gone'

/** What a session says of the shards it holds that are not well. */
export interface Troubles {
  /** How many there are. At least 1. */
  readonly count: number
  /** Why, in a few words, by shard; of the first ten. */
  readonly reasons: Readonly<Record<string, string>>
}

/** What a session says of itself with every heartbeat. */
export interface MemberReport {
  /** One run of one worker. Used by one process, once. */
  readonly session: string
  readonly workerId: string
  readonly state: SessionState
  /** The newest heartbeat whose answer this process has seen; 0 before the first. */
  readonly ack: number
  /** The newest version of its mailbox that is carried out in full; 0 before the first. */
  readonly applied: number
  /** The newest version of its mailbox by which it claims: no claim by an older one is under way. Absent: it does not say. */
  readonly seen?: number
  /** Counted up when the leader should look at the leases: a shard ended, a lease was lost or adopted. */
  readonly evt: number
  /** Counted up with each turn it has led. Stands still in a leader that does nothing. */
  readonly led: number
  /** Of a leader, the newest version of the orders that every mailbox is written by. Absent: it does not lead. */
  readonly orders?: number | undefined
  /** Generation of the deployment. Higher is newer. */
  readonly generation: number
  /** How much of the leases it should have, in relation to the others. More than 0; usually 1. */
  readonly capacity: number
  /** How many leases it takes at most. Absent: no limit. */
  readonly maxLeases?: number
  /**
   * Leases that it cannot take now: reading the shard failed there, or code of an earlier hold still runs. A set: when it
   * is read, each is there once, in ascending order.
   */
  readonly avoid: readonly string[]
  /** How long it lives without a heartbeat, by its options. Milliseconds. Absent: it does not say. */
  readonly durationMs?: number
  /** Absent: nothing is wrong. */
  readonly troubles?: Troubles | undefined
}

/** A session as its control item says. */
export interface Member extends MemberReport {
  /** Number of its newest heartbeat that landed, from 1. */
  readonly hb: number
  /** Newest version of its mailbox. 0: there is none. */
  readonly asgVer: number
  /** The death certificate: set once, for ever. */
  readonly dead?: Death
}

/** Whether other workers than Millrace's share the lease table. */
export type FleetMode = 'solo' | 'mixed'

/** What the leader wants one session to hold. A hint: ownership in the lease table is the truth. */
export interface Mailbox {
  readonly session: string
  /** Counts up with each change, across leaders. */
  readonly ver: number
  /** Term of the leader that wrote it. */
  readonly term: number
  readonly mode: FleetMode
  /**
   * Mixed mode: who says which session has which lease. `kcl`: a leader of KCL 3.x. Then `leases` are those whose rows name
   * this session, `wait` those of them that are being handed over to it, and nothing is to be given back. Absent: our leader.
   */
  readonly assigner?: 'kcl'
  /** Keys of all leases it should hold, those in `wait` included. Ascending. */
  readonly leases: readonly string[]
  /** Of these, the ones that another living session still holds. Ascending. */
  readonly wait: readonly string[]
  /** Sessions, and in mixed mode foreign workers, whose leases it may claim. Ascending. */
  readonly dead: readonly string[]
  /** Mixed mode: of `leases`, those to take from a living foreign worker. */
  readonly steal: readonly string[]
  /** `evt` of the session as far as this plan knows of it: what it took on its own later is not in question. */
  readonly evt: number
}

/** Who leads. */
export interface LeaderLock {
  /** Session of the leader. Absent: it resigned. */
  readonly who?: string
  /** Counts up with each leader. */
  readonly term: number
}

/** The outcome of a heartbeat. `dead`: the session has a certificate, or no item; it will never be heard again. */
export type BeatOutcome =
  | { readonly kind: 'alive'; readonly asgVer: number }
  | { readonly kind: 'dead'; readonly how: Death }

/** Kilobytes per second of each lease, as its holder measured. */
export type LeaseLoads = Readonly<Record<string, number>>

/**
 * The control items of one application. Rejects like a {@link LeaseStore}: with ThrottledError, ServiceError or
 * TableMismatchError, or with the reason of its signal, and with nothing else.
 */
export interface ControlStore {
  /** What the table is called in messages. */
  readonly tableName: string

  /** Creates the table if it is missing and waits until it can be used. @throws TableMismatchError */
  prepare(signal?: AbortSignal): Promise<void>

  /**
   * Writes the item of a new session with `hb` 1. Alive too if exactly that session has joined already (an answer was
   * lost).
   */
  join(report: MemberReport): Promise<BeatOutcome>

  /**
   * Writes heartbeat `hb`. Refused, as dead, if the item is dead or missing. One that is older than what landed changes
   * nothing, and is answered as if it had landed.
   */
  beat(report: MemberReport, hb: number): Promise<BeatOutcome>

  /** The session says that it is gone: a certificate of its own. Resolves too if it is dead or missing already. */
  leave(report: MemberReport): Promise<void>

  /**
   * Writes a death certificate. Refused (false) if the item is dead or missing, or its `hb` is not the one watched. A
   * refusal may hide a certificate of one's own whose answer was lost: the members tell.
   */
  certify(session: string, hb: number, how: Death): Promise<boolean>

  /** Every session that has an item, dead or alive, in no particular order. Strongly consistent. */
  members(signal?: AbortSignal): Promise<Member[]>

  /** One session. May be a little old (eventually consistent). */
  member(session: string, signal?: AbortSignal): Promise<Member | undefined>

  /** Who leads. May be a little old, unless `consistent`. `undefined`: nobody ever has. */
  leader(options?: { readonly consistent?: boolean; readonly signal?: AbortSignal }): Promise<LeaderLock | undefined>

  /** Replaces the lock. Refused (false) if it is not `before` any more, unless it is `after` already (an answer was lost). */
  replaceLeader(before: LeaderLock | undefined, after: LeaderLock): Promise<boolean>

  /** The mailbox of a session as it is now (strongly consistent). */
  mailbox(session: string, signal?: AbortSignal): Promise<Mailbox | undefined>

  /** Every mailbox, strongly consistent: what a new leader begins with. */
  mailboxes(signal?: AbortSignal): Promise<Mailbox[]>

  /**
   * Writes a mailbox and then tells its session by `asgVer`. Refused (false) if there is one of a later term, or with
   * the same or a later version, unless it is exactly this one (an answer was lost). A session that has no item, or is
   * dead, is not told. After a rejection the mailbox may be there without the session having been told: post it again, or
   * a later version.
   */
  post(mailbox: Mailbox): Promise<boolean>

  /** Stores what a session measured of its leases. Replaces what it stored before. */
  reportLoads(session: string, loads: LeaseLoads): Promise<void>

  /** What the sessions measured, by lease; of two for the same lease, either. */
  loads(signal?: AbortSignal): Promise<LeaseLoads>

  /** Deletes everything about a session. Refused (false) unless it is dead, or has no member item. */
  forget(session: string): Promise<boolean>

  /**
   * Deletes everything of this application. Refused (false), and nothing is deleted, while a session lives.
   */
  clear(): Promise<boolean>

  /** What an operator has ordered. May be a little old (eventually consistent), unless `consistent`. */
  orders(options?: { readonly consistent?: boolean; readonly signal?: AbortSignal }): Promise<Orders>

  /**
   * Replaces the orders. Refused (false) if their version is not that of `before` any more, unless they are exactly `after`
   * already (an answer was lost).
   */
  replaceOrders(before: Orders, after: Orders): Promise<boolean>
}
