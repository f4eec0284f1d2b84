// HeldLeases with Java workers on the table: leases that are renewed and run out, and the change to that mode.
import { expect } from 'chai'
import type { Lease } from '../../src/model/lease.ts'
import { claimed } from '../../src/model/lease.ts'
import { aPosition } from '../support/builders.ts'
import { VALID_MS } from '../support/heart.ts'
import { DURATION_MS, HeldLeasesWorld as World } from './held-leases-world.ts'

/** How long a lease counts as held without a write, and when it is renewed. */
const LEASE_MS = DURATION_MS * 0.9
const RENEW_MS = DURATION_MS * 0.5

function aMixedWorld(): World {
  const world = new World()
  world.mode = 'mixed'
  return world
}

describe('HeldLeases', () => {
  describe('renew', () => {
    it('writes nothing in solo mode, however long ago the last write was', async () => {
      const world = new World()
      await world.hold(2)
      const writes = world.writes()
      await world.clock.advance(3_600_000)
      world.held.renew()
      await world.clock.settle()
      expect(world.writes()).to.equal(writes)
      expect(world.held.all()).to.have.length(2)
    })

    it('renews in mixed mode what has not been written to for half of the duration, a checkpoint being a write', async () => {
      const world = aMixedWorld()
      const [idle, busy] = await world.hold(2)
      await world.clock.advance(RENEW_MS - 1)
      world.held.renew()
      await world.clock.settle()
      await busy?.checkpoint(aPosition(1))
      expect(await world.row(0)).to.include({ counter: 1 })
      await world.clock.advance(1)
      world.held.renew()
      await world.clock.settle()
      expect(await world.row(0)).to.include({ counter: 2 })
      expect(await world.row(1)).to.include({ counter: 2 })
      expect([idle?.sinceProofMs(), busy?.sinceProofMs()]).to.deep.equal([0, 1])
    })

    it('does not begin another renewal of a lease while one is under way, and goes on with the others', async () => {
      const world = aMixedWorld()
      await world.hold(2)
      const writes = world.writes()
      world.store.faults = ({ leaseKey }) => (leaseKey?.endsWith('0') ? { kind: 'hangs' } : undefined)
      await world.clock.advance(RENEW_MS)
      for (let turn = 0; turn < 3; turn++) {
        world.held.renew()
        await world.clock.settle()
      }
      expect(world.writes()).to.equal(writes + 2)
      expect(await world.row(1)).to.include({ counter: 2 })
    })

    it('tells of a renewal that fails for good, tries again at the next turn, and blames nobody for a loss', async () => {
      const world = aMixedWorld()
      await world.hold(2)
      await world.clock.advance(RENEW_MS)
      const row = (await world.row(1)) as Lease
      await world.table.replace(row, claimed(row, 'java'))
      world.store.faults = ({ leaseKey }) => (leaseKey?.endsWith('0') ? { kind: 'refused-for-good' } : undefined)
      world.held.renew()
      await world.clock.settle()
      expect(world.told.sort()).to.deep.equal(['ended 1 lost', 'failed renew a lease'])
      world.store.faults = () => undefined
      world.held.renew()
      await world.clock.settle()
      expect(await world.row(0)).to.include({ counter: 2 })
    })

    it('renews while the session is suspended, too: Java workers judge a lease by its counter', async () => {
      const world = aMixedWorld()
      await world.hold(1)
      world.heart.lapse()
      await world.clock.advance(RENEW_MS)
      world.held.renew()
      await world.clock.settle()
      expect(await world.row(0)).to.include({ counter: 2 })
    })
  })

  describe('fence', () => {
    it('says for how long the session is proved, and suspends it once it is not', async () => {
      const world = new World()
      expect(world.held.fence()).to.equal(VALID_MS)
      await world.hold(1)
      world.heart.silence()
      await world.clock.advance(VALID_MS - 5)
      expect(world.held.fence()).to.equal(5)
      await world.clock.advance(10)
      expect(world.heart.told).to.deep.equal([])
      expect(world.held.fence()).to.equal(-5)
      expect(world.heart.told).to.deep.equal(['lapsed'])
      expect(world.told).to.deep.equal([])
    })

    it('says in mixed mode when the first lease runs out, and ends those that have', async () => {
      const world = aMixedWorld()
      const [first] = await world.hold(2)
      expect(world.held.fence()).to.equal(VALID_MS)
      await world.clock.advance(4_000)
      expect(world.held.fence()).to.equal(LEASE_MS - 4_000)
      await first?.renew()
      await world.clock.advance(LEASE_MS - 4_000)
      expect(world.told).to.deep.equal([])
      expect(world.held.fence()).to.equal(4_000)
      expect(world.told).to.deep.equal(['ended 1 lost'])
      expect(world.held.all()).to.deep.equal([first])
    })

    it('lets no lease run out in solo mode', async () => {
      const world = new World()
      await world.hold(1)
      await world.clock.advance(3_600_000)
      expect(world.held.fence()).to.equal(VALID_MS)
      expect(world.held.all()).to.have.length(1)
    })
  })

  describe('when the fleet changes to mixed mode', () => {
    it('keeps what has not been written to for long: it is renewed, and counts from the change', async () => {
      const world = new World()
      const tenures = await world.hold(3)
      await world.clock.advance(3_600_000)
      world.mode = 'mixed'
      expect(world.held.fence()).to.equal(VALID_MS)
      expect(tenures.map(tenure => tenure.isValid())).to.deep.equal([true, true, true])
      world.held.renew()
      await world.clock.settle()
      expect(await world.row(2)).to.include({ counter: 2 })
      world.store.faults = () => ({ kind: 'hangs' })
      await world.clock.advance(LEASE_MS)
      world.held.fence()
      expect(world.told).to.deep.equal(['ended 0 lost', 'ended 1 lost', 'ended 2 lost'])
    })

    it('lets go of what cannot be renewed in time after the change', async () => {
      const world = new World()
      await world.hold(1)
      await world.clock.advance(3_600_000)
      world.store.faults = () => ({ kind: 'hangs' })
      world.mode = 'mixed'
      world.held.fence()
      world.held.renew()
      await world.clock.advance(LEASE_MS - 1)
      world.held.fence()
      expect(world.told).to.deep.equal([])
      await world.clock.advance(1)
      world.held.fence()
      expect(world.told).to.deep.equal(['ended 0 lost'])
    })

    it('and back renews nothing any more, and ends nothing', async () => {
      const world = aMixedWorld()
      await world.hold(1)
      world.mode = 'solo'
      await world.clock.advance(3_600_000)
      world.held.fence()
      world.held.renew()
      await world.clock.settle()
      expect(await world.row(0)).to.include({ counter: 1 })
      world.mode = 'mixed'
      expect(world.held.fence()).to.equal(VALID_MS)
      expect(world.told).to.deep.equal([])
    })
  })
})
