// What is measured in a simulated world: how long shards are unread, how leases move, and what the tables are asked for.
import type { LeaseWrite, SimulatedWorker, World } from '../../src/testing/index.ts'

/** How long nobody read a shard, and why: its owner had crashed, or had given it back. */
export interface Gap {
  readonly leaseKey: string
  readonly why: 'crash' | 'release'
  readonly atMs: number
  readonly ms: number
}

/** Follows the leases of one world. Give `written` to `simulate()` as `leaseWritten`. */
export class Gauges {
  /** Claims of leases that somebody else had before. */
  readonly moves: { readonly leaseKey: string; readonly atMs: number }[] = []
  readonly #owners = new Map<string, string>()
  readonly #lastOwners = new Map<string, string>()
  readonly #crashes: { readonly leaseKey: string; readonly atMs: number }[] = []
  readonly #releases: { readonly leaseKey: string; readonly atMs: number }[] = []
  #world: World | undefined

  watch(world: World): void {
    this.#world = world
  }

  readonly written = ({ kind, leaseKey, after, isWritten }: LeaseWrite): void => {
    if (!isWritten || this.#world === undefined) return
    const atMs = this.#world.clock.monotonicMs()
    if (kind === 'release') this.#releases.push({ leaseKey, atMs })
    if (kind === 'claim' && after?.owner !== undefined) {
      const before = this.#lastOwners.get(leaseKey)
      if (before !== undefined && before !== after.owner) this.moves.push({ leaseKey, atMs })
      this.#lastOwners.set(leaseKey, after.owner)
    }
    if (after?.owner === undefined) this.#owners.delete(leaseKey)
    else this.#owners.set(leaseKey, after.owner)
  }

  /** To be called right before a worker crashes. */
  crashing({ name }: SimulatedWorker): void {
    const atMs = this.#world?.clock.monotonicMs() ?? 0
    for (const [leaseKey, owner] of this.#owners) {
      if (owner.startsWith(`${name}/`)) this.#crashes.push({ leaseKey, atMs })
    }
  }

  /** How many leases each worker owns, by the table. Of workers without any there is no entry. */
  loads(): Map<string, number> {
    const loads = new Map<string, number>()
    for (const owner of this.#owners.values()) {
      const worker = owner.slice(0, owner.lastIndexOf('/'))
      loads.set(worker, (loads.get(worker) ?? 0) + 1)
    }
    return loads
  }

  /** From each crash and each release until the shard was read again. Those that never were, or ended first, are left out. */
  gaps(): Gap[] {
    const starts = new Map<string, number[]>()
    for (const { shardId, atMs } of this.#world?.workers.flatMap(worker => worker.events('shard:started')) ?? []) {
      starts.set(shardId, [...(starts.get(shardId) ?? []), atMs])
    }
    for (const ofOne of starts.values()) ofOne.sort((a, b) => a - b)
    const gapOf =
      (why: Gap['why']) =>
      (from: { readonly leaseKey: string; readonly atMs: number }): Gap[] => {
        const { leaseKey, atMs } = from
        const next = starts.get(leaseKey)?.find(startedAtMs => startedAtMs > atMs)
        return next === undefined ? [] : [{ leaseKey, why, atMs, ms: next - atMs }]
      }
    return [...this.#crashes.flatMap(gapOf('crash')), ...this.#releases.flatMap(gapOf('release'))]
  }
}

/** The value that a share of them do not exceed; 0 of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0
}
