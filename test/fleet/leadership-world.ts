// Workers that lead a fleet, or would, in virtual time: their heartbeats, their turns, and what they told. None of them
// claims anything.
import { fleetSettings } from '../../src/fleet/fleet-settings.ts'
import type { HeartbeatReport } from '../../src/fleet/heartbeat.ts'
import { Leadership, type LeadershipOptions } from '../../src/fleet/leadership.ts'
import { LocalHeartbeat } from '../../src/fleet/local-heartbeat.ts'
import type { LeaderLock, SessionState } from '../../src/leases/control-store.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aLease, shardId } from '../support/builders.ts'
import { type FlakyControlStore, flakyControlStore } from '../support/flaky-control-store.ts'
import { type Fault, type FlakyStore, flakyStore } from '../support/flaky-store.ts'
import { session as sessionOf } from './fleet-model.ts'

export const SETTINGS = fleetSettings(10_000)

export class Candidate {
  readonly leadership: Leadership
  readonly store: FlakyStore
  readonly control: FlakyControlStore
  readonly heartbeat: LocalHeartbeat
  /** Lines such as `elected 1`, `deposed`, `certified a/00000001 silent`, `failed lead the fleet`. */
  readonly told: string[] = []
  readonly workerId: string
  session: string | undefined
  state: SessionState = 'ACTIVE'
  evt = 0
  readonly #clock: VirtualClock
  #runs = 0

  constructor(world: LeadershipWorld, workerId: string, with_: Partial<LeadershipOptions> = {}) {
    const { clock } = world
    const { told } = this
    this.workerId = workerId
    this.#clock = clock
    this.store = flakyStore(world.table, clock)
    this.control = flakyControlStore(world.control, clock)
    const ports = { clock, random: seededRandom(world.candidates.length + 1), settings: SETTINGS }
    this.heartbeat = new LocalHeartbeat({
      ...ports,
      store: this.control,
      listener: {
        acknowledged: () => {},
        died: () => {
          this.session = undefined
          this.leadership.resign()
        },
        stalled: () => {},
        failed: () => {}
      }
    })
    this.leadership = new Leadership({
      ...ports,
      store: this.store,
      control: this.control,
      strategy: 'count',
      mode: 'solo',
      session: () => this.session,
      report: () => this.report(),
      provedAgoMs: () => clock.monotonicMs() - this.heartbeat.provedAtMs(),
      prepare: async () => {},
      changed: () => this.heartbeat.report(this.report()),
      listener: {
        elected: term => told.push(`elected ${term}`),
        deposed: () => told.push('deposed'),
        failed: what => told.push(`failed ${what}`),
        posted: (session, ver) => told.push(`posted ${session} ${ver}`),
        planned: () => {},
        unassigned: () => {},
        certified: (session, how) => told.push(`certified ${session} ${how}`),
        foreignersFound: () => {}
      },
      ...with_
    })
    world.candidates.push(this)
  }

  report(): HeartbeatReport {
    const { workerId, state, evt } = this
    return { workerId, state, evt, applied: 0, led: this.leadership.turns, generation: 1, capacity: 1, avoid: [] }
  }

  /** Joins the fleet as the next session of its worker. */
  async join(): Promise<void> {
    this.session = sessionOf(this.workerId, ++this.#runs)
    await this.heartbeat.begin(this.session, this.report())
  }

  async start(): Promise<void> {
    await this.join()
    await this.leadership.start()
  }

  /** Says from the next heartbeat on that it stops. */
  drain(): void {
    this.state = 'DRAINING'
    this.heartbeat.report(this.report(), { hurry: true })
  }

  /** Gone from one moment to the next. */
  crash(): void {
    this.heartbeat.close()
    this.store.faults = () => ({ kind: 'hangs' })
    this.control.faults = () => ({ kind: 'hangs' })
  }

  /** Stands still for `ms` milliseconds: what it was about to do it does after that. */
  pause(ms: number): void {
    const wakesAtMs = this.#clock.monotonicMs() + ms
    const untilThen = (): Fault | undefined => {
      const leftMs = wakesAtMs - this.#clock.monotonicMs()
      return leftMs > 0 ? { kind: 'none', delayMs: leftMs } : undefined
    }
    this.store.faults = untilThen
    this.control.faults = untilThen
  }
}

export class LeadershipWorld {
  readonly clock = new VirtualClock()
  readonly table = memoryLeaseStore()
  readonly control = this.table.control
  readonly candidates: Candidate[] = []

  static async withLeases(count: number): Promise<LeadershipWorld> {
    const world = new LeadershipWorld()
    for (let number = 0; number < count; number++) {
      await world.table.create(aLease({ leaseKey: shardId(number), shardId: shardId(number) }))
    }
    return world
  }

  candidate(workerId: string, with_: Partial<LeadershipOptions> = {}): Candidate {
    return new Candidate(this, workerId, with_)
  }

  async started(workerId: string, with_: Partial<LeadershipOptions> = {}): Promise<Candidate> {
    const candidate = this.candidate(workerId, with_)
    await this.pass(candidate.start())
    return candidate
  }

  async pass<T>(work: Promise<T>): Promise<T> {
    let isOver = false
    const over = (): void => {
      isOver = true
    }
    work.then(over, over)
    await this.clock.advanceUntil(() => isOver, 60_000)
    return work
  }

  lock(): Promise<LeaderLock | undefined> {
    return this.control.leader({ consistent: true })
  }

  /** Ids of the workers that lead, as far as they know. */
  leading(): string[] {
    return this.candidates.filter(({ leadership }) => leadership.isLeading).map(({ workerId }) => workerId)
  }
}
