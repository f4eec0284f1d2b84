import { expect } from 'chai'
import type { TableFacts } from '../../src/dynamo/dynamo-table-facts.ts'
import { NO_ORDERS, withHold } from '../../src/leases/order-rules.ts'
import type { Lease } from '../../src/model/lease.ts'
import { type DoctorFacts, diagnose, type Finding, type FindingCode } from '../../src/operate/doctor-rules.ts'
import { type StatusFacts, statusOf } from '../../src/operate/status-rules.ts'
import { aMember, session } from '../fleet/fleet-model.ts'
import { A_STREAM, aLease, aPosition, aShard, shardId } from '../support/builders.ts'

const A = session('a')
const HOUR_MS = 3_600_000
const TABLE: TableFacts = {
  ...{ tableName: 'counter', status: 'ACTIVE', billing: { mode: 'on-demand' }, items: 1, bytes: 1, isProtected: true }
}

interface Given extends Partial<Omit<DoctorFacts, 'status' | 'leases' | 'members'>> {
  readonly leases?: readonly Lease[]
  readonly members?: StatusFacts['members']
  readonly look?: Partial<StatusFacts>
}

function findings(given: Given = {}): Finding[] {
  const { leases = [aLease({ owner: A })], members = [aMember('a')], look = {}, ...with_ } = given
  const status = statusOf({
    ...{ applicationName: 'counter', streamName: 'clicks', leaseTable: 'counter', controlTable: 'control', atMs: 1 },
    ...{ gone: new Set<string>(), silentMs: new Map(), hasWatched: true, unchangedMs: new Map() },
    ...{ members, leases, lock: { who: A, term: 1 }, shards: [aShard()], orders: NO_ORDERS, ...look }
  })
  return diagnose({
    ...{ stream: { identity: A_STREAM, status: 'ACTIVE', retentionMs: 24 * HOUR_MS }, leases, members, status },
    ...{ skipped: [], writeUnitsPerSecond: 1 / 3, leaseTable: { facts: TABLE }, controlTable: { facts: TABLE } },
    ...with_
  })
}

const codes = (given?: Given): FindingCode[] => findings(given).map(({ code }) => code)
const lag = (lagMs: number) => ({ atMs: 0, shards: [{ shardId: shardId(0), lagMs }] })

describe('diagnose', () => {
  it('finds nothing where all is well', () => {
    expect(findings()).to.deep.equal([])
  })

  const cases: readonly (readonly [string, Given, FindingCode, Finding['severity']])[] = [
    ['a stream that does not exist', { stream: undefined }, 'stream-missing', 'error'],
    ['a stream that is going', { stream: { identity: A_STREAM, status: 'DELETING' } }, 'stream-not-active', 'error'],
    ['a lease table that is missing', { leaseTable: { facts: undefined } }, 'lease-table-missing', 'error'],
    ['a control table that is missing', { controlTable: { facts: undefined } }, 'control-table-missing', 'error'],
    [
      'too little capacity',
      { leaseTable: { facts: provisioned(1) }, writeUnitsPerSecond: 5 },
      'table-capacity',
      'error'
    ],
    ['little capacity', { leaseTable: { facts: provisioned(6) }, writeUnitsPerSecond: 5 }, 'table-capacity', 'warning'],
    [
      'a table that anybody can delete',
      { leaseTable: { facts: { ...TABLE, isProtected: false } } },
      'table-unprotected',
      'info'
    ],
    [
      'rows that are broken',
      { skipped: [{ key: 'x', because: 'malformed', problem: 'y' }] },
      'malformed-rows',
      'error'
    ],
    [
      'rows of something else',
      { skipped: [{ key: 'x', because: 'another-kind', problem: 'y' }] },
      'foreign-rows',
      'info'
    ],
    [
      'leases of an earlier stream',
      { leases: [aLease({ owner: A, stream: { ...A_STREAM, creationEpoch: 1 } })] },
      'other-stream',
      'error'
    ],
    [
      'leases of another stream',
      { leases: [aLease({ owner: A, stream: { ...A_STREAM, streamArn: 'x' } })] },
      'other-stream',
      'error'
    ],
    ['a fleet without workers', { members: [aMember('a', { state: 'DRAINING' })] }, 'no-workers', 'error'],
    ['a fleet without a leader', { look: { lock: undefined } }, 'no-leader', 'warning'],
    ['an owner that is dead', { members: [aMember('a', { dead: 'silent' }), aMember('b')] }, 'dead-owner', 'error'],
    ['a worker that is silent', { look: { silentMs: new Map([[A, 11_000]]) } }, 'silent-worker', 'error'],
    ['a shard that nobody reads', { leases: [aLease()], members: [] }, 'unowned-leases', 'error'],
    [
      'hash keys that nobody reads',
      { leases: [aLease({ owner: A, hashKeyRange: { start: 0n, end: 9n } })] },
      'holes',
      'error'
    ],
    [
      'halted shards',
      { members: [aMember('a', { troubles: { count: 1, reasons: { x: 'halted' } } })] },
      'red-shards',
      'error'
    ],
    ['workers of another kind', { leases: [aLease({ owner: 'java' })] }, 'foreign-workers', 'info'],
    [
      'different lease durations',
      { members: [aMember('a', { durationMs: 1_000 }), aMember('b', { durationMs: 2_000 })] },
      'mixed-durations',
      'warning'
    ],
    ['two generations', { members: [aMember('a'), aMember('b', { generation: 2 })] }, 'two-generations', 'info'],
    [
      'too little room',
      {
        leases: [aLease({ owner: A }), aLease({ leaseKey: 'b', shardId: 'b', owner: A })],
        members: [aMember('a', { maxLeases: 1 })]
      },
      'no-room',
      'error'
    ],
    ['more workers than shards', { members: [aMember('a'), aMember('b')] }, 'idle-workers', 'info'],
    ['a table without leases', { leases: [] }, 'no-leases', 'warning'],
    [
      'prepared checkpoints',
      { leases: [aLease({ owner: A, pendingCheckpoint: { position: aPosition(1) } })] },
      'pending-checkpoints',
      'info'
    ],
    ['records that are about to expire', { lag: lag(20 * HOUR_MS) }, 'lag-near-retention', 'error'],
    ['records that get old', { lag: lag(13 * HOUR_MS) }, 'lag-near-retention', 'warning'],
    [
      'a lag that cannot be told',
      { lag: { atMs: 0, shards: [{ shardId: 'x', problem: 'no' }] } },
      'lag-unknown',
      'info'
    ],
    ['consumers of fan-out', { consumers: ['old-app'] }, 'fan-out-consumers', 'info']
  ]
  for (const [what, given, code, severity] of cases) {
    it(`finds ${what}`, () => {
      const finding = findings(given).find(one => one.code === code)
      expect(finding?.severity).to.equal(severity)
      expect(finding?.message).to.match(/\w/)
      expect(finding?.advice, 'says what to do').to.match(/\w/)
    })
  }

  it('finds a pause, with who made it and what for', () => {
    const hold = { id: 'h', why: 'maintenance', by: 'ann', isKept: true, beat: 0, leases: 'all' as const }
    const [finding] = findings({ look: { orders: withHold(NO_ORDERS, hold) } })
    expect(finding).to.include({
      code: 'paused',
      severity: 'warning',
      message: 'All shards are paused for maintenance, by ann'
    })
  })

  it('tells the worst first', () => {
    const severities = findings({ consumers: ['x'], lag: lag(13 * HOUR_MS), members: [] }).map(
      ({ severity }) => severity
    )
    expect(severities).to.deep.equal(
      [...severities].sort((a, b) => 'error warning info'.indexOf(a) - 'error warning info'.indexOf(b))
    )
    expect(new Set(severities).size).to.equal(3)
  })

  it('says nothing of lag and retention where they are not known, or far apart', () => {
    expect(codes({ lag: lag(6 * HOUR_MS) })).to.deep.equal([])
    expect(codes({ lag: lag(30 * HOUR_MS), stream: { identity: A_STREAM, status: 'ACTIVE' } })).to.deep.equal([])
  })
})

function provisioned(writeCapacity: number): TableFacts {
  return { ...TABLE, billing: { mode: 'provisioned', readCapacity: 10, writeCapacity } }
}
