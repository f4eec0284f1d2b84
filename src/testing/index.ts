// The testing kit, `millrace/testing`: re-exports, nothing else. Nobody in src imports this file.

export type {
  FanOutConsumer,
  FanOutConsumerReference,
  FanOutPort,
  SubscribeInput,
  SubscriptionEvent
} from '../kinesis/fan-out-port.ts'
export type { Conduct, LetterConduct } from './conduct.ts'
export {
  type FakeCall,
  type FakeFanOutPort,
  FakeKinesis,
  type FakeKinesisOptions,
  type Intercept,
  type PutResult,
  type StreamObserver
} from './fake-kinesis.ts'
export type { FakeRecord } from './fake-stream.ts'
export type { StreamsFault, StreamsInput, StreamsOperation } from './fake-streams-service.ts'
export { type FakeClientConfig, FakeTable, type FakeTableOptions } from './fake-table.ts'
export type { FakeChange, FakeTableShard, FakeTableStream } from './fake-table-stream.ts'
export {
  type CallMatch,
  FAULT_PROFILES,
  type Fault,
  type FaultPlan,
  type FaultProfile,
  type FaultProfileName,
  type Quantiles,
  type ScriptedFault,
  type ScriptOptions,
  type ServiceCall,
  type ServiceName,
  type ServiceProfile
} from './faults.ts'
export type { DeliveryCall, DeliveryCounts, Processing } from './invariants.ts'
export type { Journal, JournalOptions } from './journal.ts'
export type { LeaseWrite } from './lease-writes.ts'
export type { Partition } from './network.ts'
export type { SimulatedApplication } from './simulated-application.ts'
export type { OperatorTraits, SimulatedOperator } from './simulated-operator.ts'
export type { SimulatedTables, TablePair, TableRole } from './simulated-tables.ts'
export type { HeardEvent, SimulatedWorker, WorkerTraits } from './simulated-worker.ts'
export { type SimulateOptions, simulate, type World } from './simulation.ts'
export {
  coordinationUsd,
  type LeaseWriteKind,
  type RequestKind,
  type UnitPrices,
  type Usage,
  type UsageCategory,
  type UsageReport
} from './table-usage.ts'
export { describeViolation, SimulationError, type Violation, type ViolationKind } from './violation.ts'
export { type DriftingClock, VirtualClock, type VirtualClockOptions } from './virtual-clock.ts'
