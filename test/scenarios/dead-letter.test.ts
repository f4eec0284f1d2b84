// Dead letters that cannot be stored, and checkpoints that cannot: nothing passes a record before its letter is stored.
import { expect } from 'chai'
import { type DeadLetter, type DeadLetterDestination, DeadLetterError, ServiceError } from '../../src/index.ts'
import { shardId } from '../support/builders.ts'
import type { Member, WorldWorkerOptions } from '../support/world.ts'
import { PoisonWorld, range } from './poison-world.ts'

const MINUTE_MS = 60_000
/* biome-ignore-start lint/suspicious/noThenProperty: that is the name of the option */
const POLICY = { attempts: 2, backoffMs: 100, maxBackoffMs: 200, then: 'dead-letter' } as const
/* biome-ignore-end lint/suspicious/noThenProperty: that is the name of the option */
const POISON = 5

/** A destination of which the test decides what becomes of each store. */
class Destination implements DeadLetterDestination {
  readonly name = 'the shelf'
  stores = 0
  /** Put a function here to decide about each store. */
  fate: ((letters: readonly DeadLetter[], signal: AbortSignal) => void | Promise<void>) | undefined
  readonly #poisoned: PoisonWorld

  constructor(poisoned: PoisonWorld) {
    this.#poisoned = poisoned
  }

  async store(letters: readonly DeadLetter[], { signal }: { signal: AbortSignal }): Promise<void> {
    this.stores += 1
    await this.fate?.(letters, signal)
    this.#poisoned.store(letters)
  }
}

/** A shard with poison in it, and a worker that sends it to a destination. */
class Shelf {
  readonly poisoned = new PoisonWorld({ shards: 2 })
  readonly destination = new Destination(this.poisoned)
  member!: Member

  async start(options: WorldWorkerOptions = {}): Promise<void> {
    const { poisoned, destination } = this
    this.member = await poisoned.world.startWorker({
      handler: records => {
        const numbers = poisoned.begin(records)
        if (numbers.includes(POISON)) throw new Error('poison')
        poisoned.succeed(numbers)
      },
      ...{ onProcessorError: POLICY, deadLetters: destination, ...options }
    })
  }
}

describe('a destination of dead letters', () => {
  it('that fails is tried again with growing delays, and passed only once it has stored the letter', async () => {
    const shelf = new Shelf()
    const { poisoned, destination } = shelf
    const { clock } = poisoned.world
    destination.fate = () => {
      if (destination.stores <= 4) throw new Error('full')
    }
    poisoned.putMany(10)
    await shelf.start()
    await clock.advanceUntil(() => destination.stores === 4, MINUTE_MS)
    expect(await poisoned.checkpoint()).to.equal(POISON - 1)
    // With all of them, and, for the first one, with the poison alone: nothing that comes after it goes on meanwhile.
    expect(poisoned.timesGiven(range(6, 10))).to.deep.equal([2, 1, 1, 1])
    await clock.advance(MINUTE_MS)
    const failed = shelf.member.events('dead-letter:failed')
    expect(failed.map(({ retryInMs = 0 }) => retryInMs)).to.satisfy((waits: number[]) =>
      waits.every((ms, index) => ms >= 250 * 2 ** index && ms <= 500 * 2 ** index)
    )
    expect(failed).to.have.length(4)
    for (const { error } of failed) {
      expect(error).to.be.instanceOf(DeadLetterError)
      expect(error.message).to.include('the shelf').and.to.include('full')
    }
    expect(poisoned.lettered).to.deep.equal([POISON])
    expect(await poisoned.checkpoint()).to.equal(9)
    expect(poisoned.health(shelf.member)).to.equal('green processing')
    await poisoned.world.stopAll()
  })

  it('that goes on failing halts the shard before the record, and loses nothing; the others go on', async () => {
    const shelf = new Shelf()
    const { poisoned, destination } = shelf
    const { clock } = poisoned.world
    destination.fate = () => Promise.reject(new Error('full'))
    poisoned.putMany(10)
    await shelf.start()
    for (let minute = 0; minute < 5; minute++) {
      poisoned.put(1)
      await clock.advance(MINUTE_MS)
    }
    expect(destination.stores).to.equal(10)
    const failed = shelf.member.events('dead-letter:failed')
    expect(failed.at(-1)?.retryInMs).to.equal(undefined)
    const spentMs = (failed.at(-1)?.atMs ?? 0) - (failed[0]?.atMs ?? 0)
    expect(spentMs).to.be.within(MINUTE_MS / 2, 2 * MINUTE_MS)
    expect(shelf.member.events('shard:halted').map(({ error }) => error instanceof DeadLetterError)).to.deep.equal([
      true
    ])
    expect(poisoned.health(shelf.member)).to.equal('red halted')
    expect(poisoned.timesSettled(range(10, 15))).to.deep.equal(Array(5).fill(1))
    expect(await poisoned.checkpoint()).to.equal(POISON - 1)
    expect(poisoned.lettered).to.deep.equal([])
    destination.fate = undefined
    shelf.member.worker.resume(shardId(0))
    await clock.advance(MINUTE_MS)
    expect(poisoned.lettered).to.deep.equal([POISON])
    const good = range(0, 10).filter(number => number !== POISON)
    expect(poisoned.timesSettled(good)).to.deep.equal(Array(9).fill(1))
    expect(await poisoned.checkpoint()).to.equal(9)
    await poisoned.world.stopAll()
  })

  it('that does not answer is told of, given up after a minute, and tried again', async () => {
    const shelf = new Shelf()
    const { poisoned, destination } = shelf
    const { clock } = poisoned.world
    const signals: AbortSignal[] = []
    destination.fate = (_, signal) => {
      signals.push(signal)
      return destination.stores > 2 ? undefined : new Promise(() => {})
    }
    poisoned.putMany(10)
    await shelf.start({ watchdog: { stallMs: 30_000 } })
    await clock.advance(45_000)
    expect(shelf.member.worker.health().shards[0]?.reason).to.match(
      /^stalled: dead letters are being stored for \d\d s$/
    )
    expect(await poisoned.checkpoint()).to.equal(POISON - 1)
    await clock.advance(3 * MINUTE_MS)
    expect(signals.map(({ aborted }) => aborted)).to.deep.equal([true, true, false])
    expect(shelf.member.events('dead-letter:failed').map(({ error }) => String(error))).to.satisfy((texts: string[]) =>
      texts.every(text => text.includes('no answer within 60000 ms'))
    )
    expect(shelf.member.events('shard:stalled').map(({ waitingFor }) => waitingFor)).to.include('dead-letters')
    expect(poisoned.lettered).to.deep.equal([POISON])
    expect(await poisoned.checkpoint()).to.equal(9)
    expect(poisoned.health(shelf.member)).to.equal('green processing')
    await poisoned.world.stopAll()
  })

  it('that never answers halts the shard in the end', async () => {
    const shelf = new Shelf()
    const { poisoned, destination } = shelf
    destination.fate = () => new Promise(() => {})
    poisoned.putMany(10)
    await shelf.start()
    await poisoned.world.clock.advance(13 * MINUTE_MS)
    expect(destination.stores).to.equal(10)
    expect(poisoned.health(shelf.member)).to.equal('red halted')
    expect(await poisoned.checkpoint()).to.equal(POISON - 1)
    await poisoned.world.stopAll()
  })

  const ways: readonly (readonly [string, WorldWorkerOptions])[] = [
    ['a handler', {}],
    ['windows', { batch: { maxRecords: 100, windowMs: 100 } }],
    ['lanes', { concurrency: { perShard: 4 } }]
  ]
  for (const [how, options] of ways) {
    it(`that hangs under ${how} does not hold up a stop beyond its grace`, async () => {
      const shelf = new Shelf()
      const { poisoned, destination } = shelf
      const { clock } = poisoned.world
      const signals: AbortSignal[] = []
      destination.fate = (_, signal) => {
        signals.push(signal)
        return new Promise(() => {})
      }
      poisoned.putMany(10)
      await shelf.start(options)
      await clock.advance(10_000)
      expect(destination.stores).to.equal(1)
      const stoppingAtMs = clock.monotonicMs()
      await poisoned.world.await(shelf.member.worker.stop({ graceMs: 5_000 }))
      expect(clock.monotonicMs() - stoppingAtMs).to.be.at.most(7_100)
      expect(signals[0]?.aborted).to.equal(true)
      expect((await poisoned.world.store.get(shardId(0)))?.owner).to.equal(undefined)
      destination.fate = undefined
      await shelf.start(options)
      await clock.advance(MINUTE_MS)
      expect(poisoned.lettered).to.deep.equal([POISON])
      expect(await poisoned.checkpoint()).to.equal(9)
      await poisoned.world.stopAll()
    })

    it(`gets the letter again if ${how} crashes before the checkpoint, and nothing is lost`, async () => {
      const shelf = new Shelf()
      const { poisoned, destination } = shelf
      const { clock } = poisoned.world
      destination.fate = () => shelf.member.crash()
      poisoned.putMany(10)
      await shelf.start(options)
      await clock.advance(10_000)
      expect(poisoned.lettered).to.deep.equal([POISON])
      destination.fate = undefined
      await shelf.start(options)
      await clock.advance(2 * MINUTE_MS)
      expect(poisoned.lettered).to.deep.equal([POISON, POISON])
      const good = range(0, 10).filter(number => number !== POISON)
      expect(poisoned.timesSettled(good).every(times => times >= 1)).to.equal(true)
      expect(await poisoned.checkpoint()).to.equal(9)
      await poisoned.world.stopAll()
    })
  }

  it('has in each letter all that is needed to find the record, and its payload', async () => {
    const shelf = new Shelf()
    const { poisoned } = shelf
    poisoned.putMany(10)
    await shelf.start()
    await poisoned.world.clock.advance(10_000)
    const [letter] = poisoned.letters
    expect(letter).to.deep.include({
      stream: 'orders',
      applicationName: 'app',
      shardId: shardId(0),
      subSequenceNumber: 0
    })
    expect(letter).to.deep.include({
      partitionKey: 'of shard 0',
      attempts: 3,
      error: { name: 'Error', message: 'poison' }
    })
    expect(new TextDecoder().decode(letter?.data)).to.equal('{"n":5}')
    expect(letter?.arrivedAtMs).to.be.a('number')
    await poisoned.world.stopAll()
  })
})

describe('a lease table that takes no checkpoints', () => {
  for (const how of ['dead-letter', 'skip', 'halt'] as const) {
    it(`does not make records bad that were processed: none of them is given up, under the policy ${how}`, async () => {
      const poisoned = new PoisonWorld()
      const { clock } = poisoned.world
      let isDown = false
      const member = await poisoned.world.startWorker({
        handler: records => poisoned.succeed(poisoned.begin(records)),
        // A limit that is shorter than the table is out of reach.
        // biome-ignore lint/suspicious/noThenProperty: that is the name of the option
        onProcessorError: { attempts: 3, backoffMs: 100, maxBackoffMs: 500, timeoutMs: 20_000, then: how },
        ...(how === 'dead-letter' && { deadLetters: poisoned.store })
      })
      const error = new ServiceError('other', 'not now', { retryable: true })
      const sequence: string[] = []
      member.intercept = ({ service, name }) => {
        if (service !== 'leases' || !isDown) return undefined
        sequence.push(name)
        return { kind: 'fails', error }
      }
      await clock.advance(5_000)
      isDown = true
      poisoned.putMany(10)
      await clock.advance(3 * MINUTE_MS)
      expect(sequence.length).to.be.greaterThan(0)
      isDown = false
      await clock.advance(3 * MINUTE_MS)
      expect(poisoned.lettered).to.deep.equal([])
      expect(member.events('records:given-up')).to.deep.equal([])
      expect(poisoned.calls.length, 'calls').to.equal(1)
      expect(await poisoned.checkpoint()).to.equal(9)
      expect(poisoned.health(member)).to.equal('green processing')
      await poisoned.world.stopAll()
    })
  }
})
