// What the fencing token promises, on every lease store there is: each claim of a row has a higher one than all before it.
import { expect } from 'chai'
import { dynamoLeaseStore } from '../../src/leases/dynamo-lease-store.ts'
import type { LeaseStore } from '../../src/leases/lease-store.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { Tenure } from '../../src/leases/tenure.ts'
import { claimed, type Lease, released, renewed } from '../../src/model/lease.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aLease, aPosition } from '../support/builders.ts'
import { sharedDynalite } from '../support/emulators.ts'
import { Heart } from '../support/heart.ts'
import { uniqueName } from '../support/streams.ts'

const KEY = aLease().leaseKey

interface Opened {
  readonly store: LeaseStore
  close(): void
}

const STORES: readonly (readonly [name: string, open: () => Promise<Opened>])[] = [
  ['in memory', async () => ({ store: memoryLeaseStore(), close: () => {} })],
  [
    'on dynalite',
    async () => {
      const { clientConfig } = await sharedDynalite()
      const options = { client: clientConfig(), clock: systemClock, logger: silentLogger }
      return dynamoStore({ ...options, tableName: uniqueName('tokens') })
    }
  ]
]

function dynamoStore(options: Parameters<typeof dynamoLeaseStore>[0]): Opened {
  const store = dynamoLeaseStore(options)
  return { store, close: () => store.close() }
}

for (const [name, open] of STORES) {
  describe(`Tenure.fencingToken, ${name}`, () => {
    let opened: Opened
    const tokens: number[] = []

    before(async () => {
      opened = await open()
      await opened.store.prepare()
    })

    beforeEach(async () => {
      tokens.length = 0
      const row = await opened.store.get(KEY)
      if (row !== undefined) await opened.store.remove(row)
      await opened.store.create(aLease())
    })

    after(() => opened.close())

    const rowNow = async (): Promise<Lease> => (await opened.store.get(KEY)) as Lease

    /** Writes what somebody makes of the row, who need not be one of ours. */
    async function written(change: (row: Lease) => Lease): Promise<Lease> {
      const before = await rowNow()
      const after = change(before)
      expect(await opened.store.replace(before, after)).to.deep.equal({ kind: 'written' })
      return after
    }

    async function claim(session: string): Promise<Tenure> {
      const lease = await written(row => claimed(row, session))
      const clock = new VirtualClock()
      const tenure = new Tenure(lease, clock.monotonicMs(), {
        ...{ store: opened.store, session, clock, random: seededRandom(1), proof: new Heart(clock).proof },
        leaseValidMs: () => Number.POSITIVE_INFINITY,
        ended: () => {}
      })
      tokens.push(tenure.fencingToken)
      return tenure
    }

    const expectGrowing = (): void => {
      for (const [i, token] of tokens.entries()) expect(token).to.be.greaterThan(tokens[i - 1] ?? 0)
    }

    it('is 1 for the first claim of a new row, and stays as it is whatever its owner writes', async () => {
      const tenure = await claim('a')
      await tenure.renew()
      await tenure.checkpoint(aPosition(5))
      await tenure.prepareCheckpoint({ position: aPosition(6) })
      expect(tenure.fencingToken).to.equal(1)
      expect((await rowNow()).counter).to.equal(4)
    })

    it('grows with every claim: of what was released, of what a dead session had, of our own after a lost answer', async () => {
      const first = await claim('a')
      await first.checkpoint(aPosition(5))
      await first.release()
      await claim('b')
      await claim('c')
      await claim('c')
      const last = await claim('a')
      await last.release()
      await claim('a')
      expect(tokens).to.have.length(6)
      expectGrowing()
    })

    it('grows where workers of Java KCL take, renew, evict and assign the lease in between', async () => {
      await claim('a')
      await written(row => claimed(row, 'java-1'))
      await written(renewed)
      await claim('b')
      await written(released)
      await written(row => claimed(row, 'java-2'))
      // A hand-off of KCL 3 leaves the counter as it is until the new owner is assigned.
      await written(row => ({ ...row, owner: 'c', checkpointOwner: 'java-2' }))
      await claim('c')
      expect(tokens).to.have.length(3)
      expectGrowing()
    })

    it('is the highest there will be once the shard is finished: nobody claims it any more', async () => {
      const tenure = await claim('a')
      await tenure.finish([])
      expect((await rowNow()).counter).to.be.greaterThan(tenure.fencingToken)
    })

    it('begins anew with a row that was deleted and made again, so that a store that fences refuses it', async () => {
      await claim('a')
      await claim('b')
      await opened.store.remove(await rowNow())
      await opened.store.create(aLease())
      await claim('c')
      expect(tokens).to.deep.equal([1, 2, 1])
    })

    it('goes on where a row was made again by hand with a counter that is no lower', async () => {
      const tenure = await claim('a')
      await opened.store.remove(await rowNow())
      await opened.store.create(aLease({ counter: tenure.fencingToken }))
      await claim('b')
      expectGrowing()
    })
  })
}
