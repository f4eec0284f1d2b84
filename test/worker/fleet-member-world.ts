// Members of a fleet in virtual time: a stream, the two tables in memory, and members that drain nothing, because they
// read nothing.
import { expect } from 'chai'
import { fleetSettings } from '../../src/fleet/fleet-settings.ts'
import { LocalHeartbeat } from '../../src/fleet/local-heartbeat.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import type { Lease } from '../../src/model/lease.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { ShardSyncer } from '../../src/shards/shard-syncer.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { FleetMember } from '../../src/worker/fleet-member.ts'
import type { LeaseOptions } from '../../src/worker/lease-options.ts'
import { resolveOptions } from '../../src/worker/options.ts'
import { type FlakyControlStore, flakyControlStore } from '../support/flaky-control-store.ts'
import { type FlakyStore, flakyStore } from '../support/flaky-store.ts'

export const SETTINGS = fleetSettings(10_000)
export const STREAM = 'orders'
/** How often the leader compares shards and leases. */
export const SYNC_MS = 60_000

export interface TestMember {
  readonly member: FleetMember
  readonly store: FlakyStore
  readonly control: FlakyControlStore
  readonly syncer: ShardSyncer
  /** When it began to compare shards and leases, in virtual milliseconds. */
  readonly syncsAtMs: number[]
  /** Lines such as `taken 3`, `revoked 3`, `elected 1`, `failed compare shards with leases`. */
  readonly told: string[]
  /** Whether it gives a lease back as soon as it is revoked. True unless changed. */
  givesBack: boolean
  held(): number[]
  stop(): void
  start(): Promise<void>
}

export class FleetMemberWorld {
  readonly clock = new VirtualClock()
  readonly kinesis = new FakeKinesis({ clock: this.clock })
  readonly table = memoryLeaseStore()
  readonly control = this.table.control
  #seed = 1

  constructor(shards = 4) {
    this.kinesis.createStream(STREAM, shards)
  }

  member(workerId: string, leases: LeaseOptions = {}): TestMember {
    const { clock } = this
    const random = seededRandom(this.#seed++)
    const store = flakyStore(this.table, clock)
    const control = flakyControlStore(this.control, clock)
    const kinesis = this.kinesis.port(STREAM)
    const told: string[] = []
    const syncsAtMs: number[] = []
    const given = { streamName: STREAM, applicationName: 'app', workerId, handler: () => {}, leases }
    const syncer = new ShardSyncer({
      ...{ kinesis, store, clock, random, logger: silentLogger, startAt: 'LATEST' },
      report: () => {}
    })
    const { sync } = syncer
    syncer.sync = signal => {
      syncsAtMs.push(clock.monotonicMs())
      return sync.call(syncer, signal)
    }
    const ports = { clock, random, settings: SETTINGS }
    const stopping = new AbortController()
    const fleetMember = new FleetMember({
      ...ports,
      options: resolveOptions({ ...given, shardSyncIntervalMs: SYNC_MS }, random, clock.epochMs()),
      ports: {
        ...{ kinesis, fanOut: undefined, requests: undefined, expectShards: () => {}, store, control, close: () => {} },
        makeHeartbeat: listener => new LocalHeartbeat({ ...ports, store: control, listener })
      },
      syncer,
      isBusy: () => false,
      listener: {
        taken: ({ shardId }) => told.push(`taken ${numberOf(shardId)}`),
        revoked: tenure => {
          told.push(`revoked ${numberOf(tenure.shardId)}`)
          if (member.givesBack) void tenure.release().catch(() => {})
        },
        ended: ({ shardId }, how) => told.push(`ended ${numberOf(shardId)} ${how}`),
        carriedOut: () => {},
        sessionBegan: () => told.push('began'),
        sessionSuspended: () => told.push('suspended'),
        sessionResumed: () => told.push('resumed'),
        sessionDied: (_, how) => told.push(`died ${how}`),
        stalled: () => {},
        elected: term => told.push(`elected ${term}`),
        deposed: () => told.push('deposed'),
        planned: () => {},
        unassigned: () => {},
        certified: (session, how) => told.push(`certified ${session.slice(0, -9)} ${how}`),
        foreignersFound: () => {},
        failed: what => told.push(`failed ${what}`)
      }
    })
    const member: TestMember = {
      ...{ member: fleetMember, store, control, syncer, syncsAtMs, told, givesBack: true },
      held: () =>
        fleetMember
          .held()
          .map(({ shardId }) => numberOf(shardId))
          .sort((a, b) => a - b),
      stop: () => stopping.abort(),
      start: async () => {
        await syncer.open(stopping.signal)
        await fleetMember.start(stopping.signal)
      }
    }
    return member
  }

  async started(workerId: string, leases: LeaseOptions = {}): Promise<TestMember> {
    const member = this.member(workerId, leases)
    await this.pass(member.start())
    return member
  }

  /** Members that share the shards evenly. Nothing is told yet. */
  async fleet(...workerIds: readonly string[]): Promise<TestMember[]> {
    const members: TestMember[] = []
    for (const workerId of workerIds) members.push(await this.started(workerId))
    const { leases } = await this.table.list()
    const isEven = (): boolean => members.every(member => member.held().length === leases.length / members.length)
    await this.clock.advanceUntil(isEven, 120_000)
    await this.clock.advance(30_000)
    for (const { told, syncsAtMs } of members) {
      told.length = 0
      syncsAtMs.length = 0
    }
    return members
  }

  async pass<T>(work: Promise<T>): Promise<T> {
    let isOver = false
    const over = (): void => {
      isOver = true
    }
    work.then(over, over)
    await this.clock.advanceUntil(() => isOver, 120_000)
    return work
  }

  async leases(): Promise<readonly Lease[]> {
    return (await this.table.list()).leases
  }

  /** The row of a shard vanishes, and nobody is told. */
  async remove(leaseKey: string): Promise<Lease> {
    const row = (await this.table.get(leaseKey)) ?? expect.fail(`${leaseKey} has no row`)
    await this.table.remove(row)
    return row
  }

  /** A member is found silent. */
  async certify({ member }: TestMember): Promise<void> {
    const { session = '' } = member
    const { hb = 0 } = (await this.control.member(session)) ?? {}
    expect(await this.control.certify(session, hb, 'silent')).to.equal(true)
  }
}

function numberOf(shardId: string): number {
  return Number(shardId.slice(-12))
}
