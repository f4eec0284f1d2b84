import { expect } from 'chai'
import { memoryControlStore } from '../../src/leases/memory-control-store.ts'
import { aMailbox, aReport } from '../contracts/control-store-world.ts'

describe('memoryControlStore', () => {
  it('is called memory-control unless it is given a name', () => {
    expect(memoryControlStore().tableName).to.equal('memory-control')
    expect(memoryControlStore({ tableName: 'orders' }).tableName).to.equal('orders')
  })

  it('returns what is frozen and stays as it is when the items change', async () => {
    const store = memoryControlStore()
    await store.join(aReport('a/1', { avoid: ['x'] }))
    await store.post(aMailbox('a/1', { leases: ['x'] }))
    await store.replaceLeader(undefined, { who: 'a/1', term: 1 })
    await store.reportLoads('a/1', { x: 1 })
    const read = async () => ({
      member: await store.member('a/1'),
      mailbox: await store.mailbox('a/1'),
      leader: await store.leader(),
      loads: await store.loads()
    })
    const [before, copy] = [await read(), structuredClone(await read())]
    await store.beat(aReport('a/1', { avoid: ['y'] }), 2)
    await store.post(aMailbox('a/1', { ver: 2, leases: ['y'] }))
    await store.replaceLeader({ who: 'a/1', term: 1 }, { who: 'b/1', term: 2 })
    await store.reportLoads('a/1', { x: 2 })
    expect(before).to.deep.equal(copy)
    for (const value of [...Object.values(before), before.member?.avoid, before.mailbox?.leases]) {
      expect(value).to.be.frozen
    }
  })
})
