// Rows as the page of the dashboard has them, with what a test is not about filled in.
import type { ShardRow, Snapshot, WorkerRow } from '../../src/dashboard/snapshot.ts'
import { idOf } from './dashboard-fleet.ts'

/** A shard that takes a part of the hash space, from 0 to 1. */
export function aShardRow(at: number, row: Partial<ShardRow> = {}, from = 0, to = 1): ShardRow {
  const range = { start: '0', end: '9', from, to }
  return {
    id: idOf(at),
    state: 'read',
    isRed: false,
    listing: 'open',
    checkpoint: '100',
    range,
    parents: [],
    children: [],
    ...row
  }
}

export function aWorkerRow(name: string, row: Partial<WorkerRow> = {}): WorkerRow {
  return {
    id: `${name}:x`,
    name,
    state: 'ACTIVE',
    isRed: false,
    isLeader: false,
    shards: 1,
    slot: 0,
    reasons: [],
    ...row
  }
}

export function aSnapshot(
  shards: readonly ShardRow[] = [],
  workers: readonly WorkerRow[] = [],
  facts: Partial<Snapshot['facts']> = {}
): Snapshot {
  return {
    facts: {
      ...{ app: 'app', stream: 'clicks', leaseTable: 'app', controlTable: 'control', atMs: 1_000, isRed: false },
      ...{ isMixed: false, reasons: [], moreReasons: 0, holes: [], holds: [], ...facts }
    },
    workers,
    shards
  }
}

export const byId = <T extends { readonly id: string }>(rows: readonly T[]): ReadonlyMap<string, T> =>
  new Map(rows.map(row => [row.id, row]))
