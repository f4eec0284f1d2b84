// The public API of `millrace/operate`: re-exports, nothing else. Nobody in src imports this file.
export type { Hold, ModeOrder, MoveOrder } from '../leases/order-rules.ts'
export { OperationError, type OperationRefusal } from '../model/errors.ts'
export type { CheckpointExport, ExportedLease } from './checkpoint-codec.ts'
export { type CostPart, type CostReport, DYNAMODB_PRICES, type DynamoPrices } from './cost-rules.ts'
export type { Finding, FindingCode, FindingSeverity } from './doctor-rules.ts'
export { type CostOptions, Fleet, openFleet, type ShardSelection, type StatusOptions } from './fleet.ts'
export type { OperationOptions, OperationProgress } from './fleet-context.ts'
export type { FleetOptions, FleetTableOptions } from './fleet-options.ts'
export type { LagReport, ShardLag } from './lag.ts'
export type { MigrationOptions, MigrationProgress, MigrationReport } from './migration.ts'
export type { MigrationNote, MigrationNoteCode, MigrationTarget } from './migration-rules.ts'
export type { OwnerSight } from './owner-rules.ts'
export type {
  Leftovers,
  MigrationPlan,
  MigrationRow,
  MigrationStep,
  MigrationStepName,
  MigrationTable
} from './plan-migration.ts'
export type { AfterRecord, ResetPosition } from './plan-reset.ts'
export type { ResetReport, ShardReset } from './reset.ts'
export type {
  FleetStatus,
  LeaseState,
  LeaseStatus,
  RangeStatus,
  SharedStream,
  StatusColor,
  WorkerStatus
} from './status-rules.ts'
export type { GivenBack } from './steering.ts'
