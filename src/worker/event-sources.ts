// Turns what the parts tell into events. One function for each part; no decisions.
import type { ShardListener } from '../consumer/shard-listener.ts'
import type { LeadershipListener } from '../fleet/leadership.ts'
import type { LeaseListener } from '../fleet/lease-coordinator.ts'
import type { RecordLoss } from '../kinesis/stream-source.ts'
import type { Tenure } from '../leases/tenure.ts'
import { messageOf } from '../model/errors.ts'
import type { Lease } from '../model/lease.ts'
import { formatPosition } from '../model/sequence-number.ts'
import type { BreakerChange } from '../processor/circuit-breaker.ts'
import type { SyncReport } from '../shards/sync-report.ts'
import type { ShardEventBase } from './events.ts'
import type { StreamListener } from './many-streams.ts'
import type { WorkerEmitter } from './worker-emitter.ts'

type Emit = WorkerEmitter['emit']

/** Emits what the lease coordinator tells as the events of leases. `streamNameOf`: what the stream of a lease is called. */
export function leaseEvents(
  emit: Emit,
  streamNameOf: (lease: Lease) => string
): Pick<LeaseListener, 'taken' | 'revoked' | 'ended'> & { neglected(leaseKeys: readonly string[]): void } {
  let told: ReadonlySet<string> = new Set()
  const shardOf = (tenure: Tenure): ShardEventBase => shardIn(tenure, streamNameOf(tenure.lease))
  return {
    // Not when there are fewer of them: a fleet that picks up many would be told of each.
    neglected: leaseKeys => {
      const isNews = leaseKeys.some(key => !told.has(key)) || (leaseKeys.length === 0 && told.size > 0)
      told = new Set(leaseKeys)
      if (isNews) emit('lease:neglected', { leaseKeys: [...leaseKeys].sort() })
    },
    taken: (tenure, why) =>
      emit('lease:taken', { ...shardOf(tenure), why, checkpoint: formatPosition(tenure.lease.checkpoint) }),
    revoked: tenure => emit('lease:revoked', shardOf(tenure)),
    ended: (tenure, how, because) => {
      if (how === 'released') emit('lease:released', shardOf(tenure))
      if (how === 'lost' || how === 'gone') emit('lease:lost', { ...shardOf(tenure), because })
    }
  }
}

/** Emits what is told of the session of a worker, and of its turns as the leader, as the events of both. */
export function fleetEvents(
  emit: Emit
): Omit<
  LeaseListener & LeadershipListener,
  'taken' | 'revoked' | 'ended' | 'carriedOut' | 'posted' | 'unassigned' | 'failed'
> {
  return {
    sessionBegan: session => emit('session:began', { session }),
    sessionSuspended: () => emit('session:suspended', {}),
    sessionResumed: afterMs => emit('session:resumed', { afterMs }),
    sessionDied: (session, how) => emit('session:died', { session, how }),
    stalled: forMs => emit('worker:stalled', { forMs }),
    elected: term => emit('leader:elected', { term }),
    deposed: because => emit('leader:deposed', { because }),
    planned: plan => emit('fleet:planned', plan),
    certified: (session, how) => emit('fleet:member-died', { session, how }),
    foreignersFound: workers => emit('fleet:foreigners-found', { workers: [...workers] })
  }
}

/** Emits what the consumer of one shard tells as the events of that shard. */
export function shardEvents(emit: Emit, tenure: Tenure, streamName: string): ShardListener {
  const shard = shardIn(tenure, streamName)
  return {
    moved: (from, to) => {
      if (from === 'initializing' && to === 'processing') {
        emit('shard:started', { ...shard, checkpoint: formatPosition(tenure.lease.checkpoint) })
      }
    },
    batchProcessed: batch => emit('batch:processed', { ...shard, ...batch }),
    processorFailed: (error, retryInMs, action) =>
      emit('processor:failed', { ...shard, error, attempt: error.attempt, retryInMs, action }),
    gaveUp: (error, lastResort) => emit('shard:halted', { ...shard, error, lastResort }),
    gaveUpRecords: ({ records, how, error, first, last }) =>
      emit('records:given-up', {
        ...shard,
        records,
        how,
        error: asError(error),
        first: formatPosition(first),
        last: formatPosition(last)
      }),
    undecodable: ({ first, last, ...report }) =>
      emit('record:undecodable', { ...shard, ...report, first: formatPosition(first), last: formatPosition(last) }),
    deadLetterFailed: (error, retryInMs) => emit('dead-letter:failed', { ...shard, error: asError(error), retryInMs }),
    stalled: stall => emit('shard:stalled', { ...shard, ...stall }),
    progressed: () => emit('shard:progressed', shard),
    paused: () => emit('shard:paused', shard),
    resumed: () => emit('shard:resumed', shard),
    failed: ({ during, error, retryInMs, failures }) =>
      emit('shard:failed', {
        ...shard,
        during,
        error: asError(error),
        retryInMs,
        failures
      }),
    read: report => emit('shard:read', { ...shard, ...report }),
    modeChanged: ({ mode, error, retryInMs }) =>
      emit('shard:retrieval-changed', {
        ...shard,
        mode,
        error: error === undefined ? undefined : asError(error),
        retryInMs
      }),
    oddRecords: ({ outOfRange, corrupt }) => emit('shard:odd-records', { ...shard, outOfRange, corrupt }),
    checkpointed: (position, durationMs) =>
      emit('checkpoint:stored', { ...shard, position: formatPosition(position), durationMs }),
    suppressed: records => emit('records:suppressed', { ...shard, records }),
    ended: childShardIds => emit('shard:ended', { ...shard, childShardIds })
  }
}

/** Emits what the circuit breaker of the worker tells as its event. */
export function breakerEvents(emit: Emit): (change: BreakerChange) => void {
  return ({ state, failures, error, openMs }) =>
    emit('breaker:changed', {
      state,
      failures,
      error: error === undefined ? undefined : asError(error),
      openMs
    })
}

/** Emits what a source tells of records that are gone. */
export function lossEvents(emit: Emit): (loss: RecordLoss, streamName: string) => void {
  return ({ shardId, because, after }, streamName) =>
    emit('records:lost', { ...shardIn({ leaseKey: shardId, shardId }, streamName), because, after })
}

/** Emits what the comparison of the shards of one stream with their leases tells. */
export function syncEvents(emit: Emit, streamName: string): (report: SyncReport) => void {
  return report => {
    switch (report.kind) {
      case 'lease-created':
        return emit('lease:created', { ...shardIn(report, streamName), why: report.why, checkpoint: report.checkpoint })
      case 'lease-removed':
        return emit('lease:removed', { ...shardIn(report, streamName), why: report.why })
      case 'hole-found':
        return emit('lease:hole-found', { streamName, ranges: report.ranges, repaired: report.repaired })
      case 'row-skipped':
        return emit('lease:row-skipped', { key: report.key, problem: report.problem })
      case 'stream-recreated':
        return emit('stream:recreated', { streamName, creationEpoch: report.creationEpoch, removed: report.removed })
    }
  }
}

/** Emits what is told of several streams. */
export function streamEvents(emit: Emit): Pick<StreamListener, 'added' | 'removed' | 'failed' | 'recovered'> {
  return {
    added: stream => emit('stream:added', stream),
    removed: stream => emit('stream:removed', stream),
    failed: (stream, error, during) => emit('stream:failed', { ...stream, error, during }),
    recovered: stream => emit('stream:recovered', stream)
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(messageOf(thrown))
}

function shardIn({ leaseKey, shardId }: Omit<ShardEventBase, 'streamName'>, streamName: string): ShardEventBase {
  return { leaseKey, shardId, streamName }
}
