import { expect } from 'chai'
import {
  judgeLeader,
  type LeaderFacts,
  type LeaderVerdict,
  type LeaderWatch,
  NO_LEADER_WATCHED,
  watchLeader
} from '../../src/fleet/leader-rules.ts'
import type { Member } from '../../src/leases/control-store.ts'
import { aMember, SETTINGS, session } from './fleet-model.ts'

const ME = session('me')
const THEM = session('them')
const STEP = 2 * SETTINGS.heartbeatMs

/** Looks at the leader every `everyMs`; each time at what the function makes of the number of the look, from 0. */
function look(times: number, leader: (index: number) => Member | undefined, everyMs = 5_000): LeaderWatch {
  let watch = NO_LEADER_WATCHED
  for (let i = 0; i < times; i++) watch = watchLeader(watch, THEM, leader(i), watch.atMs + everyMs, STEP)
  return watch
}

function judge(with_: Partial<LeaderFacts>): LeaderVerdict {
  const leader = 'leader' in with_ ? with_.leader : aMember('them')
  const usual: LeaderFacts = {
    session: ME,
    state: 'ACTIVE',
    provedAgoMs: 1_000,
    lock: { who: THEM, term: 4 },
    leader,
    watch: NO_LEADER_WATCHED
  }
  return judgeLeader({ ...usual, ...with_, leader }, SETTINGS)
}

describe('watchLeader', () => {
  it('concludes nothing from the first look at a leader, nor about the next one', () => {
    const seen = look(9, () => aMember('them'))
    expect(seen).to.include({ silentMs: 40_000, idleMs: 40_000, missingMs: 0, who: THEM })
    const other = watchLeader(seen, session('other'), aMember('other', { hb: 9 }), seen.atMs + 5_000, STEP)
    expect(other).to.include({ silentMs: 0, idleMs: 0, hb: 9, who: session('other') })
  })

  it('adds up how long heartbeat and turns stand still, each by itself, and older items are no movement', () => {
    expect(look(4, i => aMember('them', { hb: 2 + i }))).to.include({ silentMs: 0, idleMs: 15_000 })
    expect(look(4, i => aMember('them', { led: i }))).to.include({ silentMs: 15_000, idleMs: 0 })
    expect(look(4, i => aMember('them', { hb: i === 2 ? 1 : 2, led: i === 2 ? 0 : 1 }))).to.include({
      silentMs: 15_000,
      idleMs: 15_000
    })
  })

  it('adds up how long the leader has had no item', () => {
    expect(look(3, () => undefined)).to.include({ missingMs: 10_000 })
    expect(look(3, i => (i < 2 ? undefined : aMember('them')))).to.include({ missingMs: 0 })
  })

  it('counts the time between two looks for at most one step', () => {
    expect(look(2, () => aMember('them'), 600_000).silentMs).to.equal(STEP)
  })
})

describe('judgeLeader', () => {
  it('follows a leader that lives and does something', () => {
    expect(judge({ watch: look(9, i => aMember('them', { hb: i, led: i })) })).to.deep.equal({
      kind: 'follow',
      lookInMs: 6_000
    })
  })

  it('leads in the term in which the lock names it, also if the answer to its campaign was lost', () => {
    expect(judge({ lock: { who: ME, term: 5 } })).to.deep.equal({ kind: 'lead', term: 5 })
  })

  it('leads on while it leaves, until another one has the lock', () => {
    expect(judge({ lock: { who: ME, term: 5 }, state: 'DRAINING' })).to.deep.equal({
      kind: 'lead',
      term: 5
    })
  })

  it('follows once the lock names another', () => {
    expect(judge({ lock: { who: THEM, term: 6 } }).kind).to.equal('follow')
  })

  it('campaigns if nobody leads, or the leader is gone or going', () => {
    const before = { who: THEM, term: 4 }
    const after = { who: ME, term: 5 }
    const cases: [string, Partial<LeaderFacts>, LeaderVerdict][] = [
      [
        'none',
        { lock: undefined, leader: undefined },
        { kind: 'campaign', before: undefined, after: { who: ME, term: 1 }, why: 'none' }
      ],
      [
        'resigned',
        { lock: { term: 4 }, leader: undefined },
        { kind: 'campaign', before: { term: 4 }, after, why: 'resigned' }
      ],
      ['dead', { leader: aMember('them', { dead: 'silent' }) }, { kind: 'campaign', before, after, why: 'dead' }],
      [
        'draining',
        { leader: aMember('them', { state: 'DRAINING' }) },
        { kind: 'campaign', before, after, why: 'leaving' }
      ],
      [
        'restarting',
        { leader: aMember('them', { state: 'RESTARTING' }) },
        { kind: 'campaign', before, after, why: 'leaving' }
      ]
    ]
    for (const [what, facts, verdict] of cases) expect(judge(facts), what).to.deep.equal(verdict)
  })

  it('campaigns against a leader that is silent only with a certificate', () => {
    expect(judge({ watch: look(3, i => aMember('them', { hb: 7, led: i })) })).to.deep.equal({
      kind: 'campaign',
      before: { who: THEM, term: 4 },
      after: { who: ME, term: 5 },
      why: 'silent',
      certify: { session: THEM, hb: 7, how: 'silent' }
    })
  })

  it('takes the leader for silent only while its own heartbeats are heard', () => {
    const watch = look(3, i => aMember('them', { hb: 7, led: i }))
    expect(judge({ watch, provedAgoMs: 6_001 })).to.deep.equal({ kind: 'follow', lookInMs: SETTINGS.hurryMs })
    expect(judge({ watch, provedAgoMs: 6_000 }).kind).to.equal('campaign')
  })

  it('campaigns against a leader that beats and does nothing for three lease durations', () => {
    expect(judge({ watch: look(6, i => aMember('them', { hb: i })) }).kind).to.equal('follow')
    expect(judge({ watch: look(7, i => aMember('them', { hb: i })) })).to.include({ kind: 'campaign', why: 'idle' })
  })

  it('campaigns against a leader without an item only after the lease duration: reads may be old', () => {
    expect(judge({ leader: undefined, watch: look(2, () => undefined) })).to.deep.equal({
      kind: 'follow',
      lookInMs: 5_000
    })
    expect(judge({ leader: undefined, watch: look(3, () => undefined) })).to.include({
      kind: 'campaign',
      why: 'missing'
    })
  })

  it('never campaigns while it leaves', () => {
    for (const state of ['DRAINING', 'RESTARTING'] as const) {
      expect(judge({ state, lock: undefined, leader: undefined }).kind).to.equal('follow')
      expect(judge({ state, leader: aMember('them', { dead: 'left' }) }).kind).to.equal('follow')
      expect(judge({ state, watch: look(9, () => aMember('them')) }).kind).to.equal('follow')
    }
  })

  it('looks sooner at a leader that stands still, so that it is found out when it is time', () => {
    expect(judge({ watch: look(2, i => aMember('them', { led: i })) })).to.deep.equal({
      kind: 'follow',
      lookInMs: 5_000
    })
    expect(judge({ watch: look(4, i => aMember('them', { led: i }), 3_150) })).to.deep.equal({
      kind: 'follow',
      lookInMs: 1_000
    })
  })
})
