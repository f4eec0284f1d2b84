// The scenarios K1 to K13 of the reference on KCL's behaviour, by name: in which order the code of a user is called, and what
// becomes of its failures. K6 and K7, the graceful stop, are in shard-consumer-stop.test.ts.
import { expect } from 'chai'
import { LeaseLostError, ServiceError, ThrottledError } from '../../src/index.ts'
import { shardId } from '../support/builders.ts'
import { CallLog, type Script } from '../support/call-log.ts'
import { deliveredIds, expectInOrder, expectOnce, putIntoAll } from '../support/numbered-records.ts'
import { seeds } from '../support/seeds.ts'
import { type Member, STREAM, World } from '../support/world.ts'

const SHARD = shardId(0)
const PATIENT = { onProcessorError: { attempts: Number.POSITIVE_INFINITY, backoffMs: 500, maxBackoffMs: 5_000 } }

/** Cuts a worker off from both tables until others have its leases. Its calls to Kinesis go on. */
async function loseSession(world: World, member: Member): Promise<void> {
  member.links.store = 'down'
  await world.clock.advance(40_000)
  member.links.store = 'up'
}

function gaps(times: readonly number[]): number[] {
  return times.slice(1).map((atMs, i) => atMs - (times[i] ?? 0))
}

describe('the consumer of a shard', () => {
  for (const how of ['returns', 'throws'] as const) {
    it(`K1: calls nothing but leaseLost if the lease goes before initialize ${how}`, async () => {
      for (const seed of seeds(3)) {
        const world = new World({ seed, latencyMs: 20 })
        const log = new CallLog(world)
        world.putMany(5)
        const first = await log.startWorker({
          initialize: async (_, { clock }) => {
            await clock.sleep(60_000)
            if (how === 'throws') throw new Error('too late anyway')
          }
        })
        await world.clock.advanceUntil(() => log.calls.length > 0)
        const second = await log.startWorker()
        await loseSession(world, first)
        await world.clock.advance(60_000)
        const threw = how === 'throws' ? ' threw' : ''
        expect(log.lines({ worker: first.name }), `SEED=${seed}`).to.deep.equal([`initialize${threw}`, 'leaseLost'])
        expect(log.overlaps, `SEED=${seed}`).to.deep.equal([])
        expect(deliveredIds(world, { worker: second.name }), `SEED=${seed}`).to.deep.equal([0, 1, 2, 3, 4])
        await world.stopAll()
      }
    })
  }

  // Half a second apart in Java; here the delays grow, and up to half of each is left to chance.
  it('K2: initializes as often as that fails and once more, then goes on at the checkpoint without a gap', async () => {
    for (const failures of [1, 3, 6]) {
      const world = new World()
      const log = new CallLog(world)
      const first = await log.startWorker()
      world.putMany(4)
      await world.untilDelivered()
      await world.await(first.worker.stop())
      world.putMany(4)
      let calls = 0
      const second = await log.startWorker({
        initialize: () => {
          world.putMany(2)
          if (++calls <= failures) throw new Error('not yet')
        }
      })
      await world.untilDelivered(120_000)
      const initialized = log.which({ worker: second.name, method: 'initialize' })
      expect(initialized.map(({ hasThrown }) => hasThrown)).to.deep.equal([...Array(failures).fill(true), false])
      for (const [i, gapMs] of gaps(initialized.map(({ atMs }) => atMs)).entries()) {
        expect(gapMs, `before call ${i + 2}`).to.be.within(
          Math.min(250 * 2 ** i, 15_000),
          Math.min(500 * 2 ** i, 30_000)
        )
      }
      expect(second.events('processor:failed')).to.have.length(failures)
      expectOnce(world)
      await world.stopAll()
    }
  })

  // Java skips the batch. Here nothing is skipped: the batch comes again, and what follows it waits.
  it('K3: gives a batch whose processing throws again until it is done, and only then the next', async () => {
    for (const seed of seeds(3)) {
      const world = new World({ seed, latencyMs: 20 })
      const log = new CallLog(world)
      world.putMany(6)
      const failures: number[] = []
      await log.startWorker(
        {
          processRecords: async input => {
            failures.push(input.failures)
            if (input.records.some(record => record.text() === '2') && input.failures < 5) throw new Error('not yet')
            await input.checkpointer.checkpoint()
          }
        },
        { retrieval: { maxRecords: 2 } }
      )
      await world.untilDelivered()
      const again = Array.from({ length: 5 }, () => 'processRecords 2 3 threw')
      expect(log.lines({ method: 'processRecords' }), `SEED=${seed}`).to.deep.equal([
        ...['processRecords 0 1', ...again, 'processRecords 2 3'],
        'processRecords 4 5'
      ])
      expect(failures, `SEED=${seed}`).to.deep.equal([0, 0, 1, 2, 3, 4, 5, 0])
      expectInOrder(world)
      await world.stopAll()
    }
  })

  // Java calls leaseLost again; here once, because there is nothing left that it could still do.
  it('K4: calls leaseLost once though it throws, and is gone: the worker can have the shard again', async () => {
    for (const seed of seeds(3)) {
      const world = new World({ seed, latencyMs: 20 })
      const log = new CallLog(world)
      const first = await log.startWorker({
        leaseLost: () => {
          throw new Error('cannot')
        }
      })
      world.putMany(4)
      await world.untilDelivered()
      const second = await log.startWorker()
      await loseSession(world, first)
      await world.clock.advance(20_000)
      expect(log.lines({ worker: first.name, method: 'leaseLost' }), `SEED=${seed}`).to.deep.equal(['leaseLost threw'])
      const told = first.events('processor:failed').map(({ error, retryInMs }) => [error.method, retryInMs])
      expect(told, `SEED=${seed}`).to.deep.equal([['leaseLost', undefined]])
      await world.await(second.worker.stop())
      world.putMany(4)
      await world.untilDelivered()
      expect(deliveredIds(world).slice(-4), `SEED=${seed}`).to.deep.equal([4, 5, 6, 7])
      expect(first.worker.shardIds, `SEED=${seed}`).to.deep.equal([SHARD])
      expect(log.lines({ worker: first.name, method: 'initialize' }), `SEED=${seed}`).to.have.length(2)
      await world.stopAll()
    }
  })

  it('K4: calls shardEnded again while it throws, and is gone once the shard is ended', async () => {
    const world = new World()
    const log = new CallLog(world)
    let calls = 0
    const member = await log.startWorker({
      shardEnded: () => {
        if (++calls <= 4) throw new Error('not yet')
      }
    })
    putIntoAll(world, 2)
    world.kinesis.split(STREAM, SHARD)
    putIntoAll(world, 2)
    await world.untilDelivered()
    const ended = log.which({ method: 'shardEnded' })
    expect(ended.map(({ hasThrown }) => hasThrown)).to.deep.equal([true, true, true, true, false])
    expect(Math.min(...gaps(ended.map(({ atMs }) => atMs)))).to.be.at.least(250)
    expect(member.worker.shardIds).to.have.members([shardId(1), shardId(2)])
    const reads = new Set<string | undefined>()
    world.kinesis.intercept = call => void reads.add(call.shardId)
    await world.clock.advance(30_000)
    expect([...reads]).to.not.include(SHARD)
    expectOnce(world)
    await world.stopAll()
  })

  // Java never gets out of the state in which processing fails once the lease is gone.
  it('K5: tells of the lost lease also while processing fails again and again', async () => {
    for (const seed of seeds(3)) {
      const world = new World({ seed, latencyMs: 20 })
      const log = new CallLog(world)
      world.putMany(3)
      const first = await log.startWorker({ processRecords: () => Promise.reject(new Error('never')) }, PATIENT)
      await world.clock.advance(20_000)
      await log.startWorker()
      await loseSession(world, first)
      await world.clock.advance(20_000)
      const lines = log.lines({ worker: first.name })
      expect(lines.filter(line => line === 'processRecords 0 1 2 threw').length, `SEED=${seed}`).to.be.greaterThan(4)
      expect(lines.at(-1), `SEED=${seed}`).to.equal('leaseLost')
      expect(
        lines.filter(line => line === 'leaseLost'),
        `SEED=${seed}`
      ).to.have.length(1)
      expect(deliveredIds(world, { worker: 'w2' }), `SEED=${seed}`).to.deep.equal([0, 1, 2])
      await world.stopAll()
    }
  })

  it('K8: delays no other shard, and no loss of a lease, though its processor never returns or always fails', async () => {
    for (const seed of seeds(3)) {
      const world = new World({ shards: 6, seed, latencyMs: 20 })
      const log = new CallLog(world)
      const script: Script = {
        processRecords: ({ shardId: id, checkpointer }) => {
          if (id === shardId(0)) return new Promise<void>(() => {})
          if (id === shardId(1)) return Promise.reject(new Error('never'))
          return checkpointer.checkpoint()
        }
      }
      const first = await log.startWorker(script, PATIENT)
      await world.clock.advance(5_000)
      const putAtMs = new Map<number, number>()
      for (let tick = 0; tick < 60; tick++) {
        for (const ids of putIntoAll(world).values()) for (const id of ids) putAtMs.set(id, world.clock.monotonicMs())
        await world.clock.advance(1_000)
      }
      await world.clock.advance(3_000)
      const others = world.ledger.deliveries.filter(({ shardId: id }) => id > shardId(1))
      expect(new Set(others.map(({ id }) => id)), `SEED=${seed}`).to.have.length(4 * 60)
      const latest = Math.max(...others.map(({ id, atMs }) => atMs - (putAtMs.get(id) ?? 0)))
      expect(latest, `SEED=${seed}: from put to delivery`).to.be.lessThan(1_500)
      await log.startWorker()
      await loseSession(world, first)
      await world.clock.advance(5_000)
      expect(first.events('lease:lost').length, `SEED=${seed}`).to.be.at.least(3)
      const told = log.which({ worker: first.name, method: 'leaseLost' }).map(call => call.shardId)
      const blocked = first.events('lease:lost').some(event => event.shardId === shardId(0))
      expect(told.length, `SEED=${seed}`).to.equal(first.events('lease:lost').length - (blocked ? 1 : 0))
      await world.await(Promise.all(world.members.map(({ worker }) => worker.stop({ graceMs: 1_000 }))))
    }
  })

  // There are no threads to run out of. What can fail at first is the processor's making and the opening of the shard.
  it('K9: says so and begins again if its processor cannot be made, or the shard not be opened, at first', async () => {
    const world = new World()
    const log = new CallLog(world)
    const failing = [new ThrottledError('busy'), new ServiceError('timeout', 'no answer', { retryable: true })]
    world.kinesis.intercept = ({ name }) => {
      const failure = name === 'getShardIterator' ? failing.shift() : undefined
      if (failure) throw failure
    }
    world.putMany(4)
    let makings = 0
    const member = world.makeWorker({
      processor: () => {
        if (++makings <= 2) throw new Error('no connection yet')
        return log.processorOf(member)
      }
    })
    await world.await(member.worker.start())
    await world.untilDelivered(60_000)
    const failed = member.events('processor:failed').map(({ error, attempt }) => [error.method, attempt])
    expect(failed).to.deep.equal([
      ['initialize', 1],
      ['initialize', 2]
    ])
    expect(member.events('shard:failed').map(({ during, failures }) => [during, failures])).to.deep.equal([
      ['read', 1],
      ['read', 2]
    ])
    expect(log.lines()).to.deep.equal(['initialize', 'processRecords 0 1 2 3'])
    await world.stopAll()
  })

  // There is no flag on a batch: the last one is followed by shardEnded.
  it('K10: tells of the end once, after the last batch and not before', async () => {
    for (const seed of seeds(3)) {
      const world = new World({ seed, latencyMs: 20 })
      const log = new CallLog(world)
      await log.startWorker({}, { retrieval: { maxRecords: 3 } })
      putIntoAll(world, 3)
      await world.untilDelivered()
      putIntoAll(world, 4)
      world.kinesis.split(STREAM, SHARD)
      await world.untilDelivered()
      await world.clock.advance(60_000)
      const lines = log.lines({ shardId: SHARD })
      expect(lines.at(-1), `SEED=${seed}`).to.equal('shardEnded')
      expect(
        lines.filter(line => line === 'shardEnded'),
        `SEED=${seed}`
      ).to.have.length(1)
      expect(lines.slice(1, -1).join(' ').replaceAll('processRecords ', ''), `SEED=${seed}`).to.equal('0 1 2 3 4 5 6')
      await world.stopAll()
    }
  })

  it('K11: of an earlier hold ends before another one begins here, and can checkpoint no more', async () => {
    for (const seed of seeds(3)) {
      const world = new World({ seed, latencyMs: 20 })
      const log = new CallLog(world)
      const late: unknown[] = []
      const first = await log.startWorker({
        processRecords: async ({ records, checkpointer }, { clock }) => {
          if (late.length === 0 && records.some(record => record.text() === '4')) {
            await clock.sleep(150_000)
            late.push(await checkpointer.checkpoint(records.at(-1)).catch((error: unknown) => error))
          } else await checkpointer.checkpoint()
        }
      })
      world.putMany(4)
      await world.untilDelivered()
      world.putMany(4)
      await world.untilDelivered()
      const second = await log.startWorker()
      await loseSession(world, first)
      await world.clock.advance(20_000)
      expect(deliveredIds(world, { worker: second.name }), `SEED=${seed}`).to.deep.equal([4, 5, 6, 7])
      await world.await(second.worker.stop())
      world.putMany(4)
      await world.clock.advance(20_000)
      expect(log.lines({ worker: first.name, method: 'initialize' }), `SEED=${seed}`).to.have.length(1)
      await world.untilDelivered()
      expect(late[0], `SEED=${seed}`).to.be.instanceOf(LeaseLostError)
      const lines = log.lines({ worker: first.name }).map(line => line.split(' ')[0])
      const life = ['initialize', 'processRecords', 'processRecords', 'leaseLost', 'initialize', 'processRecords']
      expect(lines, `SEED=${seed}`).to.deep.equal(life)
      expect(deliveredIds(world).slice(-4), `SEED=${seed}`).to.deep.equal([8, 9, 10, 11])
      expect(log.overlaps, `SEED=${seed}`).to.deep.equal([])
      expect(world.history.violations(), `SEED=${seed}`).to.deep.equal([])
      await world.stopAll()
    }
  })

  it('K12: gives up on a read without an answer and makes another one, but not on user code that takes minutes', async () => {
    const world = new World({ shards: 2 })
    const log = new CallLog(world)
    let hanging = 0
    const member = await log.startWorker({
      processRecords: async ({ records, checkpointer }, { clock }) => {
        if (records.some(record => record.text() === '2')) await clock.sleep(300_000)
        await checkpointer.checkpoint()
      }
    })
    await world.clock.advance(10_000)
    world.kinesis.intercept = ({ name, shardId: id }) =>
      name === 'getRecords' && id === shardId(1) && hanging++ < 4 ? new Promise<void>(() => {}) : undefined
    putIntoAll(world)
    await world.untilDelivered(90_000)
    const [stuck] = member.events('shard:failed')
    expect(stuck?.error).to.include({ code: 'SERVICE', kind: 'timeout' })
    expect(member.events('shard:failed').every(event => event.shardId === shardId(1))).to.equal(true)
    world.kinesis.intercept = undefined
    const [slow] = [...putIntoAll(world).values()][0] ?? []
    expect(slow).to.equal(2)
    await world.clock.advance(400_000)
    putIntoAll(world)
    await world.untilDelivered()
    const call = log.which({ method: 'processRecords' }).find(({ texts }) => texts.includes('2'))
    expect((call?.endedAtMs ?? 0) - (call?.atMs ?? 0)).to.be.at.least(300_000)
    expectOnce(world)
    await world.stopAll()
  })

  // Java keeps the lease and a consumer that does nothing; here the lease is given back with SHARD_END.
  it("K13: of a finished shard does not run again, says nothing more, and its lease is nobody's until it is removed", async () => {
    const world = new World()
    const log = new CallLog(world)
    const member = await log.startWorker()
    putIntoAll(world, 2)
    world.kinesis.split(STREAM, SHARD)
    putIntoAll(world, 2)
    await world.untilDelivered()
    expect((await world.store.get(SHARD))?.owner).to.equal(undefined)
    await world.clock.advance(3_600_000)
    expect(log.lines({ shardId: SHARD })).to.deep.equal(['initialize', 'processRecords 0 1', 'shardEnded'])
    expect(await world.store.get(SHARD)).to.equal(undefined)
    for (const name of ['lease:taken', 'shard:started', 'shard:ended', 'lease:removed'] as const) {
      expect(
        member.events(name).filter(event => event.shardId === SHARD),
        name
      ).to.have.length(1)
    }
    const noise = ['shard:failed', 'lease:lost', 'error', 'lease:neglected'] as const
    expect(noise.flatMap(name => member.events(name))).to.deep.equal([])
    expectOnce(world)
    await world.stopAll()
  })
})
