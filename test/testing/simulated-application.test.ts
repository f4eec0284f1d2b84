import { expect } from 'chai'
import { FULL_HASH_KEY_RANGE } from '../../src/model/hash-key-range.ts'
import { checkpointed, claimed } from '../../src/model/lease.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import type { StartPosition } from '../../src/model/start-position.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { PutLog } from '../../src/testing/shard-ledger.ts'
import { SimulatedApplication } from '../../src/testing/simulated-application.ts'
import { simulate } from '../../src/testing/simulation.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aLease, aPosition, shardId } from '../support/builders.ts'

const SHARD = shardId(0)
const DONE = { kind: 'returned', failed: [] } as const
const MANNER = { atOnce: 1, keepsOrder: true, keepsMemory: false, rules: {}, clock: new VirtualClock() }
const W1 = { name: 'w1', isAlive: true, isPaused: false }

/** An application of a stream with one shard, in which are the records 10 and 20; and what it told. */
function anApplication(startAt: StartPosition = 'TRIM_HORIZON') {
  const clock = new VirtualClock(0)
  const puts = new Map([[SHARD, new PutLog()]])
  for (const [index, sequenceNumber] of ['10', '20'].entries()) {
    const record = { sequenceNumber, partitionKey: 'key', data: new Uint8Array(1), arrivedAtMs: index * 1_000 }
    puts.get(SHARD)?.add(record, FULL_HASH_KEY_RANGE)
  }
  const journal: string[] = []
  const violations: string[] = []
  const observed: string[] = []
  const application = new SimulatedApplication(
    { streamName: 'orders', tableName: 'app', controlTableName: 'control', startAt, mayDropOutside: false },
    {
      ...{ clock, random: seededRandom(1), puts },
      sabotage: tables => tables,
      lagMs: () => 0,
      isThere: () => true,
      isDriftExcessive: () => false,
      note: (who, what, about) => journal.push([who, what, about].join(' ')),
      violated: kind => violations.push(kind),
      leaseWritten: ({ kind }) => observed.push(kind),
      delivered: ({ entries }) => observed.push(`delivered ${entries.length}`)
    }
  )
  return { application, journal, violations, observed }
}

function aRecord(sequenceNumber: string): ConsumedRecord {
  const fields = { sequenceNumber, subSequenceNumber: 0, partitionKey: 'key' }
  return new ConsumedRecord({ ...fields, data: new Uint8Array(1), aggregated: false })
}

describe('SimulatedApplication', () => {
  it('tells the journal and its observers of writes and deliveries, and checks both', async () => {
    const { application, journal, violations, observed } = anApplication()
    const store = application.tables.leaseStoreFor('w1')
    const lease = aLease()
    const owned = claimed(lease, 'w1/1')
    await store.create(lease)
    await store.replace(lease, owned)
    const watch = application.watchFor(W1, MANNER)
    watch.end(watch.begin(SHARD, [aRecord('10')], new AbortController().signal), DONE)
    await store.replace(owned, checkpointed(owned, aPosition(20)))
    await store.replace(owned, checkpointed(owned, aPosition(20)))
    expect(journal).to.deep.equal([
      `w1 create: nobody at 0, TRIM_HORIZON ${SHARD}`,
      `w1 claim: w1/1 at 1, TRIM_HORIZON ${SHARD}`,
      `w1 is given 1 records 10 to 10 ${SHARD}`,
      `w1 is done ${SHARD}`,
      `w1 checkpoint: w1/1 at 2, 20 ${SHARD}`,
      `w1 checkpoint as of 1 is refused: w1/1 at 2, 20 ${SHARD}`
    ])
    expect(violations).to.deep.equal(['checkpoint-ahead'])
    expect(observed).to.deep.equal(['create', 'claim', 'delivered 1', 'checkpoint', 'checkpoint'])
    expect(application.counts.deliveries).to.equal(1)
  })

  it('knows what is left to be processed', () => {
    const { application } = anApplication()
    expect(application.isDone).to.equal(false)
    expect(application.open()).to.deep.equal([{ shardId: SHARD, places: ['10', '20'] }])
    const watch = application.watchFor(W1, MANNER)
    watch.end(watch.begin(SHARD, [aRecord('10'), aRecord('20')], new AbortController().signal), DONE)
    expect([application.isDone, application.open()]).to.deep.equal([true, []])
  })

  it('waits for what its first worker is to begin with', async () => {
    expect(anApplication(new Date(500)).application.open()).to.deep.equal([{ shardId: SHARD, places: ['20'] }])
    const { application } = anApplication('LATEST')
    expect(application.open()).to.deep.equal([])
    const other = { leaseKey: shardId(1), shardId: shardId(1), startTimestampMs: 900 }
    const latest = { checkpoint: { sequenceNumber: 'LATEST', subSequenceNumber: 0 } }
    await application.tables.leaseStoreFor('w1').create(aLease({ ...other, ...latest }))
    expect(application.open()).to.deep.equal([{ shardId: SHARD, places: ['20'] }])
  })

  it('forgets a stream that was deleted', () => {
    const { application } = anApplication()
    const watch = application.watchFor(W1, MANNER)
    watch.begin(SHARD, [aRecord('20')], new AbortController().signal)
    application.streamDeleted()
    expect(application.open()).to.have.length(1)
  })
})

describe('simulate', () => {
  it('refuses a worker of several streams', () => {
    const world = simulate()
    world.kinesis.createStream('orders', 1)
    const options = { applicationName: 'app', streams: [{ streamName: 'orders' }], handler: () => {} }
    expect(() => world.launch(options)).to.throw(RangeError, 'several streams are not simulated')
  })
})
