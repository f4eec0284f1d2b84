// What the leases of one worker are coordinated with: the tables, its settings, what it says of itself, and who is told.
import type { ControlStore, Troubles } from '../leases/control-store.ts'
import type { ClaimReason } from '../leases/held-leases.ts'
import type { KclCoordination } from '../leases/kcl-coordination.ts'
import type { LeaseStore } from '../leases/lease-store.ts'
import type { Tenure, TenureEnd } from '../leases/tenure.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { FleetSettings } from './fleet-settings.ts'
import type { Heartbeat, HeartbeatListener, HeartbeatReport } from './heartbeat.ts'
import type { SessionListener } from './member-session.ts'

/** What a worker says of itself to the leader, for as long as it lives. */
export interface MemberOptions {
  readonly workerId: string
  /** Generation of the deployment. Higher is newer. */
  readonly generation: number
  /** How much of the leases this worker should have, in relation to others. */
  readonly capacity: number
  /** How many leases this worker holds at most. Infinity: no limit. */
  readonly maxLeases: number
  /** What is wrong with the shards that are read here. Absent: nothing. */
  readonly troubles?: Troubles | undefined
}

/** What the leases of one worker are coordinated with: the tables, its settings, and who is told. */
export interface LeaseCoordinatorOptions {
  readonly store: LeaseStore
  readonly control: ControlStore
  /** How a Java fleet of KCL 3.x on the same table is coordinated. Absent: what it assigns only the mailbox tells. */
  readonly kcl?: KclCoordination | undefined
  readonly makeHeartbeat: (listener: HeartbeatListener) => Heartbeat
  readonly member: MemberOptions
  readonly settings: FleetSettings
  readonly clock: Clock
  readonly random: Random
  /** Whole epoch milliseconds by the clock of Kinesis, by which "from now on" is meant. */
  readonly serviceTimeMs: () => number
  /** Whether an earlier run of the shard is still being wound up in this process. */
  readonly isBusy: (leaseKey: string) => boolean
  /** How many turns this worker has led, and by which orders, for the reports of the heartbeat. */
  readonly leading: () => Pick<HeartbeatReport, 'led' | 'orders'>
  /** Whether the leader may be dead, so that leases may soon be claimed here: heartbeats, which tell of it, are then in a hurry. */
  readonly isLeaderSuspect: () => boolean
  readonly listener: LeaseListener
}

/** What the coordinator tells the worker. Nothing here may throw. */
export interface LeaseListener extends SessionListener {
  taken(tenure: Tenure, why: ClaimReason): void
  /** The leader wants somebody else to have a lease that is held here: drain and release it. */
  revoked(tenure: Tenure): void
  ended(tenure: Tenure, how: TenureEnd, because: string): void
  /** The mailbox was looked at. */
  carriedOut(): void
}
