import { expect } from 'chai'
import { LeaseLostError, ServiceError } from '../../src/model/errors.ts'
import { checkpointed, type Lease, released, renewed } from '../../src/model/lease.ts'
import { formatPosition, SHARD_END } from '../../src/model/sequence-number.ts'
import { aLease, aPosition } from '../support/builders.ts'
import type { Fault } from '../support/flaky-store.ts'
import { aTenure, outcomeOf, stolen, writesOf } from './tenure-world.ts'

describe('Tenure', () => {
  describe('an answer that was lost', () => {
    const faults: readonly Fault[] = [
      { kind: 'lost-answer' },
      { kind: 'lost-request' },
      { kind: 'late-request', landsInMs: 10 },
      { kind: 'late-request', landsInMs: 500 },
      { kind: 'throttled' }
    ]
    for (const fault of faults) {
      const name = fault.kind === 'late-request' ? `${fault.kind} by ${fault.landsInMs} ms` : fault.kind

      it(`of a renewal does not lose the lease (${name})`, async () => {
        const world = await aTenure(fault)
        expect(await outcomeOf(world.clock, world.tenure.renew())).to.equal('done')
        expect(world.tenure.isValid()).to.equal(true)
        expect(world.tenure.lease).to.deep.equal(await world.row())
        expect(world.ends).to.deep.equal([])
      })

      it(`of a checkpoint stores it once and keeps the lease (${name})`, async () => {
        const world = await aTenure(fault)
        expect(await outcomeOf(world.clock, world.tenure.checkpoint(aPosition(10)))).to.equal('done')
        const row = await world.row()
        expect(row).to.include({ owner: 'me', counter: 2 })
        expect(row?.checkpoint).to.deep.equal(aPosition(10))
        expect(world.tenure.lease).to.deep.equal(row)
        await world.tenure.checkpoint(aPosition(11))
        expect(await world.row()).to.include({ counter: 3 })
      })

      it(`of a release ends the tenure as released (${name})`, async () => {
        const world = await aTenure(fault)
        expect(await outcomeOf(world.clock, world.tenure.release())).to.equal('done')
        expect(world.ends.map(({ how }) => how)).to.deep.equal(['released'])
        const row = await world.row()
        expect(row).to.not.have.property('owner')
        expect(row?.counter).to.equal(2)
      })

      it(`of the end of the shard ends the tenure as finished (${name})`, async () => {
        const world = await aTenure(fault)
        expect(await outcomeOf(world.clock, world.tenure.finish(['b', 'a']))).to.equal('done')
        expect(world.ends.map(({ how }) => how)).to.deep.equal(['finished'])
        const row = await world.row()
        expect(row?.checkpoint).to.deep.equal(SHARD_END)
        expect(row?.childShardIds).to.deep.equal(['a', 'b'])
        expect(row).to.include({ counter: 2 })
        expect(row).to.not.have.property('owner')
      })
    }

    it('of a release ends the tenure once, even if a successor has claimed the lease meanwhile', async () => {
      const world = await aTenure({ kind: 'lost-answer', afterMs: 100 })
      const releasing = outcomeOf(world.clock, world.tenure.release())
      await world.clock.settle()
      await stolen(world.table)
      const outcome = await releasing
      expect(outcome).to.be.instanceOf(LeaseLostError)
      expect(world.ends).to.have.length(1)
      expect(await world.row()).to.include({ owner: 'other' })
    })

    it('of a prepared checkpoint leaves it pending and keeps the lease', async () => {
      const world = await aTenure({ kind: 'lost-answer' })
      const pending = { position: aPosition(5), state: new Uint8Array([1, 2]) }
      expect(await outcomeOf(world.clock, world.tenure.prepareCheckpoint(pending))).to.equal('done')
      expect((await world.row())?.pendingCheckpoint).to.deep.equal(pending)
      await world.tenure.checkpoint(aPosition(5))
      expect(await world.row()).to.not.have.property('pendingCheckpoint')
    })

    it('twice in a row does not lose the lease', async () => {
      const world = await aTenure({ kind: 'lost-answer' }, { kind: 'lost-answer' }, { kind: 'lost-answer' })
      expect(await outcomeOf(world.clock, world.tenure.renew())).to.equal('done')
      expect(await outcomeOf(world.clock, world.tenure.checkpoint(aPosition(3)))).to.equal('done')
      expect(world.tenure.lease).to.deep.equal(await world.row())
    })
  })

  describe('a lease that is lost', () => {
    it('ends once, aborts the signal, and rejects every write from then on without sending it', async () => {
      const world = await aTenure()
      const { table, tenure, ends } = world
      await stolen(table)
      expect(await outcomeOf(world.clock, tenure.checkpoint(aPosition(9)))).to.be.instanceOf(LeaseLostError)
      expect(ends).to.deep.equal([{ how: 'lost', because: 'other has it' }])
      expect(tenure.signal.reason).to.be.instanceOf(LeaseLostError)
      const sent = writesOf(world)
      for (const write of [
        () => tenure.renew(),
        () => tenure.checkpoint(aPosition(10)),
        () => tenure.prepareCheckpoint({ position: aPosition(10) }),
        () => tenure.release(),
        () => tenure.finish([])
      ]) {
        expect(await outcomeOf(world.clock, write())).to.be.instanceOf(LeaseLostError)
      }
      expect(writesOf(world)).to.equal(sent)
      expect(ends).to.have.length(1)
      expect((await world.row())?.checkpoint).to.deep.equal(aLease().checkpoint)
    })

    it('is lost even if nobody has it now, for somebody may have had it in between', async () => {
      const world = await aTenure()
      const row = await stolen(world.table)
      await world.table.replace(row, released(row))
      expect(await outcomeOf(world.clock, world.tenure.renew())).to.be.instanceOf(LeaseLostError)
      expect(world.ends.map(({ how }) => how)).to.deep.equal(['lost'])
    })

    it('is lost if somebody took it away just before the end of the shard was written', async () => {
      const world = await aTenure()
      const row = (await world.row()) as Lease
      // Owner gone and counter up by one, as after the write that is about to be made.
      await world.table.replace(row, released(row))
      expect(await outcomeOf(world.clock, world.tenure.finish(['a', 'b']))).to.be.instanceOf(LeaseLostError)
      expect(world.ends.map(({ how }) => how)).to.deep.equal(['lost'])
      expect((await world.row())?.checkpoint).to.deep.equal(aLease().checkpoint)
    })

    it('is gone if its row was deleted', async () => {
      const world = await aTenure()
      await world.table.remove((await world.row()) as Lease)
      expect(await outcomeOf(world.clock, world.tenure.renew())).to.be.instanceOf(LeaseLostError)
      expect(world.ends.map(({ how }) => how)).to.deep.equal(['gone'])
    })

    it('is lost if the row is ours and more than one step ahead', async () => {
      const world = await aTenure()
      const row = (await world.row()) as Lease
      await world.table.replace(row, renewed(row))
      await world.table.replace(renewed(row), renewed(renewed(row)))
      expect(await outcomeOf(world.clock, world.tenure.renew())).to.be.instanceOf(LeaseLostError)
    })

    it('does not end twice when a refusal comes in after it was abandoned', async () => {
      const world = await aTenure({ kind: 'none', delayMs: 1_000 })
      const renewing = world.tenure.renew()
      await world.clock.settle()
      world.tenure.abandon('enough')
      await stolen(world.table)
      expect(await outcomeOf(world.clock, renewing)).to.be.instanceOf(LeaseLostError)
      expect(world.ends).to.deep.equal([{ how: 'lost', because: 'enough' }])
    })

    it('is not won back by an answer that comes in after it was abandoned', async () => {
      const world = await aTenure({ kind: 'none', delayMs: 1_000 })
      const checkpointing = world.tenure.checkpoint(aPosition(4))
      await world.clock.settle()
      world.tenure.abandon('enough')
      await outcomeOf(world.clock, checkpointing)
      expect(world.tenure.isValid()).to.equal(false)
      expect(world.tenure.hasEnded).to.equal(true)
      expect(world.ends).to.have.length(1)
    })

    it('by abandoning it stops trying a write that fails and fails', async () => {
      const world = await aTenure()
      world.store.faults = () => ({ kind: 'throttled' })
      const renewing = world.tenure.renew().catch((error: unknown) => error)
      await world.clock.settle()
      world.tenure.abandon('enough')
      expect(await renewing).to.be.instanceOf(LeaseLostError)
      expect(writesOf(world)).to.equal(1)
      expect(world.clock.sleeping).to.equal(0)
    })

    it('by abandoning it rejects what is queued behind a write under way', async () => {
      const world = await aTenure({ kind: 'none', delayMs: 100 })
      const first = world.tenure.renew()
      await world.clock.settle()
      const second = outcomeOf(world.clock, world.tenure.checkpoint(aPosition(4)))
      world.tenure.abandon('enough')
      world.tenure.abandon('again')
      expect(await second).to.be.instanceOf(LeaseLostError)
      await first
      expect(world.ends).to.deep.equal([{ how: 'lost', because: 'enough' }])
      expect((await world.row())?.checkpoint).to.deep.equal(aLease().checkpoint)
    })
  })

  it('is revoked once, and goes on until it is released', async () => {
    const { tenure, ends } = await aTenure()
    expect(tenure.isRevoked).to.equal(false)
    expect([tenure.revoke(), tenure.revoke()]).to.deep.equal([true, false])
    expect([tenure.isRevoked, tenure.isValid()]).to.deep.equal([true, true])
    await tenure.checkpoint(aPosition(1))
    expect(ends).to.deep.equal([])
  })

  describe('its writes', () => {
    it('follow one another, in the order of the calls', async () => {
      const delays: Fault[] = [300, 200, 100].map(delayMs => ({ kind: 'none', delayMs }))
      const world = await aTenure(...delays)
      const order: string[] = []
      const note = (name: string) => () => void order.push(name)
      void world.tenure.checkpoint(aPosition(1)).then(note('1'))
      void world.tenure.renew().then(note('renew'))
      void world.tenure.checkpoint(aPosition(2)).then(note('2'))
      await world.clock.advance(299)
      expect(writesOf(world)).to.equal(1)
      await world.clock.advance(1_000)
      expect(order).to.deep.equal(['1', 'renew', '2'])
      expect(await world.row()).to.include({ counter: 4 })
    })

    it('never take the checkpoint back', async () => {
      const world = await aTenure()
      await world.tenure.checkpoint(aPosition(10, 4))
      for (const position of [aPosition(10, 4), aPosition(10, 3), aPosition(9, 99), aLease().checkpoint]) {
        await world.tenure.checkpoint(position)
      }
      expect((await world.row())?.checkpoint).to.deep.equal(aPosition(10, 4))
      expect(writesOf(world)).to.equal(1)
    })

    it('that fail for good reject with the error of the store and leave the tenure as it is', async () => {
      const world = await aTenure({ kind: 'refused-for-good' })
      expect(await outcomeOf(world.clock, world.tenure.checkpoint(aPosition(1)))).to.be.instanceOf(ServiceError)
      expect(world.tenure.isValid()).to.equal(true)
      expect(await outcomeOf(world.clock, world.tenure.checkpoint(aPosition(2)))).to.equal('done')
      expect((await world.row())?.checkpoint).to.deep.equal(aPosition(2))
    })

    it('of a release and an end are made once', async () => {
      const world = await aTenure()
      const all = await Promise.allSettled([world.tenure.release(), world.tenure.release(), world.tenure.finish([])])
      expect(all.map(({ status }) => status)).to.deep.equal(['fulfilled', 'rejected', 'rejected'])
      expect(await world.row()).to.include({ counter: 2 })
      expect(world.ends.map(({ how }) => how)).to.deep.equal(['released'])
    })
  })

  it('follows a lease that was handed on with its checkpoint', async () => {
    const world = await aTenure()
    const row = (await world.row()) as Lease
    // An earlier write of this very session that landed without an answer, with a checkpoint further on.
    await world.table.replace(row, checkpointed(row, aPosition(50)))
    await world.tenure.checkpoint(aPosition(40))
    expect(formatPosition(world.tenure.lease.checkpoint)).to.equal('50')
    expect((await world.row())?.checkpoint).to.deep.equal(aPosition(50))
  })
})
