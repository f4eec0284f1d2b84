// Streams, tables and records that are not as they ought to be.
import { expect } from 'chai'
import {
  type ConsumedRecord,
  type ConsumerError,
  type ProcessRecordsInput,
  RecordProcessor,
  ServiceError,
  TableMismatchError
} from '../../src/index.ts'
import { STREAM, World, type WorldWorkerOptions } from '../support/world.ts'

const SHARD = 'shardId-000000000000'

/** How starting a worker ends. */
async function startError(world: World, options: WorldWorkerOptions = {}): Promise<unknown> {
  const { worker } = world.makeWorker(options)
  const finished = worker.finished.catch((error: unknown) => error)
  const error = await world.await(worker.start().catch((reason: unknown) => reason))
  expect(await finished).to.equal(error)
  expect(worker.state).to.equal('stopped')
  expect(world.clock.sleeping, 'timers').to.equal(0)
  return error
}

async function checkpoints(world: World): Promise<Record<string, string>> {
  const { leases } = await world.store.list()
  return Object.fromEntries(leases.map(({ leaseKey, checkpoint }) => [leaseKey, checkpoint.sequenceNumber]))
}

describe('a stream', () => {
  it('that does not exist is named by start(), at once', async () => {
    const world = new World({ shards: 0 })
    const error = await startError(world)
    expect(error).to.be.instanceOf(ServiceError).and.include({ kind: 'not-found', retryable: false })
    expect((error as Error).message).to.include(STREAM)
    expect(world.clock.monotonicMs()).to.be.lessThan(1_000)
  })

  it('that is being created is waited for', async () => {
    const world = new World()
    world.kinesis.setStatus(STREAM, 'CREATING')
    const member = world.makeWorker()
    const started = member.worker.start()
    await world.clock.advance(45_000)
    expect(member.worker.state).to.equal('starting')
    world.kinesis.setStatus(STREAM, 'ACTIVE')
    await world.await(started, 15_000)
    world.putMany(10)
    await world.untilDelivered()
    await world.stopAll()
  })

  it('that is not created within five minutes makes start() reject', async () => {
    const world = new World()
    world.kinesis.setStatus(STREAM, 'CREATING')
    const { worker } = world.makeWorker()
    const error = await world.await(
      worker.start().catch((reason: unknown) => reason),
      3_600_000
    )
    expect(error).to.be.instanceOf(ServiceError).and.include({ kind: 'in-use' })
    expect(world.clock.monotonicMs()).to.be.within(300_000, 320_000)
    expect(world.clock.sleeping).to.equal(0)
  })

  it('that is being deleted is refused', async () => {
    const world = new World()
    world.kinesis.setStatus(STREAM, 'DELETING')
    expect(await startError(world))
      .to.be.instanceOf(ServiceError)
      .and.include({ kind: 'not-found' })
  })

  it('that is deleted while it is read ends the worker with an error that says so', async () => {
    const world = new World({ shards: 3 })
    world.putMany(10)
    const member = await world.startWorker()
    await world.untilDelivered()
    world.kinesis.deleteStream(STREAM)
    const error = await world.await(member.worker.finished.catch((reason: unknown) => reason))
    expect(error).to.be.instanceOf(ServiceError).and.include({ kind: 'not-found' })
    expect((error as Error).message).to.match(/orders.*does not exist/)
    expect(member.worker.state).to.equal('stopped')
    expect(Object.values(await checkpoints(world))).to.not.include('SHARD_END')
    expect(world.clock.sleeping).to.equal(0)
  })

  it('that was created again is refused while the table has the leases of the earlier one', async () => {
    const world = new World({ shards: 2 })
    world.putMany(10)
    await world.startWorker()
    await world.untilDelivered()
    await world.stopAll()
    const before = await checkpoints(world)
    await world.clock.advance(5_000)
    world.kinesis.deleteStream(STREAM)
    world.kinesis.createStream(STREAM, 2)
    const error = await startError(world)
    expect(error).to.be.instanceOf(TableMismatchError)
    expect((error as Error).message).to.include('start-over')
    expect(await checkpoints(world)).to.deep.equal(before)
  })

  it("that was created again is read from the beginning with onRecreatedStream: 'start-over'", async () => {
    const world = new World({ shards: 2 })
    world.putMany(10)
    await world.startWorker()
    await world.untilDelivered()
    await world.stopAll()
    await world.clock.advance(5_000)
    world.kinesis.deleteStream(STREAM)
    world.kinesis.createStream(STREAM, 3)
    world.putMany(10)
    const member = await world.startWorker({ onRecreatedStream: 'start-over' })
    await world.untilDelivered()
    expect(member.events('stream:recreated')).to.have.length(1)
    expect(member.worker.shardIds).to.have.length(3)
    expect(world.ledger.duplicates()).to.deep.equal([])
    await world.stopAll()
  })

  for (const onRecreatedStream of ['refuse', 'start-over'] as const) {
    it(`that is created again while it is read ends the worker, also with '${onRecreatedStream}'`, async () => {
      const world = new World({ shards: 2 })
      const member = await world.startWorker({ onRecreatedStream })
      world.putMany(10)
      await world.untilDelivered()
      world.kinesis.deleteStream(STREAM)
      world.kinesis.createStream(STREAM, 2)
      const error = await world.await(member.worker.finished.catch((reason: unknown) => reason))
      expect(error).to.be.instanceOf(TableMismatchError)
      expect((error as Error).message).to.include('created again')
      expect(Object.values(await checkpoints(world))).to.not.include('SHARD_END')

      world.putMany(10)
      await world.startWorker({ onRecreatedStream: 'start-over' })
      await world.untilDelivered()
      await world.stopAll()
    })
  }
})

describe('a lease table', () => {
  it('of another stream is refused and left alone', async () => {
    const world = new World()
    await world.startWorker()
    await world.stopAll()
    const before = await world.store.list()
    world.kinesis.createStream('clicks', 2)
    const error = await startError(world, { streamName: 'clicks' })
    expect(error).to.be.instanceOf(TableMismatchError)
    expect((error as Error).message).to.match(/stream\/orders.*stream\/clicks/)
    expect(await world.store.list()).to.deep.equal(before)
  })

  it('from which a row is deleted under a live worker gets it back, where it was', async () => {
    const world = new World({ shards: 2 })
    const member = await world.startWorker()
    world.putMany(20)
    await world.untilDelivered()
    const row = await world.store.get(SHARD)
    expect(row).to.not.equal(undefined)
    if (row) await world.store.remove(row)
    world.putMany(20)
    await world.untilDelivered(60_000)
    await world.clock.advance(60_000)
    expect((await world.store.get(SHARD))?.owner).to.not.equal(undefined)
    expect(member.worker.shardIds).to.have.length(2)
    expect(member.events('lease:lost').map(({ shardId }) => shardId)).to.deep.equal([SHARD])
    const again = world.ledger.duplicates().filter(({ id }) => id < 20)
    expect(again, 'everything before the deletion was checkpointed').to.deep.equal([])
    expect(world.ledger.outOfOrder()).to.deep.equal([])
    await world.stopAll()
  })

  it('from which a row is deleted while nobody runs gets it back, and nothing is missing', async () => {
    const world = new World({ shards: 2 })
    await world.startWorker({ startAt: 'LATEST' })
    world.putMany(20)
    await world.untilDelivered()
    await world.stopAll()
    const row = await world.store.get(SHARD)
    if (row) await world.store.remove(row)
    world.putMany(20)
    await world.clock.advance(60_000)
    const member = await world.startWorker({ startAt: 'LATEST' })
    await world.untilDelivered(60_000)
    expect(member.events('lease:created').map(({ shardId }) => shardId)).to.deep.equal([SHARD])
    await world.stopAll()
  })

  it('from which a row is deleted that a crashed worker held is repaired by the others', async () => {
    const world = new World({ shards: 4 })
    const victim = await world.startWorker()
    const other = await world.startWorker()
    await world.load(30_000)
    victim.crash()
    for (const shardId of victim.worker.shardIds) {
      const row = await world.store.get(shardId)
      if (row) await world.store.remove(row)
    }
    await world.load(120_000)
    await world.untilDelivered()
    expect(other.worker.shardIds).to.have.length(4)
    expect(world.ledger.outOfOrder()).to.deep.equal([])
    await world.stopAll()
  })

  it('from which every row is deleted is filled again', async () => {
    const world = new World({ shards: 3 })
    await world.startWorker()
    await world.load(5_000)
    for (const row of (await world.store.list()).leases) await world.store.remove(row)
    await world.load(120_000)
    await world.untilDelivered()
    expect(world.loads()).to.deep.equal([3])
    await world.stopAll()
  })
})

describe('two workers with the same workerId', () => {
  it('share the shards as two workers, and neither can checkpoint for the other', async () => {
    const world = new World({ shards: 4, latencyMs: 20 })
    const late: unknown[] = []
    class Careful extends RecordProcessor {
      async processRecords({ records, shardId, checkpointer }: ProcessRecordsInput): Promise<void> {
        first.note(records, shardId)
        // Long enough to be paused in the middle of it.
        await first.clock.sleep(100)
        await checkpointer.checkpoint().catch((error: unknown) => {
          late.push(error)
        })
      }
    }
    const first = world.makeWorker({ workerId: 'twin', processor: () => new Careful() })
    void first.worker.start()
    await world.load(10_000)
    const second = world.makeWorker({ workerId: 'twin' })
    void second.worker.start()
    await world.load(30_000)
    expect(world.loads()).to.deep.equal([2, 2])
    const before = world.ledger.deliveries.length
    world.putMany(40)
    const isGivenSome = (): boolean => world.ledger.deliveries.slice(before).some(({ worker }) => worker === first.name)
    await world.clock.advanceUntil(isGivenSome)
    first.pause()
    await world.load(30_000)
    first.resume()
    await world.load(60_000)
    expect(world.loads()).to.deep.equal([2, 2])
    await world.untilDelivered()
    expect(world.ledger.outOfOrder()).to.deep.equal([])
    expect(late.length).to.be.greaterThan(0)
    // Lost, or not known to be held yet: refused in either case.
    for (const error of late) expect(['LEASE_LOST', 'CHECKPOINT_REFUSED']).to.include((error as ConsumerError).code)
    await world.stopAll()
  })
})

describe('records', () => {
  it('of any key come as they were put, in order', async () => {
    const keys = ['__proto__', 'constructor', '2', '10', '🦆', ' ', 'ключ', 'a'.repeat(256), '\u0000']
    const world = new World({ shards: 4 })
    for (let round = 0; round < 5; round++) for (const key of keys) world.put(key)
    await world.startWorker()
    await world.untilDelivered()
    expect([...new Set(world.ledger.deliveries.map(({ key }) => key))].sort()).to.deep.equal([...keys].sort())
    expect(world.ledger.outOfOrder()).to.deep.equal([])
    expect(world.ledger.duplicates()).to.deep.equal([])
    await world.stopAll()
  })

  it('of no byte, 1 MiB and 10 MiB are delivered, within the limits of the shard', async () => {
    const MIB = 1024 * 1024
    const sizes = [0, MIB, 10 * MIB, 0, 5, 10 * MIB, 10 * MIB, MIB, 0]
    const world = new World({ enforceLimits: true })
    for (const size of sizes) world.kinesis.put(STREAM, 'key', new Uint8Array(size).fill(7))
    const seen: ConsumedRecord[] = []
    const member = await world.startWorker({
      processor: () =>
        new (class extends RecordProcessor {
          processRecords({ records, checkpointer }: ProcessRecordsInput): Promise<void> {
            seen.push(...records)
            return checkpointer.checkpoint()
          }
        })()
    })
    await world.clock.advanceUntil(() => seen.length === sizes.length, 60_000)
    expect(seen.map(({ data }) => data.length)).to.deep.equal(sizes)
    expect(member.events('shard:failed')).to.deep.equal([])
    await world.stopAll()
  })
})
