// How long a Tenure is valid: with its session, and in mixed mode with its last write.
import { expect } from 'chai'
import { LeaseLostError } from '../../src/model/errors.ts'
import { aPosition } from '../support/builders.ts'
import { VALID_MS } from '../support/heart.ts'
import { aMixedTenure, aTenure, LEASE_MS, outcomeOf, stolen, writesOf } from './tenure-world.ts'

describe('Tenure', () => {
  describe('while its session is suspended', () => {
    it('is not valid and not over either, and is valid again when the session is proved again', async () => {
      const { clock, heart, tenure, ends } = await aTenure()
      heart.silence()
      await clock.advance(VALID_MS - 1)
      expect([tenure.isValid(), tenure.remainingMs()]).to.deep.equal([true, 1])
      await clock.advance(1)
      expect([tenure.isValid(), tenure.remainingMs()]).to.deep.equal([false, 0])
      await clock.advance(600_000)
      expect([tenure.isValid(), tenure.hasEnded, tenure.signal.aborted]).to.deep.equal([false, false, false])
      heart.beat()
      expect([tenure.isValid(), tenure.remainingMs()]).to.deep.equal([true, VALID_MS])
      expect(ends).to.deep.equal([])
    })

    it('finds out when it is asked, and lapses with the session', async () => {
      const { clock, heart, tenure } = await aTenure()
      const { lapse } = tenure
      heart.silence()
      await clock.advance(600_000)
      expect(lapse.aborted).to.equal(false)
      expect(tenure.isValid()).to.equal(false)
      expect(lapse.aborted).to.equal(true)
      heart.beat()
      expect(tenure.lapse.aborted).to.equal(false)
    })

    it('writes all the same: the counter alone says whether it may', async () => {
      const world = await aTenure()
      world.heart.lapse()
      await world.tenure.checkpoint(aPosition(1))
      await world.tenure.prepareCheckpoint({ position: aPosition(2) })
      await world.tenure.renew()
      await world.tenure.release()
      expect(await world.row()).to.deep.include({ counter: 5, checkpoint: aPosition(1) })
      expect(world.ends.map(({ how }) => how)).to.deep.equal(['released'])
    })

    it('is lost by a write, once somebody has claimed the lease of the dead session', async () => {
      const world = await aTenure()
      world.heart.lapse()
      await stolen(world.table)
      expect(await outcomeOf(world.clock, world.tenure.checkpoint(aPosition(9)))).to.be.instanceOf(LeaseLostError)
      expect(world.ends).to.deep.equal([{ how: 'lost', because: 'other has it' }])
      world.heart.beat()
      expect(world.tenure.isValid()).to.equal(false)
    })

    it('goes on with a write that fails, for as long as nobody says that the lease is lost', async () => {
      const world = await aTenure()
      world.store.faults = () => (world.clock.monotonicMs() < 300_000 ? { kind: 'throttled' } : undefined)
      world.heart.lapse()
      expect(await outcomeOf(world.clock, world.tenure.checkpoint(aPosition(9)), 310_000)).to.equal('done')
      expect(writesOf(world)).to.be.greaterThan(300).and.lessThan(700)
      expect(world.ends).to.deep.equal([])
    })
  })

  describe('whenValid', () => {
    const patient = new AbortController().signal

    it('resolves at once while the session is proved', async () => {
      const { tenure } = await aTenure()
      await tenure.whenValid(patient)
    })

    it('waits until the session is proved again', async () => {
      const { clock, heart, tenure } = await aTenure()
      heart.lapse()
      expect(await outcomeOf(clock, tenure.whenValid(patient), 60_000)).to.equal('still under way')
      const waiting = tenure.whenValid(patient)
      heart.beat()
      await waiting
      expect(tenure.isValid()).to.equal(true)
    })

    it('resolves when its signal aborts, as that of whoever waits for the end of the tenure does', async () => {
      const { clock, heart, tenure } = await aTenure()
      heart.lapse()
      const waiting = tenure.whenValid(tenure.signal)
      await clock.settle()
      tenure.abandon('enough')
      await waiting
      expect(await outcomeOf(clock, tenure.whenValid(AbortSignal.abort()))).to.equal('done')
    })

    it('resolves at once when the tenure has ended, whatever becomes of the session', async () => {
      const { clock, heart, tenure } = await aTenure()
      tenure.abandon('enough')
      heart.lapse()
      expect(await outcomeOf(clock, tenure.whenValid(patient))).to.equal('done')
    })

    it('finds out in mixed mode that the lease has run out, before and after it waits', async () => {
      const before = await aMixedTenure()
      await before.clock.advance(LEASE_MS)
      await before.tenure.whenValid(patient)
      expect(before.ends.map(({ how }) => how)).to.deep.equal(['lost'])
      const after = await aMixedTenure()
      after.heart.lapse()
      const waiting = after.tenure.whenValid(patient)
      await after.clock.advance(LEASE_MS)
      expect(after.ends).to.deep.equal([])
      after.heart.beat()
      await waiting
      expect(after.ends.map(({ how }) => how)).to.deep.equal(['lost'])
    })
  })

  describe('in mixed mode', () => {
    it('counts from when the last write was sent, not from when it was answered', async () => {
      const world = await aMixedTenure({ kind: 'none', delayMs: 3_000 })
      await world.clock.advance(1_000)
      void world.tenure.renew()
      await world.clock.advance(3_000)
      expect(world.tenure.sinceProofMs()).to.equal(3_000)
      world.heart.silence()
      expect(world.tenure.remainingMs()).to.equal(LEASE_MS - 3_000)
    })

    it('lives no longer than its session is proved, nor than its last write is good for', async () => {
      const { clock, heart, tenure } = await aMixedTenure()
      expect(tenure.remainingMs()).to.equal(VALID_MS)
      await clock.advance(5_000)
      expect(tenure.remainingMs()).to.equal(LEASE_MS - 5_000)
      await tenure.renew()
      heart.silence()
      expect(tenure.remainingMs()).to.equal(VALID_MS)
    })

    it('runs out without a write, to the millisecond', async () => {
      const { clock, tenure, ends } = await aMixedTenure()
      await clock.advance(LEASE_MS - 1)
      expect(tenure.isValid()).to.equal(true)
      await clock.advance(1)
      expect(tenure.hasEnded).to.equal(false)
      expect(tenure.isValid()).to.equal(false)
      expect(ends).to.deep.equal([{ how: 'lost', because: 'not written to for 9000 ms' }])
      expect(tenure.signal.aborted).to.equal(true)
    })

    it('runs out while the session is suspended, too', async () => {
      const { clock, heart, tenure, ends } = await aMixedTenure()
      heart.lapse()
      await clock.advance(LEASE_MS)
      heart.beat()
      expect(tenure.isValid()).to.equal(false)
      expect(ends).to.have.length(1)
    })

    it('has run out after ten minutes asleep, and nothing is written', async () => {
      const world = await aMixedTenure()
      await world.clock.advance(600_000)
      expect(await outcomeOf(world.clock, world.tenure.checkpoint(aPosition(1)))).to.be.instanceOf(LeaseLostError)
      expect(writesOf(world)).to.equal(0)
      expect(world.ends).to.have.length(1)
    })

    it('is not won back by an answer that comes in after it has run out', async () => {
      const world = await aMixedTenure({ kind: 'none', delayMs: LEASE_MS + 1_000 })
      const checkpointing = world.tenure.checkpoint(aPosition(4))
      await world.clock.advance(LEASE_MS)
      expect(world.tenure.isValid()).to.equal(false)
      await outcomeOf(world.clock, checkpointing)
      expect(world.tenure.isValid()).to.equal(false)
      expect(world.ends).to.have.length(1)
    })

    it('is not prolonged by failures: tries stop when it runs out', async () => {
      const world = await aMixedTenure()
      world.store.faults = () => ({ kind: 'throttled' })
      expect(await outcomeOf(world.clock, world.tenure.renew(), LEASE_MS + 2_000)).to.be.instanceOf(LeaseLostError)
      const tries = writesOf(world)
      expect(tries).to.be.greaterThan(5).and.lessThan(40)
      await world.clock.advance(60_000)
      expect(writesOf(world)).to.equal(tries)
    })

    it('outlives throttling that is shorter than it', async () => {
      const { clock, store, tenure } = await aMixedTenure()
      store.faults = () => (clock.monotonicMs() < LEASE_MS - 2_000 ? { kind: 'throttled' } : undefined)
      expect(await outcomeOf(clock, tenure.renew(), LEASE_MS)).to.equal('done')
      expect(tenure.isValid()).to.equal(true)
    })

    it('is prolonged by a checkpoint as by a renewal, but not by one that writes nothing', async () => {
      const { clock, tenure } = await aMixedTenure()
      await clock.advance(5_000)
      await tenure.checkpoint(aPosition(1))
      expect(tenure.sinceProofMs()).to.equal(0)
      await clock.advance(5_000)
      await tenure.checkpoint(aPosition(1))
      expect(tenure.sinceProofMs()).to.equal(5_000)
    })
  })
})
