// Leases that a worker took without a mailbox, because they continue a shard that it has just finished, and whether its leader
// can know of them yet.
import type { ClaimOutcome } from '../leases/held-leases.ts'

/** How leases are taken. */
export interface AdoptedLeasesOptions {
  readonly claim: (leaseKey: string) => Promise<ClaimOutcome>
  /** Has the leader look at the leases. Returns the `evt` that tells of it. */
  readonly tell: () => number
}

/** The leases that one worker took on its own. */
export class AdoptedLeases {
  readonly #options: AdoptedLeasesOptions
  /** By lease key, the `evt` that told of it; Infinity until it is told. */
  readonly #evts = new Map<string, number>()
  readonly #adopting = new Set<Promise<unknown>>()

  constructor(options: AdoptedLeasesOptions) {
    this.#options = options
  }

  /** Value of the session's `evt` that told of a lease. `undefined`: it was not taken so. */
  evtOf(leaseKey: string): number | undefined {
    return this.#evts.get(leaseKey)
  }

  /** A lease is held no more. */
  forget(leaseKey: string): void {
    this.#evts.delete(leaseKey)
  }

  /** Another session begins. */
  clear(): void {
    this.#evts.clear()
  }

  /** Resolves when nothing is being taken. */
  async whenOver(): Promise<void> {
    await Promise.allSettled(this.#adopting)
  }

  /** Takes leases, as far as they are free. Rejects with what the first of them failed with, once all are over. */
  async adopt(leaseKeys: readonly string[]): Promise<void> {
    const adopting = Promise.allSettled(leaseKeys.map(leaseKey => this.#adoptOne(leaseKey)))
    this.#adopting.add(adopting)
    const outcomes = await adopting
    this.#adopting.delete(adopting)
    const evt = this.#options.tell()
    for (const leaseKey of leaseKeys) if (this.#evts.has(leaseKey)) this.#evts.set(leaseKey, evt)
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }

  /** What is told of before the claim has landed the leader would take for somebody else's to claim. */
  async #adoptOne(leaseKey: string): Promise<void> {
    if (this.#evts.has(leaseKey)) return
    let outcome: ClaimOutcome | undefined
    this.#evts.set(leaseKey, Number.POSITIVE_INFINITY)
    try {
      outcome = await this.#options.claim(leaseKey)
    } finally {
      if (outcome !== 'claimed') this.#evts.delete(leaseKey)
    }
  }
}
