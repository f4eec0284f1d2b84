// Streams that have been resharded, and lease tables for them, for tests of what follows from both.
import type { Lease } from '../../src/model/lease.ts'
import { compareSequenceNumbers, formatPosition } from '../../src/model/sequence-number.ts'
import { parentsOf, type Shard } from '../../src/model/shard.ts'
import { planShardSync, type SyncFacts, type SyncPlan } from '../../src/shards/plan-shard-sync.ts'
import { FakeStream } from '../../src/testing/fake-stream.ts'
import { A_STREAM, aLease, aPosition, shardId } from './builders.ts'

/** A stream whose shards can be split and merged. Shard ids count up from 0. */
export function aStream(shardCount: number, epochMs: () => number = () => 0): FakeStream {
  return new FakeStream('orders', shardCount, 1, epochMs)
}

/**
 * The worked example of KCL's documentation: 0 + 1 became 6, 2 + 3 became 7; then 6 + 7 became 8, and 5 became 9 and 10.
 * Open are 4, 8, 9 and 10.
 */
export function workedExample(): FakeStream {
  const stream = aStream(6)
  stream.merge(shardId(0), shardId(1))
  stream.merge(shardId(2), shardId(3))
  stream.merge(shardId(6), shardId(7))
  stream.split(shardId(5))
  return stream
}

export function listing(stream: FakeStream): Shard[] {
  return stream.shards.map(({ shard }) => shard)
}

/** The lease of a shard of a stream, in the middle of being read unless told otherwise. */
export function leaseOf(stream: FakeStream, number: number, with_: Partial<Lease> = {}): Lease {
  const { shard } = stream.shard(shardId(number))
  const { shardId: id, hashKeyRange } = shard
  return aLease({ shardId: id, hashKeyRange, parentShardIds: parentsOf(shard), checkpoint: aPosition(1), ...with_ })
}

/** The plan for a stream and a table, at TRIM_HORIZON and time 1,000 unless told otherwise. */
export function planFor(
  stream: FakeStream,
  leases: readonly Lease[],
  with_: Partial<Omit<SyncFacts, 'stream' | 'leases'>> = {}
): SyncPlan {
  const shards = listing(stream)
  const always = { stream: A_STREAM, startAt: 'TRIM_HORIZON', nowMs: 1_000, remembered: new Map() } as const
  return planShardSync({ shards, leases, ...always, ...with_ })
}

/** What a plan creates, as `6 LATEST new-shard`. */
export function creations(plan: SyncPlan): string[] {
  return plan.create.map(
    ({ lease, why }) => `${numberOf(lease.shardId)} ${formatPosition(lease.checkpoint)}${sinceOf(lease)} ${why}`
  )
}

/** What a plan removes, as `6 children-started`. */
export function removals(plan: SyncPlan): string[] {
  return plan.remove.map(({ lease, why }) => `${numberOf(lease.shardId)} ${why}`)
}

export function numberOf(id: string): number {
  return Number(id.slice(-12))
}

function sinceOf({ startTimestampMs }: Lease): string {
  return startTimestampMs === undefined ? '' : `@${startTimestampMs}`
}

/** A lease table as one line per row, oldest shard first. */
export function rowsOf(leases: Iterable<Lease>): string[] {
  return [...leases]
    .sort((a, b) => compareSequenceNumbers(String(numberOf(a.shardId)), String(numberOf(b.shardId))))
    .map(lease => `${numberOf(lease.shardId)} ${formatPosition(lease.checkpoint)}${sinceOf(lease)}`)
}
