// The port over a real client of the AWS SDK, whose requests a fake of the service answers.
import { expect } from 'chai'
import { dynamodbStream, type TableStream } from '../../src/dynamodb-streams/dynamodb-stream.ts'
import type { IteratorStart, KinesisPort } from '../../src/kinesis/kinesis-port.ts'
import type { RecordLoss } from '../../src/kinesis/stream-source.ts'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { isClosed, parentsOf } from '../../src/model/shard.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { FakeTable, type FakeTableOptions } from '../../src/testing/fake-table.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const HOUR = 3_600_000
const NO_CHILDREN = 'the whole listing knows'

class PortWorld {
  readonly clock = new VirtualClock(1_900_000_000_000, { settlingTurns: 12 })
  readonly table: FakeTable
  readonly port: KinesisPort
  readonly losses: RecordLoss[] = []
  fault: FakeTableOptions['fault']

  constructor(options: Partial<FakeTableOptions> = {}, stream: TableStream = { tableName: 'orders' }) {
    const fault: FakeTableOptions['fault'] = (...call) => this.fault?.(...call)
    this.table = new FakeTable({ tableName: 'orders', clock: this.clock, fault, ...options })
    this.port = this.open(stream)
  }

  open(stream: TableStream): KinesisPort {
    return dynamodbStream(stream, { client: this.table.clientConfig }).open({
      clock: this.clock,
      random: seededRandom(1),
      requestTimeoutMs: 10_000,
      lost: loss => this.losses.push(loss)
    })
  }

  get shardId(): string {
    return this.table.stream.open[0]?.shardId ?? ''
  }

  /** Reads until there is nothing more, and says what came, and how that ended. */
  async read(shardId: string, start: IteratorStart, limit = 10_000) {
    const ids: string[] = []
    let iterator: string | undefined = await this.port.getShardIterator(shardId, start)
    for (;;) {
      const answer = await this.port.getRecords(iterator, { limit })
      for (const { data } of answer.records) ids.push(JSON.parse(new TextDecoder().decode(data)).dynamodb.Keys.id.S)
      iterator = answer.nextIterator
      if (iterator === undefined) return { ids, answer }
      if (answer.records.length === 0 && answer.millisBehindLatest === 0) return { ids, answer }
    }
  }

  /** What a call that waits between its requests comes to. */
  async pass<T>(work: Promise<T>): Promise<T> {
    let isOver = false
    const over = (): void => {
      isOver = true
    }
    work.then(over, over)
    await this.clock.advanceUntil(() => isOver)
    return work
  }
}

async function failureOf(work: Promise<unknown>): Promise<Error> {
  return work.then(
    () => expect.fail('it succeeded'),
    error => error
  )
}

describe('the port for the stream of a table', () => {
  let world: PortWorld
  beforeEach(() => {
    world = new PortWorld()
  })
  afterEach(() => world.port.close())

  describe('describes the stream', () => {
    it('with what all streams of the table have in common, when this one was enabled, and the time of the service', async () => {
      await world.clock.advance(1_500)
      expect(await world.port.describeStream()).to.deep.equal({
        streamName: 'orders',
        streamArn: 'arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream',
        status: 'ACTIVE',
        creationEpoch: 1_900_000_000,
        retentionMs: 24 * HOUR,
        serviceTimeMs: 1_900_000_001_000
      })
    })

    it('by its ARN without asking which ones the table has', async () => {
      const { arn } = world.table.stream
      await world.open({ streamArn: arn }).describeStream()
      expect(world.table.requests).to.deep.equal({ DescribeStream: 1 })
    })

    it('and says which option to set for a table without one', async () => {
      const port = world.open({ tableName: 'other' })
      const error = await failureOf(port.describeStream())
      expect(error).to.be.instanceOf(ServiceError).and.to.include({ kind: 'not-found', retryable: false })
      expect(error.message).to.match(/^Table other has no stream, or there is no such table .*StreamSpecification/)
    })

    it('as another one once it was disabled and enabled, and goes on reading the shards of the first', async () => {
      world.table.put({ id: 'old' })
      const { shardId } = world
      const first = await world.port.describeStream()
      world.table.disableStream()
      await world.clock.advance(5_000)
      world.table.enableStream()
      world.table.put({ id: 'new' })
      const second = await world.port.describeStream()
      expect(second.streamArn).to.equal(first.streamArn)
      expect(second.creationEpoch).to.equal(first.creationEpoch + 5)
      expect((await world.port.listShards()).map(shard => shard.shardId)).to.deep.equal([shardId])
      expect((await world.read(shardId, { type: 'TRIM_HORIZON' })).ids).to.deep.equal(['old'])
    })
  })

  describe('lists shards', () => {
    it('with their parents, over as many pages as it takes', async () => {
      const wide = new PortWorld({ partitions: 130 })
      wide.table.rollOver()
      const shards = await wide.port.listShards()
      expect(shards.length).to.equal(260)
      expect(new Set(shards.map(({ shardId }) => shardId)).size).to.equal(260)
      expect(shards.filter(isClosed).length).to.equal(130)
      expect(shards.flatMap(parentsOf).length).to.equal(130)
      expect(shards.some(shard => 'hashKeyRange' in shard)).to.equal(false)
      expect(wide.table.requests.DescribeStream).to.equal(3)
    })

    it('not faster than the service takes it, and a page again that was refused, not the whole listing', async () => {
      const wide = new PortWorld({ partitions: 1_000 })
      let pages = 0
      wide.fault = () => {
        pages += 1
        return pages % 4 === 0 ? 'LimitExceededException' : undefined
      }
      const shards = await wide.pass(wide.port.listShards())
      expect(shards.length).to.equal(1_000)
      expect(wide.clock.monotonicMs()).to.be.greaterThan(600)
      // Ten pages, ListStreams, and those that were refused.
      expect(pages).to.be.within(13, 15)
    })

    it('once for all who ask at the same time', async () => {
      await Promise.all(Array.from({ length: 20 }, () => world.port.listShards()))
      expect(world.table.requests.DescribeStream).to.be.at.most(2)
    })

    it('that were open at a time', async () => {
      const first = world.shardId
      await world.clock.advance(4 * HOUR)
      const [second] = world.table.rollOver()
      await world.clock.advance(4 * HOUR)
      const openAt = async (hours: number) => {
        const filter = { type: 'AT_TIMESTAMP', timestampMs: 1_900_000_000_000 + hours * HOUR } as const
        return (await world.port.listShards({ filter })).map(({ shardId }) => shardId)
      }
      expect(await openAt(2)).to.deep.equal([first])
      expect(await openAt(7)).to.deep.equal([second])
    })
  })

  describe('reads', () => {
    it('records with the key of their item and the time of their creation, 1,000 at a time at most', async () => {
      for (let n = 0; n < 1_200; n++) world.table.put({ id: `i${n}` })
      const iterator = await world.port.getShardIterator(world.shardId, { type: 'TRIM_HORIZON' })
      const { records, bytes, nextIterator } = await world.port.getRecords(iterator, { limit: 10_000 })
      expect(records.length).to.equal(1_000)
      expect(records[0]).to.include({ partitionKey: '{"id":{"S":"i0"}}', arrivedAtMs: 1_900_000_000_000 })
      expect(bytes).to.equal(records.reduce((sum, { data }) => sum + data.length, 0))
      const rest = await world.port.getRecords(nextIterator ?? '', { limit: 10_000 })
      expect(rest.records.length).to.equal(200)
    })

    it('from each kind of start', async () => {
      for (let n = 0; n < 4; n++) {
        world.table.put({ id: `i${n}` })
        await world.clock.advance(60_000)
      }
      const { shardId } = world
      const sequenceNumber = world.table.stream.shards[0]?.records[1]?.sequenceNumber ?? ''
      const from = async (start: IteratorStart) => (await world.read(shardId, start)).ids
      expect(await from({ type: 'TRIM_HORIZON' })).to.deep.equal(['i0', 'i1', 'i2', 'i3'])
      expect(await from({ type: 'AT_SEQUENCE_NUMBER', sequenceNumber })).to.deep.equal(['i1', 'i2', 'i3'])
      expect(await from({ type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber })).to.deep.equal(['i2', 'i3'])
      expect(await from({ type: 'LATEST' })).to.deep.equal([])
      const timestampMs = 1_900_000_000_000 + 100_000
      expect(await from({ type: 'AT_TIMESTAMP', timestampMs })).to.deep.equal(['i2', 'i3'])
    })

    it('from a time on across answers, skips what is older, and skips nothing after the first that is not', async () => {
      for (let n = 0; n < 50; n++) {
        world.table.put({ id: `i${n}` })
        await world.clock.advance(10_000)
      }
      const timestampMs = 1_900_000_000_000 + 300_000
      const { ids } = await world.read(world.shardId, { type: 'AT_TIMESTAMP', timestampMs }, 7)
      expect(ids).to.deep.equal(Array.from({ length: 20 }, (_, n) => `i${n + 30}`))
    })

    it('and says how far it is behind by the times of records', async () => {
      world.table.put({ id: 'a' })
      await world.clock.advance(90_000)
      world.table.put({ id: 'b' })
      await world.clock.advance(500)
      const iterator = await world.port.getShardIterator(world.shardId, { type: 'TRIM_HORIZON' })
      const first = await world.port.getRecords(iterator, { limit: 1 })
      expect(first.millisBehindLatest).to.equal(90_000)
      const second = await world.port.getRecords(first.nextIterator ?? '', { limit: 1 })
      expect(second.millisBehindLatest).to.equal(0)
      const third = await world.port.getRecords(second.nextIterator ?? '', { limit: 1 })
      expect(third).to.include({ millisBehindLatest: 0, bytes: 0 })
    })
  })

  describe('at the end of a shard', () => {
    it('names the shards that continue it, once everything in it was read', async () => {
      world.table.put({ id: 'a' })
      const { shardId } = world
      const children = world.table.split()
      const { ids, answer } = await world.read(shardId, { type: 'TRIM_HORIZON' })
      expect(ids).to.deep.equal(['a'])
      expect(answer.childShards).to.equal(undefined)
      const sequenceNumber = world.table.stream.shard(shardId)?.records[0]?.sequenceNumber ?? ''
      const { answer: last } = await world.read(shardId, { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber })
      expect(last.childShards).to.deep.equal(children.map(id => ({ shardId: id, parentShardIds: [shardId] })))
      expect(world.table.requests.DescribeStream).to.equal(1)
    })

    it(`names none where the service does not know how to be asked for them: ${NO_CHILDREN}`, async () => {
      const { shardId } = world
      world.table.rollOver()
      world.fault = (_, { ShardFilter }) => (ShardFilter === undefined ? undefined : 'ValidationException')
      const { answer } = await world.read(shardId, { type: 'TRIM_HORIZON' })
      expect(answer).to.not.have.any.keys('childShards', 'nextIterator')
    })

    it('fails, to be asked again, if it cannot ask for them now', async () => {
      const { shardId } = world
      world.table.rollOver()
      world.fault = operation => (operation === 'DescribeStream' ? 'LimitExceededException' : undefined)
      const iterator = await world.port.getShardIterator(shardId, { type: 'TRIM_HORIZON' })
      expect(await failureOf(world.port.getRecords(iterator, { limit: 1 }))).to.be.instanceOf(ThrottledError)
      world.fault = undefined
      expect((await world.port.getRecords(iterator, { limit: 1 })).childShards?.length).to.equal(1)
    })

    it('knows the last shards of a stream that is disabled', async () => {
      world.table.rollOver()
      world.table.disableStream()
      expect((await world.port.listShards()).map(({ isLast = false }) => isLast)).to.deep.equal([false, true])
    })
  })

  describe('tells of records that are gone', () => {
    it('and reads on with the oldest ones that are left', async () => {
      world.table.put({ id: 'read' })
      const after = world.table.stream.shards[0]?.records[0]?.sequenceNumber ?? ''
      await world.clock.advance(HOUR)
      world.table.put({ id: 'gone' })
      await world.clock.advance(25 * HOUR)
      world.table.put({ id: 'there' })
      const { ids } = await world.read(world.shardId, { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: after })
      expect(ids).to.deep.equal(['there'])
      expect(world.losses).to.deep.equal([{ shardId: world.shardId, because: 'trimmed', after }])
    })

    it('while it reads from the oldest one on', async () => {
      world.table.put({ id: 'gone' })
      const iterator = await world.port.getShardIterator(world.shardId, { type: 'TRIM_HORIZON' })
      world.table.trim(world.clock.epochMs() + 1)
      const error = await failureOf(world.port.getRecords(iterator, { limit: 1 }))
      expect(error).to.include({ kind: 'expired-iterator' })
      expect(world.losses).to.deep.equal([{ shardId: world.shardId, because: 'trimmed' }])
    })

    it('with their whole shard', async () => {
      const { shardId } = world
      world.table.put({ id: 'gone' })
      world.table.rollOver()
      await world.clock.advance(25 * HOUR)
      const error = await failureOf(world.port.getShardIterator(shardId, { type: 'TRIM_HORIZON' }))
      expect(error).to.be.instanceOf(ServiceError).and.to.include({ kind: 'not-found' })
      expect(world.losses).to.deep.equal([{ shardId, because: 'shard-expired' }])
    })

    it('but not when it is only asked whether the shard can be read', async () => {
      const { shardId } = world
      world.table.rollOver()
      await world.clock.advance(25 * HOUR)
      expect(await failureOf(world.port.getShardIterator(shardId, { type: 'LATEST' }))).to.include({
        kind: 'not-found'
      })
      expect(world.losses).to.deep.equal([])
    })
  })

  it('says so when an iterator is more than 15 minutes old', async () => {
    const iterator = await world.port.getShardIterator(world.shardId, { type: 'LATEST' })
    await world.clock.advance(16 * 60_000)
    const error = await failureOf(world.port.getRecords(iterator, { limit: 1 }))
    expect(error).to.include({ kind: 'expired-iterator', retryable: false })
    expect(error.message).to.match(
      /^GetRecords of shardId-\S+ in the stream of table orders: the shard iterator is more than/
    )
  })

  it('gives up a call whose signal aborts, and one that is not answered in time', async () => {
    const port = dynamodbStream(
      { tableName: 'orders' },
      {
        client: {
          ...world.table.clientConfig,
          requestHandler: { ...world.table.clientConfig.requestHandler, handle: () => new Promise(() => {}) }
        }
      }
    ).open({ clock: world.clock, random: seededRandom(1), requestTimeoutMs: 10_000, lost: () => {} })
    const reason = new Error('enough')
    const stopping = new AbortController()
    const given = failureOf(port.describeStream({ signal: stopping.signal }))
    stopping.abort(reason)
    expect(await given).to.equal(reason)
    const error = await world.pass(failureOf(port.describeStream()))
    expect(error).to.include({ kind: 'timeout', retryable: true })
    expect(error.message).to.equal('ListStreams of the stream of table orders: there was no answer within 10000 ms')
  })
})
