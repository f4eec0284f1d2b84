import { expect } from 'chai'
import {
  claimableSessions,
  judgeMembers,
  type MemberWatch,
  NOTHING_WATCHED,
  nextVerdictInMs,
  suspects,
  watchMembers
} from '../../src/fleet/member-watch.ts'
import type { Death, Member } from '../../src/leases/control-store.ts'
import { aMember, SETTINGS, session } from './fleet-model.ts'

const STEP = 2 * SETTINGS.heartbeatMs
const A = session('a')
const B = session('b')

/** Looks every `everyMs`, each time at what the function makes of the number of the look, from 0. */
function look(
  times: number,
  members: (index: number) => Member[],
  { everyMs = 1_000, from = NOTHING_WATCHED, owners = [] as string[] } = {}
): MemberWatch {
  let watch = from
  for (let i = 0; i < times; i++) watch = watchMembers(watch, members(i), watch.atMs + everyMs, STEP, owners)
  return watch
}

function dead(workerId: string, how: Death, with_: Partial<Member> = {}): Member {
  return aMember(workerId, { dead: how, ...with_ })
}

describe('watchMembers', () => {
  it('concludes nothing from the first sight of a session, however long the leader has run', () => {
    const watch = watchMembers(NOTHING_WATCHED, [aMember('a')], 1_000_000, STEP)
    expect(watch.sessions.get(A)).to.include({ silentMs: 0, deafMs: 0, deadMs: 0 })
    expect(watch).to.include({ quietMs: 0, deployMs: 0, atMs: 1_000_000 })
    expect(judgeMembers(watch, SETTINGS)).to.deep.equal([])
  })

  it('adds up the time in which a heartbeat does not move, and starts over when it does', () => {
    expect(look(5, () => [aMember('a')]).sessions.get(A)?.silentMs).to.equal(4_000)
    const moved = look(5, i => [aMember('a', i < 4 ? {} : { hb: 3, ack: 2 })])
    expect(moved.sessions.get(A)).to.include({ silentMs: 0, hb: 3 })
  })

  it('takes an older heartbeat for no movement, nor the newer one after it', () => {
    const watch = look(5, i => [aMember('a', { hb: i === 2 ? 1 : 2 })])
    expect(watch.sessions.get(A)).to.include({ silentMs: 4_000, hb: 2 })
  })

  it('counts the time between two looks for at most one step, and for nothing if time seems to go back', () => {
    const watch = watchMembers(NOTHING_WATCHED, [aMember('a')], 1_000, STEP)
    const slept = watchMembers(watch, [aMember('a')], 601_000, STEP)
    expect(slept.sessions.get(A)?.silentMs).to.equal(STEP)
    expect(slept.quietMs).to.equal(STEP)
    expect(watchMembers(watch, [aMember('a')], 0, STEP).sessions.get(A)?.silentMs).to.equal(0)
  })

  it('adds up the time in which heartbeats come and no answer is heard', () => {
    const watch = look(5, i => [aMember('a', { hb: 5 + i, ack: 4 })], { everyMs: 3_000 })
    expect(watch.sessions.get(A)).to.include({ silentMs: 0, deafMs: 12_000 })
    const hears = look(1, () => [aMember('a', { hb: 10, ack: 5 })], { from: watch })
    expect(hears.sessions.get(A)?.deafMs).to.equal(0)
  })

  it('counts the silence before a heartbeat without an answer for at most one step: it may have been the store', () => {
    const watch = look(15, i => [aMember('a', { hb: i < 14 ? 5 : 6, ack: 4 })])
    expect(watch.sessions.get(A)).to.include({ silentMs: 0, deafMs: STEP })
  })

  it('forgets a session whose item is gone', () => {
    const watch = look(3, i => (i === 1 ? [] : [aMember('a')]))
    expect(watch.sessions.get(A)?.silentMs).to.equal(0)
  })

  it('tells for how long the active sessions and their generations have been the same', () => {
    const a = aMember('a')
    const before = look(4, () => [a, aMember('b')])
    expect(before.quietMs).to.equal(3_000)
    const cases: Record<string, Member[]> = {
      'somebody joins': [a, aMember('b'), aMember('c')],
      'somebody is certified dead': [a, dead('b', 'silent')],
      'somebody drains': [a, aMember('b', { state: 'DRAINING' })],
      'a session takes the place of another': [a, aMember('b', { session: session('b', 2) })]
    }
    for (const [what, members] of Object.entries(cases)) {
      expect(look(1, () => members, { from: before }).quietMs, what).to.equal(0)
    }
    const same = [aMember('b', { hb: 9, evt: 1, applied: 3 }), a, aMember('old', { state: 'DRAINING' })]
    expect(look(1, () => same, { from: before }).quietMs).to.equal(4_000)
  })

  it('tells for how long two generations have been alive since the newest one appeared', () => {
    const old = aMember('a')
    const next = aMember('b', { generation: 2 })
    expect(look(3, () => [old]).deployMs).to.equal(0)
    const watch = look(4, i => (i === 0 ? [old] : [old, next]))
    expect(watch.deployMs).to.equal(2_000)
    const leaving = { ...old, state: 'DRAINING' as const }
    expect(look(1, () => [leaving, next], { from: watch }).deployMs).to.equal(3_000)
    expect(look(1, () => [dead('a', 'left'), next], { from: watch }).deployMs).to.equal(0)
    expect(look(1, () => [next, aMember('c', { generation: 3 })], { from: watch }).deployMs).to.equal(0)
  })

  it('leaves the watch before as it is', () => {
    const before = look(2, () => [aMember('a')])
    look(3, () => [aMember('a')], { from: before })
    expect(before.sessions.get(A)?.silentMs).to.equal(1_000)
    expect(NOTHING_WATCHED.sessions.size).to.equal(0)
  })
})

describe('judgeMembers', () => {
  it('certifies a session that was silent for the lease duration, with the heartbeat watched', () => {
    const others = (i: number): Member[] => ['b', 'c'].map(id => aMember(id, { hb: i + 2, ack: i + 1 }))
    const watch = look(11, i => [aMember('a', { hb: 7 }), ...others(i)])
    expect(judgeMembers(watch, SETTINGS)).to.deep.equal([{ session: A, hb: 7, how: 'silent' }])
    const sooner = look(10, i => [aMember('a', { hb: 7 }), ...others(i)])
    expect(judgeMembers(sooner, SETTINGS)).to.deep.equal([])
  })

  it('certifies one of two, but waits twice as long for more than half of a fleet: it is more likely the store', () => {
    const fleet = (silent: number, of: number) => (i: number) =>
      Array.from({ length: of }, (_, n) => aMember(`w${n}`, n < silent ? {} : { hb: i + 2, ack: i + 1 }))
    const verdicts = (silent: number, of: number, looks: number) =>
      judgeMembers(look(looks, fleet(silent, of)), SETTINGS).length
    expect(verdicts(1, 1, 11)).to.equal(1)
    expect(verdicts(1, 2, 11)).to.equal(1)
    expect(verdicts(2, 4, 11)).to.equal(2)
    expect(verdicts(2, 3, 11)).to.equal(0)
    expect(verdicts(2, 3, 20)).to.equal(0)
    expect(verdicts(2, 3, 21)).to.equal(2)
    expect(verdicts(101, 200, 20)).to.equal(0)
  })

  it('takes those who fall silent within a heartbeat for silent together', () => {
    const watch = look(14, i => [
      aMember('a'),
      aMember('b', { hb: Math.min(i, 3) + 2, ack: Math.min(i, 3) + 1 }),
      aMember('c', { hb: i + 2, ack: i + 1 })
    ])
    expect(watch.sessions.get(B)?.silentMs).to.equal(10_000)
    expect(judgeMembers(watch, SETTINGS)).to.deep.equal([])
  })

  it('certifies a deaf session after the lease duration and a heartbeat', () => {
    const deaf = (looks: number): MemberWatch => look(looks, i => [aMember('a', { hb: 5 + i, ack: 4 })])
    expect(judgeMembers(deaf(13), SETTINGS)).to.deep.equal([])
    expect(judgeMembers(deaf(14), SETTINGS)).to.deep.equal([{ session: A, hb: 18, how: 'deaf' }])
  })

  it('does not certify the dead again', () => {
    expect(
      judgeMembers(
        look(40, () => [dead('a', 'left')]),
        SETTINGS
      )
    ).to.deep.equal([])
  })

  it('certifies nobody after an outage that nobody, the leader included, could see through', () => {
    const before = look(5, i => [aMember('a', { hb: i + 2, ack: i + 1 }), aMember('b', { hb: i + 2, ack: i + 1 })])
    const after = watchMembers(before, [aMember('a', { hb: 6 }), aMember('b', { hb: 6 })], before.atMs + 20_000, STEP)
    expect(judgeMembers(after, SETTINGS)).to.deep.equal([])
  })
})

describe('suspects', () => {
  it('are the living sessions that have missed two heartbeats', () => {
    const watch = look(7, i => [aMember('a'), aMember('b', { hb: i + 2, ack: i + 1 }), dead('c', 'silent')])
    expect([...suspects(watch, SETTINGS)]).to.deep.equal([A])
    expect(
      suspects(
        look(6, () => [aMember('a')]),
        SETTINGS
      ).size
    ).to.equal(0)
  })
})

describe('claimableSessions', () => {
  it('are those that left, fell silent or are gone, at once', () => {
    const members = [dead('c', 'gone'), dead('a', 'left', { state: 'RESTARTING' }), dead('b', 'silent'), aMember('d')]
    expect(
      claimableSessions(
        look(1, () => members),
        SETTINGS
      )
    ).to.deep.equal([
      { session: A, workerId: 'a', wasRestarting: true, forMs: 0 },
      { session: B, workerId: 'b', wasRestarting: false, forMs: 0 },
      { session: session('c'), workerId: 'c', wasRestarting: false, forMs: 0 }
    ])
    expect(
      claimableSessions(
        look(3, () => members),
        SETTINGS
      ).map(({ forMs }) => forMs)
    ).to.deep.equal([2_000, 2_000, 2_000])
  })

  it('are the deaf ones after a quarantine of the lease duration, since this leader first saw that they are dead', () => {
    expect(
      claimableSessions(
        look(10, () => [dead('a', 'deaf')]),
        SETTINGS
      )
    ).to.deep.equal([])
    const [gone] = claimableSessions(
      look(12, () => [dead('a', 'deaf')]),
      SETTINGS
    )
    expect(gone).to.deep.equal({ session: A, workerId: 'a', wasRestarting: false, forMs: 1_000 })
    const wasAlive = look(30, () => [aMember('a')])
    expect(
      claimableSessions(
        look(1, () => [dead('a', 'deaf')], { from: wasAlive }),
        SETTINGS
      )
    ).to.deep.equal([])
  })

  it('are sessions that own leases and have had no item for the lease duration', () => {
    const owners = ['team/x/0a1b2c3d', 'java-worker', B]
    const members = [aMember('b')]
    expect(
      claimableSessions(
        look(10, () => members, { owners }),
        SETTINGS
      )
    ).to.deep.equal([])
    expect(
      claimableSessions(
        look(11, () => members, { owners }),
        SETTINGS
      )
    ).to.deep.equal([{ session: 'team/x/0a1b2c3d', workerId: 'team/x', wasRestarting: false, forMs: 0 }])
  })

  it('count the absence of an owner anew if it was there meanwhile, or owned nothing', () => {
    const watch = look(9, () => [], { owners: [A] })
    const came = look(9, () => [], { owners: [A], from: look(1, () => [aMember('a')], { from: watch, owners: [A] }) })
    expect(claimableSessions(came, SETTINGS)).to.deep.equal([])
    const owned = look(9, () => [], { owners: [A], from: look(1, () => [], { from: watch }) })
    expect(claimableSessions(owned, SETTINGS)).to.deep.equal([])
  })
})

describe('nextVerdictInMs', () => {
  it('is the time until the first of those silent for two heartbeats will have been so for the lease duration', () => {
    const watch = look(8, i => [
      aMember('a'),
      aMember('b', { hb: Math.min(i, 1) + 2 }),
      aMember('c', { hb: i + 2, ack: i + 1 })
    ])
    const silentMs = watch.sessions.get(A)?.silentMs ?? 0
    expect(nextVerdictInMs(watch, SETTINGS)).to.equal(SETTINGS.durationMs - silentMs)
  })

  it('is never while nobody is silent, or everybody silent is overdue', () => {
    const lively = look(5, i => [aMember('a', { hb: i + 2, ack: i + 1 })])
    expect(nextVerdictInMs(lively, SETTINGS)).to.equal(Number.POSITIVE_INFINITY)
    const overdue = look(30, () => [aMember('a')])
    expect(nextVerdictInMs(overdue, SETTINGS)).to.equal(Number.POSITIVE_INFINITY)
  })
})
