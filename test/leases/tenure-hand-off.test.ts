// A tenure whose lease a leader of KCL 3.x has handed over: `owner` is the next one, `checkpointOwner` this session.
import { expect } from 'chai'
import { LeaseLostError } from '../../src/model/errors.ts'
import { claimed, finished, type Lease, released } from '../../src/model/lease.ts'
import { aPosition } from '../support/builders.ts'
import type { Fault } from '../support/flaky-store.ts'
import { aMixedTenure, aTenure, LEASE_MS, outcomeOf, stolen, type TenureWorld } from './tenure-world.ts'

const LOST: Fault = { kind: 'lost-answer', afterMs: 500 }

/** The leader begins a hand-off: the counter does not move. */
async function handOver({ table, row }: TenureWorld, to = 'java-1'): Promise<void> {
  const before = (await row()) as Lease
  const after = { ...before, owner: to, checkpointOwner: before.owner ?? '' }
  expect(await table.replace(before, after)).to.deep.equal({ kind: 'written' })
}

describe('a Tenure that is handed over', () => {
  it('finds out by its next write, goes on writing, and tells once', async () => {
    const world = await aMixedTenure()
    await handOver(world)
    await world.tenure.renew()
    await world.tenure.checkpoint(aPosition(5))
    expect(await world.row()).to.deep.include({
      ...{ owner: 'java-1', checkpointOwner: 'me', counter: 3, checkpoint: aPosition(5) }
    })
    expect([world.handedOver.length, world.ends]).to.deep.equal([1, []])
  })

  it('gives the lease to the next owner when it is released', async () => {
    const world = await aMixedTenure()
    await handOver(world)
    await world.tenure.checkpoint(aPosition(5))
    await world.tenure.release()
    const row = (await world.row()) as Lease
    expect(row).to.deep.include({ owner: 'java-1', counter: 3, checkpoint: aPosition(5) })
    expect(row).to.not.have.property('checkpointOwner')
    expect(world.ends.map(({ how }) => how)).to.deep.equal(['released'])
  })

  it('gives it to the next owner although the release is the first that hears of it', async () => {
    const world = await aMixedTenure()
    await handOver(world)
    await world.tenure.release()
    expect(await world.row()).to.include({ owner: 'java-1', counter: 2 })
  })

  it('finishes its shard for the next owner, who cleans up', async () => {
    const world = await aMixedTenure()
    await handOver(world)
    await world.tenure.finish(['child'])
    const row = (await world.row()) as Lease
    expect(row).to.deep.include({ owner: 'java-1', childShardIds: ['child'] })
    expect(row.checkpoint.sequenceNumber).to.equal('SHARD_END')
    expect(row).to.not.have.property('checkpointOwner')
  })

  for (const [what, end] of [
    ['release', (world: TenureWorld) => world.tenure.release()],
    ['end', (world: TenureWorld) => world.tenure.finish([])]
  ] as const) {
    it(`knows that its ${what} has landed when the answer is lost`, async () => {
      const world = await aMixedTenure({ kind: 'none' }, { kind: 'none' }, LOST)
      await handOver(world)
      await world.tenure.renew()
      expect(await outcomeOf(world.clock, end(world))).to.equal('done')
      expect(await world.row()).to.include({ owner: 'java-1', counter: 3 })
    })
  }

  it('goes on when the answer of a renewal was lost that landed before the hand-off', async () => {
    const world = await aMixedTenure(LOST)
    const renewal = outcomeOf(world.clock, world.tenure.renew(), 300)
    expect(await renewal).to.equal('still under way')
    await handOver(world)
    await world.clock.advance(3_000)
    expect(await world.row()).to.include({ owner: 'java-1', checkpointOwner: 'me', counter: 3 })
    expect([world.handedOver.length, world.ends]).to.deep.equal([1, []])
  })

  it('goes on when the leader takes the hand-off back by assigning the lease to it again', async () => {
    const world = await aMixedTenure()
    await handOver(world)
    await world.tenure.renew()
    const before = (await world.row()) as Lease
    await world.table.replace(before, { ...released(before), owner: 'me' })
    await world.tenure.checkpoint(aPosition(7))
    expect(await world.row()).to.deep.include({ owner: 'me', counter: 4, checkpoint: aPosition(7) })
  })

  it('loses the lease when the leader gives up on it, or the next owner claims it', async () => {
    for (const change of [
      (row: Lease): Lease => ({ ...released(row), owner: 'java-1' }),
      (row: Lease): Lease => claimed(row, 'java-2')
    ]) {
      const world = await aMixedTenure()
      await handOver(world)
      await world.tenure.renew()
      const before = (await world.row()) as Lease
      await world.table.replace(before, change(before))
      const after = await world.row()
      expect(await outcomeOf(world.clock, world.tenure.checkpoint(aPosition(7)))).to.be.instanceOf(LeaseLostError)
      expect(await world.row()).to.deep.equal(after)
    }
  })

  it('has lost what was handed over to it and is not its own: it can write nothing', async () => {
    const world = await aMixedTenure()
    const row = await stolen(world.table, 'java-1')
    await world.table.replace(row, { ...row, owner: 'me', checkpointOwner: 'java-1' })
    expect(await outcomeOf(world.clock, world.tenure.renew())).to.be.instanceOf(LeaseLostError)
  })

  it('says how much is read of the shard with what is written anyhow, as Java leaders balance by that', async () => {
    const world = await aMixedTenure()
    world.tenure.noteRead(50 * 1_024)
    await world.clock.advance(5_000)
    await world.tenure.checkpoint(aPosition(1))
    expect(await world.row()).to.include({ throughputKBps: 10 })
    await world.tenure.checkpoint(aPosition(2))
    await world.clock.advance(5_000)
    await world.tenure.renew()
    expect(await world.row()).to.include({ throughputKBps: 5 })
    const solo = await aTenure()
    solo.tenure.noteRead(50 * 1_024)
    await solo.clock.advance(5_000)
    await solo.tenure.checkpoint(aPosition(1))
    expect(await solo.row(), 'in solo mode nobody reads it').to.not.have.property('throughputKBps')
  })

  it('runs out as any other that is not written to', async () => {
    const world = await aMixedTenure()
    await handOver(world)
    await world.tenure.renew()
    await world.clock.advance(LEASE_MS)
    expect(world.tenure.isValid()).to.equal(false)
    expect(world.ends.map(({ how }) => how)).to.deep.equal(['lost'])
  })

  it('ends what somebody else has finished', async () => {
    const world = await aMixedTenure()
    const row = (await world.row()) as Lease
    await world.table.replace(row, finished(row, []))
    expect(await outcomeOf(world.clock, world.tenure.renew())).to.be.instanceOf(LeaseLostError)
  })
})
