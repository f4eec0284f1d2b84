import { expect } from 'chai'
import type { Tenure } from '../../src/leases/tenure.ts'
import { shardId } from '../support/builders.ts'
import type { ControlCall } from '../support/flaky-control-store.ts'
import { FleetMemberWorld, SETTINGS, SYNC_MS, type TestMember } from './fleet-member-world.ts'

const { durationMs, heartbeatMs, hurryMs } = SETTINGS
const NEVER = new AbortController().signal

/** Every member gone, as far as it goes on by itself. */
async function expectNothingLeft(world: FleetMemberWorld, ...members: readonly TestMember[]): Promise<void> {
  await world.clock.settle()
  expect(world.clock.sleeping, 'timers').to.equal(0)
  expect(members.flatMap(({ member }) => member.held())).to.deep.equal([])
}

function tenureOf(a: TestMember, number: number): Tenure {
  const held = a.member.held().find(({ leaseKey }) => leaseKey === shardId(number))
  return held ?? expect.fail(`${number} is not held`)
}

describe('FleetMember', () => {
  describe('in an application that begins', () => {
    it('has created the leases before start resolves, and before anything later can be read', async () => {
      const world = new FleetMemberWorld(4)
      world.kinesis.intercept = () => world.clock.sleep(1_000)
      const a = await world.started('a')
      const leases = await world.leases()
      expect(leases).to.have.length(4)
      const latest = Math.max(...leases.map(({ startTimestampMs = 0 }) => startTimestampMs))
      expect(latest).to.be.within(1, world.clock.epochMs())
      expect([a.member.isLeading, a.told.slice(0, 2)]).to.deep.equal([true, ['began', 'elected 1']])
      await world.clock.advance(durationMs)
      expect(a.held()).to.deep.equal([0, 1, 2, 3])
    })

    it('waits for that in a follower as well', async () => {
      const world = new FleetMemberWorld(4)
      world.kinesis.intercept = call => world.clock.sleep(call.name === 'listShards' ? 2_500 : 0)
      const a = world.member('a')
      const b = world.member('b')
      const starting = a.start()
      await world.clock.advance(100)
      await world.pass(b.start())
      expect(await world.leases()).to.have.length(4)
      await starting
      expect([a.member.isLeading, b.member.isLeading]).to.deep.equal([true, false])
      expect(b.syncsAtMs).to.deep.equal([])
      await world.clock.advance(60_000)
      expect([a.held().length, b.held().length]).to.deep.equal([2, 2])
    })

    it('leads although Kinesis does not answer, and assigns the leases as soon as there are any', async () => {
      const world = new FleetMemberWorld(4)
      let isDown = false
      world.kinesis.intercept = () => (isDown ? new Promise(() => {}) : undefined)
      const a = world.member('a')
      await world.pass(a.syncer.open())
      isDown = true
      const sinceMs = world.clock.monotonicMs()
      await world.pass(a.member.start(NEVER))
      expect(world.clock.monotonicMs() - sinceMs).to.be.closeTo(durationMs, 10)
      expect(a.member.isLeading).to.equal(true)
      await world.clock.advance(2_000)
      isDown = false
      for (let waitedMs = 0; waitedMs < 60_000 && (await world.leases()).length === 0; waitedMs += 500) {
        await world.clock.advance(500)
      }
      await world.clock.advance(2 * heartbeatMs)
      expect(a.held()).to.deep.equal([0, 1, 2, 3])
    })

    it('waits no longer once it is told to stop', async () => {
      const world = new FleetMemberWorld(4)
      const a = world.member('a')
      const b = world.member('b')
      world.kinesis.intercept = call => (call.name === 'listShards' ? new Promise(() => {}) : undefined)
      void a.start()
      await world.clock.advance(100)
      const starting = b.start()
      await world.clock.advance(2_000)
      b.stop()
      await world.clock.settle()
      await world.pass(Promise.all([starting, b.member.close()]))
      a.stop()
      a.member.abandon()
      await world.clock.advance(60_000)
      await expectNothingLeft(world, a, b)
    })
  })

  describe('comparing shards and leases', () => {
    it('does so as the leader, from time to time, and not as a follower', async () => {
      const world = new FleetMemberWorld(4)
      const [a, b] = await world.fleet('a', 'b')
      await world.clock.advance(10 * SYNC_MS)
      expect(a?.syncsAtMs.length).to.be.within(9, 11)
      expect(b?.syncsAtMs).to.deep.equal([])
    })

    it('does so at once when it comes to lead', async () => {
      const world = new FleetMemberWorld(4)
      const [a, b] = (await world.fleet('a', 'b')) as [TestMember, TestMember]
      const c = await world.started('c')
      await world.pass(Promise.all([a.member.close(), b.member.close()]))
      await world.clock.advanceUntil(() => c.member.isLeading, 60_000)
      await world.clock.settle()
      expect(c.syncsAtMs).to.have.length(1)
    })

    it('comes to lead at once where the application has begun, whatever Kinesis answers', async () => {
      const world = new FleetMemberWorld(4)
      const [a, b] = [world.member('a'), world.member('b')]
      for (const { syncer } of [a, b]) await world.pass(syncer.open())
      for (const { member } of [a, b]) await world.pass(member.start(NEVER))
      expect([a, b].map(({ syncer }) => syncer.isFresh)).to.deep.equal([true, true])
      await world.clock.advance(60_000)
      world.kinesis.intercept = () => new Promise(() => {})
      await world.pass(a.member.close())
      const sinceMs = world.clock.monotonicMs()
      await world.clock.advanceUntil(() => b.told.includes('elected 2'), 60_000)
      expect(world.clock.monotonicMs() - sinceMs).to.be.at.most(2 * heartbeatMs * 1.1)
      await world.clock.settle()
      expect(b.syncsAtMs).to.have.length(1)
    })

    it('does so once as a follower that knows something', async () => {
      const world = new FleetMemberWorld(4)
      const [, b] = (await world.fleet('a', 'b')) as [TestMember, TestMember]
      b.member.syncSoon()
      await world.clock.settle()
      expect(b.syncsAtMs).to.have.length(1)
      await world.clock.advance(5 * SYNC_MS)
      expect(b.syncsAtMs).to.have.length(1)
    })

    it('does so again, as a follower too, until it succeeds', async () => {
      const world = new FleetMemberWorld(4)
      const [, b] = (await world.fleet('a', 'b')) as [TestMember, TestMember]
      world.kinesis.intercept = () => Promise.reject(new Error('down'))
      b.member.syncSoon()
      await world.clock.advance(35_000)
      expect(b.told).to.include('failed compare shards with leases')
      const failed = b.syncsAtMs.length
      world.kinesis.intercept = undefined
      await world.clock.advance(SYNC_MS * 1.1)
      expect(b.syncsAtMs.length).to.be.within(failed, failed + 1)
      const told = b.told.length
      await world.clock.advance(5 * SYNC_MS)
      expect([b.syncsAtMs.length <= failed + 1, b.told.length]).to.deep.equal([true, told])
    })

    it('does so again for what it came to know while it was at it', async () => {
      const world = new FleetMemberWorld(4)
      const [, b] = (await world.fleet('a', 'b')) as [TestMember, TestMember]
      world.kinesis.intercept = () => world.clock.sleep(1_000)
      b.member.syncSoon()
      await world.clock.advance(1_500)
      b.member.syncSoon()
      await world.clock.advance(20_000)
      expect(b.syncsAtMs).to.have.length(2)
    })

    it('brings back as a follower a row that has vanished, and has the leader assign it', async () => {
      const world = new FleetMemberWorld(4)
      const [a, b] = (await world.fleet('a', 'b')) as [TestMember, TestMember]
      // By then the leader has looked at the leases because one was lost.
      world.kinesis.intercept = () => world.clock.sleep(2_000)
      const number = b.held()[0] ?? expect.fail('it holds nothing')
      const lost = await world.remove(shardId(number))
      const tenure = b.member.held().find(({ leaseKey }) => leaseKey === lost.leaseKey)
      await tenure?.renew().catch(() => {})
      expect(b.told).to.deep.equal([`ended ${number} gone`])
      b.syncer.remember(lost)
      b.member.syncSoon()
      await world.clock.advance(30_000)
      expect(await world.leases()).to.have.length(4)
      expect([...a.held(), ...b.held()].sort()).to.deep.equal([0, 1, 2, 3])
    })
  })

  describe('handOver', () => {
    const outcome = async (world: FleetMemberWorld, work: Promise<void>): Promise<number> => {
      const sinceMs = world.clock.monotonicMs()
      await world.pass(work)
      return world.clock.monotonicMs() - sinceMs
    }

    for (const leader of [true, false]) {
      it(`ends when somebody else is to have each lease (${leader ? 'of the leader' : 'of a follower'})`, async () => {
        const world = new FleetMemberWorld(4)
        const members = (await world.fleet('a', 'b')) as [TestMember, TestMember]
        const [leaving, staying] = leader ? members : ([...members].reverse() as typeof members)
        leaving.givesBack = false
        await leaving.member.stopClaiming(false)
        expect(await outcome(world, leaving.member.handOver(60_000, NEVER))).to.be.within(0, 3 * heartbeatMs)
        expect(leaving.member.held().map(({ isRevoked }) => isRevoked)).to.deep.equal([true, true])
        for (const tenure of leaving.member.held()) await tenure.release()
        await world.clock.advance(1.2 * hurryMs)
        expect(staying.held(), 'at once').to.deep.equal([0, 1, 2, 3])
      })
    }

    it('ends at once where there is nobody else, or nothing to hand over', async () => {
      const world = new FleetMemberWorld(4)
      const [a] = (await world.fleet('a')) as [TestMember]
      await a.member.stopClaiming(false)
      expect(await outcome(world, a.member.handOver(60_000, NEVER))).to.equal(0)
      const another = new FleetMemberWorld(4)
      const [c, d] = (await another.fleet('c', 'd')) as [TestMember, TestMember]
      await d.member.stopClaiming(false)
      for (const tenure of d.member.held()) await tenure.release()
      expect(await outcome(another, d.member.handOver(60_000, NEVER))).to.equal(0)
      expect(c.member.isLeading).to.equal(true)
    })

    it('ends when the time is over, or it is told to', async () => {
      const world = new FleetMemberWorld(4)
      const [a, b] = (await world.fleet('a', 'b')) as [TestMember, TestMember]
      const isPost = ({ name }: ControlCall): boolean => name === 'post'
      a.control.faults = call => (isPost(call) ? { kind: 'throttled' } : undefined)
      await b.member.stopClaiming(false)
      expect(await outcome(world, b.member.handOver(5_000, NEVER))).to.be.within(5_000, 5_100)
      const enough = new AbortController()
      const handingOver = b.member.handOver(60_000, enough.signal)
      await world.clock.advance(1_000)
      enough.abort()
      expect(await outcome(world, handingOver)).to.equal(0)
      expect(b.held()).to.have.length(2)
    })
  })

  describe('what the leases carry', () => {
    it('reports it each minute if leases are balanced by it', async () => {
      const world = new FleetMemberWorld(2)
      const a = await world.started('a', { balance: 'weight' })
      await world.clock.advance(durationMs)
      const reports = (): number => a.control.calls.filter(({ name }) => name === 'reportLoads').length
      a.member.read(tenureOf(a, 0), 1_024 * 600)
      await world.clock.advance(66_000 - durationMs)
      expect(reports()).to.equal(1)
      const loads = await world.control.loads()
      expect(Object.keys(loads).sort()).to.deep.equal([shardId(0), shardId(1)])
      expect(loads[shardId(0)]).to.be.closeTo(10, 1)
      expect(loads[shardId(1)]).to.equal(0)
      await world.clock.advance(600_000)
      expect(reports()).to.be.within(10, 12)
      a.control.faults = ({ name }) => (name === 'reportLoads' ? { kind: 'throttled' } : undefined)
      await world.clock.advance(66_000)
      expect(a.told).to.include('failed report what the leases carry')
    })

    it('reports nothing otherwise', async () => {
      const world = new FleetMemberWorld(2)
      const a = await world.started('a')
      await world.clock.advance(durationMs)
      a.member.read(tenureOf(a, 0), 1_024)
      await world.clock.advance(600_000)
      expect(a.control.calls.some(({ name }) => name === 'reportLoads' || name === 'loads')).to.equal(false)
    })
  })

  describe('whose session is dead', () => {
    it('leads no more, and again under its next session, with the leases that it had', async () => {
      const world = new FleetMemberWorld(4)
      const [a] = (await world.fleet('a')) as [TestMember]
      await world.certify(a)
      await world.clock.advance(heartbeatMs + hurryMs)
      const events = a.told.filter(line => !/taken|ended/.test(line))
      expect(events).to.deep.equal(['deposed', 'died silent', 'began', 'elected 2'])
      await world.clock.advance(2 * heartbeatMs)
      expect(a.held()).to.deep.equal([0, 1, 2, 3])
      expect(a.member.session).to.match(/^a\//)
    })
  })

  describe('ending', () => {
    it('claims and compares nothing any more once that is asked for, and leaves no timers once it is closed', async () => {
      const world = new FleetMemberWorld(4)
      const [a, b] = (await world.fleet('a', 'b')) as [TestMember, TestMember]
      world.kinesis.intercept = () => world.clock.sleep(500)
      a.member.syncSoon()
      await world.clock.settle()
      let isOver = false
      const stopping = a.member.stopClaiming(true).then(() => {
        isOver = true
      })
      await world.clock.settle()
      expect((await world.control.member(a.member.session ?? ''))?.state).to.equal('RESTARTING')
      await world.pass(stopping)
      expect(isOver).to.equal(true)
      a.syncsAtMs.length = 0
      a.member.syncSoon()
      await world.clock.advance(2 * SYNC_MS)
      expect(a.syncsAtMs).to.deep.equal([])
      await world.pass(a.member.close())
      await world.pass(b.member.close())
      await expectNothingLeft(world, a, b)
      const members = await world.control.members()
      expect(members.map(({ dead }) => dead)).to.deep.equal(['left', 'left'])
    })

    it('leaves no timers when it is abandoned', async () => {
      const world = new FleetMemberWorld(4)
      const members = await world.fleet('a', 'b')
      for (const { member } of members) member.abandon()
      await expectNothingLeft(world, ...members)
      expect((await world.control.members()).every(({ dead }) => dead === undefined)).to.equal(true)
    })

    for (const how of ['close', 'abandon'] as const) {
      it(`goes on with nothing where ${how} comes before the start is over, at any moment of it`, async () => {
        for (let atMs = 0; atMs < 2_000; atMs += 100) {
          const world = new FleetMemberWorld(4)
          const a = world.member('a')
          const slowly = { kind: 'none', delayMs: 150 } as const
          a.store.faults = () => slowly
          a.control.faults = () => slowly
          world.kinesis.intercept = () => world.clock.sleep(150)
          const starting = a.start().catch(() => {})
          await world.clock.advance(atMs)
          a.stop()
          const stopping = a.member.stopClaiming(false)
          const ending = a.member[how]()
          await world.clock.advance(60_000)
          await Promise.all([starting, stopping, ending])
          expect(world.clock.sleeping, `${how} at ${atMs} ms`).to.equal(0)
          const calls = a.control.calls.length
          await world.clock.advance(60_000)
          expect(a.control.calls.length, `${how} at ${atMs} ms`).to.equal(calls)
        }
      })
    }
  })

  it('adopts, avoids and is nudged as its coordinator', async () => {
    const world = new FleetMemberWorld(2)
    const [a] = (await world.fleet('a')) as [TestMember]
    const [tenure] = a.member.held()
    a.member.avoid(tenure as Tenure)
    await tenure?.release()
    await world.clock.advance(20_000)
    expect(a.held()).to.have.length(1)
    expect((await world.control.member(a.member.session ?? ''))?.avoid).to.deep.equal([tenure?.leaseKey])
    await a.member.adopt([tenure?.leaseKey ?? ''])
    expect(a.held()).to.have.length(2)
    a.member.nudge()
    await world.clock.settle()
    expect(a.held()).to.have.length(2)
  })
})
