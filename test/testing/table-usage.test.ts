import { expect } from 'chai'
import { categoryOf, coordinationUsd, TableUsage } from '../../src/testing/table-usage.ts'

describe('categoryOf', () => {
  it('keeps checkpoints apart from coordination, and reads from both', () => {
    expect((['checkpoint', 'pending'] as const).map(categoryOf)).to.deep.equal(['checkpoints', 'checkpoints'])
    expect((['scan', 'read-lease', 'read-loads'] as const).map(categoryOf)).to.deep.equal(['reads', 'reads', 'reads'])
    for (const kind of ['claim', 'release', 'shard-end', 'heartbeat', 'mailbox', 'certificate', 'loads'] as const) {
      expect(categoryOf(kind)).to.equal('coordination')
    }
  })
})

describe('TableUsage', () => {
  it('adds up requests and units, by kind and by category', () => {
    const usage = new TableUsage()
    usage.count('claim', 1)
    usage.count('claim', 2)
    usage.count('checkpoint', 1)
    usage.count('scan', 10.5)
    const { byKind, byCategory } = usage.report()
    expect(byKind.claim).to.deep.equal({ requests: 2, units: 3 })
    expect(byCategory).to.deep.equal({
      coordination: { requests: 2, units: 3 },
      checkpoints: { requests: 1, units: 1 },
      reads: { requests: 1, units: 10.5 }
    })
  })

  it('reports what came since an earlier report', () => {
    const usage = new TableUsage()
    usage.count('heartbeat', 1)
    usage.count('scan', 4)
    const before = usage.report()
    usage.count('heartbeat', 1)
    expect(usage.report(before).byKind).to.deep.equal({ heartbeat: { requests: 1, units: 1 } })
    expect(before.byKind.heartbeat).to.deep.equal({ requests: 1, units: 1 })
  })
})

describe('coordinationUsd', () => {
  it('is what all but the checkpoints costs', () => {
    const usage = new TableUsage()
    usage.count('heartbeat', 1_000_000)
    usage.count('scan', 2_000_000)
    usage.count('checkpoint', 5_000_000)
    expect(coordinationUsd(usage.report())).to.equal(0.875)
    expect(coordinationUsd(usage.report(), { writes: 1, reads: 0 })).to.equal(1)
  })
})
