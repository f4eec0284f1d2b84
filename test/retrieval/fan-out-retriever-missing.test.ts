// What a FanOutRetriever makes of something that SubscribeToShard does not find: the consumer or the shard, which it does not
// say; and for a moment it may be wrong. Whoever takes a shard for ended that has records in it loses them.
import { expect } from 'chai'
import { ServiceError } from '../../src/model/errors.ts'
import { CONSUMER, FanOutWorld, rejectionOf, SHARD, STREAM, TRIM_HORIZON } from './fan-out-world.ts'

const GONE = 'shardId-000000000007'

const notFound = (): ServiceError => new ServiceError('not-found', 'a mistake', { retryable: false })

describe('FanOutRetriever, when something is not found', () => {
  for (const givesUp of [true, false]) {
    const fallback = givesUp ? 'polling' : 'none'

    it(`loses nothing of a closed shard that is not found for a moment, with fallback ${fallback}`, async () => {
      const world = new FanOutWorld({ givesUp })
      world.put('a')
      const children = world.kinesis.split(STREAM, SHARD)
      let mistakes = givesUp ? 2 : 5
      world.fault = ({ name }) => {
        if (name === 'subscribeToShard' && mistakes-- > 0) throw notFound()
      }
      expect(await world.next()).to.equal('a')
      const end = await world.retrieved()
      expect(end.kind === 'end' && end.childShards?.map(({ shardId }) => shardId)).to.deep.equal(children)
      expect(world.retries.length).to.be.at.least(2)
    })

    it(`takes a shard that GetShardIterator does not find either for one that has ended, with fallback ${fallback}`, async () => {
      const world = new FanOutWorld({ givesUp })
      const retriever = world.open(TRIM_HORIZON, { shardId: GONE })
      expect(await world.retrieved(retriever)).to.deep.equal({ kind: 'end' })
      expect(world.named('registerConsumer'), 'the consumer is there').to.have.length(1)
      expect(world.named('getShardIterator')).to.have.length(1)
      expect(world.retries).to.deep.equal([])
    })
  }

  it('gives up, and reports no end, where only SubscribeToShard goes on not finding it', async () => {
    const world = new FanOutWorld({ givesUp: true })
    world.put('a')
    world.kinesis.split(STREAM, SHARD)
    world.fault = ({ name }) => {
      if (name === 'subscribeToShard') throw notFound()
    }
    expect(await rejectionOf(world.retrieved())).to.include({ kind: 'not-found', message: 'a mistake' })
    expect(world.retries.map(({ failures }) => failures)).to.deep.equal([1, 2])
  })

  it('goes on trying, and reports no end, while nobody can say whether there is such a shard', async () => {
    const world = new FanOutWorld()
    world.fault = ({ name }) => {
      if (name === 'subscribeToShard') throw notFound()
      if (name === 'getShardIterator') throw new ServiceError('access-denied', 'allow it', { retryable: false })
    }
    expect(await world.nextWithin(60_000)).to.equal('nothing')
    const { error } = world.retries.at(-1) ?? {}
    expect(error).to.include({ kind: 'not-found' })
    expect(String(error)).to.include('a mistake').and.include('allow it')
    world.fault = () => {}
    world.put('a')
    expect(await world.next()).to.equal('a')
  })

  it('believes it where the stream was deleted', async () => {
    const world = new FanOutWorld()
    world.put('a')
    expect(await world.next()).to.equal('a')
    world.kinesis.deleteStream(STREAM)
    expect(await world.next()).to.equal('end')
  })

  it('does not ask about the shard where the consumer has been registered again meanwhile', async () => {
    const world = new FanOutWorld({ givesUp: true })
    const old = await world.port.registerConsumer(CONSUMER)
    await world.clock.advance(1_500)
    await world.consumer.arn(new AbortController().signal)
    await world.port.deregisterConsumer(old.consumerArn)
    world.put('a')
    expect(await world.next()).to.equal('a')
    expect(world.named('getShardIterator')).to.deep.equal([])
    expect(world.retries).to.deep.equal([])
  })
})
