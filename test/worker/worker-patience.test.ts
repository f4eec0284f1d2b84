// How long a worker waits: for services that are busy while it starts, for processors that are busy while it stops, and for
// shards that others may be able to read.
import { expect } from 'chai'
import {
  type LeaseStore,
  ServiceError,
  silentLogger,
  ThrottledError,
  Worker,
  type WorkerOptions
} from '../../src/index.ts'
import { shardId } from '../support/builders.ts'
import { type Faults, flakyStore } from '../support/flaky-store.ts'
import { STREAM, World } from '../support/world.ts'

const BUSY_MS = 20_000

/** A worker on the stream of a world, with a lease table that has faults. */
function workerWith(world: World, faults: Faults, more: Partial<WorkerOptions> = {}): Worker {
  const store: LeaseStore = flakyStore(world.store, world.clock, faults)
  const given = { streamName: STREAM, applicationName: 'app', logger: silentLogger, handler: () => {}, ...more }
  const { clock, random, control } = world
  return new Worker(given as WorkerOptions, { clock, random, kinesis: world.kinesis.port(STREAM), store, control })
}

/** A handler whose calls take `ms` milliseconds, and when each of them returned. */
function slowHandler(world: World, ms: number): { readonly handler: () => Promise<void>; readonly returned: number[] } {
  const returned: number[] = []
  const handler = async (): Promise<void> => {
    await world.clock.sleep(ms)
    returned.push(world.clock.monotonicMs())
  }
  return { handler, returned }
}

describe('a worker that starts', () => {
  it('waits for a lease table that is throttled', async () => {
    const world = new World({ shards: 2 })
    const isBusy = (): boolean => world.clock.monotonicMs() < BUSY_MS
    const worker = workerWith(world, ({ name }) => (name === 'list' && isBusy() ? { kind: 'throttled' } : undefined))
    await world.await(worker.start())
    expect(world.clock.monotonicMs()).to.be.within(BUSY_MS, 2 * BUSY_MS)
    await world.clock.advance(5_000)
    expect(worker.shardIds).to.have.length(2)
    await world.await(worker.stop())
  })

  for (const error of [
    new ThrottledError('slow down'),
    new ServiceError('other', 'the listing does not fit together', { retryable: true })
  ]) {
    it(`waits for shards that cannot be listed: ${error.message}`, async () => {
      const world = new World({ shards: 2 })
      world.kinesis.intercept = ({ name }) => {
        if (name === 'listShards' && world.clock.monotonicMs() < BUSY_MS) throw error
      }
      const { worker } = await world.startWorker()
      await world.clock.advanceUntil(() => worker.shardIds.length > 0)
      expect(world.clock.monotonicMs()).to.be.within(BUSY_MS, 3 * BUSY_MS)
      await world.clock.advance(1_000)
      expect(worker.shardIds).to.have.length(2)
      await world.stopAll()
    })
  }

  it('gives up at last, with the error that it met', async () => {
    const world = new World()
    const worker = workerWith(world, ({ name }) => (name === 'list' ? { kind: 'throttled' } : undefined))
    const error = await world.await(worker.start().catch((reason: unknown) => reason))
    expect(error).to.be.instanceOf(ThrottledError)
    expect(world.clock.monotonicMs()).to.be.within(30_000, 300_000)
  })
})

describe('a worker that stops', () => {
  it('waits 30 seconds for processors unless told otherwise', async () => {
    for (const [ms, isWaitedFor] of [
      [25_000, true],
      [35_000, false]
    ] as const) {
      const world = new World()
      const { handler, returned } = slowHandler(world, ms)
      const { worker } = await world.startWorker({ handler })
      world.put('key')
      await world.clock.advanceUntil(() => world.ledger.isComplete)
      await world.await(worker.stop())
      expect(returned.length > 0, `${ms} ms`).to.equal(isWaitedFor)
      await world.clock.advance(60_000)
    }
  })

  it('because a processor failed for good waits for the others', async () => {
    const world = new World({ shards: 2 })
    const { handler: slow, returned } = slowHandler(world, 10_000)
    const member = await world.startWorker({
      handler: (_, { shardId: id }) => (id === shardId(0) ? slow() : Promise.reject(new Error('broken'))),
      // biome-ignore lint/suspicious/noThenProperty: that is the name of the option
      onProcessorError: { attempts: 1, then: 'stop' }
    })
    world.putMany(20)
    const outcome = await world.await(member.worker.finished.catch((error: unknown) => error))
    expect(outcome).to.have.property('message').that.includes('broken')
    expect(returned).to.have.length(1)
    expect((await world.store.get(shardId(0)))?.checkpoint.sequenceNumber).to.match(/^\d+$/)
  })
})

describe('a worker that cannot read a shard for good', () => {
  it('leaves it to others for a while', async () => {
    const world = new World({ shards: 2 })
    const member = await world.startWorker()
    world.putMany(20)
    await world.untilDelivered()
    world.kinesis.intercept = call => {
      const isDenied = call.name === 'getRecords' && call.shardId === shardId(0)
      if (isDenied) throw new ServiceError('access-denied', 'not allowed', { retryable: false })
    }
    await world.clock.advanceUntil(() => member.events('lease:released').length > 0, 60_000)
    const [released] = member.events('lease:released')
    await world.clock.advance(60_000)
    const [again] = member.events('lease:taken').filter(({ atMs }) => atMs > (released?.atMs ?? 0))
    expect((again?.atMs ?? 0) - (released?.atMs ?? 0)).to.be.within(30_000, 45_000)
    world.kinesis.intercept = undefined
    await world.stopAll()
  })
})
