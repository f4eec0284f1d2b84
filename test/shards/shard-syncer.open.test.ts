import { expect } from 'chai'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { ServiceError, TableMismatchError, ThrottledError } from '../../src/model/errors.ts'
import type { ShardSyncerOptions } from '../../src/shards/shard-syncer.ts'
import { aLease, shardId } from '../support/builders.ts'
import { failure, Rig, STREAM } from '../support/syncer-rig.ts'

describe('ShardSyncer', () => {
  describe('open', () => {
    it('says which stream it is', async () => {
      const rig = new Rig(1)
      const stream = await rig.pass(rig.syncer.open())
      expect(stream).to.deep.equal({
        streamArn: `arn:aws:kinesis:us-east-1:000000000000:stream/${STREAM}`,
        creationEpoch: 1_000
      })
    })

    it('waits while the stream is being created', async () => {
      const rig = new Rig(1)
      rig.kinesis.setStatus(STREAM, 'CREATING')
      void rig.clock.sleep(60_000).then(() => rig.kinesis.setStatus(STREAM, 'ACTIVE'))
      await rig.opened()
      expect(rig.clock.monotonicMs()).to.be.within(60_000, 71_000)
    })

    it('gives up on a stream that is still being created after five minutes', async () => {
      const rig = new Rig(1)
      rig.kinesis.setStatus(STREAM, 'CREATING')
      const error = await failure(rig.opened())
      expect(error).to.be.instanceOf(ServiceError).and.to.include({ kind: 'in-use', retryable: true })
      expect(rig.clock.monotonicMs()).to.be.within(300_000, 311_000)
    })

    it('says at once that a stream does not exist, or is being deleted', async () => {
      const missing = await failure(new Rig(0).opened())
      expect(missing).to.be.instanceOf(ServiceError).and.to.include({ kind: 'not-found', retryable: false })
      expect(missing).to.have.property('message').that.includes(`Stream ${STREAM} does not exist`)
      const rig = new Rig(1)
      rig.kinesis.setStatus(STREAM, 'DELETING')
      const leaving = await failure(rig.opened())
      expect(leaving).to.be.instanceOf(ServiceError).and.to.include({ kind: 'not-found' })
      expect(leaving).to.have.property('message').that.includes('is being deleted')
      expect(rig.clock.monotonicMs()).to.equal(0)
    })

    it('is patient with a service that says to slow down', async () => {
      const rig = new Rig(1)
      let failures = 3
      rig.kinesis.intercept = () => {
        if (failures-- > 0) throw new ThrottledError('slow down')
      }
      await rig.opened()
      await rig.sync()
      expect(await rig.rows()).to.deep.equal(['0 TRIM_HORIZON'])
    })

    it('stops when its signal aborts', async () => {
      const rig = new Rig(1)
      rig.kinesis.setStatus(STREAM, 'CREATING')
      const stop = new AbortController()
      void rig.clock.sleep(5_000).then(() => stop.abort(new Error('stopped')))
      expect(await failure(rig.pass(rig.syncer.open(stop.signal)))).to.have.property('message', 'stopped')
    })

    it('refuses a table of another stream, and names both', async () => {
      const rig = new Rig(1)
      const streamArn = 'arn:aws:kinesis:us-east-1:000000000000:stream/clicks'
      await rig.store.create(aLease({ stream: { streamArn, creationEpoch: 1_000 } }))
      const error = await failure(rig.opened())
      expect(error).to.be.instanceOf(TableMismatchError).and.to.have.property('message')
      expect(String(error)).to.include(streamArn).and.to.include(`stream/${STREAM}`)
    })

    it('takes over a table of KCL, but not one with leases of other shards', async () => {
      const { stream: _, ...kclLease } = aLease()
      const rig = new Rig(2)
      await rig.store.create(kclLease)
      await rig.opened()
      const foreign = new Rig(2)
      await foreign.store.create({ ...kclLease, leaseKey: shardId(17), shardId: shardId(17) })
      expect(await failure(foreign.opened())).to.be.instanceOf(TableMismatchError)
    })

    describe('when the stream was deleted and created again', () => {
      async function recreated(options: Partial<ShardSyncerOptions> = {}): Promise<Rig> {
        const rig = await new Rig(2, options).opened()
        await rig.sync()
        await rig.begin(0)
        rig.kinesis.deleteStream(STREAM)
        await rig.clock.advance(5_000)
        rig.kinesis.createStream(STREAM, 1)
        return rig
      }

      it('refuses to work with the old leases, and says what can be done', async () => {
        const error = await failure((await recreated()).opened())
        expect(error).to.be.instanceOf(TableMismatchError)
        expect(String(error)).to.include('deleted and created again').and.to.include('applicationName')
        expect(String(error)).to.include("'start-over'")
      })

      it('refuses even if only some of the leases are old ones', async () => {
        const rig = await recreated()
        const present = rig.another({ store: memoryLeaseStore() })
        const stream = await rig.pass(present.open())
        await rig.change(0, lease => ({ ...lease, stream }))
        expect(await failure(rig.opened())).to.be.instanceOf(TableMismatchError)
      })

      it('looks again if that was a while after it had found the stream', async () => {
        const rig = new Rig(1)
        await rig.pass(rig.syncer.find())
        rig.kinesis.deleteStream(STREAM)
        await rig.clock.advance(11_000)
        rig.kinesis.createStream(STREAM, 1)
        await rig.opened()
        await rig.sync()
        expect((await rig.lease(0)).stream).to.have.property('creationEpoch', 1_011)
      })

      it('removes them if it may, and begins as on an empty table', async () => {
        const rig = await (await recreated({ onRecreatedStream: 'start-over' })).opened()
        expect(await rig.rows()).to.deep.equal([])
        expect(rig.told('stream-recreated')).to.deep.equal([
          { kind: 'stream-recreated', creationEpoch: 1_005, removed: [shardId(0), shardId(1)] }
        ])
        await rig.sync()
        expect(await rig.rows()).to.deep.equal(['0 TRIM_HORIZON'])
        expect((await rig.lease(0)).stream).to.have.property('creationEpoch', 1_005)
      })

      it('leaves what another worker has created since to the new stream', async () => {
        const rig = await recreated({ onRecreatedStream: 'start-over' })
        const old = await rig.store.list()
        const first = rig.another({ onRecreatedStream: 'start-over' })
        await rig.pass(first.open())
        await rig.pass(first.sync())
        const late = rig.another({ onRecreatedStream: 'start-over', store: { ...rig.store, list: async () => old } })
        await rig.pass(late.open())
        expect(await rig.rows()).to.deep.equal(['0 TRIM_HORIZON'])
        expect(rig.told('stream-recreated').at(-1)).to.have.deep.property('removed', [shardId(1)])
      })

      it('finds out while it runs', async () => {
        const rig = await recreated({ onRecreatedStream: 'start-over' })
        const error = await failure(rig.sync())
        expect(error).to.be.instanceOf(TableMismatchError)
        expect(String(error)).to.include('while this worker ran')
      })
    })
  })
})
