import { expect } from 'chai'
import { SLOTS, slotsOf, snapshotOf } from '../../src/dashboard/snapshot-rules.ts'
import type { WorkerStatus } from '../../src/operate/status-rules.ts'
import { DashboardFleetDouble, idOf } from '../support/dashboard-fleet.ts'

const aWorker = (workerId: string): WorkerStatus => ({
  ...{
    workerId,
    session: `${workerId}:1`,
    state: 'ACTIVE',
    color: 'green',
    isLeader: false,
    leases: 0,
    redShards: 0,
    reasons: []
  }
})

describe('snapshotOf', () => {
  it('tells of shards with their owners, places, lag and reasons', async () => {
    const fleet = new DashboardFleetDouble({ shards: 16, workers: 8, isTroubled: true })
    const lag = await fleet.lag()
    const { snapshot, slots } = snapshotOf(await fleet.status(), lag, new Map())
    const [first] = snapshot.shards
    expect(first).to.include({ id: idOf(0), state: 'read', owner: 'web-1:a0', listing: 'open' })
    expect(first?.range).to.include({ from: 0, to: 0.0625 })
    expect(first?.lagMs).to.equal(lag.shards[0]?.lagMs)
    expect(snapshot.shards.at(-1)?.range?.to).to.equal(1)
    expect(snapshot.workers.map(({ slot }) => slot)).to.deep.equal([...slots.values()])
    expect(snapshot.facts).to.include({ app: 'click-counter', isRed: true, leader: 'web-1:a0', maxLagMs: lag.maxLagMs })
  })

  it('counts a shard for red of which its worker says that it is', async () => {
    const { snapshot } = snapshotOf(
      await new DashboardFleetDouble({ shards: 16, workers: 8, isTroubled: true }).status(),
      undefined,
      new Map()
    )
    expect(snapshot.shards[5]).to.include({ isRed: true, reason: 'halted: ProcessorError in processRecords' })
    expect(snapshot.shards[5]).to.not.have.property('lagMs')
    expect(snapshot.shards.filter(({ isRed }) => isRed).map(({ id }) => id)).to.deep.equal([idOf(5), idOf(9), idOf(14)])
  })
})

describe('slotsOf', () => {
  it('gives the first workers colours of their own, and keeps them', () => {
    const workers = Array.from({ length: 8 }, (_, at) => aWorker(`w${at}`))
    const slots = slotsOf(workers, new Map())
    expect(new Set([...slots.values()].map(slot => slot % 8)).size).to.equal(8)
    const others = [aWorker('other'), ...workers.slice(1)]
    const after = slotsOf(others, slots)
    for (const { session = '' } of workers.slice(1)) expect(after.get(session)).to.equal(slots.get(session))
    expect(new Set(after.values()).size).to.equal(8)
  })

  it('is the same for the same workers after the server was started again', () => {
    const workers = ['a', 'b', 'c'].map(aWorker)
    expect(slotsOf(workers, new Map())).to.deep.equal(slotsOf(workers, new Map()))
  })

  it('has room for more workers than colours', () => {
    const slots = slotsOf(
      Array.from({ length: 60 }, (_, at) => aWorker(`w${at}`)),
      new Map()
    )
    expect(slots.size).to.equal(60)
    expect(Math.max(...slots.values())).to.be.lessThan(SLOTS)
  })
})
