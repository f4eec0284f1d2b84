import { expect } from 'chai'
import {
  type MailboxContent,
  type MailboxFacts,
  type MailboxPlan,
  planMailboxes
} from '../../src/fleet/plan-mailboxes.ts'
import type { Mailbox } from '../../src/leases/control-store.ts'
import { SHARD_END } from '../../src/model/sequence-number.ts'
import { shardId } from '../support/builders.ts'
import { aMember, SETTINGS, session, someLeases } from './fleet-model.ts'

const [A, B, X] = [session('a'), session('b'), session('x')]
const [S0, S1, S2] = [shardId(0), shardId(1), shardId(2)]
const NOW_MS = 1_000_000

function plan(with_: Partial<MailboxFacts>): MailboxPlan {
  const usual: MailboxFacts = {
    nowMs: NOW_MS,
    mode: 'solo',
    members: [aMember('b'), aMember('a')],
    gone: [],
    foreign: new Map(),
    leases: someLeases(3),
    assignments: new Map(),
    inForce: new Map()
  }
  return planMailboxes({ ...usual, ...with_ }, SETTINGS)
}

function content(id: string, with_: Partial<MailboxContent> = {}): MailboxContent {
  return { session: id, mode: 'solo', leases: [], wait: [], dead: [], steal: [], evt: 0, ...with_ }
}

function inForce(...contents: MailboxContent[]): ReadonlyMap<string, Mailbox> {
  return new Map(contents.map(one => [one.session, { ...one, ver: 7, term: 3 }]))
}

describe('planMailboxes', () => {
  it('says what each living session is to hold, ascending', () => {
    const assignments = new Map([
      [S2, { to: A, sinceMs: 1 }],
      [S0, { to: A, sinceMs: 1 }],
      [S1, { to: B, sinceMs: 1 }]
    ])
    const members = [aMember('b', { evt: 4 }), aMember('a'), aMember('c', { state: 'DRAINING' })]
    const leases = someLeases(3).reverse()
    expect(plan({ assignments, members, leases }).contents).to.deep.equal([
      content(A, { leases: [S0, S2] }),
      content(B, { leases: [S1], evt: 4 }),
      content(session('c'))
    ])
  })

  it('lists, while a leader of KCL assigns, what the rows name each session for, whatever is planned', () => {
    const [first, second, third] = someLeases(3, index => (index < 2 ? A : 'java-1'))
    const named = [
      ...(first ? [first] : []),
      ...(second ? [{ ...second, checkpointOwner: 'java-1' }] : []),
      ...(third ? [{ ...third, checkpointOwner: A }] : [])
    ]
    const assignments = new Map([[S0, { to: B, sinceMs: 1 }]])
    const members = [aMember('a', { evt: 3 }), aMember('b')]
    const kcl = { mode: 'mixed', assigner: 'kcl' } as const
    const ofA = content(A, { ...kcl, leases: [S0, S1], wait: [S1], evt: 3 })
    expect(plan({ named, assignments, members, mode: 'mixed' }).contents).to.deep.equal([ofA, content(B, kcl)])
    const before = inForce(ofA, content(B, { mode: 'mixed' }))
    expect(plan({ named, members, inForce: before }).changed, 'B did not know').to.deep.equal([content(B, kcl)])
  })

  it('has a lease that moves with both at first, and tells when it leaves its owner', () => {
    const leases = someLeases(1, () => A)
    const at = (sinceMs: number): MailboxPlan =>
      plan({ leases, assignments: new Map([[S0, { to: B, sinceMs, from: A }]]) })
    const { contents, againInMs } = at(NOW_MS - 1_000)
    expect(contents).to.deep.equal([content(A, { leases: [S0] }), content(B, { leases: [S0], wait: [S0] })])
    expect(againInMs).to.equal(SETTINGS.revokeDelayMs - 1_000)
    const later = at(NOW_MS - SETTINGS.revokeDelayMs)
    expect(later.contents).to.deep.equal([content(A), content(B, { leases: [S0], wait: [S0] })])
    expect(later).not.to.have.property('againInMs')
    expect(at(Number.NEGATIVE_INFINITY).contents[0]).to.deep.equal(content(A))
  })

  it('has a lease that was let go of with its successor only, who waits for nobody', () => {
    const assignments = new Map([[S0, { to: B, sinceMs: NOW_MS, from: A }]])
    expect(plan({ leases: someLeases(1), assignments }).contents).to.deep.equal([
      content(A),
      content(B, { leases: [S0] })
    ])
  })

  it('names those of the dead whose leases a session is to claim, and has it wait for all others', () => {
    const gone = [X, session('y')].map(id => ({ session: id, workerId: 'x', wasRestarting: false, forMs: 0 }))
    const leases = someLeases(3, i => [X, session('unknown'), A][i])
    const assignments = new Map([S0, S1, S2].map(key => [key, { to: B, sinceMs: 1 }]))
    expect(plan({ gone, leases, assignments }).contents).to.deep.equal([
      content(A),
      content(B, { leases: [S0, S1, S2], wait: [S1, S2], dead: [X] })
    ])
  })

  it('has leases of foreign workers stolen, or claimed if those are silent, in mixed mode', () => {
    const foreign = new Map([
      ['java', { silent: false }],
      ['silent', { silent: true }]
    ])
    const leases = someLeases(3, i => ['java', 'silent', 'java'][i])
    const assignments = new Map([
      [S0, { to: A, sinceMs: NOW_MS, from: 'java' }],
      [S1, { to: A, sinceMs: NOW_MS }],
      [S2, { to: A, sinceMs: NOW_MS }]
    ])
    expect(plan({ mode: 'mixed', foreign, leases, assignments }).contents[0]).to.deep.equal(
      content(A, { mode: 'mixed', leases: [S0, S1, S2], wait: [S2], dead: ['silent'], steal: [S0] })
    )
  })

  it('leaves out what is finished, is not there any more, or belongs to a session that is not alive', () => {
    const leases = someLeases(2).map((lease, i) => (i === 0 ? { ...lease, checkpoint: SHARD_END } : lease))
    const assignments = new Map([
      [S0, { to: A, sinceMs: 1 }],
      [S1, { to: X, sinceMs: 1 }],
      [S2, { to: A, sinceMs: 1 }]
    ])
    expect(plan({ leases, assignments }).contents).to.deep.equal([content(A), content(B)])
  })

  it('changes nothing for a session without a mailbox that is to do nothing', () => {
    expect(plan({}).changed).to.deep.equal([])
    expect(plan({ mode: 'mixed' }).changed).to.have.length(2)
    expect(plan({ members: [aMember('a', { evt: 1 })] }).changed).to.deep.equal([content(A, { evt: 1 })])
  })

  it('changes what differs from the mailbox in force, whatever its version and term', () => {
    const leases = someLeases(2, i => [A, X][i])
    const gone = [{ session: X, workerId: 'x', wasRestarting: false, forMs: 0 }]
    const assignments = new Map([
      [S0, { to: B, sinceMs: 1 }],
      [S1, { to: B, sinceMs: 1 }]
    ])
    const right = content(B, { leases: [S0, S1], wait: [S0], dead: [X] })
    const changed = (mailbox: MailboxContent): MailboxContent[] => [
      ...plan({ leases, gone, assignments, inForce: inForce(mailbox) }).changed
    ]
    expect(changed(right)).to.deep.equal([])
    const wrongs: Partial<MailboxContent>[] = [
      { leases: [S0] },
      { leases: [S0, S2] },
      { wait: [] },
      { dead: [] },
      { steal: [S0] },
      { evt: 1 },
      { mode: 'mixed' },
      { dead: [X, 'java'] }
    ]
    for (const wrong of wrongs) expect(changed({ ...right, ...wrong }), JSON.stringify(wrong)).to.deep.equal([right])
  })

  it('writes nothing only because a lease has arrived', () => {
    const assignments = new Map([[S0, { to: B, sinceMs: 1 }]])
    const before = content(B, { leases: [S0], wait: [S0], dead: [X] })
    expect(plan({ leases: someLeases(1, () => B), assignments, inForce: inForce(before) }).changed).to.deep.equal([])
  })
})
