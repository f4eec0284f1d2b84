import { expect } from 'chai'
import type { ControlCall } from '../support/flaky-control-store.ts'
import type { Fault } from '../support/flaky-store.ts'
import { CoordinatorWorld, SETTINGS, type TestWorker } from './coordinator-world.ts'

const HANGS: Fault = { kind: 'hangs' }
const isBeat = ({ name }: ControlCall): boolean => name === 'beat'

/** The worker hears no answers any more. */
const cutOff = ({ control, store }: TestWorker): void => {
  control.faults = () => ({ kind: 'lost-request', afterMs: 500 })
  store.faults = () => ({ kind: 'lost-request', afterMs: 500 })
}
const reconnect = ({ control, store }: TestWorker): void => {
  control.faults = () => undefined
  store.faults = () => undefined
}

/** A leader found the worker silent. */
async function certify(world: CoordinatorWorld, session: string): Promise<void> {
  const { hb = 0 } = (await world.control.member(session)) ?? {}
  expect(await world.control.certify(session, hb, 'silent')).to.equal(true)
}

describe('LeaseCoordinator and its sessions', () => {
  describe('whose session is dead', () => {
    it('lets go of everything, and begins another session', async () => {
      const world = await CoordinatorWorld.withLeases(3)
      const a = await world.holding('a', [0, 1])
      const before = a.session()
      const tenure = a.tenure(0)
      await certify(world, before)
      await world.clock.advance(SETTINGS.heartbeatMs)
      expect(a.told).to.deep.equal(['ended 0 lost', 'ended 1 lost', 'died silent', 'began true'])
      expect([tenure.hasEnded, tenure.isValid(), a.held()]).to.deep.equal([true, false, []])
      expect(a.session())
        .to.match(/^a\/[0-9a-z]{8}$/)
        .and.not.equal(before)
      expect(await world.member(a)).to.include({ evt: 0, applied: 0 })
      expect(await world.row(0), 'nobody writes for a dead session').to.include({ owner: before, counter: 1 })
    })

    it('carries out the mailbox of its new session, and nothing of the old one', async () => {
      const world = await CoordinatorWorld.withLeases(3)
      const a = await world.holding('a', [0, 1])
      const before = a.session()
      await world.control.post({
        ...{ session: before, ver: 9, term: 1, mode: 'solo', evt: 0 },
        ...{ leases: ['shardId-000000000002'], wait: [], dead: [before], steal: [] }
      })
      await certify(world, before)
      await world.clock.advance(20_000)
      expect(a.held()).to.deep.equal([])
      await world.post(a, { leases: [0], dead: [before] })
      await world.clock.advance(SETTINGS.hurryMs * 1.1)
      expect(a.told.slice(-1)).to.deep.equal(['taken 0 dead'])
      expect(await world.row(0)).to.include({ owner: a.session(), counter: 2 })
      expect(await world.member(a)).to.include({ asgVer: 1 })
    })

    it('hears at once of the mailbox of its new session', async () => {
      const world = await CoordinatorWorld.withLeases(1)
      const a = await world.started('a')
      await world.clock.advance(60_000)
      await certify(world, a.session())
      await world.clock.advanceUntil(() => a.told.includes('began true'))
      await world.clock.advance(SETTINGS.heartbeatMs)
      await world.post(a, { leases: [0] })
      await world.clock.advance(SETTINGS.hurryMs * 1.1)
      expect(a.held()).to.deep.equal([0])
    })

    it('takes no notice of a mailbox that was read for the session before', async () => {
      const world = await CoordinatorWorld.withLeases(2)
      const a = await world.holding('a', [0])
      const before = a.session()
      a.control.faults = ({ name }) => (name === 'mailbox' ? { kind: 'none', delayMs: 5_000 } : undefined)
      await world.post(a, { leases: [0, 1] })
      await world.clock.advance(SETTINGS.heartbeatMs)
      await certify(world, before)
      await world.clock.advance(10_000)
      expect(a.told).to.deep.equal(['ended 0 lost', 'died silent', 'began true'])
      expect(a.held()).to.deep.equal([])
    })

    it('finishes no claim under the session before', async () => {
      const world = await CoordinatorWorld.withLeases(40)
      const a = await world.started('a')
      const before = a.session()
      a.store.faults = ({ name }) => ({ kind: 'none', delayMs: name === 'get' ? 4_000 : 0 })
      await world.post(a, { leases: Array.from({ length: 40 }, (_, number) => number) })
      await world.clock.advance(1_000)
      await certify(world, before)
      await world.clock.advance(20_000)
      expect(a.held()).to.deep.equal([])
      const { leases } = await world.table.list()
      expect(leases.every(({ owner }) => owner === undefined)).to.equal(true)
    })

    it('says in its new session what it avoids, and whether it was told to stop', async () => {
      const world = await CoordinatorWorld.withLeases(1)
      const a = await world.started('a')
      a.coordinator.avoid('shardId-000000000007', 60_000)
      await certify(world, a.session())
      await world.clock.advance(SETTINGS.heartbeatMs)
      expect((await world.member(a)).avoid).to.deep.equal(['shardId-000000000007'])
      await world.pass(a.coordinator.stopClaiming('DRAINING'))
      await certify(world, a.session())
      await world.clock.advance(SETTINGS.heartbeatMs)
      expect(a.coordinator.session, 'none begins in a worker that stops').to.equal(undefined)
    })
  })

  describe('whose session is suspended', () => {
    it('keeps what it holds, claims nothing, and goes on when it is heard again', async () => {
      const world = await CoordinatorWorld.withLeases(2, {})
      const a = await world.holding('a', [0])
      await world.post(a, { leases: [0, 1], wait: [1] })
      await world.change(1, lease => ({ ...lease, owner: 'b/00000001', counter: 1 }))
      await world.clock.advance(3_000)
      a.control.faults = call => (isBeat(call) ? { kind: 'lost-request', afterMs: 500 } : undefined)
      await world.clock.advance(SETTINGS.validMs + SETTINGS.hurryMs)
      expect(a.told.filter(line => !line.startsWith('failed'))).to.deep.equal(['suspended'])
      const { owner: _, ...free } = (await world.row(1)) ?? expect.fail('no row')
      await world.change(1, () => ({ ...free, counter: 2 }))
      const calls = a.store.calls.length
      await world.clock.advance(5_000)
      expect([a.held(), a.tenure(0).isValid(), a.tenure(0).hasEnded]).to.deep.equal([[0], false, false])
      expect(a.store.calls.length).to.equal(calls)
      reconnect(a)
      await world.clock.advance(5_000)
      expect(a.told.filter(line => !line.startsWith('failed'))).to.deep.equal([
        'suspended',
        'resumed',
        'taken 1 unowned'
      ])
      expect(a.tenure(0).isValid()).to.equal(true)
    })

    it('finds that out by itself, also where nobody asks', async () => {
      const world = await CoordinatorWorld.withLeases(1)
      const a = await world.holding('a', [0])
      const { lapse } = a.tenure(0)
      cutOff(a)
      await world.clock.advance(SETTINGS.validMs + 20)
      expect(lapse.aborted).to.equal(true)
      expect(a.told).to.include('suspended')
    })
  })

  describe('whose mailbox cannot be read', () => {
    const faults: readonly Fault[] = [{ kind: 'lost-request' }, { kind: 'lost-answer' }, { kind: 'throttled' }]
    for (const fault of faults) {
      it(`tries again within about a second, also if it had nothing to do before (${fault.kind})`, async () => {
        const world = await CoordinatorWorld.withLeases(2)
        const a = await world.holding('a', [0])
        await world.clock.advance(60_000)
        let reads = 0
        a.control.faults = ({ name }) => (name === 'mailbox' && reads++ === 0 ? fault : undefined)
        await world.post(a, { leases: [0, 1] })
        await world.clock.advanceUntil(() => reads > 0)
        await world.clock.advance(SETTINGS.hurryMs * 1.1)
        expect(a.told).to.deep.equal(['failed carry out the mailbox', 'taken 1 unowned'])
      })
    }

    it('keeps what it holds meanwhile', async () => {
      const world = await CoordinatorWorld.withLeases(2)
      const a = await world.holding('a', [0])
      a.control.faults = ({ name }) => (name === 'mailbox' ? { kind: 'throttled' } : undefined)
      await world.post(a, { leases: [1] })
      await world.clock.advance(30_000)
      expect(a.held()).to.deep.equal([0])
      reconnect(a)
      await world.clock.advance(5_000)
      expect(a.held()).to.deep.equal([0, 1])
      expect(a.told.filter(line => !line.startsWith('failed'))).to.deep.equal(['taken 1 unowned', 'revoked 0'].sort())
    })

    it('looks again with the next heartbeat where a mailbox is older than was told', async () => {
      const world = await CoordinatorWorld.withLeases(2)
      const a = await world.holding('a', [0])
      const old = await world.control.mailbox(a.session())
      const { mailbox } = a.control
      let reads = 0
      a.control.mailbox = async session => (reads++ < 2 ? old : mailbox(session))
      await world.post(a, { leases: [0, 1] })
      await world.clock.advanceUntil(() => reads > 0)
      await world.clock.settle()
      expect(reads, 'it does not insist').to.equal(1)
      await world.clock.advance(2 * SETTINGS.heartbeatMs)
      expect(a.held()).to.deep.equal([0, 1])
      expect(reads).to.equal(3)
    })

    it('carries out a newer mailbox once only, however often it is told of it', async () => {
      const world = await CoordinatorWorld.withLeases(1)
      const a = await world.holding('a', [0])
      const reads = (): number => a.control.calls.filter(({ name }) => name === 'mailbox').length
      const before = reads()
      await world.post(a, { leases: [0] })
      a.coordinator.heard(a.session(), 1)
      a.coordinator.heard(a.session(), 2)
      a.coordinator.heard(a.session(), 2)
      a.coordinator.heard('a/00000000', 7)
      await world.clock.advance(30_000)
      expect(reads() - before).to.equal(1)
    })
  })

  describe('that stops', () => {
    it('says so at once, each second from then on, and claims nothing any more', async () => {
      for (const state of ['DRAINING', 'RESTARTING'] as const) {
        const world = await CoordinatorWorld.withLeases(2)
        const a = await world.holding('a', [0])
        await world.pass(a.coordinator.stopClaiming(state))
        await world.pass(a.coordinator.stopClaiming('DRAINING'))
        await world.clock.settle()
        expect(await world.member(a)).to.include({ state, evt: 1 })
        await world.post(a, { leases: [0, 1] })
        const beats = a.control.calls.filter(isBeat).length
        await world.clock.advance(10_000)
        expect(a.control.calls.filter(isBeat).length - beats).to.be.within(10, 11)
        expect([a.held(), a.told]).to.deep.equal([[0], []])
        await world.post(a, { leases: [] })
        await world.clock.advance(2_000)
        expect(a.told, 'the leader has found another worker').to.deep.equal(['revoked 0'])
      }
    })

    it('has stopped claiming once the claims under way are over, those of children included', async () => {
      const world = await CoordinatorWorld.withLeases(3)
      const a = await world.holding('a', [0])
      a.store.faults = ({ name }) => ({ kind: 'none', delayMs: name === 'replace' ? 2_000 : 0 })
      await world.post(a, { leases: [0, 1] })
      await world.clock.advanceUntil(() => a.store.calls.some(({ leaseKey }) => leaseKey?.endsWith('1')))
      await world.clock.advance(500)
      const adopting = a.coordinator.adopt(['shardId-000000000002'])
      await world.clock.settle()
      let isOver = false
      const stopping = a.coordinator.stopClaiming('DRAINING').then(() => {
        isOver = true
      })
      await world.clock.advance(1_900)
      expect([isOver, a.held()]).to.deep.equal([false, [0, 1]])
      await world.clock.advance(200)
      await Promise.all([stopping, adopting])
      expect([isOver, a.held()]).to.deep.equal([true, [0, 1, 2]])
      await a.coordinator.adopt(['shardId-000000000003'])
      expect(a.held()).to.deep.equal([0, 1, 2])
    })

    it('leaves the fleet when it is closed, and leaves no timers', async () => {
      const world = await CoordinatorWorld.withLeases(2)
      const a = await world.holding('a', [0])
      const session = a.session()
      await world.pass(a.coordinator.stopClaiming('DRAINING'))
      await world.pass(a.coordinator.close())
      expect(await world.fateOf(session)).to.deep.equal(['DRAINING', 'left'])
      expect([a.told, a.held()]).to.deep.equal([['ended 0 lost'], []])
      expect(await world.row(0)).to.include({ owner: session })
      expect(world.clock.sleeping).to.equal(0)
    })

    it('says nothing when it is abandoned, and leaves no timers', async () => {
      const world = await CoordinatorWorld.withLeases(2)
      const a = await world.holding('a', [0])
      const session = a.session()
      a.coordinator.abandon()
      await world.clock.settle()
      expect(await world.fateOf(session)).to.deep.equal(['ACTIVE', undefined])
      expect(a.told).to.deep.equal(['ended 0 lost'])
      expect(world.clock.sleeping).to.equal(0)
      const beats = a.control.calls.length
      await world.clock.advance(60_000)
      expect(a.control.calls.length).to.equal(beats)
    })

    for (const how of ['close', 'abandon'] as const) {
      it(`starts nothing that goes on after ${how}, which did not wait for the start`, async () => {
        const world = await CoordinatorWorld.withLeases(1)
        const a = world.worker('a')
        a.control.faults = ({ name }) => (name === 'join' ? { kind: 'none', delayMs: 1_000 } : undefined)
        const starting = a.coordinator.start()
        await world.clock.advance(500)
        const ending = a.coordinator[how]()
        await world.clock.advance(5_000)
        await Promise.all([starting, ending])
        expect([a.told, world.clock.sleeping]).to.deep.equal([[], 0])
      })

      it(`ends in the middle of claims and of reading its mailbox with ${how}`, async () => {
        for (const name of ['mailbox', 'get', 'replace']) {
          const world = await CoordinatorWorld.withLeases(50)
          const a = await world.started('a')
          const slow: Fault = { kind: 'none', delayMs: 5_000 }
          a.control.faults = call => (call.name === name ? slow : undefined)
          a.store.faults = call => (call.name === name ? slow : undefined)
          await world.post(a, { leases: Array.from({ length: 50 }, (_, number) => number) })
          await world.clock.advance(2_000)
          const ending = a.coordinator[how]()
          await world.clock.advance(10_000)
          await ending
          expect(a.held(), name).to.deep.equal([])
          expect(world.clock.sleeping, name).to.equal(0)
        }
      })
    }

    it('ends while a new session is about to begin', async () => {
      const world = await CoordinatorWorld.withLeases(1)
      const a = await world.holding('a', [0])
      await certify(world, a.session())
      a.control.faults = ({ name }) => (name === 'join' ? HANGS : undefined)
      await world.clock.advance(10_000)
      await world.pass(a.coordinator.close())
      await world.clock.advance(10_000)
      expect(world.clock.sleeping).to.equal(0)
      expect(a.told.filter(line => line.startsWith('began'))).to.deep.equal([])
    })
  })
})
