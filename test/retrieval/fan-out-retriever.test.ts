// The scenarios R8 to R12 of the reference on KCL's behaviour, by name, as far as one retriever is concerned. R11 is in
// fan-out-retriever-failures.test.ts, R13 in test/scenarios/fan-out.test.ts, R14 in fan-out-consumer.test.ts.
import { expect } from 'chai'
import type { SubscriptionEvent } from '../../src/kinesis/fan-out-port.ts'
import { ServiceError } from '../../src/model/errors.ts'
import type { Retrieved } from '../../src/retrieval/retriever.ts'
import {
  afterRecord,
  FanOutWorld,
  OneShardBudget,
  rejectionOf,
  SHARD,
  STREAM,
  TRIM_HORIZON,
  textsOf
} from './fan-out-world.ts'

const MINUTE = 60_000
const KIB = 1024

describe('FanOutRetriever', () => {
  it('hands on what is there and what is put, in order, each once', async () => {
    const world = new FanOutWorld()
    world.put('a', 'b')
    expect(await world.next()).to.equal('a b')
    world.put('c')
    expect(await world.next()).to.equal('c')
    expect(world.starts()).to.deep.equal([TRIM_HORIZON])
    expect(world.reports.map(({ records, bytes }) => [records, bytes])).to.deep.equal([
      [2, 2],
      [1, 1]
    ])
  })

  it('begins at the position that it was given, and does not repeat the record after which it begins', async () => {
    const world = new FanOutWorld()
    const [, b] = world.put('a', 'b', 'c')
    const at = world.open({ type: 'AT_SEQUENCE_NUMBER', sequenceNumber: b ?? '' })
    expect(await world.next(at)).to.equal('b c')
    at.close()
    await world.clock.advance(5_000)
    const afterB = world.open({ type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: b ?? '' })
    expect(await world.next(afterB)).to.equal('c')
    afterB.close()
    await world.clock.advance(5_000)
    const timestampMs = world.clock.epochMs()
    const fromNow = world.open({ type: 'AT_TIMESTAMP', timestampMs })
    const [next] = [world.next(fromNow)]
    world.put('d')
    expect(await next).to.equal('d')
  })

  it('hands on at once what came in many small events while the last batch was processed', async () => {
    const world = new FanOutWorld()
    world.put('first')
    await world.next()
    for (let index = 0; index < 50; index++) {
      world.put(String(index))
      await world.clock.advance(10)
    }
    expect(world.reports).to.have.length(51)
    expect(world.budget.heldBytes, 'as much as it takes').to.be.within(90, 50 * KIB + 256 * KIB)
    const retrieved = await world.retrieved()
    expect(retrieved).to.include({ kind: 'records', bytes: 90 })
    if (retrieved.kind !== 'records') return
    expect(retrieved.records).to.have.length(50)
    const { heldBytes } = world.budget
    retrieved.takenApart(1_000)
    expect(world.budget.heldBytes, 'with the user records').to.equal(heldBytes + 1_000 * 96)
    retrieved.release()
    expect(world.budget.heldBytes, 'for the event that is waited for').to.be.within(1, 256 * KIB)
  })

  it('takes no event before there is room for it in the budget, and goes on once there is', async () => {
    const budget = new OneShardBudget(100 * KIB)
    const world = new FanOutWorld({ budget, changed: oneByOne })
    for (let index = 0; index < 40; index++) world.kinesis.put(STREAM, 'key', new Uint8Array(20 * KIB))
    const sizes: number[] = []
    let batch = (await world.retrieved()) as Extract<Retrieved, { kind: 'records' }>
    for (let count = batch.records.length; count < 40; count += batch.records.length) {
      sizes.push(batch.records.length)
      await world.clock.advance(10 * MINUTE)
      expect(world.retriever.lacksRoom).to.equal(true)
      expect(budget.mostBytes).to.be.at.most(120 * KIB)
      batch.release()
      batch = (await world.retrieved()) as Extract<Retrieved, { kind: 'records' }>
    }
    expect(world.retriever.lacksRoom, 'when all is read').to.equal(false)
    expect(Math.max(...sizes), 'read ahead').to.be.within(2, 5)
  })

  it('R8: ignores what a subscription sends after it has given way, and repeats no record', async () => {
    const late: SubscriptionEvent[] = []
    let subscriptions = 0
    const world = new FanOutWorld({
      changed: events => (++subscriptions === 1 ? lateEvents(events, late) : events)
    })
    world.put('a')
    expect(await world.next()).to.equal('a')
    await world.clock.advance(10_000)
    // The connection hangs from here on: what it sends comes a minute late.
    late.length = 0
    const [b] = world.put('b')
    expect(await world.next()).to.equal('b')
    const [c] = world.put('c')
    expect(await world.next()).to.equal('c')
    expect(world.starts().length).to.be.greaterThan(1)
    await world.clock.advance(5 * MINUTE)
    expect(await world.nextWithin(MINUTE), 'nothing comes again').to.equal('nothing')
    expect(late.flatMap(({ records }) => records.map(each => each.sequenceNumber))).to.include.members([b])
    expect([b, c]).to.not.include(undefined)
  })

  it('R8: drops records that a subscription repeats, and goes on after the last one', async () => {
    const world = new FanOutWorld({ changed: repeating })
    const texts: string[] = []
    for (let round = 0; round < 10; round++) {
      const [last] = world.put(`${round}a`, `${round}b`).slice(-1)
      texts.push(await world.next())
      await world.clock.advance(6_000)
      world.kinesis.disconnect(STREAM)
      await world.clock.advance(6_000)
      expect(world.starts().at(-1)).to.have.property('type', 'AFTER_SEQUENCE_NUMBER')
      expect(last).to.be.a('string')
    }
    expect(texts).to.deep.equal(Array.from({ length: 10 }, (_, round) => `${round}a ${round}b`))
  })

  it('R8: drops the record after which it was to begin, if it comes nevertheless', async () => {
    const world = new FanOutWorld({
      changed: async function* (events) {
        for await (const event of events) yield { ...event, records: world.kinesis.records(STREAM, SHARD).slice(0) }
      }
    })
    const [a] = world.put('a', 'b')
    expect(await world.next(world.open({ type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: a ?? '' }))).to.equal('b')
  })

  it('R9: hands on what came before its subscription ended after five minutes, once, and goes on after it', async () => {
    const world = new FanOutWorld()
    world.forbidTakeOver()
    world.put('first')
    const batch = await world.retrieved()
    for (let index = 0; index < 5; index++) world.put(`queued-${index}`)
    await world.clock.advance(299_000)
    world.put('last')
    await world.clock.advance(2_000)
    expect(world.accepted).to.have.length(2)
    if (batch.kind === 'records') batch.release()
    const newest = world.kinesis.records(STREAM, SHARD).at(-1)?.sequenceNumber
    expect(world.starts().at(-1)).to.deep.equal(afterRecord(newest))
    expect(await world.next()).to.equal('queued-0 queued-1 queued-2 queued-3 queued-4 last')
    expect(await world.nextWithin(20_000)).to.equal('nothing')
    expect(world.retries).to.deep.equal([])
  })

  it('subscribes anew at once when a subscription has ended after its five minutes', async () => {
    const world = new FanOutWorld()
    world.forbidTakeOver()
    expect(await world.nextWithin(20 * MINUTE)).to.equal('nothing')
    const [begunAtMs = 0] = world.accepted
    expect(world.accepted.map(atMs => atMs - begunAtMs)).to.deep.equal([0, 5, 10, 15].map(minutes => minutes * MINUTE))
    expect(world.retries).to.deep.equal([])
  })

  it('has the next subscription take over before the five minutes are over, so that there is no gap', async () => {
    const world = new FanOutWorld()
    const asking = world.nextWithin(30 * MINUTE)
    await asking
    expect(world.gaps().length).to.be.within(5, 6)
    expect(world.clock.sleeping, 'of one subscription: those before it have been dropped').to.equal(2)
    for (const gap of world.gaps()) expect(gap).to.be.within(270_000, 296_000)
    expect(world.retries).to.deep.equal([])
  })

  it('stays with its subscription while there cannot be another one', async () => {
    const world = new FanOutWorld()
    world.put('a')
    expect(await world.next()).to.equal('a')
    world.fault = ({ name }) => {
      if (name === 'subscribeToShard') throw new ServiceError('in-use', 'not yet', { retryable: true })
    }
    expect(await world.nextWithin(298_000)).to.equal('nothing')
    world.put('b')
    expect(await world.next()).to.equal('b')
    expect(world.named('subscribeToShard')).to.have.length(2)
    expect(world.retries).to.deep.equal([])
    world.fault = () => {}
    await world.clock.advance(10_000)
    world.put('c')
    expect(await world.next()).to.equal('c')
  })

  it('R10: reports the end after the last records, with the children, and subscribes no more', async () => {
    const world = new FanOutWorld()
    world.put('a')
    expect(await world.next()).to.equal('a')
    world.put('b')
    const children = world.kinesis.split(STREAM, SHARD)
    expect(await world.next()).to.equal('b')
    for (let time = 0; time < 2; time++) {
      const end = await world.retrieved()
      expect(end.kind === 'end' && end.childShards?.map(({ shardId }) => shardId)).to.deep.equal(children)
    }
    await world.clock.advance(10 * MINUTE)
    expect(world.starts()).to.have.length(1)
    expect(world.clock.sleeping).to.equal(0)
    expect(world.budget.heldBytes).to.equal(0)
  })

  it('R10: brings the end again to whoever goes on from what was accepted before it', async () => {
    const world = new FanOutWorld()
    const [a] = world.put('a')
    expect(await world.next()).to.equal('a')
    world.put('b')
    world.kinesis.split(STREAM, SHARD)
    await world.clock.advance(10_000)
    world.retriever.close()
    const second = world.open({ type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: a ?? '' })
    expect(await world.next(second)).to.equal('b')
    const end = await world.retrieved(second)
    expect(end.kind === 'end' && end.childShards).to.have.length(2)
  })

  it('goes on after an end that was none', async () => {
    let isFalse = true
    const world = new FanOutWorld({ changed: events => (isFalse ? withoutContinuation(events) : events) })
    const [a] = world.put('a')
    expect(await world.next()).to.equal('a')
    expect(await world.next()).to.equal('end')
    isFalse = false
    world.put('b')
    world.retriever.continueAfterEnd()
    expect(await world.next()).to.equal('b')
    expect(world.starts()).to.deep.equal([TRIM_HORIZON, afterRecord(a), afterRecord(a)])
    for (const gap of world.gaps()) expect(gap, 'no sooner than the service allows').to.be.within(5_000, 5_500)
  })

  it('R12: loses nothing and holds little while its records are processed for longer than a subscription lasts', async () => {
    const budget = new OneShardBudget(64 * KIB)
    const world = new FanOutWorld({ budget, changed: oneByOne })
    const seen: string[] = []
    const batch = async (): Promise<void> => {
      const retrieved = await world.retrieved()
      if (retrieved.kind !== 'records') return
      seen.push(...textsOf(retrieved.records).split(' '))
      await world.clock.advance(17 * MINUTE)
      retrieved.release()
    }
    const payload = 'x'.repeat(9 * KIB)
    for (let index = 0; index < 60; index++) world.put(`${index}${payload}`)
    while (seen.length < 60) await batch()
    expect(seen.map(text => Number.parseInt(text, 10))).to.deep.equal(Array.from({ length: 60 }, (_, index) => index))
    expect(budget.mostBytes).to.be.at.most(80 * KIB)
    expect(world.retries).to.deep.equal([])
  })

  it('keeps the checkpointed record as its start until something newer came, whatever empty events say', async () => {
    let isFirst = true
    const world = new FanOutWorld({
      changed: events => {
        const changed = isFirst ? emptyAndBroken(events) : events
        isFirst = false
        return changed
      }
    })
    const [a] = world.put('a')
    const start = { type: 'AT_SEQUENCE_NUMBER', sequenceNumber: a ?? '' } as const
    expect(await world.next(world.open(start))).to.equal('a')
    expect(world.starts()).to.deep.equal([start, start])
  })

  it('rejects with the reason of the signal, and keeps what comes for the next call', async () => {
    const world = new FanOutWorld()
    const leaving = new AbortController()
    const asking = rejectionOf(world.retriever.next(leaving.signal))
    await world.clock.advance(2_000)
    leaving.abort(new Error('enough'))
    expect(await asking).to.have.property('message', 'enough')
    expect(await rejectionOf(world.retriever.next(leaving.signal))).to.have.property('message', 'enough')
    world.put('a')
    await world.clock.advance(1_000)
    expect(await world.next()).to.equal('a')
    expect(world.starts()).to.have.length(1)
  })

  it('gives everything back when it is closed, whatever it was doing', async () => {
    const doings: ((world: FanOutWorld) => Promise<void>)[] = [
      async () => {},
      async world => {
        void world.retriever.next(new AbortController().signal).catch(() => {})
        await world.clock.advance(300)
      },
      async world => {
        world.put('a')
        await world.next()
        world.put('b')
        await world.clock.advance(100)
      },
      async world => {
        world.fault = () => new Promise(() => {})
        void world.retriever.next(new AbortController().signal).catch(() => {})
        await world.clock.advance(300)
      }
    ]
    for (const doing of doings) {
      const world = new FanOutWorld()
      await doing(world)
      world.retriever.close()
      world.consumer.close()
      await world.clock.settle()
      expect(world.budget).to.include({ heldBytes: 0, isClosed: true })
      expect(await rejectionOf(world.retriever.next(new AbortController().signal))).to.be.instanceOf(ServiceError)
      await world.clock.advance(11_000)
      expect(world.clock.sleeping).to.equal(0)
    }
  })
})

/** Each record in an event of its own. */
async function* oneByOne(events: AsyncIterable<SubscriptionEvent>): AsyncGenerator<SubscriptionEvent, void, void> {
  for await (const event of events) {
    const { records, continuationSequenceNumber, ...others } = event
    if (records.length <= 1) yield event
    else {
      for (const record of records) {
        const isLast = record === records.at(-1)
        const next = isLast ? continuationSequenceNumber : record.sequenceNumber
        yield { ...others, records: [record], ...(next !== undefined && { continuationSequenceNumber: next }) }
      }
    }
  }
}

/** Each event with the records of the one before it, which is what a service may send that delivers at least once. */
async function* repeating(events: AsyncIterable<SubscriptionEvent>): AsyncGenerator<SubscriptionEvent, void, void> {
  let before: SubscriptionEvent['records'] = []
  for await (const event of events) {
    yield { ...event, records: [...before, ...event.records] }
    yield { ...event }
    before = event.records
  }
}

/** Events that come until something is expected in `late`; those after that are noted there, a long time later. */
function lateEvents(
  events: AsyncIterable<SubscriptionEvent>,
  late: SubscriptionEvent[]
): AsyncIterable<SubscriptionEvent> {
  let count = 0
  const iterator = events[Symbol.asyncIterator]()
  return {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        const result = await iterator.next()
        if (result.done !== true && result.value.records.length > 0 && ++count > 1) {
          late.push(result.value)
          await new Promise(() => {})
        }
        return result
      }
    })
  }
}

async function* withoutContinuation(
  events: AsyncIterable<SubscriptionEvent>
): AsyncGenerator<SubscriptionEvent, void, void> {
  for await (const { continuationSequenceNumber: _, ...event } of events) yield event
}

/** An event without records that says what the first one was going to say; then the connection breaks. */
async function* emptyAndBroken(
  events: AsyncIterable<SubscriptionEvent>
): AsyncGenerator<SubscriptionEvent, void, void> {
  for await (const event of events) {
    yield { ...event, records: [] }
    throw new ServiceError('other', 'The connection broke', { retryable: true })
  }
}
