// HeldLeases, and rows that may name its session although it holds nothing: claims without an answer, holds that ended
// without a write.
import { expect } from 'chai'
import { claimed } from '../../src/model/lease.ts'
import { shardId } from '../support/builders.ts'
import { scripted } from '../support/flaky-store.ts'
import { DURATION_MS, ME, HeldLeasesWorld as World } from './held-leases-world.ts'

const NOTHING: ReadonlySet<string> = new Set()

describe('HeldLeases', () => {
  describe('disown', () => {
    it('gives back a lease whose claim landed without an answer, and looks until nothing can land any more', async () => {
      const world = new World()
      await world.create(0)
      world.store.faults = scripted({ kind: 'lost-answer' })
      expect(await world.claim(0)).to.equal('busy')
      expect(await world.row(0)).to.include({ owner: ME, counter: 1 })
      expect(await world.held.disown(NOTHING)).to.equal(true)
      expect(await world.row(0))
        .to.include({ counter: 2 })
        .and.not.have.property('owner')
      await world.clock.advance(DURATION_MS)
      expect(await world.held.disown(NOTHING)).to.equal(false)
      expect(await world.row(0)).to.include({ counter: 2 })
    })

    it('gives back a lease whose claim landed late', async () => {
      const world = new World()
      await world.create(0)
      world.store.faults = scripted({ kind: 'late-request', landsInMs: 3_000 })
      expect(await world.claim(0)).to.equal('busy')
      expect(await world.held.disown(NOTHING)).to.equal(true)
      await world.clock.advance(3_000)
      expect(await world.row(0)).to.include({ owner: ME })
      expect(await world.held.disown(NOTHING)).to.equal(true)
      expect(await world.row(0)).to.not.have.property('owner')
    })

    it('gives back a lease whose hold was abandoned without a write', async () => {
      const world = new World()
      const [tenure] = await world.hold(1)
      tenure?.abandon('it could not be released')
      expect(await world.held.disown(NOTHING)).to.equal(true)
      expect(await world.row(0)).to.not.have.property('owner')
    })

    it('leaves alone what may be claimed here again, and knows nothing against it once it is', async () => {
      const world = new World()
      const [tenure] = await world.hold(1)
      tenure?.abandon('it could not be released')
      expect(await world.held.disown(new Set([shardId(0)]))).to.equal(false)
      expect(await world.row(0)).to.include({ owner: ME, counter: 1 })
      expect(await world.claim(0)).to.equal('claimed')
      expect(await world.held.disown(NOTHING)).to.equal(false)
      expect(await world.row(0)).to.include({ owner: ME, counter: 2 })
    })

    it('leaves alone what somebody else has', async () => {
      const world = new World()
      const [tenure] = await world.hold(1)
      const row = await world.row(0)
      if (row !== undefined) await world.table.replace(row, claimed(row, 'other/1'))
      await tenure?.renew().catch(() => {})
      await world.held.disown(NOTHING)
      expect(await world.row(0)).to.include({ owner: 'other/1', counter: 2 })
    })

    it('has no doubts about a session that is over, nor about a claim that was refused', async () => {
      const world = new World()
      await world.hold(1)
      world.session = undefined
      world.held.abandonAll('the session is dead')
      world.session = 'me/2'
      expect(await world.held.disown(NOTHING)).to.equal(false)
      const row = await world.create(1)
      world.store.faults = ({ name }) => {
        if (name === 'replace') void world.table.replace(row, claimed(row, 'other/1'))
        return undefined
      }
      await world.claim(1)
      expect(await world.held.disown(NOTHING)).to.equal(false)
    })
  })
})
