import { expect } from 'chai'
import {
  type AssignmentFacts,
  type AssignmentPlan,
  type AssignmentSettings,
  planAssignments
} from '../../src/leases/plan-assignments.ts'
import { claimed, finished, type Lease, wanted } from '../../src/model/lease.ts'
import { type Random, seededRandom } from '../../src/runtime/random.ts'
import { aLease, shardId } from '../support/builders.ts'
import { seeds } from '../support/seeds.ts'
import { keys } from './coordinator-world.ts'

const SETTINGS: AssignmentSettings = { durationMs: 10_000, maxLeases: 1_000, maxMoves: 20 }

/** A lease of a shard, held by `owner` if one is named. */
function lease(number: number, owner?: string, with_: Partial<Lease> = {}): Lease {
  const free = aLease({ ...keys(number), ...with_ })
  return owner === undefined ? free : { ...claimed(free, owner), ...with_ }
}

/** Leases 0 to `count` - 1 of one owner, or of nobody. */
function leases(count: number, owner?: string, from = 0): Lease[] {
  return Array.from({ length: count }, (_, index) => lease(from + index, owner))
}

interface Given extends Partial<Omit<AssignmentFacts, 'unchangedMs'>> {
  /** Milliseconds for which leases have not moved, by number; 0 for the rest. */
  readonly idle?: Readonly<Record<number, number>>
}

function plan(all: readonly Lease[], given: Given = {}, settings: Partial<AssignmentSettings> = {}): AssignmentPlan {
  const { idle = {}, ...facts } = given
  const session = facts.session ?? 'me'
  return planAssignments(
    {
      leases: all,
      session,
      held: new Set(all.filter(({ owner }) => owner === session).map(({ leaseKey }) => leaseKey)),
      avoid: new Set(),
      unchangedMs: leaseKey => idle[Number(leaseKey.slice(-12))] ?? 0,
      ...facts
    },
    { ...SETTINGS, ...settings },
    seededRandom(1)
  )
}

const claims = ({ claim }: AssignmentPlan): string[] =>
  claim.map(({ lease: { leaseKey }, why }) => `${Number(leaseKey.slice(-12))} ${why}`).sort()
const requests = ({ request }: AssignmentPlan): number[] =>
  request.map(({ leaseKey }) => Number(leaseKey.slice(-12))).sort((a, b) => a - b)

describe('planAssignments', () => {
  it('claims everything at a cold start, 20 at a time', () => {
    const first = plan(leases(45))
    expect(first.claim).to.have.length(20)
    expect(first).to.include({ more: true, workers: 1, fairShare: 45 })
    expect(first.unclaimed).to.have.length(25)
    expect(first.request).to.deep.equal([])
    expect(plan(leases(20))).to.deep.include({ more: false, unclaimed: [] })
  })

  it('claims its fair share of what is free, and leaves the rest to others', () => {
    const result = plan([...leases(4, 'a'), ...leases(6, undefined, 4)])
    expect(result).to.include({ fairShare: 5, workers: 2 })
    expect(result.unclaimed).to.have.length(1)
    expect(result.claim).to.have.length(5)
  })

  it('claims nothing beyond its share before others had time to come', () => {
    expect(plan([...leases(2, 'me'), ...leases(1, 'a', 2), lease(3)]).claim).to.deep.equal([])
  })

  it('claims what nobody has come for during a whole duration, beyond its share', () => {
    const all = [...leases(3, 'me'), lease(3)]
    expect(claims(plan([...all, lease(4, 'a')], { idle: { 3: 10_000 } }))).to.deep.equal([])
    expect(claims(plan([...all, lease(4, 'a')], { idle: { 3: 10_001 } }))).to.deep.equal(['3 unowned'])
  })

  it('claims what has expired within its share, and beyond it once it has been expired for another duration', () => {
    const all = [...leases(3, 'me'), lease(3, 'dead'), lease(4, 'a'), lease(5, 'a'), lease(6, 'a')]
    expect(claims(plan(all, { idle: { 3: 10_000 } }))).to.deep.equal([])
    expect(claims(plan(all, { idle: { 3: 10_001 } }))).to.deep.equal(['3 expired'])
    const beyond = [...leases(3, 'me'), lease(3, 'dead'), lease(4, 'a')]
    expect(claims(plan(beyond, { idle: { 3: 20_000 } }))).to.deep.equal([])
    expect(claims(plan(beyond, { idle: { 3: 20_001 } }))).to.deep.equal(['3 expired'])
  })

  it('does not count the dead as members of the fleet', () => {
    expect(plan(leases(6, 'dead'), { idle: { 0: 10_001, 1: 10_001, 2: 10_001 } })).to.include({ workers: 2 })
    const idle = Object.fromEntries(Array.from({ length: 6 }, (_, number) => [number, 10_001]))
    expect(plan(leases(6, 'dead'), { idle })).to.include({ workers: 1, fairShare: 6 })
  })

  it('never goes beyond maxLeases, whatever is overdue, ours or released for us', () => {
    const all = [...leases(2, 'me'), lease(2, 'me'), wanted(lease(3), 'me'), lease(4), lease(5)]
    const held = new Set([shardId(0), shardId(1)])
    const result = plan(all, { held, idle: { 4: 50_000 } }, { maxLeases: 3 })
    expect(result.claim).to.have.length(1)
    expect(plan(all, { held }, { maxLeases: 2 }).claim).to.deep.equal([])
    expect(plan(leases(10, 'a'), {}, { maxLeases: 0 }).request).to.deep.equal([])
    expect(plan([...leases(10, 'a'), lease(10, 'me')], {}, { maxLeases: 2 }).request).to.have.length(1)
  })

  it('names what could be read and is not claimed, for whatever reason', () => {
    const unclaimed = (result: AssignmentPlan): string[] => result.unclaimed.map(({ leaseKey }) => leaseKey).sort()
    const all = [
      lease(0, 'me'),
      lease(1),
      lease(2, 'dead'),
      lease(3, 'alive'),
      lease(4, undefined, { wantedBy: 'you' })
    ]
    const idle = { 2: 20_001 }
    expect(unclaimed(plan(all, { idle }, { maxLeases: 1 }))).to.deep.equal([1, 2, 4].map(shardId))
    expect(unclaimed(plan(all, { idle, avoid: new Set([shardId(1)]) }))).to.deep.equal([1, 4].map(shardId))
    expect(unclaimed(plan(all.slice(0, 2)))).to.deep.equal([])
  })

  it('goes beyond maxLeases for what a lease of its own waits for, and for nothing else', () => {
    const child = lease(2, 'me', { parentShardIds: [shardId(0), shardId(1)] })
    const grandchild = lease(7, 'me', { parentShardIds: [shardId(2), shardId(6)] })
    const all = [finished(lease(0), [shardId(2)]), lease(1), child, lease(5)]
    expect(claims(plan(all, {}, { maxLeases: 1 }))).to.deep.equal(['1 needed'])
    expect(claims(plan(all, {}, { maxLeases: 2 }))).to.have.length(2)
    const free = all.map(each => (each === child ? lease(2, undefined, child) : each))
    const { owner: _, ...unowned } = child
    expect(claims(plan([...free.slice(0, 2), unowned, grandchild, lease(5)], {}, { maxLeases: 1 }))).to.deep.equal([
      '1 needed'
    ])
    const held = [all[0] as Lease, lease(1, 'you'), child, lease(5)]
    expect(claims(plan(held, {}, { maxLeases: 1 }))).to.deep.equal([])
  })

  it('takes back first what names it though it does not hold it, then what was released for it', () => {
    const all = [lease(0, 'me'), wanted(lease(1), 'me'), lease(2), lease(3, 'a'), lease(4, 'a'), lease(5, 'a')]
    const result = plan(all, { held: new Set() })
    expect(claims(result)).to.deep.equal(['0 ours', '1 requested', '2 unowned'])
    expect(result.awaited).to.equal(2)
  })

  it('asks for nothing while there is something to claim', () => {
    expect(plan([...leases(10, 'a'), lease(10)]).request).to.deep.equal([])
  })

  it('asks the most loaded until nobody has two more', () => {
    expect(requests(plan(leases(10, 'a')))).to.have.length(5)
    expect(requests(plan([...leases(2, 'a'), ...leases(1, 'me', 2)]))).to.deep.equal([])
    expect(requests(plan([...leases(3, 'a'), ...leases(1, 'me', 3)]))).to.have.length(1)
    const uneven = plan([...leases(6, 'a'), ...leases(3, 'b', 6)])
    expect(requests(uneven).filter(number => number < 6)).to.have.length(3)
    expect(requests(uneven)).to.have.length(3)
    expect(plan(leases(100, 'a')).request).to.have.length(20)
  })

  it('counts what it has asked for and what others have as if it had come', () => {
    const asked = leases(10, 'a').map((each, index) => (index < 5 ? wanted(each, 'me') : each))
    expect(plan(asked)).to.deep.include({ request: [], awaited: 5 })
    const others = leases(10, 'a').map((each, index) => (index < 5 ? wanted(each, 'b') : each))
    // Of 5 and 5 it may ask for 3 of them at most, and only for those that nobody has asked for.
    expect(requests(plan(others)).length).to.be.at.most(3)
    expect(requests(plan(others)).filter(number => number < 5)).to.deep.equal([])
    const mine = leases(4, 'me').map((each, index) => (index < 2 ? wanted(each, 'b') : each))
    expect(plan([...mine, lease(4, 'c'), lease(5, 'c')])).to.deep.include({ request: [], claim: [] })
  })

  it('leaves what is released for somebody else alone until they had a whole duration to come', () => {
    const all = [wanted(lease(0), 'b')]
    expect(plan(all, { idle: { 0: 10_000 } }).claim).to.deep.equal([])
    expect(claims(plan(all, { idle: { 0: 10_001 } }))).to.deep.equal(['0 unowned'])
  })

  it('leaves finished shards alone, and those whose parents are not', () => {
    const parent = lease(0, 'a')
    const child = lease(1, undefined, { parentShardIds: [shardId(0)] })
    expect(plan([parent, child]).claim).to.deep.equal([])
    expect(claims(plan([finished(parent, [shardId(1)]), child]))).to.deep.equal(['1 unowned'])
    expect(claims(plan([child]))).to.deep.equal(['1 unowned'])
    expect(plan([finished(parent, [])])).to.deep.include({ claim: [], request: [], fairShare: 0, unclaimed: [] })
  })

  it('waits for both parents of a merge', () => {
    const child = lease(2, undefined, { parentShardIds: [shardId(0), shardId(1)] })
    const [low, high] = [lease(0, 'a'), lease(1, 'a')]
    expect(plan([finished(low, []), high, child]).claim).to.deep.equal([])
    expect(claims(plan([finished(low, []), finished(high, []), child]))).to.deep.equal(['2 unowned'])
  })

  it('neither claims nor asks for what is to be avoided', () => {
    const avoid = new Set([shardId(0), shardId(1)])
    expect(claims(plan([lease(0), lease(1, 'me'), lease(2)], { avoid, held: new Set() }))).to.deep.equal(['2 unowned'])
    expect(requests(plan(leases(3, 'a'), { avoid }))).to.deep.equal([2])
  })

  it('plans nothing for a fleet in balance: 2 to 5 workers, 1 to 40 leases, seen by each of them', () => {
    for (let workers = 2; workers <= 5; workers++) {
      for (let count = 1; count <= 40; count++) {
        const all = Array.from({ length: count }, (_, index) => lease(index, `w${index % workers}`))
        for (let worker = 0; worker < workers; worker++) {
          const { claim, request, more } = plan(all, { session: `w${worker}` })
          expect({ claim, request, more }, `${workers} workers, ${count} leases, w${worker}`).to.deep.equal({
            claim: [],
            request: [],
            more: false
          })
        }
      }
    }
  })
})

/** Workers that plan in turn, or at once from the same reading, on a table whose owners grant every request in time. */
function converge(all: Lease[], sessions: readonly string[], atOnce: boolean, random: Random) {
  let rows = all
  let moves = 0
  for (let round = 1; round <= 60; round++) {
    let changes = 0
    const reading = rows
    for (const session of sessions) {
      const seen = atOnce ? reading : rows
      const held = new Set(seen.filter(({ owner }) => owner === session).map(({ leaseKey }) => leaseKey))
      const facts = { leases: seen, session, held, avoid: new Set<string>(), unchangedMs: () => 0 }
      const { claim, request } = planAssignments(facts, SETTINGS, random)
      const [claimKeys, requestKeys] = [claim.map(({ lease: { leaseKey } }) => leaseKey), request.map(r => r.leaseKey)]
      rows = rows.map(row => {
        const before = seen.find(({ leaseKey }) => leaseKey === row.leaseKey)
        if (claimKeys.includes(row.leaseKey) && row.counter === before?.counter) {
          changes += 1
          moves += 1
          return claimed(row, session)
        }
        if (!requestKeys.includes(row.leaseKey) || row.wantedBy !== undefined || row.owner !== before?.owner) return row
        changes += 1
        return wanted(row, session)
      })
    }
    rows = rows.map(row => {
      if (row.owner === undefined || row.wantedBy === undefined) return row
      const { owner: _, ...freed } = row
      return { ...freed, counter: row.counter + 1 }
    })
    if (changes === 0) return { rows, moves, round }
  }
  return { rows, moves, round: Number.POSITIVE_INFINITY }
}

describe('a fleet of planners', () => {
  for (const atOnce of [false, true]) {
    it(`comes to rest in balance after few moves, planning ${atOnce ? 'at once' : 'in turn'}`, () => {
      for (const seed of seeds(150)) {
        const random = seededRandom(seed)
        const upTo = (limit: number): number => Math.floor(random.next() * limit)
        const sessions = Array.from({ length: 1 + upTo(6) }, (_, index) => `w${index}`)
        const count = 1 + upTo(40)
        const present = 1 + upTo(sessions.length)
        const all = Array.from({ length: count }, (_, index) =>
          random.next() < 0.2 ? lease(index) : lease(index, `w${upTo(present)}`)
        )
        const { rows, moves, round } = converge(all, sessions, atOnce, random)
        const loads = sessions.map(session => rows.filter(({ owner }) => owner === session).length)
        const where = `SEED=${seed} ${sessions.length} workers, ${count} leases: ${loads} after ${round} rounds, ${moves} moves`
        expect(round, where).to.be.below(40)
        expect(Math.max(...loads) - Math.min(...loads), where).to.be.below(2)
        expect(moves, where).to.be.at.most(2 * count)
      }
    })
  }
})
