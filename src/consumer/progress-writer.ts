// Stores how far a shard has come, where the framework does that by itself: not for every record, but soon, and before more is
// under way than may be. Keeps trying: what is not stored is delivered again, and nothing worse.
import { comparePositions, type ExtendedSequenceNumber } from '../model/sequence-number.ts'
import { backoffMs } from '../runtime/backoff.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Deferred, deferred } from '../runtime/deferred.ts'
import type { Random } from '../runtime/random.ts'

/** How far everything is settled: the position, and how many records that is. */
export interface Mark {
  readonly position: ExtendedSequenceNumber
  readonly passed: number
}

/** What is written, how, and who is told. */
export interface ProgressWriterOptions {
  /** Where everything is settled now. */
  readonly mark: () => Mark
  /** Stores a position. Rejects if it cannot be. */
  readonly write: (position: ExtendedSequenceNumber) => Promise<void>
  /** A write failed, `failures` times in a row; it is tried again in `retryInMs` milliseconds. */
  readonly failed: (error: unknown, failures: number, retryInMs: number) => void
  /** More was stored. */
  readonly stored: () => void
  /** How long a mark that moves is left alone. Milliseconds. */
  readonly intervalMs: number
  readonly clock: Clock
  readonly random: Random
}

const RETRY = { firstMs: 100, maxMs: 5_000 }

/** Writes one shard's progress, one write at a time. */
export class ProgressWriter {
  readonly #options: ProgressWriterOptions
  readonly #closing = new AbortController()
  #stored: Mark
  #wrote: number | undefined
  /** Aborts the wait before the next write. Absent: nothing waits. */
  #waiting: AbortController | undefined
  #running: Promise<void> | undefined
  #isUrgent = false
  #landed: Deferred = deferred()

  constructor(options: ProgressWriterOptions) {
    this.#options = options
    this.#stored = options.mark()
  }

  /** How many records lie before what is stored, as {@link Mark.passed} counts. */
  get storedPassed(): number {
    return this.#stored.passed
  }

  /** The mark has moved, perhaps. `isUrgent`: somebody waits for it to be stored. */
  moved(isUrgent: boolean): void {
    if (isUrgent && !this.#isUrgent) {
      this.#isUrgent = true
      this.#waiting?.abort('now')
    }
    if (this.#running !== undefined || !this.#isBehind()) return
    this.#running = this.#run().finally(() => {
      this.#running = undefined
      // What moved while the last write ended.
      if (this.#isBehind()) this.moved(false)
      else this.#isUrgent = false
      this.#tellLanded()
    })
  }

  /** Resolves when the mark as it is now is stored, or the writer is closed. */
  async flush(): Promise<void> {
    while (this.#isBehind()) {
      this.moved(true)
      await this.#landed.promise
    }
  }

  /** Writes nothing more. */
  close(): void {
    this.#closing.abort('closed')
    this.#tellLanded()
  }

  #isBehind(): boolean {
    if (this.#closing.signal.aborted) return false
    return comparePositions(this.#options.mark().position, this.#stored.position) > 0
  }

  async #run(): Promise<void> {
    for (let failures = 0; this.#isBehind(); ) {
      if (failures === 0 && !this.#isUrgent) await this.#sleep(this.#dueInMs())
      if (!this.#isBehind()) return
      const { clock, random, mark, write, failed, stored } = this.#options
      const target = mark()
      // Whoever is in a hurry from here on waits for more than this write.
      this.#isUrgent = false
      try {
        await write(target.position)
      } catch (error) {
        failures += 1
        // Also what should not pass: nothing but the end of the tenure makes it pointless, and that closes the writer.
        const retryInMs = backoffMs(failures, RETRY, random.next())
        if (!this.#closing.signal.aborted) failed(error, failures, retryInMs)
        await clock.sleep(retryInMs, this.#closing.signal)
        continue
      }
      failures = 0
      this.#wrote = clock.monotonicMs()
      this.#stored = target
      this.#tellLanded()
      stored()
    }
  }

  #dueInMs(): number {
    const { clock, intervalMs } = this.#options
    return this.#wrote === undefined ? 0 : Math.max(0, this.#wrote + intervalMs - clock.monotonicMs())
  }

  async #sleep(ms: number): Promise<void> {
    if (ms === 0) return
    const waiting = new AbortController()
    this.#waiting = waiting
    const close = (): void => waiting.abort('closed')
    this.#closing.signal.addEventListener('abort', close, { once: true })
    await this.#options.clock.sleep(ms, waiting.signal)
    this.#closing.signal.removeEventListener('abort', close)
    this.#waiting = undefined
  }

  #tellLanded(): void {
    const landed = this.#landed
    this.#landed = deferred()
    landed.resolve()
  }
}
