// Lease coordinators that share one table in virtual time, and what they tell.
import { LeaseCoordinator } from '../../src/leases/lease-coordinator.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import type { AssignmentPlan } from '../../src/leases/plan-assignments.ts'
import type { Tenure } from '../../src/leases/tenure.ts'
import type { Lease } from '../../src/model/lease.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aLease, shardId } from '../support/builders.ts'
import { type FlakyStore, flakyStore } from '../support/flaky-store.ts'

export const DURATION_MS = 10_000

export interface Member {
  readonly session: string
  readonly store: FlakyStore
  readonly coordinator: LeaseCoordinator
  /** Lines such as `taken 3 unowned`, `requested 3 b`, `ended 3 lost`, `failed renew a lease`. */
  readonly told: string[]
  readonly tenures: Tenure[]
  readonly plans: AssignmentPlan[]
  /** Numbers of the shards whose earlier run is still being wound up. */
  readonly busy: Set<number>
  held(): number[]
}

export class Fleet {
  readonly clock = new VirtualClock()
  readonly table = memoryLeaseStore()
  #seed: number

  constructor(seed = 1) {
    this.#seed = seed
  }

  async create(...leases: readonly Lease[]): Promise<this> {
    for (const lease of leases) await this.table.create(lease)
    return this
  }

  /** Leases of the shards 0 to `count` - 1, held by nobody. */
  withLeases(count: number): Promise<this> {
    return this.create(...Array.from({ length: count }, (_, number) => aLease({ ...keys(number) })))
  }

  /** A worker that gives a lease up as soon as it is asked for, unless told otherwise. */
  member(session: string, { maxLeases = 1_000, givesUp = true } = {}): Member {
    const told: string[] = []
    const tenures: Tenure[] = []
    const plans: AssignmentPlan[] = []
    const busy = new Set<number>()
    const store = flakyStore(this.table, this.clock)
    const coordinator = new LeaseCoordinator({
      store,
      session,
      clock: this.clock,
      random: seededRandom(this.#seed++),
      logger: silentLogger,
      durationMs: DURATION_MS,
      maxLeases,
      serviceTimeMs: () => this.clock.epochMs(),
      isBusy: leaseKey => busy.has(Number(leaseKey.slice(-12))),
      listener: {
        taken: (tenure, why) => {
          tenures.push(tenure)
          told.push(`taken ${numberOf(tenure)} ${why}`)
        },
        requested: (tenure, by) => {
          told.push(`requested ${numberOf(tenure)} ${by}`)
          if (givesUp) void tenure.release().catch(() => {})
        },
        ended: (tenure, how) => told.push(`ended ${numberOf(tenure)} ${how}`),
        planned: plan => plans.push(plan),
        neglected: leaseKeys => {
          const line = `neglected ${leaseKeys.map(key => Number(key.slice(-12))).sort(ascending)}`
          if (leaseKeys.length > 0 && told.at(-1) !== line) told.push(line)
        },
        failed: what => told.push(`failed ${what}`)
      }
    })
    const held = (): number[] => coordinator.held().map(numberOf).sort(ascending)
    return { session, store, coordinator, told, tenures, plans, busy, held }
  }

  /** Starts a member and lets time pass until it has started. */
  async start(member: Member): Promise<Member> {
    let isStarted = false
    const starting = member.coordinator.start().then(() => {
      isStarted = true
    })
    await this.clock.advanceUntil(() => isStarted)
    await starting
    return member
  }

  row(number: number): Promise<Lease | undefined> {
    return this.table.get(shardId(number))
  }

  /** A worker that is gone from one moment to the next: its writes do not arrive any more. */
  kill(member: Member): void {
    member.store.faults = () => ({ kind: 'hangs' })
  }
}

/** The keys of the lease of a shard. */
export function keys(number: number): { leaseKey: string; shardId: string } {
  return { leaseKey: shardId(number), shardId: shardId(number) }
}

function numberOf(tenure: Tenure): number {
  return Number(tenure.leaseKey.slice(-12))
}

function ascending(a: number, b: number): number {
  return a - b
}
