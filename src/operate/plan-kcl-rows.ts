// What rows of the lease table have to be written so that KCL reads on exactly where Millrace is: what KCL keeps elsewhere than
// Millrace does, or expects and does not find. A row is never taken from its owner: its counter stays.
import { isFinished, type Lease } from '../model/lease.ts'
import { isRecordPosition } from '../model/sequence-number.ts'
import { parentsOf, type Shard } from '../model/shard.ts'
import { listedChildIds, type ShardGraph, shardGraph } from '../shards/shard-graph.ts'

/** Why a row is written. */
export type KclRowReason =
  | 'start-time' /** it begins at a time that stands in an attribute of Millrace: KCL would begin whenever it comes */
  | 'hash-keys' /** KCL finds holes by the hash keys of the shard */
  | 'parents' /** KCL waits for the shards that it continues */
  | 'children' /** KCL deletes the row of a finished shard by the shards that continue it */
  | 'hand-off' /** a hand-off is still marked of a lease that nobody is to have */
  | 'digits' /** the sequence number has zeros before it, and KCL compares texts in places */

/** A row to write. */
export interface KclRow {
  readonly before: Lease
  /** All but the checkpoint where `startMs` is given. */
  readonly after: Lease
  readonly why: readonly KclRowReason[]
  /** Everything that arrived before is done, and nothing else: the checkpoint has to be found in the stream. Epoch milliseconds. */
  readonly startMs?: number
}

/** The rows to write. `shards`: the whole listing. */
export function planKclRows(leases: readonly Lease[], shards: readonly Shard[]): KclRow[] {
  const graph = shardGraph(shards)
  return leases.flatMap(lease => rowFor(lease, graph)).sort((a, b) => (a.before.shardId < b.before.shardId ? -1 : 1))
}

function rowFor(before: Lease, graph: ShardGraph): KclRow[] {
  const shard = graph.byId.get(before.shardId)
  const changes: [KclRowReason, Partial<Lease>][] = []
  const { sequenceNumber } = before.checkpoint
  const hasTime = sequenceNumber === 'LATEST' || sequenceNumber === 'AT_TIMESTAMP'
  const startMs = hasTime ? before.startTimestampMs : undefined
  if (startMs !== undefined) changes.push(['start-time', {}])
  const digits = isRecordPosition(before.checkpoint) ? BigInt(sequenceNumber).toString() : sequenceNumber
  if (digits !== sequenceNumber)
    changes.push(['digits', { checkpoint: { ...before.checkpoint, sequenceNumber: digits } }])
  // KCL cannot read a row whose range is one key; without a range it can.
  const range = shard?.hashKeyRange
  if (before.hashKeyRange === undefined && range !== undefined && range.start < range.end)
    changes.push(['hash-keys', { hashKeyRange: range }])
  const parentShardIds = shard === undefined ? [] : parentsOf(shard)
  if (before.parentShardIds.length === 0 && parentShardIds.length > 0) changes.push(['parents', { parentShardIds }])
  const childShardIds = listedChildIds(graph, before.shardId)
  if (isFinished(before) && before.childShardIds.length === 0 && childShardIds.length > 0)
    changes.push(['children', { childShardIds }])
  const { checkpointOwner, ...others } = before
  // Whoever is named as owner is still waited for, and sees to it.
  const isStale = checkpointOwner !== undefined && (before.owner === undefined || isFinished(before))
  if (isStale) changes.push(['hand-off', {}])
  if (changes.length === 0) return []
  const after = Object.assign({}, isStale ? others : before, ...changes.map(([, change]) => change)) as Lease
  return [{ before, after, why: changes.map(([why]) => why), ...(startMs !== undefined && { startMs }) }]
}

/**
 * Leases that KCL began at LATEST and that nothing was checkpointed in yet, with a time to begin at: KCL keeps none, so that whoever
 * takes one over begins whenever that is. Those who have a time are left out.
 */
export function planPins(leases: readonly Lease[], nowMs: number): { readonly before: Lease; readonly after: Lease }[] {
  return leases
    .filter(
      ({ checkpoint, startTimestampMs }) => checkpoint.sequenceNumber === 'LATEST' && startTimestampMs === undefined
    )
    .map(before => ({ before, after: { ...before, startTimestampMs: nowMs } }))
}
