// The stream of a fleet, as an operator asks for it: which one it is, what time it is there, and its shards.
import type { StreamIdentity } from '../model/lease.ts'
import { type FoundStream, findStream } from '../shards/stream-lookup.ts'
import type { SyncContext } from '../shards/sync-context.ts'
import type { FleetContext } from './fleet-context.ts'

/** A stream that can be read, and what time it is there. Epoch milliseconds. */
export interface FleetStream {
  readonly stream: StreamIdentity
  readonly nowMs: number
}

/** Which stream has the name now. @throws ServiceError `not-found` if there is none */
export async function findFleetStream(context: FleetContext, signal?: AbortSignal): Promise<FleetStream> {
  const { identity, nowMs }: FoundStream = await findStream(syncContextOf(context), signal)
  return { stream: identity, nowMs }
}

/** What listing shards works with. */
export function syncContextOf({ kinesis, store, clock, random }: FleetContext): SyncContext {
  return { kinesis, store, clock, random, report: () => {}, guard: () => () => true, retried: () => {} }
}
