// The circuit breaker of a worker: when it opens and closes, and that nothing is called, counted or held up meanwhile.
import { expect } from 'chai'
import type { Member, WorldWorkerOptions } from '../support/world.ts'
import { PoisonWorld, range } from './poison-world.ts'

const OPEN_MS = 20_000
const BREAKER = { failures: 4, openMs: OPEN_MS }
const POLICY = { attempts: 10, backoffMs: 100, maxBackoffMs: 200, circuitBreaker: BREAKER }

function changes(member: Member): string[] {
  return member.events('breaker:changed').map(({ state, failures }) => `${state} ${failures}`)
}

/** A world whose database is down. */
class Outage {
  readonly poisoned: PoisonWorld
  isDown = true
  readonly callsAtMs: number[] = []
  readonly failures: number[] = []
  member!: Member

  constructor(shards: number) {
    this.poisoned = new PoisonWorld({ shards })
  }

  async start(options: WorldWorkerOptions = {}): Promise<void> {
    this.member = await this.poisoned.world.startWorker({ handler: this.handler, onProcessorError: POLICY, ...options })
  }

  readonly handler: NonNullable<WorldWorkerOptions['handler']> = (records, { failures }) => {
    const numbers = this.poisoned.begin(records)
    this.callsAtMs.push(this.poisoned.world.clock.monotonicMs())
    this.failures.push(failures)
    if (this.isDown) throw new Error('the database is down')
    this.poisoned.succeed(numbers)
  }
}

describe('the circuit breaker of a worker', () => {
  it('opens after so many failures over all shards, probes with one call, and closes once that succeeds', async () => {
    const outage = new Outage(3)
    const { poisoned } = outage
    const { clock } = poisoned.world
    for (const shard of [0, 1, 2]) poisoned.putMany(5, shard)
    await outage.start()
    await clock.advance(5_000)
    expect(changes(outage.member)).to.deep.equal(['open 4'])
    const opened = outage.member.events('breaker:changed')[0]
    expect(opened?.error?.message).to.equal('the database is down')
    expect(opened?.openMs).to.equal(OPEN_MS)
    expect(outage.callsAtMs).to.have.length(4)
    const openedAtMs = opened?.atMs ?? 0
    await clock.advance(openedAtMs + 3 * OPEN_MS + 1_000 - clock.monotonicMs())
    const probes = [1, 2, 3].map(times => openedAtMs + times * OPEN_MS)
    expect(outage.callsAtMs.slice(4)).to.deep.equal(probes)
    expect(changes(outage.member).slice(1)).to.deep.equal([
      'probing 4',
      'open 5',
      'probing 5',
      'open 6',
      'probing 6',
      'open 7'
    ])
    outage.isDown = false
    await clock.advance(OPEN_MS)
    expect(changes(outage.member).slice(7)).to.deep.equal(['probing 7', 'closed 0'])
    await clock.advance(2_000)
    expect(poisoned.timesSettled(range(0, 15))).to.deep.equal(Array(15).fill(1))
    expect(outage.member.events('shard:halted')).to.deep.equal([])
    // Seven calls failed: only they count as attempts.
    expect(outage.member.events('processor:failed')).to.have.length(7)
    await poisoned.world.stopAll()
  })

  it('uses up no attempts while it is open, however long that is', async () => {
    const outage = new Outage(1)
    const { poisoned } = outage
    poisoned.putMany(5)
    const circuitBreaker = { failures: 2, openMs: 3_600_000 }
    await outage.start({ onProcessorError: { ...POLICY, attempts: 4, circuitBreaker } })
    await poisoned.world.clock.advance(3_500_000)
    expect(outage.failures).to.deep.equal([0, 1])
    outage.isDown = false
    await poisoned.world.clock.advance(200_000)
    expect(outage.failures).to.deep.equal([0, 1, 2])
    expect(await poisoned.checkpoint()).to.equal(4)
    await poisoned.world.stopAll()
  })

  it('does not open because of one bad record among good ones', async () => {
    const poisoned = new PoisonWorld({ shards: 2 })
    const member = await poisoned.world.startWorker({
      onProcessorError: { ...POLICY, backoffMs: 2_000, maxBackoffMs: 2_000 },
      handler: records => {
        if (poisoned.begin(records).includes(0)) throw new Error('poison')
      }
    })
    for (let second = 0; second < 60; second++) {
      for (const shard of [0, 1]) poisoned.put(shard)
      await poisoned.world.clock.advance(1_000)
    }
    expect(member.events('processor:failed').length).to.be.at.least(10)
    expect(changes(member)).to.deep.equal([])
    await poisoned.world.stopAll()
  })

  it('opens when calls name everything that they were given as failed', async () => {
    const poisoned = new PoisonWorld()
    poisoned.putMany(5)
    const member = await poisoned.world.startWorker({
      onProcessorError: POLICY,
      handler: records => {
        poisoned.begin(records)
        return { failed: records }
      }
    })
    await poisoned.world.clock.advance(10_000)
    expect(changes(member)).to.deep.equal(['open 4'])
    expect(poisoned.calls).to.have.length(4)
    await poisoned.world.stopAll()
  })

  const ways: readonly (readonly [string, WorldWorkerOptions])[] = [
    ['a handler', {}],
    ['a handler of windows', { batch: { maxRecords: 2, windowMs: 100 } }],
    ['lanes', { concurrency: { perShard: 4 }, batch: { maxRecords: 1 } }]
  ]
  for (const [how, options] of ways) {
    it(`holds up neither a stop nor a hand-over of ${how} while it is open`, async () => {
      const outage = new Outage(2)
      const { poisoned } = outage
      const { clock } = poisoned.world
      const keyOf = (index: number): string => `key-${index}`
      for (const shard of [0, 1]) poisoned.putMany(20, shard, keyOf)
      const onProcessorError = { ...POLICY, circuitBreaker: { failures: 4, openMs: 600_000 } }
      await outage.start({ ...options, onProcessorError })
      await clock.advance(5_000)
      expect(outage.member.events('breaker:changed').map(({ state }) => state)).to.deep.equal(['open'])
      const { member } = outage
      const stoppingAtMs = clock.monotonicMs()
      await poisoned.world.await(member.worker.stop())
      expect(clock.monotonicMs() - stoppingAtMs).to.be.lessThan(10_000)
      expect(member.events('worker:stopped')[0]?.abandoned).to.deep.equal([])
      outage.isDown = false
      await outage.start(options)
      await clock.advance(30_000)
      expect(poisoned.timesSettled(range(0, 40))).to.deep.equal(Array(40).fill(1))
      await poisoned.world.stopAll()
    })
  }

  it('lets no call of a shard through that was paused while it was open', async () => {
    const outage = new Outage(1)
    const { poisoned } = outage
    const { clock } = poisoned.world
    poisoned.putMany(5)
    await outage.start()
    await clock.advance(10_000)
    expect(changes(outage.member)).to.deep.equal(['open 4'])
    outage.member.worker.pause()
    outage.isDown = false
    await clock.advance(5 * OPEN_MS)
    expect(outage.callsAtMs).to.have.length(4)
    outage.member.worker.resume()
    await clock.advance(OPEN_MS)
    expect(await poisoned.checkpoint()).to.equal(4)
    expect(changes(outage.member).at(-1)).to.equal('closed 0')
    await poisoned.world.stopAll()
  })

  it('probes with a shard that is not paused while others are', async () => {
    const outage = new Outage(2)
    const { poisoned } = outage
    const { clock } = poisoned.world
    for (const shard of [0, 1]) poisoned.putMany(5, shard)
    await outage.start()
    await clock.advance(10_000)
    outage.isDown = false
    outage.member.worker.pause('shardId-000000000000')
    await clock.advance(2 * OPEN_MS)
    expect(changes(outage.member).at(-1)).to.equal('closed 0')
    expect([await poisoned.checkpoint(0), await poisoned.checkpoint(1)]).to.deep.equal(['TRIM_HORIZON', 9])
    await poisoned.world.stopAll()
  })
})
