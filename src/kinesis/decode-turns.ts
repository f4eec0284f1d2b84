// Decodes answers in slices, so that however large they are and however many come at once, whatever else this process has to
// do, such as keeping its leases, waits for one slice at most; and so that a backlog does not hold up the shards that have none.
import type { Clock } from '../runtime/clock.ts'

/** How long one slice may take, and one step more. Milliseconds. */
const SLICE_MS = 8

/**
 * Where the event loop took longer than this for everything else, a slice may take longer too: with handlers that compute, and
 * much that is received, more and more answers would be there, and few be decoded. Milliseconds.
 */
const LONG_TURN_MS = 50
const LONG_SLICE_MS = 24

/** What is shorter takes a slice or two. Bytes. */
const SHORT_BYTES = 1_048_576

/** What is to be decoded, and for how long somebody waits for it. */
export interface DecodeJob {
  /** How long it is. */
  readonly bytes: number
  readonly signal?: AbortSignal | undefined
}

/** Takes one slice of its work. */
type Slice = () => void

/** Whose turn it is. */
export class DecodeTurns {
  readonly #clock: Clock
  /** In both, those that came first are finished first: what is decoded by halves takes memory twice. */
  readonly #short = new Set<Slice>()
  readonly #long = new Set<Slice>()
  #isLongDue = false
  #isRunning = false
  #sliceMs = SLICE_MS
  #waitingBytes = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How long all that is together that is not decoded to its end. Bytes. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /**
   * Takes all the steps of `work` by and by, and resolves or rejects as it ends. Short work and long work take turns, slice by
   * slice; the event loop runs in between. Rejects with the reason of the signal as soon as that aborts.
   */
  run<T>(work: Generator<void, T, void>, { bytes, signal }: DecodeJob): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const lane = bytes <= SHORT_BYTES ? this.#short : this.#long
      const leave = (): void => {
        if (lane.delete(slice)) this.#waitingBytes -= bytes
        signal?.removeEventListener('abort', abort)
      }
      const abort = (): void => {
        leave()
        reject(signal?.reason)
      }
      const slice = (): void => {
        try {
          const end = this.#sliceOf(work)
          if (end === undefined) return
          leave()
          resolve(end.value)
        } catch (error) {
          leave()
          reject(error)
        }
      }
      signal?.addEventListener('abort', abort, { once: true })
      lane.add(slice)
      this.#waitingBytes += bytes
      if (!this.#isRunning) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    this.#sliceMs = SLICE_MS
    for (let slice = this.#next(); slice !== undefined; slice = this.#next()) {
      slice()
      if (this.#short.size + this.#long.size === 0) continue
      const fromMs = this.#clock.monotonicMs()
      await this.#clock.sleep(0)
      const othersMs = this.#clock.monotonicMs() - fromMs
      this.#sliceMs = othersMs > LONG_TURN_MS ? LONG_SLICE_MS : SLICE_MS
    }
    this.#isRunning = false
  }

  #next(): Slice | undefined {
    const [short] = this.#short
    const [long] = this.#long
    const next = this.#isLongDue ? (long ?? short) : (short ?? long)
    this.#isLongDue = next === short
    return next
  }

  #sliceOf<T>(work: Generator<void, T, void>): { readonly value: T } | undefined {
    const endMs = this.#clock.monotonicMs() + this.#sliceMs
    do {
      const step = work.next()
      if (step.done === true) return { value: step.value }
    } while (this.#clock.monotonicMs() < endMs)
    return undefined
  }
}
