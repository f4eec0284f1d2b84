import { expect } from 'chai'
import type { LeaseStore } from '../../src/leases/lease-store.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { BugError, ServiceError } from '../../src/model/errors.ts'
import { finished, newLease } from '../../src/model/lease.ts'
import { formatPosition, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { childrenOf } from '../../src/model/shard.ts'
import { aLease, shardId } from '../support/builders.ts'
import { numberOf } from '../support/shard-trees.ts'

import { failure, Rig, STREAM } from '../support/syncer-rig.ts'

describe('ShardSyncer', () => {
  describe('sync', () => {
    it('creates the first leases once, whoever comes first', async () => {
      const rig = await new Rig(23).opened()
      const other = rig.another()
      await rig.pass(other.open())
      await rig.pass(Promise.all([rig.syncer.sync(), other.sync()]))
      expect(await rig.rows()).to.have.lengthOf(23)
      expect(rig.told('lease-created')).to.have.lengthOf(23)
      expect(rig.reports[0]).to.deep.equal({
        kind: 'lease-created',
        leaseKey: shardId(0),
        shardId: shardId(0),
        why: 'first',
        checkpoint: 'TRIM_HORIZON'
      })
      expect(rig.told('hole-found')).to.deep.equal([])
    })

    it('leaves the ancestors behind if it fails half-way, and finishes the next time', async () => {
      const memory = memoryLeaseStore()
      const written: string[] = []
      const store: LeaseStore = {
        ...memory,
        create: lease => {
          if (written.length === 5) throw new ServiceError('access-denied', 'no', { retryable: false })
          written.push(lease.leaseKey)
          return memory.create(lease)
        }
      }
      const rig = await new Rig(23, { store }).opened()
      expect(await failure(rig.sync())).to.be.instanceOf(ServiceError)
      expect(written.map(numberOf)).to.deep.equal([0, 1, 2, 3, 4])
      const again = rig.another({ store: memory })
      await rig.pass(again.open())
      await rig.pass(again.sync())
      expect(await rig.rows()).to.have.lengthOf(23)
    })

    it('begins with the shards that were open at a time', async () => {
      const rig = new Rig(1, { startAt: new Date(1_005_000) })
      await rig.clock.advance(2_000)
      rig.kinesis.split(STREAM, shardId(0))
      await rig.clock.advance(8_000)
      rig.kinesis.merge(STREAM, shardId(1), shardId(2))
      await rig.opened()
      await rig.sync()
      expect(await rig.rows()).to.deep.equal(['1 AT_TIMESTAMP@1005000', '2 AT_TIMESTAMP@1005000'])
    })

    it('begins with the oldest shards if the service does not say which were open', async () => {
      const rig = new Rig(1, { startAt: new Date(1_005_000) })
      rig.kinesis.split(STREAM, shardId(0))
      rig.kinesis.intercept = ({ filter }) => {
        if (filter) throw new ServiceError('invalid-argument', 'too long ago', { retryable: false })
      }
      await rig.opened()
      await rig.sync()
      expect(await rig.rows()).to.deep.equal(['0 AT_TIMESTAMP@1005000'])
    })

    it('does not take the leases that another worker is about to create for a hole', async () => {
      const rig = await new Rig(3).opened()
      await rig.sync()
      await rig.store.remove(await rig.lease(1))
      await rig.sync()
      expect(await rig.rows()).to.have.lengthOf(3)
      expect(rig.told('hole-found')).to.deep.equal([])
    })

    it('closes a hole from where the application began, and tells', async () => {
      const rig = await new Rig(2, { startAt: 'LATEST' }).opened()
      await rig.sync()
      await rig.begin(0)
      await rig.store.remove(await rig.lease(1))
      await rig.clock.advance(60_000)
      rig.kinesis.split(STREAM, shardId(1))
      await rig.sync()
      expect(await rig.rows()).to.deep.equal(['0 1@1000000', '1 LATEST@1000000'])
      expect(rig.told('hole-found')).to.deep.equal([
        { kind: 'hole-found', ranges: [`${2n ** 127n}..${2n ** 128n - 1n}`], repaired: [shardId(1)] }
      ])
    })

    it('brings back a lease that it was handed', async () => {
      const rig = await new Rig(2).opened()
      await rig.sync()
      const held = await rig.begin(1)
      await rig.begin(0)
      await rig.store.remove(held)
      rig.syncer.remember(held)
      expect(await rig.syncer.parentsFinished(aLease({ shardId: shardId(9), parentShardIds: [shardId(1)] }))).to.equal(
        false
      )
      await rig.sync()
      const { owner: _, ...kept } = held
      expect(await rig.lease(1)).to.deep.equal({ ...kept, counter: held.counter + 1 })
    })

    it('brings it back once only', async () => {
      const rig = await new Rig(2).opened()
      await rig.sync()
      const held = await rig.begin(1)
      await rig.begin(0)
      await rig.store.remove(held)
      rig.syncer.remember(held)
      await rig.sync()
      await rig.store.remove(await rig.lease(1))
      await rig.sync()
      expect(await rig.rows()).to.deep.equal(['0 1', '1 TRIM_HORIZON'])
    })

    it('forgets what it was handed once the row is there again', async () => {
      const rig = await new Rig(2).opened()
      await rig.sync()
      const held = await rig.begin(1)
      await rig.begin(0)
      await rig.store.remove(held)
      rig.syncer.remember(held)
      const other = rig.another()
      await rig.pass(other.open())
      await rig.pass(other.sync())
      expect(await rig.rows()).to.deep.equal(['0 1', '1 TRIM_HORIZON'])
      await rig.sync()
      await rig.store.remove(await rig.lease(1))
      await rig.sync()
      expect(await rig.rows()).to.deep.equal(['0 1', '1 TRIM_HORIZON'])
    })

    it('lists the shards again while they do not fit together, and gives up the third time', async () => {
      const rig = await new Rig(1).opened()
      rig.kinesis.split(STREAM, shardId(0))
      const shards = rig.kinesis.shards(STREAM)
      let listings = 0
      const torn = {
        ...rig.kinesis.port(STREAM),
        listShards: async () => (++listings % 3 ? shards.slice(0, 2) : shards)
      }
      const syncer = rig.another({ kinesis: torn })
      await rig.pass(syncer.open())
      await rig.pass(syncer.sync())
      expect(await rig.rows()).to.deep.equal(['0 TRIM_HORIZON'])
      const hopeless = rig.another({ kinesis: { ...torn, listShards: async () => shards.slice(0, 2) } })
      await rig.pass(hopeless.open())
      const error = await failure(rig.pass(hopeless.sync()))
      expect(error).to.be.instanceOf(ServiceError).and.to.include({ retryable: true })
      expect(String(error)).to.include('do not fit together').and.to.include(shardId(1))
      expect(rig.clock.monotonicMs()).to.equal(4_000)
    })

    it('does not believe an old listing of the table', async () => {
      const rig = await new Rig(1).opened()
      await rig.sync()
      const old = await rig.begin(0)
      rig.kinesis.split(STREAM, shardId(0))
      await rig.pass(rig.syncer.settleShardEnd(old, undefined))
      const done = await rig.change(0, lease => finished(lease, [shardId(1), shardId(2)]))
      const blind = { ...rig.store, list: async () => ({ leases: [done], skipped: [] }) }
      const syncer = rig.another({ store: blind })
      await rig.pass(syncer.open())
      const plan = await rig.pass(syncer.sync())
      expect(plan.create).to.deep.equal([])
      expect(rig.told('hole-found')).to.deep.equal([])
    })

    it('creates nothing, and sees no hole, where an old listing leaves out later generations', async () => {
      const rig = await new Rig(2).opened()
      await rig.sync()
      for (const number of [0, 2, 3]) {
        const lease = await rig.begin(number)
        rig.kinesis.split(STREAM, shardId(number))
        const outcome = await rig.pass(rig.syncer.settleShardEnd(lease, undefined))
        await rig.change(number, each => finished(each, 'childShardIds' in outcome ? outcome.childShardIds : []))
      }
      for (const number of [1, 4, 5, 6, 7]) await rig.begin(number)
      for (let generation = 0; generation < 2; generation++) await rig.sync()
      expect(await rig.rows()).to.deep.equal(['1 1', '4 1', '5 1', '6 1', '7 1'])
      const old = { leases: [await rig.lease(1)], skipped: [] }
      const list: LeaseStore['list'] = async options => (options?.consistent ? rig.store.list(options) : old)
      const syncer = rig.another({ store: { ...rig.store, list } })
      await rig.pass(syncer.open())
      const plan = await rig.pass(syncer.sync())
      expect(plan.create).to.deep.equal([])
      expect(rig.told('hole-found')).to.deep.equal([])
      expect(await rig.rows()).to.have.length(5)
    })

    it('removes the leases of finished shards, the oldest first', async () => {
      const rig = await new Rig(1).opened()
      await rig.sync()
      for (const number of [0, 1]) {
        const lease = await rig.begin(number)
        rig.kinesis.split(STREAM, shardId(number))
        const outcome = await rig.pass(rig.syncer.settleShardEnd(lease, undefined))
        expect(outcome.kind).to.equal('ended')
        await rig.change(number, each => finished(each, 'childShardIds' in outcome ? outcome.childShardIds : []))
      }
      for (const number of [2, 3, 4]) await rig.begin(number)
      await rig.sync()
      expect(await rig.rows()).to.deep.equal(['1 SHARD_END', '2 1', '3 1', '4 1'])
      await rig.sync()
      expect(await rig.rows()).to.deep.equal(['2 1', '3 1', '4 1'])
      expect(rig.told('lease-removed')[0]).to.include({ leaseKey: shardId(0), why: 'children-started' })
    })

    it('tells of a broken row once', async () => {
      const memory = memoryLeaseStore()
      const skipped = [
        { key: 'broken', because: 'malformed', problem: 'no counter' },
        { key: 'leader', because: 'another-kind', problem: 'a leader lock' }
      ] as const
      const store = { ...memory, list: async () => ({ ...(await memory.list()), skipped }) }
      const rig = await new Rig(1, { store }).opened()
      await rig.sync()
      await rig.sync()
      expect(rig.told('row-skipped')).to.deep.equal([{ kind: 'row-skipped', ...skipped[0] }])
    })

    it('serves calls that come during a sync with one more', async () => {
      const rig = await new Rig(1).opened()
      rig.calls.length = 0
      const first = rig.syncer.sync()
      await Promise.resolve()
      await rig.pass(Promise.all([first, rig.syncer.sync(), rig.syncer.sync(), rig.syncer.sync()]))
      expect(rig.calls.filter(({ name }) => name === 'listShards')).to.have.lengthOf(2)
    })

    it('says that the stream is gone', async () => {
      const rig = await new Rig(1).opened()
      rig.kinesis.deleteStream(STREAM)
      expect(await failure(rig.sync()))
        .to.be.instanceOf(ServiceError)
        .and.to.include({ kind: 'not-found' })
    })

    it('needs to be opened first', async () => {
      expect(await failure(new Rig(1).sync())).to.be.instanceOf(BugError)
    })
  })

  describe('settleShardEnd', () => {
    const children = (rig: Rig, number: number) => childrenOf(shardId(number), rig.kinesis.shards(STREAM))

    it('creates the leases of the children before it resolves', async () => {
      const rig = await new Rig(1).opened()
      await rig.sync()
      const lease = await rig.begin(0)
      rig.kinesis.split(STREAM, shardId(0))
      rig.calls.length = 0
      const outcome = await rig.syncer.settleShardEnd(lease, children(rig, 0))
      expect(outcome).to.deep.equal({ kind: 'ended', childShardIds: [shardId(1), shardId(2)] })
      expect(await rig.rows()).to.deep.equal(['0 1', '1 TRIM_HORIZON', '2 TRIM_HORIZON'])
      expect(rig.told('lease-created').at(-1)).to.include({ leaseKey: shardId(2), why: 'shard-end' })
      expect(rig.calls).to.deep.equal([])
      expect(await rig.syncer.settleShardEnd(lease, children(rig, 0))).to.deep.equal(outcome)
    })

    it('lists the shards if no children were named', async () => {
      const rig = await new Rig(1).opened()
      await rig.sync()
      const lease = await rig.begin(0)
      const open = await rig.syncer.settleShardEnd(lease, undefined)
      expect(open).to.deep.equal({ kind: 'not-ended', because: `${shardId(0)} is still open` })
      rig.kinesis.split(STREAM, shardId(0))
      expect(await rig.syncer.settleShardEnd(lease, undefined)).to.include({ kind: 'ended' })
    })

    it('creates the child of a merge once', async () => {
      const rig = await new Rig(2).opened()
      await rig.sync()
      const parents = [await rig.begin(0), await rig.begin(1)]
      rig.kinesis.merge(STREAM, shardId(0), shardId(1))
      const outcomes = parents.map(lease => rig.syncer.settleShardEnd(lease, children(rig, 0)))
      const ended = { kind: 'ended', childShardIds: [shardId(2)] }
      expect(await Promise.all(outcomes)).to.deep.equal([ended, ended])
      expect(rig.told('lease-created').map(report => 'leaseKey' in report && numberOf(report.leaseKey))).to.deep.equal([
        0, 1, 2
      ])
    })

    it('repairs the lease of the other parent of a merge first', async () => {
      const rig = await new Rig(2).opened()
      await rig.sync()
      const lease = await rig.begin(0)
      await rig.store.remove(await rig.lease(1))
      rig.kinesis.merge(STREAM, shardId(0), shardId(1))
      const outcome = await rig.pass(rig.syncer.settleShardEnd(lease, children(rig, 0)))
      expect(outcome).to.deep.equal({ kind: 'ended', childShardIds: [shardId(2)] })
      expect(await rig.rows()).to.deep.equal(['0 1', '1 TRIM_HORIZON', '2 TRIM_HORIZON'])
      expect(await rig.syncer.parentsFinished(await rig.lease(2))).to.equal(false)
    })

    it('waits while the other parent of a merge has ancestors to be read', async () => {
      const rig = await new Rig(2).opened()
      await rig.sync()
      const lease = await rig.begin(0)
      await rig.store.remove(await rig.lease(1))
      rig.kinesis.split(STREAM, shardId(1)) // 2, 3
      rig.kinesis.merge(STREAM, shardId(0), shardId(2)) // 4
      const outcome = await rig.pass(rig.syncer.settleShardEnd(lease, children(rig, 0)))
      expect(outcome).to.include({ kind: 'not-ended' })
      expect(await rig.rows()).to.deep.equal(['0 1', '1 TRIM_HORIZON'])
    })
  })

  describe('parentsFinished', () => {
    it('goes by the leases of the parents as they are now', async () => {
      const rig = await new Rig(1).opened()
      await rig.sync()
      const lease = await rig.begin(0)
      rig.kinesis.split(STREAM, shardId(0))
      await rig.syncer.settleShardEnd(lease, undefined)
      const child = await rig.lease(1)
      expect(formatPosition(child.checkpoint)).to.equal('TRIM_HORIZON')
      expect(await rig.syncer.parentsFinished(child)).to.equal(false)
      const parent = await rig.change(0, each => finished(each, [shardId(1), shardId(2)]))
      expect(await rig.syncer.parentsFinished(child)).to.equal(true)
      await rig.store.remove(parent)
      expect(await rig.syncer.parentsFinished(child)).to.equal(true)
    })

    it('does not take the lost parent of a merged shard for a finished one', async () => {
      const rig = await new Rig(2).opened()
      await rig.sync()
      const parents = [await rig.begin(0), await rig.begin(1)] as const
      rig.kinesis.merge(STREAM, shardId(0), shardId(1))
      await rig.syncer.settleShardEnd(parents[0], undefined)
      await rig.change(0, each => finished(each, [shardId(2)]))
      await rig.store.remove(parents[1])
      const child = await rig.lease(2)
      expect(await rig.syncer.parentsFinished(child)).to.equal(false)
      await rig.sync()
      expect(await rig.rows()).to.deep.equal(['0 SHARD_END', '1 TRIM_HORIZON', '2 TRIM_HORIZON'])
      const orphan = newLease({ shardId: shardId(3), checkpoint: TRIM_HORIZON })
      expect(await rig.syncer.parentsFinished(orphan)).to.equal(true)
    })
  })

  describe('of a worker whose session lapses between looking and creating', () => {
    it('creates nothing, and fails so that it looks again', async () => {
      let isProved = true
      const rig = new Rig(2)
      const { store, clock } = rig
      const list: typeof store.list = async options => {
        const listing = await store.list(options)
        await clock.sleep(30_000)
        return listing
      }
      const syncer = rig.another({ store: { ...store, list }, guard: () => () => isProved })
      await rig.pass(syncer.open())
      isProved = false
      const error = await rig.pass(syncer.sync().catch((reason: unknown) => reason))
      expect(error).to.be.instanceOf(ServiceError)
      expect((error as ServiceError).retryable).to.equal(true)
      expect(await rig.rows()).to.deep.equal([])
      isProved = true
      await rig.pass(syncer.sync())
      expect(await rig.rows()).to.have.length(2)
    })

    it('does not settle the end of a shard whose children it would have to create', async () => {
      let isProved = true
      const rig = new Rig(1)
      const syncer = rig.another({ guard: () => () => isProved })
      await rig.pass(syncer.open())
      await rig.pass(syncer.sync())
      rig.kinesis.split(STREAM, shardId(0))
      const lease = await rig.lease(0)
      isProved = false
      const outcome = await rig.pass(syncer.settleShardEnd(lease, undefined))
      expect(outcome.kind).to.equal('not-ended')
      isProved = true
      expect((await rig.pass(syncer.settleShardEnd(lease, undefined))).kind).to.equal('ended')
    })
  })
})
