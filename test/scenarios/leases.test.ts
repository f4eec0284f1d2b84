// KCL's hazards with leases and their ownership, by the numbers of kcl-behaviour.md section 10.1: what becomes of each of them
// here. Those about items of the table (L7 to L9) are in lease-items.test.ts.
import { expect } from 'chai'
import {
  type Checkpointer,
  LeaseLostError,
  type ProcessRecordsInput,
  RecordProcessor,
  ServiceError
} from '../../src/index.ts'
import type { Lease } from '../../src/model/lease.ts'
import { shardId } from '../support/builders.ts'
import {
  aFleet,
  expectBalanced,
  expectExactlyOnce,
  expectSafe,
  firstCalls,
  followersOf,
  kindOfWrite,
  leaderOf,
  postRogue,
  sessionOf
} from '../support/fleet.ts'
import { seeds } from '../support/seeds.ts'
import { STREAM, World } from '../support/world.ts'

const SEEDS = 3
const S0 = shardId(0)

async function rowOf(world: World, leaseKey = S0): Promise<Lease> {
  const row = await world.store.get(leaseKey)
  if (row === undefined) throw new Error(`SEED=${world.seed}: no row of ${leaseKey}`)
  return row
}

describe('the ownership of leases', () => {
  it('L1: a checkpoint that fails leaves nothing behind that a renewal could write', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = new World({ seed, latencyMs: 10 })
      const outcomes: unknown[] = []
      class Careful extends RecordProcessor {
        async processRecords({ checkpointer }: ProcessRecordsInput): Promise<void> {
          outcomes.push(await checkpointer.checkpoint().catch((error: unknown) => error))
        }
      }
      // Only in mixed mode is there a renewer.
      const member = await world.startWorker({ processor: () => new Careful(), leases: { mode: 'mixed' } })
      world.kinesis.put(STREAM, 'key', 'first')
      await world.clock.advance(10_000)
      const { checkpoint, counter } = await rowOf(world)
      expect(outcomes, `SEED=${seed}`).to.deep.equal([undefined])

      const denied = new ServiceError('access-denied', 'not allowed', { retryable: false })
      member.intercept = call => (kindOfWrite(call) === 'checkpoint' ? { kind: 'fails', error: denied } : undefined)
      world.kinesis.put(STREAM, 'key', 'second')
      await world.clock.advance(30_000)
      expect(outcomes[1], `SEED=${seed}`).to.equal(denied)
      const row = await rowOf(world)
      expect(row, `SEED=${seed}`).to.deep.include({ checkpoint, ownerSwitchesSinceCheckpoint: 0 })
      expect(row.counter, `SEED=${seed}: renewed`).to.be.greaterThan(counter + 3)

      member.intercept = undefined
      world.kinesis.put(STREAM, 'key', 'third')
      await world.clock.advance(5_000)
      expect(outcomes[2], `SEED=${seed}`).to.equal(undefined)
      expect((await rowOf(world)).checkpoint.sequenceNumber > checkpoint.sequenceNumber, `SEED=${seed}`).to.equal(true)
      await world.stopAll()
    }
  })

  it('L2: a checkpointer of an earlier hold is refused although the same worker has the lease again', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = new World({ seed, latencyMs: 10 })
      const given: Checkpointer[] = []
      class Hoarding extends RecordProcessor {
        async processRecords({ records, shardId: shard, checkpointer }: ProcessRecordsInput): Promise<void> {
          first.note(records, shard)
          given.push(checkpointer)
        }
      }
      const first = await world.startWorker({ processor: () => new Hoarding() })
      world.putMany(10)
      await world.untilDelivered()
      const second = await world.startWorker()
      first.pause()
      await world.clock.advance(25_000)
      expect(second.worker.shardIds, `SEED=${seed}`).to.deep.equal([S0])
      first.resume()
      await world.clock.advance(5_000)
      await world.await(second.worker.stop())
      await world.clock.advance(5_000)
      expect(first.worker.shardIds, `SEED=${seed}`).to.deep.equal([S0])

      const before = await rowOf(world)
      const refusal = await world.await(Promise.resolve(given[0]?.checkpoint().catch((error: unknown) => error)))
      expect(refusal, `SEED=${seed}`).to.be.instanceOf(LeaseLostError)
      expect(await rowOf(world), `SEED=${seed}`).to.deep.equal(before)
      world.putMany(10)
      await world.untilDelivered()
      await world.await(given.at(-1)?.checkpoint() ?? Promise.resolve())
      expect((await rowOf(world)).counter, `SEED=${seed}`).to.equal(before.counter + 1)
      await expectSafe(world)
      await world.stopAll()
    }
  })

  it('L3: a renewal or checkpoint that landed without an answer is taken for our own, and the lease is kept', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = new World({ seed, latencyMs: 10 })
      const member = await world.startWorker({ leases: { mode: 'mixed' } })
      await world.load(5_000)
      for (const kind of ['renewal', 'checkpoint'] as const) {
        member.intercept = firstCalls(1, call => kindOfWrite(call) === kind, { kind: 'lost-answer' })
        if (kind === 'checkpoint') await world.load(20_000)
        else await world.clock.advance(20_000)
      }
      expect(world.history.claims(), `SEED=${seed}`).to.have.length(1)
      expect(member.events('lease:lost'), `SEED=${seed}`).to.deep.equal([])
      await expectExactlyOnce(world)
      await world.stopAll()
    }
  })

  it('L4: of two workers that race for a free lease exactly one gets it, and the other does not adopt it', async () => {
    for (const seed of seeds(SEEDS * 2)) {
      const world = new World({ shards: 1, seed, latencyMs: 40 })
      const first = await world.startWorker()
      await world.await(first.worker.stop())
      const racers = [world.makeWorker(), world.makeWorker()]
      const attempts: string[] = []
      for (const member of racers) {
        member.intercept = call => {
          // No mailbox but that of the test, so that both are told the same.
          if (call.name === 'post') return { kind: 'answered', value: true }
          if (kindOfWrite(call) === 'claim') attempts.push(member.name)
          // Long enough for both to have read the row before either claims it.
          return call.name === 'get' ? { kind: 'slow', backMs: 5_000 } : undefined
        }
        await world.await(member.worker.start())
      }
      const claims = world.history.claims().length
      for (const member of racers) {
        await postRogue(world, member, 1, [S0])
      }
      await world.clock.advance(20_000)
      expect(attempts.sort(), `SEED=${seed}: attempts`).to.deep.equal(racers.map(({ name }) => name))
      expect(world.history.claims().length - claims, `SEED=${seed}: claims`).to.equal(1)
      expect(world.loads(), `SEED=${seed}`).to.deep.equal([0, 1])
      expect(
        racers.flatMap(member => member.events('lease:taken')),
        `SEED=${seed}`
      ).to.have.length(1)
      expect(world.events('lease:lost'), `SEED=${seed}`).to.deep.equal([])
      world.putMany(10)
      await expectExactlyOnce(world)
    }
  })

  it('L5: a listing that took long, and a row deleted meanwhile, do not keep leases from moving', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 1, shards: 6, seed })
      const [first] = world.members
      if (first === undefined) throw new Error('no worker')
      let deletions = 0
      // The leader plans from rows that have all moved on since, and one of which is gone.
      first.intercept = call => {
        if (call.service !== 'leases' || call.name !== 'list') return undefined
        void world.clock.sleep(2_000).then(async () => {
          if (deletions++ === 0) await world.store.remove(await rowOf(world, shardId(5)))
        })
        return { kind: 'slow', backMs: 8_000 }
      }
      const second = world.makeWorker()
      void second.worker.start()
      await world.load(60_000)
      first.intercept = undefined
      await world.load(60_000)
      expect(deletions, `SEED=${seed}`).to.be.greaterThan(0)
      expect(world.loads(), `SEED=${seed}`).to.deep.equal([3, 3])
      await expectSafe(world)
      expect(
        world.events('error').filter(({ error }) => error.code === 'BUG'),
        `SEED=${seed}`
      ).to.deep.equal([])
      await world.stopAll()
    }
  })

  it('L6: a worker that could not prove itself for longer than its session lives starts over with a new one', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ shards: 4, seed })
      const [victim] = await followersOf(world)
      if (victim === undefined) throw new Error('no follower')
      const old = sessionOf(victim)
      victim.links.store = 'down'
      await world.load(25_000)
      expect(victim.events('session:suspended'), `SEED=${seed}`).to.have.length(1)
      expect(victim.worker.shardIds, `SEED=${seed}`).to.deep.equal([])
      victim.links.store = 'up'
      await world.load(40_000)
      expect(
        victim.events('session:died').map(({ session }) => session),
        `SEED=${seed}`
      ).to.deep.equal([old])
      expect(victim.events('lease:lost'), `SEED=${seed}`).to.have.length(2)
      expect(sessionOf(victim), `SEED=${seed}`).to.not.equal(old)
      await expectBalanced(world)
      await expectSafe(world)
      await world.stopAll()
    }
  })

  it('L6: with Java workers on the table, a lease that was not renewed in time is lost though nobody took it', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = new World({ seed, latencyMs: 10 })
      const lost: string[] = []
      class Telling extends RecordProcessor {
        async processRecords({ records, shardId: shard, checkpointer }: ProcessRecordsInput): Promise<void> {
          member.note(records, shard)
          await checkpointer.checkpoint()
        }
        override leaseLost(): void {
          lost.push('lost')
        }
      }
      const member = await world.startWorker({ processor: () => new Telling(), leases: { mode: 'mixed' } })
      await world.load(10_000)
      const { counter, owner } = await rowOf(world)
      member.links.leases = 'down'
      await world.clock.advance(12_000)
      expect([lost, member.worker.shardIds], `SEED=${seed}`).to.deep.equal([['lost'], []])
      member.links.leases = 'up'
      await world.load(20_000)
      expect(member.events('lease:taken').at(-1), `SEED=${seed}`).to.include({ why: 'ours' })
      const row = await rowOf(world)
      expect(row, `SEED=${seed}`).to.include({ owner })
      expect(row.counter, `SEED=${seed}`).to.be.greaterThan(counter)
      await expectSafe(world)
      await world.stopAll()
    }
  })

  it('L15: a renewal that is throttled twice is made again, and the lease is kept', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = new World({ seed, latencyMs: 10 })
      const member = await world.startWorker({ leases: { mode: 'mixed' } })
      await world.load(5_000)
      let throttled = 0
      member.intercept = call => {
        if (kindOfWrite(call) !== 'renewal' || throttled % 3 === 2) {
          if (kindOfWrite(call) === 'renewal') throttled++
          return undefined
        }
        throttled++
        return { kind: 'throttled' }
      }
      await world.clock.advance(60_000)
      expect(throttled, `SEED=${seed}`).to.be.greaterThan(20)
      expect(member.events('lease:lost'), `SEED=${seed}`).to.deep.equal([])
      member.intercept = undefined
      await expectExactlyOnce(world)
      await world.stopAll()
    }
  })

  it('L16: a worker that stops while claims are under way adopts nothing, leads no more and calls nobody afterwards', async () => {
    for (const seed of seeds(SEEDS * 4)) {
      const world = new World({ shards: 8, seed, latencyMs: 200 })
      const [first, second] = [world.makeWorker(), world.makeWorker()]
      let lateCalls = 0
      first.intercept = call => {
        if (first.worker.state === 'stopped' && call.service !== 'kinesis') lateCalls++
        return kindOfWrite(call) === 'claim' ? { kind: 'slow', thereMs: 500, backMs: 500 } : undefined
      }
      void first.worker.start()
      await world.clock.advance(1_000)
      void second.worker.start()
      await world.clock.advance(world.random.next() * 12_000)
      await world.await(first.worker.stop())
      const stoppedAtMs = world.clock.monotonicMs()
      const sessions = first.events('session:began').map(({ session }) => session)
      await world.load(60_000)
      expect(lateCalls, `SEED=${seed}: calls after the stop`).to.equal(0)
      const late = world.history.claims().filter(({ atMs, after }) => {
        return atMs > stoppedAtMs && sessions.includes(after?.owner ?? '')
      })
      expect(late, `SEED=${seed}`).to.deep.equal([])
      expect(await leaderOf(world), `SEED=${seed}`).to.equal(second)
      expect(second.worker.shardIds, `SEED=${seed}`).to.have.length(8)
      await expectSafe(world)
      await world.stopAll()
    }
  })

  it('L17: loops go on whatever their calls throw, and everything is as it was once that is over', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 3, shards: 6, seed })
      for (const member of world.members) {
        member.intercept = () => {
          if (world.random.next() < 0.5) return undefined
          return { kind: 'fails', error: new TypeError('an error that nobody expects') }
        }
      }
      await world.load(60_000)
      for (const member of world.members) member.intercept = undefined
      await world.load(90_000)
      expect(
        world.members.map(({ worker }) => worker.state),
        `SEED=${seed}`
      ).to.deep.equal(['running', 'running', 'running'])
      await expectBalanced(world)
      await expectSafe(world)
      await world.stopAll()
    }
  })

  it('L18: a call that never completes is given up and made again: of the heartbeat, and of a read', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ shards: 2, seed })
      const before = world.history.claims().length
      for (const member of world.members) {
        let beats = 0
        member.intercept = ({ name }) => (name === 'beat' && beats++ % 2 > 0 ? { kind: 'hangs' } : undefined)
      }
      let reads = 0
      world.kinesis.intercept = call => {
        return call.name === 'getRecords' && reads++ % 5 === 0 ? new Promise<never>(() => {}) : undefined
      }
      await world.load(120_000)
      world.kinesis.intercept = undefined
      expect(world.history.claims().length, `SEED=${seed}: claims`).to.equal(before)
      expect(world.events('session:suspended'), `SEED=${seed}`).to.deep.equal([])
      await expectExactlyOnce(world)
      await world.stopAll()
    }
  })
})
