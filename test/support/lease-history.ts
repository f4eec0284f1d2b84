// Every write of a lease table that landed, in order, and what must hold of it whatever happens: each write counts the
// counter up by one, but for the beginning of a hand-off by KCL 3.x, no checkpoint goes back, and nobody but the owner moves one.
import type { LeaseStore, WriteOutcome } from '../../src/leases/lease-store.ts'
import type { Lease } from '../../src/model/lease.ts'
import { comparePositions } from '../../src/model/sequence-number.ts'
import type { Clock } from '../../src/runtime/clock.ts'

/** One write that landed. `before` is absent for a row that was created, `after` for one that was removed. */
export interface LandedWrite {
  readonly atMs: number
  readonly leaseKey: string
  readonly before?: Lease
  readonly after?: Lease
}

/** The writes of one lease table. */
export class LeaseHistory {
  readonly writes: LandedWrite[] = []
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A store that does what `store` does, and is remembered here. */
  of(store: LeaseStore): LeaseStore {
    const { control: _, ...rest } = store
    return {
      ...rest,
      create: async lease => this.#note(await store.create(lease), { leaseKey: lease.leaseKey, after: lease }),
      replace: async (before, after) =>
        this.#note(await store.replace(before, after), { leaseKey: before.leaseKey, before, after }),
      remove: async lease => this.#note(await store.remove(lease), { leaseKey: lease.leaseKey, before: lease })
    }
  }

  /** Claims of leases, by anybody. */
  claims(leaseKey?: string): LandedWrite[] {
    return this.writes.filter(({ leaseKey: key, before, after }) => {
      const isClaim = after?.owner !== undefined && after.owner !== before?.owner
      return isClaim && (leaseKey === undefined || key === leaseKey)
    })
  }

  /** Sentences about writes that break the protocol. None should. */
  violations(): string[] {
    return this.writes.flatMap(({ leaseKey, before, after, atMs }) => {
      if (before === undefined || after === undefined) return []
      const wrong: string[] = []
      const isHandOff = before.checkpointOwner === undefined && after.checkpointOwner === before.owner
      if (after.counter <= before.counter && !isHandOff) wrong.push('its counter did not move on')
      const step = comparePositions(after.checkpoint, before.checkpoint)
      if (step < 0) wrong.push('its checkpoint went back')
      if (step !== 0 && before.owner === undefined) wrong.push('nobody held it')
      if (step !== 0 && after.owner !== undefined && after.owner !== before.owner) wrong.push('a claim moved it')
      return wrong.map(what => `${leaseKey} at ${atMs}: ${what}`)
    })
  }

  #note(outcome: WriteOutcome, write: Omit<LandedWrite, 'atMs'>): WriteOutcome {
    if (outcome.kind === 'written') this.writes.push({ atMs: this.#clock.monotonicMs(), ...write })
    return outcome
  }
}
