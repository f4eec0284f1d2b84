// The public API: re-exports, nothing else. Nobody in src imports this file.
export type { Checkpointer, PreparedCheckpoint } from './checkpoint/checkpointer.ts'
export type { KinesisClientOption } from './kinesis/sdk-kinesis.ts'
export { type AggregatedRecord, aggregate, type UserRecord } from './kpl/aggregate.ts'
export type { OutOfRange } from './kpl/deaggregate.ts'
export type { DynamoDBClientOption, TableBilling } from './leases/dynamo-lease-store.ts'
export type { ClaimReason } from './leases/held-leases.ts'
export type { LeaseListing, LeaseStore, SkippedRow, WriteOutcome } from './leases/lease-store.ts'
export { memoryLeaseStore } from './leases/memory-lease-store.ts'
export {
  BugError,
  CheckpointRefusedError,
  ConsumerError,
  LeaseLostError,
  OptionError,
  ProcessorError,
  ProcessorGoneError,
  ServiceError,
  type ServiceErrorKind,
  TableMismatchError,
  ThrottledError,
  WorkerStoppedError
} from './model/errors.ts'
export type { HashKeyRange } from './model/hash-key-range.ts'
export type { Lease, PendingCheckpoint, StreamIdentity } from './model/lease.ts'
export type { ConsumedRecord } from './model/record.ts'
export type { ExtendedSequenceNumber } from './model/sequence-number.ts'
export type { StartPosition } from './model/start-position.ts'
export type { LastResort } from './processor/failure-rules.ts'
export type { Handler, HandlerContext } from './processor/handler-processor.ts'
export {
  type InitializeInput,
  type LeaseLostInput,
  type ProcessRecordsInput,
  RecordProcessor,
  type ShardEndedInput,
  type ShutdownRequestedInput
} from './processor/record-processor.ts'
export { consoleLogger, type Logger, type LogLevel, type LogLine, silentLogger } from './runtime/logger.ts'
export type { WorkerEventName, WorkerEvents, WorkerListener } from './worker/events.ts'
export type { LeaseOptions } from './worker/lease-options.ts'
export type { ProcessorErrorOptions, WorkerOptions } from './worker/options.ts'
export type { FanOutOptions, PollingOptions, RetrievalOptions, WireFormat } from './worker/retrieval-options.ts'
export type { StopOptions } from './worker/stop-options.ts'
export type { ThreadOptions } from './worker/thread-options.ts'
export { Worker } from './worker/worker.ts'
export type { WorkerState } from './worker/worker-state.ts'
