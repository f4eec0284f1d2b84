import { expect } from 'chai'
import type { GivenUp } from '../../src/consumer/batch-run.ts'
import { giveUpRecords } from '../../src/consumer/give-up-records.ts'
import type { CallOutcome } from '../../src/consumer/user-call.ts'
import { DeadLetterError } from '../../src/model/errors.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import type { DeadLetter } from '../../src/processor/dead-letter.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const RECORDS = [1, 2].map(
  number =>
    new ConsumedRecord({
      sequenceNumber: String(number),
      subSequenceNumber: number,
      partitionKey: `key ${number}`,
      data: new TextEncoder().encode(`payload ${number}`),
      aggregated: true,
      ...(number === 2 && { explicitHashKey: '17', arrivedAtMs: 5 })
    })
)

function aWorld(store?: (letters: readonly DeadLetter[], signal: AbortSignal) => Promise<void>) {
  const clock = new VirtualClock()
  const told: string[] = []
  const [interrupt, giveUp] = [new AbortController(), new AbortController()]
  const destination = store && {
    name: 'a shelf',
    store: (letters: readonly DeadLetter[], { signal }: { signal: AbortSignal }) => store(letters, signal)
  }
  const begin = (given: Partial<GivenUp> = {}) => {
    let outcome: CallOutcome | undefined
    void giveUpRecords(
      { records: RECORDS, how: 'dead-letter', cause: new TypeError('boom'), attempts: 3, ...given },
      {
        ...{ destination, stream: 'orders', applicationName: 'app', shardId: 'shard', clock, random: seededRandom(1) },
        ...{ interrupt: interrupt.signal, giveUp: giveUp.signal },
        listener: {
          gaveUpRecords: ({ records, how, first, last }) =>
            told.push(`${how} ${records}: ${first.sequenceNumber} to ${last.sequenceNumber}`),
          deadLetterFailed: (error, retryInMs) =>
            told.push(`${error instanceof DeadLetterError} ${retryInMs !== undefined}`)
        }
      }
    ).then(value => {
      outcome = value
    })
    return () => outcome
  }
  return { clock, told, interrupt, giveUp, begin }
}

describe('giveUpRecords', () => {
  it('skips without storing anything, and says so', async () => {
    const { clock, told, begin } = aWorld(() => expect.fail('nothing is to be stored'))
    const outcome = begin({ how: 'skip' })
    await clock.settle()
    expect(outcome()).to.deep.equal({ kind: 'done' })
    expect(told).to.deep.equal(['skip 2: 1 to 2'])
  })

  it('skips nothing, and says nothing, where the lease is not held any more', async () => {
    const { clock, told, giveUp, begin } = aWorld()
    giveUp.abort()
    const outcome = begin({ how: 'skip' })
    await clock.settle()
    expect(outcome()).to.deep.equal({ kind: 'interrupted' })
    expect(told).to.deep.equal([])
  })

  it('stores a letter for each record, with all that is known of it, before it says that they are given up', async () => {
    const stored: DeadLetter[] = []
    const { clock, told, begin } = aWorld(async letters => {
      expect(told).to.deep.equal([])
      stored.push(...letters)
    })
    const outcome = begin()
    await clock.settle()
    expect(outcome()).to.deep.equal({ kind: 'done' })
    expect(told).to.deep.equal(['dead-letter 2: 1 to 2'])
    const same = { stream: 'orders', applicationName: 'app', shardId: 'shard', attempts: 3 }
    const error = { name: 'TypeError', message: 'boom' }
    expect(stored.map(({ data: _, ...rest }) => rest)).to.deep.equal([
      {
        ...same,
        error,
        sequenceNumber: '1',
        subSequenceNumber: 1,
        partitionKey: 'key 1',
        givenUpAtMs: clock.epochMs()
      },
      {
        ...{ ...same, error, sequenceNumber: '2', subSequenceNumber: 2, partitionKey: 'key 2' },
        ...{ explicitHashKey: '17', arrivedAtMs: 5, givenUpAtMs: clock.epochMs() }
      }
    ])
    expect(stored.map(({ data }) => new TextDecoder().decode(data))).to.deep.equal(['payload 1', 'payload 2'])
  })

  it('makes two texts of whatever was thrown', async () => {
    const unprintable = Object.defineProperty(new Error('x'), 'message', {
      get: () => {
        throw new Error('not even that')
      }
    })
    for (const [cause, error] of [
      ['text', { name: 'string', message: 'text' }],
      [undefined, { name: 'undefined', message: 'undefined' }],
      [Object.create(null), { name: 'object', message: 'cannot be shown as text' }],
      [unprintable, { name: 'object', message: 'cannot be shown as text' }]
    ] as const) {
      let seen: unknown
      const { clock, begin } = aWorld(async ([letter]) => {
        seen = letter?.error
      })
      begin({ cause })
      await clock.settle()
      expect(seen).to.deep.equal(error)
    }
  })

  it('tries again what fails or does not answer, and halts the shard when that does not help', async () => {
    let calls = 0
    const { clock, told, begin } = aWorld(async () => {
      calls += 1
      if (calls === 2) await new Promise(() => {})
      throw new Error('full')
    })
    const outcome = begin()
    await clock.advance(600_000)
    expect(calls).to.equal(10)
    expect(told).to.deep.equal([...Array(9).fill('true true'), 'true false'])
    expect(outcome()).to.include({ kind: 'gave-up', lastResort: 'halt' })
    expect(outcome()).to.have.property('error').that.is.instanceOf(DeadLetterError)
  })

  it('is done once an attempt succeeds, also where a store throws at once', async () => {
    let calls = 0
    const { clock, told, begin } = aWorld(() => {
      calls += 1
      if (calls === 1) throw new Error('at once')
      return Promise.resolve()
    })
    const outcome = begin()
    await clock.advance(60_000)
    expect(outcome()).to.deep.equal({ kind: 'done' })
    expect(told).to.deep.equal(['true true', 'dead-letter 2: 1 to 2'])
  })

  it('halts the shard if there is nowhere to store letters', async () => {
    const { clock, told, begin } = aWorld()
    const outcome = begin()
    await clock.settle()
    expect(outcome()).to.deep.include({ kind: 'gave-up', lastResort: 'halt' })
    expect(outcome())
      .to.have.nested.property('error.message')
      .that.matches(/deadLetters.*is missing/)
    expect(told).to.deep.equal([])
  })

  it('makes no further attempt once it is interrupted, and leaves one under way when the shard is given up', async () => {
    let calls = 0
    const failing = aWorld(async () => {
      calls += 1
      throw new Error('full')
    })
    const outcome = failing.begin()
    await failing.clock.settle()
    failing.interrupt.abort()
    await failing.clock.advance(60_000)
    expect([calls, outcome()]).to.deep.equal([1, { kind: 'interrupted' }])

    const signals: AbortSignal[] = []
    const hanging = aWorld((_, signal) => {
      signals.push(signal)
      return new Promise(() => {})
    })
    const left = hanging.begin()
    await hanging.clock.settle()
    hanging.giveUp.abort('lost')
    await hanging.clock.settle()
    expect(left()).to.deep.equal({ kind: 'interrupted' })
    expect(signals.map(({ aborted }) => aborted)).to.deep.equal([true])
    expect(hanging.told).to.deep.equal([])
  })
})
