// The poison matrix: every way in which one record can be bad, under every policy. Each cell says what is delivered how often,
// how many dead letters there are, and where the checkpoint ends; in each of them the other shards notice nothing.
import { expect } from 'chai'
import type { ConsumedRecord } from '../../src/index.ts'
import type { Handler } from '../../src/processor/handler-processor.ts'
import type { Member, WorldWorkerOptions } from '../support/world.ts'
import { PoisonWorld, range } from './poison-world.ts'

/** How a record is bad. */
type Fault = 'throws' | 'rejects' | 'hangs' | 'returns late' | 'kills' | 'malformed KPL' | 'malformed JSON'
type Policy = 'retry' | 'bisect, dead-letter' | 'dead-letter' | 'halt' | 'skip'

/** What a cell of the matrix says. */
interface Cell {
  /** How often each record of the batch is delivered; `n` times each, for ever. */
  readonly given: readonly number[] | 'for ever'
  /** Which of them have dead letters. */
  readonly letters: readonly number[]
  /** Which of them were given up, dead letters included. */
  readonly givenUp: readonly number[]
  /** Where the checkpoint ends: before the batch, or with it. */
  readonly checkpoint: 'before' | 'after'
  readonly health: 'green processing' | 'red processing' | 'red halted'
}

const TIMEOUT_MS = 10_000
const ATTEMPTS = 3
/** The batch that has the poison in it, and which record that is. */
const BATCH = 8
const POISON = 5
/** Records that come before it, alone in their batch. */
const BEFORE = 4

const ALL = range(0, BATCH)
const times = (count: number): number[] => Array(BATCH).fill(count)

/** Calls: all of them twice; 0-3, 4-5, 4, 5; and 6-7. */
const HALVES = [3, 3, 3, 3, 4, 4, 3, 3]
const FOR_EVER: Cell = { given: 'for ever', letters: [], givenUp: [], checkpoint: 'before', health: 'red processing' }
const ONE_LETTER: Cell = {
  ...{ given: HALVES, letters: [POISON], givenUp: [POISON] },
  ...{ checkpoint: 'after', health: 'green processing' }
}
const ALL_LETTERS: Cell = { ...ONE_LETTER, given: times(ATTEMPTS), letters: ALL, givenUp: ALL }
const HALTED: Cell = { given: times(ATTEMPTS), letters: [], givenUp: [], checkpoint: 'before', health: 'red halted' }
const ONE_SKIPPED: Cell = { ...ONE_LETTER, letters: [] }
const THROWS: Readonly<Record<Policy, Cell>> = {
  retry: FOR_EVER,
  'bisect, dead-letter': ONE_LETTER,
  'dead-letter': ALL_LETTERS,
  halt: HALTED,
  skip: ONE_SKIPPED
}
/** Nobody is left to count: every process gets the batch once, whatever the policy is. */
const KILLS: Readonly<Record<Policy, Cell>> = {
  retry: FOR_EVER,
  'bisect, dead-letter': FOR_EVER,
  'dead-letter': FOR_EVER,
  halt: FOR_EVER,
  skip: FOR_EVER
}
const MATRIX: Readonly<Record<Fault, Readonly<Record<Policy, Cell>>>> = {
  throws: THROWS,
  rejects: THROWS,
  hangs: THROWS,
  'returns late': THROWS,
  kills: KILLS,
  'malformed KPL': THROWS,
  'malformed JSON': THROWS
}

const PATIENCE = { attempts: ATTEMPTS, backoffMs: 200, maxBackoffMs: 500, timeoutMs: TIMEOUT_MS }
/* biome-ignore-start lint/suspicious/noThenProperty: that is the name of the option */
const POLICIES: Readonly<Record<Policy, NonNullable<WorldWorkerOptions['onProcessorError']>>> = {
  retry: { ...PATIENCE, attempts: Number.POSITIVE_INFINITY },
  'bisect, dead-letter': { ...PATIENCE, then: 'dead-letter' },
  'dead-letter': { ...PATIENCE, then: 'dead-letter', bisect: false },
  halt: PATIENCE,
  skip: { ...PATIENCE, then: 'skip' }
}
/* biome-ignore-end lint/suspicious/noThenProperty: that is the name of the option */

const SHARDS = [0, 1, 2]
const POISONED = 1
const RUN_MS = 90_000

/** One cell: a worker with three shards, one of which has poison in it. */
class CellRun {
  readonly poisoned = new PoisonWorld({ shards: SHARDS.length })
  readonly #fault: Fault | undefined
  readonly #policy: Policy
  readonly batch: number[] = []
  #isMended = false
  member!: Member
  /** How many workers there were. */
  workers = 0

  constructor(fault: Fault | undefined, policy: Policy) {
    this.#fault = fault
    this.#policy = policy
  }

  async start(): Promise<void> {
    const { poisoned } = this
    const { clock } = poisoned.world
    await this.#startWorker()
    poisoned.putMany(BEFORE, POISONED)
    await clock.advance(3_000)
    for (let index = 0; index < BATCH; index++) {
      const spoilt = this.#fault === 'malformed KPL' ? 'kpl' : this.#fault === 'malformed JSON' ? 'json' : undefined
      this.batch.push(poisoned.put(POISONED, index === POISON && spoilt ? { spoilt } : {}))
    }
  }

  /** Lets time pass, in which the other shards get a record a second each. */
  async run(ms: number): Promise<void> {
    const { poisoned } = this
    const { clock } = poisoned.world
    for (const untilMs = clock.monotonicMs() + ms; clock.monotonicMs() < untilMs; ) {
      for (const shard of SHARDS) if (shard !== POISONED) poisoned.put(shard)
      await clock.advance(1_000)
      if (!this.member.isAlive) await this.#startWorker()
    }
  }

  /** The bug is found, and the code mended. */
  async mend(): Promise<void> {
    this.#isMended = true
    this.member.worker.resume()
    await this.run(TIMEOUT_MS + 15_000)
  }

  async #startWorker(): Promise<void> {
    const member = await this.poisoned.world.startWorker({
      ...{ handler: this.#handler, onProcessorError: POLICIES[this.#policy] },
      ...(this.#policy.endsWith('dead-letter') && { deadLetters: this.poisoned.store })
    })
    this.member = member
    this.workers += 1
  }

  readonly #handler: Handler = records => {
    const { poisoned } = this
    const numbers = poisoned.begin(records)
    const done = (): void => poisoned.succeed(numbers)
    const isPoison = (record: ConsumedRecord): boolean => poisoned.numberOf(record) === this.batch[POISON]
    const poison = this.#isMended ? undefined : records.find(isPoison)
    if (poison === undefined || this.#fault === undefined) return done()
    switch (this.#fault) {
      case 'throws':
        throw new Error('poison')
      case 'rejects':
        return Promise.reject(new Error('poison'))
      case 'hangs':
        return new Promise(() => {})
      case 'returns late':
        return poisoned.world.clock.sleep(TIMEOUT_MS + 1_000).then(done)
      case 'kills':
        this.member.crash()
        return new Promise(() => {})
      case 'malformed KPL':
      case 'malformed JSON':
        for (const record of records) record.json()
        return done()
    }
  }
}

/** What the other shards are given in the same time if nothing is bad. */
async function timesElsewhereUnpoisoned(): Promise<number> {
  const run = new CellRun(undefined, 'halt')
  await run.start()
  await run.run(RUN_MS)
  expect(run.poisoned.timesGiven(run.batch)).to.deep.equal(times(1))
  const elsewhere = run.poisoned.timesElsewhere([...range(0, BEFORE), ...run.batch])
  await run.poisoned.world.stopAll()
  return elsewhere
}

describe('one bad record of eight', () => {
  let elsewhere = 0

  before(async () => {
    elsewhere = await timesElsewhereUnpoisoned()
  })

  for (const policy of Object.keys(POLICIES) as Policy[]) {
    for (const fault of Object.keys(MATRIX) as Fault[]) {
      it(`that ${fault}, under the policy ${policy}`, async () => {
        const cell = MATRIX[fault][policy]
        const run = new CellRun(fault, policy)
        const { poisoned } = run
        await run.start()
        await run.run(RUN_MS)
        const given = poisoned.timesGiven(run.batch)
        if (cell.given === 'for ever') {
          expect(given).to.deep.equal(times(given[0] ?? 0))
          expect(given[0]).to.be.greaterThan(ATTEMPTS)
        } else expect(given).to.deep.equal(cell.given)
        const [first = 0] = run.batch
        expect(poisoned.lettered).to.deep.equal(cell.letters.map(index => first + index))
        const givenUp = poisoned.world.events('records:given-up').reduce((sum, { records }) => sum + records, 0)
        expect(givenUp).to.equal(cell.givenUp.length)
        const end = cell.checkpoint === 'before' ? first - 1 : first + BATCH - 1
        expect(await poisoned.checkpoint(POISONED)).to.equal(end)
        if (fault !== 'kills') {
          expect(poisoned.health(run.member, POISONED)).to.equal(cell.health)
          expect(run.workers).to.equal(1)
          expect(poisoned.timesElsewhere([...range(0, BEFORE), ...run.batch])).to.equal(elsewhere)
          for (const shard of [0, 2]) expect(poisoned.health(run.member, shard)).to.equal('green processing')
        }
        const before = poisoned.timesGiven(run.batch)
        await run.mend()
        const more = poisoned.timesGiven(run.batch).map((count, index) => count - (before[index] ?? 0))
        expect(more).to.deep.equal(times(cell.checkpoint === 'before' ? 1 : 0))
        expect(await poisoned.checkpoint(POISONED)).to.equal(first + BATCH - 1)
        const isLettered = (index: number): boolean => cell.givenUp.includes(index)
        const settled = poisoned.timesSettled(run.batch).filter((_, index) => !isLettered(index))
        if (fault !== 'returns late') expect(settled).to.deep.equal(settled.map(() => 1))
        expect(run.member.worker.health().color).to.equal('green')
        await poisoned.world.stopAll()
      })
    }
  }
})
