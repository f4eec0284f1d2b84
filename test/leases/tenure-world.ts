// A tenure in virtual time, its row in memory behind a network with scripted faults, and the session that it belongs to.
import { expect } from 'chai'
import type { LeaseStore } from '../../src/leases/lease-store.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { Tenure, type TenureEnd } from '../../src/leases/tenure.ts'
import { claimed, type Lease } from '../../src/model/lease.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aLease } from '../support/builders.ts'
import { type Fault, type FlakyStore, flakyStore, scripted } from '../support/flaky-store.ts'
import { Heart } from '../support/heart.ts'

const KEY = aLease().leaseKey
/** Mixed mode: how long a lease lives without a write. */
export const LEASE_MS = 9_000

export interface TenureWorld {
  readonly clock: VirtualClock
  /** Of the session, which is proved at every moment unless told otherwise. */
  readonly heart: Heart
  readonly table: LeaseStore
  readonly store: FlakyStore
  readonly tenure: Tenure
  readonly ends: { how: TenureEnd; because: string }[]
  /** The owners that the lease is to be handed over to, each time that is told. */
  readonly handedOver: (string | undefined)[]
  row(): Promise<Lease | undefined>
}

/** A tenure that began with a claim at time 0, with these faults for its first writes. */
export function aTenure(...faults: readonly Fault[]): Promise<TenureWorld> {
  return aWorld(Number.POSITIVE_INFINITY, faults)
}

/** The same, in mixed mode. */
export function aMixedTenure(...faults: readonly Fault[]): Promise<TenureWorld> {
  return aWorld(LEASE_MS, faults)
}

async function aWorld(leaseValidMs: number, faults: readonly Fault[]): Promise<TenureWorld> {
  const clock = new VirtualClock()
  const heart = new Heart(clock)
  const table = memoryLeaseStore()
  const store = flakyStore(table, clock, scripted(...faults))
  const lease = claimed(aLease(), 'me')
  await table.create(lease)
  const ends: TenureWorld['ends'] = []
  const handedOver: TenureWorld['handedOver'] = []
  const tenure = new Tenure(lease, clock.monotonicMs(), {
    store,
    session: 'me',
    clock,
    random: seededRandom(1),
    proof: heart.proof,
    leaseValidMs: () => leaseValidMs,
    handedOver: over => handedOver.push(over.lease.owner),
    ended: (_, how, because) => ends.push({ how, because })
  })
  return { clock, heart, table, store, tenure, ends, handedOver, row: () => table.get(KEY) }
}

/** Another session claims the lease, whatever the row says. */
export async function stolen(table: LeaseStore, by = 'other'): Promise<Lease> {
  const row = (await table.get(KEY)) as Lease
  const after = claimed(row, by)
  expect(await table.replace(row, after)).to.deep.equal({ kind: 'written' })
  return after
}

/** What a promise came to once `ms` of virtual time have passed: a value, a failure, or nothing yet. */
export async function outcomeOf(clock: VirtualClock, work: Promise<unknown>, ms = 3_000): Promise<unknown> {
  let outcome: unknown = 'still under way'
  work.then(
    () => {
      outcome = 'done'
    },
    error => {
      outcome = error
    }
  )
  await clock.advance(ms)
  return outcome
}

/** How many writes were sent. */
export const writesOf = ({ store }: TenureWorld): number => store.calls.filter(({ name }) => name === 'replace').length
