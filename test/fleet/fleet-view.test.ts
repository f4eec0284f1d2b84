import { expect } from 'chai'
import type { Mailbox } from '../../src/leases/control-store.ts'
import { type Hold, NO_ORDERS, withHold, withoutHold } from '../../src/leases/order-rules.ts'
import { claimed, finished, released } from '../../src/model/lease.ts'
import { shardId } from '../support/builders.ts'
import type { Fault } from '../support/flaky-store.ts'
import { session } from './fleet-model.ts'
import { SETTINGS, type TestView, FleetViewWorld as World } from './fleet-view-world.ts'

const { durationMs, heartbeatMs, fullScanMs, hurryMs } = SETTINGS

/** What a turn rejects with. */
const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'none',
    (error: unknown) => error
  )

const postsOf = ({ control }: TestView): number => control.calls.filter(({ name }) => name === 'post').length

describe('FleetView', () => {
  it('shares the leases among those who have joined, and tells each by its mailbox', async () => {
    const world = await World.withLeases(9)
    await world.join('abc')
    const leader = world.view()
    await leader.view.inherit()
    await leader.turn()
    expect(await world.control.mailboxes(), 'the fleet is still assembling').to.deep.equal([])
    await world.pass(12_000, leader)
    expect(await world.shares('abc')).to.deep.equal([3, 3, 3])
    expect(await world.mailbox('b')).to.deep.include({ ver: 1, term: 1, mode: 'solo', wait: [], dead: [], evt: 0 })
    expect((await world.control.member(session('b')))?.asgVer).to.equal(1)
    expect(leader.told.sort()).to.deep.equal(['a', 'b', 'c'].map(id => `posted ${session(id)} 1`))
    expect(leader.plans).to.deep.equal([{ why: 'balanced', members: 3, leases: 9, moves: 9, unassigned: 0 }])
  })

  it('takes what the leader says of itself for what its item will say', async () => {
    const world = await World.withLeases(4)
    await world.join('ab')
    const leader = await world.settled()
    Object.assign(leader.own, { state: 'DRAINING' })
    expect(leader.view.hasOthers).to.equal(true)
    await leader.turn()
    expect(await world.shares('ab')).to.deep.equal([2, 4])
    expect((await world.control.member(session('a')))?.state).to.equal('ACTIVE')
  })

  it('knows whether there is anybody else to take leases', async () => {
    const world = await World.withLeases(1)
    await world.join('a')
    const leader = await world.settled()
    expect(leader.view.hasOthers).to.equal(false)
    await world.join('b')
    await leader.turn()
    expect(leader.view.hasOthers).to.equal(true)
    world.say('b', { state: 'DRAINING' })
    await world.pass(heartbeatMs, leader)
    expect(leader.view.hasOthers).to.equal(false)
  })

  it('is due for its next turn with the next heartbeat, or sooner if time alone changes something', async () => {
    const world = await World.withLeases(4)
    await world.join('a')
    const leader = await world.settled()
    expect(leader.view.nextTurnInMs()).to.equal(heartbeatMs)
    await world.join('b')
    while ((await world.listed('b')).length === 0) await world.pass(heartbeatMs, leader)
    expect(await world.shares('ab'), 'on its way').to.deep.equal([4, 2])
    const dueInMs = leader.view.nextTurnInMs()
    expect(dueInMs).to.be.within(hurryMs / 4, SETTINGS.revokeDelayMs)
    await world.clock.advance(dueInMs)
    await leader.turn()
    expect(await world.shares('ab'), 'to be let go of').to.deep.equal([2, 2])
  })

  describe('the orders of an operator', () => {
    const hold = (leases: Hold['leases']): Hold => ({ id: 'h', why: 'test', by: 'ann', isKept: false, beat: 0, leases })

    it('are carried out with the next turn: what is on hold is in no mailbox', async () => {
      const world = await World.withLeases(4)
      await world.join('ab')
      const leader = await world.settled()
      const held = withHold(NO_ORDERS, hold([shardId(0), shardId(3)]))
      await world.control.replaceOrders(NO_ORDERS, held)
      await leader.turn()
      const listed = [...(await world.listed('a')), ...(await world.listed('b'))].sort()
      expect(listed).to.deep.equal([1, 2])
      expect(leader.unassigned.at(-1)).to.deep.equal([])
      await world.control.replaceOrders(held, withoutHold(held, 'h'))
      await leader.turn()
      expect(await world.shares('ab')).to.deep.equal([2, 2])
    })

    it('are known to be carried out once every mailbox is written by them, whether any had to change or not', async () => {
      const world = await World.withLeases(4)
      await world.join('ab')
      const leader = await world.settled()
      expect(leader.view.ordersLed).to.equal(0)
      const held = withHold(NO_ORDERS, hold([shardId(0)]))
      await world.control.replaceOrders(NO_ORDERS, held)
      expect(leader.view.ordersLed, 'before its next turn').to.equal(0)
      await leader.turn()
      expect(leader.view.ordersLed).to.equal(1)
      await world.control.replaceOrders(held, withHold(held, { ...hold([shardId(0)]), beat: 1 }))
      await leader.turn()
      expect(leader.view.ordersLed, 'a beat').to.be.greaterThan(1)
    })

    it('are the same for the leader that comes next, and lapse a minute after that has seen them', async () => {
      const world = await World.withLeases(2)
      await world.join('ab')
      await world.settled()
      await world.control.replaceOrders(NO_ORDERS, withHold(NO_ORDERS, hold('all')))
      const next = world.view(2, 'b')
      await next.view.inherit()
      await world.pass(57_000, next)
      expect(await world.shares('ab')).to.deep.equal([0, 0])
      await world.pass(9_000, next)
      expect(await world.shares('ab')).to.deep.equal([1, 1])
      expect((await world.control.orders()).holds).to.deep.equal([])
    })

    it('count for nothing where workers of another kind would take what is let go of', async () => {
      const world = await World.withLeases(4, number => (number === 3 ? { owner: 'java-worker' } : {}))
      await world.join('ab')
      const leader = await world.settled()
      const before = await world.shares('ab')
      await world.control.replaceOrders(NO_ORDERS, withHold(NO_ORDERS, hold([shardId(0), shardId(1)])))
      await world.pass(9_000, leader)
      expect(await world.shares('ab')).to.deep.equal(before)
      expect(before.reduce((a, b) => a + b)).to.be.greaterThan(2)
    })
  })

  describe('reading the leases', () => {
    it('reads none while nothing changes, for five minutes', async () => {
      const world = await World.withLeases(6)
      await world.join('abc')
      const leader = await world.settled()
      leader.view.lookAtLeases()
      await leader.turn()
      const scans = leader.scans()
      const posts = postsOf(leader)
      await world.pass(fullScanMs - heartbeatMs, leader)
      expect(leader.scans()).to.equal(scans)
      await world.pass(2 * heartbeatMs, leader)
      expect(leader.scans()).to.equal(scans + 1)
      expect(postsOf(leader), 'nothing to be told').to.equal(posts)
    })

    const changes: readonly (readonly [string, (world: World) => void | Promise<void>])[] = [
      ['an event of a session', world => world.say('b', { evt: 1 })],
      ['a mailbox that was carried out', world => world.say('b', { applied: 7 })],
      ['a session that stops', world => world.say('b', { state: 'DRAINING' })],
      ['a session that joins', world => world.join('d')],
      ['a lease that cannot be taken', world => world.say('b', { avoid: [shardId(0)] })],
      ['another capacity', world => world.say('b', { capacity: 2 })],
      ['another limit', world => world.say('b', { maxLeases: 1 })]
    ]
    for (const [what, happens] of changes) {
      it(`reads them once after ${what}`, async () => {
        const world = await World.withLeases(6)
        await world.join('abc')
        const leader = await world.settled()
        const scans = leader.scans()
        await happens(world)
        await world.pass(heartbeatMs, leader)
        expect(leader.scans()).to.equal(scans + 1)
        await world.pass(2 * heartbeatMs, leader)
        expect(leader.scans()).to.equal(scans + 1)
      })
    }

    it('reads them strongly consistent, and again with the next turn after that has failed', async () => {
      const world = await World.withLeases(6)
      await world.join('ab')
      const leader = await world.settled()
      const { list } = leader.store
      const consistent: (boolean | undefined)[] = []
      leader.store.list = options => {
        consistent.push(options?.consistent)
        return list(options)
      }
      world.say('b', { evt: 1 })
      let scans = 0
      leader.store.faults = ({ name }) => (name === 'list' && scans++ === 0 ? { kind: 'throttled' } : undefined)
      await world.beat()
      expect(await failure(leader.turn())).to.include({ code: 'THROTTLED' })
      await world.pass(heartbeatMs, leader)
      expect((await world.mailbox('b'))?.evt).to.equal(1)
      await world.pass(heartbeatMs, leader)
      expect(consistent).to.deep.equal([true, true])
    })

    it('reads them when it is told that something about them has changed', async () => {
      const world = await World.withLeases(2)
      await world.join('ab')
      const leader = await world.settled()
      await world.create(2)
      await leader.turn()
      expect(await world.shares('ab')).to.deep.equal([1, 1])
      leader.view.lookAtLeases()
      await leader.turn()
      expect(await world.shares('ab')).to.deep.equal([2, 1])
    })
  })

  describe('certificates', () => {
    it('writes one for who is silent for the duration, and gives away what it held in the same turn', async () => {
      const world = await World.withLeases(9)
      await world.join('abc')
      const leader = await world.settled()
      const sinceMs = world.clock.monotonicMs()
      world.silence('b')
      while (leader.told.length === 0) await world.pass(heartbeatMs, leader)
      expect(world.clock.monotonicMs() - sinceMs).to.be.within(durationMs, durationMs + 2 * heartbeatMs)
      expect(leader.told[0]).to.equal(`certified ${session('b')} silent`)
      expect((await world.control.member(session('b')))?.dead).to.equal('silent')
      expect((await world.shares('ac')).reduce((a, b) => a + b)).to.equal(9)
      for (const heir of ['a', 'c']) {
        expect(await world.mailbox(heir)).to.deep.include({ dead: [session('b')], wait: [] })
      }
    })

    it('writes none for who is heard again in the last moment', async () => {
      const world = await World.withLeases(2)
      await world.join('ab')
      const leader = await world.settled()
      const asleep = world.beating.get(session('b'))
      world.silence('b')
      leader.control.certify = async (id, hb, how) => {
        const { hb: last = 0, ...member } = asleep ?? {}
        await world.control.beat({ ...member, session: id, ack: last } as never, last + 1)
        return world.control.certify(id, hb, how)
      }
      await world.pass(durationMs + 2 * heartbeatMs, leader)
      expect(leader.told).to.deep.equal([])
      expect(await world.shares('ab')).to.deep.equal([1, 1])
    })

    it('finds its own certificate whose answer was lost', async () => {
      const world = await World.withLeases(6)
      await world.join('abc')
      const leader = await world.settled()
      world.silence('b')
      leader.control.faults = ({ name }) => (name === 'certify' ? { kind: 'lost-answer' } : undefined)
      expect(await failure(world.pass(30_000, leader))).to.include({ kind: 'timeout' })
      await leader.turn()
      expect((await world.shares('ac')).reduce((a, b) => a + b)).to.equal(6)
    })

    it('lets nobody claim from who hears no answers, before that one must have stopped', async () => {
      const world = await World.withLeases(6)
      await world.join('abc')
      const leader = await world.settled()
      const { hb: ack = 0, asgVer: _, ...report } = world.beating.get(session('b')) ?? expect.fail('b is not there')
      world.silence('b')
      // It goes on beating, and has not seen an answer since.
      let hb = ack
      const babble = async (): Promise<void> => {
        await world.control.beat({ ...report, ack }, ++hb)
        await world.pass(heartbeatMs, leader)
      }
      for (let turn = 0; turn < 20 && leader.told.length === 0; turn++) await babble()
      expect(leader.told[0]).to.equal(`certified ${session('b')} deaf`)
      const deadAtMs = world.clock.monotonicMs()
      while (!(await world.mailbox('a'))?.dead.includes(session('b'))) await world.pass(heartbeatMs, leader)
      expect(world.clock.monotonicMs() - deadAtMs).to.be.within(durationMs, durationMs + 2 * heartbeatMs)
    })

    it('forgets the dead after ten minutes, those apart whose leases nobody has claimed', async () => {
      const world = await World.withLeases(6)
      await world.join('abc')
      const leader = await world.settled()
      await world.change(0, lease => claimed(lease, session('c')))
      world.silence('bc')
      await world.pass(300_000, leader)
      await world.change(1, lease => claimed(lease, session('a')))
      for (let number = 1; number < 6; number++) {
        await world.change(number, lease => claimed(lease, session('a')))
      }
      const known = async (): Promise<string[]> =>
        (await world.control.members()).map(({ workerId }) => workerId).sort()
      await world.pass(290_000, leader)
      expect(await known()).to.deep.equal(['a', 'b', 'c'])
      await world.pass(600_000, leader)
      expect(await known()).to.deep.equal(['a', 'c'])
      expect(await world.mailbox('b')).to.equal(undefined)
      await world.change(0, lease => claimed(lease, session('a')))
      await world.pass(600_000, leader)
      expect(await known()).to.deep.equal(['a'])
      expect((await world.control.mailboxes()).length).to.equal(1)
    })
  })

  describe('mailboxes', () => {
    it('counts their versions up across leaders', async () => {
      const world = await World.withLeases(6)
      await world.join('ab')
      const first = await world.settled()
      const before = await world.mailbox('b')
      expect(before).to.include({ term: 1 })
      const second = world.view(2, 'b')
      await second.view.inherit()
      await world.join('c')
      await world.pass(30_000, second)
      const after = await world.mailbox('b')
      expect(after).to.include({ term: 2 })
      expect(after?.ver).to.be.greaterThan(before?.ver ?? 0)
      expect(first.told).to.deep.equal([])
    })

    it('writes nothing as a new leader where everything is as it should be', async () => {
      const world = await World.withLeases(6)
      await world.join('ab')
      await world.settled()
      const before = await world.control.mailboxes()
      const second = await world.settled(2, 'b')
      expect(postsOf(second)).to.equal(0)
      expect(await world.control.mailboxes()).to.deep.equal(before)
    })

    for (const kind of ['lost-answer', 'lost-request', 'throttled'] as const) {
      it(`writes one again, in a later version, that had no answer (${kind})`, async () => {
        const world = await World.withLeases(6)
        await world.join('ab')
        const leader = await world.settled()
        const { ver = 0 } = (await world.mailbox('b')) ?? {}
        const faults: (Fault | undefined)[] = [{ kind }]
        leader.control.faults = ({ name, session: id }) =>
          name === 'post' && id === session('b') ? faults.shift() : undefined
        world.say('b', { evt: 1 })
        world.say('a', { evt: 1 })
        await world.beat()
        await world.clock.advance(heartbeatMs)
        expect(await failure(leader.turn())).to.be.an('error')
        expect((await world.mailbox('a'))?.evt, 'the others have theirs').to.equal(1)
        expect(leader.view.nextTurnInMs(), 'soon').to.equal(hurryMs / 4)
        await leader.turn()
        const after = await world.mailbox('b')
        expect(after).to.include({ evt: 1 })
        expect(after?.ver).to.be.at.least(ver + (kind === 'lost-answer' ? 1 : 2))
        expect((await world.control.member(session('b')))?.asgVer).to.equal(after?.ver)
      })
    }

    it('writes 20 at once', async () => {
      const world = await World.withLeases(50)
      const everybody = Array.from({ length: 50 }, (_, index) => String.fromCodePoint(0x4e00 + index)).join('')
      await world.join(`a${everybody}`)
      const leader = world.view()
      let most = 0
      let atOnce = 0
      const { post } = leader.control
      leader.control.post = async mailbox => {
        most = Math.max(most, ++atOnce)
        await Promise.resolve()
        return post(mailbox).finally(() => atOnce--)
      }
      await leader.view.inherit()
      await world.pass(30_000, leader)
      expect(most).to.equal(20)
      expect(await world.control.mailboxes()).to.have.length(50)
    })

    it('has no effect as an earlier leader on who was told something since', async () => {
      const world = await World.withLeases(6)
      await world.join('ab')
      const first = await world.settled()
      const second = await world.settled(2, 'b')
      world.say('a', { evt: 1 })
      await world.pass(heartbeatMs, second)
      const inForce = await world.mailbox('a')
      expect(inForce).to.include({ term: 2, evt: 1 })
      world.say('a', { evt: 2 })
      await world.pass(heartbeatMs, first)
      expect(await world.mailbox('a')).to.deep.equal(inForce)
    })

    /** What a leader that stood still writes when it wakes, to those who were told nothing since. */
    const late = (before: Mailbox | undefined, leases: readonly number[]): Mailbox => {
      if (before === undefined) throw new Error('no mailbox')
      return { ...before, ver: before.ver + 1, leases: leases.map(shardId) }
    }

    it('puts right what an earlier leader has written meanwhile', async () => {
      const world = await World.withLeases(6)
      await world.join('abc')
      await world.settled()
      const second = await world.settled(2, 'b')
      const shares = await world.shares('abc')
      const [given, ...rest] = await world.listed('c')
      expect(await world.control.post(late(await world.mailbox('c'), rest))).to.equal(true)
      await world.change(given ?? 0, released)
      await world.pass(2 * heartbeatMs, second)
      expect(await world.shares('abc')).to.deep.equal(shares)
      expect(await world.mailbox('c')).to.include({ term: 2 })
    })

    it('is not kept from telling somebody by a version that an earlier leader has used meanwhile', async () => {
      const world = await World.withLeases(6)
      await world.join('abc')
      await world.settled()
      const second = await world.settled(2, 'b')
      const { members } = second.control
      second.control.members = async signal => {
        const seen = await members(signal)
        second.control.members = members
        const stale = late(await world.mailbox('c'), [])
        await world.control.post(stale)
        await world.control.post({ ...stale, ver: stale.ver + 1 })
        return seen
      }
      world.say('c', { evt: 1 })
      await world.beat()
      await second.turn()
      await world.clock.advance(second.view.nextTurnInMs())
      await second.turn()
      expect(await world.mailbox('c')).to.include({ term: 2, evt: 1 })
      expect((await world.shares('c'))[0]).to.equal(2)
    })
  })

  describe('workers of another kind', () => {
    it('tells of them once, and changes the fleet to mixed by its mailboxes', async () => {
      const world = await World.withLeases(8)
      await world.join('ab')
      const leader = await world.settled()
      await world.change(0, lease => claimed(lease, 'java-1'))
      await world.pass(fullScanMs + heartbeatMs, leader)
      for (const workerId of ['a', 'b']) expect((await world.mailbox(workerId))?.mode, workerId).to.equal('mixed')
      await world.change(1, lease => claimed(lease, 'java-1'))
      await world.pass(durationMs, leader)
      expect(leader.told.filter(line => line.startsWith('foreigners'))).to.deep.equal(['foreigners java-1'])
      await world.change(2, lease => claimed(lease, 'java-2'))
      await world.pass(durationMs, leader)
      expect(leader.told.filter(line => line.startsWith('foreigners'))).to.deep.equal([
        'foreigners java-1',
        'foreigners java-1,java-2'
      ])
    })

    it('stays mixed for a while when they have gone, also under the next leader', async () => {
      const world = await World.withLeases(8, number => (number === 0 ? { owner: 'java-1', counter: 3 } : {}))
      await world.join('ab')
      const leader = world.view()
      await leader.view.inherit()
      await world.pass(20_000, leader)
      await world.change(0, released)
      await world.pass(60_000, leader)
      expect((await world.mailbox('b'))?.mode).to.equal('mixed')
      const next = await world.settled(2, 'b')
      await world.join('c')
      await world.pass(60_000, next)
      expect((await world.mailbox('c'))?.mode).to.equal('mixed')
      expect(next.told.filter(line => line.startsWith('foreigners'))).to.deep.equal([])
    })

    it('goes back to solo ten minutes after it saw the last of them, and not if its options say mixed', async () => {
      for (const mode of ['solo', 'mixed'] as const) {
        const world = await World.withLeases(8, number => (number === 0 ? { owner: 'java-1', counter: 3 } : {}))
        await world.join('ab')
        const leader = world.view(1, 'a', { mode })
        await leader.view.inherit()
        await world.pass(20_000, leader)
        await world.change(0, released)
        await world.pass(590_000, leader)
        expect((await world.mailbox('b'))?.mode).to.equal('mixed')
        await world.pass(40_000, leader)
        expect((await world.mailbox('b'))?.mode).to.equal(mode)
      }
    })

    it('lets their leases be claimed once they have not moved for the duration, as it watched', async () => {
      const world = await World.withLeases(4, number => (number < 2 ? { owner: 'java-1', counter: 3 } : {}))
      await world.join('a')
      const leader = world.view(1, 'a', { mode: 'mixed' })
      await leader.view.inherit()
      const sinceMs = world.clock.monotonicMs()
      await world.pass(2 * heartbeatMs, leader)
      await world.change(1, lease => ({ ...lease, counter: 4 }))
      const movedAtMs = world.clock.monotonicMs()
      while (!(await world.mailbox('a'))?.dead.includes('java-1')) await world.pass(heartbeatMs, leader)
      const nowMs = world.clock.monotonicMs()
      expect(nowMs - sinceMs).to.be.greaterThan(durationMs + heartbeatMs)
      expect(nowMs - movedAtMs).to.be.within(durationMs, durationMs + 3 * heartbeatMs)
      expect(await world.listed('a')).to.deep.equal([0, 1, 2, 3])
    })

    it('takes nobody for one who only stands in the row of a finished shard', async () => {
      const world = await World.withLeases(4)
      await world.join('a')
      const { owner: _, ...over } = finished(claimed((await world.table.get(shardId(0))) as never, 'java-1'), [])
      await world.change(0, () => ({ ...over, owner: 'java-1' }))
      const leader = await world.settled()
      expect((await world.mailbox('a'))?.mode).to.equal('solo')
      expect(leader.told).to.deep.equal([])
    })
  })

  it('tells of leases that nobody may take once that has been so for three durations', async () => {
    const world = await World.withLeases(5)
    await world.join('a', { maxLeases: 3 })
    const leader = world.view()
    await leader.view.inherit()
    const sinceMs = world.clock.monotonicMs()
    while (!leader.unassigned.some(keys => keys.length > 0)) await world.pass(heartbeatMs, leader)
    expect(world.clock.monotonicMs() - sinceMs).to.be.within(3 * durationMs, 5 * durationMs)
    expect(leader.unassigned.at(-1)).to.deep.equal([3, 4])
    expect(leader.plans[0]).to.include({ leases: 5, moves: 3, unassigned: 2 })
    await world.join('b')
    await world.pass(durationMs, leader)
    expect(leader.unassigned.at(-1)).to.deep.equal([])
    expect(await world.shares('ab')).to.deep.equal([3, 2])
  })

  it('plans with its next turn what it could not plan because it did not hear what the leases carry', async () => {
    const world = await World.withLeases(6)
    await world.join('abc')
    const leader = await world.settled(1, 'a', { strategy: 'weight' })
    world.silence('b')
    const faults: (Fault | undefined)[] = [{ kind: 'throttled' }]
    leader.control.faults = ({ name }) => (name === 'loads' ? faults.shift() : undefined)
    expect(await failure(world.pass(30_000, leader))).to.include({ code: 'THROTTLED' })
    expect(leader.view.nextTurnInMs()).to.equal(hurryMs / 4)
    await leader.turn()
    expect(await world.shares('ac')).to.deep.equal([3, 3])
  })

  it('tells once of a plan that could not be written at once', async () => {
    const world = await World.withLeases(6)
    await world.join('abc')
    const leader = await world.settled()
    const faults: (Fault | undefined)[] = [{ kind: 'throttled' }, { kind: 'throttled' }]
    world.say('b', { state: 'DRAINING' })
    leader.control.faults = ({ name }) => (name === 'post' ? faults.shift() : undefined)
    expect(await failure(world.pass(heartbeatMs, leader))).to.include({ code: 'THROTTLED' })
    await world.pass(2 * heartbeatMs, leader)
    expect(leader.plans.map(({ moves }) => moves)).to.deep.equal([2])
    expect(await world.shares('ac')).to.deep.equal([3, 3])
  })

  it('asks what the leases carry only if they are balanced by it', async () => {
    for (const strategy of ['count', 'weight'] as const) {
      const world = await World.withLeases(6)
      await world.join('ab')
      const loads = Object.fromEntries([100, 0, 0, 0, 0, 0].map((load, number) => [shardId(number), load]))
      await world.control.reportLoads(session('a'), loads)
      const leader = await world.settled(1, 'a', { strategy })
      const asked = leader.control.calls.filter(({ name }) => name === 'loads').length
      expect(asked > 0, strategy).to.equal(strategy === 'weight')
      const shares = (await world.shares('ab')).sort()
      expect(shares, strategy).to.deep.equal(strategy === 'count' ? [3, 3] : [1, 5])
    }
  })
})
