import { expect } from 'chai'
import { aPosition } from '../support/builders.ts'
import { CoordinatorWorld, SETTINGS, type TestWorker, writesOf } from './coordinator-world.ts'

/** A worker that shares the table with Java workers and holds these leases. */
async function inMixedMode(leases: readonly number[]): Promise<{ world: CoordinatorWorld; a: TestWorker }> {
  const world = await CoordinatorWorld.withLeases(leases.length)
  const a = await world.started('a')
  await world.post(a, { leases, mode: 'mixed' })
  await world.clock.advanceUntil(() => a.held().length === leases.length)
  a.told.length = 0
  return { world, a }
}

describe('LeaseCoordinator in mixed mode', () => {
  it('renews nothing in solo mode', async () => {
    const world = await CoordinatorWorld.withLeases(3)
    const a = await world.holding('a', [0, 1, 2])
    const writes = writesOf(a)
    await world.clock.advance(600_000)
    expect(writesOf(a)).to.equal(writes)
  })

  it('renews each lease when nothing was written to it for half of the duration', async () => {
    const { world, a } = await inMixedMode([0, 1, 2])
    const times: number[] = []
    const { replace } = a.store
    a.store.replace = (before, after) => {
      if (before.leaseKey.endsWith('1')) times.push(world.clock.monotonicMs())
      return replace(before, after)
    }
    await world.clock.advance(600_000)
    const gaps = times.slice(1).map((atMs, index) => atMs - (times[index] ?? 0))
    expect(Math.min(...gaps)).to.be.at.least(SETTINGS.durationMs / 2)
    expect(Math.max(...gaps)).to.be.at.most(SETTINGS.durationMs * 0.61)
    expect(a.held()).to.deep.equal([0, 1, 2])
  })

  it('renews in time what was checkpointed at any moment, so that there is time for another try', async () => {
    const { world, a } = await inMixedMode([0])
    for (let second = 0; second < 12; second++) {
      await world.clock.advance(1_150)
      await a.tenure(0).checkpoint(aPosition(second + 1))
      const writes = writesOf(a)
      const sinceMs = world.clock.monotonicMs()
      await world.clock.advanceUntil(() => writesOf(a) > writes)
      expect(world.clock.monotonicMs() - sinceMs).to.be.within(SETTINGS.durationMs * 0.5, SETTINGS.durationMs * 0.61)
    }
  })

  it('does not renew a lease that is checkpointed more often than that', async () => {
    const { world, a } = await inMixedMode([0, 1])
    const before = [writesOf(a, 0), writesOf(a, 1)]
    for (let second = 1; second <= 60; second++) {
      await a.tenure(0).checkpoint(aPosition(second))
      await world.clock.advance(1_000)
    }
    const writes = [writesOf(a, 0), writesOf(a, 1)].map((count, index) => count - (before[index] ?? 0))
    expect(writes[0]).to.equal(60)
    expect(writes[1]).to.be.within(9, 12)
  })

  it('keeps a lease through one renewal that is lost', async () => {
    const { world, a } = await inMixedMode([0])
    for (const kind of ['lost-request', 'lost-answer'] as const) {
      let renewals = 0
      a.store.faults = ({ name }) => (name === 'replace' && renewals++ === 0 ? { kind, afterMs: 2_500 } : undefined)
      await world.clock.advance(20_000)
      expect(renewals, kind).to.be.at.least(2)
    }
    expect([a.told, a.held()]).to.deep.equal([[], [0]])
  })

  it('loses a lease that could not be renewed for 0.9 of the duration, and not the others', async () => {
    const { world, a } = await inMixedMode([0, 1])
    const tenure = a.tenure(0)
    a.store.faults = ({ name, leaseKey }) =>
      name === 'replace' && leaseKey?.endsWith('0') ? { kind: 'lost-request', afterMs: 2_500 } : undefined
    await world.clock.advanceUntil(() => a.told.length > 0, 30_000)
    expect(tenure.sinceProofMs()).to.be.closeTo(SETTINGS.durationMs * 0.9, 50)
    expect(a.told).to.deep.equal(['ended 0 lost'])
    await world.clock.advance(60_000)
    expect(a.held()).to.include(1)
    expect(a.tenure(1).isValid()).to.equal(true)
  })

  it('gives every lease the time to be renewed for once when the fleet changes to mixed', async () => {
    const world = await CoordinatorWorld.withLeases(3)
    const a = await world.holding('a', [0, 1, 2])
    await world.clock.advance(3_600_000)
    await world.post(a, { leases: [0, 1, 2], mode: 'mixed' })
    const writes = writesOf(a)
    await world.clock.advance(SETTINGS.durationMs)
    expect([a.told, a.held()]).to.deep.equal([[], [0, 1, 2]])
    expect(writesOf(a) - writes).to.be.within(3, 6)
  })

  it('holds nothing by its leases while its session is not proved', async () => {
    const { world, a } = await inMixedMode([0])
    a.control.faults = ({ name }) => (name === 'beat' ? { kind: 'lost-request', afterMs: 500 } : undefined)
    await world.clock.advance(SETTINGS.validMs + SETTINGS.heartbeatMs)
    expect(a.told).to.include('suspended')
    expect([a.held(), a.tenure(0).isValid()]).to.deep.equal([[0], false])
  })
})
