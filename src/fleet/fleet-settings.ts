// Every duration and limit of the coordination, derived from one knob: how long a session lives without a heartbeat.

/** How balance is judged: by the number of leases, or by what they carry as measured. */
export type BalanceStrategy = 'count' | 'weight'

/** The durations, in milliseconds, and limits that workers and their leader keep to. */
export interface FleetSettings {
  /** A session whose heartbeat stands still for so long, as the leader watches, gets its death certificate (TF). */
  readonly durationMs: number
  /** Between two heartbeats, and between two looks of the leader (H). */
  readonly heartbeatMs: number
  /** Between two heartbeats, and two looks at a lease that is waited for, while something is pending. */
  readonly hurryMs: number
  /** How long after the send time of its last acknowledged heartbeat a session may deliver (TS). Less than `durationMs`. */
  readonly validMs: number
  /** How long the main loop may stand still before the heartbeat stops. */
  readonly stallLimitMs: number
  /** How long membership must have been quiet before leases move for balance. */
  readonly rebalanceDelayMs: number
  /** The share of all leases that may be on the move at once. At least one may. */
  readonly maxMoveFraction: number
  /** How long membership must have been quiet before a fleet without owners gets its first plan. */
  readonly settleMs: number
  /** That first plan waits no longer than this. */
  readonly settleMaxMs: number
  /** How long a lease being moved stays in its owner's mailbox, so that the successor is ready before the owner drains. */
  readonly revokeDelayMs: number
  /** How long the leader reads no leases, if nothing tells it to. */
  readonly fullScanMs: number
  /** How long two generations may be alive before leases move for balance all the same. */
  readonly deployHoldMs: number
  /** How long the leases of a session that restarts in place are held back for the same worker id. */
  readonly restartGraceMs: number
  /** How long a processor may take to drain a shard that moves. */
  readonly drainTimeoutMs: number
  /** How many claims of one worker are under way at once. */
  readonly claimsAtOnce: number
}

/**
 * The settings for a lease duration. At the default of 10,000 ms: a heartbeat each 3 s, valid for 8 s, a stall limit of 30 s.
 * Those that have to do with the code of users and with deployments do not scale.
 */
export function fleetSettings(durationMs: number): FleetSettings {
  const heartbeatMs = durationMs * 0.3
  return {
    durationMs,
    heartbeatMs,
    hurryMs: Math.min(1_000, durationMs * 0.1),
    validMs: durationMs * 0.8,
    stallLimitMs: durationMs * 3,
    rebalanceDelayMs: durationMs * 0.9,
    maxMoveFraction: 0.1,
    settleMs: durationMs * 0.6,
    settleMaxMs: durationMs * 3,
    revokeDelayMs: heartbeatMs,
    fullScanMs: 300_000,
    deployHoldMs: 300_000,
    restartGraceMs: Math.max(30_000, durationMs * 3),
    drainTimeoutMs: 30_000,
    claimsAtOnce: 20
  }
}
