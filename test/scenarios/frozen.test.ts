// Reads that are never answered: found, begun anew, and left to another worker where that does not help.
import { expect } from 'chai'
import { ServiceError } from '../../src/index.ts'
import { readIterator } from '../../src/testing/fake-iterator.ts'
import { shardId } from '../support/builders.ts'
import type { WorldCall } from '../support/call-fates.ts'
import type { Member, WorldWorkerOptions } from '../support/world.ts'
import { PoisonWorld, range } from './poison-world.ts'

const MINUTE_MS = 60_000
const STALL_MS = 60_000
/** The watchdog looks every so often. */
const LOOK_MS = 5_000
/** How long it takes until a lease that was given back is held by another worker. */
const HAND_OVER_MS = 10_000
const HANGS = { kind: 'hangs' } as const

/** Which shard a call reads, if it does. */
function shardRead({ name, args }: WorldCall): string | undefined {
  if (name === 'getRecords') return readIterator(String(args[0]))?.shardId
  return name === 'getShardIterator' ? String(args[0]) : undefined
}

/** A world with three shards that get a record every second each. */
class Reading {
  readonly poisoned = new PoisonWorld({ shards: 3 })

  start(options: WorldWorkerOptions = {}): Promise<Member> {
    const { poisoned } = this
    const handler: WorldWorkerOptions['handler'] = records => poisoned.succeed(poisoned.begin(records))
    return poisoned.world.startWorker({ handler, ...options })
  }

  async run(ms: number): Promise<void> {
    const { clock } = this.poisoned.world
    for (const untilMs = clock.monotonicMs() + ms; clock.monotonicMs() < untilMs; ) {
      for (const shard of [0, 1, 2]) this.poisoned.put(shard)
      await clock.advance(1_000)
    }
  }

  /** Lets what is left be read, and expects that everything came once. */
  async expectOnce(ms = 5_000): Promise<void> {
    const { poisoned } = this
    await poisoned.world.clock.advance(ms)
    expect(poisoned.timesSettled(range(0, poisoned.size))).to.deep.equal(Array(poisoned.size).fill(1))
    await poisoned.world.stopAll()
  }

  /** The highest number that was settled of a shard. */
  newest(shard: number): number {
    return this.poisoned.succeeded
      .flat()
      .reduce((newest, each) => (each % 3 === shard ? Math.max(newest, each) : newest), -1)
  }
}

describe('a read of one shard that is never answered', () => {
  for (const name of ['getRecords', 'getShardIterator']) {
    it(`is found and begun anew within ${STALL_MS + LOOK_MS} ms: ${name}`, async () => {
      const reading = new Reading()
      const { clock } = reading.poisoned.world
      const member = await reading.start()
      await reading.run(5_000)
      let isFrozen = true
      let frozenAtMs = 0
      member.intercept = call => {
        const asked = shardRead(call)
        if (!isFrozen || asked !== shardId(1)) return undefined
        // Only by an iterator that has expired is the other one asked for.
        if (name === 'getShardIterator' && call.name === 'getRecords') return { kind: 'fails', error: expired() }
        isFrozen = false
        frozenAtMs = clock.monotonicMs()
        return HANGS
      }
      await reading.run(STALL_MS - LOOK_MS)
      expect(reading.poisoned.health(member, 1)).to.equal('green processing')
      await clock.advanceUntil(() => member.events('shard:stalled').length > 0, 20_000)
      const [stall] = member.events('shard:stalled')
      expect(stall).to.include({ shardId: shardId(1), waitingFor: 'answer', action: 'restart' })
      // Since the last answer, which was up to a second earlier.
      expect((stall?.atMs ?? 0) - frozenAtMs).to.be.within(STALL_MS - 1_000, STALL_MS + LOOK_MS)
      const reason = member.worker.health().shards.find(each => each.shardId === shardId(1))?.reason
      expect(reason).to.match(/^stalled: Kinesis does not answer for 6\d s$/)
      await reading.run(10_000)
      expect(member.events('shard:progressed').map(event => event.shardId)).to.deep.equal([shardId(1)])
      expect(member.worker.health().color).to.equal('green')
      expect(reading.poisoned.world.events('lease:taken')).to.have.length(3)
      for (const shard of [0, 2]) expect(reading.newest(shard)).to.be.at.least(reading.poisoned.size - 6)
      await reading.expectOnce()
    })
  }

  it(`again and again is left to another worker within ${2 * STALL_MS + LOOK_MS} ms, and stays there`, async () => {
    const reading = new Reading()
    const { world } = reading.poisoned
    const first = await reading.start()
    await reading.run(5_000)
    const second = await reading.start()
    await reading.run(MINUTE_MS)
    const [member, other] = first.worker.shardIds.includes(shardId(1)) ? [first, second] : [second, first]
    member.intercept = call => (shardRead(call) === shardId(1) ? HANGS : undefined)
    const frozenAtMs = world.clock.monotonicMs()
    await reading.run(2 * STALL_MS + LOOK_MS + HAND_OVER_MS)
    expect(member.events('shard:stalled').map(({ action }) => action)).to.deep.equal(['restart', 'release'])
    expect((member.events('lease:released').at(-1)?.atMs ?? 0) - frozenAtMs).to.be.at.most(
      2 * STALL_MS + LOOK_MS + 1_000
    )
    expect(other.worker.shardIds).to.include(shardId(1))
    expect(reading.newest(1)).to.be.at.least(reading.poisoned.size - 9)
    for (let minute = 0; minute < 60; minute++) {
      reading.poisoned.putMany(1, 0)
      reading.poisoned.putMany(1, 1)
      reading.poisoned.putMany(1, 2)
      await world.clock.advance(MINUTE_MS)
    }
    // It may be tried again, but less and less often.
    const stalls = member.events('shard:stalled').filter(({ action }) => action === 'release')
    expect(stalls.length, 'releases in an hour').to.be.at.most(4)
    await reading.expectOnce()
  })

  it('by a worker that is alone is tried again and again, and nothing is lost once it is answered', async () => {
    const reading = new Reading()
    const member = await reading.start()
    await reading.run(5_000)
    let isFrozen = true
    member.intercept = call => (isFrozen && shardRead(call) === shardId(1) ? HANGS : undefined)
    const isRed: boolean[] = []
    for (let minute = 0; minute < 15; minute++) {
      await reading.run(MINUTE_MS)
      isRed.push(member.worker.health().color === 'red')
    }
    expect(reading.newest(0)).to.be.at.least(reading.poisoned.size - 6)
    // Not while the lease is avoided, and not before the next reads have been waited for in their turn.
    expect(isRed.filter(Boolean).length).to.be.at.least(4)
    isFrozen = false
    await reading.run(6 * MINUTE_MS)
    expect(member.worker.health().color).to.equal('green')
    await reading.expectOnce()
  })

  it('under lanes and windows is the same', async () => {
    for (const options of [{ concurrency: { perShard: 4 } }, { batch: { maxRecords: 10, windowMs: 500 } }]) {
      const reading = new Reading()
      const member = await reading.start(options)
      await reading.run(5_000)
      let isFrozen = true
      member.intercept = call => (isFrozen && shardRead(call) === shardId(1) ? HANGS : undefined)
      await reading.run(STALL_MS + LOOK_MS)
      expect(member.events('shard:stalled').map(({ action }) => action)).to.deep.equal(['restart'])
      isFrozen = false
      // The read that was begun anew hangs as well.
      await reading.run(STALL_MS + LOOK_MS + 4 * HAND_OVER_MS)
      await reading.expectOnce()
    }
  })

  it('is not what a slow answer is, or one that asks for less', async () => {
    const reading = new Reading()
    const member = await reading.start()
    await reading.run(5_000)
    let count = 0
    member.intercept = call => {
      if (shardRead(call) !== shardId(1)) return undefined
      count += 1
      return count % 2 === 0 ? { kind: 'throttled' } : { kind: 'slow', backMs: STALL_MS - 10_000 }
    }
    await reading.run(5 * MINUTE_MS)
    expect(member.events('shard:stalled')).to.deep.equal([])
    expect(member.worker.health().color).to.equal('green')
    member.intercept = undefined
    await reading.expectOnce(MINUTE_MS)
  })

  it('is not what waiting for room in memory is, however long, nor the first read after it', async () => {
    const reading = new Reading()
    const { poisoned } = reading
    const { clock } = poisoned.world
    // What an answer of this shard holds of the memory leaves nothing for the next one.
    let isBlocked = true
    const member = await reading.start({
      retrieval: { maxBufferedBytes: 32_000_000, maxShardBufferedBytes: 16_000_000, maxRecords: 10_000 },
      concurrency: { perShard: 1_000, maxInFlight: 1_000_000 },
      handler: async records => {
        const numbers = poisoned.begin(records)
        while (isBlocked) await clock.sleep(1_000)
        poisoned.succeed(numbers)
      }
    })
    const payload = new Uint8Array(1_000_000)
    for (let count = 0; count < 40; count++) poisoned.put(0, { payload })
    await clock.advance(5 * MINUTE_MS)
    expect(poisoned.health(member)).to.equal('red processing')
    member.intercept = call => (shardRead(call) === shardId(0) ? { kind: 'slow', backMs: 2 * LOOK_MS } : undefined)
    isBlocked = false
    await clock.advance(2 * MINUTE_MS)
    expect(member.events('shard:stalled').map(({ waitingFor }) => waitingFor)).to.not.include('answer')
    expect(member.events('lease:released')).to.deep.equal([])
    member.intercept = undefined
    await reading.expectOnce(2 * MINUTE_MS)
  })
})

describe('a worker that is cut off from Kinesis alone', () => {
  async function cutOff(): Promise<{ reading: Reading; first: Member; second: Member; held: string[] }> {
    const reading = new Reading()
    const first = await reading.start()
    const second = await reading.start()
    await reading.run(MINUTE_MS)
    const held = first.worker.shardIds
    expect(held).to.have.length.within(1, 2)
    first.links.kinesis = 'down'
    return { reading, first, second, held }
  }

  it('leaves its shards to the others in time, and nothing is lost', async () => {
    const { reading, first, second, held } = await cutOff()
    const before = second.events('lease:taken').length
    await reading.run(2 * STALL_MS + LOOK_MS + HAND_OVER_MS)
    const taken = second.events('lease:taken').slice(before)
    expect(taken.map(event => event.shardId)).to.include.members(held)
    first.links.kinesis = 'up'
    await reading.run(5 * MINUTE_MS)
    await reading.expectOnce()
  })

  it('does not take shards in circles that another worker reads well', async () => {
    const { reading, first } = await cutOff()
    const { clock } = reading.poisoned.world
    await reading.run(2 * STALL_MS + LOOK_MS + HAND_OVER_MS)
    const taken = first.events('lease:taken').length
    for (let minute = 0; minute < 60; minute++) {
      await reading.run(1_000)
      await clock.advance(MINUTE_MS - 1_000)
    }
    expect(first.events('lease:taken').length - taken, 'takes in an hour').to.be.at.most(6)
    first.links.kinesis = 'up'
    await reading.run(40 * MINUTE_MS)
    expect(first.worker.shardIds.length, 'once it is connected again').to.be.within(1, 2)
    await reading.expectOnce()
  })
})

function expired(): Error {
  return new ServiceError('expired-iterator', 'too old', { retryable: false })
}
