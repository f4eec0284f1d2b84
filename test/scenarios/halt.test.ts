// Halted shards: they stay where they are, are seen, and go on from the poison once that is mended.
import { expect } from 'chai'
import { type ProcessRecordsInput, RecordProcessor } from '../../src/index.ts'
import { shardId } from '../support/builders.ts'
import { type Member, STREAM, type WorldWorkerOptions } from '../support/world.ts'
import { PoisonWorld, range } from './poison-world.ts'

const MINUTE_MS = 60_000
const POLICY = { attempts: 3, backoffMs: 100, maxBackoffMs: 200 }

/** A world in which a shard halts for as long as it is not mended. */
class Halting {
  readonly poisoned: PoisonWorld
  readonly poison: number[] = []
  isMended = false

  constructor(shards: number) {
    this.poisoned = new PoisonWorld({ shards })
  }

  readonly handler: NonNullable<WorldWorkerOptions['handler']> = records => {
    const numbers = this.poisoned.begin(records)
    if (!this.isMended && numbers.some(number => this.poison.includes(number))) throw new Error('poison')
    this.poisoned.succeed(numbers)
  }

  start(options: WorldWorkerOptions = {}): Promise<Member> {
    return this.poisoned.world.startWorker({ handler: this.handler, onProcessorError: POLICY, ...options })
  }
}

describe('a halted shard', () => {
  for (const workers of [2, 3]) {
    it(`stays with one of ${workers} workers for an hour, while the others go on, and is red there alone`, async () => {
      const halting = new Halting(6)
      const { poisoned } = halting
      const { clock } = poisoned.world
      const members: Member[] = []
      for (let count = 0; count < workers; count++) members.push(await halting.start())
      await clock.advance(2 * MINUTE_MS)
      halting.poison.push(poisoned.put(2))
      await clock.advance(MINUTE_MS)
      const moves = poisoned.world.events('lease:taken').length
      for (let minute = 0; minute < 60; minute++) {
        for (const shard of range(0, 6)) poisoned.put(shard)
        await clock.advance(MINUTE_MS)
      }
      expect(poisoned.world.events('lease:taken')).to.have.length(moves)
      expect(poisoned.world.events('lease:revoked').filter(event => event.shardId === shardId(2))).to.deep.equal([])
      expect(poisoned.world.events('shard:halted').map(event => event.shardId)).to.deep.equal([shardId(2)])
      const colors = members.map(({ worker }) => worker.health().color)
      expect(colors.sort()).to.deep.equal([...Array(workers - 1).fill('green'), 'red'])
      expect(members.map(member => poisoned.health(member, 2)).filter(health => health !== 'not held')).to.deep.equal([
        'red halted'
      ])
      const reasons = members.flatMap(({ worker }) => worker.health().shards.flatMap(({ reason }) => reason ?? []))
      expect(reasons).to.have.length(1)
      expect(reasons[0]).to.match(/^halted: .*poison/)
      // 60 for each of the other five shards.
      const settled = poisoned.succeeded.flat().filter(number => number > 0)
      expect(settled).to.have.length(300)
      await poisoned.world.stopAll()
    })
  }

  const ways: readonly (readonly [string, WorldWorkerOptions])[] = [
    ['a handler', {}],
    ['windows', { batch: { maxRecords: 4, windowMs: 500 } }],
    ['lanes', { concurrency: { perShard: 4 } }]
  ]
  for (const [how, options] of ways) {
    it(`of ${how} is resumed by a call, once it is mended, and goes on exactly from the poison`, async () => {
      const halting = new Halting(2)
      const { poisoned } = halting
      const { clock } = poisoned.world
      const member = await halting.start({ ...options, retrieval: { maxRecords: 5 } })
      poisoned.putMany(10)
      await clock.advance(5_000)
      // First of its batch: what comes before it is settled for good.
      halting.poison.push(10)
      poisoned.putMany(20)
      await clock.advance(MINUTE_MS)
      expect(poisoned.health(member)).to.equal('red halted')
      expect(await poisoned.checkpoint()).to.equal(9)
      member.worker.resume(shardId(0))
      await clock.advance(MINUTE_MS)
      expect(poisoned.health(member)).to.equal('red halted')
      expect(member.events('shard:halted')).to.have.length(2)
      halting.isMended = true
      member.worker.resume(shardId(0))
      await clock.advance(MINUTE_MS)
      expect(poisoned.timesSettled(range(0, 30))).to.deep.equal(Array(30).fill(1))
      expect(await poisoned.checkpoint()).to.equal(29)
      expect(member.worker.health().color).to.equal('green')
      expect(member.events('shard:resumed')).to.have.length(2)
      expect(member.events('lease:taken')).to.have.length(2)
      await poisoned.world.stopAll()
    })
  }

  it('does not deliver again to the next worker what is settled, if it is stopped at once', async () => {
    const halting = new Halting(1)
    const { poisoned } = halting
    const { clock } = poisoned.world
    const each: WorldWorkerOptions['each'] = async record => {
      const numbers = poisoned.begin([record])
      await clock.sleep(20)
      if (!halting.isMended && numbers.some(number => halting.poison.includes(number))) throw new Error('poison')
      poisoned.succeed(numbers)
    }
    const options = { each, concurrency: { perShard: 1 }, onProcessorError: { ...POLICY, attempts: 1 } }
    const member = await poisoned.world.startWorker(options)
    halting.poison.push(20)
    poisoned.putMany(25, 0, index => `key-${index}`)
    await clock.advanceUntil(() => member.events('shard:halted').length > 0, MINUTE_MS)
    await poisoned.world.stopAll()
    expect(await poisoned.checkpoint()).to.equal(19)
    halting.isMended = true
    await poisoned.world.startWorker(options)
    await clock.advance(MINUTE_MS)
    expect(poisoned.timesSettled(range(0, 25))).to.deep.equal(Array(25).fill(1))
    await poisoned.world.stopAll()
  })

  it('tells its processor leaseLost before the next one is made, and is halted again if that fails', async () => {
    const halting = new Halting(1)
    const { poisoned } = halting
    const { clock } = poisoned.world
    const told: string[] = []
    let made = 0
    class Told extends RecordProcessor {
      readonly #name = `${++made}`
      override initialize(): void {
        told.push(`${this.#name} begins`)
      }
      override async processRecords({ records, checkpointer }: ProcessRecordsInput): Promise<void> {
        const numbers = poisoned.begin(records)
        if (numbers.includes(0) && !halting.isMended) throw new Error('poison')
        poisoned.succeed(numbers)
        await checkpointer.checkpoint()
      }
      override async leaseLost(): Promise<void> {
        await clock.sleep(10_000)
        told.push(`${this.#name} has lost it`)
      }
    }
    poisoned.put()
    const member = await poisoned.world.startWorker({ processor: () => new Told(), onProcessorError: POLICY })
    await clock.advance(MINUTE_MS)
    for (let times = 0; times < 3; times++) {
      member.worker.resume()
      await clock.advance(2_000)
      // Already on its way: it does not count for the next time it halts.
      member.worker.resume()
      await clock.advance(MINUTE_MS)
      expect(poisoned.health(member)).to.equal('red halted')
      expect(member.events('shard:halted')).to.have.length(2 + times)
    }
    halting.isMended = true
    member.worker.resume()
    await clock.advance(MINUTE_MS)
    expect(poisoned.health(member)).to.equal('green processing')
    expect(told).to.deep.equal(
      [1, 2, 3, 4].flatMap(name => [`${name} begins`, `${name} has lost it`]).concat('5 begins')
    )
    await poisoned.world.stopAll()
  })

  it('holds its children back until it is resumed, and ends then', async () => {
    const halting = new Halting(1)
    const { poisoned } = halting
    const { clock, kinesis } = poisoned.world
    halting.poison.push(2)
    poisoned.putMany(5)
    const member = await halting.start({ shardSyncIntervalMs: 1_000 })
    await clock.advance(MINUTE_MS)
    kinesis.split(STREAM, shardId(0))
    const ofChildren = [...poisoned.putMany(3, 1), ...poisoned.putMany(3, 2)]
    await clock.advance(10 * MINUTE_MS)
    expect(poisoned.health(member)).to.equal('red halted')
    expect(poisoned.timesGiven(ofChildren)).to.deep.equal(Array(6).fill(0))
    halting.isMended = true
    member.worker.resume(shardId(0))
    await clock.advance(MINUTE_MS)
    expect(poisoned.timesSettled(range(0, 11))).to.deep.equal(Array(11).fill(1))
    expect(member.events('shard:ended').map(event => event.shardId)).to.deep.equal([shardId(0)])
    await poisoned.world.stopAll()
  })

  it('goes to another worker when its own stops, which comes to the same record', async () => {
    const halting = new Halting(1)
    const { poisoned } = halting
    const { clock } = poisoned.world
    halting.poison.push(0)
    poisoned.put()
    const first = await halting.start()
    await clock.advance(MINUTE_MS)
    const second = await halting.start()
    await clock.advance(MINUTE_MS)
    expect(second.worker.shardIds).to.deep.equal([])
    await poisoned.world.await(first.worker.stop())
    await clock.advance(MINUTE_MS)
    expect(poisoned.health(second)).to.equal('red halted')
    await poisoned.world.stopAll()
  })

  it('is neither read nor resumed by the pause of a worker, and is when that is resumed', async () => {
    const halting = new Halting(1)
    const { poisoned } = halting
    const { clock } = poisoned.world
    halting.poison.push(0)
    poisoned.putMany(3)
    const member = await halting.start()
    await clock.advance(MINUTE_MS)
    const calls = poisoned.calls.length
    member.worker.pause()
    halting.isMended = true
    await clock.advance(MINUTE_MS)
    expect(poisoned.calls).to.have.length(calls)
    member.worker.resume()
    await clock.advance(MINUTE_MS)
    expect(poisoned.timesSettled(range(0, 3))).to.deep.equal([1, 1, 1])
    await poisoned.world.stopAll()
  })
})
