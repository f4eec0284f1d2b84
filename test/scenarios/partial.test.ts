// Calls of which only some records fail: the others are settled and not delivered again, and what makes no sense loses nothing.
import { expect } from 'chai'
import {
  type ConsumedRecord,
  FailedRecordsError,
  OptionError,
  type ProcessRecordsInput,
  type ProcessRecordsOutcome,
  RecordProcessor
} from '../../src/index.ts'
import type { WorldWorkerOptions } from '../support/world.ts'
import { PoisonWorld, range } from './poison-world.ts'

const POLICY = { attempts: 3, backoffMs: 100, maxBackoffMs: 200 }
// biome-ignore lint/suspicious/noThenProperty: that is the name of the option
const GIVING_UP = { ...POLICY, then: 'dead-letter' } as const

/** A processor of nothing but a function. */
function asClass(process: (input: ProcessRecordsInput) => ProcessRecordsOutcome): () => RecordProcessor {
  return () =>
    new (class extends RecordProcessor {
      override async processRecords(input: ProcessRecordsInput): Promise<ProcessRecordsOutcome> {
        const outcome = process(input)
        if (outcome === undefined) await input.checkpointer.checkpoint()
        return outcome
      }
    })()
}

type Way = (process: (input: ProcessRecordsInput) => ProcessRecordsOutcome) => WorldWorkerOptions

const WAYS: Readonly<Record<string, Way>> = {
  'a handler': process => ({ handler: (records, context) => process({ records, ...context }) }),
  'a processor': process => ({ processor: asClass(process) }),
  'a handler of windows': process => ({
    handler: (records, context) => process({ records, ...context }),
    batch: { maxRecords: 10, windowMs: 500 }
  }),
  'a handler in lanes': process => ({
    handler: (records, context) => process({ records, ...context }),
    concurrency: { perShard: 4 }
  })
}
/** Ten records in all; with lanes, those of one key. */
const ALL = range(0, 10)

for (const [how, way] of Object.entries(WAYS)) {
  describe(`${how} some of whose records fail`, () => {
    it('is given only those again that it returns, until they are dead-lettered, and passes the others', async () => {
      const poisoned = new PoisonWorld()
      const bad = [2, 3, 7]
      poisoned.putMany(10)
      const member = await poisoned.world.startWorker({
        ...way(({ records }) => {
          const numbers = poisoned.begin(records)
          const failed = records.filter(record => bad.includes(poisoned.numberOf(record)))
          poisoned.succeed(numbers.filter(number => !bad.includes(number)))
          return failed.length === 0 ? undefined : { failed }
        }),
        ...{ onProcessorError: GIVING_UP, deadLetters: poisoned.store }
      })
      await poisoned.world.clock.advance(10_000)
      expect(poisoned.calls).to.deep.equal([ALL, bad, bad])
      expect(poisoned.lettered).to.deep.equal(bad)
      expect(poisoned.letters.map(({ attempts, error }) => [attempts, error.name])).to.deep.equal(
        Array(3).fill([3, 'FailedRecordsError'])
      )
      for (const { error } of member.events('processor:failed'))
        expect(error.cause).to.be.instanceOf(FailedRecordsError)
      // A processor has not checkpointed yet: its next checkpoint passes all of them.
      expect(await poisoned.checkpoint()).to.equal(how === 'a processor' ? 'TRIM_HORIZON' : 9)
      poisoned.put()
      await poisoned.world.clock.advance(3_000)
      expect(await poisoned.checkpoint()).to.equal(10)
      await poisoned.world.stopAll()
    })

    it('takes positions in any order, a generator, and records that were settled as well', async () => {
      const poisoned = new PoisonWorld()
      poisoned.putMany(10)
      function* positions(records: readonly ConsumedRecord[]) {
        for (const record of [...records].reverse()) {
          const { sequenceNumber, subSequenceNumber } = record
          if ([1, 4, 8].includes(poisoned.numberOf(record))) yield { sequenceNumber, subSequenceNumber }
        }
      }
      await poisoned.world.startWorker({
        ...way(({ records, settle }) => {
          poisoned.begin(records)
          if (poisoned.calls.length > 1) return undefined
          settle(records[4] as ConsumedRecord)
          return { failed: positions(records) }
        }),
        onProcessorError: POLICY
      })
      await poisoned.world.clock.advance(10_000)
      expect(poisoned.calls).to.deep.equal([ALL, [1, 8]])
      expect(await poisoned.checkpoint()).to.equal(9)
      await poisoned.world.stopAll()
    })

    it('is given only those again that it has not settled when it throws, and counts anew with those', async () => {
      const poisoned = new PoisonWorld()
      poisoned.putMany(10)
      const failures: number[] = []
      const member = await poisoned.world.startWorker({
        ...way(({ records, settle, failures: before }) => {
          const numbers = poisoned.begin(records)
          failures.push(before)
          const [first] = records
          if (numbers.length === 1 || first === undefined) return undefined
          settle(first)
          // Twice is once.
          settle(first)
          throw new Error('tired')
        }),
        onProcessorError: POLICY
      })
      await poisoned.world.clock.advance(60_000)
      expect(poisoned.calls).to.deep.equal(ALL.map(from => range(from, 10)))
      expect(failures).to.deep.equal([0, ...Array(9).fill(1)])
      expect(member.events('shard:halted')).to.deep.equal([])
      expect(await poisoned.checkpoint()).to.equal(9)
      await poisoned.world.stopAll()
    })

    it('halts before the first record that it names as failed, and is given none of the settled ones after that', async () => {
      const poisoned = new PoisonWorld()
      poisoned.putMany(10)
      let isMended = false
      const member = await poisoned.world.startWorker({
        ...way(({ records }) => {
          const numbers = poisoned.begin(records)
          const failed = isMended ? [] : records.filter(record => [4, 6].includes(poisoned.numberOf(record)))
          poisoned.succeed(numbers.filter(number => isMended || ![4, 6].includes(number)))
          return failed.length === 0 ? undefined : { failed }
        }),
        onProcessorError: POLICY
      })
      await poisoned.world.clock.advance(30_000)
      expect(poisoned.health(member)).to.equal('red halted')
      isMended = true
      member.worker.resume()
      await poisoned.world.clock.advance(30_000)
      expect(await poisoned.checkpoint()).to.equal(9)
      // A processor may have kept in memory what it said was settled: its next one is given that again.
      const again = how === 'a processor'
      if (again) expect(poisoned.timesSettled([4, 6])).to.deep.equal([1, 1])
      else expect(poisoned.timesSettled(ALL)).to.deep.equal(Array(10).fill(1))
      await poisoned.world.stopAll()
    })

    const stranger = { sequenceNumber: '1', subSequenceNumber: 0 }
    const nonsense: readonly (readonly [string, unknown, RegExp])[] = [
      ['a number', { failed: 5 }, /^Option failed: in the result of the handler is not iterable/],
      ['null', { failed: null }, /^Option failed: in the result of the handler is not iterable/],
      ['true', { failed: true }, /^Option failed: in the result of the handler is not iterable/],
      ['a text', { failed: 'all' }, /^Option failed: names .*, expected a record of this call$/],
      ['what is no record', { failed: [undefined] }, /^Option failed: names .*, expected a record of this call$/],
      ['a record of another call', { failed: [stranger] }, /^Option failed: names 1#0, expected a record of this call$/]
    ]
    for (const [what, result, message] of nonsense) {
      it(`that names ${what} as failed has failed with a clear error, and nothing is lost`, async () => {
        const poisoned = new PoisonWorld()
        poisoned.putMany(10)
        const member = await poisoned.world.startWorker({
          ...way(({ records }) => {
            poisoned.begin(records)
            return result as ProcessRecordsOutcome
          }),
          onProcessorError: POLICY
        })
        await poisoned.world.clock.advance(10_000)
        expect(poisoned.calls).to.deep.equal([ALL, ALL, ALL])
        const [halted] = member.events('shard:halted')
        const cause = halted?.error.cause
        expect(cause).to.be.instanceOf(OptionError)
        expect(cause instanceof Error && cause.message).to.match(message)
        expect(await poisoned.checkpoint()).to.equal('TRIM_HORIZON')
        await poisoned.world.stopAll()
      })
    }

    it('cannot settle what it was not given, nor anything once it has returned', async () => {
      const poisoned = new PoisonWorld()
      poisoned.putMany(10)
      const kept: (() => void)[] = []
      const refused: unknown[] = []
      const member = await poisoned.world.startWorker({
        ...way(({ records, settle }) => {
          poisoned.begin(records)
          for (const each of kept) each()
          kept.push(() => settle(records[0] as ConsumedRecord))
          try {
            settle(stranger)
          } catch (error) {
            refused.push(error)
          }
          throw new Error('as always')
        }),
        onProcessorError: POLICY
      })
      await poisoned.world.clock.advance(10_000)
      expect(poisoned.calls).to.deep.equal([ALL, ALL, ALL])
      expect(refused.map(error => error instanceof OptionError && error.option)).to.deep.equal(Array(3).fill('settle'))
      expect(poisoned.health(member)).to.equal('red halted')
      await poisoned.world.stopAll()
    })

    it('that names an iterator which breaks has failed, and nothing is lost', async () => {
      const poisoned = new PoisonWorld()
      poisoned.putMany(10)
      function* breaking(records: readonly ConsumedRecord[]): Generator<ConsumedRecord> {
        yield* records.slice(0, 2)
        throw new Error('broken')
      }
      await poisoned.world.startWorker({
        ...way(({ records }) => {
          poisoned.begin(records)
          return { failed: breaking(records) }
        }),
        onProcessorError: POLICY
      })
      await poisoned.world.clock.advance(10_000)
      expect(poisoned.calls).to.deep.equal([ALL, ALL, ALL])
      expect(await poisoned.checkpoint()).to.equal('TRIM_HORIZON')
      await poisoned.world.stopAll()
    })
  })
}

describe('a handler that some of its records fail with', () => {
  it('has the checkpoint lie before them, and after a crash gets what is settled beyond it again', async () => {
    const poisoned = new PoisonWorld()
    const { clock } = poisoned.world
    poisoned.putMany(10)
    const handler: WorldWorkerOptions['handler'] = records => {
      poisoned.begin(records)
      return { failed: records.filter(record => poisoned.numberOf(record) === 5) }
    }
    const options = { handler, onProcessorError: { ...POLICY, attempts: Number.POSITIVE_INFINITY } }
    const member = await poisoned.world.startWorker(options)
    await clock.advance(5_000)
    expect(await poisoned.checkpoint()).to.equal(4)
    expect(poisoned.timesGiven([4, 6])).to.deep.equal([1, 1])
    member.crash()
    await poisoned.world.startWorker(options)
    await clock.advance(60_000)
    expect(poisoned.timesGiven([4, 6, 9])).to.deep.equal([1, 2, 2])
    await poisoned.world.stopAll()
  })

  it('and settles them after all by the retry, moves on at once', async () => {
    const poisoned = new PoisonWorld()
    const { clock } = poisoned.world
    const member = await poisoned.world.startWorker({
      onProcessorError: POLICY,
      handler: (records, { failures }) => {
        poisoned.begin(records)
        return failures === 0 ? { failed: records.slice(0, 1) } : undefined
      }
    })
    for (let second = 0; second < 20; second++) {
      poisoned.putMany(5)
      await clock.advance(1_000)
    }
    await clock.advance(2_000)
    expect(await poisoned.checkpoint()).to.equal(99)
    expect(poisoned.timesGiven(range(0, 100)).every(times => times === 1 || times === 2)).to.equal(true)
    expect(member.events('shard:halted')).to.deep.equal([])
    await poisoned.world.stopAll()
  })
})
