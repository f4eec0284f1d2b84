import { expect } from 'chai'
import { type Draft, draftPlan, type FleetFacts, type PlanSettings } from '../../src/fleet/plan-draft.ts'
import { shardId } from '../support/builders.ts'
import { aMember, PLAN_SETTINGS, session, someFacts, someLeases } from './fleet-model.ts'

const [A, B, D] = [session('a'), session('b'), session('d')]

function draft(with_: Partial<FleetFacts>, settings: Partial<PlanSettings> = {}): Draft {
  const facts = someFacts({ members: [aMember('b'), aMember('a'), aMember('d', { state: 'DRAINING' })], ...with_ })
  return draftPlan(facts, facts.leases, { ...PLAN_SETTINGS, ...settings })
}

describe('draftPlan', () => {
  it('has a seat for each active session, ascending, and one for each foreign worker in mixed mode', () => {
    const leases = someLeases(2, i => ['java', A][i])
    const solo = draft({ leases })
    expect(solo.seats.map(seat => seat.session)).to.deep.equal([A, B])
    expect(solo.foreign).to.deep.equal(['java'])
    expect(solo.holdings.map(({ leaseKey }) => leaseKey)).to.deep.equal([shardId(1)])
    const mixed = draft({ leases }, { mode: 'mixed' })
    expect(mixed.seats.map(seat => [seat.session, seat.count])).to.deep.equal([
      [A, 1],
      [B, 0],
      ['java', 1]
    ])
  })

  it('seats what stays, opens what nobody has, and keeps what is not decided', () => {
    const unknown = session('unknown')
    const { holdings, open, kept } = draft({ leases: someLeases(4, i => [A, undefined, D, unknown][i]) })
    expect(holdings.map(({ seat }) => seat?.session)).to.deep.equal([A, undefined, undefined])
    expect(open.map(({ holding, why }) => [holding.leaseKey, holding.owner, why])).to.deep.equal([
      [shardId(1), undefined, 'orphan'],
      [shardId(2), D, 'drained']
    ])
    expect([...kept]).to.deep.equal([[shardId(3), { to: unknown, sinceMs: Number.NEGATIVE_INFINITY }]])
  })

  it('counts as leaving what a session owns and is not to hold, be it readable or not', () => {
    const leases = someLeases(3, () => A)
    const assignments = new Map([[shardId(0), { to: B, sinceMs: 1, from: A }]])
    const facts = someFacts({ members: [aMember('a'), aMember('b')], leases, assignments })
    const { seats } = draftPlan(facts, leases.slice(0, 2), PLAN_SETTINGS)
    expect(seats.map(({ count, leaving }) => [count, leaving])).to.deep.equal([
      [1, 2],
      [1, 0]
    ])
  })

  it('names no owner of a lease that can be claimed', () => {
    const gone = [{ session: session('x'), workerId: 'x', wasRestarting: false, forMs: 0 }]
    const [holding] = draft({ leases: someLeases(1, () => session('x')), gone }).holdings
    expect(holding?.owner).to.equal(undefined)
  })

  it('opens what is above a limit: first what is not owned yet, then what was taken without a plan, then the latest', () => {
    const members = [aMember('a', { maxLeases: 1 })]
    const leases = someLeases(4, i => (i === 0 ? undefined : A))
    const assignments = new Map([0, 1, 3].map(i => [shardId(i), { to: A, sinceMs: i }]))
    const { open, holdings } = draft({ members, leases, assignments })
    expect(open.map(({ holding, why }) => [holding.leaseKey, why])).to.deep.equal([
      [shardId(0), 'limit'],
      [shardId(2), 'limit'],
      [shardId(3), 'limit']
    ])
    expect(holdings.map(({ seat }) => seat?.session)).to.deep.equal([undefined, A, undefined, undefined])
  })

  it('leaves with its owner what was on its way to somebody above its limit', () => {
    const members = [aMember('a', { maxLeases: 1 }), aMember('b')]
    const leases = someLeases(2, i => [A, B][i])
    const assignments = new Map([[shardId(1), { to: A, sinceMs: 1, from: B }]])
    const { open, seats, holdings } = draft({ members, leases, assignments })
    expect(open).to.deep.equal([])
    expect(seats.map(({ count, leaving }) => [count, leaving])).to.deep.equal([
      [1, 0],
      [1, 0]
    ])
    expect(holdings[1]).to.include({ from: undefined })
  })

  it('measures by count, unless by weight was asked for and something is known', () => {
    const leases = someLeases(3)
    const loads = { [shardId(0)]: 30, [shardId(1)]: 0 }
    const byWeight = { strategy: 'weight' } as const
    expect(draft({ leases, loads }).measure).to.equal('count')
    expect(draft({ leases }, byWeight).measure).to.equal('count')
    expect(draft({ leases, loads: { elsewhere: 3 } }, byWeight).measure).to.equal('count')
    expect(draft({ leases, loads: { [shardId(0)]: 0 } }, byWeight).measure).to.equal('nothing')
    const { measure, holdings } = draft({ leases, loads }, byWeight)
    expect(measure).to.equal('weight')
    expect(holdings.map(({ load }) => load)).to.deep.equal([30, 0, undefined])
    const [heavy = 0, idle = 0, unknown = 0] = holdings.map(({ cost }) => cost)
    expect(heavy + idle).to.be.closeTo(2, 1e-9)
    expect(idle).to.be.closeTo(0.1 / 1.1, 1e-9)
    expect(unknown).to.be.closeTo(1, 1e-9)
  })
})
