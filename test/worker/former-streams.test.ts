import { expect } from 'chai'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { claimed, type Lease, newLease } from '../../src/model/lease.ts'
import { TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { FormerStreams, type FormerStreamsOptions } from '../../src/worker/former-streams.ts'
import type { WorkerStream } from '../../src/worker/worker-stream.ts'
import { NAMES, shardId } from '../support/builders.ts'

const GRACE_MS = 60_000
const B = '000000000000:b:5'
const of = (): WorkerStream => ({ names: NAMES }) as WorkerStream

/** A table with two leases of a stream that is in the list, and two of one that is not. */
async function aTable(options: Partial<FormerStreamsOptions> = {}) {
  const clock = new VirtualClock()
  const store = memoryLeaseStore()
  for (const streamId of ['000000000000:a:5', B]) {
    for (const number of [0, 1]) {
      await store.create(newLease({ shardId: shardId(number), streamId, checkpoint: TRIM_HORIZON }))
    }
  }
  const told: string[] = []
  const former = new FormerStreams({
    ...{ store, clock, removed: { forgetAfterMs: 0, only: async () => undefined }, graceMs: GRACE_MS },
    ...{ guard: () => () => true, isLeading: () => true },
    forgotten: (_, why, leases) => told.push(`${why} ${leases}`),
    failed: during => told.push(during),
    ...options
  })
  const facts = { gone: new Set<string>(), isListed: (streamId: string) => streamId !== B, of }
  const tidy = () => former.tidy(facts, new AbortController().signal)
  const left = async (): Promise<Lease[]> => (await store.list()).leases.filter(({ streamId }) => streamId === B)
  const own = async (number: number): Promise<void> => {
    const lease = (await left()).find(({ shardId: id }) => id === shardId(number)) as Lease
    await store.replace(lease, claimed(lease, 'w/1'))
  }
  return { clock, store, former, told, facts, tidy, left, own }
}

describe('FormerStreams', () => {
  it('removes the leases of a stream whose time is over, and says how many', async () => {
    const { tidy, left, told, former } = await aTable()
    expect((await tidy()).retired).to.deep.equal([B])
    expect(await left()).to.deep.equal([])
    expect(told).to.deep.equal(['removed 2'])
    expect(former.isRetired(B)).to.equal(false)
  })

  it('has nobody take what somebody holds still, and waits until it is given back', async () => {
    const { tidy, left, told, former, own, store } = await aTable()
    await own(1)
    await tidy()
    expect([(await left()).length, former.isRetired(B), told]).to.deep.equal([1, true, []])
    const [held] = (await left()) as [Lease]
    await store.replace(held, { ...held, owner: undefined, counter: held.counter + 1 } as unknown as Lease)
    expect((await tidy()).retired, 'it was told before').to.deep.equal([])
    expect([await left(), told]).to.deep.equal([[], ['removed 2']])
  })

  it('removes them under whoever does not give them back in time', async () => {
    const { tidy, left, told, own, clock } = await aTable()
    await own(0)
    await tidy()
    await clock.advance(GRACE_MS)
    await tidy()
    expect([await left(), told]).to.deep.equal([[], ['removed 2']])
  })

  it('forgets nothing while another worker leads', async () => {
    let isLeading = false
    const { tidy, left, former } = await aTable({ isLeading: () => isLeading })
    expect((await tidy()).retired).to.deep.equal([])
    expect([(await left()).length, former.isRetired(B)]).to.deep.equal([2, false])
    isLeading = true
    await tidy()
    expect(await left()).to.deep.equal([])
  })

  it('stops half-way if this worker may have slept', async () => {
    let removals = 0
    const { tidy, left, told } = await aTable({ guard: () => () => ++removals < 2 })
    await tidy()
    expect([(await left()).length, told]).to.deep.equal([1, []])
  })

  it('stops half-way if the stream is in the list again', async () => {
    let removals = 0
    const { store, former, facts, told, left } = await aTable()
    const { remove } = store
    store.remove = lease => {
      removals += 1
      return remove(lease)
    }
    const isListed = (streamId: string): boolean => facts.isListed(streamId) || removals > 0
    await former.tidy({ ...facts, isListed }, new AbortController().signal)
    expect([(await left()).length, told]).to.deep.equal([1, []])
  })

  it('takes a stream that is back for one that was never away', async () => {
    const { tidy, left, former, facts, clock } = await aTable({
      removed: { forgetAfterMs: 10_000, only: async () => undefined }
    })
    await tidy()
    await clock.advance(9_000)
    former.revive(() => true)
    await clock.advance(9_000)
    await former.tidy(facts, new AbortController().signal)
    expect(await left()).to.have.lengthOf(2)
  })
})
