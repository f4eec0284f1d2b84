import { expect } from 'chai'
import { memoryKclCoordination } from '../../src/leases/memory-kcl-coordination.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { claimed } from '../../src/model/lease.ts'
import { aLease } from '../support/builders.ts'

const SESSION = 'w/00000001'

describe('memoryKclCoordination', () => {
  it('says nothing to begin with, as a fleet of KCL 2.x', async () => {
    const kcl = memoryKclCoordination(memoryLeaseStore())
    expect(await kcl.read(100)).to.deep.equal({ hasLegacyTables: false })
  })

  it('says what is put into it, with the newest sign of life of who has the lock', async () => {
    const kcl = memoryKclCoordination(memoryLeaseStore())
    const lock = { owner: 'java-1', version: '1' }
    Object.assign(kcl.items, { version: '3X', lock, tableMigration: 'DEPLOYED' })
    await kcl.publish('java-1', 'legacy-tables', 90.7)
    await kcl.publish(SESSION, 'lease-table', 100)
    const sighting = { hasLegacyTables: false, version: '3X', tableMigration: 'DEPLOYED' }
    expect(await kcl.read(100)).to.deep.equal({
      ...sighting,
      lock: { ...lock, ownerSeenAtS: 90 },
      isLeaseTableInUse: false
    })
    await kcl.publish('java-1', 'lease-table', 95)
    expect(await kcl.read(100)).to.include({ isLeaseTableInUse: true })
    await kcl.withdraw('java-1', 'lease-table')
    expect(await kcl.read(100)).to.include({ isLeaseTableInUse: false })
  })

  it('knows what a session owns if there is an index', async () => {
    const store = memoryLeaseStore()
    const kcl = memoryKclCoordination(store)
    await store.create(claimed(aLease(), SESSION))
    expect(await kcl.assigned(SESSION)).to.equal(undefined)
    kcl.items.hasIndex = true
    expect(await kcl.assigned(SESSION)).to.deep.equal([aLease().leaseKey])
    expect(await kcl.assigned('w/00000002')).to.deep.equal([])
  })
})
