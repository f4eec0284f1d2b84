// The scenarios S1 to S4, S8 to S12 and S14 of the reference on KCL's behaviour, by name: how the lease table is kept in line
// with the shards. S5 to S7, S13 and S17, the end of a shard, are in shard-end.test.ts; S15, S16 and S18 are about several streams.
import { expect } from 'chai'
import { ServiceError, type StartPosition, ThrottledError } from '../../src/index.ts'
import { sdkKinesis } from '../../src/kinesis/sdk-kinesis.ts'
import { newLease } from '../../src/model/lease.ts'
import { isClosed, parentsOf } from '../../src/model/shard.ts'
import { aPosition, shardId } from '../support/builders.ts'
import { CallLog } from '../support/call-log.ts'
import { deliveredIds, expectInOrder, expectOnce, putInto, putIntoAll } from '../support/numbered-records.ts'
import { seeds } from '../support/seeds.ts'
import { numberOf } from '../support/shard-trees.ts'
import { StubKinesisClient } from '../support/stub-kinesis-client.ts'
import { tamper, throughPort } from '../support/tampered-kinesis.ts'
import { STREAM, World } from '../support/world.ts'

/** The leases that were created other than at the end of a shard, as `6 LATEST`. */
function createdBySync(world: World): string[] {
  return world
    .events('lease:created')
    .filter(({ why }) => why !== 'shard-end')
    .map(({ shardId: id, checkpoint }) => `${numberOf(id)} ${checkpoint}`)
}

async function keysOf(world: World): Promise<number[]> {
  return (await world.store.list()).leases.map(({ leaseKey }) => numberOf(leaseKey)).sort((a, b) => a - b)
}

/** The row of a shard as KCL writes it, at a record that was put into the shard. */
async function kclRow(world: World, number: number, at = 0): Promise<void> {
  const shard = world.kinesis.shards(STREAM).find(each => each.shardId === shardId(number))
  const record = world.kinesis.records(STREAM, shardId(number))[at]
  await world.store.create(
    newLease({
      shardId: shardId(number),
      checkpoint: aPosition(record?.sequenceNumber ?? 'none'),
      parentShardIds: parentsOf(shard ?? {}),
      ...(shard && { hashKeyRange: shard.hashKeyRange })
    })
  )
}

/**
 * The worked example of the reference with two records in every shard: 0 + 1 became 6, 2 + 3 became 7; 6 + 7 became 8, and 5
 * became 9 and 10. There are leases of 4, 5 and 7, at the first of their records.
 */
async function workedExample(): Promise<{ world: World; idsOf: Map<number, number[]>; sinceBeginning: Date }> {
  const world = new World({ shards: 6 })
  const sinceBeginning = new Date(world.clock.epochMs())
  const idsOf = putIntoAll(world, 2)
  const next = async (reshard: () => void): Promise<void> => {
    await world.clock.advance(1_000)
    reshard()
  }
  await next(() => world.kinesis.merge(STREAM, shardId(0), shardId(1)))
  await next(() => world.kinesis.merge(STREAM, shardId(2), shardId(3)))
  for (const number of [6, 7]) idsOf.set(number, [putInto(world, number), putInto(world, number)])
  await next(() => world.kinesis.merge(STREAM, shardId(6), shardId(7)))
  await next(() => void world.kinesis.split(STREAM, shardId(5)))
  for (const number of [8, 9, 10]) idsOf.set(number, [putInto(world, number), putInto(world, number)])
  for (const number of [4, 5, 7]) await kclRow(world, number)
  await world.clock.advance(1_000)
  return { world, idsOf, sinceBeginning }
}

describe('the comparison of shards and leases', () => {
  const examples: [name: string, expired: number[], created: string[], unread: number[]][] = [
    ['LATEST', [], ['6 LATEST'], [0, 1, 2, 3, 6]],
    ['TRIM_HORIZON', [], ['0 TRIM_HORIZON', '1 TRIM_HORIZON'], [2, 3]],
    ['AT_TIMESTAMP', [], ['0 AT_TIMESTAMP', '1 AT_TIMESTAMP'], [2, 3]],
    ['TRIM_HORIZON', [0, 1], ['6 TRIM_HORIZON'], [0, 1, 2, 3]]
  ]
  for (const [position, expired, created, unread] of examples) {
    const trimmed = expired.length > 0 ? ', with 0 and 1 trimmed' : ''

    it(`S1: creates ${created.join(' and ')} in the worked example at ${position}${trimmed}`, async () => {
      const { world, idsOf, sinceBeginning } = await workedExample()
      for (const number of expired) world.kinesis.expireShard(STREAM, shardId(number))
      const startAt = position === 'AT_TIMESTAMP' ? sinceBeginning : (position as StartPosition)
      await world.startWorker({ startAt })
      await world.clock.advance(60_000)
      expect(createdBySync(world)).to.deep.equal(created)
      // Of the shards that had a lease the first record was done; of the others that are read, none.
      const wanted = [...idsOf].flatMap(([number, ids]) =>
        unread.includes(number) ? [] : ids.slice([4, 5, 7].includes(number) ? 1 : 0)
      )
      expect(deliveredIds(world).sort((a, b) => a - b)).to.deep.equal(wanted.sort((a, b) => a - b))
      expect(world.ledger.outOfOrder()).to.deep.equal([])
      await world.stopAll()
    })
  }

  it('S1: leaves all to the lease that leads there if three levels of reshards came while no worker ran', async () => {
    for (const startAt of ['TRIM_HORIZON', 'LATEST'] as const) {
      const world = new World({ shards: 2 })
      await world.startWorker({ startAt })
      putIntoAll(world, 3)
      await world.untilDelivered()
      await world.stopAll()
      putIntoAll(world, 3)
      const first = world.kinesis.split(STREAM, shardId(0))
      putIntoAll(world, 3)
      const second = world.kinesis.split(STREAM, first[1])
      putIntoAll(world, 3)
      world.kinesis.merge(STREAM, second[1], shardId(1))
      putIntoAll(world, 3)
      await world.clock.advance(60_000)
      await world.startWorker({ startAt })
      await world.untilDelivered()
      expectOnce(world)
      expect(createdBySync(world)).to.have.length(2)
      await world.stopAll()
    }
  })

  // KCL asks for the shards of the start position by a filter; here the whole listing is judged, and only a date is asked for.
  for (const [position, leased] of [
    ['TRIM_HORIZON', [0, 1]],
    ['LATEST', [1, 2, 3]],
    ['AT_TIMESTAMP', [1, 2, 3]]
  ] satisfies [StartPosition | 'AT_TIMESTAMP', number[]][]) {
    it(`S2: begins at ${position} with all of the right shards or with none, however late the listing is whole`, async () => {
      for (const partialListings of [0, 2, 8]) {
        const world = new World({ shards: 2 })
        let listings = 0
        const filters: number[] = []
        tamper(world, {
          listShards: (shards, filter) => {
            if (filter) filters.push(filter.timestampMs)
            listings += filter ? 0 : 1
            return filter === undefined && listings <= partialListings
              ? shards.filter(shard => numberOf(shard.shardId) !== 1)
              : shards
          }
        })
        putIntoAll(world)
        await world.clock.advance(10_000)
        world.kinesis.split(STREAM, shardId(0))
        await world.clock.advance(10_000)
        const since = world.clock.epochMs()
        const member = world.makeWorker({ startAt: position === 'AT_TIMESTAMP' ? new Date(since) : position })
        const started = member.worker.start()
        await world.clock.advanceUntil(() => createdBySync(world).length > 0, 400_000)
        await started
        const creations = world.history.writes.filter(({ before }) => before === undefined)
        const created = creations.map(({ leaseKey }) => numberOf(leaseKey)).slice(0, leased.length)
        expect(created, `${partialListings} partial`).to.have.members(leased)
        expect(listings, `${partialListings} partial`).to.be.greaterThan(partialListings)
        expect(filters).to.deep.equal(position === 'AT_TIMESTAMP' ? [since] : [])
        // Three listings to a comparison: after eight partial ones, two comparisons have failed and were told.
        const failures = member.events('error').map(({ error }) => error)
        expect(failures).to.have.length(Math.floor(partialListings / 3))
        for (const error of failures) expect(error.message).to.match(/do not fit together/)
        await world.stopAll()
      }
    })
  }

  it('S3: asks for the pages of a filtered listing after the first by their token alone, and takes all shards', async () => {
    const world = new World({ shards: 7 })
    const clients: StubKinesisClient[] = []
    throughPort(world, port => {
      const client = new StubKinesisClient(port, 3)
      clients.push(client)
      return sdkKinesis({ stream: { streamName: STREAM }, client: client.asClient, clock: world.clock })
    })
    putIntoAll(world)
    await world.startWorker({ startAt: new Date('2029-01-01T00:00:00Z') })
    await world.untilDelivered(30_000)
    expect(await keysOf(world)).to.deep.equal([0, 1, 2, 3, 4, 5, 6])
    const inputs = clients.flatMap(({ commands }) => commands).filter(({ name }) => name === 'ListShards')
    const filtered = inputs.findIndex(({ input }) => input.ShardFilter !== undefined)
    expect(filtered).to.be.greaterThan(-1)
    const pages = inputs.slice(filtered + 1, filtered + 3).map(({ input }) => Object.keys(input))
    expect(pages).to.deep.equal([['NextToken'], ['NextToken']])
    expectOnce(world)
    await world.stopAll()
  })

  it('S4: is completed by the next worker, whichever creation the first one crashes at', async () => {
    for (let crashAt = 1; crashAt <= 8; crashAt++) {
      for (const lands of [false, true]) {
        const world = new World({ shards: 4, seed: crashAt })
        const log = new CallLog(world)
        putIntoAll(world, 2)
        const [low] = world.kinesis.split(STREAM, shardId(0))
        putIntoAll(world, 2)
        world.kinesis.split(STREAM, low)
        putIntoAll(world, 2)
        const first = log.makeWorker({}, { shardSyncIntervalMs: 10_000 })
        let creations = 0
        first.intercept = ({ name }) => {
          if (name !== 'create' || ++creations !== crashAt) return undefined
          first.crash()
          return lands ? undefined : { kind: 'hangs' }
        }
        void first.worker.start()
        await world.clock.advance(20_000)
        expect(first.isAlive, `crash at creation ${crashAt}`).to.equal(false)
        await log.startWorker({}, { shardSyncIntervalMs: 10_000 })
        await world.untilDelivered(120_000)
        expectInOrder(world)
        const created = world.history.writes
          .filter(({ before }) => before === undefined)
          .map(({ leaseKey }) => numberOf(leaseKey))
        expect(
          [...created].sort((a, b) => a - b),
          `crash at creation ${crashAt}`
        ).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7])
        for (const { shardId: id, parentShardId = '' } of world.kinesis.shards(STREAM)) {
          if (parentShardId === '') continue
          expect(created.indexOf(numberOf(parentShardId)), `${id} after its parent`).to.be.lessThan(
            created.indexOf(numberOf(id))
          )
        }
        await world.stopAll()
      }
    }
  })

  it('S8: has the children of a shard that began at LATEST begin at TRIM_HORIZON', async () => {
    for (const seed of seeds(3)) {
      const world = new World({ shards: 2, seed, latencyMs: 30 })
      for (let i = 0; i < 5; i++) world.kinesis.put(STREAM, `key-${i}`, '-1')
      await world.clock.advance(5_000)
      await world.startWorker({ startAt: 'LATEST' })
      putIntoAll(world, 2)
      const [low, high] = world.kinesis.split(STREAM, shardId(0))
      putIntoAll(world, 2)
      world.kinesis.split(STREAM, high)
      putIntoAll(world, 2)
      await world.untilDelivered()
      expectOnce(world)
      expect(deliveredIds(world), `SEED=${seed}: old ones`).to.not.include(-1)
      const ofChildren = world.events('lease:created').filter(({ why }) => why === 'shard-end')
      expect(
        ofChildren.map(({ checkpoint }) => checkpoint),
        `SEED=${seed}`
      ).to.deep.equal(Array(4).fill('TRIM_HORIZON'))
      expect(
        ofChildren.map(({ leaseKey }) => leaseKey),
        `SEED=${seed}`
      ).to.include.members([low, high])
      await world.stopAll()
    }
  })

  // KCL waits for the same hole three times, because its listing may be old; here every row that matters is read again instead.
  it('S9: takes neither a parent beside its children nor a listing from a minute ago for a hole', async () => {
    for (const seed of seeds(4)) {
      const world = new World({ shards: 3, seed, latencyMs: 30, listingLagMs: 60_000 })
      for (let i = 0; i < 2; i++) void world.makeWorker({ shardSyncIntervalMs: 5_000 }).worker.start()
      await world.load(15_000)
      for (let change = 0; change < 10; change++) {
        const open = world.kinesis.shards(STREAM).filter(shard => !isClosed(shard))
        open.sort((a, b) => (a.hashKeyRange.start < b.hashKeyRange.start ? -1 : 1))
        const at = Math.floor(world.random.next() * (open.length - 1))
        const [shard, neighbour] = [open[at], open[at + 1]]
        if (shard && neighbour && change % 2 === 1) world.kinesis.merge(STREAM, shard.shardId, neighbour.shardId)
        else if (shard) world.kinesis.split(STREAM, shard.shardId)
        await world.load(world.random.next() * 15_000)
      }
      await world.untilDelivered()
      await world.clock.advance(300_000)
      expect(world.events('lease:hole-found'), `SEED=${seed}`).to.deep.equal([])
      expect(createdBySync(world).sort(), `SEED=${seed}`).to.deep.equal([
        '0 TRIM_HORIZON',
        '1 TRIM_HORIZON',
        '2 TRIM_HORIZON'
      ])
      expect(world.events('lease:removed').length, `SEED=${seed}`).to.be.greaterThan(5)
      expectOnce(world)
      await world.stopAll()
    }
  })

  it('S9: brings back the deleted lease of an open shard, and fills a table without a lease at once', async () => {
    for (const all of [false, true]) {
      const world = new World({ shards: 3 })
      const member = await world.startWorker({ startAt: 'LATEST', shardSyncIntervalMs: 20_000 })
      putIntoAll(world, 2)
      await world.untilDelivered()
      const { leases } = await world.store.list()
      for (const row of all ? leases : leases.slice(1, 2)) await world.store.remove(row)
      putIntoAll(world, 2)
      await world.untilDelivered(60_000)
      await world.clock.advance(60_000)
      expect(await keysOf(world)).to.deep.equal([0, 1, 2])
      expect(member.worker.shardIds).to.have.length(3)
      // An empty table is no hole: nobody may have begun yet.
      const repaired = member.events('lease:hole-found').map(event => event.repaired)
      expect(repaired).to.deep.equal(all ? [] : [[shardId(1)]])
      expectInOrder(world)
      await world.stopAll()
    }
  })

  it('S10: is made by one worker of a fleet, one at a time, seldom while it fails, and as before after it has failed', async () => {
    for (const seed of seeds(3)) {
      const world = new World({ shards: 8, seed, latencyMs: 20 })
      const calls: number[] = []
      let underWay = 0
      let most = 0
      let failure: Error | undefined = new ThrottledError('too many listings')
      world.kinesis.intercept = async ({ name }) => {
        if (name !== 'listShards') return
        calls.push(world.clock.monotonicMs())
        most = Math.max(most, ++underWay)
        await world.clock.sleep(400)
        underWay -= 1
        if (failure) throw failure
      }
      const members = Array.from({ length: 10 }, () => world.makeWorker({ shardSyncIntervalMs: 30_000 }))
      const started = Promise.all(members.map(({ worker }) => worker.start()))
      await world.clock.advance(120_000)
      // A comparison that failed is made again after a lease duration. While it is throttled it lists five times.
      expect(calls.length, `SEED=${seed}: throttled`).to.be.within(10, 60)
      failure = new ServiceError('access-denied', 'ListShards is not allowed', { retryable: false })
      calls.length = 0
      await world.clock.advance(120_000)
      expect(calls.length, `SEED=${seed}: not allowed`).to.be.within(3, 15)
      expect(most, `SEED=${seed}: at a time`).to.equal(1)
      const told = world.events('error').filter(({ during }) => during === 'compare shards with leases')
      expect(new Set(told.map(({ worker }) => worker)), `SEED=${seed}`).to.have.length(1)
      expect(await keysOf(world), `SEED=${seed}`).to.deep.equal([])
      failure = undefined
      await world.await(started)
      putIntoAll(world)
      await world.untilDelivered(60_000)
      expect(await keysOf(world), `SEED=${seed}`).to.have.length(8)
      expectOnce(world)
      await world.stopAll()
    }
  })

  it('S10: is made once or twice if many shards ask for it at the same time', async () => {
    const world = new World({ shards: 20 })
    const member = await world.startWorker({ shardSyncIntervalMs: 3_600_000 })
    await world.clock.advance(10_000)
    expect(member.worker.shardIds).to.have.length(20)
    let listings = 0
    world.kinesis.intercept = async ({ name }) => {
      if (name === 'getRecords') throw new ServiceError('other', 'no', { retryable: false })
      if (name !== 'listShards') return
      listings += 1
      await world.clock.sleep(2_000)
    }
    await world.clock.advance(20_000)
    const givenUp = member.events('shard:failed').filter(({ retryInMs }) => retryInMs === undefined)
    expect(givenUp).to.have.length(20)
    const span = Math.max(...givenUp.map(({ atMs }) => atMs)) - Math.min(...givenUp.map(({ atMs }) => atMs))
    expect(listings, `for 20 findings in ${span} ms`).to.be.within(1, 1 + Math.ceil(span / 2_000))
    world.kinesis.intercept = undefined
    putIntoAll(world)
    await world.untilDelivered(120_000)
    expectOnce(world)
    await world.stopAll()
  })

  // There is no option to skip such children: a listing in which parent and child are open is one that is read again.
  it('S14: creates nothing from a listing that shows a child open while its parent is', async () => {
    for (const listingsFor of [5_000, 90_000]) {
      const world = new World({ shards: 2, sendChildShards: false })
      const tampering = tamper(world)
      const log = new CallLog(world)
      const member = await log.startWorker({}, { shardSyncIntervalMs: 20_000 })
      putIntoAll(world, 2)
      await world.untilDelivered()
      world.kinesis.split(STREAM, shardId(0))
      tampering.listShards = shards =>
        shards.map(shard => {
          const { endingSequenceNumber: _, ...open } = shard
          return open
        })
      putIntoAll(world, 2)
      await world.clock.advance(listingsFor)
      expect(await keysOf(world)).to.deep.equal([0, 1])
      expect(log.lines({ method: 'shardEnded' })).to.deep.equal([])
      const again = member
        .events('shard:failed')
        .filter(({ during, retryInMs }) => during === 'end' && retryInMs !== undefined)
      expect(again.length).to.be.within(1, 15)
      expect(again[0]?.error.message).to.match(/do not fit together|cover the same hash keys/)
      const told = member.events('error').filter(({ error }) => /do not fit together/.test(error.message))
      expect(told.length > 0).to.equal(listingsFor > 40_000)
      tampering.listShards = undefined
      await world.untilDelivered(60_000)
      expect(await keysOf(world)).to.include.members([1, 2, 3])
      expect(log.lines({ method: 'shardEnded' })).to.deep.equal(['shardEnded'])
      expectOnce(world)
      await world.stopAll()
    }
  })
})
