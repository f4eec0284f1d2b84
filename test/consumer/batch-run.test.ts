import { expect } from 'chai'
import { BatchRun, type BatchRunOptions, type GivenUp } from '../../src/consumer/batch-run.ts'
import type { CallOutcome, CallSetting } from '../../src/consumer/user-call.ts'
import { ProcessorGoneError, RecordTooOldError } from '../../src/model/errors.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import type { ExtendedSequenceNumber } from '../../src/model/sequence-number.ts'
import type { FailurePolicy } from '../../src/processor/failure-rules.ts'
import type { ProcessRecordsOutcome } from '../../src/processor/record-processor.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aFailurePolicy, NAMES } from '../support/builders.ts'
import { seeds } from '../support/seeds.ts'

/** Called with the numbers of the records, from 1. */
type Code = (
  numbers: number[],
  call: { readonly settle: (record: ExtendedSequenceNumber) => void; readonly records: readonly ConsumedRecord[] }
) => ProcessRecordsOutcome | Promise<ProcessRecordsOutcome>

interface Given extends Partial<BatchRunOptions> {
  readonly policy?: Partial<FailurePolicy>
  readonly count?: number
  readonly isOld?: (number: number) => boolean
  readonly seed?: number
}

const numbers = (of: readonly ExtendedSequenceNumber[]): number[] =>
  of.map(({ sequenceNumber }) => Number(sequenceNumber))

function aRun(code: Code, { policy, count = 8, isOld = () => false, seed = 1, ...with_ }: Given = {}) {
  const clock = new VirtualClock()
  const records = Array.from({ length: count }, (_, index) => {
    const arrivedAtMs = clock.epochMs() - (isOld(index + 1) ? 10_000 : 0)
    return new ConsumedRecord({
      sequenceNumber: String(index + 1),
      partitionKey: 'k',
      data: new Uint8Array(),
      arrivedAtMs
    })
  })
  const interrupt = new AbortController()
  const seen = {
    calls: [] as number[][],
    settled: [] as number[],
    givenUp: [] as GivenUp[],
    failures: [] as string[],
    /** The first that is not settled, as told. */
    open: [] as (number | undefined)[]
  }
  const never = new AbortController().signal
  const setting: CallSetting = {
    place: { shardId: 'shard', ...NAMES },
    hold: { lapse: never, whenValid: () => undefined },
    policy: aFailurePolicy({ attempts: 3, bisect: true, lastResort: 'dead-letter', ...policy }),
    limitMs: 60_000,
    giveUp: never,
    clock,
    random: seededRandom(seed),
    failed: (error, retryInMs, action) => seen.failures.push(`${error.attempt} ${action} ${retryInMs !== undefined}`)
  }
  const memory: BatchRunOptions['memory'] = { known: undefined }
  const options: BatchRunOptions = {
    setting,
    interrupt: interrupt.signal,
    memory,
    call: ({ records: given, settled }) => {
      seen.calls.push(numbers(given))
      return code(numbers(given), { settle: record => settled.settle(record), records: given })
    },
    isStored: () => false,
    giveRecordsUp: async given => {
      seen.givenUp.push(given)
      return { kind: 'done' }
    },
    settled: (done, open) => {
      seen.settled.push(...numbers(done))
      seen.open.push(open && Number(open.sequenceNumber))
    },
    gone: () => undefined,
    ...with_
  }
  let outcome: CallOutcome | undefined
  const begin = (): Promise<void> =>
    new BatchRun(records, options).run().then(value => {
      outcome = value
    })
  const finish = async (): Promise<CallOutcome | undefined> => {
    void begin()
    await clock.advanceUntil(() => outcome !== undefined)
    return outcome
  }
  return { clock, records, interrupt, seen, memory, begin, finish, outcome: () => outcome }
}

const poison =
  (...bad: number[]): Code =>
  given => {
    if (given.some(number => bad.includes(number))) throw new Error('poison')
  }

describe('BatchRun', () => {
  it('calls once with everything if that succeeds', async () => {
    const { seen, finish } = aRun(() => undefined, { count: 3 })
    expect(await finish()).to.deep.equal({ kind: 'done' })
    expect(seen).to.deep.include({ calls: [[1, 2, 3]], settled: [1, 2, 3], open: [undefined], failures: [] })
  })

  it('needs no call for no records', async () => {
    const { seen, finish } = aRun(() => undefined, { count: 0 })
    expect(await finish()).to.deep.equal({ kind: 'done' })
    expect(seen.calls).to.deep.equal([])
  })

  it('looks for the one bad record by halves, gives up that one alone, and settles the others in order', async () => {
    const { seen, finish } = aRun(poison(6))
    expect(await finish()).to.deep.equal({ kind: 'done' })
    const all = [1, 2, 3, 4, 5, 6, 7, 8]
    expect(seen.calls).to.deep.equal([all, all, [1, 2, 3, 4], [5, 6], [5], [6], [7, 8]])
    expect(seen.settled).to.deep.equal(all)
    expect(seen.givenUp.map(({ records, how, attempts }) => [numbers(records), how, attempts])).to.deep.equal([
      [[6], 'dead-letter', 4]
    ])
    expect(seen.failures).to.deep.equal(['1 retry true', '2 bisect true', '1 bisect true', '1 dead-letter false'])
  })

  it('needs no more calls than one, the attempts and the depth of the search, wherever the poison is', async () => {
    for (const count of [1, 2, 3, 7, 64, 100]) {
      for (let bad = 1; bad <= count; bad += Math.ceil(count / 17)) {
        const { seen, finish } = aRun(poison(bad), { count, policy: { attempts: 5 } })
        await finish()
        expect(seen.calls.length, `${bad} of ${count}`).to.be.at.most(1 + Math.ceil(Math.log2(count)) + 5)
        expect(seen.givenUp.map(({ records }) => numbers(records))).to.deep.equal([[bad]])
        expect(seen.settled).to.deep.equal(Array.from({ length: count }, (_, i) => i + 1))
      }
    }
  })

  it('calls again only for what a failed call has left, and stores what it settled', async () => {
    let stores = 0
    const store = async (): Promise<CallOutcome> => {
      stores += 1
      return { kind: 'done' }
    }
    let isFirst = true
    const code: Code = (_, { settle, records }) => {
      if (!isFirst) return
      isFirst = false
      settle(records[1] as ConsumedRecord)
      throw new Error('halfway')
    }
    const { seen, finish } = aRun(code, { count: 3, store })
    await finish()
    expect(seen).to.deep.include({
      calls: [
        [1, 2, 3],
        [1, 3]
      ],
      settled: [2, 1, 3],
      open: [1, undefined]
    })
    expect(stores).to.equal(2)
  })

  it('gives up the records that are named as failed, and looks for nothing', async () => {
    const code: Code = (given, { records }) => {
      const failed = records.filter((_, index) => [2, 5].includes(given[index] ?? 0))
      return failed.length > 0 ? { failed } : undefined
    }
    const { seen, finish } = aRun(code, { policy: { lastResort: 'skip' } })
    await finish()
    expect(seen.calls).to.deep.equal([
      [1, 2, 3, 4, 5, 6, 7, 8],
      [2, 5],
      [2, 5]
    ])
    expect(seen.settled).to.deep.equal([1, 3, 4, 6, 7, 8, 2, 5])
    expect(seen.givenUp.map(({ how }) => how)).to.deep.equal(['skip'])
  })

  it('gives up what is too old before it is called for, and nothing else', async () => {
    const { seen, finish } = aRun(() => undefined, {
      isOld: number => number === 1 || number === 4,
      policy: { maxRecordAgeMs: 5_000 }
    })
    await finish()
    expect(seen.calls).to.deep.equal([[2, 3, 5, 6, 7, 8]])
    expect(seen.settled).to.deep.equal([1, 4, 2, 3, 5, 6, 7, 8])
    expect(seen.open[0]).to.equal(2)
    expect(seen.givenUp[0]).to.include({ attempts: 0 })
    expect(seen.givenUp[0]?.cause).to.be.instanceOf(RecordTooOldError)
  })

  it('ends with the last resort where that ends the shard, and settles nothing of what is left', async () => {
    for (const lastResort of ['halt', 'stop'] as const) {
      const { seen, finish } = aRun(poison(3), { policy: { lastResort, attempts: 2 } })
      expect(await finish()).to.deep.include({ kind: 'gave-up', lastResort })
      expect(seen.settled).to.deep.equal([1, 2])
      expect(seen.givenUp).to.deep.equal([])
    }
  })

  it('leaves records as they are that cannot be given up, or stored', async () => {
    for (const outcome of [
      { kind: 'interrupted' },
      { kind: 'gave-up', lastResort: 'halt', error: new Error('full') }
    ] as const) {
      const full = aRun(poison(1), { count: 2, giveRecordsUp: async () => outcome })
      expect(await full.finish()).to.equal(outcome)
      expect(full.seen.settled).to.deep.equal([])
      const unstored = aRun(() => undefined, { count: 2, store: async () => outcome })
      expect(await unstored.finish()).to.equal(outcome)
    }
  })

  it('makes no further call once it is interrupted, and waits for the one under way', async () => {
    let end: () => void = () => {}
    const running = new Promise<void>(resolve => {
      end = resolve
    })
    const { clock, interrupt, seen, begin, outcome } = aRun(() => running, { count: 2 })
    void begin()
    await clock.settle()
    interrupt.abort('over')
    await clock.settle()
    expect(outcome()).to.equal(undefined)
    end()
    await clock.settle()
    expect(outcome()).to.deep.equal({ kind: 'done' })
    const failing = aRun(poison(1))
    void failing.begin()
    await failing.clock.settle()
    failing.interrupt.abort('over')
    await failing.clock.advance(60_000)
    expect(failing.outcome()).to.deep.equal({ kind: 'interrupted' })
    expect(failing.seen.calls).to.have.length(1)
    expect(seen.calls).to.have.length(1)
  })

  it('remembers what is known of records whose processor is gone, and goes on there', async () => {
    let isGone = false
    const gone = { error: new ProcessorGoneError('shard', 'it exited'), blame: 'own' as const }
    const memory: BatchRunOptions['memory'] = { known: undefined }
    const code: Code = given => {
      if (!given.includes(3)) return
      isGone = true
      throw gone.error
    }
    const calls: number[][] = []
    const givenUp: number[] = []
    for (let processors = 0; processors < 20; processors++) {
      isGone = false
      const run = aRun(code, {
        ...{ count: 4, memory, gone: () => (isGone ? gone : undefined) },
        giveRecordsUp: async ({ records }) => {
          givenUp.push(...numbers(records))
          return { kind: 'done' }
        }
      })
      const outcome = await run.finish()
      calls.push(...run.seen.calls)
      if (outcome?.kind === 'done') break
      expect(outcome).to.include({ kind: 'gone', cause: gone.error })
    }
    expect(givenUp).to.deep.equal([3])
    expect(calls.filter(call => call.includes(3)).length).to.be.at.most(1 + 2 + 3)
    expect(calls.at(-1)).to.deep.equal([4])
  })

  it('settles every record exactly once and within bounds, whatever fails', async () => {
    for (const seed of seeds(300)) {
      const random = seededRandom(seed)
      const chance = (of: number): boolean => random.next() < of
      const count = 1 + Math.floor(random.next() * 40)
      const bad = new Set(
        Array.from({ length: Math.floor(random.next() * 4) }, () => 1 + Math.floor(random.next() * count))
      )
      const flaky = random.next() * 0.3
      const code: Code = async (given, { settle, records }) => {
        for (const record of records) if (chance(0.1) && !bad.has(Number(record.sequenceNumber))) settle(record)
        if (chance(0.2)) return { failed: records.filter((_, index) => bad.has(given[index] ?? 0)) }
        if (given.some(number => bad.has(number)) || chance(flaky)) throw new Error('now and then')
        return undefined
      }
      const lastResort = chance(0.5) ? 'skip' : 'dead-letter'
      const { seen, finish } = aRun(code, {
        count,
        seed,
        policy: { attempts: 2 + Math.floor(random.next() * 4), lastResort }
      })
      expect(await finish(), `SEED=${seed}`).to.deep.equal({ kind: 'done' })
      const sorted = [...seen.settled].sort((a, b) => a - b)
      expect(sorted, `SEED=${seed}`).to.deep.equal(Array.from({ length: count }, (_, i) => i + 1))
      const upTo = new Set(seen.givenUp.flatMap(({ records }) => numbers(records)))
      for (const number of bad) expect(upTo.has(number), `SEED=${seed} ${number}`).to.equal(true)
      for (const call of seen.calls) expect(call, `SEED=${seed}`).to.deep.equal([...call].sort((a, b) => a - b))
    }
  })
})
