import { expect } from 'chai'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { newLease, renewed } from '../../src/model/lease.ts'
import { TRIM_HORIZON } from '../../src/model/sequence-number.ts'

const lease = newLease({ shardId: 'shardId-000000000000', checkpoint: TRIM_HORIZON })

describe('memoryLeaseStore', () => {
  it('is called memory unless it is given a name', () => {
    expect(memoryLeaseStore().tableName).to.equal('memory')
    expect(memoryLeaseStore({ tableName: 'orders' }).tableName).to.equal('orders')
  })

  it('shares nothing with another store', async () => {
    const store = memoryLeaseStore()
    await store.create(lease)
    expect(await memoryLeaseStore().list()).to.deep.equal({ leases: [], skipped: [] })
  })

  it('brings control items of its own', async () => {
    const store = memoryLeaseStore()
    await store.control.replaceLeader(undefined, { who: 'worker-1/1', term: 1 })
    expect(await store.control.leader()).to.deep.equal({ who: 'worker-1/1', term: 1 })
    expect(await memoryLeaseStore().control.leader()).to.equal(undefined)
  })

  it('returns leases that are frozen and stay as they are when the row changes', async () => {
    const store = memoryLeaseStore()
    await store.create(lease)
    const [listed] = (await store.list()).leases
    await store.replace(lease, renewed(lease))
    expect(listed).to.deep.equal(lease)
    expect(listed).to.be.frozen
    expect(listed?.checkpoint).to.be.frozen
    expect(listed?.parentShardIds).to.be.frozen
  })
})
