import { expect } from 'chai'
import { createColors } from 'picocolors'
import { leftoverLines, migrationPage, stepInWords } from '../../src/cli/migration-page.ts'
import { planMigration } from '../../src/operate/plan-migration.ts'
import { aReadLease, facts } from '../operate/migration-facts.ts'

const colors = createColors(false)

describe('migrationPage', () => {
  it('shows the table, notes, steps and rows, with nothing in it that steers a terminal', () => {
    const given = facts({ leases: [aReadLease(0, 'java\u001b[2J')] })
    const text = migrationPage(planMigration('millrace', given), colors).join('\n')
    expect(text).to.include('lease table app: 1 lease, 1 of KCL')
    expect(text).to.include('java\\u001b[2J')
    expect(text).to.not.include('\u001b')
    expect(text).to.include('✓ 1. millrace: give leases that KCL began at LATEST')
    const rows = migrationPage(
      planMigration('kcl', facts({ leases: [aReadLease(3, undefined, { checkpointOwner: 'j' })] })),
      colors
    )
    expect(rows).to.include('rows to write for a hand-off that is over: 1 shard: 3')
  })
})

describe('leftoverLines', () => {
  it('says what may be deleted, or nothing', () => {
    expect(leftoverLines({ items: [], tables: [], control: false }, 'millrace')).to.deep.equal([])
    const items = [1, 2].map(key => ({ table: 'app', key: String(key) }))
    const all = { items, tables: ['app-CoordinatorState'], index: 'I', control: false }
    expect(leftoverLines(all, 'millrace')).to.deep.equal([
      'not used by Millrace, and deleted with --delete-leftovers: 2 records of KCL in app, the index I, the table app-CoordinatorState'
    ])
  })
})

describe('stepInWords', () => {
  it('says whose turn it is', () => {
    const step = { name: 'stop-kcl', state: 'open', what: 'stop KCL', waitsFor: '2 leases' } as const
    expect(stepInWords({ ...step, by: 'operator' })).to.equal('now you: stop KCL; waiting for 2 leases')
    expect(stepInWords({ ...step, by: 'command' })).to.equal('to do: stop KCL; waiting for 2 leases')
    expect(stepInWords(undefined)).to.include('everything is done')
  })
})
