// The leases that a worker holds in virtual time: the table in memory, behind a network with faults, and a session.
import { expect } from 'chai'
import type { FleetMode, Mailbox } from '../../src/leases/control-store.ts'
import { type ClaimOutcome, HeldLeases, type HeldLeasesOptions } from '../../src/leases/held-leases.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import type { Tenure } from '../../src/leases/tenure.ts'
import type { Lease } from '../../src/model/lease.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aLease, shardId } from '../support/builders.ts'
import { flakyStore } from '../support/flaky-store.ts'
import { Heart } from '../support/heart.ts'

export const ME = 'me/1'
export const DURATION_MS = 10_000
/** By the clock of the service. */
export const NOW_MS = 1_234_567

export const MAILBOX: Mailbox = {
  ...{ session: ME, ver: 1, term: 1, mode: 'solo', evt: 0 },
  ...{ leases: [], wait: [], dead: ['dead/1'], steal: [shardId(9)] }
}

export class HeldLeasesWorld {
  readonly clock = new VirtualClock()
  readonly heart = new Heart(this.clock)
  readonly table = memoryLeaseStore()
  readonly store = flakyStore(this.table, this.clock)
  /** Lines such as `taken 3 unowned`, `ended 3 lost`, `failed renew a lease`. */
  readonly told: string[] = []
  readonly busy = new Set<string>()
  readonly held: HeldLeases
  session: string | undefined = ME
  mode: FleetMode = 'solo'

  constructor(with_: Partial<HeldLeasesOptions> = {}) {
    this.held = new HeldLeases({
      store: this.store,
      proof: this.heart.proof,
      session: () => this.session,
      mode: () => this.mode,
      durationMs: DURATION_MS,
      maxLeases: Number.POSITIVE_INFINITY,
      clock: this.clock,
      random: seededRandom(1),
      serviceTimeMs: () => NOW_MS,
      isBusy: leaseKey => this.busy.has(leaseKey),
      taken: (tenure, why) => this.told.push(`taken ${numberOf(tenure)} ${why}`),
      ended: (tenure, how) => this.told.push(`ended ${numberOf(tenure)} ${how}`),
      failed: what => this.told.push(`failed ${what}`),
      ...with_
    })
  }

  async create(number: number, with_: Partial<Lease> = {}): Promise<Lease> {
    const lease = aLease({ leaseKey: shardId(number), shardId: shardId(number), ...with_ })
    await this.table.create(lease)
    return lease
  }

  claim(number: number, mailbox = MAILBOX): Promise<ClaimOutcome> {
    return this.held.claim(shardId(number), mailbox)
  }

  /** Claims as many leases that nobody has. */
  async hold(count: number): Promise<Tenure[]> {
    for (let number = 0; number < count; number++) {
      await this.create(number)
      expect(await this.claim(number)).to.equal('claimed')
    }
    this.told.length = 0
    return this.held.all()
  }

  row(number: number): Promise<Lease | undefined> {
    return this.table.get(shardId(number))
  }

  writes(): number {
    return this.store.calls.filter(({ name }) => name === 'replace').length
  }
}

function numberOf({ leaseKey }: Tenure): number {
  return Number(leaseKey.slice(-12))
}
