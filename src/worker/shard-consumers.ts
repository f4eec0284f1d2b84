// The shard consumers that run in this worker: one for each lease held, and those of earlier holds that are being wound up.
import type { ShardConsumer } from '../consumer/shard-consumer.ts'
import type { ShardStatus } from '../consumer/shard-status.ts'
import type { Tenure } from '../leases/tenure.ts'
import { OptionError } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'
import { show } from './option-checks.ts'
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
  /** How long a shard may make no progress. Milliseconds. */
  readonly stallMs: number
}

/** How often it is looked, at least, whether shards make progress. Milliseconds. */
const LOOK_EVERY_MS = 5_000

/** The consumers of one worker, at most one for a shard at a time. */
export class ShardConsumers {
  readonly #options: ShardConsumersOptions
  readonly #running = new Map<string, Running>()
  #watching: Loop | undefined
  #isStopping = false
  /** Whether every shard is paused, those to come as well. */
  #isPaused = false

  constructor(options: ShardConsumersOptions) {
    this.#options = options
  }

  /** Whether every shard is paused. */
  get isPaused(): boolean {
    return this.#isPaused
  }

  /** How the shards are doing. */
  get statuses(): ShardStatus[] {
    return [...this.#running.values()].map(({ consumer }) => consumer.status)
  }

  /** Looks after the shards, now and then, until {@link close}. */
  watch(): void {
    const { clock, stallMs } = this.#options
    this.#watching ??= startLoop({
      clock,
      run: async () => {
        for (const { consumer } of this.#running.values()) consumer.lookAfter()
      },
      delayMs: () => Math.min(LOOK_EVERY_MS, stallMs / 4),
      onError: () => {},
      runAtOnce: false
    })
  }

  /** Looks after nothing any more. */
  close(): void {
    void this.#watching?.stop()
  }

  /**
   * Pauses one shard for as long as it is held, or all of them, until resumed.
   *
   * @throws OptionError if that shard is not held here
   */
  pause(shardId: string | undefined, streamName?: string): void {
    const meant = this.#meant(shardId, streamName)
    if (shardId === undefined) this.#isPaused = true
    for (const consumer of meant) consumer.pause()
  }

  /**
   * Goes on with one shard, or all of them: what is paused, and what is halted.
   *
   * @throws OptionError if that shard is not held here
   */
  resume(shardId: string | undefined, streamName?: string): void {
    const meant = this.#meant(shardId, streamName)
    if (shardId === undefined) this.#isPaused = false
    for (const consumer of meant) consumer.resume()
  }

  #meant(shardId: string | undefined, streamName: string | undefined): ShardConsumer[] {
    const held = [...this.#running.values()].map(({ consumer }) => consumer).filter(({ tenure }) => !tenure.hasEnded)
    if (shardId === undefined && streamName === undefined) return held
    if (shardId === undefined)
      throw new OptionError('shardId', `is missing beside ${show(streamName)}, expected a shard of it`)
    const named = held.filter(({ tenure }) => tenure.shardId === shardId)
    const meant = named.filter(({ status }) => streamName === undefined || status.streamName === streamName)
    const [first, other] = meant
    if (other !== undefined) {
      const streams = meant.map(({ status }) => status.streamName).join(', ')
      throw new OptionError('streamName', `is missing, expected one of ${streams}: each has a shard ${show(shardId)}`)
    }
    if (first !== undefined) return [first]
    throw new OptionError('shardId', `is ${show(shardId)}, expected one of the shards that this worker holds`)
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
    if (this.#isPaused) consumer.pause()
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
