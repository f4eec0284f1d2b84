import { expect } from 'chai'
import type { Handler } from '../../src/processor/handler-processor.ts'
import { FAULT_PROFILES, type FaultProfileName } from '../../src/testing/faults.ts'
import { type SimulateOptions, simulate, type World } from '../../src/testing/simulation.ts'
import { SimulationError } from '../../src/testing/violation.ts'
import type { WorkerOptions } from '../../src/worker/options.ts'
import { seeds } from '../support/seeds.ts'

const STREAM = 'clicks'

/** A world with a stream of `shards` shards and `records` records of 50 keys. */
function aWorld({
  shards = 2,
  records = 200,
  ...options
}: SimulateOptions & { shards?: number; records?: number } = {}) {
  const world = simulate(options)
  world.kinesis.createStream(STREAM, shards)
  for (let index = 0; index < records; index++) world.kinesis.put(STREAM, `user-${index % 50}`, `click-${index}`)
  return world
}

function anApplication(handler: Handler = () => {}): WorkerOptions {
  return { streamName: STREAM, applicationName: 'counter', startAt: 'TRIM_HORIZON', handler }
}

async function violationOf(work: Promise<unknown>): Promise<string> {
  const failure = await work.then(
    () => expect.fail('did not fail'),
    (error: unknown) => error
  )
  expect(failure).to.be.instanceOf(SimulationError)
  return (failure as SimulationError).violation.kind
}

/** Workers that crash, stand still, are cut off, start and stop, while the stream is split and merged. */
async function misfortunes(world: World, application: WorkerOptions, steps: number): Promise<void> {
  const { random } = world
  for (let step = 0; step < steps; step++) {
    for (let index = 0; index < 5; index++) world.kinesis.put(STREAM, `user-${Math.floor(random.next() * 50)}`, 'x')
    await world.advance(1_000)
    const running = world.workers.filter(({ isRunning }) => isRunning)
    const one = running[Math.floor(random.next() * running.length)]
    const draw = Math.floor(random.next() * 60)
    if (draw === 0 && one && running.length > 1) world.crash(one)
    if (draw === 1 && one) world.pause(one, 1_000 + random.next() * 30_000)
    if (draw === 2 && one) world.partition(one, random.next() < 0.5 ? 'dynamodb' : 'answers')
    if (draw === 3) for (const worker of running) world.heal(worker)
    if (draw === 4 && running.length < 4) world.launch(application, { clockRate: 0.95 + random.next() * 0.1 })
    if (draw === 5 && world.kinesis.shards(STREAM).length < 12) world.split(STREAM)
    if (draw === 6 && one && running.length > 1) void one.stop()
  }
}

describe('simulate', () => {
  it('runs real workers, from the start through a crash and a split to the last record', async () => {
    const seen = new Set<string>()
    const world = aWorld({ faults: 'rough', records: 1_000 })
    const counter = anApplication(records => {
      for (const record of records) seen.add(record.text())
    })
    const first = await world.start(counter)
    expect(first.worker.state).to.equal('running')
    await world.advance(20_000)
    world.split(STREAM, 'shardId-000000000000')
    world.crash(first)
    await world.start(counter)
    await world.advance(300_000)
    expect(seen.size).to.equal(1_000)
    world.assertSound()
    world.assertNothingLost()
    world.assertOrder()
    world.assertNoGracefulDuplicates()
  })

  it('is the same world, line by line, for the same seed, and another one for another', async () => {
    const run = async (seed: number, faults: FaultProfileName): Promise<string> => {
      const world = aWorld({ seed, faults })
      const application = anApplication()
      for (let index = 0; index < 3; index++) world.launch(application)
      await misfortunes(world, application, 60)
      return world.journal.hash()
    }
    expect(await run(1, 'hostile')).to.equal(await run(1, 'hostile'))
    expect(await run(1, 'hostile')).to.not.equal(await run(2, 'hostile'))
    expect(await run(1, 'none')).to.not.equal(await run(1, 'calm'))
  })

  for (const seed of seeds(4)) {
    for (const faults of ['none', 'hostile'] as const) {
      it(`finds nothing wrong with workers that meet ${faults} faults and misfortunes (SEED=${seed})`, async () => {
        const world = aWorld({ seed, faults })
        const application = anApplication()
        for (let index = 0; index < 3; index++)
          world.launch(application, { conduct: { takesMs: [0, 200], failing: 0.02 } })
        await misfortunes(world, application, 200)
        for (const worker of world.workers) {
          world.resume(worker)
          world.heal(worker)
        }
        await world.start(application)
        await world.untilProcessed()
        await world.stopAll()
        world.assertSound()
      })
    }
  }
})

describe('World', () => {
  describe('time', () => {
    it('moves until something holds, or says that it does not', async () => {
      const world = aWorld()
      const worker = world.launch(anApplication())
      await world.until(() => worker.shardIds.length === 2)
      expect(world.clock.monotonicMs()).to.be.within(100, 15_000)
      const failure = await world.until(() => false, 1_000).catch(String)
      expect(failure).to.include('1000 ms').and.include('SEED=1')
    })

    it('moves until a promise is settled, and rejects like it', async () => {
      const world = simulate()
      const sleeping = world.clock.sleep(5_000).then(() => 'woken')
      expect(await world.await(sleeping)).to.equal('woken')
      expect(await world.await(Promise.reject(new Error('no'))).catch(String)).to.equal('Error: no')
    })

    it('does not wait for a start that fails', async () => {
      const world = simulate()
      const failure = await world.start(anApplication()).catch((error: unknown) => error)
      expect(failure).to.have.property('kind', 'not-found')
    })
  })

  describe('crash', () => {
    it('ends a worker at once, and others take over what it had', async () => {
      const world = aWorld()
      const first = await world.start(anApplication())
      await world.until(() => first.shardIds.length === 2)
      const second = await world.start(anApplication())
      const crashedAtMs = world.clock.monotonicMs()
      world.crash(first)
      expect([first.isAlive, first.isPaused, first.isRunning]).to.deep.equal([false, false, false])
      await world.until(() => second.shardIds.length === 2)
      expect(world.clock.monotonicMs() - crashedAtMs).to.be.lessThan(20_000)
      world.resume(first)
      expect(first.isAlive).to.equal(false)
    })

    it('leaves what was sent on its way', async () => {
      const world = aWorld({ faults: 'calm' })
      const worker = await world.start(anApplication())
      world.faults.script({ call: 'checkpoint' }, { kind: 'none' }, { onLanded: () => world.crash(worker) })
      await world.until(() => !worker.isAlive)
      const rows = [...world.application(anApplication()).tables.leases.values()]
      expect(rows.filter(({ checkpoint }) => checkpoint.sequenceNumber !== 'TRIM_HORIZON')).to.have.length(1)
      await world.start(anApplication())
      await world.untilProcessed()
    })
  })

  describe('pause', () => {
    it('has a worker stand still for a while, and lose what it had if that is long', async () => {
      for (const [pausedMs, isLost] of [
        [5_000, false],
        [60_000, true]
      ] as const) {
        const world = aWorld()
        const [first, second] = [await world.start(anApplication()), await world.start(anApplication())]
        await world.until(() => first.shardIds.length === 1 && second.shardIds.length === 1)
        world.pause(first, pausedMs)
        expect(first.isPaused).to.equal(true)
        await world.advance(pausedMs + 1_000)
        expect(first.isPaused).to.equal(false)
        expect(first.events('session:died').length > 0, `${pausedMs} ms`).to.equal(isLost)
        await world.until(() => first.shardIds.length === 1 && second.shardIds.length === 1)
        world.assertSound()
      }
    })
  })

  describe('partition', () => {
    it('cuts a worker off from a service until it is healed', async () => {
      const world = aWorld()
      const worker = await world.start(anApplication())
      await world.until(() => worker.shardIds.length === 2)
      await world.untilProcessed()
      world.partition(worker, 'kinesis')
      world.kinesis.put(STREAM, 'user', 'x')
      await world.advance(60_000)
      expect([worker.partition, world.counts().deliveries]).to.deep.equal(['kinesis', 200])
      world.heal(worker)
      await world.untilProcessed(60_000)
      expect(world.counts().deliveries).to.equal(201)
    })
  })

  describe('stop', () => {
    it('has a worker hand over what it has, without a duplicate', async () => {
      const world = aWorld()
      const [first, second] = [await world.start(anApplication()), await world.start(anApplication())]
      await world.until(() => first.shardIds.length === 1 && second.shardIds.length === 1)
      await world.stop(first, { graceMs: 20_000 })
      expect([first.worker.state, first.isRunning, first.isAlive]).to.deep.equal(['stopped', false, true])
      await world.until(() => second.shardIds.length === 2)
      await world.untilProcessed()
      expect(world.counts().duplicates).to.equal(0)
    })

    it('waits for a worker that stands still', async () => {
      const world = aWorld()
      const worker = await world.start(anApplication())
      world.pause(worker, 30_000)
      const begunAtMs = world.clock.monotonicMs()
      await world.stop(worker)
      expect(world.clock.monotonicMs() - begunAtMs).to.be.at.least(30_000)
    })
  })

  describe('split and merge', () => {
    it('choose a shard if none is named', async () => {
      const world = aWorld({ shards: 3 })
      const children = world.split(STREAM)
      expect(world.kinesis.shards(STREAM).map(({ shardId }) => shardId)).to.include.members(children)
      const child = world.merge(STREAM)
      const merged = world.kinesis.shards(STREAM).find(({ shardId }) => shardId === child)
      expect(merged?.adjacentParentShardId).to.be.a('string')
      expect(() => world.merge(STREAM, 'none')).to.throw(RangeError)
      await world.start(anApplication())
      await world.untilProcessed()
    })
  })

  describe('a violation', () => {
    /** A table that takes whatever an owner writes, however old the row is that it is made from. */
    const withoutFence: SimulateOptions['sabotage'] = ({ store, control }) => ({
      control,
      store: {
        ...store,
        replace: async (before, after) => {
          const row = await store.get(before.leaseKey)
          const isOwners = before.owner !== undefined && (after.owner ?? before.owner) === before.owner
          return store.replace(isOwners && row !== undefined ? row : before, after)
        }
      }
    })

    it('stops time and says what happened, with the seed and the log', async () => {
      const world = aWorld({ seed: 3, faults: 'calm', sabotage: withoutFence, replay: 'npm run again' })
      const first = await world.start(anApplication(), { conduct: { takesMs: [3_000, 3_000] } })
      await world.until(() => first.shardIds.length === 2)
      await world.advance(1_000)
      world.partition(first, 'dynamodb')
      await world.start(anApplication())
      const failure = await world.advance(60_000).then(
        () => world.heal(first),
        (error: unknown) => error
      )
      const rest = failure ?? (await world.advance(60_000).catch((error: unknown) => error))
      expect(rest).to.be.instanceOf(SimulationError)
      const { violation, message } = rest as SimulationError
      expect(violation).to.include({ kind: 'zombie-write', seed: 3 })
      expect(message).to.include('npm run again').and.include('claim: w2/')
      expect(violation.log.length).to.be.within(5, 40)
    })

    it('is one of the records that nobody processes', async () => {
      const world = aWorld({ records: 1 })
      await world.start(
        anApplication(() => {
          throw new Error('never')
        })
      )
      expect(await violationOf(world.untilProcessed(30_000))).to.equal('lost')
      expect(() => world.assertNoGracefulDuplicates()).to.not.throw()
      expect(() => world.assertSound()).to.throw(SimulationError, '1 records of shardId-')
    })

    it('is only noted if that is asked for', async () => {
      const world = aWorld({ records: 1, onViolation: 'collect' })
      expect(() => world.assertNothingLost()).to.not.throw()
      await world.start(anApplication(() => new Promise(() => {})))
      await world.advance(60_000)
      expect(() => world.assertNothingLost()).to.throw(SimulationError)
      await world.advance(1_000)
      expect(world.violations.map(({ kind }) => kind)).to.deep.equal(['lost'])
    })
  })

  describe('applications', () => {
    it('have tables of their own, and count what they ask for', async () => {
      const world = aWorld()
      const other: WorkerOptions = { ...anApplication(), applicationName: 'other' }
      await world.start(anApplication())
      await world.start(other)
      await world.untilProcessed()
      expect(world.counts().deliveries).to.equal(400)
      for (const options of [anApplication(), other]) {
        const { tables } = world.application(options)
        expect(tables.leases.size).to.equal(2)
        const { byKind } = tables.usage.report()
        expect(byKind.claim?.requests).to.equal(2)
        expect(byKind.checkpoint?.requests).to.be.at.least(2)
        expect(byKind.heartbeat?.units).to.be.greaterThan(1)
      }
    })

    it('are not expected to process what came before their beginning', async () => {
      const world = aWorld({ records: 50 })
      await world.advance(2_000)
      const latest: WorkerOptions = { ...anApplication(), startAt: 'LATEST' }
      await world.start(latest)
      await world.advance(2_000)
      for (let index = 0; index < 50; index++) world.kinesis.put(STREAM, `user-${index}`, 'x')
      await world.untilProcessed()
      expect(world.counts().deliveries).to.equal(50)
    })
  })

  it('takes a profile of faults of one’s own, and a lag', async () => {
    const world = aWorld({ faults: { ...FAULT_PROFILES.calm, lagMs: 60_000 }, lagMs: 30_000 })
    await world.start(anApplication())
    await world.untilProcessed()
    world.assertSound()
  })

  it('tells of writes and deliveries as they happen', async () => {
    const told: string[] = []
    const world = aWorld({
      leaseWritten: ({ kind, writer }) => told.push(`${writer} ${kind}`),
      delivered: ({ worker, entries }) => told.push(`${worker.name} delivers ${entries.length}`)
    })
    await world.start(anApplication(), { name: 'alice' })
    await world.untilProcessed()
    expect(told).to.include.members(['alice create', 'alice claim', 'alice checkpoint'])
    expect(told.filter(line => line.startsWith('alice delivers'))).to.have.length(2)
  })
})
