// What goes wrong with one shard, again and again, as its consumer tells of it: since when checkpoints cannot be written, and
// whether calls have failed since something was settled. Passes on everything that it hears.
import type { Clock } from '../runtime/clock.ts'
import type { ShardListener } from './shard-listener.ts'

/** Listens in on what a consumer tells. */
export class ShardTroubles {
  /** What the consumer is to tell instead of the listener that was given. */
  readonly listener: ShardListener
  readonly #clock: Clock
  #unwrittenSinceMs: number | undefined
  #failedAtMs: number | undefined

  constructor(told: ShardListener, clock: Clock) {
    this.#clock = clock
    this.listener = {
      ...told,
      failed: failure => {
        if (failure.during === 'checkpoint') this.#unwrittenSinceMs ??= clock.monotonicMs()
        told.failed(failure)
      },
      checkpointed: (position, durationMs) => {
        this.#unwrittenSinceMs = undefined
        told.checkpointed(position, durationMs)
      },
      processorFailed: (error, retryInMs, action) => {
        this.#failedAtMs = clock.monotonicMs()
        told.processorFailed(error, retryInMs, action)
      }
    }
  }

  /** Since when checkpoints cannot be written. Monotonic milliseconds; `undefined`: they can. */
  get unwrittenSinceMs(): number | undefined {
    return this.#unwrittenSinceMs
  }

  /**
   * Since when calls have failed and nothing was settled. Monotonic milliseconds; `undefined`: something was, since the last
   * failure.
   *
   * @param sinceProgressMs how long ago something was settled. Milliseconds
   */
  failingSinceMs(sinceProgressMs: number): number | undefined {
    const progressAtMs = this.#clock.monotonicMs() - sinceProgressMs
    return this.#failedAtMs !== undefined && this.#failedAtMs > progressAtMs ? progressAtMs : undefined
  }
}
