// Which shard consumers to start and which to drain, from the leases held and the consumers running.

/** A lease that this worker holds. */
export interface HeldLease {
  readonly leaseKey: string
  /** Whether another worker has asked for it. */
  readonly isWanted: boolean
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

/**
 * Plans once. A lease whose shard is still being wound up from an earlier hold waits: two runs of one shard never overlap in
 * one process. A worker that is stopping starts nothing and drains everything.
 */
export function planConsumers(
  held: readonly HeldLease[],
  running: readonly RunningConsumer[],
  isStopping: boolean
): ConsumerPlan {
  const byKey = new Map(running.map(consumer => [consumer.leaseKey, consumer]))
  const start = isStopping ? [] : held.filter(({ leaseKey }) => !byKey.has(leaseKey)).map(({ leaseKey }) => leaseKey)
  const drain = held
    .filter(({ leaseKey, isWanted }) => {
      const consumer = byKey.get(leaseKey)
      return consumer?.isCurrent === true && !consumer.isDraining && (isWanted || isStopping)
    })
    .map(({ leaseKey }) => leaseKey)
  return { start, drain }
}
