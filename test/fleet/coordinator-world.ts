// Lease coordinators that share their tables in virtual time, and mailboxes that the test writes in the place of a leader.
import { expect } from 'chai'
import { fleetSettings } from '../../src/fleet/fleet-settings.ts'
import { LeaseCoordinator, type MemberOptions } from '../../src/fleet/lease-coordinator.ts'
import { LocalHeartbeat } from '../../src/fleet/local-heartbeat.ts'
import type { Mailbox, Member, SessionState } from '../../src/leases/control-store.ts'
import { memoryKclCoordination } from '../../src/leases/memory-kcl-coordination.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import type { Tenure } from '../../src/leases/tenure.ts'
import type { Lease } from '../../src/model/lease.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aLease, shardId } from '../support/builders.ts'
import { type FlakyControlStore, flakyControlStore } from '../support/flaky-control-store.ts'
import { type FlakyStore, flakyStore } from '../support/flaky-store.ts'

/** H 3 s, TS 8 s, in a hurry 1 s. */
export const SETTINGS = fleetSettings(10_000)

/** One worker, and what its coordinator told. */
export interface TestWorker {
  readonly coordinator: LeaseCoordinator
  readonly store: FlakyStore
  readonly control: FlakyControlStore
  /** Lines such as `taken 3 unowned`, `revoked 3`, `ended 3 lost`, `died silent`, `failed claim a lease`. */
  readonly told: string[]
  /** Numbers of the shards whose earlier run is still being wound up. */
  readonly busy: Set<number>
  /** How often the mailbox was looked at. */
  looks(): number
  /** Numbers of the shards that it holds. Ascending. */
  held(): number[]
  tenure(number: number): Tenure
  /** The session that it has now. */
  session(): string
}

/** What a mailbox of a test says, by the numbers of the shards. */
export interface Wish {
  readonly leases: readonly number[]
  readonly wait?: readonly number[]
  readonly dead?: readonly string[]
  readonly steal?: readonly number[]
  readonly mode?: Mailbox['mode']
  readonly assigner?: 'kcl'
  readonly evt?: number
}

export class CoordinatorWorld {
  readonly clock = new VirtualClock()
  readonly table = memoryLeaseStore()
  readonly control = this.table.control
  /** What leaders of KCL have assigned. Has no index to begin with. */
  readonly kcl = memoryKclCoordination(this.table)
  isLeaderSuspect = false
  #seed = 1

  /** A table with the leases of the shards 0 to `count` - 1. */
  static async withLeases(count: number, with_: Partial<Lease> = {}): Promise<CoordinatorWorld> {
    const world = new CoordinatorWorld()
    for (let number = 0; number < count; number++) await world.create(number, with_)
    return world
  }

  async create(number: number, with_: Partial<Lease> = {}): Promise<Lease> {
    const lease = aLease({ leaseKey: shardId(number), shardId: shardId(number), ...with_ })
    expect(await this.table.create(lease)).to.deep.equal({ kind: 'written' })
    return lease
  }

  worker(workerId: string, member: Partial<MemberOptions> = {}): TestWorker {
    const { clock } = this
    const told: string[] = []
    const busy = new Set<number>()
    const store = flakyStore(this.table, clock)
    const control = flakyControlStore(this.control, clock)
    const ports = { clock, random: seededRandom(this.#seed++), settings: SETTINGS }
    let looks = 0
    const coordinator = new LeaseCoordinator({
      ...ports,
      store,
      control,
      kcl: this.kcl,
      makeHeartbeat: listener => new LocalHeartbeat({ ...ports, store: control, listener }),
      member: { workerId, generation: 1, capacity: 1, maxLeases: Number.POSITIVE_INFINITY, ...member },
      serviceTimeMs: () => clock.epochMs(),
      isBusy: leaseKey => busy.has(numberOf(leaseKey)),
      leading: () => ({ led: 0 }),
      isLeaderSuspect: () => this.isLeaderSuspect,
      listener: {
        taken: ({ leaseKey }, why) => told.push(`taken ${numberOf(leaseKey)} ${why}`),
        revoked: ({ leaseKey }) => told.push(`revoked ${numberOf(leaseKey)}`),
        ended: ({ leaseKey }, how) => told.push(`ended ${numberOf(leaseKey)} ${how}`),
        carriedOut: () => {
          looks += 1
        },
        sessionBegan: session => told.push(`began ${session === coordinator.session}`),
        sessionSuspended: () => told.push('suspended'),
        sessionResumed: () => told.push('resumed'),
        sessionDied: (_, how) => told.push(`died ${how}`),
        stalled: forMs => told.push(`stalled ${forMs}`),
        failed: what => told.push(`failed ${what}`)
      }
    })
    return {
      ...{ coordinator, store, control, told, busy },
      looks: () => looks,
      held: () =>
        coordinator
          .held()
          .map(({ leaseKey }) => numberOf(leaseKey))
          .sort((a, b) => a - b),
      tenure: number =>
        coordinator.held().find(({ leaseKey }) => leaseKey === shardId(number)) ??
        expect.fail(`${number} is not held by ${workerId}`),
      session: () => coordinator.session ?? expect.fail(`${workerId} has no session`)
    }
  }

  /** A worker that has joined the fleet and looked at its mailbox, which there is not. Nothing is told yet. */
  async started(workerId: string, member: Partial<MemberOptions> = {}): Promise<TestWorker> {
    const worker = this.worker(workerId, member)
    await this.pass(worker.coordinator.start())
    await this.clock.settle()
    worker.told.length = 0
    return worker
  }

  /** A worker that holds what it was given to hold. Nothing is told yet. */
  async holding(workerId: string, leases: readonly number[], member: Partial<MemberOptions> = {}): Promise<TestWorker> {
    const worker = await this.started(workerId, member)
    await this.post(worker, { leases })
    await this.clock.advanceUntil(() => worker.held().length === leases.length, 30_000)
    await this.clock.advance(1_500)
    worker.told.length = 0
    return worker
  }

  /** Writes the next mailbox of a worker's session. */
  async post(worker: TestWorker, wish: Wish): Promise<Mailbox> {
    const session = worker.session()
    const { leases, wait = [], dead = [], steal = [], mode = 'solo', assigner, evt = 0 } = wish
    const mailbox = {
      ...{ session, ver: ((await this.control.mailbox(session))?.ver ?? 0) + 1, term: 1, mode, evt, dead },
      ...(assigner && { assigner }),
      ...{ leases: leases.map(shardId), wait: wait.map(shardId), steal: steal.map(shardId) }
    }
    expect(await this.control.post(mailbox)).to.equal(true)
    return mailbox
  }

  /** Lets virtual time pass until `work` is over. */
  async pass<T>(work: Promise<T>): Promise<T> {
    let isOver = false
    const over = (): void => {
      isOver = true
    }
    work.then(over, over)
    await this.clock.advanceUntil(() => isOver, 60_000)
    return work
  }

  async member(worker: TestWorker): Promise<Member> {
    return (await this.control.member(worker.session())) ?? expect.fail('it has no item')
  }

  /** The state of whoever had a session, and how it died. */
  async fateOf(session: string): Promise<[state: SessionState | undefined, dead: string | undefined]> {
    const member = await this.control.member(session)
    return [member?.state, member?.dead]
  }

  row(number: number): Promise<Lease | undefined> {
    return this.table.get(shardId(number))
  }

  /** Changes a row as somebody else would. */
  async change(number: number, change: (lease: Lease) => Lease): Promise<void> {
    const before = (await this.row(number)) ?? expect.fail(`${number} has no row`)
    expect(await this.table.replace(before, change(before))).to.deep.equal({ kind: 'written' })
  }
}

/** How often a worker wrote to its leases. */
export function writesOf({ store }: TestWorker, number?: number): number {
  const isMeant = (leaseKey: string | undefined): boolean => number === undefined || leaseKey === shardId(number)
  return store.calls.filter(({ name, leaseKey }) => name === 'replace' && isMeant(leaseKey)).length
}

export function numberOf(leaseKey: string): number {
  return Number(leaseKey.slice(-12))
}
