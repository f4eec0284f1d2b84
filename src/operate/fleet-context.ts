// What operating a fleet works with: the doors to its stream and its two tables, and patience with both.
import type { TableFacts } from '../dynamo/dynamo-table-facts.ts'
import type { FanOutConsumer } from '../kinesis/fan-out-port.ts'
import type { KinesisPort } from '../kinesis/kinesis-port.ts'
import type { ControlStore } from '../leases/control-store.ts'
import type { KclEstate } from '../leases/kcl-estate.ts'
import type { LeaseStore } from '../leases/lease-store.ts'
import { OperationError, ServiceError } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { type RetryPolicy, retry } from '../runtime/retry.ts'

/** What operating a fleet works with. */
export interface FleetContext {
  readonly applicationName: string
  readonly kinesis: KinesisPort
  readonly store: LeaseStore
  readonly control: ControlStore
  /** What the tables are like. Absent: they are not in DynamoDB. */
  readonly tables?: TableLooks
  /** What KCL keeps beside its leases. Absent: the tables are not in DynamoDB. */
  readonly kcl?: KclEstate
  /** The consumers of fan-out that are registered. Absent: nobody can say. */
  readonly consumers?: (streamArn: string, signal?: AbortSignal) => Promise<readonly FanOutConsumer[]>
  readonly clock: Clock
  readonly random: Random
  /** Who gives orders, as it stands in them. */
  readonly by: string
  /** How long sessions live that do not say it themselves. Milliseconds. */
  readonly durationMs: number
}

/** Looks what the tables are like. `undefined`: there is none. */
export interface TableLooks {
  readonly leases: (signal?: AbortSignal) => Promise<TableFacts | undefined>
  readonly control: (signal?: AbortSignal) => Promise<TableFacts | undefined>
}

/** What a long operation is told of the outside. */
export interface OperationOptions {
  /** How long it may take until everybody has let go, or a lease has arrived. Milliseconds, from 1; each has its own default. */
  readonly timeoutMs?: number
  /** Gives up when it aborts. What is on hold is let go of first. */
  readonly signal?: AbortSignal
  /** Told how far it is, about once a second. Must not throw. */
  readonly onProgress?: (progress: OperationProgress) => void
}

/** How far an operation is. */
export interface OperationProgress {
  /** `queueing`: somebody else writes rows of these leases first; `waiting`: for the owners to drain and let go; `writing` rows; `done`. */
  readonly step: 'queueing' | 'waiting' | 'writing' | 'done'
  /** Shards that are waited for, with their owners; or that are still to be written. Ascending. */
  readonly left: readonly { readonly shardId: string; readonly owner?: string }[]
  /** Who goes first, and what for, in words. Only while `queueing`. */
  readonly behind?: string
}

/** How often a call that fails in passing is made. */
const PATIENCE: RetryPolicy = { attempts: 10, backoff: { firstMs: 200, maxMs: 5_000 } }

/** Whether it says that the table, or whatever was asked for, is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof ServiceError && error.kind === 'not-found'
}

/** Says of a table that is missing what that means. To be thrown; other errors stay as they are. */
export function explained(error: unknown, tableName: string, { applicationName }: FleetContext): unknown {
  if (!isMissing(error)) return error
  const message =
    `There is no table ${tableName}: no worker of ${applicationName} has run in this account and region yet, or its tables ` +
    'have other names (applicationName, leases.tableName, leases.controlTableName)'
  return new OperationError('no-such-table', message, { cause: error })
}

/** Makes a call to a service, again while its failures are of the kind that pass. */
export function patiently<T>(
  { clock, random }: Pick<FleetContext, 'clock' | 'random'>,
  signal: AbortSignal | undefined,
  call: () => Promise<T>
): Promise<T> {
  return retry(call, PATIENCE, { clock, random, signal })
}
