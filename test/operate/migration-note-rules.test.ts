import { expect } from 'chai'
import { NO_ORDERS, withHold } from '../../src/leases/order-rules.ts'
import { AT_TIMESTAMP, LATEST } from '../../src/model/sequence-number.ts'
import { notesFor } from '../../src/operate/migration-note-rules.ts'
import { type MigrationFacts, type MigrationTarget, standingOf } from '../../src/operate/migration-rules.ts'
import { planKclRows } from '../../src/operate/plan-kcl-rows.ts'
import { A_STREAM, aShard, shardId } from '../support/builders.ts'
import { A, aReadLease, aWorker, facts } from './migration-facts.ts'

const notes = (to: MigrationTarget, given: MigrationFacts) =>
  notesFor(to, given, standingOf(given), planKclRows(given.leases, given.shards))
const codes = (to: MigrationTarget, given: MigrationFacts): string[] =>
  notes(to, given).map(({ severity, code }) => `${severity} ${code}`)

const JAVA = [aReadLease(0, 'java-1')]
const OURS = [aReadLease(0, A)]
const traces = { multiStream: [], incomplete: [], strange: [] }
const remains = { items: [], traces, tables: [], closed: [] }
const aHold = { id: 'h', why: 'repairs', by: 'ann', isKept: true, beat: 0, leases: 'all' } as const

describe('notesFor', () => {
  const cases: [string, MigrationTarget, MigrationFacts, string][] = [
    [
      'another stream',
      'millrace',
      facts({ leases: [aReadLease(0, 'j', { stream: { ...A_STREAM, streamArn: 'other' } })] }),
      'blocker other-stream'
    ],
    [
      'rows that cannot be read',
      'millrace',
      facts({ leases: JAVA }, { skipped: [{ key: 'x', because: 'malformed', problem: 'checkpoint is 7' }] }),
      'blocker malformed-rows'
    ],
    [
      'leases of several streams',
      'millrace',
      facts({ leases: [] }, { remains: { ...remains, traces: { ...traces, multiStream: ['1:s:2:shardId-0'] } } }),
      'blocker multi-stream'
    ],
    [
      'tables that may not be read',
      'millrace',
      facts({ leases: JAVA }, { remains: { ...remains, closed: ['app-CoordinatorState'] } }),
      'warning closed-tables'
    ],
    [
      'a reset that is under way',
      'kcl',
      facts({ leases: OURS }, { orders: withHold(NO_ORDERS, { ...aHold, isKept: false, isAlone: true }) }),
      'blocker busy'
    ],
    [
      'pauses, which KCL does not know',
      'kcl',
      facts({ leases: OURS }, { orders: withHold(NO_ORDERS, aHold) }),
      'blocker paused'
    ],
    [
      'pauses while the table is shared',
      'millrace',
      facts({ leases: OURS }, { orders: withHold(NO_ORDERS, aHold) }),
      'warning paused'
    ],
    ['hand-offs', 'millrace', facts({ leases: [aReadLease(0, 'j', { checkpointOwner: 'k' })] }), 'info hand-offs'],
    [
      'prepared checkpoints',
      'kcl',
      facts({ leases: [aReadLease(0, A, { pendingCheckpoint: { position: LATEST } })] }),
      'info pending-checkpoints'
    ],
    ['workers of KCL that are gone', 'millrace', facts({ leases: JAVA, moving: [] }), 'info dead-owners'],
    [
      'shards without a lease',
      'millrace',
      facts({ leases: JAVA }, { shards: [aShard({ shardId: shardId(9) })] }),
      'warning missing-leases'
    ],
    ['the failover time to set', 'millrace', facts({ leases: JAVA }), 'info failover'],
    [
      'workers with another duration',
      'millrace',
      facts({ leases: JAVA, members: [aWorker('a', { durationMs: 30_000 })] }),
      'warning durations'
    ],
    [
      'a start time that only KCL knows',
      'millrace',
      facts({ leases: [aReadLease(0, 'j', { checkpoint: AT_TIMESTAMP })] }),
      'warning at-timestamp'
    ],
    [
      'leases that KCL began at LATEST',
      'millrace',
      facts({ leases: [aReadLease(0, 'j', { checkpoint: LATEST })] }),
      'warning at-latest'
    ],
    [
      'start times that KCL does not keep',
      'kcl',
      facts({ leases: [aReadLease(0, A, { checkpoint: LATEST, startTimestampMs: 1 })] }),
      'info start-times'
    ],
    [
      'rows that lack something',
      'kcl',
      facts({ leases: [aReadLease(0, undefined, { checkpointOwner: 'j' })] }),
      'info rows-to-write'
    ],
    [
      'records of KCL 3.5 among the leases',
      'kcl',
      facts({ leases: OURS }, { remains: { ...remains, items: [{ table: 'app', key: 'Leader', kind: 'leader' }] } }),
      'warning kcl-rows'
    ],
    [
      'rows that are no leases',
      'kcl',
      facts({ leases: OURS }, { remains: { ...remains, traces: { ...traces, strange: ['note'] } } }),
      'blocker strange-rows'
    ],
    [
      'rows that KCL 2.x stops at',
      'kcl',
      facts({ leases: OURS }, { remains: { ...remains, traces: { ...traces, incomplete: ['s'] } } }),
      'blocker incomplete-rows'
    ],
    [
      'red shards',
      'kcl',
      facts({ leases: OURS, members: [aWorker('a', { troubles: { count: 1, reasons: {} } })] }),
      'warning red-shards'
    ]
  ]
  for (const [what, to, given, note] of cases) {
    it(`has ${what}`, () => {
      expect(codes(to, given)).to.include(note)
    })
  }

  it('has nothing but what is worth knowing where all is well, the most severe first', () => {
    expect(codes('millrace', facts({ leases: JAVA }))).to.deep.equal(['info failover'])
    expect(codes('kcl', facts({ leases: OURS, members: [aWorker('a', { durationMs: 10_000 })] }))).to.deep.equal([
      'info failover'
    ])
    const both = facts({ leases: JAVA }, { skipped: [{ key: 'x', because: 'malformed', problem: 'p' }] })
    expect(codes('millrace', both)[0]).to.equal('blocker malformed-rows')
  })
})
