// What an operator orders, carried out by a fleet that runs: holds, moves, releases and pauses, in a simulated world.
import { expect } from 'chai'
import { HOLD_LAPSE_MS } from '../../src/leases/order-rules.ts'
import { OperationError } from '../../src/model/errors.ts'
import type { Fleet } from '../../src/operate/fleet.ts'
import { type SimulatedOperator, type SimulateOptions, simulate, type World } from '../../src/testing/index.ts'
import type { WorkerOptions } from '../../src/worker/options.ts'
import { seeds } from '../support/seeds.ts'

const STREAM = 'clicks'
const OPTIONS: WorkerOptions = {
  streamName: STREAM,
  applicationName: 'counter',
  startAt: 'TRIM_HORIZON',
  handler: () => {}
}

interface Operated {
  readonly world: World
  readonly operator: SimulatedOperator
  readonly fleet: Fleet
}

/** A fleet that runs, under some load, and somebody who operates it. */
async function aFleet(workers: number, shards: number, more: SimulateOptions = {}): Promise<Operated> {
  const world = simulate({ faults: 'calm', ...more })
  world.kinesis.createStream(STREAM, shards)
  for (let count = 0; count < workers; count++) world.launch(OPTIONS)
  await world.until(() => owners(world).filter(owner => owner !== undefined).length === shards)
  const operator = world.operator(OPTIONS)
  await load(world, 20_000)
  return { world, operator, fleet: operator.fleet }
}

/** Time passes, and each second something is put. */
async function load(world: World, ms: number): Promise<void> {
  for (let atMs = 0; atMs < ms; atMs += 1_000) {
    for (let index = 0; index < 8; index++) world.kinesis.put(STREAM, `user-${index}`, 'x')
    await world.advance(1_000)
  }
}

const rows = (world: World) => [...world.application(OPTIONS).tables.leases.values()]
const owners = (world: World) => rows(world).map(({ owner }) => owner)
const shard = (number: number): string => `shardId-${String(number).padStart(12, '0')}`
const workerOf = (world: World, shardId: string): string | undefined =>
  rows(world)
    .find(({ leaseKey }) => leaseKey === shardId)
    ?.owner?.split('/')[0]

async function refusal(work: Promise<unknown>): Promise<OperationError> {
  const error = await work.then(
    () => expect.fail('was not refused'),
    (thrown: unknown) => thrown
  )
  expect(error).to.be.instanceOf(OperationError)
  return error as OperationError
}

describe('a fleet under orders', () => {
  it('drains, checkpoints and lets go of what is paused, reads it again when it is resumed, and repeats nothing', async () => {
    for (const seed of seeds(2)) {
      const { world, fleet } = await aFleet(3, 6, { seed })
      await world.await(fleet.pause({ shardIds: [shard(1), shard(4)], why: 'maintenance' }))
      expect(owners(world).filter(owner => owner === undefined)).to.have.length(2)
      await load(world, 200_000)
      expect([workerOf(world, shard(1)), workerOf(world, shard(4))]).to.deep.equal([undefined, undefined])
      expect(
        owners(world).filter(owner => owner !== undefined),
        'nobody else stops'
      ).to.have.length(4)
      expect(await world.await(fleet.resume())).to.deep.equal([shard(1), shard(4)])
      await world.until(() => owners(world).every(owner => owner !== undefined), 15_000)
      await world.untilProcessed()
      world.assertSound()
      world.assertNoGracefulDuplicates()
    }
  })

  it('keeps a pause of everything through the death of its leader, and holds the children of a split, too', async () => {
    const { world, fleet } = await aFleet(3, 4)
    await world.await(fleet.pause())
    const { leader } = await world.await(fleet.status())
    const first = world.workers.find(({ name }) => name === leader?.workerId)
    if (first === undefined) throw new Error('nobody leads')
    world.crash(first)
    await load(world, 120_000)
    expect(owners(world).every(owner => owner === undefined)).to.equal(true)
    const status = await world.await(fleet.status())
    expect(status.leader?.workerId).to.not.equal(leader?.workerId)
    expect(status.leases.map(({ state }) => state)).to.deep.equal(['held', 'held', 'held', 'held'])
    expect(await world.await(fleet.resume())).to.equal('all')
    await world.untilProcessed()
    world.assertSound()
  })

  it('reads all but some when a pause of everything is ended for the others', async () => {
    const { world, fleet } = await aFleet(2, 4)
    await world.await(fleet.pause())
    expect(await world.await(fleet.resume({ shardIds: [shard(0), shard(2)] }))).to.deep.equal([shard(0), shard(2)])
    await load(world, 20_000)
    expect([0, 1, 2, 3].map(number => workerOf(world, shard(number)) !== undefined)).to.deep.equal([
      true,
      false,
      true,
      false
    ])
    await world.await(fleet.resume())
    await world.untilProcessed()
    world.assertSound()
  })

  it('gives out again, a minute later, what somebody has on hold who is gone', async () => {
    const { world, operator, fleet } = await aFleet(2, 4)
    world.pause(world.workers[0] ?? expect.fail())
    void fleet.release({ timeoutMs: 3_600_000 })
    await world.until(() => owners(world).every(owner => owner === undefined), 60_000)
    operator.crash()
    const heldAtMs = world.clock.monotonicMs()
    await world.until(() => owners(world).every(owner => owner !== undefined))
    const heldMs = world.clock.monotonicMs() - heldAtMs
    expect(heldMs).to.be.within(HOLD_LAPSE_MS - 15_000, HOLD_LAPSE_MS + 15_000)
    await world.untilProcessed()
    world.assertSound()
  })

  it('releases shards on request, and takes them again', async () => {
    const { world, fleet } = await aFleet(2, 4)
    const before = rows(world).map(({ shardId, owner }) => ({ shardId, owner }))
    const released = await world.await(fleet.release())
    expect(released).to.have.deep.members(before)
    await world.until(() => owners(world).every(owner => owner !== undefined), 15_000)
    expect((await world.await(fleet.status())).holds).to.deep.equal([])
    await world.untilProcessed()
    world.assertSound()
    world.assertNoGracefulDuplicates()
  })

  it('takes shards from workers that are dead when there is nobody else, and only when they are', async () => {
    const { world, fleet } = await aFleet(2, 4)
    for (const worker of world.workers) world.crash(worker)
    const beganMs = world.clock.monotonicMs()
    await world.await(fleet.release())
    expect(world.clock.monotonicMs() - beganMs).to.be.within(10_000, 40_000)
    expect(owners(world).every(owner => owner === undefined)).to.equal(true)
    world.assertSound()
  })

  it('moves a shard to the worker that it is ordered to, and keeps the fleet balanced', async () => {
    const { world, fleet } = await aFleet(2, 4)
    const from = workerOf(world, shard(0))
    const to = from === 'w1' ? 'w2' : 'w1'
    const moved = await world.await(fleet.move(shard(0), to))
    expect(moved).to.deep.include({ shardId: shard(0), to })
    expect(workerOf(world, shard(0))).to.equal(to)
    await load(world, 60_000)
    expect(workerOf(world, shard(0)), 'it stays').to.equal(to)
    const status = await world.await(fleet.status())
    expect(status.moves).to.deep.equal([])
    expect(status.workers.map(({ leases }) => leases)).to.deep.equal([2, 2])
    world.assertSound()
    world.assertNoGracefulDuplicates()
  })

  it('refuses what cannot be', async () => {
    const { world, fleet } = await aFleet(1, 2)
    const because = async (work: Promise<unknown>): Promise<string> => (await world.await(refusal(work))).because
    expect(await because(fleet.move('shardId-9', 'w1'))).to.equal('no-such-lease')
    expect(await because(fleet.move(shard(0), 'w9'))).to.equal('no-such-worker')
    expect(await because(fleet.pause({ shardIds: ['shardId-9'] }))).to.equal('no-such-lease')
    await world.await(fleet.pause({ shardIds: [shard(0)] }))
    expect(await because(fleet.move(shard(0), 'w1'))).to.equal('cannot-take')
  })

  it('says who does not let go, and changes nothing, when a handler never returns', async () => {
    const world = simulate({ faults: 'none' })
    world.kinesis.createStream(STREAM, 1)
    world.kinesis.put(STREAM, 'a', 'x')
    const stuck: WorkerOptions = { ...OPTIONS, handler: () => new Promise<never>(() => {}) }
    await world.start(stuck)
    await world.advance(30_000)
    const { fleet } = world.operator(stuck)
    const error = await world.await(refusal(fleet.pause({ timeoutMs: 5_000 })))
    expect(error.because).to.equal('not-let-go')
    expect(error.message).to.include('shardId-000000000000 (w1)')
    expect((await world.await(fleet.status())).holds).to.deep.equal([])
  })

  it('leaves nothing behind when it is interrupted, and says so', async () => {
    const world = simulate({ faults: 'none' })
    world.kinesis.createStream(STREAM, 1)
    world.kinesis.put(STREAM, 'a', 'x')
    const stuck: WorkerOptions = { ...OPTIONS, handler: () => new Promise<never>(() => {}) }
    await world.start(stuck)
    await world.start(stuck)
    await world.advance(30_000)
    const { fleet } = world.operator(stuck)
    const to = workerOf(world, shard(0)) === 'w1' ? 'w2' : 'w1'
    const works: [RegExp, (signal: AbortSignal) => Promise<unknown>][] = [
      [/^Interrupted a pause: nothing is paused$/, signal => fleet.pause({ signal })],
      [/^Interrupted a release: /, signal => fleet.release({ signal })],
      [
        /^Interrupted a move: shardId-0+ is not to go to w[12] any more$/,
        signal => fleet.move(shard(0), to, { signal })
      ]
    ]
    for (const [message, work] of works) {
      const aborting = new AbortController()
      const refused = refusal(work(aborting.signal))
      await world.advance(3_000)
      aborting.abort()
      const error = await world.await(refused)
      expect(error.because).to.equal('interrupted')
      expect(error.message).to.match(message)
      const { holds, moves } = await world.await(fleet.status())
      expect([holds, moves]).to.deep.equal([[], []])
    }
  })

  it('leaves a table that it shares with workers of another kind as it is', async () => {
    const { world, fleet } = await aFleet(1, 3)
    const { tables } = world.application(OPTIONS)
    const store = tables.leaseStoreFor('java')
    const row = (await store.get(shard(2))) ?? expect.fail()
    await world.await(fleet.pause({ shardIds: [shard(2)] }))
    const free = (await store.get(shard(2))) ?? expect.fail()
    expect(free.counter).to.be.greaterThan(row.counter)
    await store.replace(free, { ...free, owner: 'java-worker', counter: free.counter + 1 })
    const error = await world.await(refusal(fleet.release()))
    expect(error.because).to.equal('foreign-workers')
    expect(error.message).to.include('java-worker')
  })
})
