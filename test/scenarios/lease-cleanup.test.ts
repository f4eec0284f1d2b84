// The scenarios S11 and S12 of the reference on KCL's behaviour, by name: when the lease of a finished shard is removed, and
// that nothing else becomes of it.
import { expect } from 'chai'
import { isFinished, type Lease, newLease } from '../../src/model/lease.ts'
import { SHARD_END, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { isClosed, parentsOf } from '../../src/model/shard.ts'
import { aPosition, shardId } from '../support/builders.ts'
import { CallLog } from '../support/call-log.ts'
import type { LandedWrite } from '../support/lease-history.ts'
import { deliveredIds, expectOnce, putInto, putIntoAll } from '../support/numbered-records.ts'
import { seeds } from '../support/seeds.ts'
import { numberOf } from '../support/shard-trees.ts'
import { STREAM, World } from '../support/world.ts'

/** Sentences about removals that came too early: of a shard with a child that had not begun, or after that of a child. */
function hastyRemovals(world: World): string[] {
  const table = new Map<string, Lease>()
  const gone = new Set<string>()
  const parents = new Map(world.kinesis.shards(STREAM).map(shard => [shard.shardId, parentsOf(shard)]))
  const childrenOf = (id: string): string[] => [...parents].flatMap(([child, of]) => (of.includes(id) ? [child] : []))
  return world.history.writes.flatMap(({ leaseKey, after }: LandedWrite) => {
    if (after !== undefined) {
      table.set(leaseKey, after)
      return []
    }
    const row = table.get(leaseKey)
    table.delete(leaseKey)
    gone.add(leaseKey)
    const wrong = row && isFinished(row) ? [] : [`${leaseKey} was not finished`]
    for (const child of childrenOf(leaseKey)) {
      const { checkpoint } = table.get(child) ?? {}
      if (checkpoint === undefined && !gone.has(child)) wrong.push(`${leaseKey} before ${child} had a lease`)
      if (checkpoint?.sequenceNumber === 'TRIM_HORIZON') wrong.push(`${leaseKey} before ${child} had begun`)
    }
    for (const parent of parents.get(leaseKey) ?? []) if (table.has(parent)) wrong.push(`${leaseKey} before ${parent}`)
    return wrong
  })
}

function removed(world: World): number[] {
  return world.events('lease:removed').map(({ leaseKey }) => numberOf(leaseKey))
}

/** The row of a shard as KCL writes it, which need not know the children. */
function kclRow(world: World, number: number, with_: Partial<Lease>): Lease {
  const shard = world.kinesis.shards(STREAM).find(each => each.shardId === shardId(number))
  const { hashKeyRange } = shard ?? {}
  const from = { shardId: shardId(number), checkpoint: TRIM_HORIZON, parentShardIds: parentsOf(shard ?? {}) }
  return { ...newLease({ ...from, ...(hashKeyRange && { hashKeyRange }) }), ...with_ }
}

describe('the lease of a finished shard', () => {
  it('S11: is removed after all its children have begun, and after those of its parents', async () => {
    for (const seed of seeds(5)) {
      const world = new World({ shards: 3, seed, latencyMs: 30, listingLagMs: seed % 2 === 0 ? 20_000 : 0 })
      for (let i = 0; i < 2; i++) void world.makeWorker({ shardSyncIntervalMs: 4_000 }).worker.start()
      await world.load(12_000)
      for (let change = 0; change < 10; change++) {
        const open = world.kinesis.shards(STREAM).filter(shard => !isClosed(shard))
        open.sort((a, b) => (a.hashKeyRange.start < b.hashKeyRange.start ? -1 : 1))
        const at = Math.floor(world.random.next() * (open.length - 1))
        const [shard, neighbour] = [open[at], open[at + 1]]
        if (shard && neighbour && world.random.next() < 0.4)
          world.kinesis.merge(STREAM, shard.shardId, neighbour.shardId)
        else if (shard) world.kinesis.split(STREAM, shard.shardId)
        await world.load(world.random.next() * 6_000, { perTick: 1 })
      }
      await world.untilDelivered()
      putIntoAll(world, 2)
      await world.untilDelivered()
      await world.clock.advance(120_000)
      expect(hastyRemovals(world), `SEED=${seed}`).to.deep.equal([])
      expectOnce(world)
      const closed = world.kinesis
        .shards(STREAM)
        .filter(isClosed)
        .map(({ shardId: id }) => numberOf(id))
      expect(
        removed(world).sort((a, b) => a - b),
        `SEED=${seed}`
      ).to.deep.equal(closed)
      await world.stopAll()
    }
  })

  it('S11: stays while a child has nothing read of it, or has no lease', async () => {
    const world = new World()
    const log = new CallLog(world)
    await log.startWorker({}, { shardSyncIntervalMs: 5_000 })
    putIntoAll(world, 2)
    const [low, high] = world.kinesis.split(STREAM, shardId(0))
    putInto(world, 1)
    await world.untilDelivered()
    await world.clock.advance(120_000)
    expect(removed(world), 'the second child has nothing in it').to.deep.equal([])
    await world.stopAll()

    // Without the lease of the child that has not begun, it is the row of the parent from which that is made again.
    const row = await world.store.get(high)
    if (row) await world.store.remove(row)
    await world.clock.advance(10_000)
    const member = await log.startWorker({}, { shardSyncIntervalMs: 5_000 })
    await world.clock.advance(20_000)
    const made = member.events('lease:created').map(({ leaseKey, checkpoint }) => `${leaseKey} ${checkpoint}`)
    expect(made).to.deep.equal([`${high} TRIM_HORIZON`])
    expect(removed(world)).to.deep.equal([])
    putInto(world, 2)
    await world.untilDelivered()
    await world.clock.advance(20_000)
    expect(removed(world)).to.deep.equal([0])
    expect(log.lines({ shardId: low, method: 'shardEnded' })).to.deep.equal([])
    expectOnce(world)
    await world.stopAll()
  })

  it('S11: is removed too if the row does not say which children there are, or Kinesis has forgotten the shard', async () => {
    for (const hasExpired of [false, true]) {
      const world = new World()
      putIntoAll(world, 2)
      world.kinesis.split(STREAM, shardId(0))
      const ids = putIntoAll(world, 2)
      await world.store.create(kclRow(world, 0, { checkpoint: SHARD_END }))
      const begun = aPosition(world.kinesis.records(STREAM, shardId(1))[0]?.sequenceNumber ?? 'none')
      await world.store.create(kclRow(world, 1, { checkpoint: begun }))
      await world.store.create(kclRow(world, 2, {}))
      if (hasExpired) world.kinesis.expireShard(STREAM, shardId(0))
      const member = await world.startWorker({ shardSyncIntervalMs: 5_000 })
      await world.clock.advance(30_000)
      const told = member.events('lease:removed').map(({ leaseKey, why }) => `${leaseKey} ${why}`)
      expect(told).to.deep.equal([`${shardId(0)} ${hasExpired ? 'shard-expired' : 'children-started'}`])
      expect(deliveredIds(world).sort((a, b) => a - b)).to.deep.equal([ids.get(1)?.[1], ...(ids.get(2) ?? [])])
      await world.stopAll()
    }
  })

  it('S12: is removed after a restart, and neither claimed nor told to anybody, whoever it names as its owner', async () => {
    for (const owner of [undefined, 'java-worker', 'w1/0001']) {
      const world = new World({ shards: 2 })
      const log = new CallLog(world)
      putIntoAll(world, 2)
      world.kinesis.merge(STREAM, shardId(0), shardId(1))
      putIntoAll(world, 2)
      const begun = aPosition(world.kinesis.records(STREAM, shardId(2))[0]?.sequenceNumber ?? 'none')
      const named = {
        checkpoint: SHARD_END,
        childShardIds: [shardId(2)],
        ...(owner !== undefined && { owner, counter: 7 })
      }
      for (const number of [0, 1]) await world.store.create(kclRow(world, number, named))
      await world.store.create(kclRow(world, 2, { checkpoint: begun }))
      await log.startWorker({}, { shardSyncIntervalMs: 5_000 })
      await world.clock.advance(60_000)
      expect(removed(world), `of ${owner}`).to.have.members([0, 1])
      expect(
        log.calls.filter(call => call.shardId !== shardId(2)),
        `of ${owner}`
      ).to.deep.equal([])
      const claims = world.history.claims().filter(({ before }) => before !== undefined)
      expect(
        claims.map(({ leaseKey }) => leaseKey),
        `of ${owner}`
      ).to.deep.equal([shardId(2)])
      expect(deliveredIds(world), `of ${owner}`).to.deep.equal([5])
      await world.stopAll()
    }
  })
})
