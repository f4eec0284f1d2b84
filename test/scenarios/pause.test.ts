// Pausing a shard, or the worker: nothing is delivered meanwhile, nothing is given away, and nothing hangs because of it.
import { expect } from 'chai'
import { OptionError } from '../../src/index.ts'
import { shardId } from '../support/builders.ts'
import { STREAM, type WorldWorkerOptions } from '../support/world.ts'
import { PoisonWorld, range } from './poison-world.ts'

const MINUTE_MS = 60_000

type Way = readonly [string, (poisoned: PoisonWorld) => WorldWorkerOptions]

const noting =
  (poisoned: PoisonWorld): NonNullable<WorldWorkerOptions['handler']> =>
  records =>
    poisoned.succeed(poisoned.begin(records))

const WAYS: readonly Way[] = [
  ['a handler', poisoned => ({ handler: noting(poisoned) })],
  ['a handler of windows', poisoned => ({ handler: noting(poisoned), batch: { maxRecords: 7, windowMs: 3_000 } })],
  ['lanes', poisoned => ({ handler: noting(poisoned), concurrency: { perShard: 4 } })],
  ['each', poisoned => ({ each: record => poisoned.succeed(poisoned.begin([record])), concurrency: { perShard: 4 } })]
]
const keyOf = (index: number): string => `key-${index}`

describe('a paused shard', () => {
  for (const [how, options] of WAYS) {
    it(`of ${how} is given nothing, keeps its lease, and goes on where it was; the others go on meanwhile`, async () => {
      const poisoned = new PoisonWorld({ shards: 2 })
      const { clock } = poisoned.world
      const member = await poisoned.world.startWorker(options(poisoned))
      poisoned.putMany(10, 0, keyOf)
      await clock.advance(5_000)
      expect(poisoned.timesSettled(range(0, 10))).to.deep.equal(Array(10).fill(1))
      member.worker.pause(shardId(0))
      const calls = poisoned.calls.length
      poisoned.putMany(20, 0, keyOf)
      await clock.advance(10 * MINUTE_MS)
      expect(poisoned.calls).to.have.length(calls)
      poisoned.putMany(20, 1, keyOf)
      await clock.advance(10_000)
      expect(poisoned.timesSettled(range(30, 50))).to.deep.equal(Array(20).fill(1))
      expect(poisoned.timesSettled(range(10, 30))).to.deep.equal(Array(20).fill(0))
      expect(member.worker.shardIds).to.have.length(2)
      const shards = member.worker.health().shards.map(({ shardId: id, paused, color }) => [id, paused, color])
      expect(shards.sort()).to.deep.equal([
        [shardId(0), true, 'green'],
        [shardId(1), false, 'green']
      ])
      expect(member.worker.health().paused).to.equal(false)
      member.worker.resume(shardId(0))
      await clock.advance(10_000)
      expect(poisoned.timesGiven(range(0, 50))).to.deep.equal(Array(50).fill(1))
      expect(await poisoned.checkpoint()).to.equal(29)
      for (const name of ['shard:paused', 'shard:resumed'] as const) {
        expect(member.events(name).map(event => event.shardId)).to.deep.equal([shardId(0)])
      }
      expect(member.events('shard:stalled')).to.deep.equal([])
      await poisoned.world.stopAll()
    })

    it(`of ${how} holds up neither a stop nor a hand-over, for which nothing of it is delivered`, async () => {
      const poisoned = new PoisonWorld()
      const { clock } = poisoned.world
      const member = await poisoned.world.startWorker(options(poisoned))
      await clock.advance(2_000)
      member.worker.pause()
      poisoned.putMany(20, 0, keyOf)
      await clock.advance(10_000)
      const next = await poisoned.world.startWorker(options(poisoned))
      await clock.advance(10_000)
      const stoppingAtMs = clock.monotonicMs()
      expect(poisoned.calls).to.deep.equal([])
      await poisoned.world.await(member.worker.stop())
      expect(clock.monotonicMs() - stoppingAtMs).to.be.lessThan(10_000)
      expect(member.events('worker:stopped')[0]?.abandoned).to.deep.equal([])
      await clock.advance(20_000)
      expect(next.worker.shardIds).to.deep.equal([shardId(0)])
      // Its pause was that of the other worker.
      expect(poisoned.timesGiven(range(0, 20))).to.deep.equal(Array(20).fill(1))
      const by = poisoned.world.ledger.deliveries.map(({ worker }) => worker)
      expect(new Set(by)).to.deep.equal(new Set([next.name]))
      await poisoned.world.stopAll()
    })
  }

  it('gets no second attempt while it is paused, and its call under way ends as usual', async () => {
    const poisoned = new PoisonWorld()
    const { clock } = poisoned.world
    let isDown = true
    const member = await poisoned.world.startWorker({
      onProcessorError: { attempts: 5, backoffMs: 1_000, maxBackoffMs: 1_000 },
      handler: async records => {
        const numbers = poisoned.begin(records)
        await clock.sleep(2_000)
        if (isDown) throw new Error('down')
        poisoned.succeed(numbers)
      }
    })
    poisoned.putMany(3)
    await clock.advance(1_500)
    expect(poisoned.calls).to.have.length(1)
    member.worker.pause()
    await clock.advance(MINUTE_MS)
    expect(poisoned.calls).to.have.length(1)
    expect(member.events('processor:failed')).to.have.length(1)
    isDown = false
    member.worker.resume()
    await clock.advance(5_000)
    expect(poisoned.calls).to.have.length(2)
    expect(await poisoned.checkpoint()).to.equal(2)
    await poisoned.world.stopAll()
  })

  it('is not delivered when the session of the worker, which was suspended, comes back', async () => {
    const poisoned = new PoisonWorld()
    const { clock } = poisoned.world
    const member = await poisoned.world.startWorker({ handler: noting(poisoned) })
    await clock.advance(5_000)
    member.links.control = 'down'
    await clock.advanceUntil(() => member.events('session:suspended').length > 0, MINUTE_MS)
    poisoned.putMany(5)
    await clock.advance(500)
    member.worker.pause()
    member.links.control = 'up'
    await clock.advanceUntil(() => member.events('session:resumed').length > 0, MINUTE_MS)
    await clock.advance(MINUTE_MS)
    expect(poisoned.calls).to.deep.equal([])
    member.worker.resume()
    await clock.advance(5_000)
    expect(poisoned.timesGiven(range(0, 5))).to.deep.equal(Array(5).fill(1))
    await poisoned.world.stopAll()
  })

  it('that this worker does not hold cannot be paused or resumed', async () => {
    const { world } = new PoisonWorld()
    const { worker } = await world.startWorker({})
    for (const change of [() => worker.pause('shardId-7'), () => worker.resume('shardId-7')]) {
      expect(change).to.throw(
        OptionError,
        'Option shardId: is "shardId-7", expected one of the shards that this worker holds'
      )
    }
    await world.stopAll()
  })

  it('does not give up what grows too old before it is resumed', async () => {
    const poisoned = new PoisonWorld()
    const { clock } = poisoned.world
    const member = await poisoned.world.startWorker({
      handler: noting(poisoned),
      // biome-ignore lint/suspicious/noThenProperty: that is the name of the option
      onProcessorError: { then: 'skip', maxRecordAgeMs: MINUTE_MS }
    })
    member.worker.pause()
    poisoned.putMany(5)
    await clock.advance(2 * MINUTE_MS)
    poisoned.putMany(5)
    expect(member.events('records:given-up')).to.deep.equal([])
    member.worker.resume()
    await clock.advance(5_000)
    expect(poisoned.timesGiven(range(0, 10))).to.deep.equal([...Array(5).fill(0), ...Array(5).fill(1)])
    expect(member.events('records:given-up').reduce((sum, { records }) => sum + records, 0)).to.equal(5)
    expect(await poisoned.checkpoint()).to.equal(9)
    await poisoned.world.stopAll()
  })
})

describe('a paused worker', () => {
  it('leases shards and pauses those that are new to it, but for one that is resumed', async () => {
    const poisoned = new PoisonWorld({ shards: 2 })
    const { world } = poisoned
    const member = world.makeWorker({ handler: noting(poisoned), shardSyncIntervalMs: 1_000 })
    member.worker.pause()
    await world.await(member.worker.start())
    for (const shard of [0, 1]) poisoned.putMany(5, shard)
    await world.clock.advance(MINUTE_MS)
    expect(member.worker.shardIds).to.have.length(2)
    expect(member.worker.health()).to.deep.include({ color: 'green', paused: true })
    expect(poisoned.calls).to.deep.equal([])
    member.worker.resume(shardId(0))
    await world.clock.advance(5_000)
    expect(poisoned.timesGiven(range(0, 10))).to.deep.equal([...Array(5).fill(1), ...Array(5).fill(0)])
    world.kinesis.split(STREAM, shardId(0))
    await world.clock.advance(MINUTE_MS)
    expect(member.worker.shardIds).to.have.length(3)
    poisoned.putMany(5, 2)
    poisoned.putMany(5, 3)
    await world.clock.advance(MINUTE_MS)
    expect(poisoned.timesGiven(range(5, 20))).to.deep.equal(Array(15).fill(0))
    member.worker.resume()
    await world.clock.advance(5_000)
    expect(poisoned.timesGiven(range(0, 20))).to.deep.equal(Array(20).fill(1))
    await world.stopAll()
  })

  it('is resumed as often as one likes, and stays resumed', async () => {
    const poisoned = new PoisonWorld()
    const { world } = poisoned
    const member = await world.startWorker({ handler: noting(poisoned) })
    for (let times = 0; times < 3; times++) {
      member.worker.pause()
      member.worker.pause()
      poisoned.putMany(3)
      await world.clock.advance(5_000)
      member.worker.resume()
      member.worker.resume()
      await world.clock.advance(5_000)
    }
    expect(poisoned.timesGiven(range(0, 9))).to.deep.equal(Array(9).fill(1))
    expect(member.events('shard:paused')).to.have.length(3)
    expect(member.events('shard:resumed')).to.have.length(3)
    await world.stopAll()
  })
})
