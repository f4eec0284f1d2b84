// What the gauges of a worker stand at, of itself and of each of its shards.
import type { ShardStatus } from '../consumer/shard-status.ts'
import type { FleetCensus } from '../fleet/fleet-view.ts'
import { type MetricLevel, type MetricNameOf, specOf } from '../metrics/metric-table.ts'
import type { EventLoopLateness } from '../runtime/event-loop-delay.ts'

/** What is known of a worker at one moment. */
export interface WorkerFacts {
  readonly shards: readonly ShardStatus[]
  /** How many leases it can prove to hold. */
  readonly leases: number
  /** Bytes that are held for records. */
  readonly bufferedBytes: number
  /** What the worker, as the leader, knows of the fleet. Absent: it does not lead. */
  readonly lead: FleetCensus | undefined
}

/** What is known beside that. */
export interface GaugeFacts extends WorkerFacts {
  readonly lateness: EventLoopLateness
  readonly isBreakerOpen: boolean
}

/** What one gauge stands at. Without `shardId`: of the worker. */
export interface GaugeReading {
  readonly name: MetricNameOf<'gauge'>
  readonly value: number
  readonly shardId?: string
  /** What tells the shard from those of other streams: the key of its lease, and the name of its stream. */
  readonly leaseKey?: string
  readonly streamName?: string
}

/** What all gauges stand at, of whatever is wanted. */
export function gaugesOf(facts: GaugeFacts, levels: readonly MetricLevel[]): GaugeReading[] {
  const { leases, bufferedBytes, lateness, lead, isBreakerOpen } = facts
  const ofShards = facts.shards.flatMap(shardGauges)
  return [
    ...(levels.includes('shard') ? ofShards : []),
    ...(levels.includes('worker') ? acrossShards(ofShards) : []),
    { name: 'CurrentLeases', value: leases },
    { name: 'BufferedBytes', value: bufferedBytes },
    { name: 'EventLoopDelay', value: lateness.p99Ms },
    { name: 'EventLoopDelayMax', value: lateness.maxMs },
    { name: 'BreakerOpen', value: Number(isBreakerOpen) },
    { name: 'LeaderDecider:IsLeader', value: Number(lead !== undefined) },
    { name: 'TotalLeases', value: lead?.leases ?? 0 },
    { name: 'NumWorkers', value: lead?.members ?? 0 },
    { name: 'LeaseSpillover', value: lead?.unassigned ?? 0 }
  ]
}

function shardGauges({ shardId, leaseKey, streamName, state, isPaused, stall, lag }: ShardStatus): GaugeReading[] {
  const shard = { shardId, leaseKey, streamName }
  const { millisBehindLatest = 0, oldestUnsettledMs = 0, sinceProgressMs = 0 } = lag ?? {}
  return [
    { name: 'MillisBehindLatest', value: millisBehindLatest, ...shard },
    { name: 'OldestUnsettledAge', value: oldestUnsettledMs, ...shard },
    { name: 'TimeSinceProgress', value: sinceProgressMs, ...shard },
    { name: 'StalledShards', value: Number(stall !== undefined), ...shard },
    { name: 'HaltedShards', value: Number(state === 'halted'), ...shard },
    { name: 'PausedShards', value: Number(isPaused), ...shard }
  ]
}

/** One for each gauge of shards, also where there are none. */
const NO_SHARD: readonly MetricNameOf<'gauge'>[] = [
  'MillisBehindLatest',
  'OldestUnsettledAge',
  'TimeSinceProgress',
  'StalledShards',
  'HaltedShards',
  'PausedShards'
]

function acrossShards(readings: readonly GaugeReading[]): GaugeReading[] {
  const totals = new Map<MetricNameOf<'gauge'>, number>(NO_SHARD.map(name => [name, 0]))
  for (const { name, value } of readings) {
    const before = totals.get(name) ?? 0
    totals.set(name, specOf(name).across === 'sum' ? before + value : Math.max(before, value))
  }
  return Array.from(totals, ([name, value]) => ({ name, value }))
}
