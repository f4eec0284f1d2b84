// The coordination of a Java fleet in memory: for tests and simulations, in which models of Java workers share it with ours.
import type { KclCoordination, KclLock, KclPlace, KclSighting } from './kcl-coordination.ts'
import type { LeaseStore } from './lease-store.ts'
import { isSession } from './session-id.ts'

/** What models of Java workers read and write. */
export interface MemoryKclItems {
  hasLegacyTables: boolean
  version: KclSighting['version'] | undefined
  tableMigration: KclSighting['tableMigration'] | undefined
  lock: KclLock | undefined
  /** Whether the lease table has the index over owners. */
  hasIndex: boolean
  /** When each worker last published its metrics, in epoch seconds, by place. */
  readonly published: Readonly<Record<KclPlace, Map<string, number>>>
  /** Those of them that can be given nothing more. */
  readonly full: Set<string>
}

/** A coordination in memory, beside a lease table. */
export interface MemoryKclCoordination extends KclCoordination {
  readonly items: MemoryKclItems
}

const GONE_AFTER_S = 60

/** The coordination of a Java fleet that shares `leases`. Begins with nothing in it, as a fleet of KCL 2.x has it. */
export function memoryKclCoordination(leases: Pick<LeaseStore, 'list'>): MemoryKclCoordination {
  const items: MemoryKclItems = {
    hasLegacyTables: false,
    version: undefined,
    tableMigration: undefined,
    lock: undefined,
    hasIndex: false,
    published: { 'lease-table': new Map(), 'legacy-tables': new Map() },
    full: new Set()
  }
  const { published } = items
  const isJavaIn = (place: KclPlace, nowS: number): boolean =>
    [...published[place]].some(([worker, atS]) => !isSession(worker) && nowS - atS <= GONE_AFTER_S)
  return {
    items,

    async read(nowS, signal) {
      signal?.throwIfAborted()
      const { hasLegacyTables, version, tableMigration, lock } = items
      const times = lock && Object.values(published).flatMap(workers => workers.get(lock.owner) ?? [])
      return {
        hasLegacyTables,
        ...(version && { version }),
        ...(tableMigration && { tableMigration }),
        ...(lock && { lock: { ...lock, ...(times?.length && { ownerSeenAtS: Math.max(...times) }) } }),
        ...(tableMigration === 'DEPLOYED' && { isLeaseTableInUse: isJavaIn('lease-table', nowS) })
      }
    },

    async publish(session, place, nowS, isFull = false) {
      items.full[isFull ? 'add' : 'delete'](session)
      published[place].set(session, Math.floor(nowS))
    },

    async withdraw(session, place) {
      published[place].delete(session)
    },

    async assigned(session, signal) {
      if (!items.hasIndex) return undefined
      const { leases: rows } = await leases.list({ signal })
      return rows.filter(({ owner }) => owner === session).map(({ leaseKey }) => leaseKey)
    }
  }
}
