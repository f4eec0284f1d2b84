// The doors of a worker to the world. The real ones are made here; the testing kit passes its own.
import type { KinesisPort } from '../kinesis/kinesis-port.ts'
import { sdkKinesis } from '../kinesis/sdk-kinesis.ts'
import { dynamoLeaseStore } from '../leases/dynamo-lease-store.ts'
import type { LeaseStore } from '../leases/lease-store.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { ResolvedOptions } from './options.ts'

/** Time, chance, Kinesis and the lease table: everything a worker reaches outside of itself. */
export interface WorkerPorts {
  readonly clock: Clock
  readonly random: Random
  readonly kinesis: KinesisPort
  readonly store: LeaseStore
}

/** The ports that talk to AWS, as far as the worker was not given others. `close` lets go of what was made here. */
export function openPorts(
  options: ResolvedOptions,
  clock: Clock,
  given: Partial<WorkerPorts>
): { kinesis: KinesisPort; store: LeaseStore; close: () => void } {
  const { stream, retrieval, leases, logger } = options
  const { requestTimeoutMs } = retrieval
  const kinesis = given.kinesis ?? sdkKinesis({ stream, client: options.kinesis, clock, requestTimeoutMs })
  const store = given.store ?? leases.store
  const closeKinesis = (): void => {
    if (given.kinesis === undefined) kinesis.close()
  }
  if (store !== undefined) return { kinesis, store, close: closeKinesis }

  const { durationMs, store: _, maxLeases: __, ...table } = leases
  // A write without an answer must leave time for another one before the lease runs out.
  const writeTimeoutMs = Math.min(5_000, Math.max(500, durationMs / 4))
  const ours = dynamoLeaseStore({
    ...table,
    ...(options.dynamodb && { client: options.dynamodb }),
    clock,
    logger,
    requestTimeoutMs: writeTimeoutMs
  })
  return {
    kinesis,
    store: ours,
    close: () => {
      closeKinesis()
      ours.close()
    }
  }
}
