// A lease table whose scan is eventually consistent, as DynamoDB's is: each row of it may be old, each by itself.
import type { LeaseStore } from '../../src/leases/lease-store.ts'
import type { Lease } from '../../src/model/lease.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import type { Random } from '../../src/runtime/random.ts'

interface Version {
  readonly atMs: number
  readonly row: Lease | undefined
}

/** A store that does what `store` does, but for rows up to `lagMs` milliseconds old in a listing that may be old. */
export function laggingStore(store: LeaseStore, clock: Clock, random: Random, lagMs: number): LeaseStore {
  const versions = new Map<string, Version[]>()

  const noting = async <T>(leaseKey: string, write: Promise<T>): Promise<T> => {
    const outcome = await write
    const row = await store.get(leaseKey)
    versions.set(leaseKey, [...(versions.get(leaseKey) ?? []), { atMs: clock.monotonicMs(), row }])
    return outcome
  }

  return {
    ...store,
    list: async options => {
      if (options?.consistent) return store.list(options)
      const rows = [...versions.values()].map(ofRow => {
        const untilMs = clock.monotonicMs() - random.next() * lagMs
        return ofRow.findLast(({ atMs }) => atMs <= untilMs)?.row
      })
      return { leases: rows.flatMap(row => row ?? []), skipped: [] }
    },
    create: lease => noting(lease.leaseKey, store.create(lease)),
    replace: (before, after) => noting(before.leaseKey, store.replace(before, after)),
    remove: lease => noting(lease.leaseKey, store.remove(lease))
  }
}
