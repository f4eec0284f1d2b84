// The public API: re-exports, nothing else. Nobody in src imports this file.
export type { Checkpointer, PreparedCheckpoint } from './checkpoint/checkpointer.ts'
export type { LaneKey } from './consumer/delivery-options.ts'
export { type FileDeadLettersOptions, fileDeadLetters } from './dead-letters/file-dead-letters.ts'
export { readFileDeadLetters } from './dead-letters/file-letter-source.ts'
export {
  type KinesisDeadLettersOptions,
  kinesisDeadLetters,
  type StreamTarget
} from './dead-letters/kinesis-dead-letters.ts'
export { encodeDeadLetter, parseDeadLetter } from './dead-letters/letter-codec.ts'
export type { DeadLetterSource, FoundLetter } from './dead-letters/letter-source.ts'
export {
  type DecodedLetter,
  type RedriveCallback,
  type RedriveFailure,
  type RedriveOptions,
  type RedriveReport,
  redriveDeadLetters
} from './dead-letters/redrive.ts'
export type { Decode, DecodeFunction, Decoder } from './decoding/decoder.ts'
export type {
  SchemaFailure,
  SchemaIssue,
  SchemaResult,
  SchemaSuccess,
  StandardSchemaProps,
  StandardSchemaV1
} from './decoding/standard-schema.ts'
export type { UndecodableAction } from './decoding/undecodable-rules.ts'
export type { KinesisClientOption } from './kinesis/sdk-kinesis.ts'
export { type AggregatedRecord, aggregate, type UserRecord } from './kpl/aggregate.ts'
export type { OutOfRange } from './kpl/deaggregate.ts'
export type { DynamoDBClientOption, TableBilling } from './leases/dynamo-lease-store.ts'
export type { ClaimReason } from './leases/held-leases.ts'
export type { LeaseListing, LeaseStore, SkippedRow, WriteOutcome } from './leases/lease-store.ts'
export { memoryLeaseStore } from './leases/memory-lease-store.ts'
export { type EmfMetricsOptions, emfMetrics, type LineWriter } from './metrics/emf-metrics.ts'
export type { MetricKind, MetricLevel, MetricName, MetricNameOf } from './metrics/metric-table.ts'
export type { Dimensions, Metrics } from './metrics/metrics.ts'
export type {
  CheckpointFacts,
  FetchFacts,
  FetchResult,
  ProcessFacts,
  SpanFacts,
  Tracing
} from './metrics/tracing.ts'
export {
  BugError,
  CheckpointRefusedError,
  ConsumerError,
  DeadLetterError,
  FailedRecordsError,
  HandlerTimeoutError,
  LeaseLostError,
  OptionError,
  ProcessorError,
  ProcessorGoneError,
  RecordTooOldError,
  RecordUndecodableError,
  ServiceError,
  type ServiceErrorKind,
  StalledError,
  TableMismatchError,
  ThrottledError,
  WorkerStoppedError
} from './model/errors.ts'
export type { HashKeyRange } from './model/hash-key-range.ts'
export type { Lease, PendingCheckpoint, StreamIdentity } from './model/lease.ts'
export type { ConsumedRecord } from './model/record.ts'
export type { ExtendedSequenceNumber } from './model/sequence-number.ts'
export type { StartPosition } from './model/start-position.ts'
export type { StreamNames } from './model/stream-id.ts'
export {
  type BreakerCall,
  type BreakerChange,
  type BreakerOptions,
  type BreakerState,
  CircuitBreaker
} from './processor/circuit-breaker.ts'
export type { DeadLetter, DeadLetterCallback, DeadLetterDestination, StoreOptions } from './processor/dead-letter.ts'
export type {
  FailedRecord,
  FailureAction,
  LastResort,
  PartialFailure,
  ProcessorFailure
} from './processor/failure-rules.ts'
export type { EachContext, EachHandler, Handler, HandlerContext } from './processor/handler-processor.ts'
export {
  type InitializeInput,
  type LeaseLostInput,
  type LoadCheckpointInput,
  type ProcessRecordsInput,
  type ProcessRecordsOutcome,
  RecordProcessor,
  type SaveCheckpointInput,
  type ShardEndedInput,
  type ShardPlace,
  type ShutdownRequestedInput
} from './processor/record-processor.ts'
export { consoleLogger, type Logger, type LogLevel, type LogLine, silentLogger } from './runtime/logger.ts'
export {
  type HealthEndpoint,
  type HealthOptions,
  type HealthSource,
  type MetricsSource,
  serveHealth
} from './serving/health-endpoint.ts'
export type { WindowCounts } from './windows/shard-windows.ts'
export { type TumblingWindows, tumblingWindows } from './windows/tumbling-windows.ts'
export type { ClosingWindow, LateRecord, TumblingWindowsOptions } from './windows/window-options.ts'
export type { TimeWindow } from './windows/window-rules.ts'
export type { BatchOptions, ConcurrencyOptions } from './worker/concurrency-options.ts'
export type { DecodeOptions } from './worker/decode-options.ts'
export type { WorkerEventName, WorkerEvents, WorkerListener } from './worker/events.ts'
export type { CircuitBreakerOptions, FailureDecision, ProcessorErrorOptions } from './worker/failure-options.ts'
export type { ShardHealth, StreamHealth, WorkerHealth } from './worker/health-rules.ts'
export type { LeaseOptions } from './worker/lease-options.ts'
export type { WorkerOptions } from './worker/options.ts'
export type { FanOutOptions, PollingOptions, RetrievalOptions, WireFormat } from './worker/retrieval-options.ts'
export type { StopOptions } from './worker/stop-options.ts'
export type {
  OwnStreamEntry,
  RemovedStreams,
  StreamConsumer,
  StreamEntry,
  StreamList,
  StreamName
} from './worker/stream-options.ts'
export type { ThreadOptions } from './worker/thread-options.ts'
export type { WatchdogOptions } from './worker/watchdog-options.ts'
export { Worker } from './worker/worker.ts'
export type { WorkerState } from './worker/worker-state.ts'
