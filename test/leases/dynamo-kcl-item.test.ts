import { expect } from 'chai'
import {
  legacyTableNames,
  metricsItem,
  parseLock,
  parseTableMigration,
  parseVersion,
  publishedAtS
} from '../../src/leases/dynamo-kcl-item.ts'

describe('the items of a fleet of KCL', () => {
  for (const version of ['INIT', 'UPGRADE_FROM_2X', '2X', '3X_WITH_ROLLBACK', '3X']) {
    it(`say the version ${version}`, () => {
      expect(parseVersion({ cv: `CLIENT_VERSION_${version}` })).to.equal(version)
    })
  }

  for (const status of ['UNKNOWN', 'INIT', 'DEPLOYED', 'PENDING', 'COMPLETE']) {
    it(`say that the migration of tables is ${status}`, () => {
      expect(parseTableMigration({ tm: `TABLE_MIGRATION_STATUS_${status}` })).to.equal(status)
    })
  }

  it('say nothing where they are missing or broken, and the newest where they say what is not known yet', () => {
    for (const item of [undefined, {}, { cv: 7 }, { cv: '' }]) expect(parseVersion(item)).to.equal(undefined)
    expect(parseVersion({ cv: 'CLIENT_VERSION_4X' })).to.equal('3X')
    for (const item of [undefined, {}, { tm: 1 }]) expect(parseTableMigration(item)).to.equal(undefined)
    expect(parseTableMigration({ tm: 'TABLE_MIGRATION_STATUS_BAKED' })).to.equal('UNKNOWN')
    expect(publishedAtS({ lut: 'soon' })).to.equal(undefined)
    expect(publishedAtS({ lut: 12 })).to.equal(12)
  })

  it('say who leads, unless the lock was released', () => {
    const item = { ownerName: 'java-1', leaseDuration: '120000', recordVersionNumber: 'abc', entityType: 'LEADER' }
    expect(parseLock(item)).to.deep.equal({ owner: 'java-1', version: 'abc' })
    expect(parseLock({ ...item, isReleased: '1' })).to.equal(undefined)
    expect(parseLock({ ...item, recordVersionNumber: undefined })).to.equal(undefined)
    expect(parseLock(undefined)).to.equal(undefined)
  })

  it('say of a session what Java workers ask of one that can be given leases', () => {
    const rest = { entityType: 'WORKER_METRIC_STATS', lut: 12, sts: {}, opr: {}, properties: {}, sup: 1, slu: 12 }
    expect(metricsItem('w/00000001', 'lease-table', 12.9)).to.deep.equal({ leaseKey: 'w/00000001', ...rest })
    expect(metricsItem('w/00000001', 'legacy-tables', 12.9)).to.deep.equal({ wid: 'w/00000001', ...rest })
    const full = { sts: { C: [-1] }, opr: { C: [100] } }
    expect(metricsItem('w/00000001', 'lease-table', 12.9, true)).to.deep.equal({
      ...{ leaseKey: 'w/00000001', ...rest, ...full }
    })
  })

  it('are in tables that are called by the application', () => {
    const names = { coordinator: 'orders-CoordinatorState', metrics: 'orders-WorkerMetricStats' }
    expect(legacyTableNames('orders')).to.deep.equal(names)
  })
})
