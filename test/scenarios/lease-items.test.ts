// KCL's hazards with the items of the lease table, by the numbers of kcl-behaviour.md section 10.1 (L7 to L9), and calls to
// it that never complete (L18): a real worker and its fleet in memory, the items on a DynamoDB emulator.

import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { expect } from 'chai'
import { ServiceError } from '../../src/index.ts'
import { type DynamoLeaseStore, dynamoLeaseStore } from '../../src/leases/dynamo-lease-store.ts'
import type { SkippedRow } from '../../src/leases/lease-store.ts'
import { checkpointed, claimed, released, renewed } from '../../src/model/lease.ts'
import { TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aLease, aPosition, shardId } from '../support/builders.ts'
import { sharedDynalite } from '../support/emulators.ts'
import { expectExactlyOnce } from '../support/fleet.ts'
import { uniqueName } from '../support/streams.ts'
import { stubDynamo } from '../support/stub-dynamo.ts'
import { World } from '../support/world.ts'

/** What KCL keeps in the lease table beside leases: from before every item said what it is, and from 3.5 on. */
const OTHER_ITEMS: readonly Record<string, unknown>[] = [
  { leaseKey: 'Leader', ownerName: 'java-1', leaseDuration: 120_000, recordVersionNumber: 'abc' },
  { leaseKey: 'Migration3.0', cv: 'CLIENT_VERSION_3X', mb: 'java-1', mts: 1_700_000_000_000, h: [] },
  { leaseKey: 'java-1', entityType: 'WORKER_METRICS', wid: 'java-1', lut: 1_700_000_000, sup: 1 },
  { leaseKey: 'stream-info', entityType: 'STREAM', streamName: 'orders' },
  { leaseKey: 'something-new', entityType: 'KIND_OF_THE_FUTURE', leaseCounter: 1, checkpoint: 'LATEST' }
]

/** A lease as KCL writes it, with what later versions may add. */
const LEASE_OF_KCL = {
  ...{ leaseKey: shardId(0), leaseCounter: 7, checkpoint: '123', checkpointSubSequenceNumber: 4 },
  ...{ ownerSwitchesSinceCheckpoint: 2, leaseOwner: 'java-1', throughputKBps: 12.5 },
  ...{ startingHashKey: '0', endingHashKey: '99', someAttributeOfTheFuture: { deep: ['kept'] } }
}

/** The least that a lease can be. */
const BARE_LEASE = { leaseKey: shardId(1), leaseCounter: 0, checkpoint: 'TRIM_HORIZON' }

const BROKEN_ITEMS: readonly Record<string, unknown>[] = [
  { leaseKey: shardId(2), checkpoint: '123' },
  { leaseKey: shardId(3), leaseCounter: 'seven', checkpoint: '123' },
  { ...LEASE_OF_KCL, leaseKey: shardId(4), startingHashKey: '99', endingHashKey: '0' }
]

interface Table {
  readonly store: DynamoLeaseStore
  /** An item as it is stored. */
  readonly item: (leaseKey: string) => Promise<Record<string, unknown> | undefined>
}

async function withTable(
  items: readonly Record<string, unknown>[],
  work: (table: Table) => Promise<void>
): Promise<void> {
  const TableName = uniqueName('leases')
  const client = new DynamoDBClient((await sharedDynalite()).clientConfig())
  const store = dynamoLeaseStore({ tableName: TableName, client, clock: systemClock, logger: silentLogger })
  try {
    await store.prepare()
    for (const Item of items) await client.send(new PutCommand({ TableName, Item }))
    const item = async (leaseKey: string) => (await client.send(new GetCommand({ TableName, Key: { leaseKey } }))).Item
    await work({ store, item })
  } finally {
    client.destroy()
  }
}

/** A fleet on a table whose listing also finds rows that are no leases. */
async function deliveredBeside(skipped: readonly SkippedRow[]): Promise<World> {
  const world = new World({ shards: 3, latencyMs: 10 })
  const { list } = world.store
  world.store.list = async options => ({ leases: (await list(options)).leases, skipped })
  for (let i = 0; i < 2; i++) void world.makeWorker().worker.start()
  await world.load(60_000)
  expect(world.loads()).to.deep.equal([1, 2])
  await expectExactlyOnce(world)
  expect(world.events('error')).to.deep.equal([])
  await world.stopAll()
  return world
}

describe('the items of the lease table', () => {
  it('L7: are read whatever they lack or have more, and keep what we do not know through claims and checkpoints', async () => {
    await withTable([LEASE_OF_KCL, BARE_LEASE], async ({ store, item }) => {
      const { leases, skipped } = await store.list({ consistent: true })
      expect([leases.map(({ leaseKey }) => leaseKey).sort(), skipped]).to.deep.equal([[shardId(0), shardId(1)], []])
      for (const original of [LEASE_OF_KCL, BARE_LEASE]) {
        const read = await store.get(original.leaseKey)
        if (read === undefined) throw new Error(`${original.leaseKey} is not read`)
        const owned = claimed(read, 'w1/0a1b2c3d')
        const last = checkpointed(renewed(owned), aPosition(456, 1))
        const steps = [read, owned, renewed(owned), last, released(last)]
        for (const [at, after] of steps.entries()) {
          const before = steps[at - 1]
          if (before !== undefined) expect(await store.replace(before, after)).to.deep.equal({ kind: 'written' })
        }
        const { leaseOwner: _, ...kept } = { leaseOwner: undefined, ...original }
        const written = { leaseCounter: original.leaseCounter + 4, checkpoint: '456', checkpointSubSequenceNumber: 1 }
        const switches = original === LEASE_OF_KCL && { ownerSwitchesSinceCheckpoint: 0 }
        expect(await item(original.leaseKey)).to.deep.equal({ ...kept, ...written, ...switches })
      }
    })
  })

  it('L8: are listed as leases only if they are leases, and a table without any counts as empty', async () => {
    await withTable([...OTHER_ITEMS, LEASE_OF_KCL], async ({ store }) => {
      const { leases, skipped } = await store.list({ consistent: true })
      expect(leases.map(({ leaseKey }) => leaseKey)).to.deep.equal([shardId(0)])
      expect(new Set(skipped.map(({ because }) => because))).to.deep.equal(new Set(['another-kind']))
      expect(skipped.map(({ key }) => key)).to.have.members(OTHER_ITEMS.map(({ leaseKey }) => leaseKey))
    })
    const rows = OTHER_ITEMS.map(({ leaseKey }) => ({ key: String(leaseKey), problem: 'no lease' }))
    const world = await deliveredBeside(rows.map(row => ({ ...row, because: 'another-kind' })))
    const created = world.events('lease:created')
    expect(created.map(({ why }) => why)).to.deep.equal(['first', 'first', 'first'])
    expect(world.events('lease:row-skipped')).to.deep.equal([])
  })

  it('L9: are skipped and told of if they are broken, and the other leases are none the worse', async () => {
    await withTable([...BROKEN_ITEMS, LEASE_OF_KCL], async ({ store }) => {
      const { leases, skipped } = await store.list({ consistent: true })
      expect(leases.map(({ leaseKey }) => leaseKey)).to.deep.equal([shardId(0)])
      expect(skipped.map(({ key, because }) => [key, because])).to.have.deep.members(
        BROKEN_ITEMS.map(({ leaseKey }) => [leaseKey, 'malformed'])
      )
    })
    const world = await deliveredBeside([{ key: 'odd', because: 'malformed', problem: 'leaseCounter is missing' }])
    const told = world.events('lease:row-skipped').map(({ key, problem }) => [key, problem])
    expect(new Set(told.map(String))).to.deep.equal(new Set(['odd,leaseCounter is missing']))
  })

  it('L18: are not waited for without end: a call that never completes rejects, and its request is aborted', async () => {
    const clock = new VirtualClock()
    const { client, sent } = stubDynamo(() => new Promise<never>(() => {}))
    const store = dynamoLeaseStore({ tableName: 'app', client, clock, logger: silentLogger, requestTimeoutMs: 2_500 })
    const lease = claimed(aLease({ checkpoint: TRIM_HORIZON }), 'w1/0a1b2c3d')
    const calls = [store.list(), store.get(shardId(0)), store.replace(lease, renewed(lease))]
    const outcomes = Promise.all(calls.map(call => call.catch((error: unknown) => error)))
    await clock.advanceUntil(() => sent.length === 3)
    await clock.advance(2_500)
    for (const outcome of await outcomes)
      expect(outcome).to.be.instanceOf(ServiceError).and.include({ kind: 'timeout' })
    expect(clock.monotonicMs()).to.equal(2_500)
    expect(sent.map(({ signal }) => signal?.aborted)).to.deep.equal([true, true, true])
  })
})
