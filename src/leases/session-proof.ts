// Whether this session may act now: a heartbeat of it was acknowledged, and it was sent less than `validMs` ago. When that
// runs out the session is suspended, not dead: it goes on as soon as another heartbeat is acknowledged, for as long as it
// has no death certificate nobody else may claim what it holds.
import { unlessAborted } from '../runtime/abort.ts'
import type { Clock } from '../runtime/clock.ts'
import { deferred } from '../runtime/deferred.ts'

/** What a proof is made of, and who is told. */
export interface SessionProofOptions {
  readonly clock: Clock
  /** How long a heartbeat proves that the session lives, from its send time. Milliseconds. */
  readonly validMs: number
  /** When the newest acknowledged heartbeat was sent, in monotonic milliseconds; -Infinity: there is none. */
  readonly provedAtMs: () => number
  readonly lapsed?: () => void
  /** The session is proved again, after `forMs` milliseconds without. */
  readonly resumed?: (forMs: number) => void
}

/** The proof of one worker's sessions. Begins suspended. */
export class SessionProof {
  readonly #options: SessionProofOptions
  readonly #watching = new Set<() => void>()
  #lapse = new AbortController()
  #resumption = deferred()
  /** When the session was suspended; `undefined` while it is proved, and before its first heartbeat. */
  #lapsedAtMs: number | undefined

  constructor(options: SessionProofOptions) {
    this.#options = options
    this.#lapse.abort()
  }

  /** How long the session is still proved, in milliseconds; 0 or less: it is not. */
  remainingMs(): number {
    const { clock, provedAtMs, validMs } = this.#options
    return provedAtMs() + validMs - clock.monotonicMs()
  }

  /**
   * Whether the session may act now. This, and not a timer, is what finds out after any pause of the process: it is asked
   * before each delivery.
   */
  isProved(): boolean {
    const isProved = this.remainingMs() > 0
    const wasProved = !this.#lapse.signal.aborted
    if (isProved && !wasProved) this.#resume()
    if (!isProved && wasProved) this.#suspend()
    return isProved
  }

  /** Aborts when the proof that is in force now runs out. Aborted already while there is none. */
  get lapse(): AbortSignal {
    return this.#lapse.signal
  }

  /**
   * Has `told` called whenever the proof runs out, until what this returns is called. For the many that live under one
   * session: each has a signal of its own, for a signal is not made for hundreds of listeners.
   */
  watch(told: () => void): () => void {
    this.#watching.add(told)
    return () => this.#watching.delete(told)
  }

  /** Resolves when the session is proved, or `signal` aborts. Never rejects. */
  async whenProved(signal: AbortSignal): Promise<void> {
    // The signal may live as long as a shard is held: a wait that is over must leave nothing on it.
    while (!signal.aborted && !this.isProved()) await unlessAborted(this.#resumption.promise, signal).catch(() => {})
  }

  #suspend(): void {
    this.#lapsedAtMs = this.#options.clock.monotonicMs()
    this.#lapse.abort()
    for (const told of this.#watching) told()
    this.#options.lapsed?.()
  }

  #resume(): void {
    const sinceMs = this.#lapsedAtMs
    this.#lapsedAtMs = undefined
    this.#lapse = new AbortController()
    const resumption = this.#resumption
    this.#resumption = deferred()
    resumption.resolve()
    if (sinceMs !== undefined) this.#options.resumed?.(this.#options.clock.monotonicMs() - sinceMs)
  }
}
