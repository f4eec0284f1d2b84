import { expect } from 'chai'
import type { LeaseStore } from '../../src/leases/lease-store.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { OperationError, ServiceError } from '../../src/model/errors.ts'
import { claimed, type Lease, released } from '../../src/model/lease.ts'
import type { FleetContext } from '../../src/operate/fleet-context.ts'
import { type ResetReport, resetFleet } from '../../src/operate/reset.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { session } from '../fleet/fleet-model.ts'
import { aLease, aPosition, shardId } from '../support/builders.ts'

const [S0, S1] = [shardId(0), shardId(1)]

/** A table with a lease of each of two shards, which nobody has, and what happens to it at each write. */
async function aTable(happening: (table: LeaseStore, write: number, before?: Lease) => Promise<void> = async () => {}) {
  const clock = new VirtualClock()
  const kinesis = new FakeKinesis({ clock })
  kinesis.createStream('clicks', 2)
  const port = kinesis.port('clicks')
  const { streamArn, creationEpoch } = await port.describeStream()
  const table = memoryLeaseStore()
  for (const id of [S0, S1]) {
    const stream = { streamArn, creationEpoch }
    await table.create(aLease({ leaseKey: id, shardId: id, stream, checkpoint: aPosition(5), counter: 3 }))
  }
  let writes = 0
  const store: LeaseStore = {
    ...table,
    replace: async (before, after) => {
      writes += 1
      await happening(table, writes, before)
      return table.replace(before, after)
    }
  }
  const context: FleetContext = {
    ...{ applicationName: 'counter', kinesis: port, store, control: table.control, clock },
    ...{ random: seededRandom(1), by: 'ann', durationMs: 10_000 }
  }
  const reset = async (): Promise<ResetReport> => {
    let outcome: { readonly report?: ResetReport; readonly error?: unknown } | undefined
    resetFleet(context, 'TRIM_HORIZON', 'all', { timeoutMs: 60_000 }).then(
      report => {
        outcome = { report }
      },
      error => {
        outcome = { error }
      }
    )
    await clock.advanceUntil(() => outcome !== undefined)
    if (outcome?.report === undefined) throw outcome?.error
    return outcome.report
  }
  return { table, context, reset, writes: () => writes }
}

describe('resetFleet', () => {
  it('writes each row once, and takes the hold away again', async () => {
    const { table, reset, writes } = await aTable()
    const { shards, waitedMs } = await reset()
    expect(shards).to.deep.equal([S0, S1].map(id => ({ shardId: id, from: '5', to: 'TRIM_HORIZON' })))
    expect(waitedMs).to.equal(0)
    expect(writes()).to.equal(2)
    expect(await table.get(S0)).to.deep.include({ counter: 4 })
    expect(await table.control.orders()).to.deep.equal({ ver: 2, holds: [], moves: [] })
  })

  it('begins again with a row that somebody has written meanwhile, and leaves alone what is done', async () => {
    const { table, reset, writes } = await aTable(async (rows, write) => {
      if (write !== 1) return
      // A worker claims by an old mailbox, checkpoints, and lets go.
      const row = (await rows.get(S0)) ?? expect.fail()
      await rows.replace(row, { ...released(claimed(row, session('late'))), checkpoint: aPosition(9) })
    })
    const { shards } = await reset()
    expect(shards.map(({ from }) => from)).to.deep.equal(['9', '5'])
    expect((await table.get(S0))?.checkpoint.sequenceNumber).to.equal('TRIM_HORIZON')
    expect((await table.get(S1))?.counter).to.equal(4)
    expect(writes()).to.equal(3)
  })

  it('waits for who has claimed a row under it, until that one is dead', async () => {
    const { table, reset } = await aTable(async (rows, write) => {
      if (write !== 1) return
      const row = (await rows.get(S0)) ?? expect.fail()
      await rows.replace(row, claimed(row, session('late')))
    })
    await reset()
    expect(await table.get(S0)).to.not.have.property('owner')
    expect((await table.get(S0))?.checkpoint.sequenceNumber).to.equal('TRIM_HORIZON')
  })

  it('takes a write whose answer was lost for what it is', async () => {
    let isLost = false
    const { table, reset, writes } = await aTable(async (rows, _, before) => {
      if (isLost || before === undefined) return
      isLost = true
      await rows.replace(before, { ...released(before), checkpoint: aPosition('TRIM_HORIZON') })
      throw new ServiceError('timeout', 'no answer', { retryable: true })
    })
    await reset()
    expect((await table.get(S0))?.counter).to.equal(4)
    expect(writes()).to.equal(3)
  })

  it('begins anew with every row after it stood still for so long that its hold had lapsed', async () => {
    const { table, reset, writes } = await aTable(async (rows, write) => {
      if (write !== 2) return
      // Between two rows: the leader has taken the hold away, and somebody has read on from the first one.
      const control = rows.control ?? expect.fail()
      const orders = await control.orders()
      await control.replaceOrders(orders, { ver: orders.ver + 1, holds: [], moves: [] })
      for (const id of [S0, S1]) {
        const row = (await rows.get(id)) ?? expect.fail()
        await rows.replace(row, { ...released(claimed(row, session('late'))), checkpoint: aPosition(9) })
      }
    })
    const { shards } = await reset()
    expect(shards).to.have.length(2)
    for (const id of [S0, S1]) expect((await table.get(id))?.checkpoint.sequenceNumber, id).to.equal('TRIM_HORIZON')
    expect(writes()).to.equal(4)
    expect((await table.control.orders()).holds).to.deep.equal([])
  })

  it('gives up where rows change all the time, and says so', async () => {
    const { table, reset } = await aTable(async (rows, _, before) => {
      const row = before && (await rows.get(before.leaseKey))
      if (row !== undefined) await rows.replace(row, { ...row, counter: row.counter + 1 })
    })
    const error = await reset().catch((thrown: unknown) => thrown)
    expect(error).to.be.instanceOf(OperationError).and.have.property('because', 'changed-meanwhile')
    expect((await table.control.orders()).holds).to.deep.equal([])
  })

  it('refuses a table of another stream', async () => {
    const { table, reset } = await aTable()
    const row = (await table.get(S0)) ?? expect.fail()
    const stream = { streamArn: 'arn:aws:kinesis:us-east-1:000000000000:stream/others', creationEpoch: 1 }
    await table.replace(row, { ...row, stream, counter: 9 })
    const error = await reset().catch((thrown: unknown) => thrown)
    expect(error).to.be.instanceOf(OperationError).and.have.property('because', 'mismatch')
    expect((await table.get(S1))?.counter).to.equal(3)
  })
})
