// What every lease store keeps to, whatever it stores into.
import { expect } from 'chai'
import type { LeaseStore, WriteOutcome } from '../../src/leases/lease-store.ts'
import { FULL_HASH_KEY_RANGE } from '../../src/model/hash-key-range.ts'
import {
  checkpointed,
  checkpointedAndReleased,
  claimed,
  finished,
  type Lease,
  newLease,
  prepared,
  released,
  renewed
} from '../../src/model/lease.ts'
import { AT_TIMESTAMP, LATEST, TRIM_HORIZON } from '../../src/model/sequence-number.ts'

/** Two stores on one table that is not there yet. Closed after the suite. */
export interface LeaseStores {
  readonly store: LeaseStore
  readonly sameTable: LeaseStore
  close(): void
}

const WRITTEN: WriteOutcome = { kind: 'written' }
const POSITION = {
  sequenceNumber: '49590338271490256608559692538361571095921575989136588898',
  subSequenceNumber: 7
}

/** A lease that nobody holds, with nothing optional in it. */
const bare = (shardId = 'shardId-000000000000'): Lease => newLease({ shardId, checkpoint: TRIM_HORIZON })

/** A lease with everything in it that a lease can have. */
const full: Lease = {
  leaseKey: 'shardId-000000000009',
  shardId: 'shardId-000000000009',
  owner: 'worker-1/1',
  counter: Number.MAX_SAFE_INTEGER - 1,
  checkpoint: POSITION,
  pendingCheckpoint: { position: { ...POSITION, subSequenceNumber: 8 }, state: new Uint8Array([0, 255, 1]) },
  ownerSwitchesSinceCheckpoint: 3,
  parentShardIds: ['shardId-000000000001', 'shardId-000000000002'],
  childShardIds: ['shardId-000000000010', 'shardId-000000000011'],
  hashKeyRange: { start: 2n ** 64n + 1n, end: FULL_HASH_KEY_RANGE.end },
  checkpointOwner: 'worker-2/1',
  stream: { streamArn: 'arn:aws:kinesis:us-east-1:123456789012:stream/orders', creationEpoch: 1_700_000_000 },
  startTimestampMs: 1_700_000_000_123,
  beganAtMs: 1_600_000_000_000
}

/** The contract, on the stores that `setup` makes. Each call makes stores on a table of their own. */
export function describeLeaseStore(name: string, setup: () => Promise<LeaseStores>): void {
  describe(name, () => {
    let stores: LeaseStores
    const suite: Suite = { store: () => stores.store, setup }

    before(async () => {
      stores = await setup()
      await stores.store.prepare()
    })

    afterEach(async () => {
      for (const lease of (await stores.store.list()).leases) await stores.store.remove(lease)
    })

    after(() => stores.close())

    describePrepare(suite)
    describeReads(suite)
    describeCreate(suite)
    describeReplace(suite)
    describeRefusedReplace(suite)
    describeRemove(suite)
  })
}

interface Suite {
  readonly store: () => LeaseStore
  readonly setup: () => Promise<LeaseStores>
}

/** Creates a row and resolves with it. */
async function given(store: LeaseStore, lease: Lease): Promise<Lease> {
  expect(await store.create(lease)).to.deep.equal(WRITTEN)
  return lease
}

/** Writes `after` over `before` and resolves with it, once the row is exactly that. */
async function replaced(store: LeaseStore, before: Lease, after: Lease): Promise<Lease> {
  expect(await store.replace(before, after)).to.deep.equal(WRITTEN)
  expect(await store.get(after.leaseKey)).to.deep.equal(after)
  return after
}

function describePrepare({ setup }: Suite): void {
  describe('prepare', () => {
    it('makes an empty table, and does nothing to one that is there', async () => {
      const { store, sameTable, close } = await setup()
      await store.prepare()
      expect(await store.list()).to.deep.equal({ leases: [], skipped: [] })
      await given(store, full)
      await store.prepare()
      await sameTable.prepare()
      expect(await sameTable.get(full.leaseKey)).to.deep.equal(full)
      close()
    })

    it('succeeds for two workers that start at once', async () => {
      const { store, sameTable, close } = await setup()
      await Promise.all([store.prepare(), sameTable.prepare()])
      await given(store, bare())
      expect(await sameTable.get(bare().leaseKey)).to.deep.equal(bare())
      close()
    })
  })
}

function describeReads({ store }: Suite): void {
  describe('get', () => {
    it('resolves with undefined if there is no such row', async () => {
      expect(await store().get('shardId-000000000404')).to.equal(undefined)
    })

    it('takes any text for a key', async () => {
      for (const key of ['__proto__', 'constructor', 'a b#:c', 'é']) {
        expect(await store().get(key)).to.equal(undefined)
        await given(store(), bare(key))
        expect(await store().get(key)).to.deep.equal(bare(key))
      }
    })

    it('rejects with the reason of a signal that has aborted', async () => {
      const reason = new Error('stopping')
      const signal = AbortSignal.abort(reason)
      const rejection = (work: Promise<unknown>) =>
        work.then(
          () => undefined,
          (error: unknown) => error
        )
      expect(await rejection(store().get('shardId-000000000000', signal))).to.equal(reason)
      expect(await rejection(store().list({ signal }))).to.equal(reason)
      expect(await rejection(store().prepare(signal))).to.equal(reason)
    })
  })

  describe('list', () => {
    it('returns every lease', async () => {
      const leases = [full, bare('shardId-000000000000'), bare('shardId-000000000001')]
      for (const lease of leases) await given(store(), lease)
      const listing = await store().list()
      expect(listing.leases).to.have.deep.members(leases)
      expect(listing.skipped).to.deep.equal([])
    })

    it('returns what was written before, if it is to be consistent', async () => {
      const lease = await given(store(), bare())
      await replaced(store(), lease, claimed(lease, 'worker-1/1'))
      expect((await store().list({ consistent: true })).leases).to.deep.equal([claimed(lease, 'worker-1/1')])
    })

    it('returns every lease of a table of several megabytes', async () => {
      const state = new Uint8Array(250_000).fill(7)
      const pendingCheckpoint = { position: POSITION, state }
      const keys = Array.from({ length: 10 }, (_, index) => `shardId-${index}`)
      for (const key of keys) await given(store(), { ...bare(key), pendingCheckpoint })
      const { leases } = await store().list()
      expect(leases.map(lease => lease.leaseKey)).to.have.members(keys)
      expect(leases.every(lease => lease.pendingCheckpoint?.state?.length === state.length)).to.equal(true)
    })
  })
}

function describeCreate({ store }: Suite): void {
  describe('create', () => {
    it('keeps everything that a lease can have', async () => {
      await given(store(), full)
      expect(await store().get(full.leaseKey)).to.deep.equal(full)
      expect((await store().list()).leases).to.deep.equal([full])
    })

    it('keeps every kind of checkpoint', async () => {
      for (const checkpoint of [TRIM_HORIZON, LATEST, AT_TIMESTAMP, POSITION]) {
        const lease = newLease({ shardId: `shardId-${checkpoint.sequenceNumber}`, checkpoint, startTimestampMs: 0 })
        await given(store(), lease)
        expect(await store().get(lease.leaseKey)).to.deep.equal(lease)
      }
    })

    it('is refused, with the row as it is, if the key is taken', async () => {
      await given(store(), full)
      const outcome = await store().create(bare(full.leaseKey))
      expect(outcome).to.deep.equal({ kind: 'refused', current: full })
      expect(await store().get(full.leaseKey)).to.deep.equal(full)
    })

    it('lets one of many win', async () => {
      const candidates = Array.from({ length: 20 }, (_, index) => claimed(bare(), `worker-${index}/1`))
      const outcomes = await Promise.all(candidates.map(lease => store().create(lease)))
      const winners = candidates.filter((_, index) => outcomes[index]?.kind === 'written')
      expect(winners).to.have.length(1)
      expect(await store().get(bare().leaseKey)).to.deep.equal(winners[0])
    })

    it('keeps a copy, which later changes of the object or of a result do not reach', async () => {
      const state = new Uint8Array([1, 2, 3])
      const parentShardIds = ['shardId-000000000001']
      await given(store(), { ...bare(), parentShardIds, pendingCheckpoint: { position: POSITION, state } })
      state.fill(9)
      parentShardIds.push('shardId-000000000002')
      const first = await store().get(bare().leaseKey)
      expect(first?.parentShardIds).to.deep.equal(['shardId-000000000001'])
      expect(first?.pendingCheckpoint?.state).to.deep.equal(new Uint8Array([1, 2, 3]))
      first?.pendingCheckpoint?.state?.fill(9)
      const second = await store().get(bare().leaseKey)
      expect(second?.pendingCheckpoint?.state).to.deep.equal(new Uint8Array([1, 2, 3]))
    })

    it('keeps shard ids as a set', async () => {
      await given(store(), { ...bare(), childShardIds: ['c', 'a', 'b', 'a'] })
      expect((await store().get(bare().leaseKey))?.childShardIds).to.deep.equal(['a', 'b', 'c'])
    })
  })
}

function describeReplace({ store }: Suite): void {
  describe('replace', () => {
    it('takes a lease through its whole life, exactly as written', async () => {
      let lease = await given(store(), newLease({ ...bare(), hashKeyRange: FULL_HASH_KEY_RANGE }))
      lease = await replaced(store(), lease, claimed(lease, 'worker-1/1'))
      lease = await replaced(store(), lease, renewed(lease))
      lease = await replaced(store(), lease, prepared(lease, { position: POSITION, state: new Uint8Array([1]) }))
      lease = await replaced(store(), lease, prepared(lease, { position: POSITION }))
      lease = await replaced(store(), lease, checkpointed(lease, POSITION))
      lease = await replaced(store(), lease, claimed(lease, 'worker-2/1'))
      lease = await replaced(store(), lease, released(lease))
      lease = await replaced(store(), lease, claimed(lease, 'worker-2/2'))
      lease = await replaced(store(), lease, checkpointedAndReleased(lease, { ...POSITION, subSequenceNumber: 8 }))
      lease = await replaced(store(), lease, claimed(lease, 'worker-3/1'))
      await replaced(store(), lease, finished(lease, ['shardId-000000000001', 'shardId-000000000002']))
    })

    it('removes what the new copy no longer has', async () => {
      const lease = await given(store(), full)
      await replaced(store(), lease, { ...bare(full.leaseKey), counter: lease.counter + 1 })
    })

    it('adds what the old copy did not have', async () => {
      const lease = await given(store(), bare(full.leaseKey))
      await replaced(store(), lease, full)
    })

    it('takes over from a KCL worker that was handing over', async () => {
      const lease = await given(store(), { ...bare(), owner: 'next', checkpointOwner: 'previous', counter: 4 })
      const after = await replaced(store(), lease, claimed(lease, 'worker-1/1'))
      expect(after).not.to.have.property('checkpointOwner')
    })

    it('is a test of the row if nothing differs', async () => {
      const lease = await given(store(), full)
      expect(await store().replace(lease, lease)).to.deep.equal(WRITTEN)
      expect(await store().get(full.leaseKey)).to.deep.equal(full)
      expect((await store().replace(renewed(lease), renewed(lease))).kind).to.equal('refused')
    })

    it('lets one of fifty claims win', async () => {
      const lease = await given(store(), bare())
      const claims = Array.from({ length: 50 }, (_, index) => claimed(lease, `worker-${index}/1`))
      const outcomes = await Promise.all(claims.map(claim => store().replace(lease, claim)))
      const winners = claims.filter((_, index) => outcomes[index]?.kind === 'written')
      expect(winners).to.have.length(1)
      expect(outcomes).to.deep.include({ kind: 'refused', current: winners[0] })
      expect(await store().get(lease.leaseKey)).to.deep.equal(winners[0])
    })
  })
}

function describeRefusedReplace({ store }: Suite): void {
  /** Each says how a row came to be something else than the writer believes. */
  const moved: Readonly<Record<string, (believed: Lease) => Lease>> = {
    'the counter has moved': lease => ({ ...lease, counter: lease.counter + 1 }),
    'the counter is behind': lease => ({ ...lease, counter: lease.counter - 1 }),
    'the owner is another': lease => ({ ...lease, owner: 'worker-9/1' }),
    'nobody is the owner any more': ({ owner: _, ...lease }) => lease,
    'a hand-over has begun': lease => ({ ...lease, checkpointOwner: 'worker-1/1' })
  }

  describe('replace, refused', () => {
    for (const [reason, move] of Object.entries(moved)) {
      it(`says what the row is now if ${reason}`, async () => {
        const believed: Lease = { ...bare(), owner: 'worker-1/1', counter: 5 }
        const current = await given(store(), move(believed))
        expect(await store().replace(believed, renewed(believed))).to.deep.equal({ kind: 'refused', current })
        expect(await store().get(believed.leaseKey)).to.deep.equal(current)
      })
    }

    it('says what the row is now if somebody owns a lease that was free, or ended a hand-over', async () => {
      const owned = await given(store(), { ...bare(), owner: 'worker-1/1' })
      const free = bare()
      expect(await store().replace(free, claimed(free, 'worker-2/1'))).to.deep.equal({
        kind: 'refused',
        current: owned
      })
      const handingOver = { ...owned, checkpointOwner: 'worker-0/1' }
      expect(await store().replace(handingOver, claimed(handingOver, 'worker-2/1'))).to.deep.equal({
        kind: 'refused',
        current: owned
      })
    })

    it('makes no row where there is none', async () => {
      const lease = bare()
      expect(await store().replace(lease, claimed(lease, 'worker-1/1'))).to.deep.equal({ kind: 'refused' })
      expect(await store().get(lease.leaseKey)).to.equal(undefined)
    })
  })
}

function describeRemove({ store }: Suite): void {
  describe('remove', () => {
    it('deletes the row', async () => {
      for (const lease of [bare(), full]) {
        await given(store(), lease)
        expect(await store().remove(lease)).to.deep.equal(WRITTEN)
        expect(await store().get(lease.leaseKey)).to.equal(undefined)
      }
    })

    it('succeeds if the row is already gone', async () => {
      expect(await store().remove(full)).to.deep.equal(WRITTEN)
      expect(await store().get(full.leaseKey)).to.equal(undefined)
    })

    it('is refused if the row has moved on', async () => {
      const lease = await given(store(), claimed(bare(), 'worker-1/1'))
      const current = await replaced(store(), lease, renewed(lease))
      expect(await store().remove(lease)).to.deep.equal({ kind: 'refused', current })
      expect(await store().get(lease.leaseKey)).to.deep.equal(current)
    })

    it('is refused if somebody else owns it, or somebody at all', async () => {
      const current = await given(store(), { ...bare(), owner: 'worker-1/1' })
      expect(await store().remove({ ...current, owner: 'worker-2/1' })).to.deep.equal({ kind: 'refused', current })
      expect(await store().remove(bare())).to.deep.equal({ kind: 'refused', current })
    })
  })
}
