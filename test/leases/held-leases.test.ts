import { expect } from 'chai'
import type { ClaimOutcome } from '../../src/leases/held-leases.ts'
import { ServiceError } from '../../src/model/errors.ts'
import { claimed, finished, type Lease, released } from '../../src/model/lease.ts'
import { LATEST } from '../../src/model/sequence-number.ts'
import { aLease, aPosition, shardId } from '../support/builders.ts'
import { scripted } from '../support/flaky-store.ts'
import { VALID_MS } from '../support/heart.ts'
import { MAILBOX, ME, NOW_MS, HeldLeasesWorld as World } from './held-leases-world.ts'

describe('HeldLeases', () => {
  describe('claim', () => {
    const table: readonly (readonly [string, number, Partial<Lease>, string])[] = [
      ['that nobody has', 0, {}, 'unowned'],
      ['whose row names this session', 0, { owner: ME, counter: 5 }, 'ours'],
      ['of a dead session', 0, { owner: 'dead/1', counter: 5 }, 'dead'],
      ['that is to be taken from a worker of another kind', 9, { owner: 'java', counter: 5 }, 'stolen']
    ]
    for (const [what, number, with_, why] of table) {
      it(`takes a lease ${what}, and counts the row up`, async () => {
        const world = new World()
        const { counter } = await world.create(number, with_)
        expect(await world.claim(number)).to.equal('claimed')
        expect(await world.row(number)).to.include({ owner: ME, counter: counter + 1 })
        expect(world.told).to.deep.equal([`taken ${number} ${why}`])
        const tenure = world.held.get(shardId(number))
        expect(tenure?.lease).to.deep.equal(await world.row(number))
        expect(world.held.all()).to.deep.equal([tenure])
      })
    }

    it('leaves a lease to whoever may be alive, and tells a shard that is over from it', async () => {
      const world = new World()
      await world.create(0, { owner: 'other/1' })
      await world.create(1, finished(aLease({ leaseKey: shardId(1), shardId: shardId(1) }), []))
      expect(await world.claim(0)).to.equal('owned')
      expect(await world.claim(1)).to.equal('over')
      expect(await world.claim(2)).to.equal('over')
      expect([world.writes(), world.told, world.held.all()]).to.deep.equal([0, [], []])
    })

    it('pins a lease that begins with what comes from now on, by the clock of the service', async () => {
      const world = new World()
      await world.create(0, { checkpoint: LATEST })
      await world.claim(0)
      expect(await world.row(0)).to.include({ startTimestampMs: NOW_MS })
      expect(world.held.get(shardId(0))?.lease).to.include({ startTimestampMs: NOW_MS })
    })

    it('has one tenure of a lease at a time', async () => {
      const world = new World()
      await world.create(0)
      const both = await Promise.all([world.claim(0), world.claim(0), world.held.adopt(shardId(0))])
      expect(both).to.deep.equal(['claimed', 'busy', 'busy'])
      expect(await world.claim(0)).to.equal('busy')
      expect(await world.row(0)).to.include({ counter: 1 })
      expect(world.told).to.deep.equal(['taken 0 unowned'])
    })

    it('makes another tenure once the one before has ended', async () => {
      const world = new World()
      const [before] = await world.hold(1)
      await before?.release()
      expect(world.held.all()).to.deep.equal([])
      expect(await world.claim(0)).to.equal('claimed')
      expect(world.held.get(shardId(0))).to.not.equal(before)
      expect(world.told).to.deep.equal(['ended 0 released', 'taken 0 unowned'])
    })

    it('leaves a lease alone whose shard is still being wound up here', async () => {
      const world = new World()
      await world.create(0)
      world.busy.add(shardId(0))
      expect(await world.claim(0)).to.equal('busy')
      expect(world.store.calls).to.deep.equal([])
    })

    it('claims nothing for another session than that alive, whose mailbox it is', async () => {
      const world = new World()
      await world.create(0)
      expect(await world.claim(0, { ...MAILBOX, session: 'me/0' })).to.equal('busy')
      world.session = undefined
      expect(await world.claim(0)).to.equal('busy')
      expect(world.writes()).to.equal(0)
    })

    it('claims nothing for a session that has died since the row was read', async () => {
      const world = new World()
      await world.create(0)
      world.store.faults = () => ({ kind: 'none', delayMs: 1_000 })
      const claiming = world.claim(0)
      await world.clock.advance(500)
      world.session = 'me/2'
      await world.clock.advance(500)
      expect(await claiming).to.equal('busy')
      expect(world.writes()).to.equal(0)
    })

    it('claims nothing while the session is suspended', async () => {
      const world = new World()
      await world.create(0)
      world.heart.silence()
      await world.clock.advance(VALID_MS)
      expect(await world.claim(0)).to.equal('busy')
      expect(world.writes()).to.equal(0)
      world.heart.beat()
      expect(await world.claim(0)).to.equal('claimed')
    })

    it('holds nothing for a session that died while the claim was under way', async () => {
      const world = new World()
      await world.create(0)
      world.store.faults = scripted({ kind: 'none', delayMs: 1_000 })
      const claiming = world.claim(0)
      await world.clock.settle()
      world.session = 'me/2'
      await world.clock.advance(1_000)
      expect(await claiming).to.equal('busy')
      expect([world.told, world.held.all()]).to.deep.equal([[], []])
      // The row is that of a dead session, which others will find out.
      expect(await world.row(0)).to.include({ owner: ME })
    })

    it('counts what was claimed from when the claim was sent', async () => {
      const world = new World()
      await world.create(0)
      world.store.faults = ({ name }) => ({ kind: 'none', delayMs: name === 'get' ? 500 : 1_500 })
      const claiming = world.claim(0)
      await world.clock.advance(2_000)
      expect(await claiming).to.equal('claimed')
      expect(world.held.get(shardId(0))?.sinceProofMs()).to.equal(1_500)
    })

    describe('of a row that has changed since it was read', () => {
      /** Reads the row and claims it a second later. */
      const slowly = (world: World): Promise<ClaimOutcome> => {
        world.store.faults = scripted({ kind: 'none', delayMs: 1_000 })
        return world.claim(0)
      }

      it('leaves the lease to whoever was faster', async () => {
        const world = new World()
        const row = await world.create(0)
        const claiming = slowly(world)
        await world.clock.advance(500)
        await world.table.replace(row, claimed(row, 'faster/1'))
        await world.clock.advance(500)
        expect(await claiming).to.equal('owned')
        expect(await world.row(0)).to.include({ owner: 'faster/1', counter: 1 })
        expect(world.told).to.deep.equal([])
      })

      it('knows an earlier claim of its own that landed late, and proves it by another', async () => {
        const world = new World()
        const row = await world.create(0)
        const claiming = slowly(world)
        await world.clock.advance(500)
        await world.table.replace(row, claimed(row, ME))
        await world.clock.advance(500)
        expect(await claiming).to.equal('claimed')
        expect(await world.row(0)).to.include({ owner: ME, counter: 2 })
        expect(world.held.get(shardId(0))?.lease).to.deep.equal(await world.row(0))
        expect(world.held.get(shardId(0))?.sinceProofMs()).to.equal(0)
      })

      it('gives up on a row that is ours and further on than one step', async () => {
        const world = new World()
        const row = await world.create(0)
        const claiming = slowly(world)
        await world.clock.advance(500)
        const ours = claimed(row, ME)
        await world.table.replace(row, ours)
        await world.table.replace(ours, claimed(ours, ME))
        await world.clock.advance(500)
        expect(await claiming).to.equal('owned')
        expect(await world.claim(0)).to.equal('claimed')
        expect(world.told).to.deep.equal(['taken 0 ours'])
      })

      it('gives up on a row that was deleted', async () => {
        const world = new World()
        const row = await world.create(0)
        const claiming = slowly(world)
        await world.clock.advance(500)
        await world.table.remove(row)
        await world.clock.advance(500)
        expect(await claiming).to.equal('owned')
        expect(await world.claim(0)).to.equal('over')
      })
    })

    for (const kind of ['lost-request', 'lost-answer', 'throttled'] as const) {
      it(`tells of a claim that fails, and has the lease at the next try (${kind})`, async () => {
        const world = new World()
        await world.create(0)
        world.store.faults = scripted({ kind })
        expect(await world.claim(0)).to.equal('busy')
        expect(await world.claim(0)).to.equal('claimed')
        const why = kind === 'lost-answer' ? 'ours' : 'unowned'
        expect(world.told).to.deep.equal(['failed claim a lease', `taken 0 ${why}`])
      })
    }

    it('rejects where trying again is pointless, and can be asked again all the same', async () => {
      const world = new World()
      await world.create(0)
      world.store.faults = scripted({ kind: 'refused-for-good' })
      expect(await world.claim(0).catch((error: unknown) => error)).to.be.instanceOf(ServiceError)
      expect(await world.claim(0)).to.equal('claimed')
    })

    it('keeps to maxLeases, claims under way included', async () => {
      const world = new World({ maxLeases: 3 })
      for (let number = 0; number < 5; number++) await world.create(number)
      expect(await world.claim(0)).to.equal('claimed')
      const outcomes = await Promise.all([1, 2, 3, 4].map(number => world.claim(number)))
      expect(outcomes.filter(outcome => outcome === 'claimed').length).to.be.lessThan(3)
      for (const number of [1, 2, 3, 4]) await world.claim(number)
      expect(world.held.all()).to.have.length(3)
      await world.held.get(shardId(0))?.release()
      for (const number of [1, 2, 3, 4]) await world.claim(number)
      expect(world.held.all()).to.have.length(3)
    })
  })

  describe('adopt', () => {
    const CHILD = 2

    /** A child of shards 0 and 1, of which the first is finished. */
    async function aMerge(with_: Partial<Lease> = {}): Promise<World> {
      const world = new World()
      await world.create(0, finished(aLease(), [shardId(CHILD)]))
      await world.create(CHILD, { parentShardIds: [shardId(0), shardId(1)], ...with_ })
      return world
    }

    it('takes a child whose parents are finished', async () => {
      const world = await aMerge()
      const other = { leaseKey: shardId(1), shardId: shardId(1) }
      await world.create(1, finished(aLease(other), [shardId(CHILD)]))
      expect(await world.held.adopt(shardId(CHILD))).to.equal('claimed')
      expect(world.told).to.deep.equal(['taken 2 child'])
      expect(await world.row(CHILD)).to.include({ owner: ME, counter: 1 })
    })

    it('takes a child whose other parent has no lease any more', async () => {
      const world = await aMerge()
      expect(await world.held.adopt(shardId(CHILD))).to.equal('claimed')
    })

    it('leaves a child alone whose other parent is not finished', async () => {
      const world = await aMerge()
      await world.create(1, { owner: 'other/1' })
      expect(await world.held.adopt(shardId(CHILD))).to.equal('owned')
      expect(world.writes()).to.equal(0)
    })

    it('leaves a child alone that somebody has, dead or alive, that is finished, or that is gone', async () => {
      for (const owner of ['other/1', 'dead/1', ME]) {
        expect(await (await aMerge({ owner })).held.adopt(shardId(CHILD)), owner).to.equal('owned')
      }
      const done = finished(aLease({ leaseKey: shardId(CHILD), shardId: shardId(CHILD) }), [])
      const world = await aMerge(done)
      expect(await world.held.adopt(shardId(CHILD))).to.equal('owned')
      expect(await world.held.adopt(shardId(3))).to.equal('over')
      expect(world.writes()).to.equal(0)
    })

    it('keeps to maxLeases, and to the session', async () => {
      const full = new World({ maxLeases: 1 })
      await full.hold(1)
      await full.create(CHILD)
      expect(await full.held.adopt(shardId(CHILD))).to.equal('busy')
      const suspended = await aMerge()
      suspended.heart.lapse()
      expect(await suspended.held.adopt(shardId(CHILD))).to.equal('busy')
      const between = await aMerge()
      between.session = undefined
      expect(await between.held.adopt(shardId(CHILD))).to.equal('busy')
    })
  })

  describe('stopClaiming', () => {
    it('waits for the claims under way, and lets no other begin', async () => {
      const world = new World()
      await world.create(0)
      await world.create(1)
      world.store.faults = ({ leaseKey, name }) => {
        return { kind: 'none', delayMs: (leaseKey === shardId(0)) === (name === 'get') ? 1_000 : 0 }
      }
      const [reading, writing] = [world.claim(0), world.claim(1)]
      await world.clock.settle()
      let isStopped = false
      const stopping = world.held.stopClaiming().then(() => {
        isStopped = true
      })
      await world.clock.advance(999)
      expect(isStopped).to.equal(false)
      await world.clock.advance(1)
      await stopping
      expect(await reading).to.equal('busy')
      expect(await writing).to.equal('claimed')
      await world.create(2)
      expect(await world.claim(2)).to.equal('busy')
      expect(await world.held.adopt(shardId(2))).to.equal('busy')
    })

    it('waits for a claim that fails, too', async () => {
      const world = new World()
      await world.create(0)
      world.store.faults = scripted({ kind: 'lost-request', afterMs: 1_000 })
      const claiming = world.claim(0)
      await world.clock.settle()
      const stopping = world.held.stopClaiming()
      await world.clock.advance(1_000)
      await stopping
      expect(await claiming).to.equal('busy')
      expect(world.told).to.deep.equal(['failed claim a lease'])
    })
  })

  it('forgets a tenure when it ends, however it ends, and tells of it once', async () => {
    const world = new World()
    const [a, b, c] = await world.hold(3)
    const row = (await world.row(2)) as Lease
    await world.table.replace(row, released(row))
    await a?.release()
    await b?.finish([])
    await c?.checkpoint(aPosition(1)).catch(() => {})
    expect(world.held.all()).to.deep.equal([])
    expect(world.told).to.deep.equal(['ended 0 released', 'ended 1 finished', 'ended 2 lost'])
  })

  it('lets go of everything at once without a write', async () => {
    const world = new World()
    const tenures = await world.hold(3)
    const writes = world.writes()
    world.held.abandonAll('enough')
    expect(world.held.all()).to.deep.equal([])
    expect(tenures.every(({ hasEnded }) => hasEnded)).to.equal(true)
    expect(world.told).to.deep.equal(['ended 0 lost', 'ended 1 lost', 'ended 2 lost'])
    expect(world.writes()).to.equal(writes)
  })
})
