// The shard consumers that run in this worker: one for each lease held, and those of earlier holds that are being wound up.
import type { ShardConsumer } from '../consumer/shard-consumer.ts'
import type { Tenure } from '../leases/tenure.ts'
import type { Clock } from '../runtime/clock.ts'
import { type ConsumerWish, planConsumers } from './plan-consumers.ts'

interface Running {
  readonly consumer: ShardConsumer
  readonly done: Promise<void>
  /** Aborts when the run has come to its end. */
  readonly isOver: AbortSignal
  isDraining: boolean
}

/** How a consumer is made, and who is told of its end. */
export interface ShardConsumersOptions {
  readonly clock: Clock
  /** How long a shard that moves to another worker may take to drain before its lease is released without the processor. Milliseconds. */
  readonly drainTimeoutMs: number
  readonly makeConsumer: (tenure: Tenure) => ShardConsumer
  /** A consumer has come to its end; `error` if it broke. Until this resolves the shard counts as busy. Must not reject. */
  readonly letGo: (tenure: Tenure, error: unknown) => Promise<void>
  /** A shard is not busy any more. */
  readonly done: () => void
}

/** The consumers of one worker, at most one for a shard at a time. */
export class ShardConsumers {
  readonly #options: ShardConsumersOptions
  readonly #running = new Map<string, Running>()
  #isStopping = false

  constructor(options: ShardConsumersOptions) {
    this.#options = options
  }

  /** Whether user code for this shard is, or may be, still running here. */
  isBusy(leaseKey: string): boolean {
    return this.#running.has(leaseKey)
  }

  /** Starts and drains consumers so that they fit the leases held. */
  fit(held: readonly Tenure[], wish: ConsumerWish): void {
    this.#isStopping ||= !wish.mayStart
    const plan = planConsumers(
      held.map(({ leaseKey, isRevoked }) => ({ leaseKey, isRevoked })),
      [...this.#running].map(([leaseKey, { consumer, isDraining }]) => ({
        leaseKey,
        isCurrent: !consumer.tenure.hasEnded,
        isDraining
      })),
      wish
    )
    const tenures = new Map(held.map(tenure => [tenure.leaseKey, tenure]))
    for (const leaseKey of plan.start) {
      const tenure = tenures.get(leaseKey)
      if (tenure) this.#start(tenure)
    }
    for (const leaseKey of plan.drain) {
      const running = this.#running.get(leaseKey)
      if (running === undefined) continue
      running.isDraining = true
      running.consumer.drain()
      // A worker that stops has a grace of its own, which bounds them all.
      if (!wish.drainAll) void this.#boundDrain(running)
    }
  }

  /** Resolves when no consumer runs any more. */
  async whenIdle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all([...this.#running.values()].map(({ done }) => done))
  }

  /** The shards whose consumers still run. */
  shardIds(): string[] {
    return [...this.#running.values()].map(({ consumer }) => consumer.tenure.shardId)
  }

  /** Gives up on the consumers that still run. Resolves when their leases are given back. */
  async abandonAll(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ consumer }) => consumer.abandon()))
  }

  /** Somebody is waiting for the shard: user code that does not return must not hold it up for ever. */
  async #boundDrain({ consumer, isOver }: Running): Promise<void> {
    const { clock, drainTimeoutMs } = this.#options
    await clock.sleep(drainTimeoutMs, isOver)
    if (!isOver.aborted && !this.#isStopping) await consumer.abandon()
  }

  #start(tenure: Tenure): void {
    const consumer = this.#options.makeConsumer(tenure)
    const finish = async (error?: unknown): Promise<void> => {
      await this.#options.letGo(tenure, error)
      this.#running.delete(tenure.leaseKey)
      this.#options.done()
    }
    const over = new AbortController()
    const done = consumer
      .run()
      .finally(() => over.abort())
      .then(() => finish(), finish)
    this.#running.set(tenure.leaseKey, { consumer, done, isOver: over.signal, isDraining: false })
  }
}
