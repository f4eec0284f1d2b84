import { expect } from 'chai'
import type { LeaseStore } from '../../src/leases/lease-store.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { sharingListings } from '../../src/shards/shared-listing.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aLease } from '../support/builders.ts'

function aTable() {
  const clock = new VirtualClock()
  const table = memoryLeaseStore()
  const listed: boolean[] = []
  const skipped = [{ key: 'odd', because: 'malformed', problem: 'no counter' }] as const
  const list: LeaseStore['list'] = async ({ consistent = false } = {}) => {
    listed.push(consistent)
    return { leases: (await table.list()).leases, skipped }
  }
  return { clock, table, listed, shared: sharingListings({ ...table, list }, clock) }
}

describe('sharingListings', () => {
  it('lists once for all who ask at about the same time, and again for who asks later', async () => {
    const { clock, listed, shared } = aTable()
    const asked = [shared.list(), shared.list()]
    await clock.advance(100)
    asked.push(shared.list())
    await clock.advance(500)
    await Promise.all(asked)
    expect(listed).to.deep.equal([false])
    const later = shared.list()
    await clock.advance(500)
    await later
    expect(listed).to.deep.equal([false, false])
  })

  it('begins after it was asked for: what was written before that is in it', async () => {
    const { clock, table, shared } = aTable()
    const first = shared.list()
    await clock.advance(150)
    await table.create(aLease())
    const second = shared.list()
    await clock.advance(500)
    expect((await first).leases).to.have.lengthOf(1)
    expect((await second).leases).to.have.lengthOf(1)
  })

  it('takes those that are strongly consistent for others', async () => {
    const { clock, listed, shared } = aTable()
    const asked = [shared.list({ consistent: true }), shared.list(), shared.list({ consistent: true })]
    await clock.advance(500)
    await Promise.all(asked)
    expect([...listed].sort()).to.deep.equal([false, true])
  })

  it('tells one of them of rows that cannot be read, once', async () => {
    const { clock, shared } = aTable()
    const asked = [shared.list(), shared.list()]
    await clock.advance(500)
    const told = (await Promise.all(asked)).map(({ skipped }) => skipped.length)
    expect(told).to.deep.equal([1, 0])
  })

  it('lets one go whose signal aborts, and not the others', async () => {
    const { clock, shared } = aTable()
    const impatient = new AbortController()
    const asked = Promise.allSettled([shared.list({ signal: impatient.signal }), shared.list()])
    impatient.abort(new Error('no more'))
    await clock.advance(500)
    expect((await asked).map(({ status }) => status)).to.deep.equal(['rejected', 'fulfilled'])
  })
})
