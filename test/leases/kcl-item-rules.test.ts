import { expect } from 'chai'
import { kclItemOf, leaseTraces } from '../../src/leases/kcl-item-rules.ts'

describe('kclItemOf', () => {
  const LOCK = { ownerName: 'java-1', leaseDuration: '120000', recordVersionNumber: 'r-1' }

  it('tells the records that 3.0 to 3.4 keep in tables of their own', () => {
    expect(kclItemOf({ key: 'Leader', ...LOCK }, 'a-CoordinatorState', 'coordinator')).to.deep.equal({
      ...{ table: 'a-CoordinatorState', key: 'Leader', kind: 'leader', worker: 'java-1', pulse: 'r-1' }
    })
    const version = { key: 'Migration3.0', cv: 'CLIENT_VERSION_3X', mts: 1 }
    expect(kclItemOf(version, 't', 'coordinator')).to.include({ kind: 'client-version', state: 'CLIENT_VERSION_3X' })
    expect(kclItemOf({ wid: 'java-1', lut: 1_700_000_000 }, 't', 'metrics')).to.include({
      ...{ kind: 'worker-metrics', worker: 'java-1', pulse: '1700000000' }
    })
  })

  it('tells those that 3.5 keeps among the leases', () => {
    expect(kclItemOf({ leaseKey: 'Leader', entityType: 'LEADER', ...LOCK }, 't', 'leases')).to.include({
      kind: 'leader'
    })
    const metrics = { leaseKey: 'java-1', entityType: 'WORKER_METRIC_STATS', lut: 5 }
    expect(kclItemOf(metrics, 't', 'leases')).to.include({ kind: 'worker-metrics', pulse: '5' })
    const migration = { leaseKey: 'TableMigration3.5', tm: 'TABLE_MIGRATION_STATUS_COMPLETE' }
    expect(kclItemOf(migration, 't', 'leases')).to.include({
      kind: 'table-migration',
      state: 'TABLE_MIGRATION_STATUS_COMPLETE'
    })
    expect(kclItemOf({ leaseKey: '1:s:2', entityType: 'STREAM' }, 't', 'leases')).to.include({ kind: 'stream' })
  })

  it('takes no lease for a record, whatever it is called', () => {
    expect(kclItemOf({ leaseKey: 'shardId-1', checkpoint: 'LATEST', leaseCounter: 1 }, 't', 'leases')).to.equal(
      undefined
    )
    expect(kclItemOf({ leaseKey: 'Leader', checkpoint: 'LATEST' }, 't', 'leases')).to.equal(undefined)
    expect(kclItemOf({ leaseKey: 'x', entityType: 'constructor' }, 't', 'leases')).to.equal(undefined)
    expect(kclItemOf({ other: 'x' }, 't', 'leases')).to.equal(undefined)
  })

  it('feels no pulse of a lock that was released', () => {
    expect(kclItemOf({ key: 'Leader', ...LOCK, isReleased: '1' }, 't', 'coordinator')).to.not.have.property('pulse')
  })
})

describe('leaseTraces', () => {
  it('finds what a reader of KCL 2.x stumbles over', () => {
    const lease = { leaseCounter: 1, ownerSwitchesSinceCheckpoint: 0, checkpoint: 'LATEST' }
    const traces = leaseTraces([
      { leaseKey: 'b', ...lease, throughputKBps: 1.5 },
      { leaseKey: 'a', leaseCounter: 1, checkpoint: 'LATEST' },
      { leaseKey: '1:orders:2:shardId-0', ...lease, streamName: '1:orders:2', shardId: 'shardId-0' },
      { leaseKey: 'note', text: 'hello' }
    ])
    expect(traces).to.deep.equal({
      ...{ multiStream: ['1:orders:2:shardId-0'], incomplete: ['a'], strange: ['note'] }
    })
  })
})
