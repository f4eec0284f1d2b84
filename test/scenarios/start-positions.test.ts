// Where reading begins, and that it begins there again if nothing was checkpointed.
import { expect } from 'chai'
import type { StartPosition } from '../../src/index.ts'
import { newLease } from '../../src/model/lease.ts'
import { LATEST } from '../../src/model/sequence-number.ts'
import { shardId } from '../support/builders.ts'
import { STREAM, World } from '../support/world.ts'

/** A world with ten records from before, one minute old, and how to tell which were delivered. */
async function aWorldWithAPast(shards = 2): Promise<World> {
  const world = new World({ shards })
  world.putMany(10)
  await world.clock.advance(60_000)
  return world
}

function delivered(world: World): number[] {
  return world.ledger.deliveries.map(({ id }) => id).sort((a, b) => a - b)
}

const OLD = Array.from({ length: 10 }, (_, id) => id)

describe('startAt', () => {
  it('TRIM_HORIZON begins with the oldest record', async () => {
    const world = await aWorldWithAPast()
    await world.startWorker({ startAt: 'TRIM_HORIZON' })
    const next = world.put('key')
    await world.clock.advance(5_000)
    expect(delivered(world)).to.deep.equal([...OLD, next])
    await world.stopAll()
  })

  it('LATEST begins with what is put after start() has resolved, from the first record on', async () => {
    const world = await aWorldWithAPast()
    await world.startWorker({ startAt: 'LATEST' })
    const next = Array.from({ length: 20 }, (_, i) => world.put(`key-${i}`))
    await world.clock.advance(5_000)
    expect(delivered(world)).to.deep.equal(next)
    await world.stopAll()
  })

  it('LATEST is what happens without the option', async () => {
    const world = await aWorldWithAPast()
    await world.startWorker({ startAt: undefined as unknown as StartPosition })
    const next = world.put('key')
    await world.clock.advance(5_000)
    expect(delivered(world)).to.deep.equal([next])
    await world.stopAll()
  })

  it('a Date begins with what arrived at or after it', async () => {
    const world = await aWorldWithAPast()
    const since = new Date(world.clock.epochMs())
    const next = [world.put('a'), world.put('b')]
    await world.clock.advance(60_000)
    await world.startWorker({ startAt: since })
    await world.clock.advance(5_000)
    expect(delivered(world)).to.deep.equal(next)
    await world.stopAll()
  })

  it('a Date before the oldest record begins with that', async () => {
    const world = await aWorldWithAPast()
    await world.startWorker({ startAt: new Date('2029-01-01T00:00:00Z') })
    await world.clock.advance(5_000)
    expect(delivered(world)).to.deep.equal(OLD)
    await world.stopAll()
  })

  it('a Date that was while the shards were others begins with the shards of then', async () => {
    const world = new World()
    world.put('too old')
    await world.clock.advance(60_000)
    const since = new Date(world.clock.epochMs())
    const wanted = [world.put('a'), world.put('b')]
    await world.clock.advance(60_000)
    const [left, right] = world.kinesis.split(STREAM, 'shardId-000000000000')
    wanted.push(world.put('a'), world.put('b'))
    await world.clock.advance(60_000)
    world.kinesis.merge(STREAM, left, right)
    wanted.push(world.put('a'), world.put('b'))
    await world.startWorker({ startAt: since })
    await world.clock.advance(30_000)
    expect(delivered(world)).to.deep.equal(wanted)
    expect(world.ledger.outOfOrder()).to.deep.equal([])
    await world.stopAll()
  })

  for (const startAt of ['TRIM_HORIZON', 'LATEST', new Date('2029-01-01T00:00:00Z')] as const) {
    const name = typeof startAt === 'string' ? startAt : 'a Date'

    it(`${name} does not matter once the application has checkpointed`, async () => {
      const world = await aWorldWithAPast()
      await world.startWorker()
      await world.untilDelivered()
      await world.stopAll()
      for (let i = 0; i < 20; i++) world.put(`key-${i}`)
      await world.clock.advance(60_000)
      await world.startWorker({ startAt })
      await world.untilDelivered()
      expect(world.ledger.duplicates()).to.deep.equal([])
      await world.stopAll()
    })

    it(`${name} loses nothing over a restart before the first checkpoint`, async () => {
      const world = new World({ shards: 2 })
      const first = await world.startWorker({ startAt, handler: () => Promise.reject(new Error('not today')) })
      world.putMany(10)
      await world.clock.advance(5_000)
      first.crash()
      world.putMany(10)
      await world.clock.advance(30_000)
      const seen = world.ledger.deliveries.length
      await world.startWorker({ startAt })
      await world.clock.advance(30_000)
      const again = world.ledger.deliveries.slice(seen).map(({ id }) => id)
      expect(again.sort((a, b) => a - b)).to.deep.equal(Array.from({ length: 20 }, (_, id) => id))
      await world.stopAll()
    })

    it(`${name} loses nothing if the first worker never got as far as reading`, async () => {
      const world = new World({ shards: 2 })
      const first = world.makeWorker({ startAt })
      void first.worker.start()
      world.kinesis.intercept = ({ name: call }) => {
        if (call === 'getShardIterator') first.crash()
      }
      await world.clock.advance(1_000)
      world.kinesis.intercept = undefined
      world.putMany(10)
      await world.clock.advance(30_000)
      await world.startWorker({ startAt })
      await world.untilDelivered(60_000)
      await world.stopAll()
    })
  }

  it('LATEST of a lease that KCL wrote loses nothing over a restart before the first checkpoint', async () => {
    const world = await aWorldWithAPast(1)
    await world.store.create(newLease({ shardId: shardId(0), checkpoint: LATEST }))
    const first = await world.startWorker({ startAt: 'LATEST', handler: () => Promise.reject(new Error('not today')) })
    await world.clock.advance(10_000)
    const wanted = [world.put('a'), world.put('b')]
    await world.clock.advance(5_000)
    await world.await(first.worker.stop())
    const seen = world.ledger.deliveries.length
    await world.startWorker({ startAt: 'LATEST' })
    await world.clock.advance(30_000)
    expect(world.ledger.deliveries.slice(seen).map(({ id }) => id)).to.deep.equal(wanted)
    await world.stopAll()
  })

  it('LATEST skips nothing of a shard whose row was lost after the others were resharded', async () => {
    const world = new World({ shards: 2 })
    const first = await world.startWorker({ startAt: 'LATEST' })
    world.putMany(40)
    await world.clock.advance(5_000)
    world.kinesis.split(STREAM, shardId(1))
    world.putMany(40)
    // Until the row of the split shard, which tells when the application began, has been removed.
    await world.clock.advance(200_000)
    expect(await world.store.get(shardId(1))).to.equal(undefined)
    first.crash()
    world.putMany(40)
    const row = await world.store.get(shardId(0))
    if (row !== undefined) await world.store.remove(row)
    await world.startWorker({ startAt: 'LATEST' })
    await world.untilDelivered(60_000)
    await world.stopAll()
  })

  it('LATEST delivers everything of a shard that was split before it was first read', async () => {
    const world = new World()
    await world.clock.advance(1_000)
    const first = world.makeWorker({ startAt: 'LATEST' })
    void first.worker.start()
    await world.clock.settle()
    first.crash()
    world.putMany(10)
    world.kinesis.split(STREAM, 'shardId-000000000000')
    world.putMany(10)
    await world.clock.advance(30_000)
    await world.startWorker({ startAt: 'LATEST' })
    await world.untilDelivered(60_000)
    expect(world.ledger.outOfOrder()).to.deep.equal([])
    await world.stopAll()
  })
})
