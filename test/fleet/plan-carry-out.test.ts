import { expect } from 'chai'
import { type CarryOutPlan, type HeldFacts, planCarryOut } from '../../src/fleet/plan-carry-out.ts'
import type { Mailbox } from '../../src/leases/control-store.ts'

function aMailbox(with_: Partial<Mailbox> = {}): Mailbox {
  const empty = { leases: [], wait: [], dead: [], steal: [] }
  return { session: 'me/1', ver: 1, term: 1, mode: 'solo', evt: 0, ...empty, ...with_ }
}

const held = (leaseKey: string, with_: Partial<HeldFacts> = {}): HeldFacts => ({
  leaseKey,
  isRevoked: false,
  ...with_
})

interface Row {
  readonly when: string
  readonly mailbox?: Partial<Mailbox>
  readonly held?: readonly HeldFacts[]
  readonly owned?: readonly string[]
  readonly avoid?: readonly string[]
  readonly assigned?: readonly string[]
  readonly plan: Partial<CarryOutPlan>
}

const TABLE: readonly Row[] = [
  { when: 'the mailbox is empty and nothing is held', mailbox: {}, plan: { isDone: true } },
  { when: 'there is no mailbox and nothing is held', plan: { isDone: true } },
  {
    when: 'there is no mailbox: what is held is kept',
    held: [held('a'), held('b', { adoptedAtEvt: 1 })],
    plan: { isDone: true }
  },
  {
    when: 'a leader of KCL assigns: what it is known to have assigned is claimed, and nothing is given back',
    mailbox: { assigner: 'kcl', leases: ['a', 'b'], wait: ['b'] },
    assigned: ['a', 'c'],
    held: [held('d'), held('e', { isRevoked: true })],
    plan: { claim: ['a', 'c'], wait: ['b'], isDone: false }
  },
  {
    when: 'our leader assigns: what a leader of KCL once assigned does not count',
    mailbox: {},
    assigned: ['a'],
    plan: { isDone: true }
  },
  { when: 'a lease is listed', mailbox: { leases: ['a', 'b'] }, plan: { claim: ['a', 'b'], isDone: false } },
  { when: 'a listed lease is held', mailbox: { leases: ['a'] }, held: [held('a')], plan: { isDone: true } },
  {
    when: 'somebody who lives still has a listed lease',
    mailbox: { leases: ['a', 'b'], wait: ['b'] },
    plan: { claim: ['a'], wait: ['b'], isDone: false }
  },
  {
    when: 'a listed lease turned out to be owned, which the mailbox does not know',
    mailbox: { leases: ['a', 'b'] },
    owned: ['a'],
    plan: { claim: ['b'], wait: ['a'], isDone: false }
  },
  {
    when: 'a lease that is waited for is held by now',
    mailbox: { leases: ['a'], wait: ['a'] },
    owned: ['a'],
    held: [held('a')],
    plan: { isDone: true }
  },
  {
    when: 'a listed lease is to be left alone, which holds up nothing',
    mailbox: { leases: ['a', 'b', 'c'], wait: ['b'] },
    avoid: ['a', 'b'],
    plan: { claim: ['c'], isDone: false }
  },
  {
    when: 'every listed lease is to be left alone',
    mailbox: { leases: ['a'] },
    avoid: ['a'],
    plan: { isDone: true }
  },
  {
    when: 'a lease that is held is to be left alone: it is held all the same',
    mailbox: { leases: ['a'] },
    held: [held('a')],
    avoid: ['a'],
    plan: { isDone: true }
  },
  {
    when: 'a held lease is not listed any more',
    mailbox: { leases: ['a'] },
    held: [held('a'), held('b')],
    plan: { revoke: ['b'], isDone: false }
  },
  {
    when: 'a held lease is being given back already',
    mailbox: {},
    held: [held('a', { isRevoked: true })],
    plan: { isDone: false }
  },
  {
    when: 'a lease is listed again while it is being given back',
    mailbox: { leases: ['a'] },
    held: [held('a', { isRevoked: true })],
    plan: { isDone: true }
  },
  {
    when: 'a lease was adopted after what the mailbox knows of',
    mailbox: { evt: 1 },
    held: [held('a', { adoptedAtEvt: 2 })],
    plan: { isDone: true }
  },
  {
    when: 'a lease was adopted, and whoever wrote the mailbox knew of it',
    mailbox: { evt: 2 },
    held: [held('a', { adoptedAtEvt: 2 })],
    plan: { revoke: ['a'], isDone: false }
  },
  {
    when: 'an adopted lease is listed',
    mailbox: { evt: 2, leases: ['a'] },
    held: [held('a', { adoptedAtEvt: 2 })],
    plan: { isDone: true }
  },
  {
    when: 'everything happens at once',
    mailbox: { leases: ['__proto__', 'a', 'b', 'c', 'd'], wait: ['c'], evt: 3 },
    held: [held('a'), held('x'), held('y', { isRevoked: true }), held('z', { adoptedAtEvt: 4 })],
    owned: ['d', 'gone'],
    avoid: ['b', 'gone'],
    plan: { claim: ['__proto__'], wait: ['c', 'd'], revoke: ['x'], isDone: false }
  }
]

describe('planCarryOut', () => {
  for (const { when, mailbox, plan, ...facts } of TABLE) {
    const { claim = [], wait = [], revoke = [], isDone = false } = plan
    const does = [`claims ${claim}`, `waits for ${wait}`, `gives back ${revoke}`].filter(line => !line.endsWith(' '))
    const what = does.length === 0 ? 'does nothing' : does.join(', ')
    it(`${what}${isDone ? ' and is done' : ''} when ${when}`, () => {
      const planned = planCarryOut({
        mailbox: mailbox && aMailbox(mailbox),
        ...(facts.assigned && { assigned: facts.assigned }),
        held: facts.held ?? [],
        owned: new Set(facts.owned),
        avoid: new Set(facts.avoid)
      })
      expect(planned).to.deep.equal({ claim, wait, revoke, isDone })
    })
  }
})
