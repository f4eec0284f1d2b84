import { expect } from 'chai'
import { BugError, ServiceError } from '../../src/model/errors.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import {
  aBeatReport,
  type BeatFault,
  between,
  type HeartbeatWorld,
  heartbeatWorld,
  inTurn,
  outcomeOf,
  SESSION,
  SETTINGS
} from './heartbeat-world.ts'

const { heartbeatMs, hurryMs, validMs } = SETTINGS

/** A session that has begun, at time 0. Faults begin afterwards. */
async function begun(world: HeartbeatWorld = heartbeatWorld()): Promise<HeartbeatWorld> {
  await world.heartbeat.begin(SESSION, aBeatReport())
  return world
}

const isProved = ({ heartbeat, clock }: HeartbeatWorld): boolean =>
  heartbeat.provedAtMs() + validMs > clock.monotonicMs()

function gapsOf(timesMs: readonly number[]): number[] {
  return timesMs.slice(1).map((atMs, i) => atMs - (timesMs[i] ?? 0))
}

describe('LocalHeartbeat', () => {
  describe('a session that begins', () => {
    it('joins as beat 1, which proves the session from the time it was sent', async () => {
      const world = heartbeatWorld(inTurn({ kind: 'slow', toMs: 30, backMs: 10 }))
      const { clock, heartbeat, store, told } = world
      const begin = outcomeOf(heartbeat.begin(SESSION, aBeatReport({ evt: 7 })))
      await clock.advance(39)
      expect([begin(), heartbeat.provedAtMs()]).to.deep.equal(['still under way', Number.NEGATIVE_INFINITY])
      await clock.advance(1)
      expect([begin(), heartbeat.provedAtMs()]).to.deep.equal(['done', 0])
      expect(told.acknowledged).to.deep.equal([{ session: SESSION, asgVer: 0 }])
      expect(store.sent).to.have.length(1)
      expect(await world.member()).to.deep.include({ session: SESSION, hb: 1, ack: 0, evt: 7 })
    })

    it('joins again until that is acknowledged', async () => {
      const world = heartbeatWorld(between(0, 60_000, { kind: 'lost-request' }))
      const begin = outcomeOf(world.heartbeat.begin(SESSION, aBeatReport()))
      await world.clock.advance(60_000)
      expect(begin()).to.equal('still under way')
      expect(world.told.failed.map(({ what }) => what)).to.include('join the fleet')
      await world.clock.advance(2 * hurryMs)
      expect(begin()).to.equal('done')
      expect(isProved(world)).to.equal(true)
    })

    it('takes a joining that was repeated for no proof, and beats at once', async () => {
      // Whoever watches the session does so since the first attempt landed: the answer to the second says nothing of it.
      const world = heartbeatWorld(inTurn({ kind: 'lost-answer' }))
      const begin = outcomeOf(world.heartbeat.begin(SESSION, aBeatReport()))
      await world.clock.advance(hurryMs / 2)
      const [first, second, third] = world.store.sent
      expect([first?.name, second?.name, third?.name]).to.deep.equal(['join', 'join', 'beat'])
      expect(third).to.deep.include({ hb: 2, atMs: second?.atMs })
      expect([begin(), world.heartbeat.provedAtMs()]).to.deep.equal(['done', third?.atMs])
    })

    it('takes the answer to the first joining for a proof, however late it comes', async () => {
      const world = heartbeatWorld(inTurn({ kind: 'slow', backMs: 2_100 }, { kind: 'unanswered' }))
      const begin = outcomeOf(world.heartbeat.begin(SESSION, aBeatReport()))
      await world.clock.advance(2_100)
      expect([begin(), world.heartbeat.provedAtMs()]).to.deep.equal(['done', 0])
    })

    it('is refused with the failure that does not pass, and may be tried again', async () => {
      const world = heartbeatWorld(inTurn({ kind: 'refused-for-good' }))
      const { clock, heartbeat, store } = world
      const first = outcomeOf(heartbeat.begin(SESSION, aBeatReport()))
      await clock.advance(60_000)
      expect(first()).to.be.instanceOf(ServiceError).with.property('kind', 'access-denied')
      expect([store.sent.length, clock.sleeping]).to.deep.equal([1, 0])
      await heartbeat.begin('worker-1/2', aBeatReport())
      expect(isProved(world)).to.equal(true)
    })

    it('is refused while another one is alive', async () => {
      const { heartbeat, clock } = await begun()
      const second = outcomeOf(heartbeat.begin('worker-1/2', aBeatReport()))
      await clock.settle()
      expect(second()).to.be.instanceOf(BugError)
    })

    it('has begun without proof when it was dead before it heard an answer', async () => {
      const world = heartbeatWorld(inTurn({ kind: 'unanswered' }))
      const begin = outcomeOf(world.heartbeat.begin(SESSION, aBeatReport()))
      await world.clock.advance(10)
      await world.table.certify(SESSION, 1, 'silent')
      await world.clock.advance(3_000)
      expect([begin(), world.told.died]).to.deep.equal(['done', [{ session: SESSION, how: 'silent' }]])
      expect(world.heartbeat.provedAtMs()).to.equal(Number.NEGATIVE_INFINITY)
    })
  })

  describe('beats', () => {
    it('are sent once each heartbeat, a little earlier at times, never later', async () => {
      const world = await begun()
      world.store.faults = () => ({ kind: 'slow', toMs: 20, backMs: 20 })
      await world.clock.advance(600_000)
      const gaps = gapsOf(world.beatsAtMs())
      expect(gaps.length).to.be.within(200, 205)
      expect(Math.min(...gaps)).to.be.at.least(heartbeatMs * 0.98)
      expect(Math.max(...gaps)).to.be.at.most(heartbeatMs)
    })

    it('say which answers were seen, and prove the session from their send time', async () => {
      const world = await begun()
      const { clock, heartbeat, store } = world
      store.faults = () => ({ kind: 'slow', toMs: 100, backMs: 100 })
      await clock.advanceUntil(() => store.sent.length === 2)
      await clock.advance(199)
      expect(heartbeat.provedAtMs()).to.equal(0)
      await clock.advance(1)
      const [, second] = world.beatsAtMs()
      expect(heartbeat.provedAtMs()).to.equal(second)
      expect(await world.member()).to.deep.include({ hb: 2, ack: 1 })
      await clock.advance(heartbeatMs)
      expect(await world.member()).to.deep.include({ hb: 3, ack: 2 })
    })

    it('tell of the newest mailbox', async () => {
      const { clock, table, told } = await begun()
      const mailbox = {
        session: SESSION,
        term: 1,
        mode: 'solo',
        leases: [],
        wait: [],
        dead: [],
        steal: [],
        evt: 0
      } as const
      await table.post({ ...mailbox, ver: 4 })
      await clock.advance(heartbeatMs)
      expect(told.acknowledged.at(-1)).to.deep.equal({ session: SESSION, asgVer: 4 })
    })

    it('count up with each attempt, answered or not', async () => {
      const world = await begun(
        heartbeatWorld(inTurn(undefined, { kind: 'lost-answer' }, { kind: 'lost-request' }, { kind: 'throttled' }))
      )
      await world.clock.advance(heartbeatMs + 4 * hurryMs)
      const beats = world.store.sent.filter(({ name }) => name === 'beat')
      expect(beats.map(({ hb }) => hb)).to.deep.equal([2, 3, 4, 5])
      expect(beats.map(({ report }) => report.ack)).to.deep.equal([1, 1, 1, 1])
      expect(world.heartbeat.provedAtMs()).to.equal(beats.at(-1)?.atMs)
      expect(await world.member()).to.deep.include({ hb: 5, ack: 1 })
      expect(world.told.failed.map(({ what }) => what)).to.deep.equal(Array(3).fill('send a heartbeat'))
    })

    it('say what was reported last', async () => {
      const world = await begun()
      world.heartbeat.report(aBeatReport({ evt: 1 }))
      world.heartbeat.report(aBeatReport({ evt: 2, state: 'DRAINING', avoid: ['shard-7'] }))
      await world.clock.settle()
      expect(world.store.sent).to.have.length(1)
      await world.clock.advance(heartbeatMs)
      expect(await world.member()).to.deep.include({ hb: 2, evt: 2, state: 'DRAINING', avoid: ['shard-7'] })
    })
  })

  describe('an outage', () => {
    const outages: readonly BeatFault[] = [
      { kind: 'lost-request' },
      { kind: 'lost-answer' },
      { kind: 'throttled' },
      { kind: 'unanswered' },
      { kind: 'unanswered', toMs: 5_000 }
    ]
    for (const fault of outages) {
      const name = `${fault.kind}${'toMs' in fault ? ' and landing late' : ''}`

      it(`that is shorter than the proof costs nothing (${name})`, async () => {
        const world = await begun()
        const { clock, store, told } = world
        await clock.advance(heartbeatMs)
        const fromMs = clock.monotonicMs() + 1
        store.faults = between(fromMs, fromMs + 5_000, fault)
        while (clock.monotonicMs() < 60_000) {
          await clock.advance(100)
          expect(isProved(world), `at ${clock.monotonicMs()} ms`).to.equal(true)
        }
        expect(told.died).to.deep.equal([])
      })

      it(`that is longer suspends the session until it is over (${name})`, async () => {
        const world = await begun()
        const { clock, store, told } = world
        store.faults = between(1, 30_000, fault)
        await clock.advance(validMs)
        expect(isProved(world)).to.equal(false)
        await clock.advance(30_000 - validMs)
        expect(isProved(world)).to.equal(false)
        // The last attempt may wait for its answer in vain, and the next one for its turn.
        await clock.advance(2_000 + 2 * hurryMs)
        expect(isProved(world)).to.equal(true)
        expect(told.died).to.deep.equal([])
        expect(told.failed.length).to.be.within(8, 40)
      })
    }

    it('is met with several attempts while the last proof is valid', async () => {
      for (const fault of [{ kind: 'lost-request' }, { kind: 'unanswered' }] as const) {
        const world = await begun()
        world.store.faults = () => fault
        await world.clock.advance(validMs)
        const attempts = world.store.sent.length - 1
        expect(attempts).to.be.at.least(fault.kind === 'unanswered' ? 2 : 4)
      }
    })

    it('is over when an answer comes, even one that was not waited for any more', async () => {
      const world = await begun()
      // Slower than the deadline of a beat, for good.
      world.store.faults = () => ({ kind: 'slow', toMs: 1_500, backMs: 1_500 })
      await world.clock.advance(heartbeatMs + 3_000)
      for (let second = 0; second < 120; second++) {
        await world.clock.advance(1_000)
        expect(isProved(world), `after ${second} s`).to.equal(true)
      }
    })

    it('without an end in sight is met at the usual pace', async () => {
      const world = await begun()
      world.store.faults = between(1, 300_000, { kind: 'refused-for-good' })
      await world.clock.advance(300_000)
      expect(world.store.sent.length).to.be.within(100, 103)
      await world.clock.advance(heartbeatMs)
      expect(isProved(world)).to.equal(true)
    })

    it('of which nothing lands, or nothing is heard, never moves the proof', async () => {
      const world = await begun()
      world.store.faults = () => ({ kind: 'lost-answer' })
      await world.clock.advance(60_000)
      expect(world.heartbeat.provedAtMs()).to.equal(0)
      expect(await world.member()).to.deep.include({ ack: 1 })
    })
  })

  describe('a report in a hurry', () => {
    it('is sent at once, and then each second until told otherwise', async () => {
      const world = await begun()
      const { clock, heartbeat } = world
      await clock.advance(500)
      heartbeat.report(aBeatReport({ evt: 1 }), { hurry: true })
      await clock.settle()
      expect(world.beatsAtMs()).to.deep.equal([0, 500])
      expect(await world.member()).to.deep.include({ evt: 1 })
      await clock.advance(20 * hurryMs)
      const gaps = gapsOf(world.beatsAtMs().slice(1))
      expect(gaps).to.have.length(20)
      expect(Math.max(...gaps)).to.be.at.most(hurryMs)
      heartbeat.report(aBeatReport({ evt: 2 }), { hurry: false })
      const before = world.beatsAtMs().length
      await clock.advance(10 * heartbeatMs)
      expect(world.beatsAtMs().length - before).to.be.within(10, 11)
    })

    it('changes nothing of the pace if there is a hurry already, nor does one that does not say', async () => {
      const world = await begun()
      world.heartbeat.report(aBeatReport(), { hurry: true })
      await world.clock.settle()
      for (let evt = 1; evt <= 100; evt++) {
        await world.clock.advance(100)
        world.heartbeat.report(aBeatReport({ evt }), evt % 2 === 0 ? { hurry: true } : {})
      }
      expect(world.beatsAtMs().length).to.be.within(11, 13)
    })

    it('is sent right after the beat that is under way', async () => {
      const world = await begun()
      const { clock, heartbeat, store } = world
      store.faults = () => ({ kind: 'slow', toMs: 200, backMs: 200 })
      await clock.advance(heartbeatMs + 100)
      heartbeat.report(aBeatReport({ evt: 1 }), { hurry: true })
      heartbeat.report(aBeatReport({ evt: 2 }), { hurry: false })
      heartbeat.report(aBeatReport({ evt: 3 }), { hurry: true })
      await clock.advance(hurryMs - 200)
      const [, second = 0, ...others] = world.beatsAtMs()
      expect(others).to.deep.equal([second + 400])
      expect(store.sent.at(-1)?.report.evt).to.equal(3)
    })

    it('cuts the wait after a failure short', async () => {
      const world = await begun()
      world.store.faults = between(1, 60_000, { kind: 'refused-for-good' })
      await world.clock.advance(heartbeatMs + 10)
      world.heartbeat.report(aBeatReport(), { hurry: true })
      await world.clock.settle()
      expect(world.beatsAtMs()).to.have.length(3)
    })
  })

  describe('a session that is dead', () => {
    it('is told so by its next beat, stops, and makes room for another one', async () => {
      const world = await begun()
      const { clock, heartbeat, store, table, told } = world
      await table.certify(SESSION, 1, 'silent')
      await clock.advance(heartbeatMs)
      expect(told.died).to.deep.equal([{ session: SESSION, how: 'silent' }])
      expect(heartbeat.provedAtMs()).to.equal(Number.NEGATIVE_INFINITY)
      expect(clock.sleeping).to.equal(0)
      heartbeat.report(aBeatReport(), { hurry: true })
      await clock.advance(60_000)
      expect(store.sent).to.have.length(2)

      await heartbeat.begin('worker-1/2', aBeatReport())
      expect(heartbeat.provedAtMs()).to.equal(clock.monotonicMs())
      await clock.advance(heartbeatMs)
      expect(await world.member('worker-1/2')).to.deep.include({ hb: 2, ack: 1 })
      expect(told.acknowledged.at(-1)?.session).to.equal('worker-1/2')
    })

    it('can be followed by another one from within the news of its death', async () => {
      const world = heartbeatWorld(undefined, {})
      const next: Promise<void>[] = []
      const listener = {
        acknowledged: () => {},
        died: () => next.push(second.heartbeat.begin('worker-1/2', aBeatReport())),
        stalled: () => {},
        failed: () => {}
      }
      const second = heartbeatWorld(undefined, { listener, store: world.store, clock: world.clock })
      await second.heartbeat.begin(SESSION, aBeatReport())
      await world.table.certify(SESSION, 1, 'deaf')
      await world.clock.advance(heartbeatMs)
      await Promise.all(next)
      expect(await world.member('worker-1/2')).to.deep.include({ hb: 1 })
    })

    it('includes one whose item is gone', async () => {
      const { clock, table, told } = await begun()
      await table.certify(SESSION, 1, 'silent')
      await table.forget(SESSION)
      await clock.advance(heartbeatMs)
      expect(told.died).to.deep.equal([{ session: SESSION, how: 'gone' }])
    })

    it('takes no answer of its own for one of the next session', async () => {
      const world = await begun()
      const { clock, heartbeat, store, table, told } = world
      store.faults = ({ hb }) => (hb === 2 ? { kind: 'slow', backMs: 4_000 } : undefined)
      await clock.advance(heartbeatMs + 1)
      await table.certify(SESSION, 2, 'deaf')
      await clock.advance(2_000 + hurryMs)
      expect(told.died).to.have.length(1)
      const acknowledged = told.acknowledged.length
      store.faults = between(0, 60_000, { kind: 'unanswered' })
      void heartbeat.begin('worker-1/2', aBeatReport())
      await clock.advance(4_000)
      expect(heartbeat.provedAtMs()).to.equal(Number.NEGATIVE_INFINITY)
      expect(told.acknowledged).to.have.length(acknowledged)
      heartbeat.close()
    })
  })

  describe('end()', () => {
    it('leaves the fleet, and nothing is proved from that moment on', async () => {
      const world = await begun()
      world.store.faults = () => ({ kind: 'slow', toMs: 50, backMs: 50 })
      const end = outcomeOf(world.heartbeat.end())
      expect(world.heartbeat.provedAtMs()).to.equal(Number.NEGATIVE_INFINITY)
      await world.clock.advance(99)
      expect(end()).to.equal('still under way')
      await world.clock.advance(1)
      expect(end()).to.equal('done')
      expect(await world.member()).to.deep.include({ dead: 'left' })
      expect(world.clock.sleeping).to.equal(0)
      await world.clock.advance(60_000)
      expect(world.store.sent).to.have.length(2)
      expect(world.told.died).to.deep.equal([])
    })

    it('tries again while the failures are of the kind that pass', async () => {
      const world = await begun()
      world.store.faults = inTurn({ kind: 'throttled' }, { kind: 'lost-request' }, { kind: 'lost-answer' })
      const end = outcomeOf(world.heartbeat.end())
      await world.clock.advance(1_500)
      expect(end()).to.equal('done')
      expect(await world.member()).to.deep.include({ dead: 'left' })
      expect(world.told.failed).to.deep.equal([])
    })

    for (const fault of [{ kind: 'unanswered' }, { kind: 'lost-request' }, { kind: 'refused-for-good' }] as const) {
      it(`gives up within two seconds (${fault.kind})`, async () => {
        const world = await begun()
        world.store.faults = () => fault
        const end = outcomeOf(world.heartbeat.end())
        await world.clock.advance(2_000)
        expect(end()).to.equal('done')
        expect(world.told.failed.map(({ what }) => what)).to.deep.equal(['leave the fleet'])
        expect(world.clock.sleeping).to.equal(0)
      })
    }

    it('does not count the answer of a beat that was under way', async () => {
      const world = await begun()
      const { clock, heartbeat, store, told } = world
      store.faults = ({ name }) => (name === 'beat' ? { kind: 'slow', toMs: 100, backMs: 100 } : undefined)
      await clock.advance(heartbeatMs + 50)
      await heartbeat.end()
      await clock.advance(60_000)
      expect([told.died, told.acknowledged.length]).to.deep.equal([[], 1])
      expect(heartbeat.provedAtMs()).to.equal(Number.NEGATIVE_INFINITY)
    })

    it('ends a session that has not begun yet', async () => {
      const world = heartbeatWorld(inTurn({ kind: 'unanswered' }))
      const begin = outcomeOf(world.heartbeat.begin(SESSION, aBeatReport()))
      await world.clock.advance(10)
      const end = outcomeOf(world.heartbeat.end())
      await world.clock.advance(10)
      expect([begin(), end()]).to.deep.equal(['done', 'done'])
      expect(await world.member()).to.deep.include({ dead: 'left' })
    })

    it('does nothing without a session, nor a second time', async () => {
      const world = heartbeatWorld()
      await world.heartbeat.end()
      await begun(world)
      await Promise.all([world.heartbeat.end(), world.heartbeat.end()])
      await world.heartbeat.end()
      expect(world.store.sent.map(({ name }) => name)).to.deep.equal(['join', 'leave'])
    })
  })

  describe('close()', () => {
    const moments: Readonly<Record<string, (world: HeartbeatWorld) => Promise<void>>> = {
      'before a session': async () => {},
      'while it joins': async world => void world.heartbeat.begin(SESSION, aBeatReport()),
      'between two beats': async world => void (await begun(world)),
      'while a beat is under way': async world => {
        await begun(world)
        world.store.faults = () => ({ kind: 'unanswered' })
        await world.clock.advance(heartbeatMs)
      },
      'while it waits to try again': async world => {
        await begun(world)
        world.store.faults = () => ({ kind: 'lost-request' })
        await world.clock.advance(heartbeatMs)
      },
      'while it leaves': async world => {
        await begun(world)
        world.store.faults = () => ({ kind: 'unanswered' })
        void world.heartbeat.end()
      }
    }
    for (const [moment, reached] of Object.entries(moments)) {
      it(`stops everything at once, and leaves nothing behind (${moment})`, async () => {
        const world = heartbeatWorld()
        await reached(world)
        await world.clock.settle()
        const before = world.store.sent.length
        world.heartbeat.close()
        await world.clock.settle()
        expect([world.clock.sleeping, world.heartbeat.provedAtMs()]).to.deep.equal([0, Number.NEGATIVE_INFINITY])
        await Promise.all([world.heartbeat.end(), world.heartbeat.begin('worker-1/2', aBeatReport())])
        await world.clock.advance(60_000)
        expect(world.store.sent.length).to.equal(before)
      })
    }

    it('lets go of whoever waits for a beginning or an end', async () => {
      const world = heartbeatWorld(() => ({ kind: 'unanswered' }))
      const begin = outcomeOf(world.heartbeat.begin(SESSION, aBeatReport()))
      await world.clock.settle()
      const end = outcomeOf(world.heartbeat.end())
      world.heartbeat.close()
      await world.clock.settle()
      expect([begin(), end()]).to.deep.equal(['done', 'done'])
    })
  })

  it('sends nothing while it may not, and soon after that', async () => {
    let mayBeat = true
    const world = await begun(heartbeatWorld(undefined, { mayBeat: () => mayBeat }))
    mayBeat = false
    await world.clock.advance(60_000)
    expect(world.beatsAtMs()).to.deep.equal([0])
    mayBeat = true
    await world.clock.advance(hurryMs / 4)
    expect(world.beatsAtMs()).to.have.length(2)
    expect(isProved(world)).to.equal(true)
  })

  it('tells of its progress before it sends, and before it tells of an answer', async () => {
    const steps: unknown[] = []
    const world = heartbeatWorld(({ name }) => void steps.push(name), {
      progressed: ({ hb, ack, provedAtMs }) => steps.push([hb, ack, provedAtMs]),
      listener: {
        acknowledged: () => steps.push('acknowledged'),
        died: () => steps.push('died'),
        stalled: () => {},
        failed: () => {}
      }
    })
    await begun(world)
    world.heartbeat.report(aBeatReport(), { hurry: true })
    await world.clock.settle()
    await world.table.certify(SESSION, 2, 'silent')
    await world.clock.advance(hurryMs)
    const never = Number.NEGATIVE_INFINITY
    expect(steps.slice(0, 4)).to.deep.equal([[1, 0, never], 'join', [1, 1, 0], 'acknowledged'])
    expect(steps.slice(4, 8)).to.deep.equal([[2, 1, 0], 'beat', [2, 2, 0], 'acknowledged'])
    expect(steps.slice(8)).to.deep.equal([[3, 2, 0], 'beat', [3, 2, never], 'died'])
  })

  describe('resume()', () => {
    it('goes on where another heartbeat of the session stopped', async () => {
      const world = await begun()
      await world.clock.advance(3 * heartbeatMs)
      const provedAtMs = world.heartbeat.provedAtMs()
      world.heartbeat.close()
      const { hb } = (await world.member()) ?? {}
      expect(hb).to.be.at.least(4)
      const other = heartbeatWorld(undefined, { store: world.store, clock: world.clock, random: seededRandom(2) })
      const from = { hb: 9, ack: 3, provedAtMs }
      const report = aBeatReport({ evt: 5 })
      const resumed = outcomeOf(other.heartbeat.resume({ session: SESSION, report, hurry: true, from }))
      expect(other.heartbeat.provedAtMs()).to.equal(provedAtMs)
      await world.clock.settle()
      expect(resumed()).to.equal('done')
      expect(await world.member()).to.deep.include({ hb: 10, ack: 3, evt: 5 })
      expect(other.heartbeat.provedAtMs()).to.equal(world.clock.monotonicMs())
      await world.clock.advance(hurryMs)
      expect(await world.member()).to.deep.include({ hb: 11, ack: 10 })
    })

    it('joins again if no answer to that was seen, without taking it for a proof', async () => {
      const world = heartbeatWorld()
      await world.table.join({ ...aBeatReport(), session: SESSION, ack: 0 })
      const from = { hb: 1, ack: 0, provedAtMs: Number.NEGATIVE_INFINITY }
      world.store.faults = inTurn(undefined, { kind: 'unanswered' })
      const resumed = outcomeOf(world.heartbeat.resume({ session: SESSION, report: aBeatReport(), hurry: false, from }))
      await world.clock.advance(0)
      expect(world.store.sent.map(({ name }) => name)).to.deep.equal(['join', 'beat'])
      expect([resumed(), world.heartbeat.provedAtMs()]).to.deep.equal(['still under way', Number.NEGATIVE_INFINITY])
    })
  })
})
