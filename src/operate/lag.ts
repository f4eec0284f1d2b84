// How far an application is behind, measured from outside: by a read of each shard at the stored checkpoint. It grows while a
// worker hangs, which whatever that worker says of itself might not.
import type { IteratorStart } from '../kinesis/kinesis-port.ts'
import { messageOf } from '../model/errors.ts'
import { isFinished, type Lease } from '../model/lease.ts'
import type { RecordsAnswer } from '../model/records-answer.ts'
import { isRecordPosition } from '../model/sequence-number.ts'
import { startOf } from '../retrieval/read-rules.ts'
import { allowManyListeners } from '../runtime/abort.ts'
import { forEachOf } from '../shards/sync-context.ts'
import { type FleetContext, patiently } from './fleet-context.ts'
import { isIn, type LeaseScope } from './letting-go.ts'
import { leasesOfStream } from './shared-table.ts'
import { findFleetStream } from './stream-facts.ts'

/** How far behind one shard is. */
export interface ShardLag {
  readonly shardId: string
  /** Session that owns the lease. Absent: nobody. */
  readonly owner?: string
  /**
   * How long ago the first record arrived that no checkpoint covers; 0 if there is none. Milliseconds, by the clock of the
   * service. Absent: it could not be measured.
   */
  readonly lagMs?: number
  /** Why it could not be measured. */
  readonly problem?: string
}

/** How far behind an application is. */
export interface LagReport {
  /** By the clock of the service, rounded down to a second. Epoch milliseconds. */
  readonly atMs: number
  /** The highest of all shards. Absent: none could be measured. Milliseconds. */
  readonly maxLagMs?: number
  /** Every shard that is being read, or is to be. Ascending. */
  readonly shards: readonly ShardLag[]
}

/** How many answers without a record are looked at in a row: behind the tip there may be some. */
const ANSWERS = 10

/** Measures it, with two calls a shard or a few more, of the five a second that a shard answers. */
export async function measureLag(context: FleetContext, scope: LeaseScope, signal?: AbortSignal): Promise<LagReport> {
  const { leases: all } = await leasesOfStream(context, signal)
  const leases = all.filter(lease => !isFinished(lease) && isIn(scope, lease.shardId))
  const { nowMs } = await findFleetStream(context, signal)
  allowManyListeners(signal)
  const readAtMs = context.clock.monotonicMs()
  const timeOf = (): number => Math.round(nowMs + context.clock.monotonicMs() - readAtMs)
  const measured = await forEachOf(leases, lease => measureShard(context, lease, timeOf, signal))
  const shards = measured.sort((a, b) => (a.shardId < b.shardId ? -1 : 1))
  const lags = shards.flatMap(({ lagMs }) => lagMs ?? [])
  return { atMs: nowMs, ...(lags.length > 0 && { maxLagMs: lags.reduce((a, b) => Math.max(a, b)) }), shards }
}

async function measureShard(
  context: FleetContext,
  lease: Lease,
  timeOf: () => number,
  signal: AbortSignal | undefined
): Promise<ShardLag> {
  const { shardId, owner } = lease
  const about = { shardId, ...(owner !== undefined && { owner }) }
  try {
    return { ...about, lagMs: await lagOf(context, lease, timeOf, signal) }
  } catch (error) {
    signal?.throwIfAborted()
    return { ...about, problem: messageOf(error) }
  }
}

async function lagOf(
  context: FleetContext,
  lease: Lease,
  timeOf: () => number,
  signal: AbortSignal | undefined
): Promise<number> {
  const { kinesis } = context
  const open = (start: IteratorStart) => kinesis.getShardIterator(lease.shardId, start, { signal })
  let iterator: string | undefined = await patiently(context, signal, () => open(afterCheckpoint(lease)))
  let behindMs = 0
  for (let answers = 0; answers < ANSWERS && iterator !== undefined; answers++) {
    const from: string = iterator
    const answer: RecordsAnswer = await patiently(context, signal, () => kinesis.getRecords(from, { limit: 1, signal }))
    behindMs = answer.millisBehindLatest
    const [first] = answer.records
    // At the tip, the answer is 0 behind although its record is not processed.
    if (first !== undefined) return Math.max(behindMs, timeOf() - (first.arrivedAtMs ?? timeOf()))
    if (behindMs === 0) return 0
    iterator = answer.nextIterator
  }
  return behindMs
}

/** After the checkpointed record: how old that is does not matter. Of an aggregate that is partly done the rest is not seen. */
function afterCheckpoint(lease: Lease): IteratorStart {
  const { checkpoint } = lease
  if (!isRecordPosition(checkpoint)) return startOf(lease, undefined)
  return { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: checkpoint.sequenceNumber }
}
