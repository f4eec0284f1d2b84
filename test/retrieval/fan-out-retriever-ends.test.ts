// What a FanOutRetriever makes of subscriptions that end, and of events that say that the shard has.
import { expect } from 'chai'
import type { SubscriptionEvent } from '../../src/kinesis/fan-out-port.ts'
import { afterRecord, FanOutWorld, rejectionOf, SHARD, STREAM, TRIM_HORIZON } from './fan-out-world.ts'

const MINUTE = 60_000

/** Events without their continuation, as far as `isCut` says so. */
function cut(isCut: (event: SubscriptionEvent) => boolean) {
  return async function* (events: AsyncIterable<SubscriptionEvent>): AsyncGenerator<SubscriptionEvent, void, void> {
    for await (const event of events) {
      const { continuationSequenceNumber: _, ...others } = event
      yield isCut(event) ? others : event
    }
  }
}

describe('FanOutRetriever, at an end', () => {
  it('does not believe one event that was cut short, and loses nothing', async () => {
    let isCut = true
    const world = new FanOutWorld({
      changed: cut(({ records }) => {
        if (records.length === 0) return false
        const isThis = isCut
        isCut = false
        return isThis
      })
    })
    const [a] = world.put('a')
    expect(await world.next()).to.equal('a')
    world.put('b', 'c')
    expect(await world.next()).to.equal('b c')
    expect(world.starts()).to.deep.equal([TRIM_HORIZON, afterRecord(a)])
    const children = world.kinesis.split(STREAM, SHARD)
    const end = await world.retrieved()
    expect(end.kind === 'end' && end.childShards?.map(({ shardId }) => shardId)).to.deep.equal(children)
  })

  it('reads on from event to event while each is cut short, as long as each brings something', async () => {
    const world = new FanOutWorld({ changed: cut(({ records }) => records.length > 0) })
    for (const text of ['a', 'b', 'c', 'd']) {
      world.put(text)
      expect(await world.next()).to.equal(text)
    }
    expect(world.starts()).to.have.length(4)
  })

  it('believes an end with children at once', async () => {
    const world = new FanOutWorld()
    world.put('a')
    world.kinesis.split(STREAM, SHARD)
    expect(await world.next()).to.equal('a')
    expect(await world.next()).to.equal('end')
    expect(world.starts()).to.have.length(1)
  })

  it('believes one without children once another subscription says so too, where the service names none', async () => {
    for (const texts of [[], ['a']]) {
      const world = new FanOutWorld({ sendChildShards: false })
      const [a] = world.put(...texts)
      world.kinesis.split(STREAM, SHARD)
      for (const text of texts) expect(await world.next()).to.equal(text)
      expect(await world.retrieved()).to.deep.equal({ kind: 'end' })
      expect(world.starts()).to.deep.equal([TRIM_HORIZON, a === undefined ? TRIM_HORIZON : afterRecord(a)])
      expect(world.gaps()[0], 'no sooner than the service allows').to.be.within(5_000, 5_500)
      expect(world.retries).to.deep.equal([])
      expect(world.clock.sleeping).to.equal(0)
      expect(world.budget.heldBytes).to.equal(0)
    }
  })

  it('gives up after a minute of subscriptions that end without an event', async () => {
    const world = new FanOutWorld({ givesUp: true, changed: () => (async function* () {})() })
    world.put('a')
    expect(await rejectionOf(world.retrieved())).to.include({ kind: 'other', retryable: true })
    expect(world.clock.monotonicMs()).to.be.within(MINUTE, 1.5 * MINUTE)
    expect(world.retries.map(({ failures }) => failures).slice(0, 3)).to.deep.equal([1, 2, 3])
    for (const gap of world.gaps()) expect(gap).to.be.at.least(5_000)
  })

  it('tells of each of them where it does not give up', async () => {
    let isEmpty = true
    const world = new FanOutWorld({ changed: events => (isEmpty ? (async function* () {})() : events) })
    expect(await world.nextWithin(10 * MINUTE)).to.equal('nothing')
    expect(world.retries.length).to.be.within(40, 120)
    expect(world.retries.length).to.be.within(world.starts().length - 1, world.starts().length)
    isEmpty = false
    world.put('a')
    expect(await world.next()).to.equal('a')
  })
})
