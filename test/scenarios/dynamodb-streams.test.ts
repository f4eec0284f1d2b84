// Workers on the stream of a table: the real client of the AWS SDK, whose requests a fake of the service answers, in virtual time.
import { readFileSync } from 'node:fs'
import { BroadcastChannel } from 'node:worker_threads'
import { expect } from 'chai'
import { dynamodbStream } from '../../src/dynamodb-streams/dynamodb-stream.ts'
import { memoryLeaseStore, silentLogger, TableMismatchError, Worker } from '../../src/index.ts'
import { openFleet } from '../../src/operate/fleet.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import type { StreamsOperation } from '../../src/testing/fake-streams-service.ts'
import { FakeTable } from '../../src/testing/fake-table.ts'
import { TableWorld } from '../support/table-world.ts'

const HOUR = 3_600_000

describe('the stream of a DynamoDB table', () => {
  let world: TableWorld
  afterEach(() => world.stopAll())

  it('is read from the oldest record on, each change once and in order', async () => {
    world = new TableWorld({ partitions: 3 })
    for (let n = 0; n < 30; n++) world.write(`item-${n % 10}`)
    await world.start()
    await world.untilSeen()
    for (let n = 0; n < 30; n++) world.write(`item-${n % 10}`)
    await world.untilSeen()
    world.expectAllOnce()
    world.table.delete({ id: 'item-1' }, { expired: true })
    await world.clock.advanceUntil(() => world.seen.at(-1)?.eventName === 'REMOVE')
  })

  it('is followed through shards that are continued, without waiting for a comparison of shards and leases', async () => {
    world = new TableWorld({ partitions: 2 })
    await world.start()
    for (let round = 0; round < 5; round++) {
      for (let n = 0; n < 8; n++) world.write(`item-${n}`)
      if (round === 2) world.table.split()
      else world.table.rollOver()
      for (let n = 0; n < 8; n++) world.write(`item-${n}`)
      const before = world.clock.monotonicMs()
      await world.untilSeen()
      expect(world.clock.monotonicMs() - before).to.be.lessThan(20_000)
    }
    world.expectAllOnce()
    expect(world.events('shard:failed')).to.deep.equal([])
  })

  it('is read whole though the service shows only one of two children at first, and no listing of one moment', async () => {
    world = new TableWorld({ partitions: 2 })
    const hidden = new Set<string>()
    const client = { ...world.table.clientConfig }
    const { handle, ...handler } = client.requestHandler
    client.requestHandler = {
      ...handler,
      handle: async (request: object) => {
        const { response } = await handle(request)
        const answer = JSON.parse(new TextDecoder().decode(response.body))
        const { StreamDescription: stream } = answer
        if (stream === undefined) return { response }
        stream.Shards = stream.Shards.filter(({ ShardId }: { ShardId: string }) => !hidden.has(ShardId))
        // Each shard stands there as it was before it was closed.
        for (const { SequenceNumberRange } of stream.Shards) delete SequenceNumberRange.EndingSequenceNumber
        return { response: { ...response, body: new TextEncoder().encode(JSON.stringify(answer)) } }
      }
    }
    for (let n = 0; n < 16; n++) world.write(`item-${n}`)
    await world.start({ client })
    await world.untilSeen()
    for (const [, late = ''] of [world.table.split(world.table.stream.open[0]?.shardId), world.table.split()]) {
      hidden.add(late)
      for (let n = 0; n < 16; n++) world.write(`item-${n}`)
      await world.clock.advance(100_000)
      hidden.clear()
      await world.untilSeen()
    }
    world.expectAllOnce()
  })

  it('asks for the children of a shard alone, and lists all shards for comparisons only', async () => {
    world = new TableWorld({ partitions: 20 })
    const worker = world.worker()
    await world.reach(worker.start())
    const before = world.table.requests.DescribeStream ?? 0
    world.table.rollOver()
    await world.clock.advance(30_000)
    expect(world.events('shard:ended').length).to.equal(20)
    expect((world.table.requests.DescribeStream ?? 0) - before).to.be.lessThan(25)
  })

  it('has a bounded number of leases, however long it is read, also where nothing is written', async () => {
    world = new TableWorld({ partitions: 3, retentionMs: HOUR })
    await world.start({ retrieval: { idleMs: 60_000 }, durationMs: 600_000 })
    for (let period = 0; period < 24; period++) {
      await world.clock.advance(HOUR / 6)
      world.table.rollOver()
      // To one of the three partitions nothing is ever written.
      for (const id of ['a', 'b']) world.write(id)
    }
    await world.untilSeen()
    world.expectAllOnce()
    expect((await world.leases()).length).to.be.at.most(3 * 8)
    expect(world.events('records:lost')).to.deep.equal([])
  })

  describe('from now on', () => {
    it('begins where the application was first started, however late a shard is opened', async () => {
      world = new TableWorld({ partitions: 2 })
      for (let n = 0; n < 6; n++) world.write(`old-${n}`)
      await world.clock.advance(60_000)
      let isDown = false
      const client = { ...world.table.clientConfig }
      const handler = client.requestHandler
      client.requestHandler = {
        ...handler,
        handle: (request: { headers: Record<string, string> }) => {
          const isReading = /GetShardIterator|GetRecords/.test(JSON.stringify(request.headers))
          return isDown && isReading
            ? Promise.reject(Object.assign(new Error('down'), { code: 'ECONNRESET' }))
            : handler.handle(request)
        }
      }
      isDown = true
      await world.start({ startAt: 'LATEST', client })
      await world.clock.advance(5_000)
      for (let n = 0; n < 6; n++) world.write(`new-${n}`)
      await world.clock.advance(30_000)
      isDown = false
      for (let n = 0; n < 6; n++) world.write(`newest-${n}`)
      const ids = [...world.versions.keys()].filter(id => !id.startsWith('old'))
      await world.untilSeen(ids)
      expect(world.seen.map(({ id }) => id).filter(id => id.startsWith('old'))).to.deep.equal([])
      expect(world.seen.length).to.equal(12)
    })

    it('skips thousands of closed shards, of which it makes no leases', async () => {
      world = new TableWorld({ partitions: 150 })
      for (let period = 0; period < 5; period++) {
        for (let n = 0; n < 20; n++) world.write(`old-${n}`)
        world.table.rollOver()
        await world.clock.advance(4 * HOUR)
      }
      expect(world.table.stream.shards.length).to.equal(150 * 6)
      await world.start({ startAt: 'LATEST' })
      expect((await world.leases()).length).to.equal(150)
      world.write('new')
      await world.untilSeen(['new'])
      expect(world.seen.map(({ id }) => id)).to.deep.equal(['new'])
    })

    it('skips what is older in shards that continue one of those it began with, too', async () => {
      world = new TableWorld()
      world.write('older')
      await world.clock.advance(3 * HOUR)
      world.table.rollOver()
      world.write('old')
      await world.clock.advance(HOUR)
      const since = new Date(world.clock.epochMs())
      await world.clock.advance(HOUR)
      world.write('new')
      await world.start({ startAt: since })
      await world.untilSeen(['new'])
      expect(world.seen.map(({ id }) => id)).to.deep.equal(['new'])
    })
  })

  it('loses nothing and keeps the order of each item when workers come and go', async () => {
    world = new TableWorld({ partitions: 4 })
    const first = await world.start()
    const ids = Array.from({ length: 12 }, (_, n) => `item-${n}`)
    const writeAll = (): void => {
      for (const id of ids) world.write(id)
    }
    writeAll()
    await world.untilSeen()
    const second = await world.start()
    await world.clock.advanceUntil(() => second.shardIds.length === 2)
    writeAll()
    world.table.rollOver()
    writeAll()
    await world.untilSeen()
    await world.stop(first)
    writeAll()
    world.table.split()
    writeAll()
    await world.untilSeen()
    expect(new Set(world.seen.map(({ worker }) => worker)).size).to.equal(2)
    world.expectAllOnce()
  })

  it('keeps the order of each item where records are processed at once', async () => {
    world = new TableWorld()
    let running = 0
    let most = 0
    world.handle = async () => {
      running += 1
      most = Math.max(most, running)
      await world.clock.sleep(50)
      running -= 1
    }
    await world.start({ concurrency: { perShard: 8 } })
    for (let n = 0; n < 60; n++) world.write(`item-${n % 12}`)
    world.table.rollOver()
    for (let n = 0; n < 60; n++) world.write(`item-${n % 12}`)
    await world.untilSeen()
    world.expectAllOnce()
    expect(most).to.be.greaterThan(4)
  })

  describe('records that are gone', () => {
    it('are told of when a worker was away for more than a day, and reading goes on with what is left', async () => {
      world = new TableWorld()
      world.write('a')
      const first = await world.start()
      await world.untilSeen()
      await world.stop(first)
      world.write('lost')
      await world.clock.advance(20 * HOUR)
      world.write('kept')
      await world.clock.advance(5 * HOUR)
      await world.start()
      await world.untilSeen(['kept'])
      expect(world.seen.map(({ id }) => id)).to.deep.equal(['a', 'kept'])
      const [loss, ...others] = world.events('records:lost')
      expect(others).to.deep.equal([])
      expect(loss).to.include({ because: 'trimmed' })
      expect(loss?.after).to.match(/^\d+$/)
    })

    it('are told of when a whole shard has expired, and its descendants are read', async () => {
      world = new TableWorld()
      world.write('a')
      const first = await world.start()
      await world.untilSeen()
      await world.stop(first)
      for (let period = 0; period < 8; period++) {
        world.write(`period-${period}`)
        world.table.rollOver()
        await world.clock.advance(4 * HOUR)
      }
      await world.clock.advance(HOUR)
      world.write('newest')
      const ids = [...Array.from({ length: 5 }, (_, n) => `period-${n + 3}`), 'newest']
      await world.start()
      await world.untilSeen(ids)
      expect(world.seen.slice(1).map(({ id }) => id)).to.deep.equal(ids)
      expect(world.events('records:lost').map(({ because }) => because)).to.deep.equal(['shard-expired'])
    })
  })

  describe('that is disabled', () => {
    it('is read to its end, also by a worker that starts after that', async () => {
      world = new TableWorld({ partitions: 2 })
      for (let n = 0; n < 8; n++) world.write(`item-${n}`)
      world.table.disableStream()
      await world.start()
      await world.untilSeen()
      await world.clock.advance(120_000)
      expect(world.events('shard:ended').length).to.equal(2)
      expect(world.events('shard:failed')).to.deep.equal([])
      world.expectAllOnce()
    })

    it('and enabled again is another stream: the worker ends, and none starts with the old leases', async () => {
      world = new TableWorld()
      const worker = await world.start()
      world.write('a')
      await world.untilSeen()
      const old = world.table.stream.arn
      world.write('unread')
      world.table.disableStream()
      await world.clock.advance(1_000)
      world.table.enableStream()
      world.write('in-the-new-one')
      await rejectsWith(worker.finished, world, /was deleted and created again while this worker ran/)
      await rejectsWith(world.worker().start(), world, /holds 1 leases of an earlier stream orders/)
      // The earlier one can be read to its end …
      const reader = await world.start({ stream: { streamArn: old } })
      await world.clock.advanceUntil(() => world.events('shard:ended').length === 1)
      await world.stop(reader)
      expect(world.seen.map(({ id }) => id)).to.deep.equal(['a', 'unread'])
      // … and then the new one from its beginning.
      await world.start({ onRecreatedStream: 'start-over' })
      await world.untilSeen()
      world.expectAllOnce()
      expect(world.events('stream:recreated').length).to.equal(1)
    })
  })

  it('is begun again from outside: from the oldest record, or from a time', async () => {
    world = new TableWorld()
    await world.start({ startAt: 'LATEST' })
    world.write('a')
    await world.untilSeen()
    world.table.rollOver()
    await world.clock.advance(600_000)
    world.write('b')
    await world.untilSeen()
    const fleet = openFleet(
      {
        source: dynamodbStream({ tableName: 'orders' }, { client: world.table.clientConfig }),
        ...{ applicationName: 'app', leases: { store: world.store }, logger: silentLogger }
      },
      { clock: world.clock, random: seededRandom(9) }
    )
    const seenSince = async (work: Promise<unknown>): Promise<string[]> => {
      const before = world.seen.length
      await world.reach(work)
      await world.clock.advance(30_000)
      return world.seen.slice(before).map(({ id }) => id)
    }
    expect(await seenSince(fleet.reset('TRIM_HORIZON'))).to.deep.equal(['a', 'b'])
    expect(await seenSince(fleet.reset(new Date(world.clock.epochMs() - 300_000)))).to.deep.equal(['b'])
    expect(await seenSince(fleet.reset('LATEST'))).to.deep.equal([])
    const status = await fleet.status()
    expect(status).to.deep.include({ streamName: 'orders', holes: [], reasons: [] })
    expect(status.leases.some(lease => 'hashKeyRange' in lease)).to.equal(false)
    fleet.close()
  })

  it('is read with no other permissions than those of its policy', async () => {
    world = new TableWorld()
    await world.start()
    world.write('a')
    world.table.rollOver()
    world.write('b')
    await world.untilSeen()
    const policy = JSON.parse(readFileSync(new URL('../../deploy/iam/dynamodb-stream.json', import.meta.url), 'utf8'))
    const called = Object.keys(world.table.requests).map(operation => `dynamodb:${operation}`)
    expect(called.sort()).to.deep.equal(policy.Statement[0].Action.sort())
  })

  it('is read in threads, which are given the changes as bytes', async () => {
    world = new TableWorld()
    const table = new FakeTable({ tableName: 'orders' })
    for (let n = 0; n < 20; n++) table.put({ id: `item-${n}`, version: n })
    const told = new BroadcastChannel('dynamodb-streams')
    const seen: unknown[] = []
    const isAllThere = new Promise<void>(resolve => {
      told.onmessage = ({ data }) => {
        if (seen.push(...data) >= 20) resolve()
      }
    })
    const worker = new Worker({
      source: dynamodbStream({ tableName: 'orders' }, { client: table.clientConfig }),
      ...{ applicationName: 'app', startAt: 'TRIM_HORIZON', logger: silentLogger },
      leases: { store: memoryLeaseStore() },
      threads: { module: new URL('./dynamodb-streams-module.ts', import.meta.url), count: 1 }
    })
    try {
      await worker.start()
      await isAllThere
    } finally {
      await worker.stop()
      told.close()
    }
    expect(seen).to.deep.equal(Array.from({ length: 20 }, (_, n) => `INSERT item-${n} ${n}`))
  })

  it('is read although the service throttles, forgets iterators and fails', async () => {
    let calls = 0
    const faults: Partial<Record<StreamsOperation, readonly string[]>> = {
      DescribeStream: ['LimitExceededException', 'InternalServerError'],
      GetShardIterator: ['InternalServerError', 'ThrottlingException'],
      GetRecords: ['LimitExceededException', 'ExpiredIteratorException', 'InternalServerError', 'ThrottlingException']
    }
    world = new TableWorld({
      partitions: 2,
      fault: operation => {
        calls += 1
        const names = faults[operation] ?? []
        return calls % 3 === 0 ? names[(calls / 3) % names.length] : undefined
      }
    })
    await world.start()
    for (let round = 0; round < 4; round++) {
      for (let n = 0; n < 10; n++) world.write(`item-${n}`)
      world.table.rollOver()
    }
    await world.untilSeen()
    world.expectAllOnce()
    expect(world.events('records:lost')).to.deep.equal([])
  })
})

async function rejectsWith(work: Promise<unknown>, world: TableWorld, message: RegExp): Promise<void> {
  const error = await world.reach(work).then(
    () => undefined,
    error => error
  )
  expect(error).to.be.instanceOf(TableMismatchError)
  expect(error.message).to.match(message)
}
