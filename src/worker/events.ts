// Every event and its payload. An event is emitted after the thing is true, and carries plain data only.
import type { StallAction, StallCause } from '../consumer/shard-listener.ts'
import type { UndecodableAction } from '../decoding/undecodable-rules.ts'
import type { PlanReport } from '../fleet/fleet-view.ts'
import type { Death } from '../leases/control-store.ts'
import type { ClaimReason } from '../leases/held-leases.ts'
import type { ConsumerError, ProcessorError, RecordUndecodableError } from '../model/errors.ts'
import type { StreamNames } from '../model/stream-id.ts'
import type { FailureAction, GivingUp, LastResort } from '../processor/failure-rules.ts'
import type { ThreadDeath } from '../processor/thread-pool.ts'
import type { RetrievalMode } from '../retrieval/retriever.ts'
import type { ForgetReason } from './plan-streams.ts'

/** What every event of a shard says. */
export interface ShardEventBase {
  /** Key of the lease in the table: the shard id; where several streams share the table, what tells them apart before it. */
  readonly leaseKey: string
  /** The shard that the lease is of. */
  readonly shardId: string
  /** Name of the stream that the shard is of. */
  readonly streamName: string
}

/** What a worker emits: one plain object an event. Counts are of user records, after de-aggregation, unless said. */
export interface WorkerEvents {
  /** The tables are ready, the worker has joined its fleet, and somebody leads it. */
  'worker:started': {
    readonly workerId: string
    readonly session: string
    /** `*`: several streams. */
    readonly streamName: string
    readonly tableName: string
  }
  /** Stopping has begun: shards are being drained. */
  'worker:stopping': { readonly workerId: string; readonly graceMs: number }
  /** Nothing is running any more. `abandoned`: shards whose processor did not return in time. */
  'worker:stopped': { readonly workerId: string; readonly abandoned: readonly string[] }
  /** The event loop stood still for `forMs` milliseconds. The heartbeat went on, unless that was three lease durations or more. */
  'worker:stalled': { readonly forMs: number }
  /**
   * A thread that processors lived in ended on its own, `because`. What these shards were given since their last checkpoint is
   * delivered again, to new processors; another thread starts in `retryInMs` milliseconds.
   */
  'thread:died': ThreadDeath
  /** The worker has joined its fleet: at the start, and again after its session died. */
  'session:began': { readonly session: string }
  /** No heartbeat was acknowledged in 80 % of a lease duration: nothing is delivered until one is. Leases are kept. */
  'session:suspended': Readonly<Record<string, never>>
  /** A heartbeat was acknowledged again, `afterMs` milliseconds later: delivery goes on. */
  'session:resumed': { readonly afterMs: number }
  /** The session is dead, and its leases go to others. `how`: its heartbeat was `silent`, it was `deaf` to answers, its item is `gone`. */
  'session:died': { readonly session: string; readonly how: Death }
  /** This worker leads its fleet: it decides who should hold what. `term` counts the leaders. */
  'leader:elected': { readonly term: number }
  /** This worker does not lead any more. */
  'leader:deposed': { readonly because: string }
  /** The leader has decided on something. `unassigned`: leases that nobody may take. */
  'fleet:planned': PlanReport
  /** The leader wrote a death certificate. */
  'fleet:member-died': { readonly session: string; readonly how: Death }
  /** Workers of another kind hold leases of this table: the fleet changes to mixed mode. */
  'fleet:foreigners-found': { readonly workers: readonly string[] }
  /** A lease is ours. `checkpoint`: where it begins, as stored. */
  'lease:taken': ShardEventBase & { readonly why: ClaimReason; readonly checkpoint: string }
  /** The leader wants another worker to have a lease of ours, which is therefore being drained. */
  'lease:revoked': ShardEventBase
  /** A lease was given back for others to take. */
  'lease:released': ShardEventBase
  /** A lease is no longer ours. Its records since the last checkpoint will be delivered again elsewhere. */
  'lease:lost': ShardEventBase & { readonly because: string }
  /**
   * No worker may take these leases: each holds `maxLeases`, failed to read the shard lately, or runs code of an earlier hold on
   * it that has not returned. Their shards are not read. Emitted by the worker that leads, after three lease durations, when
   * there are others than before, and with none of them once there are none.
   */
  'lease:neglected': { readonly leaseKeys: readonly string[] }
  /** A lease was created for a shard; `rebuilt` and `ancestor` mean that it was missing and should not have been. */
  'lease:created': ShardEventBase & { readonly why: string; readonly checkpoint: string }
  /** The lease of a finished shard is not needed any more and was deleted. */
  'lease:removed': ShardEventBase & { readonly why: string }
  /** Part of the stream had nobody reading it. `ranges`: hash keys, `first..last`. `repaired`: leases created for it. */
  'lease:hole-found': {
    readonly streamName: string
    readonly ranges: readonly string[]
    readonly repaired: readonly string[]
  }
  /** A row of the lease table cannot be read as a lease and is left alone. Emitted once for each row. */
  'lease:row-skipped': { readonly key: string; readonly problem: string }
  /** The stream was deleted and created again; the leases of the earlier one were `removed` and reading starts over. */
  'stream:recreated': {
    readonly streamName: string
    readonly creationEpoch: number
    readonly removed: readonly string[]
  }
  /** Of several streams: this one was found, and is read from now on. */
  'stream:added': StreamNames
  /** Of several streams: this one is not in the list any more. It is read on, for as long as `whenRemoved` says. */
  'stream:removed': StreamNames
  /**
   * Of several streams: this one cannot be found, or compared with its leases. That is tried again, and the others go on. Emitted
   * each time.
   */
  'stream:failed': StreamNames & { readonly error: ConsumerError; readonly during: 'find' | 'compare' }
  /** What `stream:failed` told of is over. */
  'stream:recovered': StreamNames
  /**
   * Of several streams: the `leases` leases of this one were deleted, by the worker that leads, because it was `removed` from the
   * list and its time was over, or because it is `gone`.
   */
  'stream:forgotten': StreamNames & { readonly why: ForgetReason; readonly leases: number }
  /** The processor is initialized: records will be delivered. */
  'shard:started': ShardEventBase & { readonly checkpoint: string }
  /** Everything in the shard was processed, and its children may start. */
  'shard:ended': ShardEventBase & { readonly childShardIds: readonly string[] }
  /**
   * The processor failed as often as it may (a `ProcessorError`), or a dead letter could not be stored (a `DeadLetterError`).
   * The shard keeps its lease and waits to be resumed (`halt`), or the worker stops (`stop`).
   */
  'shard:halted': ShardEventBase & { readonly error: Error; readonly lastResort: LastResort }
  /** Nothing is delivered from here on, because `pause()` was called. The lease is kept. */
  'shard:paused': ShardEventBase
  /** Records are delivered again, because `resume()` was called; to a new processor, if the shard was halted. */
  'shard:resumed': ShardEventBase
  /**
   * The shard has made no progress for `forMs` milliseconds: it waits for an `answer` of Kinesis, or for one that is not that it is
   * asked too often (`throttling`); for a call of the `processor`, or for one that does not fail (`failures`); for room in
   * `memory`; for `dead-letters` or a `checkpoint` to be stored. `action`: it is told of (`report`), told of and read anew
   * (`restart`), or its lease is given back for another worker to try (`release`).
   */
  'shard:stalled': ShardEventBase & {
    readonly waitingFor: StallCause
    readonly forMs: number
    readonly action: StallAction
  }
  /** The shard makes progress again, after `shard:stalled`. */
  'shard:progressed': ShardEventBase
  /** A read was answered, perhaps without records. Counts are of Kinesis records, before de-aggregation. */
  'shard:read': ShardEventBase & {
    readonly records: number
    readonly bytes: number
    readonly millisBehindLatest: number
  }
  /**
   * The shard is read in another way from here on: by `polling`, because of `error`, until fan-out is tried again in
   * `retryInMs` milliseconds; or by `fan-out` again.
   */
  'shard:retrieval-changed': ShardEventBase & {
    readonly mode: RetrievalMode
    readonly error: Error | undefined
    readonly retryInMs: number | undefined
  }
  /**
   * Something beside the processor failed, `failures` times in a row. `during`: waiting for the `parents`, the `read`, storing
   * a `checkpoint`, settling the `end` of the shard, or the `release` of its lease. `retryInMs` absent: not again here, the
   * lease is given back.
   */
  'shard:failed': ShardEventBase & {
    readonly during: 'parents' | 'read' | 'checkpoint' | 'end' | 'release'
    readonly error: Error
    readonly retryInMs: number | undefined
    readonly failures: number
  }
  /** Aggregated records were odd: user records `outOfRange` of the shard, or Kinesis records that were `corrupt`. */
  'shard:odd-records': ShardEventBase & { readonly outOfRange: number; readonly corrupt: number }
  /** A batch was processed without an error. `bytes` are of payload; `durationMs` includes checkpoints made in the call. */
  'batch:processed': ShardEventBase & {
    readonly records: number
    readonly bytes: number
    readonly millisBehindLatest: number
    readonly durationMs: number
  }
  /**
   * The processor threw, or took too long. `action`: what follows: a `retry` in `retryInMs` milliseconds, the records in halves
   * (`bisect`), or the last resort. `retryInMs` absent: it is not called again with these records.
   */
  'processor:failed': ShardEventBase & {
    readonly error: ProcessorError
    readonly attempt: number
    readonly retryInMs: number | undefined
    readonly action: FailureAction
  }
  /**
   * So many records of a batch could not be decoded, for the same `reason`: `not-json`, `schema-mismatch`, `decoder-failed`, or
   * another one of a decoder. `error`: of the first of them. `action`: what follows, as `onDecodeError` says. `first` and `last`:
   * their positions, with the place inside an aggregated record after a `#`.
   */
  'record:undecodable': ShardEventBase & {
    readonly records: number
    readonly reason: string
    readonly action: UndecodableAction
    readonly error: RecordUndecodableError
    readonly first: string
    readonly last: string
  }
  /**
   * Records were given up, and the checkpoint may pass them: their dead letters are stored (`dead-letter`), or they were skipped
   * (`skip`). `first` and `last`: their positions, with the place inside an aggregated record after a `#`.
   */
  'records:given-up': ShardEventBase & {
    readonly records: number
    readonly how: GivingUp
    readonly error: Error
    readonly first: string
    readonly last: string
  }
  /**
   * Records were not read in time: the service does not keep them any more, because they were too old (`trimmed`), or their whole
   * shard was (`shard-expired`). Reading goes on with the oldest ones that are left. `after`: the last record that is known to have
   * been read, if one is. Only of sources that say so, which DynamoDB Streams does and Kinesis does not.
   */
  'records:lost': ShardEventBase & {
    readonly because: 'trimmed' | 'shard-expired'
    readonly after: string | undefined
  }
  /** User records were read again and not delivered, because they were settled before: after a restart, or a read begun anew. */
  'records:suppressed': ShardEventBase & { readonly records: number }
  /** A checkpoint is stored: everything up to `position` is done. It took `durationMs` milliseconds, retries included. */
  'checkpoint:stored': ShardEventBase & { readonly position: string; readonly durationMs: number }
  /** Dead letters could not be stored, so nothing passes their records. `retryInMs` absent: the shard is halted. */
  'dead-letter:failed': ShardEventBase & { readonly error: Error; readonly retryInMs: number | undefined }
  /**
   * The circuit breaker has changed. `open`: after `failures` in a row, the last being `error`, nothing is called for `openMs`
   * milliseconds; `probing`: one call is made to find out; `closed`: it went well, and all is as usual.
   */
  'breaker:changed': {
    readonly state: 'open' | 'probing' | 'closed'
    readonly failures: number
    readonly error: Error | undefined
    readonly openMs: number | undefined
  }
  /** Something failed in the background. `error.retryable`: it is being tried again. `during`: what was being done. */
  error: { readonly error: ConsumerError; readonly during: string }
}

/** The name of an event of a worker. */
export type WorkerEventName = keyof WorkerEvents

// A record, so that the compiler complains about an event that is missing here.
const NAMES: Readonly<Record<WorkerEventName, true>> = {
  'worker:started': true,
  'worker:stopping': true,
  'worker:stopped': true,
  'worker:stalled': true,
  'thread:died': true,
  'session:began': true,
  'session:suspended': true,
  'session:resumed': true,
  'session:died': true,
  'leader:elected': true,
  'leader:deposed': true,
  'fleet:planned': true,
  'fleet:member-died': true,
  'fleet:foreigners-found': true,
  'lease:taken': true,
  'lease:revoked': true,
  'lease:released': true,
  'lease:lost': true,
  'lease:neglected': true,
  'lease:created': true,
  'lease:removed': true,
  'lease:hole-found': true,
  'lease:row-skipped': true,
  'stream:recreated': true,
  'stream:added': true,
  'stream:removed': true,
  'stream:failed': true,
  'stream:recovered': true,
  'stream:forgotten': true,
  'shard:started': true,
  'shard:ended': true,
  'shard:halted': true,
  'shard:paused': true,
  'shard:resumed': true,
  'shard:stalled': true,
  'shard:progressed': true,
  'shard:read': true,
  'shard:retrieval-changed': true,
  'shard:failed': true,
  'shard:odd-records': true,
  'batch:processed': true,
  'processor:failed': true,
  'record:undecodable': true,
  'records:given-up': true,
  'records:lost': true,
  'records:suppressed': true,
  'checkpoint:stored': true,
  'dead-letter:failed': true,
  'breaker:changed': true,
  error: true
}

/** The name of every event. */
export const WORKER_EVENT_NAMES = Object.keys(NAMES) as readonly WorkerEventName[]

/** Is given the one object that an event is. What it throws is logged and goes no further. */
export type WorkerListener<Name extends WorkerEventName> = (event: WorkerEvents[Name]) => void

/** Sees every event as well, without being a listener: what is wrong and nobody listens to is logged all the same. Must not throw. */
export type EventObserver = <Name extends WorkerEventName>(name: Name, event: WorkerEvents[Name]) => void
