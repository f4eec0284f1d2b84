// Fleets by chance: whatever happens, every lease has one holder or is said to have none, limits are kept, and plans end.
import { expect } from 'chai'
import { type AssignmentPlan, planAssignments } from '../../src/fleet/plan-assignments.ts'
import { readableLeases } from '../../src/leases/claim-rules.ts'
import type { Member } from '../../src/leases/control-store.ts'
import { type Random, seededRandom, shuffled } from '../../src/runtime/random.ts'
import { isRepeated, seeds } from '../support/seeds.ts'
import { aMember, countsOf, FleetModel, PLAN_SETTINGS, session, someFacts, someLeases } from './fleet-model.ts'

/** A whole number from `from` to `to`. */
function between(from: number, to: number, random: Random): number {
  return from + Math.floor(random.next() * (to - from + 1))
}

function pick<T>(items: readonly T[], random: Random): T | undefined {
  return items[Math.floor(random.next() * items.length)]
}

function checkPlan(model: FleetModel, { assignments, unassigned, waiting }: AssignmentPlan, what: string): void {
  const active = new Set(model.active)
  const taken = new Set(waiting)
  for (const [leaseKey, { to }] of assignments) {
    if (!taken.has(leaseKey)) expect(active.has(to), `${what}: ${leaseKey} is assigned to ${to}`).to.equal(true)
  }
  const told = [...new Set([...assignments.keys(), ...waiting]), ...unassigned].sort()
  const readable = readableLeases(model.leases).map(({ leaseKey }) => leaseKey)
  expect(told, what).to.deep.equal(readable.sort())
  for (const [id, count] of countsOf(assignments)) {
    expect(count, `${what}: ${id}`).to.be.at.most(model.members.get(id)?.maxLeases ?? Number.POSITIVE_INFINITY)
  }
}

function checkOwned(model: FleetModel, what: string): void {
  for (const { session: id, maxLeases = Number.POSITIVE_INFINITY } of model.members.values()) {
    expect(model.owned(id).length, `${what}: ${id} owns`).to.be.at.most(maxLeases)
  }
}

/** Joins, leaves and deaths, while claims and releases happen or do not. */
function stir(
  model: FleetModel,
  random: Random,
  makeMember: (workerId: string, run: number) => Member,
  what: string
): void {
  for (let i = 0; i < 40; i++) {
    const chance = random.next()
    const somebody = pick(model.sessions, random)
    if (chance < 0.2 || model.sessions.length === 0) model.join(makeMember(`w${i}`, i))
    else if (chance < 0.3 && somebody !== undefined)
      model.leave(somebody, random.next() < 0.5 ? 'DRAINING' : 'RESTARTING')
    else if (chance < 0.4 && somebody !== undefined) model.die(somebody)
    else if (chance < 0.5) model.join(makeMember(pick([...model.gone.values()], random)?.member.workerId ?? 'w', i))
    else if (chance < 0.6) model.succeed()
    const plan = model.step(between(1_000, 6_000, random), () => random.next() < 0.6)
    checkPlan(model, plan, `${what} step=${i}`)
    checkOwned(model, `${what} step=${i}`)
  }
}

describe('planAssignments, with fleets by chance', () => {
  for (const seed of seeds(40)) {
    it(`gives every lease one active holder, and evens out in the end [SEED=${seed}]`, () => {
      const random = seededRandom(seed)
      const model = new FleetModel(someLeases(between(0, 60, random)))
      const makeMember = (workerId: string, run: number): Member =>
        aMember(workerId, { session: session(workerId, run), generation: between(1, 2, random) })
      stir(model, random, makeMember, `SEED=${seed}`)
      for (const { session: id, state } of model.members.values()) if (state === 'RESTARTING') model.die(id)
      model.join(aMember('last'))
      model.nowMs += PLAN_SETTINGS.deployHoldMs
      model.settle()
      const counts = [...countsOf(model.assignments, model.active)].map(([, count]) => count)
      expect(Math.max(...counts) - Math.min(...counts)).to.be.at.most(1)
      expect(model.step().moves, 'moves of a fleet in which nothing happens').to.deep.equal([])
    })

    it(`keeps to limits, capacities and what cannot be taken, and comes to rest [SEED=${seed}]`, () => {
      const random = seededRandom(seed)
      const leases = someLeases(between(1, 50, random))
      const model = new FleetModel(leases)
      const makeMember = (workerId: string, run: number): Member => {
        const avoid = leases.filter(() => random.next() < 0.1).map(({ leaseKey }) => leaseKey)
        const maxLeases = random.next() < 0.5 ? { maxLeases: between(1, 15, random) } : {}
        return aMember(workerId, {
          session: session(workerId, run),
          capacity: between(1, 4, random),
          avoid,
          ...maxLeases
        })
      }
      stir(model, random, makeMember, `SEED=${seed}`)
      for (const { session: id, state } of model.members.values()) if (state === 'RESTARTING') model.die(id)
      for (let i = 0; i < 60; i++) {
        checkPlan(model, model.step(), `SEED=${seed} last step=${i}`)
        checkOwned(model, `SEED=${seed} last step=${i}`)
      }
      const { moves, unassigned } = model.step()
      expect(moves, 'moves of a fleet in which nothing happens').to.deep.equal([])
      for (const leaseKey of unassigned) {
        const takers = [...model.members.values()].filter(({ state, session: id, avoid, maxLeases = 1e9 }) => {
          return state === 'ACTIVE' && !avoid.includes(leaseKey) && model.owned(id).length < maxLeases
        })
        expect(takers, `who could take ${leaseKey}`).to.deep.equal([])
      }
    })

    it(`moves no more than its share to a worker that joins [SEED=${seed}]`, () => {
      const random = seededRandom(seed)
      const model = new FleetModel(someLeases(between(1, 100, random)))
      for (let i = between(1, 9, random); i > 0; i--) model.join(aMember(`w${i}`))
      model.nowMs += 60_000
      model.settle()
      model.join(aMember('new'))
      if (random.next() < 0.5) model.succeed()
      const moves = model.settle()
      expect(moves).to.equal(Math.floor(model.leases.length / model.sessions.length))
    })

    it(`moves by weight only as long as that evens out, and then rests [SEED=${seed}]`, () => {
      const random = seededRandom(seed)
      const leases = someLeases(between(1, 80, random))
      const model = new FleetModel(leases, { ...PLAN_SETTINGS, strategy: 'weight' })
      model.loads = Object.fromEntries(leases.map(({ leaseKey }) => [leaseKey, Math.round(1_000 * random.next() ** 4)]))
      for (let i = between(1, 9, random); i > 0; i--) model.join(aMember(`w${i}`, { capacity: between(1, 3, random) }))
      model.nowMs += 60_000
      model.settle()
      model.join(aMember('new'))
      const before = new Map([...model.assignments].map(([leaseKey, { to }]) => [leaseKey, to]))
      model.settle(1_000)
      for (const [leaseKey, { to }] of model.assignments) {
        if ((model.loads[leaseKey] ?? 0) === 0) expect(to, 'the holder of an idle lease').to.equal(before.get(leaseKey))
      }
      model.nowMs += 10 * 60_000
      expect(model.step().moves).to.deep.equal([])
    })

    it(`plans the same whatever the order in which things are listed [SEED=${seed}]`, () => {
      const random = seededRandom(seed)
      const members = Array.from({ length: between(1, 9, random) }, (_, i) =>
        aMember(`w${i}`, { generation: between(1, 2, random), capacity: between(1, 3, random) })
      )
      const owners = [undefined, session('dead'), ...members.map(member => member.session)]
      const leases = someLeases(60, () => pick(owners, random))
      const gone = [{ session: session('dead'), workerId: 'dead', wasRestarting: false, forMs: 0 }]
      const loads = Object.fromEntries(leases.map(({ leaseKey }) => [leaseKey, random.next()]))
      for (const strategy of ['count', 'weight'] as const) {
        const settings = { ...PLAN_SETTINGS, strategy }
        const facts = someFacts({ members, leases, gone, loads, deployMs: between(0, 600_000, random) })
        const mixedUp = { ...facts, members: shuffled(members, random), leases: shuffled(leases, random) }
        const [one, other] = [planAssignments(facts, settings), planAssignments(mixedUp, settings)]
        expect(JSON.stringify(other, replacer)).to.equal(JSON.stringify(one, replacer))
      }
    })
  }

  it('moves each lease about once in a rolling deployment of 30 workers and 600 leases, with and without surge', () => {
    for (const surge of [true, false]) {
      const model = new FleetModel(someLeases(600))
      for (let i = 10; i < 40; i++) model.join(aMember(`w${i}`))
      model.nowMs += 60_000
      model.settle()
      model.claims.clear()
      for (let i = 10; i < 40; i++) {
        if (surge) {
          model.join(aMember(`w${i}`, { session: session(`w${i}`, 2), generation: 2 }))
          model.step(2_500)
          model.step(2_500)
        }
        model.leave(session(`w${i}`))
        for (let j = 0; j < 4; j++) model.step(2_500)
        expect(model.owned(session(`w${i}`))).to.deep.equal([])
        model.die(session(`w${i}`))
        if (!surge) {
          model.join(aMember(`w${i}`, { session: session(`w${i}`, 2), generation: 2 }))
          model.step(2_500)
        }
      }
      model.settle()
      const moves = [...model.claims.values()].reduce((a, b) => a + b, 0)
      expect(moves / 600, surge ? 'with surge' : 'without surge').to.be.at.most(1.1)
    }
  })

  it('plans 10,000 leases of 200 members fast enough to do so at every heartbeat', function () {
    if (isRepeated) this.skip()
    const members = Array.from({ length: 200 }, (_, i) => aMember(`w${i}`))
    const leases = someLeases(10_000)
    const loads = Object.fromEntries(leases.map(({ leaseKey }, i) => [leaseKey, i % 97]))
    const uneven = someLeases(10_000, i => members[(i % 20) * (i % 10)]?.session)
    const cases = {
      orphans: someFacts({ members, leases }),
      uneven: someFacts({ members, leases: uneven }),
      weights: someFacts({ members, leases: uneven, loads })
    }
    for (const [name, facts] of Object.entries(cases)) {
      const settings = { ...PLAN_SETTINGS, strategy: name === 'weights' ? ('weight' as const) : ('count' as const) }
      const timesMs = Array.from({ length: 5 }, () => {
        const startMs = performance.now()
        planAssignments(facts, settings)
        return performance.now() - startMs
      })
      if (process.env.TIMES) console.log(name, timesMs)
      expect(Math.min(...timesMs), name).to.be.below(250)
    }
  })
})

function replacer(_: string, value: unknown): unknown {
  return value instanceof Map ? [...value] : value
}
