import { expect } from 'chai'
import { ServiceError } from '../../src/model/errors.ts'
import { FallbackRetriever } from '../../src/retrieval/fan-out-fallback.ts'
import { PollingRetriever } from '../../src/retrieval/polling-retriever.ts'
import type { ReadStart } from '../../src/retrieval/read-rules.ts'
import type { ModeChange, Retrieved } from '../../src/retrieval/retriever.ts'
import { ShardPaces } from '../../src/retrieval/shard-paces.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { seeds } from '../support/seeds.ts'
import { FanOutWorld, OneShardBudget, rejectionOf, SHARD, STREAM, TRIM_HORIZON, textsOf } from './fan-out-world.ts'

const MINUTE = 60_000
const never = new AbortController().signal

const denied = (name: string): ServiceError =>
  new ServiceError('access-denied', `allow kinesis:${name}`, { retryable: false })

/** A shard that is read by fan-out and, where that is denied, by polling. */
class FallbackWorld extends FanOutWorld {
  readonly changes: ModeChange[] = []
  readonly failures: number[] = []
  /** Where each retriever began, in order. */
  readonly begun: { mode: ModeChange['mode']; start: ReadStart; budget: OneShardBudget }[] = []
  /** Which calls are denied. */
  denies: (name: string) => boolean = () => false
  readonly both: FallbackRetriever

  constructor(start: ReadStart = TRIM_HORIZON, seed = 1) {
    super({ seed })
    this.fault = ({ name }) => {
      if (this.denies(name)) throw denied(name)
    }
    const random = seededRandom(seed)
    const paces = new ShardPaces({ idleMs: 1_000, otherApplications: 0, clock: this.clock, random })
    const begin = (mode: ModeChange['mode'], from: ReadStart): OneShardBudget => {
      const budget = new OneShardBudget()
      this.begun.push({ mode, start: from, budget })
      return budget
    }
    this.both = new FallbackRetriever({
      start,
      fanOut: (from, listener) => this.open(from, { allowance: begin('fan-out', from), givesUp: true, listener }),
      poll: (from, listener) =>
        new PollingRetriever({
          kinesis: this.kinesis.port(STREAM),
          shardId: SHARD,
          start: from,
          maxRecords: 1_000,
          pace: paces.open(SHARD),
          allowance: begin('polling', from),
          clock: this.clock,
          random,
          listener
        }),
      clock: this.clock,
      random,
      listener: {
        onRead: report => this.reports.push(report),
        onRetry: (_error, _inMs, failures) => this.failures.push(failures),
        onModeChange: change => this.changes.push(change)
      }
    })
  }

  denyFanOut(isDenied = true): void {
    this.denies = name => isDenied && name === 'subscribeToShard'
    if (isDenied) this.kinesis.disconnect(STREAM)
  }

  nextOfBoth(): Promise<string> {
    return this.next(this.both)
  }

  modes(): string[] {
    return this.changes.map(({ mode }) => mode)
  }
}

describe('FallbackRetriever', () => {
  it('reads by fan-out while that works, and tells of no change', async () => {
    const world = new FallbackWorld()
    world.put('a')
    expect(await world.nextOfBoth()).to.equal('a')
    expect(world.changes).to.deep.equal([])
    expect(world.named('getRecords')).to.deep.equal([])
  })

  for (const [what, name] of [
    ['SubscribeToShard', 'subscribeToShard'],
    ['RegisterStreamConsumer', 'registerConsumer'],
    ['DescribeStreamConsumer', 'describeConsumer']
  ] as const) {
    it(`reads by polling within seconds where ${what} is denied`, async () => {
      const world = new FallbackWorld()
      world.denies = each => each === name
      world.put('a')
      expect(await world.nextOfBoth()).to.equal('a')
      expect(world.clock.monotonicMs()).to.be.lessThan(10_000)
      expect(world.modes()).to.deep.equal(['polling'])
      expect(world.changes[0]?.error).to.be.instanceOf(ServiceError).with.property('kind', 'access-denied')
      expect(world.changes[0]?.retryInMs).to.be.within(150_000, 300_000)
    })
  }

  it('reads by polling after a minute where fan-out has not brought anything', async () => {
    const world = new FallbackWorld()
    world.fault = ({ name }) => {
      if (name === 'subscribeToShard') throw new ServiceError('other', 'reset', { retryable: true })
    }
    world.put('a')
    expect(await world.nextOfBoth()).to.equal('a')
    expect(world.clock.monotonicMs()).to.be.within(60_000, 90_000)
  })

  it('polls from the record that was accepted last, and begins at the checkpointed record if none was', async () => {
    const world = new FallbackWorld()
    const [a, b] = world.put('a', 'b')
    expect(await world.nextOfBoth()).to.equal('a b')
    world.denyFanOut()
    world.put('c')
    expect(await world.nextOfBoth()).to.equal('c')
    expect(world.begun.at(-1)).to.deep.include({
      mode: 'polling',
      start: { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: b }
    })
    const start = { type: 'AT_SEQUENCE_NUMBER', sequenceNumber: a ?? '' } as const
    const other = new FallbackWorld(start)
    other.put('a', 'b')
    other.denyFanOut()
    expect(await other.nextOfBoth()).to.equal('a b')
    expect(other.begun.at(-1)).to.deep.include({ mode: 'polling', start })
  })

  it('hands on what had come by fan-out before it was given up, and does not read it again', async () => {
    const world = new FallbackWorld()
    world.put('a')
    expect(await world.nextOfBoth()).to.equal('a')
    world.put('b')
    await world.clock.advance(100)
    world.denyFanOut()
    world.put('c')
    await world.clock.advance(20_000)
    expect([await world.nextOfBoth(), await world.nextOfBoth()]).to.deep.equal(['b', 'c'])
  })

  it('changes back with the first event once fan-out works again, without losing or repeating a record', async () => {
    const world = new FallbackWorld()
    world.denyFanOut()
    world.put('0')
    const seen = [await world.nextOfBoth()]
    await world.clock.advance(30_000)
    world.denyFanOut(false)
    for (let index = 1; index < 600; index++) {
      world.put(String(index))
      seen.push(await world.nextOfBoth())
      await world.clock.advance(700)
    }
    expect(seen.join(' ').split(' ')).to.deep.equal(Array.from({ length: 600 }, (_, index) => String(index)))
    expect(world.changes.slice(1)).to.deep.equal([{ mode: 'fan-out' }])
    const polls = world.named('getRecords').length
    await world.nextWithin(MINUTE, world.both)
    expect(world.named('getRecords'), 'it polls no more').to.have.length(polls)
    expect(world.begun.map(({ mode, budget }) => [mode, budget.isClosed])).to.deep.equal([
      ['fan-out', true],
      ['polling', true],
      ['fan-out', false]
    ])
  })

  it('tells of each record once, whichever way it is read, and what was read ahead and dropped', async () => {
    for (const seed of seeds(4)) {
      const world = new FallbackWorld(TRIM_HORIZON, seed)
      const random = seededRandom(seed)
      let put = 0
      let isOver = false
      const read = async (): Promise<void> => {
        while (!isOver) {
          const retrieved = await world.both.next(never)
          await world.clock.sleep(random.next() < 0.1 ? 20_000 : random.next() * 2_000)
          if (retrieved.kind === 'records') retrieved.release()
        }
      }
      const reading = read().catch(() => {})
      for (let step = 0; step < 300; step++) {
        const texts = Array.from({ length: Math.floor(random.next() * 4) }, () => String(put++))
        world.put(...texts)
        await world.clock.advance(random.next() * 5_000)
        if (step % 60 === 10) world.denyFanOut()
        if (step % 60 === 20) world.denyFanOut(false)
      }
      await world.clock.advance(30 * MINUTE)
      expect(world.modes(), `SEED=${seed}`).to.include.members(['polling', 'fan-out'])
      const told = world.reports.reduce((sum, { records }) => sum + records, 0)
      expect(told, `SEED=${seed}: records told of`).to.equal(put)
      isOver = true
      world.both.close()
      await reading
    }
  })

  it('repeats nothing of what was polled while fan-out took its time to begin', async () => {
    const world = new FallbackWorld()
    world.denyFanOut()
    world.put('0')
    const seen = [await world.nextOfBoth()]
    await world.clock.advance(10_000)
    world.fault = ({ name }) => (name === 'subscribeToShard' ? world.clock.sleep(8_000) : undefined)
    for (let index = 1; index < 500; index++) {
      world.put(String(index))
      seen.push(await world.nextOfBoth())
      await world.clock.advance(900)
    }
    expect(seen.join(' ').split(' ')).to.deep.equal(Array.from({ length: 500 }, (_, index) => String(index)))
    expect(world.modes()).to.deep.equal(['polling', 'fan-out'])
  })

  it('changes back on a shard in which nothing is put, while its caller waits', async () => {
    const world = new FallbackWorld()
    world.denyFanOut()
    const waiting = world.nextWithin(6 * MINUTE, world.both)
    await world.clock.advance(20_000)
    world.denyFanOut(false)
    expect(await waiting).to.equal('nothing')
    expect(world.modes()).to.deep.equal(['polling', 'fan-out'])
    world.put('a')
    expect(await world.nextOfBoth()).to.equal('a')
  })

  it('tries fan-out less and less often, tells of each try, and polls on without a pause meanwhile', async () => {
    const world = new FallbackWorld()
    world.denyFanOut()
    let longestMs = 0
    for (let index = 0; index < 150; index++) {
      world.put(String(index))
      const putAtMs = world.clock.monotonicMs()
      expect(await world.nextOfBoth()).to.equal(String(index))
      if (index > 0) longestMs = Math.max(longestMs, world.clock.monotonicMs() - putAtMs)
      await world.clock.advance(MINUTE)
    }
    expect(longestMs).to.be.at.most(1_000)
    expect(world.modes()).to.deep.equal(['polling'])
    const tries = world.gaps().filter(gap => gap > 100_000)
    expect(tries[0]).to.be.within(150_000, 310_000)
    expect(tries.at(-1)).to.be.greaterThan(900_000)
    expect(world.failures.slice(-tries.length), 'how often in a row it was given up').to.deep.equal(
      tries.map((_, index) => index + 2)
    )
  })

  it('reports the end whichever way it is read, and goes on after one that was none', async () => {
    const world = new FallbackWorld()
    world.denyFanOut()
    world.put('a')
    expect(await world.nextOfBoth()).to.equal('a')
    const children = world.kinesis.split(STREAM, SHARD)
    for (let time = 0; time < 2; time++) {
      const end = await world.retrieved(world.both)
      expect(end.kind === 'end' && end.childShards?.map(({ shardId }) => shardId)).to.deep.equal(children)
      world.both.continueAfterEnd()
    }
  })

  it('rejects where polling does not work either', async () => {
    const world = new FallbackWorld()
    world.denies = () => true
    expect(await rejectionOf(world.nextOfBoth())).to.have.property('kind', 'access-denied')
  })

  it('gives everything back when it is closed, in either mode and while fan-out is tried', async () => {
    for (const seconds of [1, 20, 290, 303]) {
      const world = new FallbackWorld()
      if (seconds > 1) world.denyFanOut()
      if (seconds > 300)
        world.fault = ({ name }) => (name === 'subscribeToShard' ? new Promise<void>(() => {}) : undefined)
      const waiting = rejectionOf(world.both.next(never))
      await world.clock.advance(seconds * 1_000)
      world.both.close()
      world.consumer.close()
      expect(await waiting).to.be.instanceOf(ServiceError)
      await world.clock.advance(11_000)
      expect(world.begun.map(({ budget }) => [budget.isClosed, budget.heldBytes])).to.deep.equal(
        world.begun.map(() => [true, 0])
      )
      expect(world.clock.sleeping, `after ${seconds} s`).to.equal(0)
    }
  })

  it('gives back what fan-out has brought on trial when it is closed before that takes over', async () => {
    const world = new FallbackWorld()
    world.denyFanOut()
    world.put('a')
    const batch = await world.retrieved(world.both)
    await world.clock.advance(20_000)
    world.denyFanOut(false)
    world.put('b')
    await world.clock.advance(6 * MINUTE)
    expect(world.begun.at(-1)?.mode).to.equal('fan-out')
    if (batch.kind === 'records') batch.release()
    world.both.close()
    await world.clock.settle()
    for (const { budget } of world.begun) expect(budget.heldBytes).to.equal(0)
  })

  it('loses nothing and repeats nothing, however often fan-out comes and goes', async () => {
    for (const seed of seeds(4)) {
      const world = new FallbackWorld(TRIM_HORIZON, seed)
      const random = seededRandom(seed)
      const seen: string[] = []
      let put = 0
      const read = async (): Promise<void> => {
        for (let retrieved: Retrieved; ; ) {
          retrieved = await world.both.next(never)
          if (retrieved.kind === 'end') return
          seen.push(...textsOf(retrieved.records).split(' '))
          await world.clock.sleep(random.next() < 0.02 ? 2 * MINUTE : random.next() * 2_000)
          retrieved.release()
        }
      }
      const reading = read()
      for (let step = 0; step < 400; step++) {
        for (let count = Math.floor(random.next() * 4); count > 0; count--) world.put(String(put++))
        await world.clock.advance(random.next() * 30_000)
        if (random.next() < 0.08) world.denyFanOut(random.next() < 0.35)
        else if (random.next() < 0.1) world.kinesis.disconnect(STREAM)
      }
      world.kinesis.split(STREAM, SHARD)
      let isOver = false
      void reading.then(() => {
        isOver = true
      })
      await world.clock.advanceUntil(() => isOver)
      expect(seen, `SEED=${seed}`).to.deep.equal(Array.from({ length: put }, (_, index) => String(index)))
      expect(world.modes().length, `SEED=${seed}: changes`).to.be.greaterThan(3)
      world.both.close()
    }
  })
})
