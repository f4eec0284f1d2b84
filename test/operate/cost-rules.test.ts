import { expect } from 'chai'
import { dynamoCost } from '../../src/metrics/cost-rules.ts'
import { costOf, DYNAMODB_PRICES } from '../../src/operate/cost-rules.ts'
import { aMember, session, someLeases } from '../fleet/fleet-model.ts'

const MONTH_S = 30 * 86_400

describe('costOf', () => {
  const members = ['a', 'b', 'c'].map(id => aMember(id, { durationMs: 10_000 }))
  const before = someLeases(2, () => session('a'))
  const leases = before.map(lease => ({ ...lease, counter: lease.counter + 5 }))
  const facts = {
    membersBefore: members,
    members,
    mailboxes: [],
    before,
    leases,
    watchedMs: 10_000,
    durationMs: 10_000,
    prices: DYNAMODB_PRICES
  }
  const partOf = (what: string, with_ = {}) => costOf({ ...facts, ...with_ }).parts.find(part => part.what === what)

  it('adds up what each part costs', () => {
    const { usdPerMonth, parts, workers, leases: count } = costOf(facts)
    expect([workers, count]).to.deep.equal([3, 2])
    expect(usdPerMonth).to.be.closeTo(
      parts.reduce((sum, part) => sum + part.usdPerMonth, 0),
      1e-9
    )
  })

  it('takes a heartbeat each 3 s of a session that lives for 10', () => {
    expect(partOf('heartbeats')).to.deep.include({ how: 'estimated', units: (3 * MONTH_S) / 3 })
    const slow = members.map(member => ({ ...member, durationMs: 100_000 }))
    expect(partOf('heartbeats', { members: slow })?.units).to.equal((3 * MONTH_S) / 30)
    const dead = members.map(member => ({ ...member, dead: 'silent' as const }))
    expect(partOf('heartbeats', { members: dead })?.units).to.equal(0)
  })

  it('counts writes to leases by their counters', () => {
    expect(costOf(facts).leaseWritesPerSecond).to.equal(1)
    expect(partOf('checkpoints')).to.deep.include({ how: 'measured', units: MONTH_S, usdPerMonth: MONTH_S * 0.625e-6 })
    expect(partOf('checkpoints', { before: [] })?.units, 'rows that were not there before').to.equal(0)
  })

  it('counts the mailboxes that were written, told and read meanwhile, and keeps them', () => {
    const mailbox = {
      ...{ session: session('a'), ver: 9, term: 1, mode: 'solo' as const, evt: 0 },
      leases: ['x'.repeat(2_000)]
    }
    const mailboxes = [{ ...mailbox, wait: [], dead: [], steal: [] }]
    const later = members.map(member =>
      member.session === session('a') ? { ...member, asgVer: member.asgVer + 2 } : member
    )
    expect(partOf('mailboxes written', { mailboxes })?.units, 'none').to.equal(0)
    const written = partOf('mailboxes written', { mailboxes, members: later })
    // Two versions of three units, each told with one more, in ten seconds.
    expect(written).to.deep.include({ how: 'measured', units: (2 * 4 * MONTH_S) / 10 })
    expect(partOf('mailboxes read', { mailboxes, members: later })?.units).to.equal((2 * MONTH_S) / 10)
    const without = partOf('storage')?.units ?? 0
    expect(partOf('storage', { mailboxes })?.units).to.be.within(without + 2_100, without + 2_300)
  })

  it('asks the prices of what a worker estimates of itself', () => {
    const { perMillionReads, perMillionWrites } = DYNAMODB_PRICES
    expect(dynamoCost({ reads: 1e6, writes: 0 })).to.equal(perMillionReads)
    expect(dynamoCost({ reads: 0, writes: 1e6 })).to.equal(perMillionWrites)
  })

  it('takes four looks of the leader at the members, and one of the others, for each of theirs', () => {
    const looks = MONTH_S / 3
    expect(partOf('looks of the leader')?.units).to.equal(looks * 2.5)
    expect(partOf('looks of the others')?.units).to.equal((2 * looks) / 2)
    expect(partOf('scans')?.units).to.equal(MONTH_S / 300)
  })

  it('asks the prices that it is given', () => {
    const dear = { ...DYNAMODB_PRICES, perMillionWrites: 6.25 }
    expect(partOf('checkpoints', { prices: dear })?.usdPerMonth).to.be.closeTo(MONTH_S * 6.25e-6, 1e-9)
  })
})
