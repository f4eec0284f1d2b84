import { expect } from 'chai'
import { planKclLed } from '../../src/fleet/plan-kcl-led.ts'
import { finished } from '../../src/model/lease.ts'
import { shardId } from '../support/builders.ts'
import { aMember, session, someLeases } from './fleet-model.ts'

describe('planKclLed', () => {
  it('leaves everything where it is, and gives nothing to anybody', () => {
    const owners = [session('a'), 'java-1', undefined, session('dead'), session('b'), undefined]
    const leases = someLeases(6, index => owners[index]).map((lease, index) =>
      index === 5 ? finished(lease, []) : lease
    )
    const members = [aMember('b', { state: 'DRAINING' }), aMember('a')]
    expect(planKclLed({ members, leases: leases.reverse() })).to.deep.equal({
      assignments: new Map([[shardId(0), { to: session('a'), sinceMs: Number.NEGATIVE_INFINITY }]]),
      moves: [],
      unassigned: [shardId(2)],
      waiting: [],
      moving: 0,
      foreign: ['java-1'],
      members: 1,
      targets: new Map(),
      why: 'kcl-assigns'
    })
  })
})
