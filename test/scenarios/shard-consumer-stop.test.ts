// The scenarios K6 and K7 of the reference on KCL's behaviour, by name: what a graceful stop, or a shard that moves, means to
// the code of a user, and that a stop comes to an end whatever the shards are at.
import { expect } from 'chai'
import { claimed, released } from '../../src/model/lease.ts'
import { shardId } from '../support/builders.ts'
import { CallLog } from '../support/call-log.ts'
import { expectInOrder, expectOnce, putIntoAll } from '../support/numbered-records.ts'
import { seeds } from '../support/seeds.ts'
import { type Member, STREAM, World } from '../support/world.ts'

const SHARD = shardId(0)
/** Every order in which a processor may be called, one line a call, what threw or not. */
const LEGAL = /^(initialize )*(processRecords )*((shardEnded )+|(shutdownRequested )+|)(leaseLost )?$/

function lifeOf(log: CallLog, worker: string, id: string): string {
  return log
    .which({ worker, shardId: id })
    .map(({ method }) => `${method} `)
    .join('')
}

/** Another worker's claim, as far as the table is concerned. */
async function steal(world: World, leaseKey: string): Promise<void> {
  const row = await world.store.get(leaseKey)
  if (row) await world.store.replace(row, claimed(row, 'thief/0001'))
}

/** Expects that no write lands any more, apart from those that are on their way, and that nobody waits for anything. */
async function expectSilence(world: World): Promise<void> {
  await world.clock.advance(150)
  const { length } = world.history.writes
  await world.clock.advance(1_000)
  expect(world.history.writes.slice(length), `SEED=${world.seed}: writes`).to.deep.equal([])
  expect(world.clock.sleeping, `SEED=${world.seed}: sleepers`).to.equal(0)
}

describe('a shard that is given back', () => {
  // In Java leaseLost follows shutdownRequested. Here it does not: nothing was lost.
  for (const why of ['stops', 'is joined by another'] as const) {
    it(`K6: waits for a long processRecords, then calls shutdownRequested, if the worker ${why}`, async () => {
      for (const seed of seeds(4)) {
        const world = new World({ shards: 2, seed, latencyMs: 20 })
        const log = new CallLog(world)
        const first = await log.startWorker({
          processRecords: async ({ records, checkpointer }, { clock }) => {
            if (records.some(record => Number(record.text()) < 2)) await clock.sleep(25_000)
            await checkpointer.checkpoint()
          }
        })
        await world.clock.advance(5_000)
        putIntoAll(world)
        await world.untilDelivered()
        putIntoAll(world)
        const second = await log.startWorker()
        if (why === 'stops') await world.await(first.worker.stop({ graceMs: 60_000 }))
        await world.untilDelivered()
        await world.clock.advance(30_000)
        const given = first.events('lease:released').map(event => event.shardId)
        expect(given, `SEED=${seed}`).to.have.length(why === 'stops' ? 2 : 1)
        for (const id of given) {
          const [, records, request, ...others] = log.which({ worker: first.name, shardId: id })
          expect(lifeOf(log, first.name, id), `SEED=${seed}`).to.equal('initialize processRecords shutdownRequested ')
          expect((records?.endedAtMs ?? 0) - (records?.atMs ?? 0), `SEED=${seed}`).to.be.at.least(25_000)
          expect(request?.atMs, `SEED=${seed}`).to.be.at.least(records?.endedAtMs ?? Number.POSITIVE_INFINITY)
          expect(others, `SEED=${seed}`).to.deep.equal([])
          const [begun] = log.which({ worker: second.name, shardId: id })
          expect(begun?.atMs, `SEED=${seed}`).to.be.at.least(request?.endedAtMs ?? Number.POSITIVE_INFINITY)
          expect((begun?.atMs ?? 0) - (request?.endedAtMs ?? 0), `SEED=${seed}: until the successor`).to.be.lessThan(
            1_500
          )
        }
        expect(log.overlaps, `SEED=${seed}`).to.deep.equal([])
        expectOnce(world)
        await world.stopAll()
      }
    })
  }
})

/** A worker with a shard at its end, a child that waits for its parent, a shard in a long batch, an idle one, and one that is stolen. */
async function motley(
  seed: number
): Promise<{ world: World; log: CallLog; member: Member; steal: () => Promise<void> }> {
  const world = new World({ shards: 5, seed, latencyMs: 20 })
  const log = new CallLog(world)
  const [ending, parent, long, stolen] = [0, 1, 2, 3].map(shardId) as [string, string, string, string]
  const member = await log.startWorker({
    processRecords: async ({ shardId: id, checkpointer }, { clock }) => {
      if (id === long || id === stolen) await clock.sleep(8_000)
      await checkpointer.checkpoint()
    },
    shardEnded: async ({ shardId: id, checkpointer }, { clock }) => {
      if (id === ending) await clock.sleep(8_000)
      await checkpointer.checkpoint()
    },
    shutdownRequested: async ({ checkpointer }, { clock }) => {
      await clock.sleep(1_000)
      await checkpointer.checkpoint()
    }
  })
  await world.clock.advance(5_000)
  // Once the parent is finished nobody can read that it is: its children wait, as they would for another parent.
  member.intercept = ({ name, args }) => {
    const isEnded = log.lines({ shardId: parent, method: 'shardEnded' }).length > 0
    return name === 'get' && args[0] === parent && isEnded ? { kind: 'throttled' } : undefined
  }
  putIntoAll(world)
  for (const id of [parent, ending]) world.kinesis.split(STREAM, id)
  putIntoAll(world)
  await world.clock.advance(4_000)
  expect(log.lines({ shardId: ending, method: 'shardEnded' }), `SEED=${seed}`).to.have.length(1)
  expect(log.lines({ shardId: parent, method: 'shardEnded' }), `SEED=${seed}`).to.have.length(1)
  return { world, log, member, steal: () => steal(world, stolen) }
}

describe('a worker that is stopped', () => {
  it('K7: stops whatever its shards are at: ending, waiting for a parent, processing, idle, stolen on the way', async () => {
    for (const seed of seeds(8)) {
      const { world, log, member, steal: stealOne } = await motley(seed)
      const waiting = member.worker.shardIds.filter(id => log.which({ shardId: id }).length === 0)
      expect(waiting.length, `SEED=${seed}: children that wait`).to.be.greaterThan(0)
      await world.clock.advance(world.random.next() * 6_000)
      const stopped = member.worker.stop({ graceMs: 30_000 })
      let stops = 0
      void stopped.then(() => stops++)
      await world.clock.advance(world.random.next() * 2_000)
      await stealOne()
      const stoppingAtMs = world.clock.monotonicMs()
      await world.await(Promise.all([stopped, member.worker.finished]), 60_000)
      expect(world.clock.monotonicMs() - stoppingAtMs, `SEED=${seed}`).to.be.lessThan(15_000)
      expect(stops, `SEED=${seed}`).to.equal(1)
      expect(
        member.events('worker:stopped').map(({ abandoned }) => abandoned),
        `SEED=${seed}`
      ).to.deep.equal([[]])
      await expectSilence(world)
      for (const { shardId: id } of world.kinesis.shards(STREAM)) {
        expect(lifeOf(log, member.name, id), `SEED=${seed}: ${id}`).to.match(LEGAL)
        if (waiting.includes(id)) expect(log.which({ shardId: id }), `SEED=${seed}: ${id}`).to.deep.equal([])
      }
      expect(log.overlaps, `SEED=${seed}`).to.deep.equal([])
      const { leases } = await world.store.list()
      expect(
        leases.flatMap(({ owner }) => owner ?? []),
        `SEED=${seed}`
      ).to.deep.equal(['thief/0001'])

      // What was given back goes on elsewhere; the thief, whom nobody knows, has to be taken out of the table by hand.
      const row = await world.store.get(shardId(3))
      if (row) await world.store.replace(row, released(row))
      await log.startWorker()
      await world.untilDelivered()
      expectInOrder(world)
      await world.stopAll()
    }
  })

  it('K7: stops at whatever moment of its start, and of that of its consumers', async () => {
    for (const seed of seeds(25)) {
      const world = new World({ shards: 3, seed, latencyMs: 60 })
      const log = new CallLog(world)
      putIntoAll(world, 2)
      const member = log.makeWorker({
        initialize: (_, { clock }) => clock.sleep(300),
        shutdownRequested: ({ checkpointer }) => checkpointer.checkpoint()
      })
      const started = member.worker.start()
      await world.clock.advance(world.random.next() * 3_500)
      const stoppingAtMs = world.clock.monotonicMs()
      await world.await(Promise.all([started, member.worker.stop(), member.worker.stop(), member.worker.finished]))
      expect(world.clock.monotonicMs() - stoppingAtMs, `SEED=${seed}`).to.be.lessThan(5_000)
      await expectSilence(world)
      for (const id of [SHARD, shardId(1), shardId(2)])
        expect(lifeOf(log, member.name, id), `SEED=${seed}`).to.match(LEGAL)
      const { leases } = await world.store.list()
      expect(
        leases.flatMap(({ owner }) => owner ?? []),
        `SEED=${seed}`
      ).to.deep.equal([])
      await log.startWorker()
      await world.untilDelivered()
      expectOnce(world)
      await world.stopAll()
    }
  })
})
