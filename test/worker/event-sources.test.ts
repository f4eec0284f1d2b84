import { expect } from 'chai'
import type { Tenure } from '../../src/leases/tenure.ts'
import { ProcessorError, RecordUndecodableError } from '../../src/model/errors.ts'
import {
  breakerEvents,
  fleetEvents,
  leaseEvents,
  lossEvents,
  shardEvents,
  syncEvents
} from '../../src/worker/event-sources.ts'
import type { WorkerEventName } from '../../src/worker/events.ts'
import { aLease, aPosition } from '../support/builders.ts'

const LEASE = aLease({ checkpoint: aPosition(7, 2) })
const { leaseKey, shardId } = LEASE
const TENURE = { leaseKey, shardId, lease: LEASE } as Tenure
const SHARD = { leaseKey, shardId, streamName: 'orders' }

type Emitted = [name: WorkerEventName, event: object]

/** What a source emits while `tell` tells it things. */
function emittedBy<Source>(
  source: (emit: (name: WorkerEventName, event: object) => void) => Source,
  tell: (source: Source) => void
): Emitted[] {
  const emitted: Emitted[] = []
  tell(source((name, event) => void emitted.push([name, event])))
  return emitted
}

describe('leaseEvents', () => {
  const table: readonly (readonly [string, (events: ReturnType<typeof leaseEvents>) => void, readonly Emitted[]])[] = [
    [
      'a lease that was taken, and where it begins',
      events => events.taken(TENURE, 'child'),
      [['lease:taken', { ...SHARD, why: 'child', checkpoint: '7#2' }]]
    ],
    ['a lease that is to be given up', events => events.revoked(TENURE), [['lease:revoked', SHARD]]],
    ['a release', events => events.ended(TENURE, 'released', 'released'), [['lease:released', SHARD]]],
    ['a loss', events => events.ended(TENURE, 'lost', 'x has it'), [['lease:lost', { ...SHARD, because: 'x has it' }]]],
    ['a row that is gone', events => events.ended(TENURE, 'gone', 'x'), [['lease:lost', { ...SHARD, because: 'x' }]]],
    ['no end of a shard, which the shard tells', events => events.ended(TENURE, 'finished', 'finished'), []],
    [
      'neglected leases when there are more of them, and when there are none any more',
      events => {
        for (const keys of [[], ['b', 'a'], ['a', 'b'], ['a'], [], ['a']]) events.neglected(keys)
      },
      [
        ['lease:neglected', { leaseKeys: ['a', 'b'] }],
        ['lease:neglected', { leaseKeys: [] }],
        ['lease:neglected', { leaseKeys: ['a'] }]
      ]
    ]
  ]
  for (const [what, tell, expected] of table) {
    it(`tells of ${what}`, () =>
      expect(emittedBy(emit => leaseEvents(emit, () => 'orders'), tell)).to.deep.equal(expected))
  }
})

describe('fleetEvents', () => {
  const PLAN = { why: 'balance', members: 2, leases: 10, moves: 3, unassigned: 0 }
  const foreign = ['java-1']
  const table: readonly (readonly [string, (events: ReturnType<typeof fleetEvents>) => void, Emitted])[] = [
    ['a session', events => events.sessionBegan('w/1'), ['session:began', { session: 'w/1' }]],
    ['a suspension', events => events.sessionSuspended(), ['session:suspended', {}]],
    ['its end', events => events.sessionResumed(500), ['session:resumed', { afterMs: 500 }]],
    [
      'the death of the session',
      events => events.sessionDied('w/1', 'silent'),
      ['session:died', { session: 'w/1', how: 'silent' }]
    ],
    ['an event loop that stood still', events => events.stalled(4_000), ['worker:stalled', { forMs: 4_000 }]],
    ['the beginning of a term', events => events.elected(7), ['leader:elected', { term: 7 }]],
    ['its end', events => events.deposed('another leads'), ['leader:deposed', { because: 'another leads' }]],
    ['a plan', events => events.planned(PLAN), ['fleet:planned', PLAN]],
    [
      'a death certificate',
      events => events.certified('x/1', 'deaf'),
      ['fleet:member-died', { session: 'x/1', how: 'deaf' }]
    ],
    [
      'workers of another kind',
      events => events.foreignersFound(foreign),
      ['fleet:foreigners-found', { workers: ['java-1'] }]
    ]
  ]
  for (const [what, tell, expected] of table) {
    it(`tells of ${what} (${expected[0]})`, () => expect(emittedBy(fleetEvents, tell)).to.deep.equal([expected]))
  }

  it('hands out lists that are its own', () => {
    const [[, event] = []] = emittedBy(fleetEvents, events => events.foreignersFound(foreign))
    expect(event).to.have.property('workers').that.does.not.equal(foreign)
  })
})

describe('shardEvents', () => {
  const error = new ProcessorError(shardId, 'processRecords', 3, new Error('broken'))
  const failure = { during: 'read', error, failures: 2 } as const
  const report = { records: 1, bytes: 2, millisBehindLatest: 3 }
  const cause = new RecordUndecodableError({ sequenceNumber: '7', subSequenceNumber: 2 }, 'not-json', 'it is none')
  const undecodable = { records: 2, reason: 'not-json', action: 'skip', error: cause } as const
  const table: readonly (readonly [string, (events: ReturnType<typeof shardEvents>) => void, readonly Emitted[]])[] = [
    [
      'the start, where the processor was initialized',
      events => events.moved('initializing', 'processing'),
      [['shard:started', { ...SHARD, checkpoint: '7#2' }]]
    ],
    ['no start, where an end was none', events => events.moved('ending', 'processing'), []],
    ['a read', events => events.read(report), [['shard:read', { ...SHARD, ...report }]]],
    [
      'a batch',
      events => events.batchProcessed({ ...report, durationMs: 4 }),
      [['batch:processed', { ...SHARD, ...report, durationMs: 4 }]]
    ],
    [
      'a processor that failed',
      events => events.processorFailed(error, 5, 'retry'),
      [['processor:failed', { ...SHARD, error, attempt: 3, retryInMs: 5, action: 'retry' }]]
    ],
    [
      'records that were given up, and where they are',
      events => events.gaveUpRecords({ records: 3, how: 'skip', error, first: aPosition(7, 2), last: aPosition(8) }),
      [['records:given-up', { ...SHARD, records: 3, how: 'skip', error, first: '7#2', last: '8' }]]
    ],
    [
      'records that could not be decoded, and where they are',
      events => events.undecodable({ ...undecodable, first: aPosition(7, 2), last: aPosition(8) }),
      [['record:undecodable', { ...SHARD, ...undecodable, first: '7#2', last: '8' }]]
    ],
    [
      'dead letters that could not be stored',
      events => events.deadLetterFailed(error, 5),
      [['dead-letter:failed', { ...SHARD, error, retryInMs: 5 }]]
    ],
    [
      'a shard that stands still',
      events => events.stalled({ waitingFor: 'answer', forMs: 60_000, action: 'restart' }),
      [['shard:stalled', { ...SHARD, waitingFor: 'answer', forMs: 60_000, action: 'restart' }]]
    ],
    ['a shard that goes on', events => events.progressed(), [['shard:progressed', SHARD]]],
    [
      'a pause, and its end',
      events => {
        events.paused()
        events.resumed()
      },
      [
        ['shard:paused', SHARD],
        ['shard:resumed', SHARD]
      ]
    ],
    [
      'a shard that is halted',
      events => events.gaveUp(error, 'halt'),
      [['shard:halted', { ...SHARD, error, lastResort: 'halt' }]]
    ],
    [
      'a failure that passes',
      events => events.failed({ ...failure, retryInMs: 6 }),
      [['shard:failed', { ...SHARD, ...failure, retryInMs: 6 }]]
    ],
    [
      'a failure that does not',
      events => events.failed(failure),
      [['shard:failed', { ...SHARD, ...failure, retryInMs: undefined }]]
    ],
    [
      'odd records',
      events => events.oddRecords({ outOfRange: 1, corrupt: 2 }),
      [['shard:odd-records', { ...SHARD, outOfRange: 1, corrupt: 2 }]]
    ],
    [
      'a checkpoint',
      events => events.checkpointed(aPosition(9, 1), 12),
      [['checkpoint:stored', { ...SHARD, position: '9#1', durationMs: 12 }]]
    ],
    [
      'records that were settled before',
      events => events.suppressed(3),
      [['records:suppressed', { ...SHARD, records: 3 }]]
    ],
    ['the end', events => events.ended(['a', 'b']), [['shard:ended', { ...SHARD, childShardIds: ['a', 'b'] }]]]
  ]
  for (const [what, tell, expected] of table) {
    it(`tells of ${what}`, () =>
      expect(emittedBy(emit => shardEvents(emit, TENURE, 'orders'), tell)).to.deep.equal(expected))
  }

  it('makes an error of whatever failed', () => {
    const [[, event] = []] = emittedBy(
      emit => shardEvents(emit, TENURE, 'orders'),
      events => events.failed({ ...failure, error: Symbol('odd') })
    )
    expect(event).to.have.property('error').that.is.instanceOf(Error).with.property('message', 'Symbol(odd)')
    const given = { records: 1, how: 'dead-letter', error: 'text', first: aPosition(1), last: aPosition(1) } as const
    const emitted = emittedBy(
      emit => shardEvents(emit, TENURE, 'orders'),
      events => {
        events.gaveUpRecords(given)
        events.deadLetterFailed('text', undefined)
      }
    )
    for (const [, told] of emitted) expect(told).to.have.nested.property('error.message', 'text')
  })
})

describe('breakerEvents', () => {
  it('tells of every change of the circuit breaker', () => {
    const error = new Error('down')
    const emitted = emittedBy(breakerEvents, changed => {
      changed({ state: 'open', failures: 5, error, openMs: 30_000 })
      changed({ state: 'open', failures: 6, error: 'down', openMs: 30_000 })
      changed({ state: 'closed', failures: 0 })
    })
    expect(emitted[0]).to.deep.equal(['breaker:changed', { state: 'open', failures: 5, error, openMs: 30_000 }])
    expect(emitted[1]?.[1]).to.have.nested.property('error.message', 'down')
    const closed = { state: 'closed', failures: 0, error: undefined, openMs: undefined }
    expect(emitted[2]).to.deep.equal(['breaker:changed', closed])
  })
})

describe('syncEvents', () => {
  it('tells of everything that a comparison of shards and leases reports', () => {
    const emitted = emittedBy(
      emit => syncEvents(emit, 'orders'),
      report => {
        report({ kind: 'lease-created', leaseKey: 'a', shardId: 'a', why: 'rebuilt', checkpoint: '7' })
        report({ kind: 'lease-removed', leaseKey: 'a', shardId: 'a', why: 'shard-expired' })
        report({ kind: 'hole-found', ranges: ['0..9'], repaired: ['a'] })
        report({ kind: 'row-skipped', key: 'a', because: 'malformed', problem: 'odd' })
        report({ kind: 'stream-recreated', creationEpoch: 5, removed: ['a'] })
      }
    )
    expect(emitted).to.deep.equal([
      ['lease:created', { leaseKey: 'a', shardId: 'a', streamName: 'orders', why: 'rebuilt', checkpoint: '7' }],
      ['lease:removed', { leaseKey: 'a', shardId: 'a', streamName: 'orders', why: 'shard-expired' }],
      ['lease:hole-found', { streamName: 'orders', ranges: ['0..9'], repaired: ['a'] }],
      ['lease:row-skipped', { key: 'a', problem: 'odd' }],
      ['stream:recreated', { streamName: 'orders', creationEpoch: 5, removed: ['a'] }]
    ])
  })
})

describe('lossEvents', () => {
  it('tells of records that are gone', () => {
    const emitted = emittedBy(lossEvents, lost => lost({ shardId, because: 'trimmed', after: '7' }, 'orders'))
    const shard = { leaseKey: shardId, shardId, streamName: 'orders' }
    expect(emitted).to.deep.equal([['records:lost', { ...shard, because: 'trimmed', after: '7' }]])
  })
})
