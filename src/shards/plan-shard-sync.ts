// Compares the shards of a stream with the lease table: which leases are missing, and which are no longer needed. Every
// part of the stream that is still to be read must be reachable from a lease, because leases lead to their children.
import { findHoles, type HashKeyRange } from '../model/hash-key-range.ts'
import { beginningOf, isFinished, type Lease, newLease, released, type StreamIdentity } from '../model/lease.ts'
import { TRIM_HORIZON } from '../model/sequence-number.ts'
import { isClosed, isTip, parentsOf, type Shard } from '../model/shard.ts'
import { initialCheckpoint, type StartPosition, startTimestampMs } from '../model/start-position.ts'
import { type PlannedRemoval, planLeaseCleanup } from './plan-lease-cleanup.ts'
import {
  ancestorsOf,
  byAge,
  isCutByKeys,
  judgeTiling,
  listedChildIds,
  type ShardGraph,
  shardGraph
} from './shard-graph.ts'
import { type Standing, standingsOf } from './standing-rules.ts'

/** The shards of a stream and the leases of an application, listed at about the same time. */
export interface SyncFacts {
  /** The whole listing. */
  readonly shards: readonly Shard[]
  /** The whole table, as far as it is of this stream. */
  readonly leases: readonly Lease[]
  readonly stream: StreamIdentity
  /** What leases are to say beside the shard, in a table that several streams share. */
  readonly streamId?: string | undefined
  readonly startAt: StartPosition
  /** Epoch milliseconds. */
  readonly nowMs: number
  /**
   * The shards that were open when the application's reading begins: at `startAt`, or for LATEST at the time recorded in
   * the table. As the service says; given only if it was asked. If these do not cover every hash key, the time is older
   * than what the service knows, and reading begins with the oldest shards it lists.
   */
  readonly openAtStart?: ReadonlySet<string>
  /** The last known state of leases whose rows vanished while this worker held them, by shard id. */
  readonly remembered: ReadonlyMap<string, Lease>
}

/**
 * Why a lease is created. `first`: the table was empty. `new-shard`: an open shard that no lease leads to. `ancestor`: a
 * closed shard that must be read before an open one. `rebuilt`: its row is missing although the application has come to it.
 */
export type CreationReason = 'first' | 'new-shard' | 'ancestor' | 'rebuilt'

/** A lease that the table lacks, and why it is needed. */
export interface PlannedLease {
  readonly lease: Lease
  readonly why: CreationReason
}

/** What to change in the lease table, and what of the stream nobody reads until then. */
export interface SyncPlan {
  /** The oldest shard first, so that whoever stops half-way leaves no child without its ancestors. */
  readonly create: readonly PlannedLease[]
  readonly remove: readonly PlannedRemoval[]
  /** The hash keys for which nobody reads, as the table is now. Empty while the application has not begun. */
  readonly holes: readonly HashKeyRange[]
}

/** Decides what the lease table lacks and what it can do without. The same facts give the same plan. */
export function planShardSync(facts: SyncFacts): SyncPlan {
  const graph = shardGraph(facts.shards)
  const table = new Map(facts.leases.map(lease => [lease.shardId, lease]))
  const rebuilt = planRebuilds(facts, graph, table)
  const leases = new Map([...table, ...rebuilt.map(({ lease }) => [lease.shardId, lease] as const)])
  return {
    create: [...rebuilt, ...planMissing(facts, graph, leases)].sort((a, b) => byAgeOf(graph, a.lease, b.lease)),
    remove: planLeaseCleanup(graph, table),
    holes: leases.size === 0 || !isCutByKeys(graph.shards) ? [] : findHoles(rangesRead(graph, table))
  }
}

/**
 * Cuts what is to be created into parts, in order. A part has no shard together with a parent of it, so that its leases may
 * be created at the same time.
 */
export function wavesOf(create: readonly PlannedLease[]): PlannedLease[][] {
  const waves: PlannedLease[][] = []
  let inWave = new Set<string>()
  for (const planned of create) {
    const { shardId, parentShardIds } = planned.lease
    if (waves.length === 0 || parentShardIds.some(id => inWave.has(id))) {
      waves.push([])
      inWave = new Set()
    }
    waves.at(-1)?.push(planned)
    inWave.add(shardId)
  }
  return waves
}

/**
 * Vanished rows come back as they were, without an owner; finished ones only where nothing else shows that they are. Others
 * even if a child has begun: a child begins, too, because the row of its parent is missing, and what the parent's processor
 * had not checkpointed by then would be lost.
 */
function planRebuilds(facts: SyncFacts, graph: ShardGraph, table: ReadonlyMap<string, Lease>): PlannedLease[] {
  const standingOf = standingsOf({ graph, leases: table })
  const isOfUse = ({ shardId }: Lease): boolean => graph.byId.has(shardId) || listedChildIds(graph, shardId).length > 0
  return [...facts.remembered.values()]
    .filter(lease => !table.has(lease.shardId))
    .filter(lease => !isFinished(lease) || (isOfUse(lease) && standingOf(lease.shardId) !== 'passed'))
    .map(lease => ({ lease: released(lease), why: 'rebuilt' }))
}

function planMissing(facts: SyncFacts, graph: ShardGraph, leases: ReadonlyMap<string, Lease>): PlannedLease[] {
  const { shards, openAtStart } = facts
  const beganAtMs = beginningOf(leases.values())
  const startAt = startOfLateShards(facts.startAt, beganAtMs, leases)
  const began = shards.filter(shard => openAtStart?.has(shard.shardId))
  const isBeginningKnown = judgeTiling(began).kind === 'consistent'
  const standingOf = standingsOf({
    graph,
    leases,
    closedBeforeIds: ancestorsOf(graph, isBeginningKnown ? began.map(shard => shard.shardId) : [])
  })
  const wanted = findMissing(graph, standingOf, startAt !== 'LATEST' || openAtStart !== undefined)
  const startedAtMs = startTimestampMs(startAt, beganAtMs ?? facts.nowMs)
  return [...wanted].flatMap(([shardId, need]) => {
    const shard = graph.byId.get(shardId)
    if (shard === undefined) return []
    const isContinued = need === 'continue'
    const lease = newLease({
      shardId,
      checkpoint: isContinued ? TRIM_HORIZON : initialCheckpoint(startAt),
      parentShardIds: parentsOf(shard),
      ...(shard.hashKeyRange && { hashKeyRange: shard.hashKeyRange }),
      stream: facts.stream,
      ...(facts.streamId !== undefined && { streamId: facts.streamId }),
      ...(!isContinued && startedAtMs !== undefined && { startTimestampMs: startedAtMs }),
      ...(isContinued && beganAtMs !== undefined && { beganAtMs })
    })
    return [{ lease, why: isContinued ? 'rebuilt' : reasonToBegin(shard, leases) }]
  })
}

/**
 * Where to begin in a shard that is found late. LATEST is when the application began, if the leases tell. If not, and they
 * are ours, the application did not begin with LATEST, and what has no lease has lost it: nothing in it may be skipped.
 */
function startOfLateShards(
  startAt: StartPosition,
  beganAtMs: number | undefined,
  leases: ReadonlyMap<string, Lease>
): StartPosition {
  const areOurs = [...leases.values()].some(lease => lease.stream !== undefined)
  return startAt === 'LATEST' && beganAtMs === undefined && areOurs ? 'TRIM_HORIZON' : startAt
}

/** How a shard is to be read: from the application's start position, or as the continuation of parents that are done. */
type Need = 'begin' | 'continue'

/**
 * Which shards need a lease now, so that every open shard is reached in the end. A shard is reached if it has a lease, or if
 * a lease leads to it: its own lease then comes when its parents have been read.
 *
 * `fromOldest`: what nothing leads to begins with its oldest ancestor that is not before the start. Otherwise (LATEST) it
 * begins with the open shard itself, or after a merge with the parent that nothing leads to.
 */
function findMissing(
  graph: ShardGraph,
  standingOf: (shardId: string) => Standing,
  fromOldest: boolean
): Map<string, Need> {
  const needs = new Map<string, Need>()
  const reached = new Map<string, boolean>()
  const reach = (shardId: string): boolean => {
    const found = reached.get(shardId)
    if (found !== undefined) return found
    reached.set(shardId, false) // so that a listing with a cycle ends, too
    const answer = reachNow(shardId)
    reached.set(shardId, answer)
    return answer
  }
  const need = (shardId: string, what: Need): true => {
    if (!needs.has(shardId)) needs.set(shardId, what)
    return true
  }
  const reachNow = (shardId: string): boolean => {
    const standing = standingOf(shardId)
    if (standing === 'reading' || standing === 'passed') return true
    if (standing === 'lost') return need(shardId, 'continue')
    const parents = parentIdsWithTrace(graph, shardId, standingOf)
    if (parents.length > 0 && parents.every(id => standingOf(id) === 'passed')) return need(shardId, 'continue')
    const unreached = parents.filter(id => !reach(id))
    if (unreached.length === parents.length) return standing !== 'before' && fromOldest && need(shardId, 'begin')
    for (const id of unreached) need(id, 'begin')
    return true
  }
  for (const { shardId } of graph.shards.filter(shard => standingOf(shard.shardId) === 'lost')) reach(shardId)
  for (const { shardId } of graph.shards.filter(isTip)) reach(shardId) || need(shardId, 'begin')
  return needs
}

/** The parents of a shard that are listed, and those that have expired of which leases still tell: they lead to the shard. */
function parentIdsWithTrace(
  graph: ShardGraph,
  shardId: string,
  standingOf: (shardId: string) => Standing
): readonly string[] {
  const shard = graph.byId.get(shardId)
  const parents = shard === undefined ? [] : parentsOf(shard)
  return parents.filter(id => graph.byId.has(id) || standingOf(id) === 'reading' || standingOf(id) === 'passed')
}

function reasonToBegin(shard: Shard, leases: ReadonlyMap<string, Lease>): CreationReason {
  if (leases.size === 0) return 'first'
  return isClosed(shard) ? 'ancestor' : 'new-shard'
}

/** The hash keys of every lease that is not finished. Rows that KCL wrote before it knew ranges have that of their shard. */
function rangesRead(graph: ShardGraph, table: ReadonlyMap<string, Lease>): HashKeyRange[] {
  return [...table.values()]
    .filter(lease => !isFinished(lease))
    .flatMap(lease => lease.hashKeyRange ?? graph.byId.get(lease.shardId)?.hashKeyRange ?? [])
}

/** Leases of shards that have expired come first: they are the oldest. */
function byAgeOf(graph: ShardGraph, a: Lease, b: Lease): number {
  const [shardA, shardB] = [graph.byId.get(a.shardId), graph.byId.get(b.shardId)]
  if (shardA !== undefined && shardB !== undefined) return byAge(shardA, shardB)
  if (shardA === undefined && shardB === undefined) return a.shardId < b.shardId ? -1 : 1
  return shardA === undefined ? -1 : 1
}
