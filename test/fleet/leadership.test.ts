import { expect } from 'chai'
import type { Mailbox } from '../../src/leases/control-store.ts'
import { shardId } from '../support/builders.ts'
import type { ControlCall } from '../support/flaky-control-store.ts'
import { type Candidate, LeadershipWorld, SETTINGS } from './leadership-world.ts'

const { durationMs, heartbeatMs, hurryMs, settleMaxMs } = SETTINGS
/** Between two looks of a follower, jitter included. */
const LOOK_MS = 2 * heartbeatMs * 1.1

const electionsOf = ({ told }: Candidate): string[] => told.filter(line => line.startsWith('elected'))
const isCall =
  (...names: readonly ControlCall['name'][]) =>
  ({ name }: ControlCall) =>
    names.includes(name)

describe('Leadership', () => {
  describe('where nobody leads', () => {
    it('has one of many that start together lead, and the others find out', async () => {
      const world = await LeadershipWorld.withLeases(3)
      const starting = Array.from({ length: 20 }, (_, index) => {
        const candidate = world.candidate(`w${index}`)
        candidate.control.faults = () => ({ kind: 'none', delayMs: 20 })
        return candidate.start()
      })
      await Promise.all([...starting, world.clock.advance(1_000)])
      expect(world.leading()).to.have.length(1)
      const { who, term } = (await world.lock()) ?? {}
      expect([who?.replace(/\/.*/, ''), term]).to.deep.equal([world.leading()[0], 1])
      await world.clock.advance(60_000)
      expect(world.candidates.flatMap(electionsOf)).to.deep.equal(['elected 1'])
      expect(world.candidates.every(({ leadership }) => leadership.hasOthers)).to.equal(true)
    })

    it('leads before start resolves, its first turn included', async () => {
      const world = await LeadershipWorld.withLeases(3)
      const a = await world.started('a')
      expect([a.leadership.isLeading, a.leadership.turns, a.leadership.hasOthers]).to.deep.equal([true, 1, false])
      await world.clock.advance(durationMs)
      expect((await world.control.mailbox(a.session ?? ''))?.leases).to.deep.equal([0, 1, 2].map(shardId))
    })

    it('leads although the answer to its campaign was lost', async () => {
      const world = await LeadershipWorld.withLeases(1)
      const a = world.candidate('a')
      a.control.faults = ({ name }) => (name === 'replaceLeader' ? { kind: 'lost-answer' } : undefined)
      await world.pass(a.start())
      await world.clock.advance(LOOK_MS)
      expect(a.told.filter(line => !line.startsWith('posted'))).to.deep.equal([
        'failed look who leads the fleet',
        'elected 1'
      ])
    })

    it('takes a lead that was resigned', async () => {
      const world = await LeadershipWorld.withLeases(1)
      await world.control.replaceLeader(undefined, { term: 7 })
      const a = await world.started('a')
      expect(electionsOf(a)).to.deep.equal(['elected 8'])
    })

    it('waits for a leader without an item to get one, as long as for one that is silent', async () => {
      const world = await LeadershipWorld.withLeases(1)
      await world.control.replaceLeader(undefined, { who: 'x/00000001', term: 3 })
      const a = await world.started('a')
      await world.clock.advance(durationMs - 10)
      expect(a.leadership.isLeading).to.equal(false)
      await world.clock.advance(LOOK_MS)
      expect(electionsOf(a)).to.deep.equal(['elected 4'])
    })
  })

  describe('where somebody leads', () => {
    it('looks every two heartbeats, at the lock and at the leader, and at nothing else', async () => {
      const world = await LeadershipWorld.withLeases(10)
      await world.started('a')
      const b = await world.started('b')
      await world.clock.advance(10_000)
      b.control.calls.length = 0
      await world.clock.advance(600_000)
      const looks = b.control.calls.filter(isCall('leader')).length
      expect(looks).to.be.within(600_000 / LOOK_MS, 600_000 / (2 * heartbeatMs * 0.9))
      expect(b.control.calls.filter(isCall('member')).length).to.equal(looks)
      expect(b.control.calls.filter(call => !isCall('leader', 'member', 'beat')(call))).to.deep.equal([])
      expect(b.store.calls).to.deep.equal([])
      expect(b.told).to.deep.equal([])
    })

    it('replaces a leader that has died, once, soon after it has been silent for the duration', async () => {
      const world = await LeadershipWorld.withLeases(3)
      const a = await world.started('a')
      for (const workerId of ['b', 'c', 'd']) await world.started(workerId)
      await world.clock.advance(60_000)
      a.crash()
      const crashedAtMs = world.clock.monotonicMs()
      const [, b, c, d] = world.candidates
      await world.clock.advanceUntil(() => [b, c, d].some(other => other?.leadership.isLeading))
      expect(world.clock.monotonicMs() - crashedAtMs).to.be.within(durationMs, durationMs + LOOK_MS)
      await world.clock.advance(60_000)
      const told = [b, c, d].flatMap(other => other?.told ?? []).filter(line => !line.startsWith('posted'))
      expect(told).to.deep.equal([`certified ${a.session} silent`, 'elected 2'])
      expect((await world.control.member(a.session ?? ''))?.dead).to.equal('silent')
    })

    it('replaces a leader that has left, with its next look', async () => {
      const world = await LeadershipWorld.withLeases(3)
      const a = await world.started('a')
      const b = await world.started('b')
      await world.clock.advance(20_000)
      await a.leadership.stop()
      await world.pass(a.heartbeat.end())
      await world.clock.advance(LOOK_MS)
      expect(electionsOf(b)).to.deep.equal(['elected 2'])
    })

    it('replaces a leader that is leaving, which goes on until then', async () => {
      const world = await LeadershipWorld.withLeases(3)
      const a = await world.started('a')
      const b = await world.started('b')
      await world.clock.advance(20_000)
      a.drain()
      await world.clock.settle()
      const { turns } = a.leadership
      await world.clock.advanceUntil(() => b.leadership.isLeading)
      expect(a.leadership.turns).to.be.at.least(turns)
      await world.clock.advance(heartbeatMs)
      expect([a.leadership.isLeading, a.told.includes('deposed')]).to.deep.equal([false, true])
      await world.clock.advance(60_000)
      expect(world.candidates.flatMap(electionsOf), 'who is leaving does not want it back').to.deep.equal([
        'elected 1',
        'elected 2'
      ])
    })

    it('goes on leading, though it is leaving, where there is nobody else', async () => {
      const world = await LeadershipWorld.withLeases(3)
      const a = await world.started('a')
      a.drain()
      await world.clock.advance(60_000)
      expect([a.leadership.isLeading, a.leadership.hasOthers]).to.deep.equal([true, false])
    })

    it('replaces a leader that lives and does nothing, without harming it', async () => {
      const world = await LeadershipWorld.withLeases(3)
      const a = await world.started('a')
      const b = await world.started('b')
      await world.clock.advance(20_000)
      a.store.faults = () => ({ kind: 'hangs' })
      a.evt += 1
      a.leadership.nudge()
      await world.clock.advance(heartbeatMs)
      const { turns } = a.leadership
      await world.clock.advance(3 * durationMs - heartbeatMs)
      expect(b.leadership.isLeading).to.equal(false)
      await world.clock.advance(2 * LOOK_MS)
      expect(electionsOf(b)).to.deep.equal(['elected 2'])
      expect(a.leadership.turns).to.equal(turns)
      expect((await world.control.member(a.session ?? ''))?.dead).to.equal(undefined)
    })

    it('counts in its heartbeat the turns that it has led, and no others', async () => {
      const world = await LeadershipWorld.withLeases(1)
      const a = await world.started('a')
      const b = await world.started('b')
      const ledBy = async ({ session }: Candidate): Promise<number> =>
        (await world.control.member(session ?? ''))?.led ?? 0
      await world.clock.advance(30_000)
      const before = await ledBy(a)
      await world.clock.advance(30_000)
      expect((await ledBy(a)) - before).to.be.within(9, 12)
      expect(await ledBy(b)).to.equal(0)
      a.control.faults = ({ name }) => (name === 'members' ? { kind: 'throttled' } : undefined)
      await world.clock.advance(heartbeatMs)
      const stalled = a.leadership.turns
      await world.clock.advance(20_000)
      expect(a.leadership.turns).to.equal(stalled)
      expect(a.told).to.include('failed lead the fleet')
      a.control.faults = () => undefined
      await world.clock.advance(heartbeatMs)
      expect(a.leadership.turns).to.be.greaterThan(stalled)
    })
  })

  describe('where two lead', () => {
    /** The leader stands still in the middle of a turn, and another one takes over. */
    async function aSuccession(): Promise<{ world: LeadershipWorld; a: Candidate; b: Candidate }> {
      const world = await LeadershipWorld.withLeases(8)
      const a = await world.started('a')
      const b = await world.started('b')
      await world.clock.advance(60_000)
      a.pause(60_000)
      a.evt += 1
      await world.clock.advanceUntil(() => b.leadership.isLeading)
      await world.clock.advance(20_000)
      return { world, a, b }
    }

    it('refuses the mailboxes of the earlier one, which finds out and stops', async () => {
      const { world, a, b } = await aSuccession()
      const inForce = await world.control.mailboxes()
      await world.clock.advance(60_000)
      expect(world.leading()).to.deep.equal(['b'])
      expect(a.told.slice(-1)).to.deep.equal(['deposed'])
      expect(electionsOf(b)).to.deep.equal(['elected 2'])
      const ofB = (mailboxes: Mailbox[]): Mailbox | undefined => mailboxes.find(({ session }) => session === b.session)
      expect(ofB(await world.control.mailboxes())).to.deep.equal(ofB(inForce))
    })

    it('believes no old read of the lock that it leads again', async () => {
      const { world, a, b } = await aSuccession()
      await world.clock.advance(60_000)
      const { leader } = a.control
      const stale = { who: a.session ?? '', term: 1 }
      a.control.leader = options => (options?.consistent ? leader(options) : Promise.resolve(stale))
      a.told.length = 0
      await world.clock.advance(60_000)
      expect(a.told).to.deep.equal([])
      expect(world.leading()).to.deep.equal(['b'])
      expect(electionsOf(b)).to.deep.equal(['elected 2'])
    })
  })

  describe('where something fails', () => {
    it('begins its term again where it could not see what there was, and has no others in its way', async () => {
      for (const name of ['mailboxes', 'members', 'list'] as const) {
        const world = await LeadershipWorld.withLeases(1)
        const a = world.candidate('a')
        a.control.faults = call => (call.name === name ? { kind: 'throttled' } : undefined)
        a.store.faults = call => (call.name === name ? { kind: 'throttled' } : undefined)
        await world.pass(a.start())
        await world.clock.advance(20_000)
        expect([a.leadership.isLeading, a.told.length], name).to.deep.equal([false, a.told.length])
        expect(new Set(a.told), name).to.deep.equal(
          new Set(['failed look who leads the fleet', 'failed lead the fleet'])
        )
        expect(await world.lock(), name).to.deep.equal({ who: a.session, term: 1 })
        a.control.faults = () => undefined
        a.store.faults = () => undefined
        await world.clock.advance(LOOK_MS)
        expect(electionsOf(a), name).to.deep.equal(['elected 1'])
      }
    })

    it('does not hammer a table that answers nothing, from its first look on', async () => {
      const world = await LeadershipWorld.withLeases(1)
      const a = world.candidate('a')
      let looks = 0
      a.control.faults = ({ name }) => {
        if (name !== 'leader') return undefined
        // Without time passing it would go on for ever.
        return ++looks > 100 ? { kind: 'hangs' } : { kind: 'throttled' }
      }
      await world.pass(a.start())
      await world.clock.advance(20_000)
      expect(looks).to.be.within(3, 25)
      expect(a.told).to.have.length(looks)
    })

    it('does nothing while there is no session', async () => {
      const world = await LeadershipWorld.withLeases(1)
      const a = await world.started('a', { session: () => undefined })
      const { wakes } = world.clock
      await world.clock.advance(20_000)
      expect(a.control.calls.filter(isCall('leader'))).to.deep.equal([])
      expect(world.clock.wakes - wakes).to.be.lessThan(40)
    })

    it('leads no more once its session is dead, and again under the next one', async () => {
      const world = await LeadershipWorld.withLeases(1)
      const a = await world.started('a')
      await world.clock.advance(10_000)
      const { hb = 0 } = (await world.control.member(a.session ?? '')) ?? {}
      await world.control.certify(a.session ?? '', hb, 'silent')
      await world.clock.advance(heartbeatMs)
      expect([a.leadership.isLeading, a.told.slice(-1)]).to.deep.equal([false, ['deposed']])
      await a.join()
      a.leadership.nudge()
      await world.clock.settle()
      expect(electionsOf(a)).to.deep.equal(['elected 1', 'elected 2'])
      expect(await world.lock()).to.deep.equal({ who: 'a/00000002', term: 2 })
    })

    it('begins no term for a session that died while it was about to', async () => {
      const world = await LeadershipWorld.withLeases(1)
      const a: Candidate = world.candidate('a', {
        prepare: async () => {
          await world.clock.sleep(1_000)
          a.session = undefined
        }
      })
      await world.pass(a.start())
      expect([a.leadership.isLeading, electionsOf(a)]).to.deep.equal([false, []])
    })
  })

  describe('whenLed', () => {
    const wait = async (world: LeadershipWorld, { leadership }: Candidate, signal = new AbortController().signal) => {
      const sinceMs = world.clock.monotonicMs()
      await world.pass(leadership.whenLed(signal))
      return world.clock.monotonicMs() - sinceMs
    }

    it('resolves at once in the leader, and in a follower once the leader has led for a turn', async () => {
      const world = await LeadershipWorld.withLeases(1)
      const a = world.candidate('a', { prepare: () => world.clock.sleep(5_000) })
      const starting = a.start()
      await world.clock.advance(1_000)
      const b = await world.started('b')
      expect(b.leadership.isLeading).to.equal(false)
      const waitedMs = await wait(world, b)
      expect(waitedMs).to.be.within(4_000, 4_000 + heartbeatMs + 2 * hurryMs)
      await starting
      expect(await wait(world, a)).to.equal(0)
    })

    it('waits for a few lease durations at most, and not once it is told to stop', async () => {
      const world = await LeadershipWorld.withLeases(1)
      void world.candidate('a', { prepare: () => new Promise(() => {}) }).start()
      await world.clock.advance(1_000)
      const b = await world.started('b')
      b.control.faults = ({ name }) => (name === 'member' ? { kind: 'throttled' } : undefined)
      expect(await wait(world, b)).to.equal(settleMaxMs)
      expect(await wait(world, b, AbortSignal.abort())).to.equal(0)
    })
  })

  describe('stop', () => {
    it('waits for the turn that is under way, and leaves no timers', async () => {
      const world = await LeadershipWorld.withLeases(1)
      const a = await world.started('a')
      a.control.faults = ({ name }) => (name === 'members' ? { kind: 'none', delayMs: 2_000 } : undefined)
      a.leadership.nudge()
      await world.clock.settle()
      let isOver = false
      const stopping = a.leadership.stop().then(() => {
        isOver = true
      })
      await world.clock.advance(1_900)
      expect(isOver).to.equal(false)
      await world.clock.advance(200)
      await stopping
      a.heartbeat.close()
      await world.clock.settle()
      expect([a.leadership.isLeading, world.clock.sleeping]).to.deep.equal([false, 0])
      expect(a.told).to.not.include('deposed')
    })

    it('begins nothing where it comes before the start is over', async () => {
      const world = await LeadershipWorld.withLeases(1)
      const a = world.candidate('a', { prepare: () => world.clock.sleep(2_000) })
      const starting = a.start()
      await world.clock.advance(1_000)
      await a.leadership.stop()
      await world.pass(starting)
      a.heartbeat.close()
      await world.clock.settle()
      expect([a.leadership.isLeading, a.told, world.clock.sleeping]).to.deep.equal([false, [], 0])
    })
  })
})
