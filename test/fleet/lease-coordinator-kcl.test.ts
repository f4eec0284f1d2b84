import { expect } from 'chai'
import { finished, type Lease, released } from '../../src/model/lease.ts'
import { CoordinatorWorld, SETTINGS, type TestWorker, type Wish } from './coordinator-world.ts'

const LED = { mode: 'mixed', assigner: 'kcl' } as const

/** A worker whose fleet is led by a leader of KCL, and the leases of three shards. */
async function aLedWorker({ hasIndex = true } = {}): Promise<{ world: CoordinatorWorld; a: TestWorker }> {
  const world = await CoordinatorWorld.withLeases(3)
  world.kcl.items.hasIndex = hasIndex
  const a = await world.started('a')
  await led(world, a, { leases: [] })
  return { world, a }
}

async function led(world: CoordinatorWorld, a: TestWorker, wish: Wish): Promise<void> {
  await world.post(a, { ...LED, ...wish })
  await world.clock.advance(SETTINGS.heartbeatMs + SETTINGS.hurryMs)
}

/** The leader of KCL assigns a lease: the counter moves. */
function assign(world: CoordinatorWorld, number: number, owner: string): Promise<void> {
  return world.change(number, lease => ({ ...released(lease), owner }))
}

/** It has it handed over: the counter does not move. */
function handOver(world: CoordinatorWorld, number: number, owner: string): Promise<void> {
  return world.change(number, lease => ({ ...lease, owner, checkpointOwner: lease.owner ?? '' }))
}

describe('LeaseCoordinator, while a leader of KCL assigns', () => {
  it('takes nothing that nobody has, and nothing of the dead: that leader gives it out', async () => {
    const { world, a } = await aLedWorker()
    await assign(world, 1, 'b/00000001')
    await led(world, a, { leases: [0, 1], dead: ['b/00000001'] })
    await world.clock.advance(60_000)
    expect([a.held(), await world.row(0)]).to.deep.equal([[], await world.row(0)])
  })

  for (const hasIndex of [true, false]) {
    it(`claims what is assigned to it, as ${hasIndex ? 'the index' : 'its mailbox'} tells, with a write of its own`, async () => {
      const { world, a } = await aLedWorker({ hasIndex })
      await assign(world, 1, a.session())
      const { counter = 0 } = (await world.row(1)) ?? {}
      if (!hasIndex) await led(world, a, { leases: [1] })
      await world.clock.advance(SETTINGS.durationMs * 0.6)
      expect(a.told).to.deep.equal(['taken 1 assigned'])
      const row = (await world.row(1)) as Lease
      expect([row.owner, row.counter > counter]).to.deep.equal([a.session(), true])
      expect(a.tenure(1).fencingToken).to.equal(counter + 1)
    })
  }

  it('reads on what it was to hand over and lost its hold on, once that leader is dead', async () => {
    const { world, a } = await aLedWorker()
    await assign(world, 1, a.session())
    await world.clock.advance(SETTINGS.durationMs)
    await handOver(world, 1, 'java-1')
    await world.post(a, { mode: 'mixed', leases: [1] })
    a.tenure(1).abandon('it was not written to')
    await world.clock.advance(2 * SETTINGS.durationMs)
    expect(a.held()).to.deep.equal([1])
    expect(await world.row(1))
      .to.include({ owner: a.session() })
      .and.not.have.property('checkpointOwner')
  })

  it('gives nothing back that its mailbox does not list', async () => {
    const { world, a } = await aLedWorker()
    await assign(world, 1, a.session())
    await world.clock.advance(SETTINGS.durationMs)
    await led(world, a, { leases: [] })
    await world.clock.advance(60_000)
    expect([a.held(), a.told]).to.deep.equal([[1], ['taken 1 assigned']])
  })

  it('waits for what is handed over to it, looks once a second, and then claims it', async () => {
    const { world, a } = await aLedWorker({ hasIndex: false })
    await assign(world, 2, 'java-1')
    await handOver(world, 2, a.session())
    await led(world, a, { leases: [2], wait: [2] })
    await world.clock.advance(30_000)
    expect(a.held()).to.deep.equal([])
    await world.change(2, lease => ({ ...released(lease), owner: a.session() }))
    await world.clock.advance(SETTINGS.hurryMs * 1.2)
    expect(a.held()).to.deep.equal([2])
  })

  it('revokes what is to be handed over at its next write, and says so once', async () => {
    const { world, a } = await aLedWorker()
    await assign(world, 1, a.session())
    await world.clock.advance(SETTINGS.durationMs)
    await handOver(world, 1, 'java-1')
    await world.clock.advance(SETTINGS.durationMs * 0.7)
    expect(a.told.slice(1)).to.deep.equal(['revoked 1'])
    await world.clock.advance(30_000)
    expect([a.held(), a.told.slice(1)]).to.deep.equal([[1], ['revoked 1']])
    await a.tenure(1).release()
    expect(await world.row(1)).to.include({ owner: 'java-1' })
  })

  it('lets go of what it is to hand over and does not hold any more', async () => {
    const { world, a } = await aLedWorker()
    await assign(world, 1, a.session())
    await world.clock.advance(SETTINGS.durationMs)
    await handOver(world, 1, 'java-1')
    a.tenure(1).abandon('the test says so')
    await world.clock.advance(SETTINGS.durationMs)
    const row = (await world.row(1)) as Lease
    expect(row).to.include({ owner: 'java-1' })
    expect(row).to.not.have.property('checkpointOwner')
    expect(a.held()).to.deep.equal([])
  })

  it('does not take back a lease whose claim was overtaken by a hand-off, but lets go of it', async () => {
    const { world, a } = await aLedWorker()
    await assign(world, 1, a.session())
    let isFirst = true
    const { replace } = a.store
    a.store.replace = async (before, after) => {
      if (isFirst) await handOver(world, 1, 'java-1')
      isFirst = false
      return replace(before, after)
    }
    await world.clock.advance(SETTINGS.durationMs * 3)
    expect([a.held(), a.told]).to.deep.equal([[], []])
    const row = (await world.row(1)) as Lease
    expect(row).to.include({ owner: 'java-1' })
    expect(row).to.not.have.property('checkpointOwner')
  })

  it('renews a finished shard that was given to it, so that nobody gives it to others again and again', async () => {
    const { world, a } = await aLedWorker()
    await world.change(1, lease => finished(lease, []))
    await assign(world, 1, a.session())
    const times: number[] = []
    let { counter } = (await world.row(1)) as Lease
    for (let second = 0; second < 60; second++) {
      await world.clock.advance(1_000)
      const row = (await world.row(1)) as Lease
      if (row.counter !== counter) times.push(second)
      counter = row.counter
    }
    const gaps = times.slice(1).map((second, index) => second - (times[index] ?? 0))
    expect(Math.max(...gaps)).to.be.below(SETTINGS.durationMs / 1_000)
    expect(a.held()).to.deep.equal([])
  })

  it('claims again what a claim without an answer was for, and what it lost for want of writes', async () => {
    const { world, a } = await aLedWorker()
    await assign(world, 0, a.session())
    let lost = 0
    a.store.faults = ({ name }) => (name === 'replace' && lost++ < 1 ? { kind: 'lost-answer' } : undefined)
    await world.clock.advance(SETTINGS.durationMs * 2)
    expect([lost > 1, a.held()]).to.deep.equal([true, [0]])
    a.tenure(0).abandon('the test says so')
    await world.clock.advance(SETTINGS.durationMs)
    expect([a.held(), await world.row(0)]).to.deep.equal([[0], await world.row(0)])
    expect(await world.row(0)).to.include({ owner: a.session() })
  })

  it('goes back to its mailbox when our leader assigns again', async () => {
    const { world, a } = await aLedWorker()
    for (const number of [0, 1]) await assign(world, number, a.session())
    await world.clock.advance(SETTINGS.durationMs)
    expect(a.held()).to.deep.equal([0, 1])
    await world.post(a, { leases: [0, 2], mode: 'mixed' })
    await world.clock.advance(SETTINGS.durationMs)
    expect(a.told).to.include('revoked 1')
    expect(a.held()).to.deep.equal([0, 1, 2])
  })
})
