import { expect } from 'chai'
import {
  OptionError,
  RecordProcessor,
  ServiceError,
  silentLogger,
  Worker,
  WorkerStoppedError
} from '../../src/index.ts'
import type { LeaseStore } from '../../src/leases/lease-store.ts'
import { seeds } from '../support/seeds.ts'
import { type Member, STREAM, World } from '../support/world.ts'

const SHARD = 'shardId-000000000000'

/** What is left of a worker that has stopped: nothing. */
async function expectNothingLeft(world: World): Promise<void> {
  expect(world.clock.sleeping, 'timers').to.equal(0)
  const { leases } = await world.store.list()
  const owned = leases.filter(({ owner }) => owner !== undefined).map(({ leaseKey }) => leaseKey)
  expect(owned, 'owned leases').to.deep.equal([])
}

/** A hook that resolves when the named call is made, and holds it up until released. */
function holdUp(world: World, name: string): { reached: Promise<void>; release: () => void } {
  let reach = (): void => {}
  let release = (): void => {}
  const reached = new Promise<void>(resolve => {
    reach = resolve
  })
  const released = new Promise<void>(resolve => {
    release = resolve
  })
  world.kinesis.intercept = async call => {
    if (call.name !== name) return
    reach()
    await released
  }
  return { reached, release }
}

describe('Worker', () => {
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => void unhandled.push(reason)
  before(() => process.on('unhandledRejection', note))
  after(() => process.off('unhandledRejection', note))
  afterEach(async () => {
    await new Promise(resolve => setImmediate(resolve))
    expect(unhandled.splice(0), 'unhandled rejections').to.deep.equal([])
  })

  it('goes from idle over starting and running to stopped', async () => {
    const world = new World({ latencyMs: 10 })
    const { worker, ...member } = world.makeWorker()
    expect(worker.state).to.equal('idle')
    expect(worker.workerId).to.equal('w1')
    expect(worker.shardIds).to.deep.equal([])
    const started = worker.start()
    expect(worker.state).to.equal('starting')
    await world.await(started)
    expect(worker.state).to.equal('running')
    await world.clock.advance(3_000)
    expect(worker.shardIds).to.deep.equal([SHARD])
    const stopped = worker.stop()
    expect(worker.state).to.equal('stopping')
    await world.await(stopped)
    expect(worker.state).to.equal('stopped')
    expect(worker.shardIds).to.deep.equal([])
    await worker.finished
    expect(member.name).to.equal('w1')
    await expectNothingLeft(world)
  })

  it('tells of its life in order', async () => {
    const world = new World()
    const order: string[] = []
    const { worker } = world.makeWorker()
    for (const name of [
      'worker:started',
      'worker:stopping',
      'worker:stopped',
      'lease:taken',
      'lease:released'
    ] as const) {
      worker.on(name, () => order.push(name))
    }
    await world.await(worker.start())
    await world.clock.advance(3_000)
    await world.await(worker.stop())
    expect(order).to.deep.equal([
      'worker:started',
      'lease:taken',
      'worker:stopping',
      'lease:released',
      'worker:stopped'
    ])
  })

  it('returns itself from on, once and off', () => {
    const { worker } = new World().makeWorker()
    const listener = (): void => {}
    expect(worker.on('error', listener).once('error', listener).off('error', listener)).to.equal(worker)
  })

  it('refuses wrong options before anything is called', () => {
    expect(() => new Worker({ streamName: '', applicationName: 'app', handler: () => {} })).to.throw(OptionError)
  })

  it('returns the first promise when started again', async () => {
    const world = new World({ latencyMs: 10 })
    const { worker, events } = world.makeWorker()
    const first = worker.start()
    expect(worker.start()).to.equal(first)
    await world.await(first)
    expect(worker.start()).to.equal(first)
    await world.stopAll()
    expect(events).to.be.a('function')
  })

  it('never runs if it is stopped before it is started', async () => {
    const world = new World()
    const { worker } = world.makeWorker()
    await worker.stop()
    expect(worker.state).to.equal('stopped')
    await worker.finished
    const error = await worker.start().catch((reason: unknown) => reason)
    expect(error).to.be.instanceOf(WorkerStoppedError)
    expect((await world.store.list()).leases).to.deep.equal([])
    await expectNothingLeft(world)
  })

  it('cannot be started again once it has stopped, or while it stops', async () => {
    const world = new World({ latencyMs: 10 })
    const { worker } = await world.startWorker()
    const stopped = worker.stop()
    expect(await worker.start().catch((reason: unknown) => reason)).to.be.instanceOf(WorkerStoppedError)
    await world.await(stopped)
    expect(await worker.start().catch((reason: unknown) => reason)).to.be.instanceOf(WorkerStoppedError)
  })

  it('says what ended it when it is started again after a failure', async () => {
    const world = new World({ shards: 0 })
    const { worker } = world.makeWorker()
    const failure = await world.await(worker.start().catch((reason: unknown) => reason))
    const error = await worker.start().catch((reason: unknown) => reason)
    expect(error).to.be.instanceOf(WorkerStoppedError)
    expect((error as Error).cause).to.equal(failure)
  })

  for (const call of ['describeStream', 'listShards'] as const) {
    it(`stops at once while it starts and waits for ${call}`, async () => {
      const world = new World()
      const { reached } = holdUp(world, call)
      const { worker } = world.makeWorker()
      const started = worker.start()
      await world.clock.settle()
      await reached
      await worker.stop()
      await started
      expect(worker.state).to.equal('stopped')
      await worker.finished
      await expectNothingLeft(world)
    })
  }

  it('stops cleanly at whatever moment of its start', async () => {
    for (let afterMs = 0; afterMs < 400; afterMs += 7) {
      const world = new World({ shards: 3, latencyMs: 30, seed: afterMs + 1 })
      const { worker } = world.makeWorker()
      const started = worker.start()
      await world.clock.advance(afterMs)
      const stopped = worker.stop()
      await world.await(Promise.all([started, stopped, worker.finished]))
      expect(worker.state, `after ${afterMs} ms`).to.equal('stopped')
      await world.clock.advance(10_000)
      await expectNothingLeft(world)
    }
  })

  it('stops cleanly at whatever moment while calls fail', async () => {
    for (const seed of seeds(40)) {
      const world = new World({ shards: 3, latencyMs: 30, seed })
      world.failureRate = 0.3
      const { worker } = world.makeWorker()
      const started = worker.start()
      await world.clock.advance(world.random.next() * 20_000)
      await world.await(Promise.all([started, worker.stop(), worker.finished]))
      expect(worker.state, `SEED=${seed}`).to.equal('stopped')
      world.failureRate = 0
      await world.clock.advance(60_000)
      expect(world.clock.sleeping, `SEED=${seed}: timers`).to.equal(0)
    }
  })

  it('stops within its grace and two seconds though the lease table does not answer', async () => {
    const world = new World({ shards: 2 })
    const member = await world.startWorker()
    member.links.store = 'down'
    await world.clock.advance(1_900)
    const stoppingAtMs = world.clock.monotonicMs()
    await world.await(member.worker.stop({ graceMs: 0 }))
    expect(world.clock.monotonicMs() - stoppingAtMs).to.be.at.most(2_100)
    await world.clock.advance(60_000)
    expect(world.clock.sleeping, 'timers').to.equal(0)
  })

  it('stops within its grace and two seconds though a store of the user never answers at all', async () => {
    const world = new World({ shards: 2 })
    const { clock, random } = world
    let isHung = false
    const hanging = new Proxy(world.store, {
      get: (store, name) => {
        const value: unknown = Reflect.get(store, name)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => (isHung ? new Promise(() => {}) : Reflect.apply(value, store, args))
      }
    }) as LeaseStore
    const worker = new Worker(
      { streamName: STREAM, applicationName: 'app', startAt: 'LATEST', logger: silentLogger, handler: () => {} },
      { clock, random, kinesis: world.kinesis.port(STREAM), store: hanging, control: world.control }
    )
    await world.await(worker.start())
    await clock.advance(3_000)
    isHung = true
    await world.clock.advance(2_500)
    const stoppingAtMs = world.clock.monotonicMs()
    await world.await(worker.stop({ graceMs: 1_000 }))
    expect(world.clock.monotonicMs() - stoppingAtMs).to.be.at.most(3_100)
    expect(worker.shardIds).to.deep.equal([])
    await world.clock.advance(60_000)
    expect(world.clock.sleeping, 'timers').to.equal(0)
  })

  it('lets start() resolve after a stop though a store of the user never answered its first question', async () => {
    for (const name of ['prepare', 'list', 'create'] as const) {
      const world = new World({ shards: 2 })
      const store = { ...world.store, [name]: () => new Promise(() => {}) } as LeaseStore
      const worker = new Worker(
        { streamName: STREAM, applicationName: 'app', logger: silentLogger, handler: () => {} },
        { clock: world.clock, random: world.random, kinesis: world.kinesis.port(STREAM), store, control: world.control }
      )
      const started = worker.start()
      await world.clock.advance(1_000)
      await world.await(Promise.all([worker.stop({ graceMs: 100 }), worker.finished, started]))
      expect(worker.state, name).to.equal('stopped')
    }
  })

  it('counts a shorter grace from the second stop, and leaves a longer one without effect', async () => {
    const world = new World()
    const hung = await world.startWorker({ handler: () => new Promise(() => {}) })
    world.putMany(1)
    await world.clock.advance(5_000)
    const stoppingAtMs = world.clock.monotonicMs()
    const first = hung.worker.stop({ graceMs: 60_000 })
    await world.clock.advance(1_000)
    const second = hung.worker.stop({ graceMs: 3_000 })
    const third = hung.worker.stop({ graceMs: 600_000 })
    await world.await(Promise.all([first, second, third]))
    expect(world.clock.monotonicMs() - stoppingAtMs).to.be.within(4_000, 4_100)
    await expectNothingLeft(world)
  })

  it('refuses a grace that is none, and goes on running', async () => {
    const world = new World()
    const { worker } = await world.startWorker()
    for (const options of [{ graceMs: -1 }, { graceMs: 3_600_001 }, { graceMs: '5' }, { grace: 5 }, null] as object[]) {
      expect(await worker.stop(options).catch((reason: unknown) => reason)).to.be.instanceOf(OptionError)
    }
    expect(worker.state).to.equal('running')
    await world.stopAll()
  })

  it('is stopped at the end of its block by await using', async () => {
    const world = new World()
    let left: Worker | undefined
    {
      await using worker = world.makeWorker().worker
      left = worker
      await world.await(worker.start())
      expect(worker.state).to.equal('running')
      // Nothing is under way, so that stopping takes no time.
    }
    expect(left.state).to.equal('stopped')
    await expectNothingLeft(world)
  })

  it('rejects start and finished alike if it cannot start, and stop never', async () => {
    const world = new World({ shards: 0 })
    const { worker } = world.makeWorker()
    const [started, finished] = await world.await(Promise.allSettled([worker.start(), worker.finished]))
    expect(started).to.deep.equal(finished)
    expect(started.status === 'rejected' && started.reason).to.be.instanceOf(ServiceError)
    await worker.stop()
    await expectNothingLeft(world)
  })

  it('leaves no unhandled rejection if nobody looks at finished', async () => {
    const world = new World()
    const member = await world.startWorker()
    world.kinesis.deleteStream(STREAM)
    await world.clock.advanceUntil(() => member.worker.state === 'stopped')
    expect(world.clock.sleeping).to.equal(0)
  })

  it('does not consume a shard whose claim lands while it stops', async () => {
    const world = new World({ shards: 4 })
    const { worker, ...rest } = world.makeWorker()
    const calls: string[] = []
    worker.on('shard:started', ({ shardId }) => calls.push(shardId))
    const started = worker.start()
    worker.once('lease:taken', () => void worker.stop())
    await world.await(Promise.all([started, worker.finished]))
    expect(calls).to.deep.equal([])
    expect(rest.isAlive).to.equal(true)
    await expectNothingLeft(world)
  })

  it('can be stopped from within a handler and from within a listener', async () => {
    const world = new World()
    world.putMany(5)
    const member: Member = await world.startWorker({ handler: () => void member.worker.stop() })
    await world.await(member.worker.finished)
    expect(world.ledger.missing()).to.deep.equal([])
    const row = await world.store.get(SHARD)
    expect(row?.checkpoint.sequenceNumber).to.equal(world.kinesis.records(STREAM, SHARD).at(-1)?.sequenceNumber)
    await expectNothingLeft(world)
  })

  it('calls the processor in order: initialize, processRecords, shutdownRequested, and nothing after the stop', async () => {
    const world = new World()
    const calls: string[] = []
    class Noting extends RecordProcessor {
      override initialize({ checkpoint }: { checkpoint: string | undefined }): void {
        calls.push(`initialize ${checkpoint}`)
      }
      processRecords(): void {
        calls.push('processRecords')
      }
      override async shutdownRequested(input: Parameters<RecordProcessor['shutdownRequested']>[0]): Promise<void> {
        calls.push('shutdownRequested')
        await super.shutdownRequested(input)
      }
      override leaseLost(): void {
        calls.push('leaseLost')
      }
    }
    await world.startWorker({ processor: () => new Noting() })
    world.putMany(3)
    await world.clock.advance(5_000)
    await world.stopAll()
    world.putMany(3)
    await world.clock.advance(60_000)
    expect(calls).to.deep.equal(['initialize undefined', 'processRecords', 'shutdownRequested'])
    const row = await world.store.get(SHARD)
    expect(row?.checkpoint.sequenceNumber).to.equal(world.kinesis.records(STREAM, SHARD)[2]?.sequenceNumber)
  })

  it('uses a session of its own in the table, whatever its name', async () => {
    const world = new World({ shards: 2 })
    const member = await world.startWorker({ workerId: 'twin' })
    await world.clock.advance(3_000)
    const { leases } = await world.store.list()
    const [event] = member.events('worker:started')
    expect(event?.session).to.match(/^twin\/[a-z0-9]{8}$/)
    expect(leases.map(({ owner }) => owner)).to.deep.equal([event?.session, event?.session])
    await world.stopAll()
  })
})
