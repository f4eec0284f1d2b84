// A status and a measured lag as the page is told of them. What a worker is coloured with is decided here, so that every page
// shows the same.
import type { Hold } from '../leases/order-rules.ts'
import type { LagReport, ShardLag } from '../operate/lag.ts'
import type { FleetStatus, LeaseStatus, RangeStatus, WorkerStatus } from '../operate/status-rules.ts'
import type { FleetFacts, HoldRow, RangeShape, ShardRow, Snapshot, WorkerRow } from './snapshot.ts'

/** How many colours with patterns there are. With more workers than that, some look the same. */
export const SLOTS = 24
/** How many colours: the first workers differ in colour, not in pattern alone. */
const COLORS = 8

/** How many reasons are told; the rest stands with the shards and workers. */
const REASONS = 50
const HASH_SPACE = 2n ** 128n
/** Places of a bar are told with so many parts of the hash space. */
const PARTS = 1_000_000_000

/** The colours that workers have, by the rows of workers. */
export type Slots = ReadonlyMap<string, number>

/** A snapshot, and the colours that are to be kept. */
export interface Told {
  readonly snapshot: Snapshot
  readonly slots: Slots
}

/** Makes the snapshot of a status. */
export function snapshotOf(status: FleetStatus, lag: LagReport | undefined, before: Slots): Told {
  const slots = slotsOf(status.workers, before)
  const lags = new Map(lag?.shards.map(shard => [shard.shardId, shard]))
  const rows = new Map(
    status.workers.flatMap(worker => [[worker.session ?? worker.workerId, rowIdOf(worker)] as const])
  )
  const troubles = troublesOf(status.workers)
  return {
    slots,
    snapshot: {
      facts: factsOf(status, lag),
      workers: status.workers.map(worker => workerRow(worker, slots.get(rowIdOf(worker)) ?? 0)),
      shards: status.leases.map(lease => withTrouble(shardRow(lease, rows, lags.get(lease.shardId)), troubles))
    }
  }
}

/** What workers say of shards that they read, by the row of the worker and the shard. */
function troublesOf(workers: readonly WorkerStatus[]): ReadonlyMap<string, string> {
  const told = workers.flatMap(worker =>
    worker.reasons.map(reason => [rowIdOf(worker), /^(\S+) is (.+)$/s.exec(reason)] as const)
  )
  return new Map(told.flatMap(([id, found]) => (found === null ? [] : [[`${id} ${found[1]}`, found[2] ?? '']])))
}

function withTrouble(shard: ShardRow, troubles: ReadonlyMap<string, string>): ShardRow {
  const reason = troubles.get(`${shard.owner} ${shard.id}`)
  return reason === undefined || shard.isRed ? shard : { ...shard, isRed: true, reason }
}

/**
 * Which colour each worker has: what it had, or one by its name, so that it is the same after the server was started again; the
 * next free one, if that is taken.
 */
export function slotsOf(workers: readonly WorkerStatus[], before: Slots): Slots {
  const slots = new Map<string, number>()
  for (const id of workers.map(rowIdOf)) {
    const had = before.get(id)
    if (had !== undefined) slots.set(id, had)
  }
  for (const worker of workers) {
    const id = rowIdOf(worker)
    if (slots.has(id)) continue
    const taken = new Set(slots.values())
    const first = hashOf(worker.workerId) % COLORS
    const wished = Array.from({ length: SLOTS }, (_, step) => {
      return Math.floor(step / COLORS) * COLORS + ((first + step) % COLORS)
    })
    slots.set(id, wished.find(slot => !taken.has(slot)) ?? first)
  }
  return slots
}

/** The same for the same text, everywhere (FNV-1a). */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0
  return hash
}

function rowIdOf({ session, workerId }: WorkerStatus): string {
  return session ?? workerId
}

function factsOf(status: FleetStatus, lag: LagReport | undefined): FleetFacts {
  const { applicationName, streamName, leaseTable, controlTable, atMs, leader, reasons, holes, holds } = status
  return {
    ...{ app: applicationName, stream: streamName, leaseTable, controlTable, atMs },
    ...{ isRed: status.color === 'red', isMixed: status.mode === 'mixed' },
    ...(leader !== undefined && { leader: leader.session }),
    ...{ reasons: reasons.slice(0, REASONS), moreReasons: Math.max(0, reasons.length - REASONS) },
    ...{ holes: holes.map(rangeShape), holds: holds.map(holdRow) },
    ...(lag !== undefined && { lagAtMs: lag.atMs }),
    ...(lag?.maxLagMs !== undefined && { maxLagMs: lag.maxLagMs })
  }
}

function holdRow({ why, by, isKept, leases }: Hold): HoldRow {
  return { why, by, isPause: isKept, shards: leases === 'all' ? 'all' : leases.length }
}

function workerRow(worker: WorkerStatus, slot: number): WorkerRow {
  const { workerId, state, color, isLeader, leases, silentMs, durationMs, generation, capacity, maxLeases } = worker
  return {
    ...{ id: rowIdOf(worker), name: workerId, state, isRed: color === 'red', isLeader, shards: leases, slot },
    ...(silentMs !== undefined && { silentMs: Math.round(silentMs) }),
    ...(durationMs !== undefined && { durationMs }),
    ...(generation !== undefined && { generation }),
    ...(capacity !== undefined && { capacity }),
    ...(maxLeases !== undefined && { maxLeases }),
    reasons: worker.reasons
  }
}

function shardRow(lease: LeaseStatus, rows: ReadonlyMap<string, string>, lag: ShardLag | undefined): ShardRow {
  const { shardId, state, color, shard, owner, checkpoint, hashKeyRange, heldFor, movesTo, reason } = lease
  const row = owner === undefined ? undefined : (rows.get(owner) ?? owner)
  return {
    ...{ id: shardId, state, isRed: color === 'red', listing: shard, checkpoint },
    ...(row !== undefined && { owner: row }),
    ...(lease.hasPendingCheckpoint && { hasPendingCheckpoint: true }),
    ...(hashKeyRange !== undefined && { range: rangeShape(hashKeyRange) }),
    ...{ parents: lease.parentShardIds, children: lease.childShardIds },
    ...(heldFor !== undefined && { heldFor }),
    ...(movesTo !== undefined && { movesTo }),
    ...(reason !== undefined && { reason }),
    ...(state !== 'finished' && lag?.lagMs !== undefined && { lagMs: lag.lagMs }),
    ...(state !== 'finished' && lag?.problem !== undefined && { lagProblem: lag.problem })
  }
}

function rangeShape({ start, end }: RangeStatus): RangeShape {
  return { start, end, from: placeOf(BigInt(start)), to: placeOf(BigInt(end) + 1n) }
}

/** Where a hash key is in the hash space, from 0 to 1. */
function placeOf(hashKey: bigint): number {
  return Number((hashKey * BigInt(PARTS)) / HASH_SPACE) / PARTS
}
