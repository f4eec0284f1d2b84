// Gathers everything that a doctor has to go by. What cannot be found out, for want of a permission or of the thing itself, is
// left out: a doctor has to come to something also where little works.
import type { TableFacts } from '../dynamo/dynamo-table-facts.ts'
import { fleetSettings } from '../fleet/fleet-settings.ts'
import type { StreamDescription } from '../kinesis/kinesis-port.ts'
import type { Member } from '../leases/control-store.ts'
import type { LeaseListing } from '../leases/lease-store.ts'
import { ServiceError } from '../model/errors.ts'
import { streamIdOf } from '../model/stream-id.ts'
import { type DoctorFacts, diagnose, type Finding } from './doctor-rules.ts'
import { type FleetContext, patiently } from './fleet-context.ts'
import { measureLag } from './lag.ts'
import type { FleetStatus } from './status-rules.ts'

/** Looks through a fleet. `status`: as it is told to others. */
export async function examineFleet(
  context: FleetContext,
  status: () => Promise<FleetStatus>,
  signal?: AbortSignal
): Promise<Finding[]> {
  const { kinesis, store, control, tables, consumers } = context
  const call = <T>(work: () => Promise<T>): Promise<T> => patiently(context, signal, work)
  const description = await call(() => kinesis.describeStream({ signal })).catch(absent)
  const listing = await call(() => store.list({ consistent: true, signal })).catch(absent)
  const found = await call(() => control.members(signal)).catch(absent)
  const { leases: all = [], skipped = [] }: Partial<LeaseListing> = listing ?? {}
  // Of a table that several streams share, the stream that was asked for.
  const streamId = description && all.some(lease => lease.streamId !== undefined) ? streamIdOf(description) : undefined
  const leases = all.filter(lease => streamId === undefined || lease.streamId === streamId)
  const isThere = description !== undefined && listing !== undefined && found !== undefined
  const lag = isThere ? await measureLag(context, 'all', signal).catch(unlessAborted(signal)) : undefined
  const streamArn = description?.streamArn
  const registered =
    streamArn === undefined ? undefined : await consumers?.(streamArn, signal).catch(unlessAborted(signal))
  const members: readonly Member[] = found ?? []
  const facts = {
    stream: description && streamFacts(description),
    ...{ leases, skipped, members, writeUnitsPerSecond: writeUnitsPerSecond(members, context.durationMs) },
    ...(await tableFacts(tables, signal)),
    ...(listing === undefined && { leaseTable: { facts: undefined } }),
    ...(found === undefined && { controlTable: { facts: undefined } }),
    ...(isThere && { status: await status() }),
    ...(lag && { lag }),
    ...(registered && { consumers: registered.map(({ consumerName }) => consumerName) })
  }
  return diagnose(facts)
}

function streamFacts({ streamArn, creationEpoch, status, retentionMs }: StreamDescription): DoctorFacts['stream'] {
  return { identity: { streamArn, creationEpoch }, status, ...(retentionMs !== undefined && { retentionMs }) }
}

async function tableFacts(
  tables: FleetContext['tables'],
  signal: AbortSignal | undefined
): Promise<Pick<DoctorFacts, 'leaseTable' | 'controlTable'>> {
  if (tables === undefined) return {}
  const look = async (describe: (signal?: AbortSignal) => Promise<TableFacts | undefined>) =>
    describe(signal).then(facts => ({ facts }), unlessAborted(signal))
  const [leaseTable, controlTable] = [await look(tables.leases), await look(tables.control)]
  return { ...(leaseTable && { leaseTable }), ...(controlTable && { controlTable }) }
}

/** Heartbeats alone. */
function writeUnitsPerSecond(members: readonly Member[], durationMs: number): number {
  const living = members.filter(({ dead }) => dead === undefined)
  return living.reduce((sum, member) => sum + 1_000 / fleetSettings(member.durationMs ?? durationMs).heartbeatMs, 0)
}

/** Nothing, where the thing itself is missing. */
function absent(error: unknown): undefined {
  if (error instanceof ServiceError && error.kind === 'not-found') return undefined
  throw error
}

/** Nothing, whatever went wrong, unless it is the end. */
function unlessAborted(signal: AbortSignal | undefined): (error: unknown) => undefined {
  return () => {
    signal?.throwIfAborted()
    return undefined
  }
}
