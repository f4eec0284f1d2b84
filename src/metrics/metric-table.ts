// Every metric that there is: what it is called, in what unit, of what, and what it means. The only copy; docs/metrics.md is
// compared with it.

/** How values of a metric add up: counters are summed, of gauges the newest counts, timers are distributions. */
export type MetricKind = 'counter' | 'gauge' | 'timer'

/** What a value is of: the whole worker, or one shard in it. */
export type MetricLevel = 'worker' | 'shard'

/** The unit of a value, in the words of CloudWatch. `None`: dollars. */
export type MetricUnit = 'Count' | 'Bytes' | 'Milliseconds' | 'None'

/** What a metric is told apart by, beside the application, the stream, the worker and the shard. */
export type MetricDetail = 'service' | 'operation'

/** What a metric is. */
export interface MetricSpec {
  /** How its values add up. */
  readonly kind: MetricKind
  /** In what unit they are. */
  readonly unit: MetricUnit
  /** Whether there is one for each shard. */
  readonly level: MetricLevel
  /** What a gauge of shards is for the worker: the `sum` of them, or the highest. */
  readonly across?: 'sum' | 'max'
  /** What else it is told apart by. */
  readonly by?: readonly MetricDetail[]
  /** Whether KCL has a metric of this name that means the same. */
  readonly isKcl?: true
  /** Its name in OpenTelemetry. */
  readonly otel: string
  /** Its name in Prometheus, where milliseconds are seconds. */
  readonly prometheus: string
  /** What it says. */
  readonly meaning: string
}

type Naming = readonly [otel: string, prometheus: string, meaning: string]

const KCL = 'aws.kinesis.client.'

const counter = (level: MetricLevel, unit: MetricUnit, [otel, prometheus, meaning]: Naming) =>
  ({ kind: 'counter', unit, level, otel, prometheus, meaning }) as const
const gauge = (across: 'sum' | 'max', level: MetricLevel, unit: MetricUnit, [otel, prometheus, meaning]: Naming) =>
  ({ kind: 'gauge', unit, level, across, otel, prometheus, meaning }) as const
const timer = (level: MetricLevel, [otel, prometheus, meaning]: Naming) =>
  ({ kind: 'timer', unit: 'Milliseconds', level, otel, prometheus, meaning }) as const
const kcl = <Spec>(spec: Spec) => ({ ...spec, isKcl: true }) as const
const by = <Spec, Detail extends MetricDetail>(details: readonly Detail[], spec: Spec) =>
  ({ ...spec, by: details }) as const

/** Every metric, by its name in CloudWatch. */
export const METRICS = {
  MillisBehindLatest: kcl(
    gauge('max', 'shard', 'Milliseconds', [
      `${KCL}consumer.lag.duration`,
      'millrace_behind_latest_seconds',
      'how far what is settled is behind the tip of the shard; grows while nothing is settled, or nothing is heard of the shard'
    ])
  ),
  OldestUnsettledAge: gauge('max', 'shard', 'Milliseconds', [
    'millrace.records.oldest_unsettled.age',
    'millrace_oldest_unsettled_age_seconds',
    'how long ago the oldest record arrived at Kinesis that was read and is not settled; 0: all are'
  ]),
  TimeSinceProgress: gauge('max', 'shard', 'Milliseconds', [
    'millrace.shard.since_progress.duration',
    'millrace_since_progress_seconds',
    'how long nothing was settled although there was something to settle, or nothing was heard of the shard'
  ]),
  RecordsProcessed: kcl(
    counter('shard', 'Count', [
      `${KCL}records_processed`,
      'millrace_records_processed_total',
      'user records that were processed without an error'
    ])
  ),
  DataBytesProcessed: kcl(
    counter('shard', 'Bytes', [`${KCL}records.size`, 'millrace_processed_bytes_total', 'their payloads'])
  ),
  'RecordProcessor.processRecords.Time': kcl(
    timer('shard', [
      `${KCL}record_processor.process_records.duration`,
      'millrace_batch_duration_seconds',
      'how long it took until a batch was settled, with its retries and checkpoints'
    ])
  ),
  RecordsRead: counter('shard', 'Count', [
    'millrace.records.read',
    'millrace_records_read_total',
    'Kinesis records that were read, before de-aggregation'
  ]),
  DataBytesRead: counter('shard', 'Bytes', [
    'millrace.records.read.size',
    'millrace_read_bytes_total',
    'their payloads'
  ]),
  DuplicatesSuppressed: counter('shard', 'Count', [
    'millrace.records.suppressed',
    'millrace_duplicates_suppressed_total',
    'user records that were read again and not delivered, because they had been settled before'
  ]),
  RecordsOutOfRange: counter('shard', 'Count', [
    'millrace.records.out_of_range',
    'millrace_records_out_of_range_total',
    'aggregated user records whose hash key is not the shard’s'
  ]),
  RecordsCorrupt: counter('shard', 'Count', [
    'millrace.records.corrupt',
    'millrace_records_corrupt_total',
    'Kinesis records that look like an aggregate and are not intact'
  ]),
  ProcessorFailures: counter('shard', 'Count', [
    'millrace.processor.failures',
    'millrace_processor_failures_total',
    'calls of your code that threw, or took too long'
  ]),
  RecordsUndecodable: counter('shard', 'Count', [
    'millrace.records.undecodable',
    'millrace_records_undecodable_total',
    'records that `decode` could make no value of'
  ]),
  RecordsDeadLettered: counter('shard', 'Count', [
    'millrace.records.dead_lettered',
    'millrace_records_dead_lettered_total',
    'records that were given up, and their dead letters stored'
  ]),
  RecordsSkipped: counter('shard', 'Count', [
    'millrace.records.skipped',
    'millrace_records_skipped_total',
    'records that were given up and skipped'
  ]),
  DeadLetterFailures: counter('shard', 'Count', [
    'millrace.dead_letters.failures',
    'millrace_dead_letter_failures_total',
    'times that dead letters could not be stored'
  ]),
  ReadFailures: counter('shard', 'Count', [
    'millrace.reads.failures',
    'millrace_read_failures_total',
    'reads that failed, throttled ones included'
  ]),
  PollingFallbacks: counter('shard', 'Count', [
    'millrace.fan_out.fallbacks',
    'millrace_polling_fallbacks_total',
    'times that enhanced fan-out gave way to polling'
  ]),
  'UpdateLease.Time': kcl(
    timer('shard', [
      `${KCL}update_lease.duration`,
      'millrace_checkpoint_duration_seconds',
      'how long it took to write a checkpoint, with its retries'
    ])
  ),
  CheckpointFailures: counter('shard', 'Count', [
    'millrace.checkpoints.failures',
    'millrace_checkpoint_failures_total',
    'checkpoints that could not be written'
  ]),
  StalledShards: gauge('sum', 'shard', 'Count', [
    'millrace.shards.stalled',
    'millrace_stalled_shards',
    'shards that stand still'
  ]),
  HaltedShards: gauge('sum', 'shard', 'Count', [
    'millrace.shards.halted',
    'millrace_halted_shards',
    'shards that wait to be resumed, because of a record that fails'
  ]),
  PausedShards: gauge('sum', 'shard', 'Count', [
    'millrace.shards.paused',
    'millrace_paused_shards',
    'shards that are paused'
  ]),
  CurrentLeases: kcl(
    gauge('sum', 'worker', 'Count', [`${KCL}current_leases`, 'millrace_current_leases', 'leases that the worker holds'])
  ),
  TakenLeases: kcl(
    counter('worker', 'Count', [`${KCL}taken_leases`, 'millrace_taken_leases_total', 'leases that it took'])
  ),
  LostLeases: kcl(
    counter('worker', 'Count', [`${KCL}lost_leases`, 'millrace_lost_leases_total', 'leases that it lost to others'])
  ),
  RevokedLeases: counter('worker', 'Count', [
    'millrace.leases.revoked',
    'millrace_revoked_leases_total',
    'leases that it was to give up, because others are to have them'
  ]),
  ReleasedLeases: counter('worker', 'Count', [
    'millrace.leases.released',
    'millrace_released_leases_total',
    'leases that it gave back'
  ]),
  CreatedLeases: counter('worker', 'Count', [
    'millrace.leases.created',
    'millrace_created_leases_total',
    'rows of the lease table that it wrote for shards'
  ]),
  RemovedLeases: counter('worker', 'Count', [
    'millrace.leases.removed',
    'millrace_removed_leases_total',
    'rows of finished shards that it deleted'
  ]),
  ShardsEnded: counter('worker', 'Count', [
    'millrace.shards.ended',
    'millrace_shards_ended_total',
    'shards that it finished'
  ]),
  'LeaderDecider:IsLeader': kcl(
    gauge('max', 'worker', 'Count', [`${KCL}leader_decider.is_leader`, 'millrace_leader', '1: it leads the fleet'])
  ),
  TotalLeases: kcl(
    gauge('max', 'worker', 'Count', [
      `${KCL}total_leases`,
      'millrace_total_leases',
      'leases that the fleet can read now, told by the leader; 0 elsewhere'
    ])
  ),
  NumWorkers: kcl(
    gauge('max', 'worker', 'Count', [
      `${KCL}workers`,
      'millrace_workers',
      'workers that leases are shared among, told by the leader; 0 elsewhere'
    ])
  ),
  LeaseSpillover: kcl(
    gauge('max', 'worker', 'Count', [
      `${KCL}lease_spillover`,
      'millrace_lease_spillover',
      'leases that no worker may take, told by the leader; 0 elsewhere'
    ])
  ),
  LeaseHoles: counter('worker', 'Count', [
    'millrace.leases.holes',
    'millrace_lease_holes_total',
    'times that part of the stream had nobody reading it'
  ]),
  BufferedBytes: gauge('sum', 'worker', 'Bytes', [
    'millrace.buffer.size',
    'millrace_buffered_bytes',
    'memory that is held for records, out of `maxBufferedBytes`'
  ]),
  EventLoopDelay: gauge('max', 'worker', 'Milliseconds', [
    'millrace.event_loop.delay.p99',
    'millrace_event_loop_delay_p99_seconds',
    'how late timers of 20 ms were: 99 % of them were not as late'
  ]),
  EventLoopDelayMax: gauge('max', 'worker', 'Milliseconds', [
    'millrace.event_loop.delay.max',
    'millrace_event_loop_delay_max_seconds',
    'how late the latest of them was'
  ]),
  SessionSuspensions: counter('worker', 'Count', [
    'millrace.sessions.suspended',
    'millrace_session_suspensions_total',
    'times that no heartbeat was acknowledged in time'
  ]),
  SessionDeaths: counter('worker', 'Count', [
    'millrace.sessions.died',
    'millrace_session_deaths_total',
    'sessions of the worker that the fleet took for dead'
  ]),
  ThreadDeaths: counter('worker', 'Count', [
    'millrace.threads.died',
    'millrace_thread_deaths_total',
    'threads with processors that ended on their own'
  ]),
  BreakerOpen: gauge('max', 'worker', 'Count', [
    'millrace.breaker.open',
    'millrace_breaker_open',
    '1: the circuit breaker keeps calls back'
  ]),
  BackgroundFailures: counter('worker', 'Count', [
    'millrace.background.failures',
    'millrace_background_failures_total',
    'failures of what goes on beside the shards'
  ]),
  Requests: by(
    ['service', 'operation'],
    counter('worker', 'Count', ['millrace.requests', 'millrace_requests_total', 'requests that were sent'])
  ),
  FailedRequests: by(
    ['service', 'operation'],
    counter('worker', 'Count', [
      'millrace.requests.failed',
      'millrace_failed_requests_total',
      'those of them that failed, throttled ones included'
    ])
  ),
  ThrottledRequests: by(
    ['service', 'operation'],
    counter('worker', 'Count', [
      'millrace.requests.throttled',
      'millrace_throttled_requests_total',
      'those of them that were throttled'
    ])
  ),
  'KinesisDataFetcher.getRecords.Time': kcl(
    timer('worker', [
      `${KCL}kinesis_data_fetcher.get_records.duration`,
      'millrace_get_records_duration_seconds',
      'how long GetRecords took'
    ])
  ),
  ReadUnits: by(
    ['operation'],
    counter('worker', 'Count', [
      'millrace.dynamodb.read_units',
      'millrace_read_units_total',
      'what DynamoDB was read for'
    ])
  ),
  WriteUnits: by(
    ['operation'],
    counter('worker', 'Count', [
      'millrace.dynamodb.write_units',
      'millrace_write_units_total',
      'what DynamoDB was written for'
    ])
  ),
  EstimatedCost: by(
    ['service'],
    counter('worker', 'None', [
      'millrace.cost',
      'millrace_estimated_cost_dollars_total',
      'about what the service takes for it in us-east-1, in dollars: see below'
    ])
  )
} as const satisfies Readonly<Record<string, MetricSpec>>

/** The name of a metric, as in CloudWatch. */
export type MetricName = keyof typeof METRICS

/** The names of the metrics of one kind. */
export type MetricNameOf<Kind extends MetricKind> = {
  [Name in MetricName]: (typeof METRICS)[Name]['kind'] extends Kind ? Name : never
}[MetricName]

/** The names of the metrics that there are for each shard. */
export type ShardMetricName = {
  [Name in MetricName]: (typeof METRICS)[Name]['level'] extends 'shard' ? Name : never
}[MetricName]

/** What a metric is. */
export function specOf(name: MetricName): MetricSpec {
  return METRICS[name]
}
