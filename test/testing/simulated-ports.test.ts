import { expect } from 'chai'
import { memoryControlStore } from '../../src/leases/memory-control-store.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { checkpointed, claimed, released } from '../../src/model/lease.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { FAULT_PROFILES, FaultPlan, type ServiceCall } from '../../src/testing/faults.ts'
import { Gate } from '../../src/testing/gate.ts'
import { Line } from '../../src/testing/network.ts'
import { controlStoreThrough, kinesisThrough, leaseStoreThrough } from '../../src/testing/simulated-ports.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aLease, aPosition, shardId } from '../support/builders.ts'

/** A caller, and the calls that its line has carried: what is called, what it is about, and whether it changes something. */
function aCaller() {
  const clock = new VirtualClock()
  const faults = new FaultPlan(FAULT_PROFILES.none, seededRandom(1), () => clock.monotonicMs())
  const calls: (readonly [string, string | undefined, boolean])[] = []
  const line = new Line({ clock, gate: new Gate('w1'), faults, timeoutMs: { dynamodb: 2_500, kinesis: 10_000 } })
  const noting = {
    ...line,
    call: (...[call, signal, work]: Parameters<Line['call']>) => {
      const { worker, key, isWrite } = call as ServiceCall
      expect(worker).to.equal('w1')
      calls.push([call.call, key, isWrite])
      return line.call(call, signal, work)
    }
  }
  return { clock, calls, caller: { name: 'w1', line: noting as unknown as Line } }
}

describe('kinesisThrough', () => {
  it('sends every call through the line, and says which shard it is about', async () => {
    const { clock, calls, caller } = aCaller()
    const kinesis = new FakeKinesis({ clock })
    kinesis.createStream('orders')
    kinesis.put('orders', 'key', 'x')
    const port = kinesisThrough(caller, kinesis.port('orders'))
    expect(await port.describeStream()).to.include({ streamName: 'orders' })
    expect(await port.listShards()).to.have.length(1)
    expect(await port.listShards({ filter: { type: 'AT_TIMESTAMP', timestampMs: 0 } })).to.have.length(1)
    const iterator = await port.getShardIterator(shardId(0), { type: 'TRIM_HORIZON' })
    expect((await port.getRecords(iterator, { limit: 10 })).records).to.have.length(1)
    expect(calls).to.deep.equal([
      ['describeStream', undefined, false],
      ['listShards', undefined, false],
      ['listShards', undefined, false],
      ['getShardIterator', shardId(0), false],
      ['getRecords', shardId(0), false]
    ])
  })
})

describe('leaseStoreThrough', () => {
  it('sends every call through the line, and says what it is about', async () => {
    const { calls, caller } = aCaller()
    const store = leaseStoreThrough(caller, memoryLeaseStore({ tableName: 'app' }))
    const lease = aLease()
    const owned = claimed(lease, 'w1/1')
    const done = checkpointed(owned, aPosition(5))
    await store.prepare()
    await store.create(lease)
    await store.replace(lease, owned)
    await store.replace(owned, done)
    await store.replace(done, released(done))
    expect((await store.get(lease.leaseKey))?.counter).to.equal(3)
    expect((await store.list()).leases).to.have.length(1)
    await store.remove(released(done))
    expect(store.tableName).to.equal('app')
    expect(calls).to.deep.equal([
      ['prepare', undefined, false],
      ['create', lease.leaseKey, true],
      ['claim', lease.leaseKey, true],
      ['checkpoint', lease.leaseKey, true],
      ['release', lease.leaseKey, true],
      ['read-lease', lease.leaseKey, false],
      ['scan', undefined, false],
      ['remove', lease.leaseKey, true]
    ])
  })
})

describe('controlStoreThrough', () => {
  it('sends every call through the line, and says what it is about', async () => {
    const { calls, caller } = aCaller()
    const store = controlStoreThrough(caller, memoryControlStore({ tableName: 'control' }))
    const counters = { ack: 0, applied: 0, evt: 0, led: 0, generation: 0, capacity: 1, avoid: [] }
    const report = { session: 's', workerId: 'w1', state: 'ACTIVE', ...counters } as const
    await store.prepare()
    await store.join(report)
    await store.beat(report, 2)
    await store.certify('other', 1, 'silent')
    await store.members()
    await store.member('s')
    await store.leader()
    await store.replaceLeader(undefined, { who: 's', term: 1 })
    await store.post({ session: 's', ver: 1, term: 1, mode: 'solo', leases: [], wait: [], dead: [], steal: [], evt: 0 })
    await store.mailbox('s')
    await store.mailboxes()
    await store.reportLoads('s', {})
    await store.loads()
    await store.leave(report)
    await store.forget('s')
    expect(calls.map(([call]) => call)).to.deep.equal([
      ...['prepare', 'join', 'heartbeat', 'certificate', 'read-members', 'read-member', 'read-leader', 'leader'],
      ...['mailbox', 'read-mailbox', 'read-mailboxes', 'loads', 'read-loads', 'leave', 'forget']
    ])
    const writes = calls.filter(([, , isWrite]) => isWrite).map(([call]) => call)
    expect(writes).to.deep.equal(['join', 'heartbeat', 'certificate', 'leader', 'mailbox', 'loads', 'leave', 'forget'])
    expect(calls.filter(([, key]) => key === 's')).to.have.length(9)
  })
})
