// How a shard is doing here, as its consumer says. Plain data.
import type { ShardPlace } from '../processor/record-processor.ts'
import type { Stall } from './progress-rules.ts'
import type { ShardLagReport } from './shard-lag.ts'
import type { ShardState } from './shard-state.ts'

/** How a shard is doing here. */
export interface ShardStatus extends ShardPlace {
  readonly leaseKey: string
  readonly state: ShardState
  readonly isPaused: boolean
  /** Whether nothing is delivered for now, because it cannot be proved that the lease is held. Absent: that it can. */
  readonly isSuspended?: boolean
  /** What the shard stands still for. Absent: it does not. */
  readonly stall: Stall | undefined
  /** What it was halted by. Absent: it is not. */
  readonly haltedBy: Error | undefined
  /** How far behind it is. Absent: it is not its turn yet, because its parents are not done. */
  readonly lag: ShardLagReport | undefined
}
