// Whole workers that read by enhanced fan-out, in a simulated world: what comes and goes beside the records loses none of them,
// keeps their order, and repeats nothing but what was under way.
import { expect } from 'chai'
import { ServiceError, type WorkerOptions } from '../../src/index.ts'
import type { SimulatedWorker } from '../../src/testing/simulated-worker.ts'
import { simulate, type World } from '../../src/testing/simulation.ts'
import { seeds } from '../support/seeds.ts'

const STREAM = 'orders'
const MINUTE = 60_000
const FAN_OUT = { mode: 'fan-out', consumerName: 'app' } as const

function options(retrieval: WorkerOptions['retrieval'], handler: WorkerOptions['handler'] = () => {}): WorkerOptions {
  return { streamName: STREAM, applicationName: 'app', startAt: 'TRIM_HORIZON', retrieval, handler } as WorkerOptions
}

function aWorld(shards: number, settings: Parameters<typeof simulate>[0] = {}): World {
  const world = simulate(settings)
  world.kinesis.createStream(STREAM, shards)
  return world
}

/** Puts records of random keys for `ms` milliseconds; `onTick` four times a second. */
async function load(world: World, ms: number, onTick: () => void = () => {}): Promise<void> {
  for (const untilMs = world.clock.monotonicMs() + ms; world.clock.monotonicMs() < untilMs; ) {
    for (let count = Math.floor(world.random.next() * 5); count > 0; count--) {
      world.kinesis.put(STREAM, `key-${Math.floor(world.random.next() * 50)}`, 'payload')
    }
    onTick()
    await world.advance(250)
  }
}

/** How often Kinesis is called, by name, from now on. */
function countCalls(world: World): Map<string, number> {
  const counts = new Map<string, number>()
  world.kinesis.intercept = ({ name }) => {
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

async function expectDone(world: World): Promise<void> {
  await world.untilProcessed()
  world.assertSound()
}

describe('reading by fan-out', () => {
  it('reads a stream with one consumer for all workers, and polls nothing', async () => {
    const world = aWorld(6)
    const calls = countCalls(world)
    const workers = Array.from({ length: 3 }, () => world.launch(options(FAN_OUT)))
    await world.await(Promise.all(workers.map(({ started }) => started)))
    await load(world, 2 * MINUTE)
    await expectDone(world)
    await world.stopAll()
    expect(calls.get('getRecords')).to.equal(undefined)
    const { consumerArn } = await world.kinesis.fanOut(STREAM).describeConsumer({ consumerName: 'app' })
    expect(consumerArn).to.include('consumer/app:')
    expect(world.counts()).to.include({ duplicates: 0 })
  })

  it('is handed what was put within milliseconds', async () => {
    const world = aWorld(1)
    const latencies: number[] = []
    await world.start(
      options(FAN_OUT, records => {
        for (const { arrivedAtMs = 0 } of records) latencies.push(world.clock.epochMs() - arrivedAtMs)
      })
    )
    await world.advance(10_000)
    latencies.length = 0
    await load(world, MINUTE)
    await expectDone(world)
    expect(Math.max(...latencies)).to.be.at.most(20)
    await world.stopAll()
  })

  it('R12: loses and repeats nothing where a batch is processed for longer than a subscription lasts', async () => {
    const world = aWorld(2)
    await world.start(options(FAN_OUT, () => world.clock.sleep(11 * MINUTE)))
    await load(world, 40 * MINUTE)
    await world.untilProcessed(120 * MINUTE)
    world.assertSound()
    expect(world.counts()).to.include({ duplicates: 0 })
    await world.stopAll()
  })

  it('R10: reads through splits and merges, each child after its parents', async () => {
    const world = aWorld(2)
    await world.start(options(FAN_OUT))
    await world.start(options(FAN_OUT))
    for (let round = 0; round < 6; round++) {
      await load(world, 20_000)
      if (round % 2 === 0) world.split(STREAM)
      else world.merge(STREAM)
    }
    await load(world, 20_000)
    await expectDone(world)
    world.assertOrder()
    expect(world.counts()).to.include({ duplicates: 0 })
    await world.stopAll()
  })

  it('R13: reads hundreds of shards in one worker, within a budget that is small for so many', async () => {
    const world = aWorld(300)
    const calls = countCalls(world)
    await world.start(
      options({ ...FAN_OUT, maxBufferedBytes: 1_048_576 }, () => world.clock.sleep(world.random.next() * 100))
    )
    for (let round = 0; round < 5; round++) {
      for (let index = 0; index < 600; index++)
        world.kinesis.put(STREAM, `key-${round}-${index}`, new Uint8Array(2_000))
      await world.advance(2_000)
    }
    await expectDone(world)
    expect(calls.get('subscribeToShard')).to.equal(300)
    expect(world.counts()).to.include({ deliveries: 3_000, duplicates: 0 })
    await world.stopAll()
  })

  it('R14: goes on with a consumer of its own making when that was deleted', async () => {
    const world = aWorld(4)
    const worker = await world.start(options(FAN_OUT))
    await load(world, 20_000)
    const port = world.kinesis.fanOut(STREAM)
    const { consumerArn } = await port.describeConsumer({ consumerName: 'app' })
    await port.deregisterConsumer(consumerArn)
    await load(world, MINUTE)
    await expectDone(world)
    expect((await port.describeConsumer({ consumerName: 'app' })).consumerArn).to.not.equal(consumerArn)
    expect(worker.events('shard:retrieval-changed')).to.deep.equal([])
    expect(world.counts()).to.include({ duplicates: 0 })
    await world.stopAll()
  })

  it('polls while fan-out is denied, tells so, and changes back by itself', async () => {
    const world = aWorld(4)
    const worker = await world.start(options(FAN_OUT))
    await load(world, 30_000)
    world.kinesis.intercept = ({ name }) => {
      if (name !== 'subscribeToShard') return
      throw new ServiceError('access-denied', 'allow kinesis:SubscribeToShard', { retryable: false })
    }
    world.kinesis.disconnect(STREAM)
    await load(world, 2 * MINUTE)
    await expectDone(world)
    const changes = (): [string, string][] =>
      worker.events('shard:retrieval-changed').map(({ shardId, mode }) => [shardId, mode])
    expect(changes()).to.have.length(4)
    world.kinesis.intercept = undefined
    await load(world, 8 * MINUTE)
    await expectDone(world)
    expect(
      changes()
        .slice(4)
        .map(([, mode]) => mode)
    ).to.deep.equal(Array(4).fill('fan-out'))
    expect(world.counts()).to.include({ duplicates: 0 })
    await world.stopAll()
  })

  it('tries for ever where it is not to fall back', async () => {
    const world = aWorld(2)
    world.kinesis.intercept = ({ name }) => {
      if (name === 'registerConsumer') throw new ServiceError('access-denied', 'allow it', { retryable: false })
    }
    const worker = await world.start(options({ ...FAN_OUT, fallback: 'none' }))
    await load(world, 10 * MINUTE)
    expect(world.counts().deliveries).to.equal(0)
    expect(worker.events('shard:failed').length).to.be.within(50, 200)
    world.kinesis.intercept = undefined
    await expectDone(world)
    await world.stopAll()
  })

  for (const fallback of ['polling', 'none'] as const) {
    it(`skips nothing of a closed shard that SubscribeToShard does not find for a while, with fallback ${fallback}`, async () => {
      const world = aWorld(1)
      const worker = await world.start(options({ ...FAN_OUT, fallback }))
      await world.advance(20_000)
      world.kinesis.intercept = ({ name }) => {
        if (name === 'subscribeToShard') throw new ServiceError('not-found', 'no such consumer', { retryable: false })
      }
      world.kinesis.disconnect(STREAM)
      await world.advance(500)
      for (let index = 0; index < 50; index++) world.kinesis.put(STREAM, `key-${index}`, 'payload')
      world.split(STREAM)
      await world.advance(30_000)
      expect(world.counts().deliveries).to.equal(fallback === 'polling' ? 50 : 0)
      world.kinesis.intercept = undefined
      await expectDone(world)
      expect(world.counts()).to.include({ deliveries: 50, duplicates: 0 })
      expect(worker.events('shard:ended')).to.have.length(1)
      await world.stopAll()
    })

    it(`is done with a shard that has expired while it was read, with fallback ${fallback}`, async () => {
      const world = aWorld(1)
      const worker = await world.start(options({ ...FAN_OUT, fallback }))
      await world.advance(20_000)
      await expectDone(world)
      world.kinesis.intercept = ({ name, shardId }) => {
        if ((name !== 'subscribeToShard' && name !== 'getShardIterator') || shardId !== 'shardId-000000000000') return
        throw new ServiceError('not-found', 'no such shard', { retryable: false })
      }
      world.kinesis.disconnect(STREAM)
      await world.advance(500)
      world.split(STREAM)
      await world.advance(60_000)
      expect(worker.events('shard:ended').map(({ shardId }) => shardId)).to.deep.equal(['shardId-000000000000'])
      for (let index = 0; index < 20; index++) world.kinesis.put(STREAM, `key-${index}`, 'payload')
      await expectDone(world)
      await world.stopAll()
    })
  }

  it('loses nothing when a running fleet changes from polling to fan-out and back, worker by worker', async () => {
    const world = aWorld(6)
    let fleet: SimulatedWorker[] = []
    for (let index = 0; index < 3; index++) fleet.push(await world.start(options({ mode: 'polling' })))
    for (const retrieval of [FAN_OUT, { mode: 'polling' }] as const) {
      const next: SimulatedWorker[] = []
      for (const old of fleet) {
        next.push(await world.start(options(retrieval)))
        await load(world, 10_000)
        const stopping = world.stop(old)
        await stopping
        await load(world, 20_000)
      }
      fleet = next
      await load(world, MINUTE)
    }
    await expectDone(world)
    world.assertNoGracefulDuplicates()
    world.assertOrder()
    expect(world.counts()).to.include({ duplicates: 0 })
    await world.stopAll()
  })

  for (const faults of ['calm', 'rough', 'hostile'] as const) {
    it(`loses nothing and keeps the order in a ${faults} world: crashes, pauses, partitions, resharding, broken connections`, async () => {
      for (const seed of seeds(2)) {
        const world = aWorld(4, { seed, faults })
        for (let index = 0; index < 3; index++) await world.start(options(FAN_OUT))
        await load(world, 4 * MINUTE, () => strike(world))
        world.faults.profile = { ...world.faults.profile, kinesis: { ...world.faults.profile.kinesis, hang: 0 } }
        for (const worker of world.workers) {
          world.resume(worker)
          world.heal(worker)
        }
        await world.untilProcessed(30 * MINUTE)
        world.assertSound()
        await world.stopAll()
      }
    })
  }
})

/** Once in a while, something that happens to a fleet. */
function strike(world: World): void {
  const running = world.workers.filter(({ isRunning, isPaused }) => isRunning && !isPaused)
  const [worker] = running.length > 2 ? running : []
  const chance = world.random.next()
  if (chance < 0.02) world.kinesis.disconnect(STREAM)
  else if (chance < 0.025) world.split(STREAM)
  else if (chance < 0.028 && worker !== undefined) {
    world.crash(worker)
    world.launch(options(FAN_OUT))
  } else if (chance < 0.035 && worker !== undefined) world.pause(worker, world.random.next() * 40_000)
  else if (chance < 0.04 && worker !== undefined && worker.partition === undefined) {
    world.partition(worker, 'kinesis')
    void world.clock.sleep(world.random.next() * MINUTE).then(() => world.heal(worker))
  }
}
