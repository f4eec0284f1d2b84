// What an event of a worker is worth in metrics: what is counted up, and what took how long.
import type { MetricNameOf } from '../metrics/metric-table.ts'
import type { WorkerEventName, WorkerEvents } from './events.ts'

/** Something that an event says in numbers. Without `shardId` it is about the whole worker. */
export type EventReading =
  | { readonly name: MetricNameOf<'counter'>; readonly value: number; readonly shardId?: string }
  | { readonly name: MetricNameOf<'timer'>; readonly durationMs: number; readonly shardId?: string }

type Readings = { readonly [Name in WorkerEventName]?: (event: WorkerEvents[Name]) => readonly EventReading[] }

const GIVEN_UP = { 'dead-letter': 'RecordsDeadLettered', skip: 'RecordsSkipped' } as const
/** What failed beside the user's code, where that is counted. */
const FAILED = { read: 'ReadFailures', checkpoint: 'CheckpointFailures' } as const

const READINGS: Readings = {
  'batch:processed': ({ shardId, records, bytes, durationMs }) => [
    { name: 'RecordsProcessed', value: records, shardId },
    { name: 'DataBytesProcessed', value: bytes, shardId },
    { name: 'RecordProcessor.processRecords.Time', durationMs, shardId }
  ],
  'shard:read': ({ shardId, records, bytes }) =>
    records === 0
      ? []
      : [
          { name: 'RecordsRead', value: records, shardId },
          { name: 'DataBytesRead', value: bytes, shardId }
        ],
  'records:suppressed': ({ shardId, records }) => [{ name: 'DuplicatesSuppressed', value: records, shardId }],
  'record:undecodable': ({ shardId, records }) => [{ name: 'RecordsUndecodable', value: records, shardId }],
  'records:given-up': ({ shardId, records, how }) => [{ name: GIVEN_UP[how], value: records, shardId }],
  'shard:odd-records': ({ shardId, outOfRange, corrupt }) => [
    ...(outOfRange > 0 ? [{ name: 'RecordsOutOfRange', value: outOfRange, shardId } as const] : []),
    ...(corrupt > 0 ? [{ name: 'RecordsCorrupt', value: corrupt, shardId } as const] : [])
  ],
  'processor:failed': ({ shardId }) => once('ProcessorFailures', shardId),
  'dead-letter:failed': ({ shardId }) => once('DeadLetterFailures', shardId),
  'shard:failed': ({ shardId, during }) =>
    during === 'read' || during === 'checkpoint' ? once(FAILED[during], shardId) : [],
  'shard:retrieval-changed': ({ shardId, mode }) => (mode === 'polling' ? once('PollingFallbacks', shardId) : []),
  'shard:ended': () => once('ShardsEnded'),
  'checkpoint:stored': ({ shardId, durationMs }) => [{ name: 'UpdateLease.Time', durationMs, shardId }],
  'lease:taken': () => once('TakenLeases'),
  'lease:lost': () => once('LostLeases'),
  'lease:revoked': () => once('RevokedLeases'),
  'lease:released': () => once('ReleasedLeases'),
  'lease:created': () => once('CreatedLeases'),
  'lease:removed': () => once('RemovedLeases'),
  'lease:hole-found': () => once('LeaseHoles'),
  'session:suspended': () => once('SessionSuspensions'),
  'session:died': () => once('SessionDeaths'),
  'thread:died': () => once('ThreadDeaths'),
  error: () => once('BackgroundFailures')
}

/** What an event says in numbers; nothing, of most. */
export function readingsOf<Name extends WorkerEventName>(
  name: Name,
  event: WorkerEvents[Name]
): readonly EventReading[] {
  return READINGS[name]?.(event) ?? []
}

function once(name: MetricNameOf<'counter'>, shardId?: string): readonly EventReading[] {
  return [{ name, value: 1, ...(shardId !== undefined && { shardId }) }]
}
