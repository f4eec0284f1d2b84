// What a fleet looks like, made of its two tables and the listing of its stream: who is there, who reads what, how far, and what
// of it is not well. Plain data that can be printed, sent as JSON, or drawn.
import type { LeaderLock, Member } from '../leases/control-store.ts'
import { covers, type Hold, type ModeOrder, type MoveOrder, type Orders } from '../leases/order-rules.ts'
import { isSession, workerIdOf } from '../leases/session-id.ts'
import { findHoles, type HashKeyRange } from '../model/hash-key-range.ts'
import { isFinished, type Lease } from '../model/lease.ts'
import { isClosed, type Shard } from '../model/shard.ts'
import { parseStreamId } from '../model/stream-id.ts'
import { isCutByKeys } from '../shards/shard-graph.ts'
import { describeBeginning } from './plan-reset.ts'

/** Green: all is well. Red: somebody should look at it. */
export type StatusColor = 'green' | 'red'

/** Hash keys in decimal, both ends included: they have 128 bits, which JSON has no numbers for. */
export interface RangeStatus {
  readonly start: string
  readonly end: string
}

/** How one worker is doing: one of its sessions, or one of another kind that owns leases. */
export interface WorkerStatus {
  readonly workerId: string
  /** Absent: a worker that is not of Millrace. */
  readonly session?: string
  /** `ACTIVE`, `DRAINING` or `RESTARTING`, as it says; `DEAD`; or `FOREIGN`, of another kind. */
  readonly state: 'ACTIVE' | 'DRAINING' | 'RESTARTING' | 'DEAD' | 'FOREIGN'
  readonly color: StatusColor
  /** Whether it leads. */
  readonly isLeader: boolean
  /** How many unfinished leases it owns. */
  readonly leases: number
  /** How long its heartbeat has stood still, as far as it was watched by this fleet object. Milliseconds. Absent: a first look. */
  readonly silentMs?: number
  /** How long it may be silent, by its options. Milliseconds. Absent: it does not say. */
  readonly durationMs?: number
  readonly generation?: number
  readonly capacity?: number
  /** Absent: no limit. */
  readonly maxLeases?: number
  /** How many of its shards are red, as it says. */
  readonly redShards: number
  /** Why it is red. Empty: it is green. */
  readonly reasons: readonly string[]
}

/** How one lease stands. `waiting`: for its parents to be read. `held`: nobody has it, because an operator wants it so. */
export type LeaseState = 'read' | 'unowned' | 'orphaned' | 'waiting' | 'held' | 'foreign' | 'finished'

/** How one lease is doing. */
export interface LeaseStatus {
  readonly shardId: string
  readonly state: LeaseState
  readonly color: StatusColor
  /** The session, or the worker of another kind, that owns it. */
  readonly owner?: string
  readonly workerId?: string
  /** What is done: up to a sequence number. Or where to begin: a word, or a time. */
  readonly checkpoint: string
  /** Counts up with each write of an owner. */
  readonly counter: number
  /** Whether a checkpoint is prepared and not made yet. */
  readonly hasPendingCheckpoint: boolean
  readonly hashKeyRange?: RangeStatus
  readonly parentShardIds: readonly string[]
  readonly childShardIds: readonly string[]
  /** Whether Kinesis still lists the shard, and whether that is closed. */
  readonly shard: 'open' | 'closed' | 'expired'
  /** The order that keeps it from everybody. */
  readonly heldFor?: string
  /** The worker that it is ordered to go to. */
  readonly movesTo?: string
  /** Why it is red. Absent: it is green. */
  readonly reason?: string
}

/** One of several streams that share a lease table. */
export interface SharedStream {
  /** `account:name:creationEpoch`, as in the keys of its leases. */
  readonly streamId: string
  readonly streamName: string
  /** How many leases of shards there are that are not read to their end. */
  readonly leases: number
  /** How many of them somebody owns. */
  readonly owned: number
}

/** How a fleet is doing. */
export interface FleetStatus {
  readonly applicationName: string
  readonly streamName: string
  readonly leaseTable: string
  readonly controlTable: string
  /** By the clock of this machine. Epoch milliseconds. */
  readonly atMs: number
  readonly color: StatusColor
  /** `mixed`: workers of another kind own leases, too. */
  readonly mode: 'solo' | 'mixed'
  /** The session that leads, and its term. Absent: nobody does. */
  readonly leader?: { readonly session: string; readonly workerId: string; readonly term: number }
  /** Those that live, and the dead that still own something. Ascending. */
  readonly workers: readonly WorkerStatus[]
  /** Ascending by shard. Where several streams share the table, those of the stream that was asked for. */
  readonly leases: readonly LeaseStatus[]
  /** The streams that share the table, ascending. Absent: it is the table of one. */
  readonly streams?: readonly SharedStream[]
  /** Hash keys that no lease covers, so that nobody reads them. */
  readonly holes: readonly RangeStatus[]
  /** What an operator has ordered. */
  readonly holds: readonly Hold[]
  readonly moves: readonly MoveOrder[]
  /** Whether the fleet is ordered to share its table with workers of another kind, or not to. Absent: its leader decides. */
  readonly orderedMode?: ModeOrder
  /** Everything that is red, in words. Empty: all is well. */
  readonly reasons: readonly string[]
}

/** What a status is made of. */
export interface StatusFacts {
  readonly applicationName: string
  readonly streamName: string
  readonly leaseTable: string
  readonly controlTable: string
  readonly atMs: number
  readonly members: readonly Member[]
  /** Dead sessions that are known to be. */
  readonly gone: ReadonlySet<string>
  readonly silentMs: ReadonlyMap<string, number>
  /** Whether the silences mean something: there was a look before. */
  readonly hasWatched: boolean
  /** How long the rows of leases have been the same, as far as watched. Milliseconds, by lease key. */
  readonly unchangedMs: ReadonlyMap<string, number>
  readonly lock: LeaderLock | undefined
  readonly leases: readonly Lease[]
  readonly shards: readonly Shard[]
  readonly orders: Orders
  /** Absent: it is the table of one stream. */
  readonly streams?: readonly SharedStream[]
}

/** Sessions that do not say how long they live are given so long before they are red. Milliseconds. */
const USUAL_DURATION_MS = 10_000
/** For so long a lease may have no owner before it is red. Milliseconds. */
const UNOWNED_MS = 15_000

/** The facts, ready for lookups. */
interface Known extends StatusFacts {
  readonly memberOf: ReadonlyMap<string, Member>
  readonly shardOf: ReadonlyMap<string, Shard>
  /** Shards whose leases are not finished. */
  readonly unfinished: ReadonlySet<string>
  readonly hasWorkers: boolean
}

/** Makes the status. */
export function statusOf(given: StatusFacts): FleetStatus {
  const { applicationName, streamName, leaseTable, controlTable, atMs, orders, lock } = given
  const facts: Known = {
    ...given,
    memberOf: new Map(given.members.map(member => [member.session, member])),
    shardOf: new Map(given.shards.map(shard => [shard.shardId, shard])),
    unfinished: new Set(given.leases.flatMap(lease => (isFinished(lease) ? [] : lease.shardId))),
    hasWorkers: given.members.some(({ dead, state }) => dead === undefined && state === 'ACTIVE')
  }
  const workers = workersOf(facts)
  const leases = [...facts.leases]
    .map(lease => leaseStatus(lease, facts))
    .sort((a, b) => (a.shardId < b.shardId ? -1 : 1))
  const holes = holesIn(facts)
  const told = new Set(leases.flatMap(({ shardId, reason }) => (reason === undefined ? [] : `${shardId} is ${reason}`)))
  const leader = workers.find(({ isLeader, state }) => isLeader && state !== 'DEAD')
  const reasons = [
    ...workers.flatMap(({ workerId, reasons }) =>
      reasons.flatMap(reason => (told.has(reason) ? [] : `${workerId}: ${reason}`))
    ),
    ...leases.flatMap(({ shardId, reason }) => (reason === undefined ? [] : `${shardId}: ${reason}`)),
    ...(holes.length > 0 ? [`no lease covers ${holes.length} ranges of hash keys`] : []),
    ...(facts.leases.length === 0 ? ['there are no leases: no worker of this application has ever run'] : [])
  ]
  return {
    ...{ applicationName, streamName, leaseTable, controlTable, atMs },
    color: reasons.length > 0 ? 'red' : 'green',
    mode: workers.some(({ state }) => state === 'FOREIGN') ? 'mixed' : 'solo',
    ...(leader?.session !== undefined && {
      leader: { session: leader.session, workerId: leader.workerId, term: lock?.term ?? 0 }
    }),
    ...{ workers, leases, holes, holds: orders.holds, moves: orders.moves },
    ...(orders.mode !== undefined && { orderedMode: orders.mode }),
    ...(given.streams !== undefined && { streams: given.streams }),
    reasons
  }
}

function workersOf(facts: Known): WorkerStatus[] {
  const owned = new Map<string, number>()
  for (const { owner } of facts.leases.filter(lease => !isFinished(lease))) {
    if (owner !== undefined) owned.set(owner, (owned.get(owner) ?? 0) + 1)
  }
  const ours = facts.members
    .filter(({ session, dead }) => dead === undefined || owned.has(session))
    .map(member => workerStatus(member, owned.get(member.session) ?? 0, facts))
  const others = [...owned]
    .filter(([owner]) => !facts.memberOf.has(owner))
    .map(([owner, leases]) => strangerStatus(owner, leases))
  return [...ours, ...others].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
}

function nameOf({ workerId, session = workerId }: WorkerStatus): string {
  return session
}

function workerStatus(member: Member, leases: number, facts: Known): WorkerStatus {
  const { session, workerId, state, dead, generation, capacity, maxLeases, durationMs, troubles } = member
  const silentMs = facts.hasWatched ? facts.silentMs.get(session) : undefined
  const isSilent = dead === undefined && (silentMs ?? 0) >= (durationMs ?? USUAL_DURATION_MS)
  const red = dead === undefined ? (troubles?.count ?? 0) : 0
  const told = red > 0 ? Object.entries(troubles?.reasons ?? {}) : []
  const untold = red - told.length
  const reasons = [
    ...(dead === undefined ? [] : [`is dead (${dead}) and still owns ${leases} leases`]),
    ...(isSilent ? [`has not been heard of for ${Math.round((silentMs ?? 0) / 1_000)} s`] : []),
    ...told.map(([shardId, reason]) => `${shardId} is ${withPlace(reason, workerId)}`),
    ...(untold > 0 ? [`${untold} more shards are red`] : [])
  ]
  return {
    ...{ workerId, session, state: dead === undefined ? state : 'DEAD', color: colorOf(reasons) },
    isLeader: facts.lock?.who === session,
    leases,
    ...(silentMs !== undefined && dead === undefined && { silentMs }),
    ...(durationMs !== undefined && { durationMs }),
    ...{ generation, capacity },
    ...(maxLeases !== undefined && { maxLeases }),
    ...{ redShards: red, reasons }
  }
}

/** An owner without an item: a worker of another kind, or a session that was deleted. */
function strangerStatus(owner: string, leases: number): WorkerStatus {
  const about = { isLeader: false, leases, redShards: 0 }
  if (!isSession(owner)) return { workerId: owner, state: 'FOREIGN', color: 'green', ...about, reasons: [] }
  const reasons = [`has no heartbeat at all and still owns ${leases} leases`]
  return { workerId: workerIdOf(owner), session: owner, state: 'DEAD', color: 'red', ...about, reasons }
}

function colorOf(reasons: readonly string[]): StatusColor {
  return reasons.length > 0 ? 'red' : 'green'
}

function leaseStatus(lease: Lease, facts: Known): LeaseStatus {
  const { shardId, owner, counter, parentShardIds, childShardIds, hashKeyRange: range } = lease
  const hold = facts.orders.holds.find(one => covers(one, lease.leaseKey))
  const move = facts.orders.moves.find(({ leaseKey }) => leaseKey === lease.leaseKey)
  const shard = facts.shardOf.get(shardId)
  const state = stateOf(lease, hold, facts)
  const reason = reasonFor(state, lease, facts)
  return {
    ...{ shardId, state, color: reason === undefined ? 'green' : 'red' },
    ...(owner !== undefined && { owner, workerId: isSession(owner) ? workerIdOf(owner) : owner }),
    ...{ checkpoint: describeBeginning(lease), counter, hasPendingCheckpoint: lease.pendingCheckpoint !== undefined },
    ...(range !== undefined && { hashKeyRange: rangeStatus(range) }),
    ...{ parentShardIds, childShardIds },
    shard: shard === undefined ? 'expired' : isClosed(shard) ? 'closed' : 'open',
    ...(hold !== undefined && { heldFor: hold.why }),
    ...(move !== undefined && { movesTo: move.to }),
    ...(reason !== undefined && { reason })
  }
}

function stateOf(lease: Lease, hold: Hold | undefined, { memberOf, unfinished, gone }: Known): LeaseState {
  const { owner, parentShardIds } = lease
  if (isFinished(lease)) return 'finished'
  if (owner !== undefined && !isSession(owner)) return 'foreign'
  if (owner !== undefined) {
    const member = memberOf.get(owner)
    return member === undefined || member.dead !== undefined || gone.has(owner) ? 'orphaned' : 'read'
  }
  if (hold !== undefined) return 'held'
  return parentShardIds.some(parent => unfinished.has(parent)) ? 'waiting' : 'unowned'
}

/** What an error says stands in the log of the worker alone: it may quote a payload. */
function withPlace(reason: string, workerId: string): string {
  return reason.startsWith('halted') ? `${reason}; see the log of ${workerId}` : reason
}

/** What a worker of several streams calls the shard. */
function sharedName({ streamId = '', shardId }: Lease): string {
  return `${parseStreamId(streamId)?.streamName ?? ''}/${shardId}`
}

/** Between two owners a lease has none for a moment: that is no reason yet. */
function reasonFor(state: LeaseState, lease: Lease, { hasWorkers, unchangedMs, memberOf }: Known): string | undefined {
  if (state === 'read') {
    const { workerId = '', troubles } = memberOf.get(lease.owner ?? '') ?? {}
    const trouble = troubles?.reasons[lease.shardId] ?? troubles?.reasons[sharedName(lease)]
    return trouble === undefined ? undefined : withPlace(trouble, workerId)
  }
  if (state === 'orphaned') return `its owner ${lease.owner} is dead, and nobody has taken it`
  if (state !== 'unowned') return undefined
  if (!hasWorkers) return 'nobody reads it: no worker is there'
  const forMs = unchangedMs.get(lease.leaseKey) ?? 0
  return forMs >= UNOWNED_MS ? `nobody has read it for ${Math.round(forMs / 1_000)} s` : undefined
}

/** The hash keys of no unfinished lease, and of no open shard whose parents are still to be read. */
function holesIn({ leases, shards, shardOf }: Known): RangeStatus[] {
  if (leases.length === 0 || !isCutByKeys(shards)) return []
  const ranges = leases
    .filter(lease => !isFinished(lease))
    .flatMap(({ hashKeyRange, shardId }) => hashKeyRange ?? shardOf.get(shardId)?.hashKeyRange ?? [])
  return findHoles(ranges).map(rangeStatus)
}

function rangeStatus({ start, end }: HashKeyRange): RangeStatus {
  return { start: start.toString(), end: end.toString() }
}
