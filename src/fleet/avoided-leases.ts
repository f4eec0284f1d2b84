// Which leases this worker leaves alone for now, and which of them the leader had better give to somebody else.
import type { Clock } from '../runtime/clock.ts'

/** What avoids leases, and when they become somebody else's business. */
export interface AvoidedLeasesOptions {
  readonly clock: Clock
  /** Whether an earlier run of the shard is still being wound up in this process. */
  readonly isBusy: (leaseKey: string) => boolean
  /** How long a shard may be wound up before the leader is told. Milliseconds. */
  readonly patienceMs: number
}

/** Leases that failed here lately, or whose shard is still being wound up from an earlier hold. */
export class AvoidedLeases {
  readonly #options: AvoidedLeasesOptions
  readonly #untilMs = new Map<string, number>()
  readonly #busySinceMs = new Map<string, number>()

  constructor(options: AvoidedLeasesOptions) {
    this.#options = options
  }

  /** Leaves a lease alone for `forMs` milliseconds. */
  avoid(leaseKey: string, forMs: number): void {
    this.#untilMs.set(leaseKey, this.#options.clock.monotonicMs() + forMs)
  }

  /**
   * Takes stock. `wanted`: the leases that this worker should hold and does not. One that is busy stays so until its run is
   * over, also if it is not wanted any more because the leader was told.
   */
  update(wanted: readonly string[], isHeld: (leaseKey: string) => boolean): void {
    const { clock, isBusy } = this.#options
    const nowMs = clock.monotonicMs()
    for (const [leaseKey, untilMs] of this.#untilMs) if (untilMs <= nowMs) this.#untilMs.delete(leaseKey)
    const busy = new Set(wanted.filter(isBusy))
    for (const leaseKey of this.#busySinceMs.keys()) {
      if (!isBusy(leaseKey) || isHeld(leaseKey)) this.#busySinceMs.delete(leaseKey)
    }
    for (const leaseKey of busy) if (!this.#busySinceMs.has(leaseKey)) this.#busySinceMs.set(leaseKey, nowMs)
  }

  /** The leases to leave alone, as of the last {@link update}. */
  all(): ReadonlySet<string> {
    return new Set([...this.#untilMs.keys(), ...this.#busySinceMs.keys()])
  }

  /** Those that this worker will not take soon. Ascending. */
  lasting(): string[] {
    const { clock, patienceMs } = this.#options
    const longAgoMs = clock.monotonicMs() - patienceMs
    const wound = [...this.#busySinceMs].filter(([, sinceMs]) => sinceMs < longAgoMs).map(([leaseKey]) => leaseKey)
    return [...new Set([...this.#untilMs.keys(), ...wound])].sort()
  }
}
