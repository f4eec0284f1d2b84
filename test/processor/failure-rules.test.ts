import { expect } from 'chai'
import {
  afterFailure,
  type FailedCall,
  type FailureAction,
  type FailurePolicy,
  type FailureVerdict,
  type ProcessorFailure
} from '../../src/processor/failure-rules.ts'

const ENDLESS = Number.POSITIVE_INFINITY

const POLICY: FailurePolicy = {
  attempts: 4,
  maxElapsedMs: ENDLESS,
  bisect: false,
  lastResort: 'halt',
  backoff: { firstMs: 100, maxMs: 300 },
  maxRecordAgeMs: ENDLESS
}

const FAILURE: ProcessorFailure = {
  error: new Error('no'),
  shardId: 'shardId-000000000000',
  streamName: 'orders',
  method: 'processRecords',
  records: 100,
  attempt: 1,
  elapsedMs: 0,
  ageMs: 1_000
}

/** The same failure of each attempt. */
function afterAttempts(attempts: readonly number[], policy: FailurePolicy, failure = FAILURE): FailureVerdict[] {
  return attempts.map(attempt => afterFailure({ ...failure, attempt }, policy, 0.5))
}

const again = (inMs: number): FailureVerdict => ({ kind: 'again', inMs })
const giveUp = (lastResort: FailurePolicy['lastResort']): FailureVerdict => ({ kind: 'give-up', lastResort })
const BISECT: FailureVerdict = { kind: 'bisect' }

/** What is known, what the policy says, and the verdict with a chance of 0.5. */
const TABLE: readonly (readonly [
  what: string,
  policy: Partial<FailurePolicy>,
  failure: Partial<ProcessorFailure>,
  call: Partial<FailedCall>,
  verdict: FailureVerdict
])[] = [
  ['gives up at once where there is one attempt', { attempts: 1, lastResort: 'stop' }, {}, {}, giveUp('stop')],
  ['looks at once for the bad record where there is one attempt', { attempts: 1, bisect: true }, {}, {}, BISECT],
  ['keeps the last attempt for the bad record alone', { bisect: true }, { attempt: 3 }, {}, BISECT],
  [
    'has one record alone tried as often as there are attempts',
    { bisect: true },
    { attempt: 3, records: 1 },
    {},
    again(225)
  ],
  ['has no halves of one record', { bisect: true }, { attempt: 4, records: 1 }, {}, giveUp('halt')],
  ['has two halves of two records', { bisect: true }, { attempt: 3, records: 2 }, {}, BISECT],
  ['bisects before it halts, if asked to', { bisect: true, lastResort: 'halt' }, { attempt: 4 }, {}, BISECT],
  [
    'dead-letters a whole batch that is not to be bisected',
    { lastResort: 'dead-letter' },
    { attempt: 4 },
    {},
    giveUp('dead-letter')
  ],
  ['skips where that was asked for by name', { lastResort: 'skip' }, { attempt: 4 }, {}, giveUp('skip')],
  // Time.
  ['goes on before the time is up', { maxElapsedMs: 5_000 }, { elapsedMs: 4_999 }, {}, again(75)],
  [
    'counts the attempts as used up once the time is',
    { maxElapsedMs: 5_000 },
    { elapsedMs: 5_000 },
    {},
    giveUp('halt')
  ],
  ['bisects once the time is up', { maxElapsedMs: 5_000, bisect: true }, { elapsedMs: 5_000 }, {}, BISECT],
  [
    'has a time limit where attempts have no end',
    { attempts: ENDLESS, maxElapsedMs: 1 },
    { elapsedMs: 1 },
    {},
    giveUp('halt')
  ],
  [
    'leaves it to others to give up old records, and only those',
    { maxRecordAgeMs: 500, lastResort: 'skip' },
    {},
    {},
    again(75)
  ],
  // Halves.
  ['cuts a half that has failed in halves again, at once', { bisect: true }, {}, { isHalf: true }, BISECT],
  [
    'gives up a record that fails alone after it was looked for',
    { bisect: true, lastResort: 'dead-letter' },
    { records: 1 },
    { isHalf: true },
    giveUp('dead-letter')
  ],
  [
    'has one attempt for a half where attempts have no end',
    { attempts: ENDLESS, bisect: true },
    {},
    { isHalf: true },
    BISECT
  ],
  [
    'gives a half up that the user asked for without bisect',
    { lastResort: 'skip' },
    {},
    { isHalf: true },
    giveUp('skip')
  ],
  // Records that the handler named.
  ['tries named records as often as others', { bisect: true }, { attempt: 3 }, { isNamed: true }, again(225)],
  [
    'looks for nothing among named records: all of them are bad',
    { bisect: true, lastResort: 'dead-letter' },
    { attempt: 4 },
    { isNamed: true },
    giveUp('dead-letter')
  ],
  [
    'gives up those that are named in a half',
    { bisect: true, lastResort: 'skip' },
    { records: 2 },
    { isHalf: true, isNamed: true },
    giveUp('skip')
  ],
  // Methods that are given no records.
  ...(['dead-letter', 'skip'] as const).map(
    lastResort =>
      [
        `halts instead of ${lastResort} where there are no records`,
        { lastResort, bisect: true },
        { records: 0, attempt: 4, method: 'initialize', ageMs: undefined },
        {},
        giveUp('halt')
      ] as const
  ),
  ['stops where there are no records too', { lastResort: 'stop' }, { records: 0, attempt: 4 }, {}, giveUp('stop')]
]

describe('afterFailure', () => {
  it('tries again after a growing delay, and gives up after the last attempt', () => {
    const expected = [again(75), again(150), again(225), giveUp('halt'), giveUp('halt')]
    expect(afterAttempts([1, 2, 3, 4, 5], POLICY)).to.deep.equal(expected)
  })

  it('never gives up where attempts have no end', () => {
    const endless = { ...POLICY, attempts: ENDLESS, bisect: true }
    expect(afterFailure({ ...FAILURE, attempt: 1e9 }, endless, 0.999)).to.deep.include({ kind: 'again' })
  })

  for (const [what, policy, failure, call, verdict] of TABLE) {
    it(what, () => {
      const whole = { isHalf: false, isNamed: false }
      const judged = afterFailure({ ...FAILURE, ...failure }, { ...POLICY, ...policy }, 0.5, { ...whole, ...call })
      expect(judged).to.deep.equal(verdict)
    })
  }

  it('finds one bad record of a hundred within its attempts and seven more calls', () => {
    for (let bad = 0; bad < 100; bad++) {
      const policy: FailurePolicy = { ...POLICY, bisect: true, lastResort: 'dead-letter' }
      let [from, to, attempt, failed, isHalf] = [0, 100, 1, 0, false]
      for (;;) {
        failed += 1
        const verdict = afterFailure({ ...FAILURE, records: to - from, attempt }, policy, 0, { isHalf, isNamed: false })
        if (verdict.kind === 'give-up') break
        if (verdict.kind === 'again') attempt += 1
        else {
          const middle = from + ((to - from) >> 1)
          if (bad < middle) to = middle
          else from = middle
          ;[attempt, isHalf] = [1, true]
        }
      }
      expect([to - from, from]).to.deep.equal([1, bad])
      expect(failed).to.be.at.most(policy.attempts - 1 + Math.ceil(Math.log2(100)))
    }
  })
})

describe('afterFailure with a decision of the user', () => {
  const decided = (
    action: FailureAction | undefined,
    failure: Partial<ProcessorFailure> = {},
    policy: Partial<FailurePolicy> = {},
    call: FailedCall = { isHalf: false, isNamed: false }
  ): FailureVerdict =>
    afterFailure({ ...FAILURE, ...failure }, { ...POLICY, ...policy, decide: () => action }, 0.5, call)

  it('does what is decided, however many attempts are left', () => {
    expect(decided('bisect')).to.deep.equal(BISECT)
    for (const action of ['halt', 'stop', 'dead-letter', 'skip'] as const) {
      expect(decided(action), action).to.deep.equal(giveUp(action))
    }
  })

  it('tries again, with the delay of that attempt, even if none is left', () => {
    expect(decided('retry', { attempt: 9 }, { maxElapsedMs: 1 })).to.deep.equal(again(225))
    expect(decided('retry', { records: 1 }, {}, { isHalf: true, isNamed: false })).to.deep.equal(again(75))
  })

  it('goes by the other options where nothing is decided', () => {
    expect(decided(undefined)).to.deep.equal(again(75))
    expect(decided(undefined, { attempt: 4 })).to.deep.equal(giveUp('halt'))
  })

  it('has the last resort where a single record is to be bisected', () => {
    expect(decided('bisect', { records: 1 }, { lastResort: 'skip' })).to.deep.equal(giveUp('skip'))
  })

  it('bisects named records if that is decided', () => {
    expect(decided('bisect', {}, {}, { isHalf: false, isNamed: true })).to.deep.equal(BISECT)
  })

  it('halts where records are to be given up, or bisected, and there are none', () => {
    for (const action of ['dead-letter', 'skip', 'bisect'] as const) {
      expect(decided(action, { records: 0 }, { lastResort: 'skip' }), action).to.deep.equal(giveUp('halt'))
    }
  })

  it('asks once, and tells all that is known', () => {
    const told: ProcessorFailure[] = []
    afterFailure(FAILURE, { ...POLICY, decide: failure => void told.push(failure) }, 0.5)
    expect(told).to.deep.equal([FAILURE])
  })
})
