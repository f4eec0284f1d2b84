// A lease table that several streams share, as an operator of one of them sees it: the leases of that stream, and which others
// there are. What steers is refused there: orders and rows are by lease, and would be by stream.
import { OperationError } from '../model/errors.ts'
import type { Lease } from '../model/lease.ts'
import { parseStreamId, streamIdOf } from '../model/stream-id.ts'
import type { FleetContext } from './fleet-context.ts'
import { listTable } from './letting-go.ts'
import type { SharedStream } from './status-rules.ts'
import { findFleetStream } from './stream-facts.ts'

/** The leases of the stream that is meant. */
export interface StreamLeases {
  readonly leases: readonly Lease[]
  /** Every stream that the table has leases of, ascending. Absent: it is the table of one. */
  readonly streams?: readonly SharedStream[]
}

/** The leases of the stream that is meant, in a table of one stream or of several. @throws OperationError `no-such-table` */
export async function leasesOfStream(context: FleetContext, signal?: AbortSignal): Promise<StreamLeases> {
  const leases = await listTable(context, signal)
  if (!leases.some(({ streamId }) => streamId !== undefined)) return { leases }
  const { stream } = await findFleetStream(context, signal)
  const streamId = streamIdOf(stream)
  return { leases: leases.filter(lease => lease.streamId === streamId), streams: streamsIn(leases) }
}

/**
 * The whole table of an application of one stream.
 *
 * @throws OperationError `no-such-table`; `mismatch` if several streams share it
 */
export async function listLeases(context: FleetContext, signal?: AbortSignal): Promise<readonly Lease[]> {
  const leases = await listTable(context, signal)
  const shared = leases.find(({ streamId }) => streamId !== undefined)
  if (shared === undefined) return leases
  throw new OperationError(
    'mismatch',
    `Lease table ${context.store.tableName} has leases of several streams, such as ${shared.leaseKey}. Status, lag and cost ` +
      'are told of it; leases of several streams are not steered, reset or exported from outside yet. In the worker, pause() ' +
      'and resume() do that, and whenRemoved forgets streams'
  )
}

function streamsIn(leases: readonly Lease[]): SharedStream[] {
  const ids = [...new Set(leases.flatMap(({ streamId }) => streamId ?? []))].sort()
  return ids.map(streamId => {
    const unfinished = leases.filter(
      lease => lease.streamId === streamId && lease.checkpoint.sequenceNumber !== 'SHARD_END'
    )
    const owned = unfinished.filter(({ owner }) => owner !== undefined).length
    return { streamId, streamName: parseStreamId(streamId)?.streamName ?? streamId, leases: unfinished.length, owned }
  })
}
