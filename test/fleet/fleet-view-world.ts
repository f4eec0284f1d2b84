// A leader's view of a fleet in virtual time: sessions that beat, join and die as the test says, and turns one by one.
import { expect } from 'chai'
import { fleetSettings } from '../../src/fleet/fleet-settings.ts'
import { FleetView, type FleetViewOptions, type PlanReport } from '../../src/fleet/fleet-view.ts'
import type { HeartbeatReport } from '../../src/fleet/heartbeat.ts'
import type { Mailbox, Member } from '../../src/leases/control-store.ts'
import { memoryKclCoordination } from '../../src/leases/memory-kcl-coordination.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import type { Lease } from '../../src/model/lease.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aLease, shardId } from '../support/builders.ts'
import { type FlakyControlStore, flakyControlStore } from '../support/flaky-control-store.ts'
import { type FlakyStore, flakyStore } from '../support/flaky-store.ts'
import { aMember, session } from './fleet-model.ts'

export const SETTINGS = fleetSettings(10_000)

/** One leader, and what its view told. */
export interface TestView {
  readonly view: FleetView
  readonly store: FlakyStore
  readonly control: FlakyControlStore
  readonly plans: PlanReport[]
  /** Leases that nobody may take, plan by plan. */
  readonly unassigned: number[][]
  /** Lines such as `certified b/00000001 silent`, `foreigners java-1,java-2`. */
  readonly told: string[]
  /** What the leader says of itself beside what its item says. */
  readonly own: Partial<HeartbeatReport>
  turn(): Promise<void>
  /** How often the leases were read. */
  scans(): number
}

export class FleetViewWorld {
  readonly clock = new VirtualClock()
  readonly table = memoryLeaseStore()
  readonly control = this.table.control
  readonly kcl = memoryKclCoordination(this.table)
  /** The sessions that beat, and what they say. */
  readonly beating = new Map<string, Member>()

  static async withLeases(count: number, with_: (number: number) => Partial<Lease> = () => ({})) {
    const world = new FleetViewWorld()
    for (let number = 0; number < count; number++) await world.create(number, with_(number))
    return world
  }

  async create(number: number, with_: Partial<Lease> = {}): Promise<void> {
    await this.table.create(aLease({ leaseKey: shardId(number), shardId: shardId(number), ...with_ }))
  }

  /** Sessions of workers `a`, `b` and so on. */
  async join(workerIds: string, with_: Partial<Member> = {}): Promise<void> {
    for (const workerId of workerIds) {
      const { hb: _, asgVer: __, ...member } = aMember(workerId, with_)
      const report = { ...member, ack: 0 }
      await this.control.join(report)
      this.beating.set(report.session, { ...report, hb: 1, asgVer: 0 })
    }
  }

  /** What a session says from its next heartbeat on. */
  say(workerId: string, with_: Partial<Member>): void {
    const id = session(workerId)
    const before = this.beating.get(id) ?? expect.fail(`${id} does not beat`)
    this.beating.set(id, { ...before, ...with_ })
  }

  /** It beats no more. */
  silence(workerIds: string): void {
    for (const workerId of workerIds) this.beating.delete(session(workerId))
  }

  async beat(): Promise<void> {
    for (const [id, member] of this.beating) {
      const { hb, asgVer: _, dead: __, ...report } = member
      await this.control.beat({ ...report, ack: hb }, hb + 1)
      this.beating.set(id, { ...member, hb: hb + 1 })
    }
  }

  /** The view of worker `a`, or another, which leads in that term. It has looked at nothing yet. */
  view(term = 1, workerId = 'a', with_: Partial<FleetViewOptions> = {}): TestView {
    const store = flakyStore(this.table, this.clock)
    const control = flakyControlStore(this.control, this.clock)
    const told: string[] = []
    const plans: PlanReport[] = []
    const unassigned: number[][] = []
    const view = new FleetView({
      store,
      control,
      kcl: this.kcl,
      clock: this.clock,
      settings: SETTINGS,
      strategy: 'count',
      mode: 'solo',
      session: session(workerId),
      term,
      listener: {
        posted: (id, ver) => told.push(`posted ${id} ${ver}`),
        planned: plan => plans.push(plan),
        unassigned: leaseKeys => unassigned.push(leaseKeys.map(key => Number(key.slice(-12)))),
        certified: (id, how) => told.push(`certified ${id} ${how}`),
        foreignersFound: workers => told.push(`foreigners ${workers}`)
      },
      ...with_
    })
    const own: Partial<HeartbeatReport> = {}
    return {
      ...{ view, store, control, plans, unassigned, told, own },
      turn: () => {
        const said = this.beating.get(session(workerId))
        const { hb: _, asgVer: __, session: ___, ack: ____, ...report } = said ?? aMember(workerId)
        return view.turn({ ...report, ...own })
      },
      scans: () => store.calls.filter(({ name }) => name === 'list').length
    }
  }

  /** A view that has begun, and taken turns until the fleet has carried out what it wants. */
  async settled(term = 1, workerId = 'a', with_: Partial<FleetViewOptions> = {}): Promise<TestView> {
    const leader = this.view(term, workerId, with_)
    await leader.view.inherit()
    await this.pass(60_000, leader)
    await this.carryOut()
    await this.pass(60_000, leader)
    leader.told.length = 0
    leader.plans.length = 0
    return leader
  }

  /** Time passes: everybody beats, and these leaders take turns, when they are due. */
  async pass(ms: number, ...leaders: readonly TestView[]): Promise<void> {
    const { heartbeatMs } = SETTINGS
    const untilMs = this.clock.monotonicMs() + ms
    while (this.clock.monotonicMs() < untilMs) {
      await this.clock.advance(Math.min(heartbeatMs, untilMs - this.clock.monotonicMs()))
      await this.beat()
      for (const leader of leaders) await leader.turn()
    }
  }

  /** Everybody who lives has what its mailbox says, and reports that. */
  async carryOut(): Promise<void> {
    for (const mailbox of await this.control.mailboxes()) {
      const { dead } = (await this.control.member(mailbox.session)) ?? { dead: 'gone' }
      if (dead !== undefined || !this.beating.has(mailbox.session)) continue
      for (const leaseKey of mailbox.leases) {
        const row = await this.table.get(leaseKey)
        if (row === undefined || row.owner === mailbox.session) continue
        await this.table.replace(row, { ...row, owner: mailbox.session, counter: row.counter + 1 })
      }
      this.say(mailbox.session.slice(0, -9), { applied: mailbox.ver })
    }
  }

  async mailbox(workerId: string): Promise<Mailbox | undefined> {
    return this.control.mailbox(session(workerId))
  }

  /** Numbers of the leases in the mailbox of a worker. */
  async listed(workerId: string): Promise<number[]> {
    return ((await this.mailbox(workerId))?.leases ?? []).map(key => Number(key.slice(-12)))
  }

  /** How many leases there are in the mailboxes of these workers. */
  async shares(workerIds: string): Promise<number[]> {
    const all: number[] = []
    for (const workerId of workerIds) all.push((await this.listed(workerId)).length)
    return all
  }

  async change(number: number, change: (lease: Lease) => Lease): Promise<void> {
    const row = (await this.table.get(shardId(number))) ?? expect.fail(`${number} has no row`)
    expect(await this.table.replace(row, change(row))).to.deep.equal({ kind: 'written' })
  }
}
