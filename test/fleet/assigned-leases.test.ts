import { expect } from 'chai'
import { AssignedLeases } from '../../src/fleet/assigned-leases.ts'
import { memoryKclCoordination } from '../../src/leases/memory-kcl-coordination.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'

const ME = 'w/00000001'

function rig() {
  const state = { session: ME as string | undefined, rows: undefined as string[] | undefined, held: ['held'] }
  const told: string[] = []
  const assigned = new AssignedLeases({
    kcl: { ...memoryKclCoordination(memoryLeaseStore()), assigned: async () => state.rows },
    session: () => state.session,
    isHeld: leaseKey => state.held.includes(leaseKey),
    keepFinished: async leaseKey => {
      told.push(`keep ${leaseKey}`)
    },
    found: () => told.push('found')
  })
  return { state, told, assigned }
}

describe('AssignedLeases', () => {
  it('tells once of what is new and not held, and has what is not held looked after', async () => {
    const { state, told, assigned } = rig()
    state.rows = ['held', 'new']
    await assigned.look()
    expect([assigned.of(ME), told.splice(0)]).to.deep.equal([
      ['held', 'new'],
      ['found', 'keep new']
    ])
    await assigned.look()
    expect(told).to.deep.equal(['keep new'])
  })

  it('knows of nothing without an index, without a session, and for another session', async () => {
    const { state, told, assigned } = rig()
    await assigned.look()
    expect(assigned.of(ME)).to.deep.equal([])
    state.rows = ['new']
    await assigned.look()
    expect([assigned.of('w/00000002'), assigned.of(undefined)]).to.deep.equal([[], []])
    state.session = undefined
    told.length = 0
    await assigned.look()
    expect([assigned.of(ME), told]).to.deep.equal([[], []])
  })
})
