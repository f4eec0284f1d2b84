import { expect } from 'chai'
import type { LeaseStore } from '../../src/leases/lease-store.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { Tenure, type TenureEnd } from '../../src/leases/tenure.ts'
import { LeaseLostError, ServiceError } from '../../src/model/errors.ts'
import { checkpointed, claimed, type Lease, released, renewed } from '../../src/model/lease.ts'
import { formatPosition, SHARD_END } from '../../src/model/sequence-number.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aLease, aPosition } from '../support/builders.ts'
import { type Fault, type FlakyStore, flakyStore, scripted } from '../support/flaky-store.ts'

const KEY = aLease().leaseKey
const VALID_MS = 8_000

interface World {
  readonly clock: VirtualClock
  readonly table: LeaseStore
  readonly store: FlakyStore
  readonly tenure: Tenure
  readonly ends: { how: TenureEnd; because: string }[]
  row(): Promise<Lease | undefined>
}

/** A tenure that began with a claim at time 0, with these faults for its first writes. */
async function aTenure(...faults: readonly Fault[]): Promise<World> {
  const clock = new VirtualClock()
  const table = memoryLeaseStore()
  const store = flakyStore(table, clock, scripted(...faults))
  const lease = claimed(aLease(), 'me')
  await table.create(lease)
  const ends: World['ends'] = []
  const tenure = new Tenure(lease, clock.monotonicMs(), {
    store,
    session: 'me',
    clock,
    random: seededRandom(1),
    validMs: VALID_MS,
    ended: (_, how, because) => ends.push({ how, because })
  })
  return { clock, table, store, tenure, ends, row: () => table.get(KEY) }
}

/** Another session claims the lease, whatever the row says. */
async function stolen(table: LeaseStore, by = 'other'): Promise<Lease> {
  const row = (await table.get(KEY)) as Lease
  const after = claimed(row, by)
  expect(await table.replace(row, after)).to.deep.equal({ kind: 'written' })
  return after
}

/** What a promise came to once `ms` of virtual time have passed: a value, a failure, or nothing yet. */
async function outcomeOf(clock: VirtualClock, work: Promise<unknown>, ms = 3_000): Promise<unknown> {
  let outcome: unknown = 'still under way'
  work.then(
    () => {
      outcome = 'done'
    },
    error => {
      outcome = error
    }
  )
  await clock.advance(ms)
  return outcome
}

const writesOf = ({ store }: World): number => store.calls.filter(({ name }) => name === 'replace').length

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

    it('does not end twice when a refusal comes in after the proof has run out', async () => {
      const world = await aTenure({ kind: 'none', delayMs: VALID_MS + 1_000 })
      const renewing = world.tenure.renew()
      await world.clock.advance(VALID_MS)
      expect(world.tenure.isValid()).to.equal(false)
      await stolen(world.table)
      expect(await outcomeOf(world.clock, renewing)).to.be.instanceOf(LeaseLostError)
      expect(world.ends).to.have.length(1)
    })

    it('is not won back by an answer that comes in after the proof has run out', async () => {
      const world = await aTenure({ kind: 'none', delayMs: VALID_MS + 1_000 })
      const checkpointing = world.tenure.checkpoint(aPosition(4))
      await world.clock.advance(VALID_MS)
      expect(world.tenure.isValid()).to.equal(false)
      await outcomeOf(world.clock, checkpointing)
      expect(world.tenure.isValid()).to.equal(false)
      expect(world.tenure.hasEnded).to.equal(true)
      expect(world.ends).to.have.length(1)
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

  describe('the proof of the hold', () => {
    it('counts from when the write was sent, not from when it was answered', async () => {
      const world = await aTenure({ kind: 'none', delayMs: 3_000 })
      await world.clock.advance(1_000)
      void world.tenure.renew()
      await world.clock.advance(3_000)
      expect(world.tenure.sinceProofMs()).to.equal(3_000)
      expect(world.tenure.remainingMs()).to.equal(VALID_MS - 3_000)
    })

    it('runs out after validMs, to the millisecond', async () => {
      const { clock, tenure, ends } = await aTenure()
      await clock.advance(VALID_MS - 1)
      expect(tenure.isValid()).to.equal(true)
      await clock.advance(1)
      expect(tenure.isValid()).to.equal(false)
      expect(ends).to.deep.equal([{ how: 'lost', because: 'not renewed for 8000 ms' }])
      expect(tenure.signal.aborted).to.equal(true)
    })

    it('has run out after ten minutes asleep, and nothing is written', async () => {
      const world = await aTenure()
      await world.clock.advance(600_000)
      expect(await outcomeOf(world.clock, world.tenure.checkpoint(aPosition(1)))).to.be.instanceOf(LeaseLostError)
      expect(writesOf(world)).to.equal(0)
      expect(world.ends).to.have.length(1)
    })

    it('is not prolonged by failures: tries stop when it runs out', async () => {
      const world = await aTenure()
      world.store.faults = () => ({ kind: 'throttled' })
      expect(await outcomeOf(world.clock, world.tenure.renew(), VALID_MS + 2_000)).to.be.instanceOf(LeaseLostError)
      const tries = writesOf(world)
      expect(tries).to.be.greaterThan(5).and.lessThan(40)
      await world.clock.advance(60_000)
      expect(writesOf(world)).to.equal(tries)
    })

    it('outlives throttling that is shorter than it', async () => {
      const { clock, store, tenure } = await aTenure()
      store.faults = () => (clock.monotonicMs() < VALID_MS - 2_000 ? { kind: 'throttled' } : undefined)
      expect(await outcomeOf(clock, tenure.renew(), VALID_MS)).to.equal('done')
      expect(tenure.isValid()).to.equal(true)
    })

    it('is prolonged by a checkpoint as by a renewal', async () => {
      const { clock, tenure } = await aTenure()
      await clock.advance(5_000)
      await tenure.checkpoint(aPosition(1))
      expect(tenure.sinceProofMs()).to.equal(0)
    })
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

    it('leave a request for the lease alone, noted or not', async () => {
      const world = await aTenure()
      await world.table.request((await world.row()) as Lease, 'newcomer')
      await world.tenure.renew()
      expect(await world.row()).to.include({ wantedBy: 'newcomer' })
      world.tenure.noteRequest('newcomer')
      await world.tenure.checkpoint(aPosition(1))
      expect(world.tenure.lease).to.include({ wantedBy: 'newcomer' })
      await world.tenure.release()
      expect(await world.row()).to.include({ wantedBy: 'newcomer', counter: 4 })
    })

    it('do not forget a request that was noted while one of them was under way', async () => {
      const world = await aTenure({ kind: 'none', delayMs: 100 })
      void world.tenure.renew()
      await world.clock.settle()
      await world.table.request((await world.row()) as Lease, 'newcomer')
      world.tenure.noteRequest('newcomer')
      await world.clock.advance(100)
      expect(world.tenure.lease).to.include({ counter: 2, wantedBy: 'newcomer' })
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
