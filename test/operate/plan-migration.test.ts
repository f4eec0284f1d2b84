import { expect } from 'chai'
import { NO_ORDERS, withMode } from '../../src/leases/order-rules.ts'
import { LATEST, SHARD_END } from '../../src/model/sequence-number.ts'
import type { MigrationFacts } from '../../src/operate/migration-rules.ts'
import { openStep, planMigration } from '../../src/operate/plan-migration.ts'
import { A, aReadLease, aWorker, facts } from './migration-facts.ts'

const JAVA = [aReadLease(0, 'java-1'), aReadLease(1, 'java-2')]
const OURS = [aReadLease(0, A), aReadLease(1, A)]
const QUIET = { kclGoneForMs: 50_000 }
const members = [aWorker('a')]
const soloOrder = { orders: withMode(NO_ORDERS, { id: 'm', mode: 'solo', by: 'ann' }) }

describe('planMigration to millrace', () => {
  const cases: [string, MigrationFacts, string | undefined][] = [
    [
      'gives leases at LATEST a time, before anything else',
      facts({ leases: [aReadLease(0, 'java-1', { checkpoint: LATEST })] }),
      'pin'
    ],
    ['waits for workers of Millrace', facts({ leases: JAVA }), 'start-millrace'],
    ['has them share', facts({ leases: JAVA, members }), 'share'],
    ['waits for workers of KCL to stop', facts({ leases: JAVA, members, mode: 'mixed' }), 'stop-kcl'],
    [
      'waits until there has been no sign of KCL for long enough',
      facts({ leases: OURS, members, mode: 'mixed' }),
      'stop-kcl'
    ],
    [
      'waits while a record of KCL beats, although none of its workers has a lease',
      facts({ leases: OURS, members, mode: 'mixed' }, { ...QUIET, beating: ['t/Leader'] }),
      'stop-kcl'
    ],
    ['then has them be on their own', facts({ leases: OURS, members, mode: 'mixed' }, QUIET), 'be-alone'],
    [
      'does not share again while that is under way',
      facts(
        { leases: OURS, members: [aWorker('a', { seen: 0, applied: 0 })], mode: 'solo' },
        { ...QUIET, ...soloOrder }
      ),
      'be-alone'
    ],
    ['sees that every shard is read', facts({ leases: [...OURS, aReadLease(2)], members, mode: 'solo' }), 'verify'],
    ['is done when it is', facts({ leases: OURS, members, mode: 'solo' }), undefined],
    [
      'does not mind what KCL has left in finished shards',
      facts({ leases: [...OURS, aReadLease(3, 'java-1', { checkpoint: SHARD_END })], members, mode: 'solo' }),
      undefined
    ]
  ]
  for (const [what, given, step] of cases) {
    it(what, () => {
      expect(openStep(planMigration('millrace', given))?.name).to.equal(step)
    })
  }

  it('says what the table is', () => {
    const { table, rows, steps } = planMigration(
      'millrace',
      facts({ leases: [...JAVA, aReadLease(2)], moving: ['java-1'] })
    )
    expect(table.leases).to.deep.equal({ total: 3, finished: 0, ofMillrace: 0, ofKcl: 2, ofNobody: 1 })
    expect(table.owners.map(({ workerId, kind, state }) => [workerId, kind, state])).to.deep.equal([
      ['java-1', 'kcl', 'alive'],
      ['java-2', 'kcl', 'silent']
    ])
    expect(table.kcl).to.deep.include({ failoverMs: 9_000 })
    expect(table.kcl.version, 'rows that name a stream are of Millrace').to.equal('2.x')
    expect(rows).to.deep.equal([])
    expect(steps.map(({ state }) => state)).to.deep.equal(['done', 'open', 'later', 'later', 'later', 'later'])
  })

  it('names what may be deleted in the end, and no lease', () => {
    const remains = {
      items: [
        { table: 'app', key: 'java-1', kind: 'worker-metrics' },
        { table: 'app-CoordinatorState', key: 'Leader', kind: 'leader' }
      ],
      traces: { multiStream: [], incomplete: [], strange: [] },
      ...{
        index: { name: 'LeaseOwnerToLeaseKeyIndex', status: 'ACTIVE' },
        tables: ['app-CoordinatorState'],
        closed: []
      }
    } as const
    expect(
      planMigration('millrace', facts({ leases: OURS, members, mode: 'solo' }, { remains })).leftovers
    ).to.deep.equal({
      ...{ items: [{ table: 'app', key: 'java-1' }], index: 'LeaseOwnerToLeaseKeyIndex' },
      ...{ tables: ['app-CoordinatorState'], control: false }
    })
    expect(planMigration('kcl', facts({ leases: OURS, members, mode: 'solo' }, { remains })).leftovers).to.deep.equal({
      ...{ items: [], tables: [], control: true }
    })
  })
})

describe('planMigration to kcl', () => {
  const pinned = aReadLease(0, A, { checkpoint: LATEST, startTimestampMs: 5 })
  const still = { moving: [] }
  const cases: [string, MigrationFacts, string | undefined][] = [
    ['has the workers share, before anything else', facts({ leases: [pinned], members, mode: 'solo' }), 'share'],
    ['waits until their leases are renewed', facts({ leases: OURS, members, mode: 'mixed', ...still }), 'share'],
    ['writes what KCL expects', facts({ leases: [pinned], members, mode: 'mixed' }), 'write-rows'],
    ['waits for workers of KCL', facts({ leases: OURS, members, mode: 'mixed' }), 'start-kcl'],
    [
      'waits for those of Millrace to stop',
      facts({ leases: [...JAVA, aReadLease(2, A)], members, mode: 'mixed' }),
      'stop-millrace'
    ],
    [
      'waits until KCL has taken over what they had',
      facts({ leases: [...JAVA, aReadLease(2, A)], moving: ['java-1', 'java-2'] }),
      'stop-millrace'
    ],
    ['sees that every shard is read', facts({ leases: [...JAVA, aReadLease(2)] }), 'verify'],
    ['is done when it is', facts({ leases: JAVA }), undefined],
    ['needs nobody to share where no worker of Millrace is left', facts({ leases: [aReadLease(0)] }), 'start-kcl']
  ]
  for (const [what, given, step] of cases) {
    it(what, () => {
      expect(openStep(planMigration('kcl', given))?.name).to.equal(step)
    })
  }
})
