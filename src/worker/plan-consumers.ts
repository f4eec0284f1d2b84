// Which shard consumers to start and which to drain, from the leases held and the consumers running.

/** A lease that this worker holds. */
export interface HeldLease {
  readonly leaseKey: string
  /** Whether the leader wants somebody else to have it. */
  readonly isRevoked: boolean
}

/** A consumer that was started and has not come to its end. */
export interface RunningConsumer {
  readonly leaseKey: string
  /** Whether it serves the lease as held now, and not an earlier hold that is being wound up. */
  readonly isCurrent: boolean
  readonly isDraining: boolean
}

/** Keys of the leases to start a consumer for, and of those whose consumer is to drain. */
export interface ConsumerPlan {
  readonly start: readonly string[]
  readonly drain: readonly string[]
}

/** What may be begun, and what has to come to its end. */
export interface ConsumerWish {
  readonly mayStart: boolean
  /** Whether every shard is to be drained, and not only those that are revoked. */
  readonly drainAll: boolean
}

/**
 * Plans once. A lease whose shard is still being wound up from an earlier hold waits: two runs of one shard never overlap in
 * one process.
 */
export function planConsumers(
  held: readonly HeldLease[],
  running: readonly RunningConsumer[],
  { mayStart, drainAll }: ConsumerWish
): ConsumerPlan {
  const byKey = new Map(running.map(consumer => [consumer.leaseKey, consumer]))
  const start = mayStart ? held.filter(({ leaseKey }) => !byKey.has(leaseKey)).map(({ leaseKey }) => leaseKey) : []
  const drain = held
    .filter(({ leaseKey, isRevoked }) => {
      const consumer = byKey.get(leaseKey)
      return consumer?.isCurrent === true && !consumer.isDraining && (isRevoked || drainAll)
    })
    .map(({ leaseKey }) => leaseKey)
  return { start, drain }
}
