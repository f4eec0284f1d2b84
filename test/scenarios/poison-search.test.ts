// The search for bad records by halves: how many calls it takes, and that everything else of the batch is settled once.
import { expect } from 'chai'
import { type ProcessRecordsInput, RecordProcessor } from '../../src/index.ts'
import { seeds } from '../support/seeds.ts'
import type { Member, WorldWorkerOptions } from '../support/world.ts'
import { PoisonWorld, range } from './poison-world.ts'

const BATCH = 100
/** ceil(log2 100) */
const HALVINGS = 7

function patience(attempts: number): NonNullable<WorldWorkerOptions['onProcessorError']> {
  // biome-ignore lint/suspicious/noThenProperty: that is the name of the option
  return { attempts, backoffMs: 1, maxBackoffMs: 1, then: 'dead-letter' }
}

/** A world in which certain records are poison, with a batch in each of its shards. */
class Search {
  readonly poisoned: PoisonWorld
  readonly poison = new Set<number>()
  /** The records of each shard. */
  readonly batches: (readonly number[])[] = []
  /** Which record no call returns with. */
  stuckAt: number | undefined
  member!: Member

  constructor(shards = 1) {
    this.poisoned = new PoisonWorld({ shards })
  }

  /** Puts a batch into the next shard, with poison at these places in it. To be called before it is read. */
  put(places: readonly number[], size = BATCH): void {
    const numbers = this.poisoned.putMany(size, this.batches.length)
    for (const place of places) this.poison.add(numbers[place] ?? -1)
    this.batches.push(numbers)
  }

  async start(options: WorldWorkerOptions): Promise<void> {
    const { store, world } = this.poisoned
    // Room for so many shards that each of them is read as a whole.
    const retrieval = { maxBufferedBytes: 4_000_000_000 }
    this.member = await world.startWorker({ deadLetters: store, retrieval, ...options })
  }

  readonly handler: NonNullable<WorldWorkerOptions['handler']> = records => this.process(records)

  process(records: ProcessRecordsInput['records']): undefined | Promise<undefined> {
    const numbers = this.poisoned.begin(records)
    if (numbers.some(number => number === this.stuckAt)) return new Promise(() => {})
    if (numbers.some(number => this.poison.has(number))) throw new Error('poison')
    this.poisoned.succeed(numbers)
    return undefined
  }

  /** How many calls there were with records of a shard. */
  callsOf(shard: number): number {
    const [first = 0] = this.batches[shard] ?? []
    const last = this.batches[shard]?.at(-1) ?? -1
    return this.poisoned.calls.filter(([number = -1]) => number >= first && number <= last).length
  }

  /** Expects that these have letters, and all others of a shard were settled by one call each. */
  expectSettled(numbers: readonly number[], hint: string): void {
    const { poisoned, poison } = this
    const bad = numbers.filter(number => poison.has(number))
    const good = numbers.filter(number => !poison.has(number))
    const lettered = poisoned.lettered.filter(number => numbers.includes(number))
    expect(lettered.sort(ascending), hint).to.deep.equal(bad)
    expect(poisoned.timesSettled(good), hint).to.deep.equal(good.map(() => 1))
  }

  /** The same of every shard, and that each checkpoint is at its end. */
  async expectAllSettled(): Promise<void> {
    for (const [shard, numbers] of this.batches.entries()) {
      this.expectSettled(numbers, `shard ${shard}`)
      expect(await this.poisoned.checkpoint(shard), `shard ${shard}`).to.equal(numbers.at(-1))
    }
  }
}

function ascending(a: number, b: number): number {
  return a - b
}

/** Checkpoints each batch that it has processed. */
class Diligent extends RecordProcessor {
  readonly #search: Search

  constructor(search: Search) {
    super()
    this.#search = search
  }

  override async processRecords({ records, checkpointer }: ProcessRecordsInput): Promise<void> {
    await this.#search.process(records)
    await checkpointer.checkpoint()
  }
}

describe('100 records with one poison', function () {
  this.timeout(60_000)

  for (const attempts of [1, 2, 3, 4, 5]) {
    // The first call is with all of them, and the last one with the poison alone, however few attempts there are.
    const most = 1 + HALVINGS + Math.max(2, attempts)
    it(`become one dead letter and 99 settled ones in at most ${most} calls, wherever it is, with ${attempts} attempts`, async () => {
      const search = new Search(BATCH)
      for (const place of range(0, BATCH)) search.put([place])
      await search.start({ handler: search.handler, onProcessorError: patience(attempts) })
      await search.poisoned.world.clock.advance(2_500)
      await search.expectAllSettled()
      expect(search.poisoned.letters).to.have.length(BATCH)
      const calls = range(0, BATCH).map(shard => search.callsOf(shard))
      expect(Math.max(...calls)).to.equal(most)
      const tries = search.poisoned.timesGiven(search.poisoned.lettered)
      expect(search.poisoned.letters.map(letter => letter.attempts)).to.deep.equal(tries)
      await search.poisoned.world.stopAll()
    })
  }

  it('as in any number of records from 1 to 40', async () => {
    const sizes = range(1, 41)
    const places = [(_: number) => 0, (size: number) => size >> 1, (size: number) => size - 1]
    const attempts = 3
    const search = new Search(sizes.length * places.length)
    for (const size of sizes) for (const place of places) search.put([place(size)], size)
    await search.start({ handler: search.handler, onProcessorError: patience(attempts) })
    await search.poisoned.world.clock.advance(2_500)
    await search.expectAllSettled()
    for (const [shard, { length }] of search.batches.entries()) {
      expect(search.callsOf(shard), `${length} records`).to.be.at.most(1 + Math.ceil(Math.log2(length)) + attempts)
    }
    await search.poisoned.world.stopAll()
  })
})

describe('bad records among 100', function () {
  this.timeout(60_000)

  const ways: readonly (readonly [string, (search: Search) => WorldWorkerOptions])[] = [
    ['a handler', search => ({ handler: search.handler })],
    ['a processor that checkpoints itself', search => ({ processor: () => new Diligent(search) })],
    ['a handler of windows', search => ({ handler: search.handler, batch: { maxRecords: 30, windowMs: 200 } })],
    [
      'a processor of windows',
      search => ({ processor: () => new Diligent(search), batch: { maxRecords: 30, windowMs: 200 } })
    ],
    [
      'a handler in lanes',
      search => ({ handler: search.handler, concurrency: { perShard: 4, by: 'none' }, batch: { maxRecords: 30 } })
    ],
    ['each, by key', search => ({ each: record => search.process([record]), concurrency: { perShard: 8 } })],
    ['each', search => ({ each: record => search.process([record]), concurrency: { perShard: 8, by: 'none' } })]
  ]
  const places: readonly (readonly number[])[] = [
    ...[[0], [99], [49, 50], [3, 97], [0, 99]],
    range(0, 10).map(index => index * 10 + 3),
    range(0, BATCH)
  ]
  for (const [how, options] of ways) {
    it(`are found by ${how}, whichever they are, and all others are settled once`, async () => {
      const search = new Search(places.length)
      const { poisoned } = search
      for (const at of places) search.put(at)
      await search.start({ ...options(search), onProcessorError: patience(3) })
      await poisoned.world.clock.advance(10_000)
      expect(search.member.events('shard:halted')).to.deep.equal([])
      // A processor makes its checkpoints: when the last record was given up, at the latest when it is asked to stop.
      if (how.includes('processor')) await poisoned.world.stopAll()
      await search.expectAllSettled()
      if (how.includes('lanes') || how === 'each') return poisoned.world.stopAll()
      for (const numbers of search.batches) {
        const order = poisoned.succeeded.flat().filter(number => numbers.includes(number))
        expect(order).to.deep.equal([...order].sort(ascending))
      }
      await poisoned.world.stopAll()
    })
  }

  it('inside of aggregates are found as well, and a crash after that is followed by the records behind them', async () => {
    for (const way of ['handler', 'each'] as const) {
      const search = new Search()
      const { poisoned } = search
      const { clock } = poisoned.world
      const options: WorldWorkerOptions = {
        ...(way === 'handler' ? { handler: search.handler } : { each: record => search.process([record]) }),
        onProcessorError: patience(2)
      }
      for (const number of [7, 19, 20, 41]) search.poison.add(number)
      await search.start(options)
      for (let times = 0; times < 3; times++) poisoned.putAggregate(20)
      await clock.advance(5_000)
      search.expectSettled(range(0, 60), way)
      search.poison.add(65)
      search.stuckAt = 70
      poisoned.putAggregate(20)
      await clock.advance(5_000)
      search.member.crash()
      search.stuckAt = undefined
      await search.start(options)
      await clock.advance(60_000)
      expect(poisoned.lettered, way).to.deep.equal([7, 19, 20, 41, 65])
      expect(await poisoned.checkpoint(), way).to.equal(79)
      const missing = range(60, 80).filter(number => number !== 65 && poisoned.timesSettled([number])[0] === 0)
      expect(missing, way).to.deep.equal([])
      await poisoned.world.stopAll()
    }
  })

  it('are passed only once what the processor keeps in memory is stored, wherever it crashes', async () => {
    for (const seed of seeds(25)) {
      const search = new Search()
      const { poisoned } = search
      const { world } = poisoned
      const stored = new Set<number>()
      /** Keeps what it has processed, and stores it with a checkpoint every few calls. */
      class Lazy extends RecordProcessor {
        readonly #kept: number[] = []
        #calls = 0

        override async processRecords({ records, checkpointer }: ProcessRecordsInput): Promise<void> {
          await search.process(records)
          this.#kept.push(...poisoned.numbersOf(records))
          if (++this.#calls % 5 !== 0) return
          for (const number of this.#kept) stored.add(number)
          await checkpointer.checkpoint()
        }

        override async shutdownRequested({ checkpointer }: Parameters<RecordProcessor['shutdownRequested']>[0]) {
          for (const number of this.#kept) stored.add(number)
          await checkpointer.checkpoint()
        }
      }
      const options = { processor: () => new Lazy(), onProcessorError: patience(2), retrieval: { maxRecords: 25 } }
      await search.start(options)
      for (const number of range(0, 600)) if ((number * 7 + seed) % 53 === 0) search.poison.add(number)
      for (let crash = 0; crash < 4; crash++) {
        poisoned.putMany(150)
        await world.clock.advance(1 + Math.floor(((seed * 37 + crash * 11) % 40) * 60))
        search.member.crash()
        await search.start(options)
      }
      await world.clock.advance(120_000)
      await world.stopAll()
      const lettered = new Set(poisoned.lettered)
      const lost = range(0, 600).filter(number => !stored.has(number) && !lettered.has(number))
      expect(lost, `SEED=${seed}`).to.deep.equal([])
      expect([...lettered].sort(ascending), `SEED=${seed}`).to.deep.equal([...search.poison].sort(ascending))
    }
  })
})
