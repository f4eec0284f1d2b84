// One listing of the lease table for all the streams that share it: their comparisons with the shards come at about the same
// time, and a scan costs as much as the table is large, not as the stream that it is for.
import { CallPlaces } from '../kinesis/call-places.ts'
import type { LeaseListing, LeaseStore } from '../leases/lease-store.ts'
import type { Clock } from '../runtime/clock.ts'
import { SharedRun } from './shared-run.ts'

/** How long a listing waits for others who want one, too. Milliseconds. */
const GATHER_MS = 200
/** How many rows are read at a time: what all streams compare at once must not hold up the heartbeat of the worker. */
const READS_AT_ONCE = 16

/**
 * The table, whose listings are shared by all who ask within 200 ms. Each begins after it was asked for, as one of its own would.
 * A row that cannot be read is in the first listing only: whoever asked for that tells of it. Rows are read 16 at a time.
 */
export function sharingListings(store: LeaseStore, clock: Clock): LeaseStore {
  const told = new Set<string>()
  const unheard = ({ leases, skipped }: LeaseListing): LeaseListing => {
    const fresh = skipped.filter(({ key, problem }) => !told.has(`${key} ${problem}`))
    for (const { key, problem } of fresh) told.add(`${key} ${problem}`)
    return { leases, skipped: fresh }
  }
  const listing = (consistent: boolean) =>
    new SharedRun(
      signal => store.list({ consistent, signal }),
      signal => clock.sleep(GATHER_MS, signal)
    )
  const [newest, cheap] = [listing(true), listing(false)]
  const places = new CallPlaces(READS_AT_ONCE)
  const never = new AbortController().signal
  const get: LeaseStore['get'] = (leaseKey, signal) => places.run(() => store.get(leaseKey, signal), signal ?? never)
  const list: LeaseStore['list'] = async ({ consistent = false, signal } = {}) =>
    unheard(await (consistent ? newest : cheap).ask(signal))
  return { ...listedBy(store, list), get }
}

/** The table with other listings. */
export function listedBy(store: LeaseStore, list: LeaseStore['list']): LeaseStore {
  return {
    tableName: store.tableName,
    ...(store.control && { control: store.control }),
    list,
    prepare: signal => store.prepare(signal),
    get: (leaseKey, signal) => store.get(leaseKey, signal),
    create: lease => store.create(lease),
    replace: (before, after) => store.replace(before, after),
    remove: lease => store.remove(lease)
  }
}
