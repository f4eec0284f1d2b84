// What a worker found when it last tried the leases of its mailbox: those that somebody else had, and those that were over.
import type { ClaimOutcome } from '../leases/held-leases.ts'
import type { Clock } from '../runtime/clock.ts'

/** What looks are remembered with. */
export interface ClaimLooksOptions {
  readonly clock: Clock
  /** For how long a lease that was over is left alone: a row that is missing may come back without a word. Milliseconds. */
  readonly overForMs: number
}

/** The looks of one worker at the leases of one mailbox. */
export class ClaimLooks {
  readonly #options: ClaimLooksOptions
  readonly #owned = new Set<string>()
  readonly #overUntilMs = new Map<string, number>()

  constructor(options: ClaimLooksOptions) {
    this.#options = options
  }

  /** Those that somebody else had. */
  get owned(): ReadonlySet<string> {
    return this.#owned
  }

  /** Forgets everything: there is another mailbox. */
  clear(): void {
    this.#owned.clear()
    this.#overUntilMs.clear()
  }

  /** Somebody else has a lease that was held here. */
  noteLost(leaseKey: string): void {
    this.#owned.add(leaseKey)
  }

  /** Takes note of the outcome of a claim. */
  note(leaseKey: string, outcome: ClaimOutcome): void {
    const { clock, overForMs } = this.#options
    this.#owned[outcome === 'owned' ? 'add' : 'delete'](leaseKey)
    if (outcome === 'over') this.#overUntilMs.set(leaseKey, clock.monotonicMs() + overForMs)
  }

  /** Those that are over, and not to be looked at yet. */
  over(): string[] {
    const nowMs = this.#options.clock.monotonicMs()
    return [...this.#overUntilMs].filter(([, untilMs]) => untilMs > nowMs).map(([leaseKey]) => leaseKey)
  }
}
