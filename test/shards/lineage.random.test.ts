// Random streams, tables, crashes and deletions: what the decisions about shards hold to when taken together.
import { expect } from 'chai'
import { checkpointed, finished, isFinished, type Lease } from '../../src/model/lease.ts'
import { isClosed, parentsOf, type Shard } from '../../src/model/shard.ts'
import type { StartPosition } from '../../src/model/start-position.ts'
import { type Random, seededRandom } from '../../src/runtime/random.ts'
import { judgeParents } from '../../src/shards/parent-rules.ts'
import { planShardEnd } from '../../src/shards/plan-shard-end.ts'
import { planShardSync, type SyncFacts, type SyncPlan } from '../../src/shards/plan-shard-sync.ts'
import { hasBegun } from '../../src/shards/standing-rules.ts'
import type { FakeStream } from '../../src/testing/fake-stream.ts'
import { A_STREAM, aPosition } from '../support/builders.ts'
import { isRepeated, seeds } from '../support/seeds.ts'
import { aStream, listing, rowsOf } from '../support/shard-trees.ts'

const SEEDS = 200

/** An application without workers: shards are read in an instant, and what would be a crash is a step left out. */
class World {
  readonly random: Random
  readonly stream: FakeStream
  readonly table = new Map<string, Lease>()
  readonly remembered = new Map<string, Lease>()
  /** Shard ids in the order in which their reading began and ended. */
  readonly begun: string[] = []
  readonly ended = new Set<string>()
  /** Parents of shards that have begun: one that begins after that is out of order. */
  readonly mayNotBegin = new Set<string>()
  readonly tooEarly: string[] = []
  readonly startAt: StartPosition
  nowMs = 0

  constructor(seed: number, startAt: StartPosition) {
    this.random = seededRandom(seed)
    this.startAt = startAt
    this.stream = aStream(1 + this.upTo(4), () => this.nowMs)
  }

  upTo(limit: number): number {
    return Math.floor(this.random.next() * limit)
  }

  chance(probability: number): boolean {
    return this.random.next() < probability
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[this.upTo(items.length)]
  }

  reshard(): void {
    this.nowMs += 1000
    const open = listing(this.stream)
      .filter(shard => !isClosed(shard))
      .sort((a, b) => ((a.hashKeyRange?.start ?? 0n) < (b.hashKeyRange?.start ?? 0n) ? -1 : 1))
    const at = this.upTo(open.length)
    const [shard, next] = [open[at], open[at + 1]]
    if (shard === undefined) return
    if (next !== undefined && this.chance(0.5)) this.stream.merge(shard.shardId, next.shardId)
    else this.stream.split(shard.shardId)
    this.nowMs += 1000
  }

  plan(leases: readonly Lease[] = [...this.table.values()]): SyncPlan {
    const shards = listing(this.stream)
    const { startAt, nowMs, remembered } = this
    const facts: SyncFacts = { shards, leases, stream: A_STREAM, startAt, nowMs, remembered }
    const plan = planShardSync(facts)
    const sinceMs = plan.create.find(({ why, lease }) => why !== 'rebuilt' && lease.startTimestampMs !== undefined)
      ?.lease.startTimestampMs
    if (sinceMs === undefined || (startAt === 'LATEST' && sinceMs === nowMs)) return plan
    return planShardSync({
      ...facts,
      openAtStart: new Set(this.stream.shardsAt(sinceMs).map(({ shardId }) => shardId))
    })
  }

  /** Carries a plan out, or only the first `creations` of it. */
  sync(creations = Number.POSITIVE_INFINITY): boolean {
    for (const key of this.table.keys()) this.remembered.delete(key)
    const { create, remove } = this.plan()
    for (const { lease } of create.slice(0, creations)) {
      this.table.set(lease.leaseKey, lease)
      this.remembered.delete(lease.leaseKey)
    }
    if (creations < create.length) return true
    for (const { lease } of remove) this.table.delete(lease.leaseKey)
    return create.length + remove.length > 0
  }

  /** Lets a shard be read: begins, or ends. `crashes`: stops before the end is written. Says whether anything changed. */
  read(lease: Lease, crashes = false): boolean {
    const shards = listing(this.stream)
    if (isFinished(lease)) return false
    if (!hasBegun(lease) || !this.begun.includes(lease.shardId)) return this.begin(lease, shards)
    const closed = shards.some(shard => shard.shardId === lease.shardId && isClosed(shard))
    if (!closed) return false
    const plan = planShardEnd({ lease, shards, leases: this.table, stream: A_STREAM })
    if (plan.kind === 'sync-first') return this.sync()
    if (plan.kind !== 'end') throw new Error(`${lease.shardId}: ${JSON.stringify(plan)}`)
    this.ended.add(lease.shardId)
    for (const child of plan.create) this.table.set(child.leaseKey, child)
    if (!crashes) this.table.set(lease.leaseKey, finished(lease, plan.childShardIds))
    return true
  }

  begin(lease: Lease, shards: readonly Shard[]): boolean {
    const known = [...this.remembered, ...this.table].filter(([id]) => lease.parentShardIds.includes(id))
    if (judgeParents(lease, new Map(known), shards).kind !== 'finished') return false
    const shard = shards.find(each => each.shardId === lease.shardId)
    const isEarly = (id: string): boolean => this.table.has(id) && !this.ended.has(id)
    if (shard !== undefined && parentsOf(shard).some(isEarly)) this.tooEarly.push(lease.shardId)
    if (this.ended.has(lease.shardId)) this.tooEarly.push(`${lease.shardId} again`)
    for (const id of shard === undefined ? [] : parentsOf(shard)) this.mayNotBegin.add(id)
    if (this.mayNotBegin.has(lease.shardId)) this.tooEarly.push(`${lease.shardId} late`)
    this.begun.push(lease.shardId)
    this.table.set(lease.leaseKey, checkpointed(lease, aPosition(1)))
    return true
  }

  /** One thing happens. `vandal`: rows may vanish. */
  step(vandal: boolean): void {
    const lease = this.pick([...this.table.values()])
    const what = this.random.next()
    if (what < 0.15 && listing(this.stream).length < 25) this.reshard()
    else if (what < 0.3) this.sync(this.chance(0.3) ? this.upTo(3) : undefined)
    else if (what < 0.37 && vandal && lease !== undefined) this.vanish(lease)
    else if (lease !== undefined) this.read(lease, this.chance(0.2))
  }

  vanish(lease: Lease): void {
    this.table.delete(lease.leaseKey)
    if (this.chance(0.3)) this.remembered.set(lease.leaseKey, lease)
  }

  /** Lets everything settle. */
  finish(seed: number): void {
    for (let round = 0; round < 200; round++) {
      const synced = this.sync()
      const read = [...this.table.values()].filter(lease => this.read(lease))
      if (!synced && read.length === 0) return
    }
    throw new Error(`SEED=${seed}: does not settle`)
  }

  /** Closed shards that were not read to their end, unless there may be such; open ones that nobody has begun to read. */
  unread(): string[] {
    const isRead = ({ shardId }: Shard): boolean => this.startAt !== 'TRIM_HORIZON' || this.ended.has(shardId)
    return listing(this.stream)
      .filter(shard => (isClosed(shard) ? !isRead(shard) : !this.begun.includes(shard.shardId)))
      .map(shard => shard.shardId)
  }
}

function grown(seed: number, startAt: StartPosition, vandal: boolean): World {
  const world = new World(seed, startAt)
  for (let times = world.upTo(8); times > 0; times--) world.reshard()
  for (let step = world.upTo(80); step > 0; step--) world.step(vandal)
  return world
}

describe('planShardSync, planShardEnd and judgeParents', () => {
  it('read every shard at least once, whichever rows vanish', () => {
    for (const seed of seeds(SEEDS)) {
      const world = grown(seed, 'TRIM_HORIZON', true)
      world.finish(seed)
      expect(world.unread(), `SEED=${seed}`).to.deep.equal([])
    }
  })

  for (const startAt of ['TRIM_HORIZON', 'LATEST', new Date(3_500)] as const) {
    const position = typeof startAt === 'string' ? startAt : 'AT_TIMESTAMP'
    it(`read every shard once, parents first, and leave no row behind, from ${position}`, () => {
      for (const seed of seeds(SEEDS)) {
        const world = grown(seed, startAt, false)
        world.finish(seed)
        expect(world.unread(), `SEED=${seed}`).to.deep.equal([])
        expect(world.begun.length, `SEED=${seed}`).to.equal(new Set(world.begun).size)
        expect(world.tooEarly, `SEED=${seed}`).to.deep.equal([])
        const open = listing(world.stream).filter(shard => !isClosed(shard))
        expect([...world.table.keys()].sort(), `SEED=${seed}`).to.deep.equal(open.map(shard => shard.shardId).sort())
      }
    })

    it(`reach the same leases after a crash half-way through a sync at ${position}`, () => {
      let compared = 0
      for (const seed of seeds(SEEDS)) {
        const world = grown(seed, startAt, true)
        const before = [...world.table.values()]
        const { create } = world.plan()
        const expected = rowsOf([...before, ...create.map(({ lease }) => lease)])
        for (let written = 1; written < create.length; written++) {
          const half = [...before, ...create.slice(0, written).map(({ lease }) => lease)]
          if (half.some(lease => lease.startTimestampMs !== undefined)) world.nowMs += 1
          const rest = world.plan(half).create.map(({ lease }) => lease)
          expect(rowsOf([...half, ...rest]), `SEED=${seed}, ${written} written`).to.deep.equal(expected)
          compared++
        }
      }
      if (!isRepeated) expect(compared).to.be.greaterThan(20)
    })

    it(`leave nothing to do after a sync at ${position}`, () => {
      for (const seed of seeds(SEEDS)) {
        const world = grown(seed, startAt, true)
        const { create } = world.plan()
        for (const { lease } of create) world.table.set(lease.leaseKey, lease)
        expect(world.plan().create, `SEED=${seed}`).to.deep.equal([])
      }
    })
  }
})
