// A stream, a lease table and a shard syncer for them, in virtual time.
import type { LeaseStore } from '../../src/leases/lease-store.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { checkpointed, claimed, type Lease } from '../../src/model/lease.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { ShardSyncer, type ShardSyncerOptions } from '../../src/shards/shard-syncer.ts'
import type { SyncReport } from '../../src/shards/sync-report.ts'
import { type FakeCall, FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aPosition, shardId } from './builders.ts'
import { rowsOf } from './shard-trees.ts'

export const STREAM = 'orders'

/** A stream, a lease table and one syncer for them. */
export class Rig {
  readonly clock = new VirtualClock(1_000_000)
  readonly kinesis = new FakeKinesis({ clock: this.clock })
  readonly reports: SyncReport[] = []
  readonly calls: FakeCall[] = []
  readonly store: LeaseStore
  readonly syncer: ShardSyncer

  constructor(shardCount: number, options: Partial<ShardSyncerOptions> = {}) {
    this.kinesis.intercept = call => void this.calls.push(call)
    if (shardCount > 0) this.kinesis.createStream(STREAM, shardCount)
    this.store = options.store ?? memoryLeaseStore()
    this.syncer = this.another(options)
  }

  another(options: Partial<ShardSyncerOptions> = {}): ShardSyncer {
    return new ShardSyncer({
      kinesis: this.kinesis.port(STREAM),
      store: this.store,
      clock: this.clock,
      random: seededRandom(1),
      logger: silentLogger,
      startAt: 'TRIM_HORIZON',
      report: event => this.reports.push(event),
      ...options
    })
  }

  /** Lets virtual time pass until `work` is over. */
  async pass<T>(work: Promise<T>): Promise<T> {
    let isOver = false
    const over = (): void => {
      isOver = true
    }
    work.then(over, over)
    await this.clock.advanceUntil(() => isOver)
    return work
  }

  async opened(): Promise<this> {
    await this.pass(this.syncer.open())
    return this
  }

  sync(): ReturnType<ShardSyncer['sync']> {
    return this.pass(this.syncer.sync())
  }

  async rows(): Promise<string[]> {
    return rowsOf((await this.store.list()).leases)
  }

  async lease(number: number): Promise<Lease> {
    const lease = await this.store.get(shardId(number))
    if (lease === undefined) throw new Error(`${number} has no lease`)
    return lease
  }

  async change(number: number, change: (lease: Lease) => Lease): Promise<Lease> {
    const before = await this.lease(number)
    await this.store.replace(before, change(before))
    return this.lease(number)
  }

  /** Marks a lease as being read by somebody. */
  begin(number: number): Promise<Lease> {
    return this.change(number, lease => checkpointed(claimed(lease, 'somebody'), aPosition(1)))
  }

  told(kind: SyncReport['kind']): SyncReport[] {
    return this.reports.filter(report => report.kind === kind)
  }
}

/** What `work` rejects with. */
export const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no failure',
    error => error
  )
