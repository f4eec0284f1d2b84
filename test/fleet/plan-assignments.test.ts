import { expect } from 'chai'
import {
  type Assignment,
  type AssignmentPlan,
  type FleetFacts,
  inheritAssignments,
  type PlanSettings,
  planAssignments
} from '../../src/fleet/plan-assignments.ts'
import type { Mailbox } from '../../src/leases/control-store.ts'
import type { Lease } from '../../src/model/lease.ts'
import { SHARD_END } from '../../src/model/sequence-number.ts'
import { aLease, shardId } from '../support/builders.ts'
import { aMember, countsOf, FleetModel, PLAN_SETTINGS, session, someFacts, someLeases } from './fleet-model.ts'

const [A, B, C, JAVA] = [session('a'), session('b'), session('c'), 'java-worker']
const [S0, S1, S2, S3] = [shardId(0), shardId(1), shardId(2), shardId(3)]
const FOUND = Number.NEGATIVE_INFINITY

function plan(with_: Partial<FleetFacts>, settings: Partial<PlanSettings> = {}): AssignmentPlan {
  return planAssignments(someFacts(with_), { ...PLAN_SETTINGS, ...settings })
}

/** How many leases each session is to hold, those that get none included. */
function counts({ assignments, targets }: AssignmentPlan): Record<string, number> {
  return Object.fromEntries([...countsOf(assignments, targets.keys())].map(([id, count]) => [id.split('/')[0], count]))
}

/** `count` leases of which each owner has as many as said, in turn. */
function owned(...groups: [owner: string | undefined, count: number][]): Lease[] {
  const owners = groups.flatMap(([owner, count]) => Array.from({ length: count }, () => owner))
  return someLeases(owners.length, i => owners[i])
}

function child(id: number, parents: readonly number[], with_: Partial<Lease> = {}): Lease {
  return aLease({ leaseKey: shardId(id), shardId: shardId(id), parentShardIds: parents.map(shardId), ...with_ })
}

const members = [aMember('a'), aMember('b')]

describe('inheritAssignments', () => {
  function mailbox(id: string, leases: readonly string[], with_: Partial<Mailbox> = {}): Mailbox {
    return { session: id, ver: 1, term: 1, mode: 'solo', leases, wait: [], dead: [], steal: [], evt: 0, ...with_ }
  }

  function inherited(owner: string | undefined, mailboxes: readonly Mailbox[]): Assignment | undefined {
    const dead = [
      aMember('dead', { dead: 'silent' }),
      aMember('back', { dead: 'left', state: 'RESTARTING' }),
      aMember('c', { state: 'DRAINING' })
    ]
    return inheritAssignments(mailboxes, owned([owner, 1]), [...members, ...dead]).get(S0)
  }

  it('begins with the owners it finds, dead or alive, and the foreign ones not among them', () => {
    expect(inherited(A, [])).to.deep.equal({ to: A, sinceMs: FOUND })
    expect(inherited(session('dead'), [])).to.deep.equal({ to: session('dead'), sinceMs: FOUND })
    expect(inherited(undefined, [])).to.equal(undefined)
    expect(inherited(JAVA, [])).to.equal(undefined)
  })

  it('goes on with what the mailboxes say', () => {
    expect(inherited(undefined, [mailbox(A, [S0])])).to.deep.equal({ to: A, sinceMs: FOUND })
    expect(inherited(A, [mailbox(A, [S0])])).to.deep.equal({ to: A, sinceMs: FOUND })
    expect(inherited(session('dead'), [mailbox(A, [S0])])).to.deep.equal({ to: A, sinceMs: FOUND })
  })

  it('goes on with a move under way', () => {
    const move = { to: B, sinceMs: FOUND, from: A }
    expect(inherited(A, [mailbox(B, [S0])])).to.deep.equal(move)
    expect(inherited(A, [mailbox(A, [S0]), mailbox(B, [S0])])).to.deep.equal(move)
    expect(inherited(C, [mailbox(C, [S0]), mailbox(B, [S0])])).to.deep.equal({ ...move, from: C })
  })

  it('takes the newest term where several mailboxes list a lease', () => {
    expect(inherited(undefined, [mailbox(A, [S0], { term: 2 }), mailbox(B, [S0], { term: 3 })])?.to).to.equal(B)
    expect(inherited(A, [mailbox(A, [S0], { term: 3 }), mailbox(B, [S0], { term: 2 })])).to.deep.equal({
      to: A,
      sinceMs: FOUND
    })
  })

  it('passes over mailboxes of the dead, but for what is held back for those that restart', () => {
    expect(inherited(A, [mailbox(session('dead'), [S0])])).to.deep.equal({ to: A, sinceMs: FOUND })
    expect(inherited(undefined, [mailbox(session('dead'), [S0])])).to.equal(undefined)
    expect(inherited(undefined, [mailbox(session('back'), [S0])])?.to).to.equal(session('back'))
    expect(inherited(undefined, [mailbox(session('back'), [S0]), mailbox(A, [S0])])?.to).to.equal(A)
  })

  it('goes on taking from a foreign worker only what was to be taken', () => {
    expect(inherited(JAVA, [mailbox(A, [S0])])).to.equal(undefined)
    expect(inherited(JAVA, [mailbox(A, [S0], { steal: [S0] })])).to.deep.equal({ to: A, sinceMs: FOUND, from: JAVA })
  })

  it('leaves finished leases out', () => {
    const leases = owned([A, 1]).map(lease => ({ ...lease, checkpoint: SHARD_END }))
    expect(inheritAssignments([mailbox(A, [S0])], leases, members).size).to.equal(0)
  })
})

describe('planAssignments', () => {
  describe('at a cold start', () => {
    const leases = someLeases(6)

    it('gives a single worker everything after a moment, without waiting for a fleet to assemble', () => {
      const alone = { members: [aMember('a')], leases, quietMs: 0 }
      const waits = plan({ ...alone, waitedMs: 400 })
      expect(waits).to.include({ why: 'cold-start', againInMs: 600, members: 1 })
      expect(waits.waiting).to.have.length(6)
      expect(waits.assignments.size + waits.unassigned.length + waits.moves.length).to.equal(0)
      expect(counts(plan({ ...alone, waitedMs: 1_000 }))).to.deep.equal({ a: 6 })
    })

    it('waits until a fleet has been quiet, or for long enough', () => {
      expect(plan({ members, leases, quietMs: 2_000, waitedMs: 9_000 })).to.include({
        why: 'cold-start',
        againInMs: 4_000
      })
      expect(counts(plan({ members, leases, quietMs: 6_000, waitedMs: 9_000 }))).to.deep.equal({ a: 3, b: 3 })
      expect(plan({ members, leases, quietMs: 0, waitedMs: 28_000 })).to.include({
        why: 'cold-start',
        againInMs: 2_000
      })
      expect(counts(plan({ members, leases, quietMs: 0, waitedMs: 30_000 }))).to.deep.equal({ a: 3, b: 3 })
    })

    it('is not cold once somebody has, or is to have, something', () => {
      const early = { members, quietMs: 0, waitedMs: 0 }
      expect(counts(plan({ ...early, leases: owned([undefined, 3], [A, 1]) }))).to.deep.equal({ a: 2, b: 2 })
      const assignments = new Map([[S0, { to: A, sinceMs: 1 }]])
      expect(counts(plan({ ...early, leases, assignments }))).to.deep.equal({ a: 3, b: 3 })
      expect(plan({ ...early, leases: [] })).to.include({ why: 'balanced' })
    })

    it('shares what a first worker has not come to claim yet with those that join', () => {
      const model = new FleetModel(someLeases(1_000))
      model.join(aMember('a'))
      model.nowMs += 3_000
      model.plan()
      let claimed = 0
      model.carryOut(() => ++claimed <= 100)
      for (let i = 0; i < 9; i++) model.join(aMember(`b${i}`))
      const { moves } = model.plan()
      expect(moves.every(({ why, from }) => why === 'unclaimed' && from === undefined)).to.equal(true)
      expect(moves).to.have.length(880)
      expect(model.owned(A).every(key => model.assignments.get(key)?.to === A)).to.equal(true)
      model.settle()
      expect(model.owned(A)).to.have.length(100)
      expect(Math.max(...model.claims.values())).to.be.at.most(2)
    })

    it('balances 200 workers that start within a second at once', () => {
      const model = new FleetModel(someLeases(10_000))
      for (let i = 0; i < 50; i++) model.join(aMember(`w${i}`))
      expect(model.plan()).to.include({ why: 'cold-start' })
      model.nowMs += 1_000
      for (let i = 50; i < 200; i++) model.join(aMember(`w${i}`))
      model.step(6_000)
      expect(new Set(countsOf(model.assignments, model.sessions).values())).to.deep.equal(new Set([50]))
      expect(model.settle()).to.equal(0)
    })
  })

  describe('for leases without a living owner', () => {
    const gone = [{ session: C, workerId: 'c', wasRestarting: false, forMs: 0 }]

    it('gives them at once to the least loaded', () => {
      const leases = owned([A, 3], [B, 1], [C, 4])
      const { moves, why } = plan({ members, leases, gone, quietMs: 0 })
      expect(why).to.equal('balanced')
      expect(moves).to.deep.equal([
        { leaseKey: shardId(4), to: B, why: 'orphan' },
        { leaseKey: shardId(5), to: B, why: 'orphan' },
        { leaseKey: shardId(6), to: A, why: 'orphan' },
        { leaseKey: shardId(7), to: B, why: 'orphan' }
      ])
    })

    it('does so for those of a worker that died and is back under another session, too', () => {
      const back = aMember('c', { session: session('c', 2) })
      expect(counts(plan({ members: [...members, back], leases: owned([C, 3]), gone, quietMs: 0 }))).to.deep.equal({
        a: 1,
        b: 1,
        c: 1
      })
    })

    it('gives nothing to who has not been heard of lately, if others can take it', () => {
      const suspects = new Set([B])
      expect(counts(plan({ members, leases: owned([A, 3], [C, 3]), gone, suspects }))).to.deep.equal({ a: 6, b: 0 })
    })

    it('leaves alone what belongs to somebody of whom nothing is known, and looks again', () => {
      const assignments = new Map([[S0, { to: C, sinceMs: 1 }]])
      const result = plan({ members, leases: owned([C, 1]), assignments })
      expect(result.assignments).to.deep.equal(assignments)
      expect(result).to.deep.include({ moves: [], unassigned: [], againInMs: PLAN_SETTINGS.heartbeatMs })
    })

    it('assigns nothing that cannot be read, not even to its owner, and nothing finished', () => {
      const [parent, done] = owned([A, 2])
      if (parent === undefined || done === undefined) throw new Error('no leases')
      const leases = [parent, { ...done, checkpoint: SHARD_END }, child(2, [0], { owner: B }), child(3, [1])]
      const { assignments, unassigned } = plan({ members, leases })
      expect([...assignments].map(([key, { to }]) => [key, to])).to.deep.equal([
        [S0, A],
        [S3, B]
      ])
      expect(unassigned).to.deep.equal([])
    })

    it('says what nobody may take', () => {
      const limited = [aMember('a', { maxLeases: 2 }), aMember('b', { maxLeases: 1, avoid: [S0, S1, S2, S3] })]
      expect(plan({ members: limited, leases: someLeases(4) }).unassigned).to.deep.equal([S2, S3])
      const { unassigned, why } = plan({
        members: [aMember('a', { state: 'DRAINING' })],
        leases: owned([A, 1], [undefined, 1])
      })
      expect({ unassigned, why }).to.deep.equal({ unassigned: [S0, S1], why: 'no-members' })
    })
  })

  describe('for a worker that stops', () => {
    it('gives what it has to others, who wait for it', () => {
      const leases = owned([C, 3])
      const result = plan({ members: [...members, aMember('c', { state: 'DRAINING' })], leases, quietMs: 0 })
      expect(result.moves.map(({ from, to, why }) => [from, to, why])).to.deep.equal([
        [C, A, 'drained'],
        [C, B, 'drained'],
        [C, A, 'drained']
      ])
      expect(result.moving).to.equal(3)
      expect(result.assignments.get(S0)).to.deep.equal({ to: A, sinceMs: 1_000_000, from: C })
    })

    it('prefers the newest generation, up to its fair share', () => {
      const fleet = [aMember('a'), aMember('b', { generation: 2 }), aMember('c', { state: 'DRAINING' })]
      expect(counts(plan({ members: fleet, leases: owned([A, 4], [C, 4]) }))).to.deep.equal({ a: 4, b: 4 })
      expect(counts(plan({ members: fleet, leases: owned([A, 2], [C, 4]) }))).to.deep.equal({ a: 3, b: 3 })
    })

    it('leaves what is on its way on its way', () => {
      const assignments = new Map([[S0, { to: B, sinceMs: 5, from: C }]])
      const result = plan({
        members: [...members, aMember('c', { state: 'DRAINING' })],
        leases: owned([C, 1]),
        assignments
      })
      expect(result.moves).to.deep.equal([])
      expect(result.assignments).to.deep.equal(assignments)
    })
  })

  describe('for a worker that restarts', () => {
    const restarting = aMember('c', { state: 'RESTARTING' })
    const gone = [{ session: C, workerId: 'c', wasRestarting: true, forMs: 10_000 }]
    const assignments = new Map([S0, S1].map(key => [key, { to: C, sinceMs: 1 }]))
    const again = aMember('c', { session: session('c', 2) })

    it('holds its leases back, be it still there or gone, released or not', () => {
      for (const leases of [owned([C, 2]), owned([undefined, 2])]) {
        const there = plan({ members: [...members, restarting], leases, assignments })
        expect(there).to.deep.include({ assignments, moves: [], waiting: [S0, S1], unassigned: [] })
        const left = plan({ members, gone, leases, assignments })
        expect(left).to.deep.include({ assignments, moves: [], waiting: [S0, S1], againInMs: 20_000 })
      }
    })

    it('gives them to the same worker as soon as it is back, though others have less', () => {
      const leases = owned([undefined, 2], [session('c', 2), 4])
      for (const facts of [{ members: [...members, again], gone }, { members: [...members, restarting, again] }]) {
        const { moves } = plan({ ...facts, leases, assignments, quietMs: 0 })
        expect(moves.map(({ to, why }) => [to, why])).to.deep.equal([
          [session('c', 2), 'restarted'],
          [session('c', 2), 'restarted']
        ])
      }
    })

    it('gives them to anybody once it has not come back for too long', () => {
      const late = gone.map(session => ({ ...session, forMs: 30_000 }))
      expect(counts(plan({ members, gone: late, leases: owned([undefined, 1], [C, 1]), assignments }))).to.deep.equal({
        a: 1,
        b: 1
      })
    })
  })

  describe('for balance', () => {
    const uneven = owned([A, 40])

    it('moves at most a part of all leases at once, or four, counting those under way', () => {
      const result = plan({ members, leases: uneven })
      expect(result).to.include({ why: 'balancing', againInMs: PLAN_SETTINGS.heartbeatMs, moving: 4 })
      expect(result.moves).to.have.length(4)
      expect(result.moves[0]).to.deep.equal({ leaseKey: S0, from: A, to: B, why: 'balance' })
      expect(result.targets).to.deep.equal(
        new Map([
          [A, 20],
          [B, 20]
        ])
      )
      const next = plan({ members, leases: uneven, assignments: result.assignments })
      expect(next.moves).to.deep.equal([])
      expect(next.assignments).to.deep.equal(result.assignments)
      const arrived = uneven.map((lease, i) => (i < 3 ? { ...lease, owner: B } : lease))
      expect(plan({ members, leases: arrived, assignments: result.assignments }).moves).to.have.length(3)
      expect(plan({ members, leases: owned([A, 9]) }).moves).to.have.length(4)
      expect(plan({ members, leases: owned([A, 90]) }).moves).to.have.length(9)
    })

    it('waits until membership has been quiet', () => {
      const result = plan({ members, leases: uneven, quietMs: 5_000 })
      expect(result.moves).to.deep.equal([])
      expect(result).to.include({ why: 'settling', againInMs: 4_000 })
    })

    it('waits for the end of a deployment, but not for ever', () => {
      const fleet = [aMember('a'), aMember('b', { generation: 2 })]
      const result = plan({ members: fleet, leases: uneven, deployMs: 100_000 })
      expect(result.moves).to.deep.equal([])
      expect(result).to.include({ why: 'deployment', againInMs: 200_000 })
      expect(plan({ members: fleet, leases: uneven, deployMs: 300_000 }).moves).to.have.length(4)
    })

    it('moves nothing in a fleet that is even, or that differs by one', () => {
      for (const leases of [owned([A, 3], [B, 3]), owned([A, 3], [B, 4]), owned([A, 1]), []]) {
        const result = plan({ members, leases })
        expect(result).to.deep.include({ moves: [], why: 'balanced', moving: 0 })
        expect(result).not.to.have.property('againInMs')
      }
    })

    it('goes by capacity and limits', () => {
      const model = new FleetModel(owned([A, 40]))
      model.join(aMember('a'))
      model.join(aMember('b', { capacity: 3 }))
      model.join(aMember('c', { capacity: 4, maxLeases: 8 }))
      model.nowMs += 60_000
      expect(model.settle()).to.equal(32)
      expect([A, B, C].map(id => model.owned(id).length)).to.deep.equal([8, 24, 8])
    })

    it('takes a lease from a worker that has more than it may, and gives it to one that has room', () => {
      const limited = [aMember('a', { maxLeases: 2 }), aMember('b', { maxLeases: 1 })]
      const { moves, unassigned } = plan({ members: limited, leases: owned([A, 4]), quietMs: 0 })
      expect(moves).to.deep.equal([{ leaseKey: S3, from: A, to: B, why: 'limit' }])
      expect(unassigned).to.deep.equal([S2])
    })

    it('takes what a worker was to claim and cannot now away from it', () => {
      const avoiding = [aMember('a', { avoid: [S0, S1] }), aMember('b')]
      const assignments = new Map([S0, S1].map(key => [key, { to: A, sinceMs: 1 }]))
      const { moves } = plan({ members: avoiding, leases: owned([undefined, 1], [A, 1]), assignments, quietMs: 0 })
      expect(moves).to.deep.equal([{ leaseKey: S0, to: B, why: 'avoided' }])
    })

    it('moves first what nobody has to let go of, then what has stayed the longest', () => {
      const leases = owned([A, 3], [undefined, 1], [A, 5])
      const assignments = new Map(leases.map(({ leaseKey }, i) => [leaseKey, { to: A, sinceMs: 100 - i }]))
      const { moves } = plan({ members, leases, assignments })
      expect(moves.map(({ leaseKey, from }) => [leaseKey, from])).to.deep.equal([
        [S3, undefined],
        [shardId(6), A],
        [shardId(7), A],
        [shardId(8), A]
      ])
    })
  })

  describe('by weight', () => {
    const settings = { strategy: 'weight' } as const
    const leases = owned([A, 20])
    const loads = Object.fromEntries(leases.map(({ leaseKey }, i) => [leaseKey, i === 0 ? 90 : i < 10 ? 10 : 0]))

    it('moves what evens out the loads', () => {
      const { moves, why } = plan({ members, leases, loads }, settings)
      expect(moves).to.deep.equal([{ leaseKey: S0, from: A, to: B, why: 'weight' }])
      expect(why).to.equal('balancing')
    })

    it('goes by count as long as nothing is known, and moves nothing while everything is idle', () => {
      const { moves } = plan({ members, leases }, settings)
      expect(new Set(moves.map(({ why }) => why))).to.deep.equal(new Set(['balance']))
      const idle = Object.fromEntries(leases.map(({ leaseKey }) => [leaseKey, 0]))
      expect(plan({ members, leases, loads: idle }, settings)).to.deep.include({ moves: [], why: 'balanced' })
    })

    it('leaves alone what has just moved', () => {
      const assignments = new Map(leases.map(({ leaseKey }) => [leaseKey, { to: A, sinceMs: 950_000 }]))
      const result = plan({ members, leases, loads, assignments }, settings)
      expect(result).to.deep.include({ moves: [], againInMs: 10_000 })
      expect(plan({ members, leases, loads, assignments, nowMs: 1_010_000 }, settings).moves).to.have.length(1)
    })

    it('waits as balance by count does', () => {
      const result = plan({ members, leases, loads, quietMs: 0 }, settings)
      expect(result).to.deep.include({ moves: [], why: 'settling', againInMs: 9_000 })
    })

    it('places the heaviest first, to even out what they carry', () => {
      const result = plan({ members, leases: someLeases(20), loads }, settings)
      const carries = (id: string): number =>
        [...result.assignments].reduce((sum, [key, { to }]) => sum + (to === id ? (loads[key] ?? 0) : 0), 0)
      expect([carries(A), carries(B)]).to.deep.equal([90, 90])
    })
  })

  describe('beside foreign workers', () => {
    const foreign = new Map([[JAVA, { silent: false }]])
    const mixed = { mode: 'mixed' } as const

    it('leaves their leases alone in solo mode, and says whose they are', () => {
      const result = plan({ members, foreign, leases: owned([JAVA, 30], [A, 1], [B, 1]) })
      expect(result).to.deep.include({ moves: [], unassigned: [], foreign: [JAVA] })
      expect([...result.assignments.keys()]).to.deep.equal([shardId(30), shardId(31)])
    })

    it('takes from them in mixed mode what is above their share', () => {
      const { moves, targets } = plan({ members, foreign, leases: owned([JAVA, 28], [A, 1], [B, 1]) }, mixed)
      expect(moves.map(({ from, why }) => [from, why])).to.deep.equal(
        Array.from({ length: 4 }, () => [JAVA, 'foreign'])
      )
      expect(targets).to.deep.equal(
        new Map([
          [A, 10],
          [B, 10]
        ])
      )
    })

    it('takes nothing from them that is within their share, and gives them nothing', () => {
      for (const leases of [owned([JAVA, 10], [A, 10], [B, 10]), owned([JAVA, 4], [A, 13], [B, 13])]) {
        expect(plan({ members, foreign, leases }, mixed).moves).to.deep.equal([])
      }
    })

    it('places what nobody has, and moves nothing, while one of them may soon lead', () => {
      const leases = owned([JAVA, 20], [A, 9], [B, 1], [undefined, 2])
      const result = plan({ members, foreign, leases }, { ...mixed, isInterim: true })
      expect(result.moves.map(({ to, why }) => [to, why])).to.deep.equal(Array(2).fill([B, 'orphan']))
      expect(result.why).to.equal('kcl-assigns')
    })

    it('evens out its own workers when a foreign one has less than its share', () => {
      const { moves } = plan({ members, foreign, leases: owned([JAVA, 2], [A, 20], [B, 8]) }, mixed)
      expect(moves.map(({ to, why }) => [to, why])).to.deep.equal(Array.from({ length: 4 }, () => [B, 'balance']))
    })

    it('treats leases of silent ones as orphans in mixed mode', () => {
      const silent = new Map([[JAVA, { silent: true }]])
      expect(counts(plan({ members, foreign: silent, leases: owned([JAVA, 4]), quietMs: 0 }, mixed))).to.deep.equal({
        a: 2,
        b: 2
      })
    })

    it('comes to rest with one that steals as KCL 2.x does: 12 workers, 600 leases, then nothing for half an hour', () => {
      const model = new FleetModel(someLeases(600), { ...PLAN_SETTINGS, ...mixed })
      for (let i = 0; i < 11; i++) model.join(aMember(`w${i}`))
      model.nowMs += 60_000
      model.settle()
      steal(model)
      for (let i = 0; i < 200; i++) {
        if (i % 4 === 0) steal(model)
        model.step()
      }
      expect(new Set(model.sessions.map(id => model.owned(id).length))).to.deep.equal(new Set([50]))
      expect(model.owned(JAVA)).to.have.length(50)
      for (let i = 0; i < 600; i++) {
        steal(model)
        expect(model.step().moves).to.deep.equal([])
      }
    })
  })
})

/** One turn of KCL 2.x: takes a lease from the most loaded if that has more than its share, and the taker less. */
function steal(model: FleetModel): void {
  const counts = new Map([[JAVA, 0]])
  for (const { owner } of model.leases) if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1)
  const target = Math.ceil(model.leases.length / counts.size)
  const [donor, most] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a))
  if ((counts.get(JAVA) ?? 0) >= target || most < target || donor === JAVA) return
  if (most === target && (counts.get(JAVA) ?? 0) === target - 1) return
  const index = model.leases.findIndex(({ owner }) => owner === donor)
  model.leases = model.leases.map((lease, i) => (i === index ? { ...lease, owner: JAVA } : lease))
}

describe('planAssignments by the orders of an operator', () => {
  const NOBODY = { held: new Set<string>(), moves: new Map<string, string>() }

  it('gives a lease on hold to nobody, whoever has it, and does not call it unassigned', () => {
    const leases = owned([A, 1], [undefined, 1], [B, 1])
    const held = plan({ members, leases, orders: { ...NOBODY, held: new Set([S0, S1]) } })
    expect([...held.assignments.keys()]).to.deep.equal([S2])
    expect(held).to.deep.include({ unassigned: [], waiting: [], moves: [] })
    const none = plan({ members, leases, orders: { ...NOBODY, held: 'all' } })
    expect([...none.assignments]).to.deep.equal([])
  })

  it('gives it out again as soon as the hold is over', () => {
    const { assignments } = plan({ members, leases: someLeases(2), orders: { ...NOBODY, held: 'all' } })
    const after = plan({ members, leases: someLeases(2), assignments, quietMs: 60_000 })
    expect(counts(after)).to.deep.equal({ a: 1, b: 1 })
  })

  it('does not wait for a fleet to assemble that has had leases before, also if the leader is new', () => {
    const facts = { leases: someLeases(2), quietMs: 0, waitedMs: 0 }
    expect(plan({ ...facts, members }).why).to.equal('cold-start')
    expect(counts(plan({ ...facts, members: [aMember('a', { applied: 1 }), aMember('b')] }))).to.deep.equal({
      a: 1,
      b: 1
    })
  })

  it('leaves no room for others at an owner that has not let go of a lease on hold yet', () => {
    const few = [aMember('a', { maxLeases: 1 })]
    const orders = { ...NOBODY, held: new Set([S0]) }
    expect(plan({ members: few, leases: owned([A, 1], [undefined, 1]), orders }).unassigned).to.deep.equal([S1])
    expect(counts(plan({ members: few, leases: owned([undefined, 2]), orders }))).to.deep.equal({ a: 1 })
  })

  it('moves a lease to the worker it is ordered to, and evens out with others than that', () => {
    const leases = owned([A, 2], [B, 2])
    const orders = { ...NOBODY, moves: new Map([[S0, 'b']]) }
    const moved = plan({ members, leases, orders, quietMs: 60_000 })
    expect(moved.moves).to.deep.include({ leaseKey: S0, from: A, to: B, why: 'ordered' })
    expect(moved.assignments.get(S0)).to.include({ to: B, from: A })
    expect(counts(moved)).to.deep.equal({ a: 2, b: 2 })
    expect(moved.moves.map(({ why }) => why)).to.deep.equal(['ordered', 'balance'])
    const again = plan({ members, leases, orders, assignments: moved.assignments, quietMs: 60_000 })
    expect(again.moves, 'on its way').to.deep.equal([])
  })

  it('gives an open lease at once to the worker it is ordered to', () => {
    const orders = { ...NOBODY, moves: new Map([[S3, 'b']]) }
    const { assignments } = plan({ members, leases: owned([A, 1], [B, 2], [undefined, 1]), orders })
    expect(assignments.get(S3)).to.include({ to: B })
  })

  it('holds what is both on hold and to move', () => {
    const orders = { held: new Set([S0]), moves: new Map([[S0, 'b']]) }
    expect(plan({ members, leases: owned([A, 1]), orders }).assignments.size).to.equal(0)
  })
})
