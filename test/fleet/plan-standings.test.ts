import { expect } from 'chai'
import { type Assignment, callRoll, judgeStanding, type Roll, type Standing } from '../../src/fleet/plan-standings.ts'
import type { FleetMode } from '../../src/leases/control-store.ts'
import { aLease } from '../support/builders.ts'
import { aMember, SETTINGS, session } from './fleet-model.ts'

const KEY = aLease().leaseKey
const [A, B, C, D, R] = [session('a'), session('b'), session('c'), session('draining'), session('restarting')]
const [GONE, STOPPED, LONG_STOPPED, UNKNOWN] = [
  session('gone'),
  session('stopped'),
  session('long'),
  session('unknown')
]
const FOUND = Number.NEGATIVE_INFINITY

function roll(mode: FleetMode = 'solo', moreWorkers: readonly string[] = []): Roll {
  return callRoll({
    mode,
    members: [
      aMember('a'),
      aMember('b'),
      aMember('c', { avoid: [KEY] }),
      aMember('draining', { state: 'DRAINING' }),
      aMember('restarting', { state: 'RESTARTING' }),
      ...moreWorkers.map(workerId => aMember(workerId, { session: session(workerId, 2) }))
    ],
    gone: [
      { session: GONE, workerId: 'gone', wasRestarting: false, forMs: 0 },
      { session: STOPPED, workerId: 'stopped', wasRestarting: true, forMs: 29_999 },
      { session: LONG_STOPPED, workerId: 'long', wasRestarting: true, forMs: 30_000 }
    ],
    foreign: new Map([
      ['java', { silent: false }],
      ['silent-java', { silent: true }]
    ]),
    restartGraceMs: SETTINGS.restartGraceMs
  })
}

function stands(owner: string | undefined, before?: Assignment, by: Roll = roll()): Standing {
  return judgeStanding(aLease(owner === undefined ? {} : { owner }), before, by)
}

function to(id: string, from?: string): Assignment {
  return from === undefined ? { to: id, sinceMs: 5 } : { to: id, sinceMs: 5, from }
}

describe('callRoll', () => {
  it('tells who is what', () => {
    const cases: [string, string, FleetMode][] = [
      [A, 'active', 'solo'],
      [D, 'draining', 'solo'],
      [R, 'restarting', 'solo'],
      [GONE, 'gone', 'solo'],
      [STOPPED, 'restarting', 'solo'],
      [LONG_STOPPED, 'gone', 'solo'],
      [UNKNOWN, 'undecided', 'solo'],
      ['java', 'foreign', 'mixed'],
      ['never-seen', 'foreign', 'mixed'],
      ['silent-java', 'gone', 'mixed'],
      ['silent-java', 'foreign', 'solo']
    ]
    for (const [id, what, mode] of cases) expect(roll(mode).what(id), `${id}, ${mode}`).to.equal(what)
    expect([...roll().active.keys()]).to.deep.equal([A, B, C])
  })
})

describe('judgeStanding', () => {
  const cases: [what: string, owner: string | undefined, before: Assignment | undefined, standing: Standing][] = [
    ['stays with an active owner', A, to(A), { kind: 'stays', assignment: to(A) }],
    [
      'stays with an active owner that no plan knows',
      A,
      undefined,
      { kind: 'stays', assignment: { to: A, sinceMs: FOUND } }
    ],
    [
      'stays with an active owner whatever was planned, unless it moves',
      A,
      to(B),
      { kind: 'stays', assignment: { to: A, sinceMs: FOUND } }
    ],
    ['has arrived', B, to(B, A), { kind: 'stays', assignment: to(B) }],
    ['is still on its way', A, to(B, A), { kind: 'stays', assignment: to(B, A) }],
    ['was let go of and is still on its way', undefined, to(B, A), { kind: 'stays', assignment: to(B, A) }],
    [
      'stays where it went although it was to come from elsewhere',
      C,
      to(B, A),
      { kind: 'stays', assignment: { to: C, sinceMs: FOUND } }
    ],
    ['is to be claimed', undefined, to(A), { kind: 'stays', assignment: to(A) }],
    ['is to be claimed from a dead owner', GONE, to(A), { kind: 'stays', assignment: to(A) }],
    [
      'is to be claimed from an owner that died on the way',
      A,
      to(B, D),
      { kind: 'stays', assignment: { to: A, sinceMs: FOUND } }
    ],
    ['is on its way from a draining owner that took it meanwhile', D, to(A), { kind: 'stays', assignment: to(A, D) }],
    [
      'waits for an owner of which nothing is known, and then for who is to have it',
      UNKNOWN,
      to(A),
      { kind: 'stays', assignment: to(A, UNKNOWN) }
    ],
    [
      'goes back where it is if who was to have it is dead',
      A,
      to(GONE, A),
      { kind: 'stays', assignment: { to: A, sinceMs: FOUND } }
    ],
    ['is open if nobody has it', undefined, undefined, { kind: 'open', why: 'orphan' }],
    ['is open if its owner is dead', GONE, to(GONE), { kind: 'open', why: 'orphan' }],
    ['is open if who was to have it is dead', undefined, to(GONE), { kind: 'open', why: 'orphan' }],
    [
      'is open if nobody has it and nothing is known of who was to',
      undefined,
      to(UNKNOWN),
      { kind: 'open', why: 'orphan' }
    ],
    ['is open if its owner drains', D, to(D), { kind: 'open', why: 'drained' }],
    ['is open if its owner drains and its successor is dead', D, to(GONE, D), { kind: 'open', why: 'drained' }],
    ['is open if who was to have it drains', undefined, to(D), { kind: 'open', why: 'drained' }],
    ['is open if who was to have it cannot take it now', undefined, to(C), { kind: 'open', why: 'avoided' }],
    [
      'stays with its owner if who was to have it cannot take it now',
      A,
      to(C, A),
      { kind: 'stays', assignment: { to: A, sinceMs: FOUND } }
    ],
    ['stays with an owner that could not take it now', C, to(C), { kind: 'stays', assignment: to(C) }],
    ['waits until something is known of its owner', UNKNOWN, to(UNKNOWN), { kind: 'keeps', assignment: to(UNKNOWN) }],
    [
      'waits until something is known of an owner that no plan knows',
      UNKNOWN,
      undefined,
      { kind: 'keeps', assignment: { to: UNKNOWN, sinceMs: FOUND } }
    ],
    ['is held back while its owner restarts', R, to(R), { kind: 'keeps', assignment: to(R) }],
    ['is held back once its owner has let go of it to restart', undefined, to(R), { kind: 'keeps', assignment: to(R) }],
    [
      'is held back for a while once its owner has stopped to restart',
      undefined,
      to(STOPPED),
      { kind: 'keeps', assignment: to(STOPPED) }
    ],
    [
      'is held back if its owner stopped to restart without letting go of it',
      STOPPED,
      to(STOPPED),
      { kind: 'keeps', assignment: to(STOPPED) }
    ],
    [
      'is open once its owner has not come back for too long',
      undefined,
      to(LONG_STOPPED),
      { kind: 'open', why: 'orphan' }
    ]
  ]
  for (const [what, owner, before, standing] of cases) {
    it(`says that a lease ${what}`, () => {
      expect(stands(owner, before)).to.deep.equal(standing)
    })
  }

  it('opens what is held back once its worker is back', () => {
    const back = roll('solo', ['stopped', 'restarting'])
    expect(stands(undefined, to(STOPPED), back)).to.deep.equal({ kind: 'open', why: 'restarted', heirOf: 'stopped' })
    expect(stands(R, to(R), back)).to.deep.equal({ kind: 'open', why: 'restarted', heirOf: 'restarting' })
  })

  it('leaves foreign workers what they have, until they are silent or a plan takes it from them', () => {
    const mixed = roll('mixed')
    const foreign: Standing = { kind: 'foreign', owner: 'java' }
    expect(stands('java')).to.deep.equal(foreign)
    expect(stands('silent-java')).to.deep.equal({ kind: 'foreign', owner: 'silent-java' })
    expect(stands('java', undefined, mixed)).to.deep.equal(foreign)
    expect(stands('java', to(A), mixed)).to.deep.equal(foreign)
    expect(stands('java', to(A, 'java'), mixed)).to.deep.equal({ kind: 'stays', assignment: to(A, 'java') })
    expect(stands('silent-java', undefined, mixed)).to.deep.equal({ kind: 'open', why: 'orphan' })
    expect(stands('silent-java', to(A), mixed)).to.deep.equal({ kind: 'stays', assignment: to(A) })
  })
})
