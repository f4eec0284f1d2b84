// Whether this worker can read at all. After a shard was given back because nothing came of reading it, no more leases are taken
// until Kinesis has answered again: they would stand still here, too.
import type { KinesisPort } from '../kinesis/kinesis-port.ts'
import { ServiceError, ThrottledError } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'

/** Who is told. */
export interface ReadingDoubtOptions {
  readonly clock: Clock
  /** It is in doubt now, or it is not any more. */
  readonly changed: () => void
}

/** What is asked. */
export type DoubtedPort = Pick<KinesisPort, 'getShardIterator' | 'getRecords'>

/** How often it is tried to read while that is in doubt. Milliseconds. */
const TRY_EVERY_MS = 10_000

/** The doubt whether this worker can read. */
export class ReadingDoubt {
  readonly #options: ReadingDoubtOptions
  #trying: Loop | undefined
  #isClosed = false

  constructor(options: ReadingDoubtOptions) {
    this.#options = options
  }

  /** Whether it is in doubt. */
  get isThere(): boolean {
    return this.#trying !== undefined
  }

  /** Nothing came of reading this shard: from now on it is in doubt, and tried. */
  begin(shardId: string, kinesis: DoubtedPort): void {
    if (this.#trying !== undefined || this.#isClosed) return
    const { clock, changed } = this.#options
    this.#trying = startLoop({
      clock,
      run: signal => this.#try(shardId, kinesis, signal),
      delayMs: () => TRY_EVERY_MS,
      onError: () => {},
      runAtOnce: false
    })
    changed()
  }

  /** Kinesis has answered. */
  clear(): void {
    if (this.#trying === undefined) return
    void this.#trying.stop()
    this.#trying = undefined
    if (!this.#isClosed) this.#options.changed()
  }

  /** Tries nothing any more. */
  close(): void {
    this.#isClosed = true
    this.clear()
  }

  async #try(shardId: string, kinesis: DoubtedPort, signal: AbortSignal): Promise<void> {
    try {
      const iterator = await kinesis.getShardIterator(shardId, { type: 'LATEST' }, { signal })
      await kinesis.getRecords(iterator, { limit: 1, signal })
    } catch (error) {
      // A refusal is an answer, too.
      const isRefusal = error instanceof ServiceError && error.kind !== 'timeout' && error.kind !== 'other'
      if (!isRefusal && !(error instanceof ThrottledError)) throw error
    }
    this.clear()
  }
}
