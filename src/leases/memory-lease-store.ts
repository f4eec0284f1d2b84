// A lease table in memory, with the conditions of the one in DynamoDB: for tests, for simulations, and for people
// without AWS. Workers of one process coordinate through it by sharing the store.
import type { Lease } from '../model/lease.ts'
import type { ControlStore } from './control-store.ts'
import { frozenCopy } from './frozen-copy.ts'
import { asIdSet, changedFields } from './lease-fields.ts'
import type { LeaseStore, WriteOutcome } from './lease-store.ts'
import { memoryControlStore } from './memory-control-store.ts'

/** How a lease table in memory is set up. */
export interface MemoryLeaseStoreOptions {
  /** What the table is called in messages. Default `memory`. */
  readonly tableName?: string
}

/** A lease table in memory, with the control items that go with it. */
export interface MemoryLeaseStore extends LeaseStore {
  /** The control items, in memory too. One for this table, so that workers that share the table share them. */
  readonly control: ControlStore
}

/**
 * A lease table, with its control items, that lives as long as this object. Every call is atomic. What it returns is frozen and stays as it is
 * when the table changes; what it is given is copied.
 */
export function memoryLeaseStore(options: MemoryLeaseStoreOptions = {}): MemoryLeaseStore {
  const rows = new Map<string, Lease>()

  const write = (row: Lease): WriteOutcome => {
    rows.set(row.leaseKey, storedCopy(row))
    return { kind: 'written' }
  }

  return {
    tableName: options.tableName ?? 'memory',
    control: memoryControlStore({ tableName: `${options.tableName ?? 'memory'}-control` }),

    async prepare(signal) {
      signal?.throwIfAborted()
    },

    async list({ signal } = {}) {
      signal?.throwIfAborted()
      return { leases: [...rows.values()].map(handedOut), skipped: [] }
    },

    async get(leaseKey, signal) {
      signal?.throwIfAborted()
      const row = rows.get(leaseKey)
      return row && handedOut(row)
    },

    async create(lease) {
      const row = rows.get(lease.leaseKey)
      return row === undefined ? write(lease) : refuse(row)
    },

    async replace(before, after) {
      const row = rows.get(before.leaseKey)
      if (row === undefined || !sameHolder(row, before)) return refuse(row)
      if (row.checkpointOwner !== before.checkpointOwner) return refuse(row)
      return write(withChanges(row, before, after))
    },

    async remove(lease) {
      const row = rows.get(lease.leaseKey)
      if (row !== undefined && !sameHolder(row, lease)) return refuse(row)
      rows.delete(lease.leaseKey)
      return { kind: 'written' }
    }
  }
}

function refuse(row: Lease | undefined): WriteOutcome {
  return row === undefined ? { kind: 'refused' } : { kind: 'refused', current: handedOut(row) }
}

function sameHolder(row: Lease, lease: Lease): boolean {
  return row.owner === lease.owner && row.counter === lease.counter
}

/** The row after an update that turns `before` into `after`. */
function withChanges(row: Lease, before: Lease, after: Lease): Lease {
  const changes = Object.fromEntries(changedFields(before, after).map(field => [field, after[field]]))
  return { ...row, ...changes }
}

function storedCopy(lease: Lease): Lease {
  return frozenCopy({
    ...lease,
    parentShardIds: asIdSet(lease.parentShardIds),
    childShardIds: asIdSet(lease.childShardIds)
  })
}

// Bytes cannot be frozen, so every reader gets bytes of its own.
function handedOut(row: Lease): Lease {
  return row.pendingCheckpoint?.state === undefined ? row : frozenCopy(row)
}
