import { expect } from 'chai'
import { claimed, type Lease, released } from '../../src/model/lease.ts'
import { shardId } from '../support/builders.ts'
import { session } from './fleet-model.ts'
import { SETTINGS, type TestView, FleetViewWorld as World } from './fleet-view-world.ts'

const { durationMs } = SETTINGS
const A = session('a')

/** A leader of ours in a fleet of 3.x: a Java worker has the leases from 2 on, session A the first, nobody the second. */
async function aLedFleet(): Promise<{ world: World; leader: TestView; java: { isBeating: boolean } }> {
  const world = await World.withLeases(4, number => {
    if (number === 1) return {}
    return { owner: number === 0 ? A : 'java-1', counter: 3 }
  })
  const java = { isBeating: true }
  Object.assign(world.kcl.items, { version: '3X', lock: { owner: 'java-1', version: '0' } })
  await world.join('ab')
  const leader = world.view(1, 'a', { mode: 'mixed' })
  await leader.view.inherit()
  return { world, leader, java }
}

/** Time passes in which the Java worker renews what it has, and its lock. */
async function pass({ world, leader, java }: Awaited<ReturnType<typeof aLedFleet>>, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 3_000) {
    if (java.isBeating) world.kcl.items.lock = { owner: 'java-1', version: String(world.clock.monotonicMs()) }
    for (const { leaseKey, owner } of (await world.table.list()).leases) {
      if (owner === 'java-1' || owner === A) {
        await world.change(Number(leaseKey.slice(-12)), lease => ({ ...lease, counter: lease.counter + 1 }))
      }
    }
    await world.pass(3_000, leader)
  }
}

describe('FleetView beside a leader of KCL', () => {
  it('gives nothing to anybody, and lists to each session what the rows name it for', async () => {
    const fleet = await aLedFleet()
    const { world, leader } = fleet
    await pass(fleet, 60_000)
    const led = { mode: 'mixed', assigner: 'kcl', wait: [], dead: [], steal: [] }
    expect(await world.mailbox('a')).to.deep.include({ ...led, leases: [shardId(0)] })
    expect(await world.mailbox('b')).to.deep.include({ ...led, leases: [] })
    expect(leader.plans).to.deep.equal([])
    await world.change(3, lease => ({ ...lease, owner: A, checkpointOwner: 'java-1' }))
    await world.change(1, lease => claimed(lease, A))
    await pass(fleet, durationMs)
    expect(await world.mailbox('a')).to.deep.include({
      leases: [shardId(0), shardId(1), shardId(3)],
      wait: [shardId(3)]
    })
    expect(leader.view.census).to.deep.include({ members: 2, unassigned: 0 })
  })

  it('gives out nothing of a dead session of ours either, but tells Java workers that it is gone', async () => {
    const fleet = await aLedFleet()
    const { world, leader } = fleet
    await world.kcl.publish(session('b'), 'lease-table', 1)
    await world.change(1, lease => claimed(lease, session('b')))
    await pass(fleet, 30_000)
    world.silence('b')
    await pass(fleet, 60_000)
    expect(leader.told.filter(line => line.startsWith('certified'))).to.deep.equal([`certified ${session('b')} silent`])
    expect(await world.mailbox('a')).to.deep.include({ leases: [shardId(0)], dead: [] })
    expect([...world.kcl.items.published['lease-table'].keys()]).to.deep.equal([])
  })

  it('places what nobody has once the lock stands still, takes nothing from the living, and stops when it moves', async () => {
    const fleet = await aLedFleet()
    const { world, leader, java } = fleet
    await pass(fleet, 30_000)
    java.isBeating = false
    await pass(fleet, 60_000)
    expect(leader.plans).to.deep.equal([])
    await pass(fleet, 60_000)
    const mailboxes = [await world.mailbox('a'), await world.mailbox('b')]
    expect(mailboxes.map(mailbox => mailbox?.assigner)).to.deep.equal([undefined, undefined])
    expect(mailboxes.flatMap(mailbox => mailbox?.leases).sort()).to.deep.equal([shardId(0), shardId(1)])
    expect(mailboxes.flatMap(mailbox => mailbox?.steal)).to.deep.equal([])
    java.isBeating = true
    await pass(fleet, durationMs * 1.5)
    expect((await world.mailbox('b'))?.assigner).to.equal('kcl')
  })

  it('takes who processes a lease for its owner, and a row that is given back for what it says', async () => {
    const fleet = await aLedFleet()
    const { world, java } = fleet
    java.isBeating = false
    await pass(fleet, 120_000)
    await world.change(2, lease => ({ ...lease, owner: session('b'), checkpointOwner: 'java-1' }))
    await pass(fleet, durationMs)
    expect((await world.mailbox('b'))?.leases, 'java-1 lives').to.not.include(shardId(2))
    const row = (await world.table.get(shardId(2))) as Lease
    await world.table.replace(row, { ...released(row), owner: session('b') })
    await pass(fleet, durationMs)
    expect((await world.mailbox('b'))?.leases).to.include(shardId(2))
  })
})
